//! What the supervisor saw of the app's system calls: counts per call and process, and samples of arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Aftermath, Item};
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;
use crate::syscalls::{Sysno, X32_BIT, foreign, is_x32};

/// How many different argument vectors are kept of each call.
pub const SAMPLES_PER_CALL: usize = 8;

/// One call of a trial: how often it was made, by whom, and with which arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct CallStatistics {
    /// Number of notified calls. A call restarted by the kernel after a signal counts again.
    pub count: u64,
    /// How many other calls were notified before the first of these.
    pub first: u32,
    /// How many other calls were notified after the last of these: 0 for the one that was made last of all.
    pub last: u32,
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

impl ForeignCall {
    /// The name of its ABI, such as `i386`.
    #[must_use]
    pub fn abi(&self) -> String {
        foreign::abi(self.architecture, self.number)
    }

    /// Its number in that ABI: for x32, without the bit that says so.
    #[must_use]
    pub fn own_number(&self) -> u32 {
        if is_x32(self.number) { self.number & !X32_BIT } else { self.number }
    }

    /// Its name in that ABI, where a table has it.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        foreign::name(self.architecture, self.number)
    }

    /// The ABIs of some calls: `i386`, or `i386 and x32`.
    #[must_use]
    pub fn abis<'a>(calls: impl IntoIterator<Item = &'a Self>) -> String {
        let names: BTreeSet<_> = calls.into_iter().map(Self::abi).collect();
        names.into_iter().collect::<Vec<_>>().join(" and ")
    }
}

impl fmt::Display for ForeignCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} number {}", self.abi(), self.own_number())?;
        match self.name() {
            Some(name) => write!(formatter, " ({name})"),
            None => Ok(()),
        }
    }
}

/// How many treated items are kept that were answered before a new use.
pub const ANSWERS_BEFORE: usize = 4;

/// Noting so many new uses takes so long that a run which is late must not be held against the app: each costs some 10 µs.
pub const COSTLY_NEW_USES: u64 = 500;

/// Uses of an item that no trace saw, by calls that the kernel ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct NewUse {
    /// Number of uses.
    pub count: u64,
    /// Treated items that were answered shortly before the first use, at most [`ANSWERS_BEFORE`], in the same thread if it got an answer:
    /// those that were answered least often first, and of these the latest.
    #[cfg_attr(feature = "cli", serde(skip_serializing_if = "Vec::is_empty", default))]
    pub after: Vec<Item>,
}

/// Everything the supervisor counted in one trial.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallLog {
    /// The calls that the table knows. Where only what is treated is watched, a call counts if it was treated, as a whole or for
    /// something in its arguments.
    pub calls: BTreeMap<Sysno, CallStatistics>,
    /// How often each argument feature was seen; where only what is treated is watched, how often it was treated.
    pub features: BTreeMap<Feature, u64>,
    /// The same for each pseudo-file.
    pub files: BTreeMap<PseudoFile, u64>,
    /// Native calls with a number that no Linux has (or one newer than the table), with their count.
    pub unknown: BTreeMap<u32, u64>,
    /// Calls of a foreign ABI, with their count.
    pub foreign: BTreeMap<ForeignCall, u64>,
    /// Uses of items that no trace saw; `None` where it was not said what the traces saw. Where only what is treated is watched, these are
    /// calls, and what the calls among them carry.
    pub new_uses: Option<BTreeMap<Item, NewUse>>,
    /// Where every call is watched and some are treated: what followed the first few answers, in the order of the answers.
    pub aftermaths: Vec<Aftermath>,
    /// Where every call is watched and none is treated: the calls of the same thread that followed the first few uses of each item.
    pub sequences: BTreeMap<Item, Vec<Vec<Sysno>>>,
}

impl CallLog {
    /// Number of new calls and of what they carry.
    #[must_use]
    pub fn count_of_new_uses(&self) -> u64 {
        self.new_uses.iter().flat_map(BTreeMap::values).map(|new| new.count).sum()
    }

    /// How often `item` was seen.
    #[must_use]
    pub fn count(&self, item: impl Into<Item>) -> u64 {
        match item.into() {
            Item::Call(call) => self.calls.get(&call).map_or(0, |statistics| statistics.count),
            Item::Feature(feature) => self.features.get(&feature).copied().unwrap_or(0),
            Item::File(file) => self.files.get(&file).copied().unwrap_or(0),
        }
    }
}
