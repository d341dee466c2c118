//! Which trials next, and what do they mean? The trial planner of a campaign.
//!
//! Between the vocabulary of trials and the campaign that has them run on an engine. Pure: no I/O, no clock, no randomness.
//! The [`Explorer`] hands out requests and takes reports; that some trials run at the same time, on which engine, or were
//! stored by an earlier run of the campaign, is none of its business. What it asks for and what it finds depends on the
//! outcomes alone, not on the order in which they are recorded.
//!
//! ```text
//! traces + baselines ─▶ control ─▶ singles (every seen call × stub, fake) ─▶ joint ─▶ details ─▶ Findings
//!   have to pass         has to fail    │     verdicts                    ▲  verified     features and pseudo-files,
//!        └───────────────────┼──▶ Refused                                 │  by running   tried in the same way
//!                            ├──▶ what is known of another image: groups ─┤   only what broke or is new becomes a single
//!                            └──▶ guesses (strategy `joint`) ─────────────┘   verdicts are inferred
//! ```
//!
//! At the very end, what works is run once more with every call watched (`reasons`), so that it can be told what the app does with
//! the answers, and what it uses only then (`fallbacks`). No verdict depends on that.
//!
//! *Details* are argument features and pseudo-files. Features are tried of those calls only that have to be implemented: of any other,
//! an OS needs none (`--features` may ask for more, or for no details at all). In the end everything avoidable is avoided at once,
//! calls and details, and verified like the joint configuration of the calls.
//!
//! Traces and baselines run side by side. A workload that passes with everything stubbed could not tell a working app from
//! a broken one, and is refused as well. `replicas` holds the rules of when a trial counts, `ledger` what was asked for and
//! recorded, `joint` the search for the largest configuration, `guess` the way there without singles and `likelihood` what
//! orders it, `known` the use of what was found of another image, `degradation` tells a pass from a poor pass and `quiet` has the runs made for it, `verdict` and
//! `findings` are what comes out, [`model`] stands in for an app in tests.
//!
//! What a pass costs can't be told while trials share the machine: passes that stand out are run again alone before the joint stage
//! (details: before all is avoided at once), three times, and the baseline in turn with them. Only what holds each time is remarked.
//! Those runs count as every other run of the same intervention does.
//!
//! # Bounds
//!
//! Whatever the outcomes, a campaign ends: every question about an intervention is decided after a fixed number of
//! conclusive runs, or after `inconclusive_limit` inconclusive ones, and `joint` asks a bounded number of questions.
//! [`Settings::most_trials`] is the bound.

mod degradation;
mod explorer;
mod fallback_table;
mod fallbacks;
mod findings;
mod guess;
mod joint;
mod known;
mod ledger;
mod likelihood;
mod measured;
pub mod model;
mod quiet;
mod reasons;
mod replicas;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub use explorer::Explorer;
pub use fallback_table::FallbackTable;
pub use findings::{Culprit, Findings, Joint, Measured, Origin, Refusal, Row};
pub use known::Known;
pub use likelihood::Likelihoods;
pub use verdict::{Plan, TreatmentResult, UnknownName, Verdict};

use crate::trial::{COSTLY_NEW_USES, ForeignCall, Item, Measures, NewUse, Outcome, TrialRequest};
use degradation::QUIET_RUNS;
use replicas::{IDLE_RUNS, PROBE_RUNS};

/// How a campaign gets to its joint configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// By guesses: groups of calls that are likely avoidable, halved where they fail. Verdicts are inferred.
    Joint,
    /// Each call's stub and fake alone, then everything avoidable at once.
    #[default]
    Exhaustive,
}

/// Which details are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Details {
    /// None: what the traces saw of them is stored, without verdicts.
    None,
    /// Features of calls that have to be implemented, and pseudo-files.
    #[default]
    Required,
    /// Features of every call, and pseudo-files.
    All,
}

/// Of which treatments the reasons are looked for: runs with every call watched, in which the calls after each answer are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reasons {
    /// Of none.
    None,
    /// Of all that is avoided at once, in one run; and in a second one of the treatments that work as well. Treatments may interact.
    #[default]
    Together,
    /// Of each stub and fake that works, in a run of its own as well.
    Each,
}

/// How thorough a campaign is. Every number counts as at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// How it gets to its joint configuration.
    #[serde(default)]
    pub strategy: Strategy,
    /// Which argument features and pseudo-files are tried.
    #[serde(default)]
    pub details: Details,
    /// Of which treatments the reasons are looked for.
    #[serde(default)]
    pub reasons: Reasons,
    /// Runs without any intervention, all of which have to pass.
    pub baselines: u32,
    /// Runs of the joint configuration, all of which have to pass.
    pub joint_runs: u32,
    /// Runs that record every call; a call is used if any of them saw it.
    pub traces: u32,
    /// Runs after which disagreeing outcomes of one call are decided by majority.
    pub single_runs_limit: u32,
    /// Inconclusive runs of one intervention after which it stays inconclusive.
    pub inconclusive_limit: u32,
    /// Whether a pass counts only if the treated call was made. `false` runs treated trials with [`Watch::Nothing`](crate::trial::Watch::Nothing).
    pub count_hits: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            strategy: Strategy::Exhaustive,
            details: Details::Required,
            reasons: Reasons::Together,
            baselines: 3,
            joint_runs: 3,
            traces: 2,
            single_runs_limit: 5,
            inconclusive_limit: 3,
            count_hits: true,
        }
    }
}

impl Settings {
    /// Whether runs with treatments are made in which every call is watched. What is too hot to be counted is too hot to be watched.
    #[must_use]
    pub const fn watches_treatments(&self) -> bool {
        match self.reasons {
            Reasons::None => false,
            Reasons::Together => self.count_hits,
            Reasons::Each => true,
        }
    }

    fn at_least_one(self) -> Self {
        Self {
            strategy: self.strategy,
            details: self.details,
            reasons: self.reasons,
            baselines: self.baselines.max(1),
            joint_runs: self.joint_runs.max(1),
            traces: self.traces.max(1),
            single_runs_limit: self.single_runs_limit.max(1),
            inconclusive_limit: self.inconclusive_limit.max(1),
            count_hits: self.count_hits,
        }
    }

    /// More trials than these cannot be asked for, if `used` calls and details are seen.
    ///
    /// One intervention takes at most as many conclusive runs as the most demanding question asks for. A batch is asked for
    /// only while fewer than `inconclusive_limit` runs were inconclusive, so at most one batch goes beyond the limit. The
    /// number of interventions is one for traces, baselines and control each, two per item, those of the searches, and once more
    /// with every call watched a few and two per item.
    #[must_use]
    pub fn most_trials(self, used: u32) -> u32 {
        let settings = self.at_least_one();
        let batch = settings.baselines.max(settings.joint_runs).max(settings.traces);
        let conclusive = batch.max(settings.single_runs_limit).max(IDLE_RUNS).max(PROBE_RUNS);
        // Runs with doubtful failures: a batch, one that is repeated with care, and then runs that are alone, which are never in doubt.
        let doubtful = batch + 1;
        // What stands out is run again alone; so is the baseline, for calls and for details.
        let quiet = 2 * QUIET_RUNS + settings.inconclusive_limit;
        let growths = u32::try_from(joint::RESTARTS).unwrap_or(u32::MAX) + 2;
        // The search is gone through for what is known of another image, for calls, and for details. A campaign of guesses goes through
        // it once, and asks less before that than the other two would.
        let searches = 3 * 3 * used * growths + 3 * used;
        let interventions = 3 + 2 * used + searches + 1 + count(reasons::OTHERS) + 2 * used + count(fallbacks::GROUPS);
        interventions * (conclusive + settings.inconclusive_limit - 1 + batch + doubtful + quiet)
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Run this trial; more may be ready to run at the same time.
    Run(TrialRequest),
    /// Nothing to start until a running trial is recorded.
    Wait,
    /// The campaign is over.
    Finished(Findings),
}

/// What the planner has to know of a trial that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the trial gave.
    pub outcome: Outcome,
    /// What was seen at least once: every item for a trace, the treated ones that were hit otherwise.
    pub seen: BTreeSet<Item>,
    /// The calls that were treated, the one that was so last first; empty where that is not known.
    pub latest: Vec<Item>,
    /// The calls that were seen in the order in which they were first made; empty where that is not known.
    pub order: Vec<Item>,
    /// How often each item was used; empty for all runs but traces.
    pub uses: BTreeMap<Item, u64>,
    /// Calls of foreign ABIs, which are left alone, with their count.
    pub foreign: BTreeMap<ForeignCall, u64>,
    /// Uses of items that no trace saw; `None` where they were not noted.
    pub new_uses: Option<BTreeMap<Item, NewUse>>,
    /// Whether its failure may be the hurry's or the host's doing ([`crate::trial::is_doubtful`]).
    pub doubtful: bool,
    /// How well the app did.
    pub measures: Measures,
}

impl Report {
    /// A report of a trial whose failure, if it is one, is not in doubt, and of which nothing was measured.
    #[must_use]
    pub fn new(outcome: Outcome, seen: BTreeSet<Item>) -> Self {
        Self {
            outcome,
            seen,
            latest: Vec::new(),
            order: Vec::new(),
            uses: BTreeMap::new(),
            foreign: BTreeMap::new(),
            new_uses: None,
            doubtful: false,
            measures: Measures::default(),
        }
    }

    /// Whether noting new uses took so long that the next run of the same should do without.
    fn was_costly(&self) -> bool {
        let count = self.new_uses.iter().flat_map(BTreeMap::values).map(|new| new.count).sum::<u64>();
        count >= COSTLY_NEW_USES
    }
}

/// What is known before the first trial.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// How other apps fared without each call.
    pub likelihoods: Likelihoods,
    /// What was found of another image of the same app: it is verified by groups, and only what broke or is new is explored.
    pub before: Option<Known>,
}

/// The part of a campaign that is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Traces and baselines.
    Baseline,
    /// Everything stubbed at once.
    Control,
    /// What is known of another image, in groups.
    Known,
    /// Each call alone.
    Singles,
    /// Passes of calls that stand out, again and alone.
    Quiet,
    /// What can be avoided all at once.
    Joint,
    /// Each argument feature and pseudo-file alone.
    Details,
    /// Passes of details that stand out, again and alone.
    QuietDetails,
    /// Calls and details that can be avoided, all at once.
    Everything,
    /// What was found to work once more, with every call watched.
    Reasons,
    /// Nothing more to run.
    Done,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Baseline => "baseline",
            Self::Control => "control",
            Self::Known => "known",
            Self::Singles => "singles",
            Self::Quiet | Self::QuietDetails => "quiet",
            Self::Joint => "joint",
            Self::Details => "details",
            Self::Everything => "everything",
            Self::Reasons => "reasons",
            Self::Done => "done",
        })
    }
}

/// How far a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Trials recorded.
    pub done: u32,
    /// Trials there will have been, as far as can be told: a guess until the traces are there, and later too low where runs
    /// disagree or the joint configuration has to be searched for. Never less than `done`.
    pub total: u32,
    /// What is going on.
    pub stage: Stage,
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
