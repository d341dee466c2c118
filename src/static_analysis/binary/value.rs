//! What is known of a register or a place on the stack: a set of possible values. Pure.
//!
//! The domain of the flow analysis. A value is a set of [`Atom`]s and perhaps *anything else* besides; a set that grows beyond
//! a bound becomes anything. All operations take every combination, so that what can't be told is never left out.

/// As many values are told apart; a system call chosen from more is not known of any app.
const ATOMS_LIMIT: usize = 24;
/// As many places on the stack are. Where ways meet there are as many as there are frames that could be meant: one, mostly.
const PLACES_LIMIT: usize = 4;

/// Where a parameter of a function stands when the function is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// In the register of that number.
    Register(u8),
    /// On the stack, so many bytes after the first parameter there.
    Stack(i64),
}

/// An address on the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct OnStack {
    /// Where the stack pointer had the address that the offset counts from: 0 for the function's entry, or the address of an
    /// instruction. Nothing is known of how far two of them are apart.
    pub(super) base: u64,
    /// In bytes.
    pub(super) offset: i64,
}

impl OnStack {
    /// Where the stack pointer points at the function's entry.
    pub(super) const ENTRY: Self = Self { base: 0, offset: 0 };

    /// So many bytes further.
    pub(super) const fn plus(self, bytes: i64) -> Self {
        Self { base: self.base, offset: self.offset.wrapping_add(bytes) }
    }
}

/// One possible value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Atom {
    /// That number.
    Constant(u64),
    /// What the function was given there.
    Parameter(Place),
    /// An address on the stack.
    Stack(OnStack),
}

/// A set of possible values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// In order, without repetition.
    atoms: Vec<Atom>,
    /// Whether it may be anything else.
    anything: bool,
}

impl Value {
    /// It may be anything.
    pub(super) const ANYTHING: Self = Self { atoms: Vec::new(), anything: true };

    pub(super) fn of(atom: Atom) -> Self {
        Self { atoms: vec![atom], anything: false }
    }

    pub(super) fn constant(number: u64) -> Self {
        Self::of(Atom::Constant(number))
    }

    /// Any of these constants.
    pub(super) fn constants(numbers: impl IntoIterator<Item = u64>) -> Self {
        Self::collect(numbers.into_iter().map(|number| Some(Atom::Constant(number))))
    }

    /// Any of these; `None` is anything.
    fn collect(atoms: impl IntoIterator<Item = Option<Atom>>) -> Self {
        let mut value = Self::default();
        for atom in atoms {
            match atom {
                Some(atom) => value.add(atom),
                None => value.anything = true,
            }
        }
        value
    }

    fn add(&mut self, atom: Atom) {
        if let Err(place) = self.atoms.binary_search(&atom) {
            let is_place = |atom: &Atom| matches!(atom, Atom::Stack(_));
            let too_many = is_place(&atom) && self.atoms.iter().filter(|atom| is_place(atom)).count() >= PLACES_LIMIT;
            if self.atoms.len() < ATOMS_LIMIT && !too_many {
                self.atoms.insert(place, atom);
            } else {
                self.anything = true;
            }
        }
    }

    /// The known ones among the possible values.
    pub(super) fn atoms(&self) -> &[Atom] {
        &self.atoms
    }

    /// Whether it may be something else than its atoms.
    pub(super) fn may_be_anything(&self) -> bool {
        self.anything
    }

    /// Whether nothing at all is known.
    pub(super) fn is_unknown(&self) -> bool {
        self.anything && self.atoms.is_empty()
    }

    /// The only possible value, if there is just one.
    pub(super) fn single(&self) -> Option<Atom> {
        match self.atoms[..] {
            [atom] if !self.anything => Some(atom),
            _ => None,
        }
    }

    /// Whether it may be an address on the stack.
    pub(super) fn points_to_stack(&self) -> bool {
        self.atoms.iter().any(|atom| matches!(atom, Atom::Stack(_)))
    }

    /// Takes in the possible values of `other`; whether there were new ones.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        let before = (self.atoms.len(), self.anything);
        self.anything |= other.anything;
        for atom in &other.atoms {
            self.add(*atom);
        }
        before != (self.atoms.len(), self.anything)
    }

    /// What `change` makes of each possible value; `None` is anything.
    pub(super) fn map(&self, change: impl Fn(Atom) -> Option<Atom>) -> Self {
        let mut value = Self::collect(self.atoms.iter().map(|atom| change(*atom)));
        value.anything |= self.anything;
        value
    }

    /// What `combine` makes of each pair of possible values; `None` is anything.
    pub(super) fn with(&self, other: &Self, combine: impl Fn(Atom, Atom) -> Option<Atom>) -> Self {
        let pairs = self.atoms.iter().flat_map(|one| other.atoms.iter().map(|other| (*one, *other)));
        let mut value = Self::collect(pairs.map(|(one, other)| combine(one, other)));
        value.anything |= self.anything || other.anything;
        value
    }

    /// The lowest `size` bytes, with zeros above. A parameter stays one for four bytes, as more do not count for the kernel.
    pub(super) fn truncated(&self, size: usize) -> Self {
        self.map(|atom| match atom {
            _ if size >= 8 => Some(atom),
            Atom::Constant(number) => Some(Atom::Constant(number & mask(size))),
            Atom::Parameter(_) if size == 4 => Some(atom),
            Atom::Parameter(_) | Atom::Stack(_) => None,
        })
    }

    /// The lowest `size` bytes as a signed number.
    pub(super) fn extended(&self, size: usize) -> Self {
        let shift = 64 - 8 * size.clamp(1, 8);
        self.map(|atom| match atom {
            Atom::Constant(number) => Some(Atom::Constant(((number << shift).cast_signed() >> shift).cast_unsigned())),
            _ if size >= 8 => Some(atom),
            Atom::Parameter(_) if size == 4 => Some(atom),
            Atom::Parameter(_) | Atom::Stack(_) => None,
        })
    }

    /// The sum with `other`, in 64 bits.
    pub(super) fn plus(&self, other: &Self) -> Self {
        self.with(other, |one, other| match (one, other) {
            (Atom::Constant(one), Atom::Constant(other)) => Some(Atom::Constant(one.wrapping_add(other))),
            (Atom::Stack(place), Atom::Constant(number)) | (Atom::Constant(number), Atom::Stack(place)) => {
                Some(Atom::Stack(place.plus(number.cast_signed())))
            }
            (atom @ Atom::Parameter(_), Atom::Constant(0)) | (Atom::Constant(0), atom @ Atom::Parameter(_)) => Some(atom),
            _ => None,
        })
    }

    /// The difference to `other`, in 64 bits.
    pub(super) fn minus(&self, other: &Self) -> Self {
        self.with(other, |one, other| match (one, other) {
            (Atom::Constant(one), Atom::Constant(other)) => Some(Atom::Constant(one.wrapping_sub(other))),
            (Atom::Stack(place), Atom::Constant(number)) => Some(Atom::Stack(place.plus(number.cast_signed().wrapping_neg()))),
            (Atom::Stack(one), Atom::Stack(other)) if one.base == other.base => {
                Some(Atom::Constant(one.offset.wrapping_sub(other.offset).cast_unsigned()))
            }
            (atom @ Atom::Parameter(_), Atom::Constant(0)) => Some(atom),
            _ => None,
        })
    }

    /// What an operation on numbers makes of it.
    pub(super) fn calculated(&self, other: &Self, operation: impl Fn(u64, u64) -> u64) -> Self {
        self.with(other, |one, other| match (one, other) {
            (Atom::Constant(one), Atom::Constant(other)) => Some(Atom::Constant(operation(one, other))),
            _ => None,
        })
    }
}

/// The lowest `size` bytes of a number.
pub(super) const fn mask(size: usize) -> u64 {
    if size >= 8 { u64::MAX } else { (1 << (8 * size)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_taken() {
        let one = Value::constants([1, 2]);
        let other = Value::constants([10, 20]);
        assert_eq!(one.plus(&other), Value::constants([11, 12, 21, 22]));
        assert_eq!(other.minus(&one), Value::constants([9, 8, 19, 18]));
        let stack = Value::of(Atom::Stack(OnStack::ENTRY.plus(-8)));
        assert_eq!(stack.plus(&Value::constant(16)).single(), Some(Atom::Stack(OnStack::ENTRY.plus(8))));
        let elsewhere = Value::of(Atom::Stack(OnStack { base: 7, offset: 0 }));
        assert!(stack.minus(&elsewhere).may_be_anything());
        assert_eq!(stack.minus(&stack), Value::constant(0));
        assert!(stack.calculated(&one, |one, other| one & other).may_be_anything());
    }

    #[test]
    fn what_is_unknown_stays_unknown_and_what_is_known_is_kept() {
        let mut value = Value::constant(5);
        assert!(value.join(&Value::ANYTHING));
        assert!(!value.join(&Value::constant(5)));
        assert_eq!((value.atoms(), value.may_be_anything(), value.single()), (&[Atom::Constant(5)][..], true, None));
        let doubled = value.plus(&Value::constant(5));
        assert_eq!((doubled.atoms(), doubled.may_be_anything()), (&[Atom::Constant(10)][..], true));
    }

    #[test]
    fn too_many_values_are_anything() {
        let many = Value::constants(0..1000);
        assert_eq!((many.atoms().len(), many.may_be_anything()), (ATOMS_LIMIT, true));
    }

    #[test]
    fn numbers_are_cut_and_extended_as_registers_are() {
        let value = Value::constant(0xffff_ffff_ffff_fff0);
        assert_eq!(value.truncated(4), Value::constant(0xffff_fff0));
        assert_eq!(value.truncated(1).extended(1), value);
        assert_eq!(Value::constant(0x7f).extended(1), Value::constant(0x7f));
        let parameter = Value::of(Atom::Parameter(Place::Register(7)));
        assert_eq!(parameter.truncated(4), parameter);
        assert!(parameter.truncated(2).may_be_anything());
        assert!(Value::of(Atom::Stack(OnStack::ENTRY)).truncated(4).may_be_anything());
    }
}
