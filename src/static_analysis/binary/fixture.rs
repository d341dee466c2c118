//! Programs put together in memory, for tests.

use std::collections::BTreeMap;
use std::num::NonZero;

use iced_x86::code_asm::CodeAssembler;

use super::super::root::tests::Memory;
use super::{Findings, Request, analyse};
use crate::syscalls::Architecture;

/// Where the code of a program begins, which is also its entry.
pub(super) const CODE: u64 = 0x40_1000;
/// Where data begins that it can't write to.
pub(super) const CONSTANTS: u64 = 0x50_0000;
/// Where other data begins.
pub(super) const DATA: u64 = 0x60_0000;

/// A program without libraries, symbols and section headers, linked to fixed addresses.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) architecture: Architecture,
    pub(super) code: Vec<u8>,
    pub(super) constants: Vec<u8>,
    pub(super) data: Vec<u8>,
}

impl Program {
    /// The program whose code `write` writes, for x86-64.
    pub(super) fn x86(write: impl FnOnce(&mut CodeAssembler)) -> Self {
        let mut assembler = CodeAssembler::new(64).unwrap();
        write(&mut assembler);
        let code = assembler.assemble(CODE).unwrap();
        Self { architecture: Architecture::X86_64, code, constants: vec![0; 16], data: vec![0; 16] }
    }

    /// The program with these instructions, for 64-bit ARM.
    pub(super) fn arm(words: &[u32]) -> Self {
        let code = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Self { architecture: Architecture::Aarch64, code, constants: vec![0; 16], data: vec![0; 16] }
    }

    pub(super) fn with_constants(mut self, words: &[u64]) -> Self {
        self.constants = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self
    }

    pub(super) fn with_data(mut self, words: &[u64]) -> Self {
        self.data = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self
    }

    /// The ELF file (elf(5)).
    pub(super) fn elf(&self) -> Vec<u8> {
        const HEADERS: u64 = 64 + 3 * 56;
        let machine: u16 = match self.architecture {
            Architecture::X86_64 => 62,
            Architecture::Aarch64 => 183,
        };
        let mut file = Vec::new();
        file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        file.extend(2_u16.to_le_bytes());
        file.extend(machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend(CODE.to_le_bytes());
        file.extend(64_u64.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
        file.extend(0_u32.to_le_bytes());
        for half in [64_u16, 56, 3, 64, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        let mut offset = HEADERS;
        for (flags, address, content) in [(5_u32, CODE, &self.code), (4, CONSTANTS, &self.constants), (6, DATA, &self.data)] {
            file.extend(1_u32.to_le_bytes());
            file.extend(flags.to_le_bytes());
            let length = content.len() as u64;
            for word in [offset, address, address, length, length, 1] {
                file.extend(word.to_le_bytes());
            }
            offset += length;
        }
        for content in [&self.code, &self.constants, &self.data] {
            file.extend(content);
        }
        file
    }

    /// What the analysis says.
    pub(super) fn findings(&self) -> Findings {
        analyse(&Memory::default().with("/program", self.elf()), &request("/program")).unwrap()
    }

    /// The names of the calls that it reports.
    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.findings().calls.keys().map(|call| call.name()).collect()
    }

    /// The same, and why numbers stayed open.
    pub(super) fn answer(&self) -> (Vec<&'static str>, Vec<String>) {
        let open = self.findings().unresolved.into_iter().map(|unresolved| unresolved.reason);
        (self.calls(), open.collect())
    }
}

/// An analysis of one file, with nothing special about it.
pub(super) fn request(program: &str) -> Request {
    Request {
        program: program.to_owned(),
        also: Vec::new(),
        environment: BTreeMap::new(),
        folder: "/".to_owned(),
        threads: NonZero::<usize>::MIN,
    }
}
