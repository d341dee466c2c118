//! What the supervisor saw of the app's system calls: counts per call and process, and samples of arguments.

use std::collections::BTreeMap;

use crate::syscalls::Sysno;

/// How many different argument vectors are kept of each call.
pub const SAMPLES_PER_CALL: usize = 8;

/// One call of a trial: how often it was made, by whom, and with which arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct CallStatistics {
    /// Number of notified calls. A call restarted by the kernel after a signal counts again.
    pub count: u64,
    /// The same, per name of the process (`comm`) that made it.
    pub processes: BTreeMap<String, u64>,
    /// The first [`SAMPLES_PER_CALL`] different argument vectors, as raw registers.
    pub samples: Vec<[u64; 6]>,
}

/// A call through another ABI than the native one (i386 or x32 on `x86_64`): seen, reported, never treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct ForeignCall {
    /// The kernel's `AUDIT_ARCH_*` value of the ABI (`linux/audit.h`).
    pub architecture: u32,
    /// The number in that ABI, for x32 with its bit 30 set.
    pub number: u32,
}

/// Everything the supervisor counted in one trial.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallLog {
    /// The calls that the table knows.
    pub calls: BTreeMap<Sysno, CallStatistics>,
    /// Native calls with a number that no Linux has (or one newer than the table), with their count.
    pub unknown: BTreeMap<u32, u64>,
    /// Calls of a foreign ABI, with their count.
    pub foreign: BTreeMap<ForeignCall, u64>,
}

impl CallLog {
    /// How often `call` was notified.
    #[must_use]
    pub fn count(&self, call: Sysno) -> u64 {
        self.calls.get(&call).map_or(0, |statistics| statistics.count)
    }
}
