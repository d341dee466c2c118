//! What instructions of 64-bit ARM do to registers and stack. Pure.
//!
//! The ones that compilers use to get a number to where it is needed are carried out. Of the others it matters which registers
//! they write to: the fields for that are in fixed places.

use super::super::memory::Memory;
use super::super::state::State;
use super::super::value::{Atom, Value};
use super::{STACK_POINTER, Word};

/// Carries out instructions on what is known.
#[derive(Debug)]
pub(in super::super) struct Machine<'a> {
    memory: &'a Memory,
}

impl<'a> Machine<'a> {
    pub(in super::super) fn new(memory: &'a Memory) -> Self {
        Self { memory }
    }

    /// What is known after the first instruction of `bytes`, which stands at `address`. Jumps and calls do nothing here.
    pub(in super::super) fn execute(&mut self, bytes: &[u8], address: u64, state: &mut State) {
        let Some(word) = Word::first(bytes) else { return };
        if word.is(0xff00_0000, 0x5400_0000) {
            // A jump that asks for the outcome of the comparison before.
            return;
        }
        state.compare(compared(word));
        match word.field(25, 4) {
            0b1000 | 0b1001 => immediate(word, address, state),
            0b0101 | 0b1101 => registers(word, state),
            0b0100 | 0b0110 | 0b1100 | 0b1110 => self.memory(word, address, state),
            // What reads a system register writes to one of the others.
            0b1010 | 0b1011 => {
                if word.is(0xffe0_0000, 0xd520_0000) {
                    write(state, word.register(0), Value::ANYTHING);
                }
            }
            // Floating point may write to either kind of register.
            _ => write(state, word.register(0), Value::ANYTHING),
        }
    }

    /// Loads and stores.
    fn memory(&self, word: Word, address: u64, state: &mut State) {
        let (target, base) = (word.register(0), word.register(5));
        let vector = word.bit(26);
        if let Some(place) = word.literal(address) {
            let size = if word.bit(30) { 8 } else { 4 };
            let constant = self.memory.number(place, size).filter(|_| self.memory.is_constant(place));
            if !vector {
                write(state, target, constant.map_or(Value::ANYTHING, Value::constant));
            }
        } else if word.is(0x3a00_0000, 0x2800_0000) {
            self.pair(word, state);
        } else if word.is(0x3b00_0000, 0x3900_0000) {
            let distance = word.near_register().map_or(0, |(_, distance, _)| distance);
            let place = state.register(base).plus(&Value::constant(distance));
            self.single(word, &place, state);
        } else if word.is(0x3b20_0000, 0x3800_0000) {
            let moved = state.register(base).plus(&Value::constant(word.signed(12, 9).cast_unsigned()));
            let after = word.field(10, 2) == 0b01;
            let place = if after { state.register(base).clone() } else { moved.clone() };
            self.single(word, &place, state);
            if word.bit(10) {
                state.set(base, moved);
            }
        } else {
            // Indices in registers, atomic operations, whole structures of vectors: what they write to is not followed.
            if state.register(base).points_to_stack() {
                state.forget_stack();
            } else {
                state.store(&Value::ANYTHING, 8, Value::ANYTHING);
            }
            let indexed = word.is(0x3b20_0c00, 0x3820_0800);
            let fields: &[u32] = if indexed || vector { &[0] } else { &[0, 10, 16] };
            if !(indexed && vector) {
                for field in fields {
                    write(state, word.register(*field), Value::ANYTHING);
                }
            }
            if vector && word.bit(23) && base != STACK_POINTER {
                state.set(base, Value::ANYTHING);
            }
        }
    }

    /// `ldr`, `str` and their kin of every width.
    fn single(&self, word: Word, place: &Value, state: &mut State) {
        let target = word.register(0);
        if word.bit(26) {
            if !word.bit(22) {
                state.store(place, 16, Value::ANYTHING);
            }
            return;
        }
        let size = 1 << word.field(30, 2);
        match word.field(22, 2) {
            0 => {
                let value = read(state, target).truncated(size);
                state.store(place, size, value);
            }
            // For 8 bytes this only announces a load.
            2 if size == 8 => {}
            kind => {
                let value = self.load(place, size, state);
                write(state, target, if kind == 1 { value } else { value.extended(size) });
            }
        }
    }

    /// `ldp` and `stp`.
    fn pair(&self, word: Word, state: &mut State) {
        let base = word.register(5);
        let size: usize = match (word.bit(26), word.field(30, 2)) {
            (true, kind) => 4 << kind.min(2),
            (false, 2) => 8,
            (false, _) => 4,
        };
        let distance = word.signed(15, 7).wrapping_mul(i64::try_from(size).unwrap_or_default());
        let moved = state.register(base).plus(&Value::constant(distance.cast_unsigned()));
        let place = if word.field(23, 2) == 0b01 { state.register(base).clone() } else { moved.clone() };
        let second = place.plus(&Value::constant(size as u64));
        let targets = [(word.register(0), &place), (word.register(10), &second)];
        if word.bit(22) {
            let values = targets.map(|(_, place)| self.load(place, size, state));
            if !word.bit(26) {
                targets.iter().zip(values).for_each(|((target, _), value)| write(state, *target, value));
            }
        } else {
            for (target, place) in targets {
                let value = if word.bit(26) { Value::ANYTHING } else { read(state, target).truncated(size) };
                state.store(place, size, value);
            }
        }
        if word.bit(23) && word.field(23, 2) != 0b10 {
            state.set(base, moved);
        }
    }

    fn load(&self, place: &Value, size: usize, state: &State) -> Value {
        match (state.load(place, size), place.single()) {
            (Some(value), _) => value,
            (None, Some(Atom::Constant(address))) if self.memory.is_constant(address) => {
                self.memory.number(address, size).map_or(Value::ANYTHING, Value::constant)
            }
            _ => Value::ANYTHING,
        }
    }
}

/// The register that an instruction compares with a number, or jumps by.
fn compared(word: Word) -> Option<(u8, u64)> {
    if word.is(0x7e00_0000, 0x3400_0000) {
        return Some((word.register(0), 0)).filter(|(register, _)| *register != STACK_POINTER);
    }
    let number = u64::from(word.field(10, 12)) << if word.bit(22) { 12 } else { 0 };
    let is_comparison = word.is(0x7f80_001f, 0x7100_001f) && word.register(5) != STACK_POINTER;
    is_comparison.then(|| (word.register(5), number))
}

/// A register where number 31 is always 0.
fn read(state: &State, register: u8) -> Value {
    if register == STACK_POINTER { Value::constant(0) } else { state.register(register).clone() }
}

/// Writes to a register where number 31 is nothing.
fn write(state: &mut State, register: u8, value: Value) {
    if register != STACK_POINTER {
        state.set(register, value);
    }
}

/// Instructions with a number in them.
fn immediate(word: Word, address: u64, state: &mut State) {
    let (target, source) = (word.register(0), word.register(5));
    let size = if word.is_wide() { 8 } else { 4 };
    if let Some(computed) = word.page(address).or_else(|| word.label(address)) {
        write(state, target, Value::constant(computed));
    } else if word.is(0x1f80_0000, 0x1100_0000) {
        let number = Value::constant(u64::from(word.field(10, 12)) << if word.bit(22) { 12 } else { 0 });
        let old = state.register(source).clone();
        let new = if word.bit(30) { old.minus(&number) } else { old.plus(&number) }.truncated(size);
        // What sets flags has no use for the stack pointer.
        if word.bit(29) { write(state, target, new) } else { state.set(target, new) }
    } else if word.is(0x1f80_0000, 0x1280_0000) {
        let shift = 16 * word.field(21, 2);
        let number = u64::from(word.field(5, 16)) << shift;
        let new = match word.field(29, 2) {
            0 => Value::constant(!number),
            2 => Value::constant(number),
            _ => read(state, target).calculated(&Value::constant(number), |old, number| old & !(0xffff << shift) | number),
        };
        write(state, target, new.truncated(size));
    } else if word.is(0xffff_fc00, 0x9340_7c00) {
        let new = read(state, source).truncated(4).extended(4);
        write(state, target, new);
    } else if word.is(0x1f80_0000, 0x1200_0000) && word.field(29, 2) != 3 {
        let new = match (word.field(29, 2), source, word.pattern()) {
            // That is how some numbers get into a register.
            (1, STACK_POINTER, Some(pattern)) => Value::constant(pattern).truncated(size),
            // A mask, which aligns the stack in some functions.
            _ => Value::ANYTHING,
        };
        state.set(target, new);
    } else {
        write(state, target, Value::ANYTHING);
    }
}

/// Instructions on registers alone.
fn registers(word: Word, state: &mut State) {
    let target = word.register(0);
    let (first, second) = (read(state, word.register(5)), read(state, word.register(16)));
    let size = if word.is_wide() { 8 } else { 4 };
    let plain = word.field(10, 6) == 0;
    let new = if word.is(0x1f00_0000, 0x0a00_0000) && plain {
        let second = if word.bit(21) { second.calculated(&Value::constant(0), |value, _| !value) } else { second };
        match word.field(29, 2) {
            1 if word.register(5) == STACK_POINTER => second,
            1 => first.calculated(&second, |first, second| first | second),
            2 => first.calculated(&second, |first, second| first ^ second),
            _ => first.calculated(&second, |first, second| first & second),
        }
    } else if word.is(0x1f20_0000, 0x0b00_0000) && plain {
        if word.bit(30) { first.minus(&second) } else { first.plus(&second) }
    } else if word.is(0x1f20_0000, 0x0b20_0000) {
        if !word.bit(29) {
            state.set(target, Value::ANYTHING);
            return;
        }
        Value::ANYTHING
    } else if word.is(0x1fe0_0000, 0x1a80_0000) {
        let other = match (word.bit(30), word.bit(10)) {
            (false, false) => second,
            (false, true) => second.plus(&Value::constant(1)),
            (true, false) => second.calculated(&Value::constant(0), |value, _| !value),
            (true, true) => Value::constant(0).minus(&second),
        };
        let mut either = first;
        either.join(&other);
        either
    } else if word.is(0x1fe0_0000, 0x1a40_0000) {
        // A comparison under a condition.
        return;
    } else {
        Value::ANYTHING
    };
    write(state, target, new.truncated(size));
}
