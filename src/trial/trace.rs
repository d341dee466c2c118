//! What an observer saw of a command's calls: unlike a [`super::CallLog`], with how each ended and how long it took.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Ending, ForeignCall, Left, Output};
use crate::syscalls::Sysno;

/// A command to be observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observe {
    /// The command line; never empty. Looked up in `PATH` if it has no slash.
    pub command: Vec<String>,
    /// Whether every call is told as it ends, as a line of text.
    pub lines: bool,
    /// Bytes kept of each output stream.
    pub output_limit: usize,
    /// Whether it is over only when every process that its main process left has ended, too.
    pub wait_for_children: bool,
}

/// One call of a command, all times that it was made taken together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct ObservedCall {
    /// How often it was made.
    pub count: u64,
    /// How often each error number was the answer (errno(3)).
    pub errors: BTreeMap<u16, u64>,
    /// From the beginning of each to its end, as the observer saw it: what observing costs is part of it.
    #[cfg_attr(feature = "cli", serde(serialize_with = "as_microseconds", rename = "microseconds"))]
    pub time: Duration,
    /// The first of them, with its arguments and its result, as a person reads it.
    pub first: String,
}

#[cfg(feature = "cli")]
fn as_microseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// Everything that was seen of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// How the main process ended; `None` if it was ended.
    pub main: Option<Ending>,
    /// How many processes and threads there were.
    pub threads: u64,
    /// How many more processes there were, or may have been, whose calls were not seen.
    pub escaped: u64,
    /// The calls that the table knows.
    pub calls: BTreeMap<Sysno, ObservedCall>,
    /// Native calls with a number that no Linux has (or one newer than the table), with their count.
    pub unknown: BTreeMap<u32, u64>,
    /// Calls of a foreign ABI, with their count.
    pub foreign: BTreeMap<ForeignCall, u64>,
    /// What was left when the main process had ended.
    pub left: Left,
    /// The command's standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
}
