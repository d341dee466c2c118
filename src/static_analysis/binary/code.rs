//! The few things that the analysis wants to know of an instruction, whatever the processor. Pure vocabulary.

/// One instruction as far as it matters for where a program may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The address of the instruction after it.
    pub(super) next: u64,
    /// Where it leads.
    pub(super) flow: Flow,
    /// Addresses that it names, other than as the target of a jump or call.
    pub(super) names: [Option<Named>; 2],
}

/// Where an instruction leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// To the one after it.
    Next,
    /// To the one after it, doing nothing: what fills the room between functions.
    Idle,
    /// There.
    Jump(u64),
    /// There, or to the one after it.
    Branch(u64),
    /// There if the comparison before came out equal (or unequal, if `equal` is not set), otherwise to the one after it.
    BranchIf {
        /// Where it leads.
        target: u64,
        /// Whether it goes there if equal.
        equal: bool,
    },
    /// There and back.
    Call(u64),
    /// To the address that stands in memory there.
    JumpThrough(u64),
    /// To the address that stands in memory there, and back.
    CallThrough(u64),
    /// To an address that the instruction does not tell.
    JumpSomewhere {
        /// Whether it says that it stays within its function: a marked jump by a table.
        within: bool,
    },
    /// To an address that the instruction does not tell, and back.
    CallSomewhere,
    /// To whoever called.
    Return,
    /// Nowhere: it traps.
    Stop,
    /// To the kernel and back: a system call.
    System,
    /// The same through a foreign ABI, whose numbers mean something else.
    ForeignSystem,
    /// It is no instruction.
    Invalid,
}

impl Flow {
    /// Whether the instruction after it may come next.
    pub(super) const fn goes_on(self) -> bool {
        match self {
            Self::Next
            | Self::Idle
            | Self::Branch(_)
            | Self::BranchIf { .. }
            | Self::Call(_)
            | Self::CallThrough(_)
            | Self::CallSomewhere
            | Self::System
            | Self::ForeignSystem => true,
            Self::Jump(_) | Self::JumpThrough(_) | Self::JumpSomewhere { .. } | Self::Return | Self::Stop | Self::Invalid => {
                false
            }
        }
    }

    /// Whether it is a call within the program.
    pub(super) const fn is_call(self) -> bool {
        matches!(self, Self::Call(_) | Self::CallThrough(_) | Self::CallSomewhere)
    }
}

/// An address that an instruction names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// It is computed: whoever has it may go there or read there.
    Address(u64),
    /// It is read from or written to.
    Memory(u64),
}

impl Named {
    pub(super) const fn address(self) -> u64 {
        match self {
            Self::Address(address) | Self::Memory(address) => address,
        }
    }
}
