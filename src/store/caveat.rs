//! Limits of what a result proves, where its workload could hardly have failed. Pure.
//!
//! A server that nobody talks to proves that it starts, and an imported measurement that requires nothing may come from a workload that
//! passes whatever happens. Their verdicts say so wherever they are shown, and they count in a plan only if asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::record::TrialRecord;
use super::tables::Verdicts;
use crate::explore::Verdict;
use crate::trial::{Ending, Outcome, Purpose};

/// How a workload exercises its app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exercise {
    /// The app runs to completion.
    Completion,
    /// A client talks to the server.
    Client,
    /// The server has to listen and to stay up, and nobody talks to it.
    StartsOnly,
}

impl Exercise {
    /// The one name this has in every file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completion => "completion",
            Self::Client => "client",
            Self::StartsOnly => "starts-only",
        }
    }

    /// What the undisturbed runs among `records` were; `None` if none of them passed.
    pub(super) fn of(records: &[TrialRecord]) -> Option<Self> {
        let undisturbed = |record: &&TrialRecord| matches!(record.purpose, Purpose::Baseline | Purpose::Trace);
        let passed = records.iter().filter(undisturbed).find(|record| record.result == Outcome::Pass)?;
        let ended =
            matches!(passed.app.ending, Some(Ending::Exited(_))) && (!passed.app.daemonised || !passed.app.left.is_nothing());
        Some(match (&passed.client, passed.durations.ready_ms) {
            (Some(_), _) => Self::Client,
            (None, None) if ended => Self::Completion,
            (None, _) => Self::StartsOnly,
        })
    }
}

/// Why a result proves little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caveat {
    /// The server has no client.
    StartsOnly,
    /// Nothing is required.
    NothingRequired,
}

impl Caveat {
    /// A remark of two words for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartsOnly => "only starts",
            Self::NothingRequired => "requires nothing",
        }
    }

    /// The caveat of results that were measured.
    #[must_use]
    pub fn of_measured(exercise: Option<Exercise>) -> Option<Self> {
        (exercise == Some(Exercise::StartsOnly)).then_some(Self::StartsOnly)
    }

    /// The caveat of verdicts that were imported.
    #[must_use]
    pub fn of_imported(verdicts: &Verdicts) -> Option<Self> {
        let mut used = verdicts.values().filter(|row| row.used).peekable();
        used.peek()?;
        used.all(|row| row.verdict.is_some_and(|verdict| verdict != Verdict::Required)).then_some(Self::NothingRequired)
    }
}

impl fmt::Display for Caveat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::StartsOnly => "only starts: no client talks to this server, so its verdicts hold for starting and listening",
            Self::NothingRequired => "requires nothing: its workload may pass whatever happens",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tables::VerdictRow;

    #[test]
    fn imported_verdicts_prove_little_where_none_is_required() {
        let row = |used, verdict| VerdictRow { used, stub: true, fake: true, verdict: Some(verdict), joint: None };
        let verdicts = |rows: &[(&str, VerdictRow)]| rows.iter().map(|(call, row)| (call.parse().unwrap(), *row)).collect();
        assert_eq!(Caveat::of_imported(&verdicts(&[])), None);
        let avoidable =
            [("read", row(true, Verdict::Any)), ("write", row(true, Verdict::Stub)), ("mmap", row(false, Verdict::Required))];
        assert_eq!(Caveat::of_imported(&verdicts(&avoidable)), Some(Caveat::NothingRequired));
        assert_eq!(Caveat::of_imported(&verdicts(&[("read", row(true, Verdict::Required))])), None);
        assert_eq!(Caveat::of_measured(Some(Exercise::StartsOnly)), Some(Caveat::StartsOnly));
        assert_eq!(Caveat::of_measured(Some(Exercise::Client)), None);
    }
}
