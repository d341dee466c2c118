//! What is known of registers and stack at one point of a function. Pure.
//!
//! The stack is followed because numbers of system calls are passed and spilled there: by compilers that do not optimise, by Go,
//! and by glibc from 2.41 on. What others may write to is forgotten as soon as they could have done so.

use std::collections::BTreeMap;

use super::value::{Atom, OnStack, Place, Value};

/// Registers of any processor that matter.
const REGISTERS: usize = 32;
/// No instruction writes more bytes at once.
const WIDEST: i64 = 64;

/// How a processor's calling convention lays out what is followed.
#[derive(Debug)]
pub(super) struct Convention {
    /// The stack pointer.
    pub(super) stack_pointer: u8,
    /// Registers that hold parameters of a C function.
    pub(super) parameters: &'static [u8],
    /// Registers that a C function leaves as they were.
    pub(super) preserved: &'static [u8],
    /// Bytes that a call itself puts on the stack, before what the caller put there.
    pub(super) return_address: i64,
}

/// What a function wrote to a place on its stack.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    size: usize,
    value: Value,
}

/// What is known at one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    convention: &'static Convention,
    registers: [Value; REGISTERS],
    /// A place without one holds what it held at the entry.
    slots: BTreeMap<OnStack, Slot>,
    /// Whether somebody else may know an address on this stack.
    exposed: bool,
    /// Whether parameters on the stack may have been overwritten by somebody else.
    parameters_lost: bool,
    /// A register that the instruction before compared with a number.
    compared: Option<(u8, u64)>,
}

impl PartialEq for Convention {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Convention {}

impl State {
    /// At the entry of a function.
    pub(super) fn entry(convention: &'static Convention) -> Self {
        let register = |number| match u8::try_from(number) {
            Ok(number) if number == convention.stack_pointer => Value::of(Atom::Stack(OnStack::ENTRY)),
            Ok(number) => Value::of(Atom::Parameter(Place::Register(number))),
            Err(_) => Value::ANYTHING,
        };
        Self {
            convention,
            registers: std::array::from_fn(register),
            slots: BTreeMap::new(),
            exposed: false,
            parameters_lost: false,
            compared: None,
        }
    }

    /// At the instruction at `address`, with nothing known. The stack pointer still tells places on the stack apart.
    pub(super) fn nothing(convention: &'static Convention, address: u64) -> Self {
        let mut state = Self {
            convention,
            registers: [Value::ANYTHING; REGISTERS],
            slots: BTreeMap::new(),
            exposed: true,
            parameters_lost: true,
            compared: None,
        };
        state.set(convention.stack_pointer, Value::of(Atom::Stack(OnStack { base: address, offset: 0 })));
        state
    }

    pub(super) fn register(&self, number: u8) -> &Value {
        static ANYTHING: Value = Value::ANYTHING;
        self.registers.get(usize::from(number)).unwrap_or(&ANYTHING)
    }

    pub(super) fn set(&mut self, number: u8, value: Value) {
        if let Some(register) = self.registers.get_mut(usize::from(number)) {
            *register = value;
        }
    }

    /// The stack pointer.
    pub(super) fn stack_pointer(&self) -> &Value {
        self.register(self.convention.stack_pointer)
    }

    /// Remembers that a register was compared with a number, or that nothing was.
    pub(super) fn compare(&mut self, compared: Option<(u8, u64)>) {
        self.compared = compared;
    }

    /// The comparison right before came out equal.
    pub(super) fn found_equal(&mut self) {
        if let Some((register, number)) = self.compared {
            self.set(register, Value::constant(number));
        }
    }

    /// Reads `size` bytes of the stack; `None` if `address` is not on it for sure.
    pub(super) fn load(&self, address: &Value, size: usize) -> Option<Value> {
        if address.may_be_anything() || address.atoms().is_empty() {
            return None;
        }
        let mut loaded = Value::default();
        for atom in address.atoms() {
            let Atom::Stack(place) = atom else { return None };
            loaded.join(&self.slot(*place, size));
        }
        Some(loaded)
    }

    /// Writes `size` bytes of memory.
    pub(super) fn store(&mut self, address: &Value, size: usize, value: Value) {
        if let Some(Atom::Stack(place)) = address.single() {
            self.overwrite(place, size, value);
            return;
        }
        if value.points_to_stack() {
            self.exposed = true;
        }
        let somewhere = address.may_be_anything() || address.atoms().iter().any(|atom| matches!(atom, Atom::Parameter(_)));
        if somewhere && self.exposed {
            self.forget_stack();
        }
        for atom in address.atoms() {
            if let Atom::Stack(place) = atom {
                self.overwrite(*place, size, Value::ANYTHING);
            }
        }
    }

    /// Somebody may have written anything to any place on the stack.
    pub(super) fn forget_stack(&mut self) {
        self.slots.clear();
        self.parameters_lost = true;
    }

    /// A call came back. Go's functions preserve nothing.
    pub(super) fn after_call(&mut self, preserves_nothing: bool) {
        let convention = self.convention;
        let passed = convention.parameters.iter().any(|number| self.register(*number).points_to_stack());
        if passed || self.slots.values().any(|slot| slot.value.points_to_stack()) {
            self.exposed = true;
        }
        if self.exposed {
            self.forget_stack();
        }
        let kept =
            |number: u8| number == convention.stack_pointer || (!preserves_nothing && convention.preserved.contains(&number));
        for (number, register) in (0..).zip(&mut self.registers) {
            if !kept(number) {
                *register = Value::ANYTHING;
            }
        }
    }

    /// What stands at `place` for a function that is entered from here: by a call, or by a jump.
    pub(super) fn parameter(&self, place: Place, by_call: bool) -> Value {
        match place {
            Place::Register(number) => self.register(number).clone(),
            Place::Stack(offset) => {
                let before = if by_call { 0 } else { self.convention.return_address };
                let address = self.stack_pointer().plus(&Value::constant(offset.wrapping_add(before).cast_unsigned()));
                self.load(&address, 8).unwrap_or(Value::ANYTHING)
            }
        }
    }

    /// What a place on the stack held at the entry.
    fn initial(&self, place: OnStack, size: usize) -> Value {
        let parameter = place.offset.wrapping_sub(self.convention.return_address);
        if !self.is_parameter(place) || parameter % 8 != 0 || self.parameters_lost || !matches!(size, 4 | 8) {
            return Value::ANYTHING;
        }
        Value::of(Atom::Parameter(Place::Stack(parameter)))
    }

    /// Whether a parameter may stand there.
    fn is_parameter(&self, place: OnStack) -> bool {
        place.base == OnStack::ENTRY.base && place.offset >= self.convention.return_address
    }

    /// What stands on the stack at `place`.
    fn slot(&self, place: OnStack, size: usize) -> Value {
        let mut overlapping = self.overlapping(place, size);
        match (overlapping.next(), overlapping.next()) {
            (None, _) => self.initial(place, size),
            (Some((at, slot)), None) if *at == place && slot.size >= size => slot.value.truncated(size),
            _ => Value::ANYTHING,
        }
    }

    /// The slots that share a byte with this stretch of the stack.
    fn overlapping(&self, place: OnStack, size: usize) -> impl Iterator<Item = (&OnStack, &Slot)> {
        let begin = OnStack { base: place.base, offset: place.offset.saturating_sub(WIDEST) };
        let end = OnStack { base: place.base, offset: place.offset.saturating_add(length(size)) };
        let near = self.slots.range(begin..end.max(begin));
        near.filter(move |(at, slot)| at.offset.saturating_add(length(slot.size)) > place.offset)
    }

    fn overwrite(&mut self, place: OnStack, size: usize, value: Value) {
        let touched: Vec<OnStack> = self.overlapping(place, size).map(|(at, _)| *at).collect();
        for at in touched {
            if let Some(slot) = self.slots.get_mut(&at) {
                slot.value = Value::ANYTHING;
            }
            self.tidy(at);
        }
        self.slots.insert(place, Slot { size, value });
        self.tidy(place);
    }

    /// Removes a slot that says no more than its absence.
    fn tidy(&mut self, place: OnStack) {
        let says_nothing = |slot: &Slot| {
            let last = place.plus(length(slot.size) - 1);
            slot.value.is_unknown() && (!self.is_parameter(last) || self.parameters_lost)
        };
        if self.slots.get(&place).is_some_and(says_nothing) {
            self.slots.remove(&place);
        }
    }

    /// Takes in what is known where another way leads to the same point, at `address`; whether that made a difference.
    ///
    /// The stack pointer is followed as one place: where it could be two, because the size of the frame depends on data or a call
    /// is wrongly taken to come back, it counts from here on.
    pub(super) fn join(&mut self, other: &Self, address: u64) -> bool {
        let mut changed = false;
        let stack_pointer = usize::from(self.convention.stack_pointer);
        for (number, (register, theirs)) in self.registers.iter_mut().zip(&other.registers).enumerate() {
            if number != stack_pointer {
                changed |= register.join(theirs);
            }
        }
        let here = Value::of(Atom::Stack(OnStack { base: address, offset: 0 }));
        let differs = self.registers[stack_pointer] != other.registers[stack_pointer];
        if differs && self.registers[stack_pointer] != here {
            self.registers[stack_pointer] = here;
            changed = true;
        }
        changed |= (other.exposed && !self.exposed) || (other.parameters_lost && !self.parameters_lost);
        changed |= self.join_slots(other, differs.then_some(address));
        self.exposed |= other.exposed;
        self.parameters_lost |= other.parameters_lost;
        // Jumps come right behind their comparison; nobody needs it where ways meet.
        self.compared = None;
        let places: Vec<OnStack> = self.slots.keys().copied().collect();
        for place in places {
            self.tidy(place);
        }
        changed
    }

    /// Takes in the other's slots, other than those that count from `without`: that was another frame.
    fn join_slots(&mut self, other: &Self, without: Option<u64>) -> bool {
        let mut changed = false;
        let before = self.slots.len();
        self.slots.retain(|place, _| Some(place.base) != without);
        changed |= self.slots.len() != before;
        let theirs = other.slots.keys().filter(|place| Some(place.base) != without);
        let places: Vec<OnStack> = self.slots.keys().chain(theirs).copied().collect();
        for place in places {
            let (ours, theirs) = (self.slots.get(&place), other.slots.get(&place));
            let joined = match (ours, theirs) {
                (Some(ours), Some(theirs)) if ours.size != theirs.size => {
                    Slot { size: ours.size.max(theirs.size), value: Value::ANYTHING }
                }
                (Some(Slot { size, .. }), _) | (None, Some(Slot { size, .. })) => {
                    let mut value = ours.map_or_else(|| self.slot(place, *size), |slot| slot.value.clone());
                    value.join(&theirs.map_or_else(|| other.slot(place, *size), |slot| slot.value.clone()));
                    Slot { size: *size, value }
                }
                (None, None) => continue,
            };
            if ours != Some(&joined) && !(ours.is_none() && joined.value.is_unknown()) {
                changed = true;
                self.slots.insert(place, joined);
            }
        }
        changed
    }
}

fn length(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
