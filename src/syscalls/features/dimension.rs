//! What a row of the catalogue is: where in some calls a value stands, and what it can be.
//!
//! Pure. Knows how a row gives features and how a feature becomes a condition, but neither the rows nor what features are
//! called as a whole.

use super::names::Named;
use super::{Condition, Test};
use crate::syscalls::memory::{self, Read};
use crate::syscalls::{Architecture, Sysno};

/// Arguments that the kernel declares with 32 bits: it ignores what the upper half of the register holds.
pub(super) const INT: u64 = 0xffff_ffff;
/// Arguments that the kernel declares with 64 bits.
pub(super) const LONG: u64 = u64::MAX;

/// Where in a call a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the argument of this index.
    Register(u8),
    /// Two 32-bit arguments read as one number, such as level and name of a socket option.
    Registers {
        /// The argument that gives the upper half.
        high: u8,
        /// The argument that gives the lower half.
        low: u8,
    },
    /// Behind a pointer.
    Memory {
        /// The argument that points.
        argument: u8,
        /// Distance from there, in bytes.
        offset: u32,
        /// Size in bytes, at most 8.
        width: u8,
    },
}

impl Place {
    /// What stands there in a call with these arguments; `None` if memory cannot be read.
    fn value(self, arguments: &[u64; 6], read: &mut Read<'_>) -> Option<u64> {
        match self {
            Self::Register(argument) => Some(arguments[usize::from(argument)]),
            Self::Registers { high, low } => Some((arguments[usize::from(high)] & INT) << 32 | arguments[usize::from(low)] & INT),
            Self::Memory { argument, offset, width } => {
                let address = arguments[usize::from(argument)].checked_add(u64::from(offset))?;
                memory::number(read, address, usize::from(width))
            }
        }
    }

    fn condition(self, mask: u64, value: u64, given: Option<Test>) -> Condition {
        let of_registers = |tests: &[Test]| Condition::Register(given.iter().chain(tests).copied().collect());
        match self {
            Self::Register(argument) => of_registers(&[Test { argument, mask, value }]),
            Self::Registers { high, low } => of_registers(&[
                Test { argument: high, mask: mask >> 32, value: value >> 32 },
                Test { argument: low, mask: mask & INT, value: value & INT },
            ]),
            Self::Memory { argument, offset, width } => Condition::Memory { argument, offset, width, mask, value, given },
        }
    }
}

/// How the bits of a value are read. Bits outside the mask are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One of many: every call has exactly one of these features.
    Value {
        /// The bits that count.
        mask: u64,
    },
    /// One of many among the bits of something else, or none at all, when they are 0.
    Field {
        /// The bits that count.
        mask: u64,
    },
    /// Bit by bit: a call has as many of these features as bits. A name can stand for several bits; then it is meant only if all
    /// are set, and a name for fewer of them is not (`O_DIRECTORY` within `O_TMPFILE`).
    Flags {
        /// The bits that count.
        mask: u64,
    },
    /// The absence of all these bits, which has a name of its own (`PROT_NONE`).
    Zero {
        /// The bits that count.
        mask: u64,
    },
}

impl Kind {
    /// The bits that count.
    #[must_use]
    pub const fn mask(self) -> u64 {
        match self {
            Self::Value { mask } | Self::Field { mask } | Self::Flags { mask } | Self::Zero { mask } => mask,
        }
    }
}

/// A name for many values: those of which the bits of a mask are as given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern {
    pub(super) name: &'static str,
    pub(super) mask: u64,
    pub(super) value: u64,
}

/// What is at one place: a name, or a number that has none.
///
/// Names are those of the catalogue and nothing else, so that equal names are equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Value {
    Named(&'static str),
    Unnamed(u64),
}

/// One place in some calls with the names of what can stand there.
#[derive(Debug)]
pub struct Dimension {
    label: &'static str,
    calls: &'static [Sysno],
    place: Place,
    kind: Kind,
    /// The same on every architecture.
    common: &'static [&'static [Named]],
    x86_64: &'static [Named],
    aarch64: &'static [Named],
    patterns: &'static [Pattern],
    given: Option<Test>,
}

impl Dimension {
    pub(super) const fn new(
        label: &'static str,
        calls: &'static [Sysno],
        place: Place,
        kind: Kind,
        common: &'static [&'static [Named]],
    ) -> Self {
        Self { label, calls, place, kind, common, x86_64: &[], aarch64: &[], patterns: &[], given: None }
    }

    /// Adds what differs between architectures.
    pub(super) const fn differing(self, x86_64: &'static [Named], aarch64: &'static [Named]) -> Self {
        Self { x86_64, aarch64, ..self }
    }

    /// Adds names for many values.
    pub(super) const fn patterns(self, patterns: &'static [Pattern]) -> Self {
        Self { patterns, ..self }
    }

    /// Says what another register has to hold, as otherwise the kernel does not look there.
    pub(super) const fn given(self, test: Test) -> Self {
        Self { given: Some(test), ..self }
    }

    /// What a call with these arguments has here; `None` if memory cannot be read, or the kernel does not look.
    pub(super) fn raw(&self, arguments: &[u64; 6], read: &mut Read<'_>) -> Option<u64> {
        let looks = self.given.is_none_or(|test| test.holds(arguments));
        looks.then(|| self.place.value(arguments, read)).flatten()
    }

    /// What the place is called, as in `request` or `flags`: unique among those of a call.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        self.label
    }

    /// The calls that have it.
    #[must_use]
    pub const fn calls(&self) -> &'static [Sysno] {
        self.calls
    }

    /// Where in the call it is.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// How its bits are read.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Every name with its value on `architecture`, without patterns.
    pub(super) fn names(&self, architecture: Architecture) -> impl Iterator<Item = &'static Named> {
        self.common.iter().copied().flatten().chain(self.differing_on(architecture))
    }

    /// Every name of every architecture; one that several have comes several times.
    pub(super) fn all_names(&self) -> impl Iterator<Item = &'static str> {
        let names = self.common.iter().copied().flatten().chain(self.x86_64).chain(self.aarch64).map(|(name, _)| *name);
        names.chain(self.patterns.iter().map(|pattern| pattern.name))
    }

    fn differing_on(&self, architecture: Architecture) -> &'static [Named] {
        match architecture {
            Architecture::X86_64 => self.x86_64,
            Architecture::Aarch64 => self.aarch64,
        }
    }

    /// The name of exactly this value on `architecture`.
    pub(super) fn name(&self, architecture: Architecture, value: u64) -> Option<&'static str> {
        if let Some(pattern) = self.patterns.iter().find(|pattern| value & pattern.mask == pattern.value) {
            return Some(pattern.name);
        }
        let find = |table: &'static [Named]| {
            let index = table.binary_search_by_key(&value, |(_, value)| *value).ok()?;
            Some(table[index].0)
        };
        self.common.iter().copied().find_map(find).or_else(|| find(self.differing_on(architecture)))
    }

    /// The bits that have to be looked at to tell whether these flags are meant: the names that share bits with them as well.
    fn flag_mask(&self, architecture: Architecture, bits: u64) -> u64 {
        let sharing = self.names(architecture).filter(|(_, other)| other & bits != 0);
        sharing.fold(bits, |mask, (_, other)| mask | other)
    }

    /// Gives every value that `raw` has here.
    pub(super) fn values(&self, architecture: Architecture, raw: u64, emit: &mut impl FnMut(Value)) {
        let bits = raw & self.kind.mask();
        let exact = || self.name(architecture, bits).map_or(Value::Unnamed(bits), Value::Named);
        match self.kind {
            Kind::Value { .. } => emit(exact()),
            Kind::Field { .. } if bits != 0 => emit(exact()),
            Kind::Zero { .. } if bits == 0 => emit(exact()),
            Kind::Field { .. } | Kind::Zero { .. } => {}
            Kind::Flags { .. } => {
                let meant = |flag: u64| bits & self.flag_mask(architecture, flag) == flag;
                let mut rest = bits;
                for (name, flag) in self.names(architecture) {
                    if bits & flag == *flag && meant(*flag) {
                        emit(Value::Named(name));
                        rest &= !flag;
                    }
                }
                while rest != 0 {
                    let flag = rest & rest.wrapping_neg();
                    rest &= !flag;
                    if meant(flag) {
                        emit(Value::Unnamed(flag));
                    }
                }
            }
        }
    }

    /// When a call has this value; `None` if it never has on `architecture`.
    pub(super) fn condition(&self, architecture: Architecture, value: Value) -> Option<Condition> {
        let mask = self.kind.mask();
        let (mask, value) = match value {
            Value::Named(name) => match self.patterns.iter().find(|pattern| pattern.name == name) {
                Some(pattern) => (pattern.mask, pattern.value),
                None => (mask, self.names(architecture).find(|(candidate, _)| *candidate == name)?.1),
            },
            Value::Unnamed(number) if self.name(architecture, number).is_some() => return None,
            Value::Unnamed(number) => (mask, number),
        };
        let mask = if let Kind::Flags { .. } = self.kind { self.flag_mask(architecture, value) } else { mask };
        Some(self.place.condition(mask, value, self.given))
    }

    /// Whether a number without a name can be seen here, on some architecture.
    pub(super) fn has_number(&self, number: u64) -> bool {
        let shape = match self.kind {
            Kind::Value { .. } => true,
            Kind::Field { .. } => number != 0,
            Kind::Flags { .. } => number.is_power_of_two(),
            Kind::Zero { .. } => false,
        };
        shape && number & !self.kind.mask() == 0
    }
}
