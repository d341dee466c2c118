//! What changed between two results: of two releases of an app, of two dates, of two whole databases.
//!
//! After the store, before the report. Pure: it compares what was read and reads nothing. It runs no trial either: where one side was
//! never measured, it says so instead of guessing.
//!
//! # What counts as worse
//!
//! A result is *worse* than another if an OS that does for the first all that it needs can fail the second:
//!
//! - a call, argument feature or pseudo-file **became required**: it could be stubbed or faked before;
//! - it is **newly used and required**;
//! - the app **can no longer be measured**: its last attempt was refused, and the one before was not.
//!
//! *In doubt* is a change of that kind whose new verdict is not firm: its runs disagreed, it was never made while it was treated, it was
//! inferred instead of tried, or it stayed inconclusive. So is an app that has results on the first side and none on the second:
//! missing is missing, and not fine.
//!
//! Everything else is no regression, and told nevertheless: what became avoidable, what is no longer used, other treatments that work
//! now (an OS that stubs what can only be faked now has to follow), and what the joint configuration does differently. There may be
//! several configurations of the same size, so another choice among them is no regression by itself.
//!
//! Results that were imported are compared as well: they have verdicts of calls, and neither trials nor a joint configuration.
//!
//! - `conditions`: under which conditions both were measured;
//! - [`evidence`]: what the trials of an item showed, on one side;
//! - [`items`]: the changes of single items;
//! - [`pairs`]: which results are held against which.

mod conditions;
pub mod evidence;
pub mod items;
pub mod pairs;

use serde::Serialize;

pub use evidence::{ItemSide, Remark, TreatmentEvidence};
pub use items::{Change, ItemChange, JointChange};
pub use pairs::{Pair, PairingError, Place, pair_up};

use crate::explore::Verdict;
use crate::store::{Counts, Finished, Imported, Stored, TrialRecord, Verdicts};

/// What is stored of one app and workload, on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// What it is called: app and workload, as in `nginx/wrk`.
    pub name: String,
    /// What its folder holds.
    pub stored: Stored,
    /// Its trials; empty where there are none, as in results that were imported.
    pub trials: Vec<TrialRecord>,
}

/// How bad a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// An OS that needs less now, or can.
    Better,
    /// Nothing that has to be done.
    Neutral,
    /// Worse, if it holds.
    Doubtful,
    /// Worse.
    Worse,
}

/// Verdicts, wherever they come from.
#[derive(Debug, Clone, Copy)]
enum Results<'a> {
    Measured(&'a Finished),
    Imported(&'a Imported),
}

impl<'a> Results<'a> {
    fn of(stored: &'a Stored) -> Option<Self> {
        stored.finished.as_ref().map(Self::Measured).or_else(|| stored.imported.as_ref().map(Self::Imported))
    }

    const fn verdicts(self) -> &'a Verdicts {
        match self {
            Self::Measured(finished) => &finished.verdicts,
            Self::Imported(imported) => &imported.verdicts,
        }
    }

    const fn measured(self) -> Option<&'a Finished> {
        match self {
            Self::Measured(finished) => Some(finished),
            Self::Imported(_) => None,
        }
    }
}

/// A condition that differs between both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Which one.
    pub what: String,
    /// As it was.
    pub before: String,
    /// As it is.
    pub after: String,
}

/// How many calls a side uses, per verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Calls used.
    pub used: u32,
    /// The same, per verdict.
    pub verdicts: Counts,
    /// Items that the joint configuration avoids; `None` if none was run, as for imported results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avoided_together: Option<usize>,
}

/// What changed between two results that both have verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// Under which conditions they were measured, as far as these differ.
    pub conditions: Vec<Condition>,
    /// The first side's numbers.
    pub totals_before: Totals,
    /// The second side's.
    pub totals_after: Totals,
    /// Calls, argument features and pseudo-files that changed: the worst first, then in order.
    pub items: Vec<ItemChange>,
    /// What the joint configuration does differently about items that both sides use.
    pub joint: Vec<JointChange>,
    /// Why argument features and pseudo-files were left out, if they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details_left_out: Option<String>,
}

/// What became of one app and workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Comparison {
    /// Both sides have verdicts.
    Compared(Box<Difference>),
    /// The second side's last attempt was refused, while the first was measured.
    NoLongerMeasurable {
        /// Why it was refused.
        reasons: Vec<String>,
    },
    /// The first side was refused, and the second has verdicts.
    NowMeasurable {
        /// Why it was refused.
        reasons: Vec<String>,
    },
    /// Both were refused.
    StillRefused {
        /// Why the second was.
        reasons: Vec<String>,
    },
    /// Only the first side has results.
    Missing,
    /// Only the second side has results.
    New,
}

/// One app and workload on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// What it is called on the first side, or on the second where only that has it.
    pub before: String,
    /// What it is called on the second side, or on the first.
    pub after: String,
    /// What became of it.
    #[serde(flatten)]
    pub comparison: Comparison,
}

impl Compared {
    /// How bad it is: the worst of all changes.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match &self.comparison {
            Comparison::Compared(difference) => difference.severity(),
            Comparison::NoLongerMeasurable { .. } => Severity::Worse,
            Comparison::NowMeasurable { .. } => Severity::Better,
            Comparison::Missing => Severity::Doubtful,
            Comparison::StillRefused { .. } | Comparison::New => Severity::Neutral,
        }
    }
}

impl Difference {
    /// How bad it is: the worst of all changes.
    #[must_use]
    pub fn severity(&self) -> Severity {
        // Better and worse do not cancel out: where nothing is worse, what is neutral and better together is no regression.
        self.items.iter().map(|change| change.severity).max().unwrap_or(Severity::Neutral)
    }

    /// Whether nothing changed but the conditions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.joint.is_empty()
    }
}

/// Holds one side against the other; at least one of them is there.
#[must_use]
pub fn compare(before: Option<&Side>, after: Option<&Side>) -> Compared {
    let name = |side: Option<&Side>, other: Option<&Side>| side.or(other).map(|side| side.name.clone()).unwrap_or_default();
    let comparison = match (before, after) {
        (Some(before), Some(after)) => both(before, after),
        (Some(_), None) => Comparison::Missing,
        (None, _) => Comparison::New,
    };
    Compared { before: name(before, after), after: name(after, before), comparison }
}

fn both(before: &Side, after: &Side) -> Comparison {
    let reasons = |side: &Side| side.stored.refused.as_ref().map(|refused| refused.reasons.clone());
    match (reasons(before), reasons(after)) {
        (Some(_), Some(reasons)) => Comparison::StillRefused { reasons },
        (None, Some(reasons)) => Comparison::NoLongerMeasurable { reasons },
        (Some(reasons), None) => Comparison::NowMeasurable { reasons },
        (None, None) => match (Results::of(&before.stored), Results::of(&after.stored)) {
            (Some(first), Some(second)) => {
                Comparison::Compared(Box::new(difference(first, &before.trials, second, &after.trials)))
            }
            (Some(_), None) => Comparison::Missing,
            (None, _) => Comparison::New,
        },
    }
}

fn difference(
    before: Results<'_>,
    trials_before: &[TrialRecord],
    after: Results<'_>,
    trials_after: &[TrialRecord],
) -> Difference {
    let known = |results: Results<'_>| {
        results.measured().is_some_and(|finished| !finished.features.is_empty() || !finished.pseudo_files.is_empty())
    };
    // No app makes only calls that have no feature: a side without any was stored before they were, or imported.
    let left_out = match (known(before), known(after)) {
        (true, true) | (false, false) => None,
        (false, true) => Some("the first side has none".to_owned()),
        (true, false) => Some("the second side has none".to_owned()),
    };
    let sides = (evidence::Evidence::new(before, trials_before), evidence::Evidence::new(after, trials_after));
    let both = before.measured().zip(after.measured());
    Difference {
        conditions: conditions::differing(before, after),
        totals_before: totals(before),
        totals_after: totals(after),
        items: items::changes(&sides.0, &sides.1, left_out.is_none()),
        joint: both.map(|(before, after)| items::joint_changes(before, after, left_out.is_none())).unwrap_or_default(),
        details_left_out: left_out,
    }
}

fn totals(results: Results<'_>) -> Totals {
    let mut totals = Totals { used: 0, verdicts: Counts::default(), avoided_together: None };
    for row in results.verdicts().values().filter(|row| row.used) {
        totals.used += 1;
        let counts = &mut totals.verdicts;
        *match row.verdict {
            Some(Verdict::Required) => &mut counts.required,
            Some(Verdict::Stub) => &mut counts.stub,
            Some(Verdict::Fake) => &mut counts.fake,
            Some(Verdict::Any) => &mut counts.any,
            None => &mut counts.undecided,
        } += 1;
    }
    totals.avoided_together = results.measured().map(|finished| {
        let whole = finished.summary.everything.as_ref().unwrap_or(&finished.summary.joint);
        whole.stub.len() + whole.fake.len()
    });
    totals
}

#[cfg(test)]
mod tests;
