//! What instructions of x86-64 do to registers and stack. Pure.
//!
//! The ones that compilers use to get a number to where it is needed are carried out; any other is taken to write anything to
//! whatever iced-x86 says it writes to.

use iced_x86::{
    Code, ConditionCode, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use super::super::memory::Memory;
use super::super::state::State;
use super::super::value::{Atom, Value, mask};
use super::{BASE_POINTER, NUMBER, STACK_POINTER, in_thread_storage};

/// Carries out instructions on what is known.
#[derive(Debug)]
pub(in super::super) struct Machine<'a> {
    memory: &'a Memory,
    factory: InstructionInfoFactory,
}

impl<'a> Machine<'a> {
    pub(in super::super) fn new(memory: &'a Memory) -> Self {
        Self { memory, factory: InstructionInfoFactory::new() }
    }

    /// What is known after the first instruction of `bytes`, which stands at `address`. Jumps and calls do nothing here: where
    /// they lead is for the caller.
    pub(in super::super) fn execute(&mut self, bytes: &[u8], address: u64, state: &mut State) {
        let instruction = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
        let understood = Instructed { instruction: &instruction, memory: self.memory, state }.execute();
        if understood.is_none() {
            self.overwrite(&instruction, state);
        }
        if !instruction.is_jcc_short_or_near() {
            state.compare(compared(&instruction));
        }
    }

    /// Forgets everything that the instruction may write to.
    fn overwrite(&mut self, instruction: &Instruction, state: &mut State) {
        let writes =
            |access| matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite);
        let pushed = instruction.stack_pointer_increment();
        let stack = state.register(STACK_POINTER).plus(&Value::constant(i64::from(pushed).cast_unsigned()));
        let info = self.factory.info(instruction);
        for memory in info.used_memory().iter().filter(|memory| writes(memory.access())) {
            let size = memory.memory_size().size();
            let plain = memory.index() == Register::None && !instruction.is_string_instruction() && size > 0;
            let base = match memory.base() {
                Register::None => Value::constant(0),
                base if base.is_gpr64() => state.register(number(base)).clone(),
                Register::RIP => continue,
                _ => Value::ANYTHING,
            };
            if matches!(memory.segment(), Register::FS | Register::GS) {
                continue;
            }
            if !plain && (base.points_to_stack() || base.may_be_anything()) {
                // How far it reaches is not known.
                state.forget_stack();
            } else if plain {
                state.store(&base.plus(&Value::constant(memory.displacement())), size, Value::ANYTHING);
            }
        }
        for register in info.used_registers().iter().filter(|register| writes(register.access())) {
            let full = register.register().full_register();
            if full.is_gpr64() {
                state.set(number(full), Value::ANYTHING);
            }
        }
        // What an instruction does to the stack pointer is told apart from the rest, except where it is all it does.
        if pushed != 0 && !matches!(instruction.mnemonic(), Mnemonic::Leave | Mnemonic::Enter) {
            state.set(STACK_POINTER, stack);
        }
    }
}

/// The register that an instruction compares with a number, if that is what it does.
fn compared(instruction: &Instruction) -> Option<(u8, u64)> {
    let register = instruction.op0_register();
    if instruction.op_count() != 2 || !(register.is_gpr32() || register.is_gpr64()) {
        return None;
    }
    match instruction.mnemonic() {
        Mnemonic::Test if instruction.op1_kind() == OpKind::Register && instruction.op1_register() == register => {
            Some((number(register), 0))
        }
        Mnemonic::Cmp
            if matches!(
                instruction.op1_kind(),
                OpKind::Immediate8to32 | OpKind::Immediate8to64 | OpKind::Immediate32 | OpKind::Immediate32to64
            ) =>
        {
            Some((number(register), instruction.immediate(1) & mask(register.size())))
        }
        _ => None,
    }
}

fn number(register: Register) -> u8 {
    u8::try_from(register.full_register().number()).unwrap_or(u8::MAX)
}

/// One instruction about to be carried out.
struct Instructed<'a> {
    instruction: &'a Instruction,
    memory: &'a Memory,
    state: &'a mut State,
}

impl Instructed<'_> {
    /// Carries the instruction out; `None`, with nothing done, if it is not known here.
    fn execute(&mut self) -> Option<()> {
        let instruction = self.instruction;
        match instruction.mnemonic() {
            Mnemonic::Mov | Mnemonic::Movzx => {
                let value = self.read(1)?;
                self.write(0, value)
            }
            Mnemonic::Movsx | Mnemonic::Movsxd => {
                let value = self.read(1)?.extended(self.size(1)?);
                self.write(0, value)
            }
            Mnemonic::Cdqe => {
                let value = self.state.register(NUMBER).truncated(4).extended(4);
                self.state.set(NUMBER, value);
                Some(())
            }
            Mnemonic::Lea => {
                let value = self.address()?;
                self.write(0, value)
            }
            Mnemonic::Xor | Mnemonic::Sub if self.same_registers() => self.write(0, Value::constant(0)),
            // The carry of the comparison before: nothing or minus one.
            Mnemonic::Sbb if self.same_registers() => self.write(0, Value::constants([0, u64::MAX])),
            Mnemonic::Add => self.combine(Value::plus),
            Mnemonic::Sub => self.combine(Value::minus),
            Mnemonic::And if self.aligns_stack() => self.align_stack(),
            Mnemonic::And => self.combine(|one, other| one.calculated(other, |one, other| one & other)),
            Mnemonic::Or if self.read(1)?.single() == Some(Atom::Constant(u64::MAX)) => self.write(0, Value::constant(u64::MAX)),
            Mnemonic::Or => self.combine(|one, other| one.calculated(other, |one, other| one | other)),
            Mnemonic::Xor => self.combine(|one, other| one.calculated(other, |one, other| one ^ other)),
            Mnemonic::Shl => self.combine(|one, other| one.calculated(other, |one, other| one << (other & 0x3f))),
            Mnemonic::Shr => self.combine(|one, other| one.calculated(other, |one, other| one >> (other & 0x3f))),
            Mnemonic::Inc => self.change(|value| value.plus(&Value::constant(1))),
            Mnemonic::Dec => self.change(|value| value.minus(&Value::constant(1))),
            Mnemonic::Neg => self.change(|value| Value::constant(0).minus(value)),
            Mnemonic::Not => self.change(|value| value.calculated(&Value::constant(0), |value, _| !value)),
            Mnemonic::Xchg if instruction.op0_kind() == OpKind::Register && instruction.op1_kind() == OpKind::Register => {
                let (first, second) = (self.read(0)?, self.read(1)?);
                self.write(0, second)?;
                self.write(1, first)
            }
            Mnemonic::Push => {
                let value = self.read(0)?;
                self.push(value.extended(self.size(0)?));
                Some(())
            }
            Mnemonic::Pop if instruction.op0_kind() == OpKind::Register && self.size(0) == Some(8) => {
                let value = self.pop();
                self.write(0, value)
            }
            Mnemonic::Leave if instruction.code() == Code::Leaveq => {
                let frame = self.state.register(BASE_POINTER).clone();
                self.state.set(STACK_POINTER, frame);
                let value = self.pop();
                self.state.set(BASE_POINTER, value);
                Some(())
            }
            mnemonic if instruction.is_jcc_short_or_near() || mnemonic == Mnemonic::Jmp || mnemonic == Mnemonic::Call => Some(()),
            _ if instruction.condition_code() != ConditionCode::None => self.conditional(),
            _ => None,
        }
    }

    /// `cmovcc` and `setcc`.
    fn conditional(&mut self) -> Option<()> {
        match self.instruction.op_count() {
            2 => {
                // Even if nothing is moved, the upper half is cleared.
                let mut value = self.read(0)?;
                value.join(&self.read(1)?);
                self.write(0, value)
            }
            1 => self.write(0, Value::constants([0, 1])),
            _ => None,
        }
    }

    fn combine(&mut self, combine: impl Fn(&Value, &Value) -> Value) -> Option<()> {
        if self.instruction.op_count() != 2 {
            return None;
        }
        let value = combine(&self.read(0)?, &self.read(1)?);
        self.write(0, value.truncated(self.size(0)?))
    }

    fn change(&mut self, change: impl Fn(&Value) -> Value) -> Option<()> {
        let value = change(&self.read(0)?).truncated(self.size(0)?);
        self.write(0, value)
    }

    fn push(&mut self, value: Value) {
        let address = self.state.register(STACK_POINTER).minus(&Value::constant(8));
        self.state.store(&address, 8, value);
        self.state.set(STACK_POINTER, address);
    }

    fn pop(&mut self) -> Value {
        let address = self.state.register(STACK_POINTER).clone();
        let value = self.state.load(&address, 8).unwrap_or(Value::ANYTHING);
        self.state.set(STACK_POINTER, address.plus(&Value::constant(8)));
        value
    }

    fn same_registers(&self) -> bool {
        let instruction = self.instruction;
        instruction.op_count() == 2
            && instruction.op0_kind() == OpKind::Register
            && instruction.op1_kind() == OpKind::Register
            && instruction.op0_register() == instruction.op1_register()
    }

    fn aligns_stack(&self) -> bool {
        self.instruction.op0_kind() == OpKind::Register && self.instruction.op0_register() == Register::RSP
    }

    /// At the entry of a function the stack pointer is 8 more than a multiple of 16 (AMD64 supplement, 3.2.2). What any other
    /// alignment gives is not known.
    fn align_stack(&mut self) -> Option<()> {
        let aligned = match self.read(1)?.single() {
            Some(Atom::Constant(mask)) if mask == 16_u64.wrapping_neg() => {
                self.state.register(STACK_POINTER).map(|atom| match atom {
                    Atom::Stack(place) if place.base == 0 => {
                        Some(Atom::Stack(place.plus(-(place.offset.wrapping_add(8)).rem_euclid(16))))
                    }
                    _ => None,
                })
            }
            _ => Value::ANYTHING,
        };
        self.state.set(STACK_POINTER, aligned);
        Some(())
    }

    /// The size of an operand in bytes.
    fn size(&self, operand: u32) -> Option<usize> {
        match self.instruction.op_kind(operand) {
            OpKind::Register => Some(self.instruction.op_register(operand).size()),
            OpKind::Memory => Some(self.instruction.memory_size().size()).filter(|size| (1..=8).contains(size)),
            _ => Some(8),
        }
    }

    /// What the memory operand's address is.
    fn address(&self) -> Option<Value> {
        let instruction = self.instruction;
        if instruction.is_ip_rel_memory_operand() {
            return Some(Value::constant(instruction.ip_rel_memory_address()));
        }
        let register = |register: Register| match register {
            Register::None => Some(Value::constant(0)),
            register if register.is_gpr64() => Some(self.state.register(number(register)).clone()),
            _ => None,
        };
        let base = register(instruction.memory_base())?;
        let scale = u64::from(instruction.memory_index_scale());
        let index = register(instruction.memory_index())?;
        let index = if scale == 1 { index } else { index.calculated(&Value::constant(scale), u64::wrapping_mul) };
        Some(base.plus(&index).plus(&Value::constant(instruction.memory_displacement64())))
    }

    fn read(&self, operand: u32) -> Option<Value> {
        let instruction = self.instruction;
        match instruction.op_kind(operand) {
            OpKind::Register => {
                let register = instruction.op_register(operand);
                let high = matches!(register, Register::AH | Register::BH | Register::CH | Register::DH);
                if !register.is_gpr() || high {
                    return register.is_gpr().then_some(Value::ANYTHING);
                }
                Some(self.state.register(number(register)).truncated(register.size()))
            }
            OpKind::Memory => {
                let size = self.size(operand)?;
                if in_thread_storage(instruction) {
                    return Some(Value::ANYTHING);
                }
                let address = self.address()?;
                Some(match (self.state.load(&address, size), address.single()) {
                    (Some(value), _) => value,
                    (None, Some(Atom::Constant(address))) if self.memory.is_constant(address) => {
                        self.memory.number(address, size).map_or(Value::ANYTHING, Value::constant)
                    }
                    _ => Value::ANYTHING,
                })
            }
            OpKind::Immediate8
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64 => Some(Value::constant(instruction.immediate(operand))),
            _ => None,
        }
    }

    fn write(&mut self, operand: u32, value: Value) -> Option<()> {
        let instruction = self.instruction;
        match instruction.op_kind(operand) {
            OpKind::Register => {
                let register = instruction.op_register(operand);
                if !register.is_gpr() {
                    return None;
                }
                let value = match register.size() {
                    8 => value,
                    4 => value.truncated(4),
                    size if !matches!(register, Register::AH | Register::BH | Register::CH | Register::DH) => {
                        let kept = mask(size);
                        self.state.register(number(register)).calculated(&value, |old, new| (old & !kept) | (new & kept))
                    }
                    _ => Value::ANYTHING,
                };
                self.state.set(number(register), value);
                Some(())
            }
            OpKind::Memory => {
                let size = self.size(operand)?;
                if !in_thread_storage(instruction) {
                    let address = self.address()?;
                    self.state.store(&address, size, value.truncated(size));
                }
                Some(())
            }
            _ => None,
        }
    }
}
