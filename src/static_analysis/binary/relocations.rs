//! What the dynamic loader writes into an object before it runs: addresses of functions, its own and others'. Pure.

use std::collections::HashMap;

use object::LittleEndian;
use object::elf;
use object::pod;
use object::read::elf::RelrIterator;

use super::elf::{Dynamic, Header};
use super::memory::Memory;
use crate::syscalls::Architecture;

/// An address that the loader writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pointer {
    /// One of the object's own addresses.
    Own(u64),
    /// What the function at that address returns.
    Resolved(u64),
    /// The symbol with that place in the table, and what is added to it.
    Symbol(usize, u64),
}

/// Everything that the loader writes.
#[derive(Debug, Default)]
pub(super) struct Relocations {
    /// Places that only code refers to, each by its own address: the global offset table.
    pub(super) slots: HashMap<u64, Pointer>,
    /// What stands in data.
    pub(super) pointers: Vec<Pointer>,
    /// How many entries of the symbol table are made use of, at least.
    pub(super) symbols: usize,
}

type RawRelocation = elf::Rela64<LittleEndian>;

/// What a type of relocation means.
enum Kind {
    Slot,
    Symbol,
    Own,
    Resolved,
    Other,
}

fn kind(architecture: Architecture, number: u32) -> Kind {
    match architecture {
        Architecture::X86_64 => match elf::RelocationType(number) {
            elf::R_X86_64_GLOB_DAT | elf::R_X86_64_JUMP_SLOT => Kind::Slot,
            // The others are those of code that is changed when it is loaded.
            elf::R_X86_64_64
            | elf::R_X86_64_PC64
            | elf::R_X86_64_PC32
            | elf::R_X86_64_PLT32
            | elf::R_X86_64_32
            | elf::R_X86_64_32S => Kind::Symbol,
            elf::R_X86_64_RELATIVE | elf::R_X86_64_RELATIVE64 => Kind::Own,
            elf::R_X86_64_IRELATIVE => Kind::Resolved,
            _ => Kind::Other,
        },
        Architecture::Aarch64 => match elf::RelocationType(number) {
            elf::R_AARCH64_GLOB_DAT | elf::R_AARCH64_JUMP_SLOT => Kind::Slot,
            elf::R_AARCH64_ABS64 => Kind::Symbol,
            elf::R_AARCH64_RELATIVE => Kind::Own,
            elf::R_AARCH64_IRELATIVE => Kind::Resolved,
            _ => Kind::Other,
        },
    }
}

impl Relocations {
    pub(super) fn new(architecture: Architecture, dynamic: &Dynamic, memory: &Memory) -> Self {
        let mut relocations = Self::default();
        let tables = [dynamic.range(elf::DT_RELA, elf::DT_RELASZ), dynamic.range(elf::DT_JMPREL, elf::DT_PLTRELSZ)];
        for table in tables.into_iter().flatten() {
            let bytes = memory.range(&table);
            let count = bytes.len() / size_of::<RawRelocation>();
            let Ok((table, _)) = pod::slice_from_bytes::<RawRelocation>(bytes, count) else { continue };
            for raw in table {
                relocations.add(architecture, raw);
            }
        }
        relocations.add_packed(dynamic, memory);
        relocations
    }

    fn add(&mut self, architecture: Architecture, raw: &RawRelocation) {
        let info = raw.r_info.get(LittleEndian);
        let addend = raw.r_addend.get(LittleEndian).cast_unsigned();
        let place = raw.r_offset.get(LittleEndian);
        let index = usize::try_from(info >> 32).unwrap_or_default();
        self.symbols = self.symbols.max(index.saturating_add(1));
        let symbol = Pointer::Symbol(index, addend);
        let number = u32::try_from(info & 0xffff_ffff).unwrap_or(u32::MAX);
        match kind(architecture, number) {
            Kind::Slot => drop(self.slots.insert(place, symbol)),
            Kind::Symbol => self.pointers.push(symbol),
            Kind::Own => self.pointers.push(Pointer::Own(addend)),
            Kind::Resolved => {
                // Also what calls of it go through, in a program that is linked statically.
                self.slots.insert(place, Pointer::Resolved(addend));
                self.pointers.push(Pointer::Resolved(addend));
            }
            Kind::Other => {}
        }
    }

    /// `DT_RELR`: places that hold one of the object's own addresses already, a bit for each.
    fn add_packed(&mut self, dynamic: &Dynamic, memory: &Memory) {
        type Packed = elf::Relr64<LittleEndian>;
        let Some(range) = dynamic.range(elf::DT_RELR, elf::DT_RELRSZ) else { return };
        let bytes = memory.range(&range);
        let Ok((packed, _)) = pod::slice_from_bytes::<Packed>(bytes, bytes.len() / size_of::<Packed>()) else { return };
        let places = RelrIterator::<Header>::new(LittleEndian, packed);
        self.pointers.extend(places.filter_map(|place| memory.number(place, 8)).map(Pointer::Own));
    }
}
