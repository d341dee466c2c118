//! What a batch tells while it goes on. Reporters (progress bars, plain lines, JSON lines) are pure consumers of these.

use serde::Serialize;

use crate::explore::{Progress, Stage};
use crate::store::Caveat;
use crate::trial::{Intervention, Outcome, Purpose};

/// Names one campaign of a batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CampaignName {
    /// The app.
    pub app: String,
    /// Its workload.
    pub workload: String,
}

impl std::fmt::Display for CampaignName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.app, self.workload)
    }
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// The batch begins.
    BatchStarted {
        /// Its campaigns, in the order in which they run.
        campaigns: Vec<CampaignName>,
        /// How many trials run at the same time.
        jobs: usize,
    },
    /// Containers that a dead run had left behind were removed.
    Reaped {
        /// How many.
        containers: usize,
    },
    /// An app is being made ready.
    Preparing {
        /// Which campaign.
        #[serde(flatten)]
        campaign: CampaignName,
        /// What takes time: an image being built or pulled.
        message: String,
    },
    /// Something is waited for longer than two seconds.
    Waiting {
        /// Which campaign.
        #[serde(flatten)]
        campaign: CampaignName,
        /// What, as `waiting for …` goes on.
        what: String,
        /// For how long, so far.
        seconds: u64,
    },
    /// The trials of a campaign begin.
    Started {
        /// Which campaign.
        #[serde(flatten)]
        campaign: CampaignName,
        /// `server` or `run-to-completion`.
        kind: &'static str,
        /// Trials that an earlier run of the same campaign stored, and that are not run again.
        stored: usize,
        /// Whether what was found before is verified, instead of finding everything anew.
        recheck: bool,
        /// Why the results that are there do not stand, if there are some.
        #[serde(skip_serializing_if = "Option::is_none")]
        outdated: Option<String>,
        /// What keeps the trials apart from the machine, where that differs from machine to machine.
        #[serde(skip_serializing_if = "Option::is_none")]
        isolation: Option<String>,
    },
    /// A trial begins.
    TrialStarted {
        /// Which campaign.
        #[serde(flatten)]
        campaign: CampaignName,
        /// What for.
        purpose: Purpose,
        /// What is treated.
        intervention: Intervention,
    },
    /// A trial is over, or its stored outcome was taken.
    TrialEnded {
        /// Which campaign.
        #[serde(flatten)]
        campaign: CampaignName,
        /// What for.
        purpose: Purpose,
        /// What was treated.
        intervention: Intervention,
        /// The how-manieth run of this intervention it was, from 0.
        replica: u32,
        /// What it gave.
        #[serde(flatten)]
        outcome: Outcome,
        /// How long it took in milliseconds.
        milliseconds: u64,
        /// Whether it was run now (or stored before).
        run: bool,
        /// How far the campaign is.
        progress: ProgressView,
    },
    /// A campaign is over, one way or the other.
    Ended {
        /// Which campaign.
        #[serde(flatten)]
        campaign: CampaignName,
        /// How.
        #[serde(flatten)]
        end: CampaignEnd,
    },
}

/// How far a campaign is, as reporters need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProgressView {
    /// Trials recorded.
    pub done: u32,
    /// Trials there will have been, as far as can be told.
    pub total: u32,
    /// `baseline`, `control`, `known`, `singles`, `quiet`, `joint`, `details`, `everything` or `done`.
    pub stage: &'static str,
}

impl From<Progress> for ProgressView {
    fn from(progress: Progress) -> Self {
        let stage = match progress.stage {
            Stage::Baseline => "baseline",
            Stage::Control => "control",
            Stage::Known => "known",
            Stage::Singles => "singles",
            Stage::Quiet | Stage::QuietDetails => "quiet",
            Stage::Joint => "joint",
            Stage::Details => "details",
            Stage::Everything => "everything",
            Stage::Reasons => "reasons",
            Stage::Done => "done",
        };
        Self { done: progress.done, total: progress.total, stage }
    }
}

/// How a campaign ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "end", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum CampaignEnd {
    /// Every call has its verdict, and the results are stored.
    Measured(Totals),
    /// The results of an earlier campaign of the same image, spec and Loupe stand; nothing was run.
    UpToDate(Totals),
    /// Some trials stayed inconclusive. What was found is kept, and the same command tries those trials again.
    Incomplete {
        /// What stayed inconclusive.
        reasons: Vec<String>,
    },
    /// The app cannot be measured with this workload.
    Refused {
        /// Why.
        reasons: Vec<String>,
        /// Whether the reasons lie outside the app, so that trying again may help.
        inconclusive: bool,
    },
    /// The app could not be made ready, or its results could not be stored.
    Failed {
        /// Why, with what to do about it.
        message: String,
        /// Whether what surrounds Loupe is at fault, such as a full disk, and not the app.
        environment: bool,
    },
    /// Loupe was asked to stop. What was found is kept.
    Interrupted,
}

/// A campaign in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Totals {
    /// Why the results prove little, if they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caveat: Option<Caveat>,
    /// Calls that a trace saw.
    pub used: usize,
    /// Calls that neither a stub nor a fake can replace.
    pub required: usize,
    /// Calls that only a stub can replace.
    pub stub: usize,
    /// Calls that only a fake can replace.
    pub fake: usize,
    /// Calls that both can replace.
    pub any: usize,
    /// Calls that the joint configuration avoids.
    pub joint_avoided: usize,
    /// How many of its runs passed …
    pub joint_verified: u32,
    /// … of how many.
    pub joint_of: u32,
    /// Calls and pseudo-files that the joint configuration uses and no trace shows; `None` where that is not known.
    pub fallbacks: Option<usize>,
    /// Calls whose trials disagreed.
    pub unstable: usize,
    /// Calls whose treatment was never hit in a trial that passed.
    pub unexercised: usize,
    /// Calls of which a stub or fake passes, but does worse than the baseline.
    pub degraded: usize,
    /// Calls whose verdict was found with another image and holds for this one, as far as groups can tell.
    pub taken_over: usize,
    /// Calls whose verdict follows from the joint configuration alone.
    pub inferred: usize,
    /// Trials in the evidence.
    pub trials: usize,
    /// Trials that were run now.
    pub run: usize,
    /// Time that the campaign took in milliseconds, image builds included; 0 if nothing was run.
    pub milliseconds: u64,
}
