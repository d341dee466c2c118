//! What a thread did right after one of its calls: answered by a treatment, or run by the kernel in a trace.

use super::{Item, Treatment};
use crate::syscalls::Sysno;

/// How many calls of the same thread are recorded after one.
pub const CALLS_AFTER: usize = 8;

/// After how many answers to the same item the following calls are recorded, and after how many uses of it in a trace. An app uses
/// many features of few calls, and the evidence has to stay of a size that can be kept.
#[must_use]
pub const fn answers_followed(item: Item) -> usize {
    match item {
        Item::Call(_) => 3,
        Item::Feature(_) | Item::File(_) => 1,
    }
}

/// What a thread did right after a treated call of it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Aftermath {
    /// What was treated.
    pub item: Item,
    /// How.
    pub treatment: Treatment,
    /// Name of the thread (`comm`).
    pub process: String,
    /// The call with its arguments, as a person reads it.
    pub made: String,
    /// The next calls of that thread in order, at most [`CALLS_AFTER`]; fewer if the thread or the trial ended.
    pub next: Vec<NextCall>,
}

/// One of the calls after an answer. Its result is not known, but for that of a treatment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct NextCall {
    /// Which call.
    pub call: Sysno,
    /// What was done to it, if it was treated itself.
    #[cfg_attr(feature = "cli", serde(skip_serializing_if = "Option::is_none", default))]
    pub treatment: Option<Treatment>,
    /// The call with its arguments, as a person reads it.
    pub made: String,
    /// What it writes, if it writes something.
    #[cfg_attr(feature = "cli", serde(skip_serializing_if = "Option::is_none", default))]
    pub written: Option<Written>,
}

/// What a call writes to something that is no socket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Written {
    /// `stdout`, `stderr`, or the path of the file.
    pub to: String,
    /// The first bytes as text; what is not UTF-8 is replaced.
    pub text: String,
}
