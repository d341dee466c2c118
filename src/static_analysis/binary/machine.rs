//! The processors that are understood, behind one face. Pure.

use std::ops::Range;

use super::aarch64;
use super::code::{Named, Step};
use super::elf::Object;
use super::state::{Convention, State};
use super::x86_64;
use crate::syscalls::Architecture;

/// How functions are called.
pub(super) fn convention(architecture: Architecture) -> &'static Convention {
    match architecture {
        Architecture::X86_64 => &x86_64::CONVENTION,
        Architecture::Aarch64 => &aarch64::CONVENTION,
    }
}

/// The register that holds a system call's number.
pub(super) fn number_register(architecture: Architecture) -> u8 {
    match architecture {
        Architecture::X86_64 => x86_64::NUMBER,
        Architecture::Aarch64 => aarch64::NUMBER,
    }
}

/// The register that holds a system call's result.
pub(super) fn result_register(architecture: Architecture) -> u8 {
    match architecture {
        Architecture::X86_64 => x86_64::NUMBER,
        Architecture::Aarch64 => aarch64::RESULT,
    }
}

/// The instructions from `address` to the end of the code around it, with their addresses. What is no instruction is one, of the
/// shortest length.
pub(super) fn steps(object: &Object, address: u64) -> Box<dyn Iterator<Item = (u64, Step)> + '_> {
    let bytes = object.code_from(address);
    match object.architecture {
        Architecture::X86_64 => Box::new(x86_64::steps(bytes, address, object.fixed)),
        Architecture::Aarch64 => Box::new(aarch64::steps(bytes, address)),
    }
}

/// Addresses that the code in that range names with more than one instruction.
pub(super) fn named_in_pairs(object: &Object, range: &Range<u64>) -> Vec<Named> {
    match object.architecture {
        Architecture::X86_64 => Vec::new(),
        Architecture::Aarch64 => aarch64::named_in_pairs(object.memory.range(range), range.start),
    }
}

/// Carries out instructions of one object on what is known.
#[derive(Debug)]
pub(super) enum Machine<'a> {
    X86(&'a Object, x86_64::Machine<'a>),
    Arm(&'a Object, aarch64::Machine<'a>),
}

impl<'a> Machine<'a> {
    pub(super) fn new(object: &'a Object) -> Self {
        match object.architecture {
            Architecture::X86_64 => Self::X86(object, x86_64::Machine::new(&object.memory)),
            Architecture::Aarch64 => Self::Arm(object, aarch64::Machine::new(&object.memory)),
        }
    }

    /// What is known after the instruction at `address`. Jumps, calls and system calls themselves do nothing here.
    pub(super) fn execute(&mut self, address: u64, state: &mut State) {
        match self {
            Self::X86(object, machine) => machine.execute(object.code_from(address), address, state),
            Self::Arm(object, machine) => machine.execute(object.code_from(address), address, state),
        }
    }
}
