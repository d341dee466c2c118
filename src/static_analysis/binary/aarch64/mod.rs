//! Instructions of 64-bit ARM: where they lead and which addresses they name. What they do to registers and stack is for
//! [`machine`]. Pure.
//!
//! Every instruction has 32 bits, and the few kinds that matter are told apart here by their encodings (Arm Architecture Reference
//! Manual for A-profile, C4.1). Jumps by tables are not followed: where a function has them, any place in it counts as their target.

mod machine;

use std::collections::BTreeSet;

pub(super) use machine::Machine;

use super::code::{Flow, Named, Step};
use super::state::Convention;

/// `x8`: the number of a system call (syscall(2)).
pub(super) const NUMBER: u8 = 8;
/// `x0`: a system call's and a function's result.
pub(super) const RESULT: u8 = 0;
/// The number that stands for the stack pointer in some places, and for a register that is always 0 in others. Here it is the
/// former.
const STACK_POINTER: u8 = 31;
const LENGTH: u64 = 4;

/// The procedure call standard for the Arm 64-bit architecture (`AAPCS64`, 6.1.1). The return address is in a register.
pub(super) static CONVENTION: Convention = Convention {
    stack_pointer: STACK_POINTER,
    parameters: &[0, 1, 2, 3, 4, 5, 6, 7],
    preserved: &[19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29],
    return_address: 0,
};

/// One instruction.
#[derive(Debug, Clone, Copy)]
struct Word(u32);

impl Word {
    /// The first instruction of `bytes`.
    fn first(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().map(|bytes| Self(u32::from_le_bytes(*bytes)))
    }

    /// Whether the bits of `mask` are those of `pattern`.
    const fn is(self, mask: u32, pattern: u32) -> bool {
        self.0 & mask == pattern
    }

    const fn bit(self, place: u32) -> bool {
        self.0 >> place & 1 == 1
    }

    /// `length` bits from `place` on.
    const fn field(self, place: u32, length: u32) -> u32 {
        self.0 >> place & ((1 << length) - 1)
    }

    /// The same as a signed number.
    fn signed(self, place: u32, length: u32) -> i64 {
        let unused = 32 - length;
        i64::from((self.field(place, length) << unused).cast_signed() >> unused)
    }

    /// The register in the field at `place`.
    fn register(self, place: u32) -> u8 {
        u8::try_from(self.field(place, 5)).unwrap_or_default()
    }

    /// Whether it works on 64 bits.
    const fn is_wide(self) -> bool {
        self.bit(31)
    }

    /// What `adrp` computes.
    fn page(self, address: u64) -> Option<u64> {
        let distance = (self.signed(5, 19) << 2 | i64::from(self.field(29, 2))) << 12;
        self.is(0x9f00_0000, 0x9000_0000).then(|| (address & !0xfff).wrapping_add_signed(distance))
    }

    /// What `adr` computes.
    fn label(self, address: u64) -> Option<u64> {
        let distance = self.signed(5, 19) << 2 | i64::from(self.field(29, 2));
        self.is(0x9f00_0000, 0x1000_0000).then(|| address.wrapping_add_signed(distance))
    }

    /// Where a load reads that names its place by the distance from itself.
    fn literal(self, address: u64) -> Option<u64> {
        self.is(0x3b00_0000, 0x1800_0000).then(|| address.wrapping_add_signed(self.signed(5, 19) << 2))
    }

    /// The pattern of bits that a logical instruction has as its number (`DecodeBitMasks` of the manual): a run of ones, rotated, in
    /// an element that is repeated.
    fn pattern(self) -> Option<u64> {
        let (rotation, ones) = (self.field(16, 6), self.field(10, 6));
        let length = 31 - (self.field(22, 1) << 6 | (!ones & 0x3f)).leading_zeros().min(31);
        let element = 1_u32 << length;
        let ones = (ones & (element - 1)) + 1;
        if length == 0 || ones >= element {
            return None;
        }
        let run = (1_u64 << ones) - 1;
        let rotation = rotation & (element - 1);
        let all = if element == 64 { u64::MAX } else { (1 << element) - 1 };
        let turned = if rotation == 0 { run } else { (run >> rotation | run << (element - rotation)) & all };
        Some((0..64 / element).fold(0, |pattern, part| pattern | turned << (part * element)))
    }

    /// The register and the distance from it of the address that an addition computes, or a load or store with a plain distance
    /// refers to.
    fn near_register(self) -> Option<(u8, u64, bool)> {
        if self.is(0xff80_0000, 0x9100_0000) {
            let shift = if self.bit(22) { 12 } else { 0 };
            return Some((self.register(5), u64::from(self.field(10, 12)) << shift, true));
        }
        let scale = if self.bit(26) && self.bit(23) { 4 } else { self.field(30, 2) };
        self.is(0x3b00_0000, 0x3900_0000).then(|| (self.register(5), u64::from(self.field(10, 12)) << scale, false))
    }
}

/// The instructions from `address` on, one after the other.
pub(super) fn steps(bytes: &[u8], address: u64) -> impl Iterator<Item = (u64, Step)> {
    // What leads to an import computes the place that it jumps through with the instructions right before.
    let mut pages = [None; 32];
    let mut slots = [None; 32];
    let words = bytes.chunks_exact(4).filter_map(Word::first);
    (address..).step_by(4).zip(words).map(move |(address, word)| {
        let mut flow = flow(word, address);
        let target = usize::from(word.register(5));
        if let (Flow::JumpSomewhere { .. }, Some(slot)) = (flow, slots[target]) {
            flow = Flow::JumpThrough(slot);
        }
        let written = usize::from(word.register(0));
        let loaded = word.is(0xffc0_0000, 0xf940_0000).then(|| pages[target].zip(word.near_register())).flatten();
        slots[written] = loaded.map(|(page, (_, distance, _)): (u64, _)| page.wrapping_add(distance));
        pages[written] = word.page(address);
        let label = word.label(address).map(Named::Address);
        let literal = word.literal(address).map(Named::Memory);
        (address, Step { next: address.wrapping_add(LENGTH), flow, names: [label, literal] })
    })
}

/// Addresses that a function names with two instructions: a page, and a distance from it. Which two belong together depends on the
/// way that was taken; here every two do that use the same register.
pub(super) fn named_in_pairs(bytes: &[u8], address: u64) -> Vec<Named> {
    let mut pages: [BTreeSet<u64>; 32] = Default::default();
    let mut uses = BTreeSet::new();
    for (address, word) in (address..).step_by(4).zip(bytes.chunks_exact(4).filter_map(Word::first)) {
        if let Some(page) = word.page(address) {
            pages[usize::from(word.register(0))].insert(page);
        } else if let Some(near) = word.near_register() {
            uses.insert(near);
        }
    }
    let mut named = Vec::new();
    for (register, distance, computed) in uses {
        for page in &pages[usize::from(register)] {
            let address = page.wrapping_add(distance);
            named.push(if computed { Named::Address(address) } else { Named::Memory(address) });
        }
    }
    named
}

fn flow(word: Word, address: u64) -> Flow {
    let to = |distance: i64| address.wrapping_add_signed(distance << 2);
    if word.is(0xffe0_001f, 0xd400_0001) {
        return Flow::System;
    }
    if word.is(0xff00_0000, 0xd400_0000) || word.is(0xffff_0000, 0) {
        // Calls of a hypervisor, traps, and what is undefined for ever.
        return Flow::Stop;
    }
    if word.is(0xffff_ffff, 0xd503_201f) {
        return Flow::Idle;
    }
    if word.is(0x7c00_0000, 0x1400_0000) {
        let target = to(word.signed(0, 26));
        return if word.bit(31) { Flow::Call(target) } else { Flow::Jump(target) };
    }
    if word.is(0xff00_0000, 0x5400_0000) {
        let target = to(word.signed(5, 19));
        return match word.field(0, 4) {
            0 => Flow::BranchIf { target, equal: true },
            1 => Flow::BranchIf { target, equal: false },
            14 | 15 => Flow::Jump(target),
            _ => Flow::Branch(target),
        };
    }
    if word.is(0x7e00_0000, 0x3400_0000) {
        return Flow::BranchIf { target: to(word.signed(5, 19)), equal: !word.bit(24) };
    }
    if word.is(0x7e00_0000, 0x3600_0000) {
        return Flow::Branch(to(word.signed(5, 14)));
    }
    if word.is(0xfe00_0000, 0xd600_0000) {
        return match word.field(21, 4) & 0b0111 {
            0 => Flow::JumpSomewhere { within: false },
            1 => Flow::CallSomewhere,
            2 => Flow::Return,
            _ => Flow::Stop,
        };
    }
    match word.field(25, 4) {
        0b0000 | 0b0001 | 0b0011 => Flow::Invalid,
        _ => Flow::Next,
    }
}
