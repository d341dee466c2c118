//! What a campaign found out: the end of the planner, the beginning of everything that stores, prints and compares. Pure
//! data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::fallback_table::FallbackTable;
use super::verdict::{Plan, TreatmentResult, Verdict};

use crate::trial::{Degradation, ForeignCall, Intervention, Item, Outcome, Treatment};

/// What a campaign found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Findings {
    /// Nothing can be measured; never empty.
    Refused(Vec<Refusal>),
    /// Every call that was seen has been tried.
    Measured(Box<Measured>),
}

/// Why an app and workload cannot be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// A run that only watches did not pass.
    Trace {
        /// Which run, from 0.
        replica: u32,
        /// What it gave.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// A run without any intervention did not pass.
    Baseline {
        /// Which run, from 0.
        replica: u32,
        /// What it gave.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// Every trace passed, but not one call was seen.
    NothingSeen,
    /// Every trace passed, and every call in it was one of a foreign ABI.
    ForeignOnly {
        /// The names of the ABIs.
        abi: String,
        /// Number of calls in a trace.
        calls: u64,
    },
    /// The workload passes although every call that the app uses is stubbed.
    ControlPassed,
    /// It could not be found out whether the workload notices a broken app.
    ControlInconclusive {
        /// What the last run gave.
        #[serde(flatten)]
        outcome: Outcome,
    },
}

impl Refusal {
    /// Why an app is refused of which the traces saw no native call, and these of foreign ABIs.
    pub(super) fn nothing_seen(foreign: &BTreeMap<ForeignCall, u64>) -> Self {
        match foreign.values().sum() {
            0 => Self::NothingSeen,
            calls => Self::ForeignOnly { abi: ForeignCall::abis(foreign.keys()), calls },
        }
    }

    /// Whether the reason lies outside the app: trying again may help.
    #[must_use]
    pub const fn inconclusive(&self) -> bool {
        match self {
            Self::Trace { outcome, .. } | Self::Baseline { outcome, .. } => matches!(outcome, Outcome::Inconclusive(_)),
            Self::NothingSeen | Self::ForeignOnly { .. } | Self::ControlPassed => false,
            Self::ControlInconclusive { .. } => true,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trace { replica, outcome } => write!(formatter, "traced run {}: {outcome}", replica + 1),
            Self::Baseline { replica, outcome } => write!(formatter, "baseline run {}: {outcome}", replica + 1),
            Self::NothingSeen => formatter.write_str("the trace saw no system call at all"),
            Self::ForeignOnly { abi, calls: 1 } => {
                write!(formatter, "its only call goes through the {abi} ABI, which Loupe does not measure")
            }
            Self::ForeignOnly { abi, calls } => {
                write!(formatter, "all of its {calls} calls go through the {abi} ABI, which Loupe does not measure")
            }
            Self::ControlPassed => formatter.write_str(
                "control run with every call stubbed: pass, so this workload cannot tell a working app from a broken one",
            ),
            Self::ControlInconclusive { outcome } => write!(formatter, "control run with every call stubbed: {outcome}"),
        }
    }
}

/// The result of a campaign that was carried through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Everything that a trace saw: calls, and the features and pseudo-files among their arguments.
    pub rows: BTreeMap<Item, Row>,
    /// The calls that can be avoided all at once.
    pub joint: Joint,
    /// The calls and details that can be avoided all at once; `None` if no detail can, or none was tried.
    pub everything: Option<Joint>,
    /// Items that the app uses only while others are avoided; `None` if that was not looked at.
    pub fallbacks: Option<FallbackTable>,
    /// Items that the joint configuration implements and that no watched run of it used; `None` if there was no such run.
    pub not_made: Option<BTreeSet<Item>>,
    /// Passes that stand out beside others and were not run again alone, as others do so more: nothing is said of their cost.
    pub unrepeated: Vec<(Item, Treatment)>,
    /// What stayed inconclusive, in words; empty for a complete campaign.
    pub incomplete: Vec<String>,
}

/// What was found out about one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What stubbing it alone did.
    pub stub: TreatmentResult,
    /// What faking it alone did.
    pub fake: TreatmentResult,
    /// What follows from both; `None` if one of them stayed inconclusive, or was not tried.
    pub verdict: Option<Verdict>,
    /// What the joint configuration does about it.
    pub joint: Plan,
    /// Where the verdict comes from.
    pub origin: Origin,
    /// In what passes differ from the baseline.
    pub degraded: Vec<(Treatment, Degradation)>,
}

/// Where a verdict comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Trials of the call alone.
    Measured,
    /// Trials of the call alone with another image; what could be, was confirmed by group trials with this one.
    TakenOver,
    /// What the joint configuration does about the call: it was not tried alone.
    Inferred,
}

impl Row {
    /// What `treatment` alone did.
    #[must_use]
    pub const fn result(&self, treatment: Treatment) -> TreatmentResult {
        match treatment {
            Treatment::Stub => self.stub,
            Treatment::Fake => self.fake,
        }
    }

    /// Whether runs of the same trial of this call disagreed.
    #[must_use]
    pub const fn unstable(&self) -> bool {
        self.stub.unstable() || self.fake.unstable()
    }
}

/// The largest set of avoided calls that was found to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joint {
    /// What is avoided, and how.
    pub configuration: Intervention,
    /// How many of its runs passed. For the empty configuration those are the baseline's.
    pub verified: u32,
    /// How many of its runs count; always equal to [`Joint::verified`], since a configuration whose runs disagree is not taken.
    pub of: u32,
    /// Items that can be avoided alone but not together with the rest, in order.
    pub culprits: Vec<Culprit>,
}

/// An item that can be avoided alone, but is not avoided in the joint configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Culprit {
    /// The item.
    pub item: Item,
    /// How it was treated last when it was left out.
    pub treatment: Treatment,
    /// What else was treated in the trial that made it be left out.
    pub together_with: Intervention,
    /// What that trial gave, in words.
    pub reason: String,
}
