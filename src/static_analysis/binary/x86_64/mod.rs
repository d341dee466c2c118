//! Instructions of x86-64: where they lead and which addresses they name. What they do to registers and stack is for [`machine`].
//! Pure.
//!
//! iced-x86 decodes.

mod machine;

use iced_x86::{Code, ConditionCode, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

pub(super) use machine::Machine;

use super::code::{Flow, Named, Step};
use super::state::Convention;

/// `rax`: the number of a system call (syscall(2)), and a function's result.
pub(super) const NUMBER: u8 = 0;
const STACK_POINTER: u8 = 4;
const BASE_POINTER: u8 = 5;

/// The System V ABI's calling convention (AMD64 supplement, figure 3.4).
pub(super) static CONVENTION: Convention = Convention {
    stack_pointer: STACK_POINTER,
    parameters: &[7, 6, 2, 1, 8, 9],
    preserved: &[3, BASE_POINTER, 12, 13, 14, 15],
    return_address: 8,
};

/// The instructions from `address` on, one after the other. `fixed` is whether numbers in instructions may be addresses.
pub(super) fn steps(bytes: &[u8], address: u64, fixed: bool) -> impl Iterator<Item = (u64, Step)> {
    let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    std::iter::from_fn(move || {
        decoder.can_decode().then(|| {
            decoder.decode_out(&mut instruction);
            (instruction.ip(), step(&instruction, fixed))
        })
    })
}

fn step(instruction: &Instruction, fixed: bool) -> Step {
    let flow = flow(instruction);
    let mut names = [None, None];
    if !matches!(flow, Flow::JumpThrough(_) | Flow::CallThrough(_) | Flow::Invalid) {
        names[0] = named_by_memory(instruction, fixed);
        if fixed {
            names[1] = named_by_number(instruction);
        }
    }
    // What can't be decoded counts as one byte.
    let next = instruction.next_ip().max(instruction.ip().saturating_add(1));
    Step { next, flow, names }
}

fn flow(instruction: &Instruction) -> Flow {
    match instruction.code() {
        Code::INVALID => return Flow::Invalid,
        Code::Syscall => return Flow::System,
        Code::Sysenter => return Flow::ForeignSystem,
        Code::Int_imm8 if instruction.immediate8() == 0x80 => return Flow::ForeignSystem,
        _ => {}
    }
    match instruction.flow_control() {
        // A transaction that begins may end up at its target.
        FlowControl::XbeginXabortXend if instruction.op_count() == 1 && instruction.op0_kind() == OpKind::NearBranch64 => {
            Flow::Branch(instruction.near_branch_target())
        }
        FlowControl::Next | FlowControl::XbeginXabortXend | FlowControl::Interrupt => {
            match instruction.mnemonic() {
                Mnemonic::Hlt => Flow::Stop,
                Mnemonic::Nop | Mnemonic::Int3 => Flow::Idle,
                // Two zero bytes.
                Mnemonic::Add if instruction.code() == Code::Add_rm8_r8 && instruction.len() == 2 && is_zeros(instruction) => {
                    Flow::Idle
                }
                _ => Flow::Next,
            }
        }
        FlowControl::UnconditionalBranch => Flow::Jump(instruction.near_branch_target()),
        FlowControl::ConditionalBranch => {
            let target = instruction.near_branch_target();
            match instruction.condition_code() {
                ConditionCode::e if instruction.is_jcc_short_or_near() => Flow::BranchIf { target, equal: true },
                ConditionCode::ne if instruction.is_jcc_short_or_near() => Flow::BranchIf { target, equal: false },
                _ => Flow::Branch(target),
            }
        }
        FlowControl::Call if instruction.is_call_near() => Flow::Call(instruction.near_branch_target()),
        FlowControl::Call => Flow::Next,
        FlowControl::IndirectCall => match fixed_memory(instruction) {
            Some(slot) => Flow::CallThrough(slot),
            None => Flow::CallSomewhere,
        },
        FlowControl::IndirectBranch => match fixed_memory(instruction) {
            Some(slot) => Flow::JumpThrough(slot),
            None => Flow::JumpSomewhere {
                // `notrack` is the prefix of a data segment; a scaled index is that of a table.
                within: instruction.segment_prefix() == Register::DS || instruction.memory_index() != Register::None,
            },
        },
        FlowControl::Return => Flow::Return,
        FlowControl::Exception => Flow::Stop,
    }
}

fn is_zeros(instruction: &Instruction) -> bool {
    instruction.op0_kind() == OpKind::Memory
        && instruction.memory_base() == Register::RAX
        && instruction.op1_register() == Register::AL
}

/// The address of the memory operand, if it needs no register.
fn fixed_memory(instruction: &Instruction) -> Option<u64> {
    if instruction.op0_kind() != OpKind::Memory {
        return None;
    }
    if instruction.is_ip_rel_memory_operand() {
        return Some(instruction.ip_rel_memory_address());
    }
    let bare = instruction.memory_base() == Register::None && instruction.memory_index() == Register::None;
    (bare && !in_thread_storage(instruction)).then(|| instruction.memory_displacement64())
}

/// `fs` and `gs` point to what belongs to the thread.
fn in_thread_storage(instruction: &Instruction) -> bool {
    matches!(instruction.memory_segment(), Register::FS | Register::GS)
}

fn named_by_memory(instruction: &Instruction, fixed: bool) -> Option<Named> {
    let has_memory = (0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory);
    if !has_memory || in_thread_storage(instruction) {
        return None;
    }
    let named = if instruction.mnemonic() == Mnemonic::Lea { Named::Address } else { Named::Memory };
    if instruction.is_ip_rel_memory_operand() {
        return Some(named(instruction.ip_rel_memory_address()));
    }
    let displacement = instruction.memory_displacement64();
    (fixed && displacement != 0).then(|| named(displacement))
}

fn named_by_number(instruction: &Instruction) -> Option<Named> {
    let number = (0..instruction.op_count()).find_map(|operand| match instruction.op_kind(operand) {
        OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64 => Some(instruction.immediate(operand)),
        _ => None,
    })?;
    Some(Named::Address(number))
}
