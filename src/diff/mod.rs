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
//! - [`evidence`]: what the trials of an item showed, on one side;
//! - [`items`]: the changes of single items;
//! - [`pairs`]: which results are held against which.

pub mod evidence;
pub mod items;
pub mod pairs;

use serde::Serialize;

pub use evidence::{ItemSide, Remark, TreatmentEvidence};
pub use items::{Change, ItemChange, JointChange};
pub use pairs::{Pair, PairingError, Place, pair_up};

use crate::store::{Counts, Environment, Finished, Stored, TrialRecord};

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
    /// Items that the joint configuration avoids.
    pub avoided_together: usize,
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
        (None, None) => match (&before.stored.finished, &after.stored.finished) {
            (Some(first), Some(second)) => {
                Comparison::Compared(Box::new(difference(first, &before.trials, second, &after.trials)))
            }
            (Some(_), None) => Comparison::Missing,
            (None, _) => Comparison::New,
        },
    }
}

fn difference(before: &Finished, trials_before: &[TrialRecord], after: &Finished, trials_after: &[TrialRecord]) -> Difference {
    let known = |finished: &Finished| !finished.features.is_empty() || !finished.pseudo_files.is_empty();
    // No app makes only calls that have no feature: a side without any was stored before they were, or imported.
    let left_out = match (known(before), known(after)) {
        (true, true) | (false, false) => None,
        (false, true) => Some("the first side has none".to_owned()),
        (true, false) => Some("the second side has none".to_owned()),
    };
    let sides = (evidence::Evidence::new(before, trials_before), evidence::Evidence::new(after, trials_after));
    Difference {
        conditions: conditions(&before.environment, &after.environment),
        totals_before: totals(before),
        totals_after: totals(after),
        items: items::changes(&sides.0, &sides.1, left_out.is_none()),
        joint: items::joint_changes(before, after, left_out.is_none()),
        details_left_out: left_out,
    }
}

fn totals(finished: &Finished) -> Totals {
    let summary = &finished.summary;
    let whole = summary.everything.as_ref().unwrap_or(&summary.joint);
    Totals { used: summary.used, verdicts: summary.verdicts, avoided_together: whole.stub.len() + whole.fake.len() }
}

/// The conditions that differ, in the order in which they matter.
fn conditions(before: &Environment, after: &Environment) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let mut note = |what: &str, before: &str, after: &str| {
        if before != after {
            conditions.push(Condition { what: what.to_owned(), before: before.to_owned(), after: after.to_owned() });
        }
    };
    let images = |environment: &Environment| -> (String, String) {
        let image = &environment.identity.image;
        let (app, client) = image.split_once(" client ").unwrap_or((image, "none"));
        (app.to_owned(), client.to_owned())
    };
    let ((app_before, client_before), (app_after, client_after)) = (images(before), images(after));
    note("image", &app_before, &app_after);
    note("client image", &client_before, &client_after);
    note("workload", &before.identity.spec, &after.identity.spec);
    note("architecture", &before.identity.architecture, &after.identity.architecture);
    note("kernel", &before.kernel, &after.kernel);
    note("loupe", &before.identity.loupe, &after.identity.loupe);
    note("engine", &before.identity.engine, &after.identity.engine);
    note("engine version", &before.engine_version, &after.engine_version);
    let settings = |environment: &Environment| serde_json::to_value(environment.identity.settings).unwrap_or_default();
    let (settings_before, settings_after) = (settings(before), settings(after));
    if let (Some(before), Some(after)) = (settings_before.as_object(), settings_after.as_object()) {
        for (name, value) in before {
            let other = after.get(name).unwrap_or(&serde_json::Value::Null);
            note(&format!("setting {name}"), plain(value).as_str(), plain(other).as_str());
        }
    }
    conditions
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
