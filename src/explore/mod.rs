//! Which trials next, and what do they mean? The trial planner of a campaign.
//!
//! Between the vocabulary of trials and the campaign that has them run on an engine. Pure: no I/O, no clock, no randomness.
//! The [`Explorer`] hands out requests and takes reports; that some trials run at the same time, on which engine, or were
//! stored by an earlier run of the campaign, is none of its business. What it asks for and what it finds depends on the
//! outcomes alone, not on the order in which they are recorded.
//!
//! ```text
//! traces + baselines ─▶ control ─▶ singles (every seen call × stub, fake) ─▶ joint ─▶ Findings
//!   have to pass         has to fail          verdicts                     verified by running it
//!        └───────────────────┴──▶ Refused
//! ```
//!
//! Traces and baselines run side by side. A workload that passes with everything stubbed could not tell a working app from
//! a broken one, and is refused as well. `replicas` holds the rules of when a trial counts, `joint` the search for the
//! largest configuration, `verdict` and `findings` what comes out, [`model`] stands in for an app in tests.
//!
//! # Bounds
//!
//! Whatever the outcomes, a campaign ends: every question about an intervention is decided after a fixed number of
//! conclusive runs, or after `inconclusive_limit` inconclusive ones, and `joint` asks a bounded number of questions.
//! [`Settings::most_trials`] is the bound.

mod findings;
mod joint;
pub mod model;
mod replicas;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub use findings::{Culprit, Findings, Joint, Measured, Refusal, Row};
pub use verdict::{Plan, TreatmentResult, UnknownName, Verdict};

use crate::syscalls::Sysno;
use crate::trial::{Intervention, Outcome, Purpose, Treatment, TrialId, TrialRequest, Watch};
use joint::{Avoidable, Sureness, Unanswered};
use replicas::{Answer, IDLE_RUNS, Ledger, PROBE_RUNS, Passing};

/// How thorough a campaign is. Every number counts as at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
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
    /// Whether a pass counts only if the treated call was made. `false` runs treated trials with [`Watch::Nothing`].
    pub count_hits: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { baselines: 3, joint_runs: 3, traces: 2, single_runs_limit: 5, inconclusive_limit: 3, count_hits: true }
    }
}

impl Settings {
    fn at_least_one(self) -> Self {
        Self {
            baselines: self.baselines.max(1),
            joint_runs: self.joint_runs.max(1),
            traces: self.traces.max(1),
            single_runs_limit: self.single_runs_limit.max(1),
            inconclusive_limit: self.inconclusive_limit.max(1),
            count_hits: self.count_hits,
        }
    }

    /// More trials than these cannot be asked for, if `used` calls are seen.
    ///
    /// One intervention takes at most as many conclusive runs as the most demanding question asks for. A batch is asked for
    /// only while fewer than `inconclusive_limit` runs were inconclusive, so at most one batch goes beyond the limit. The
    /// number of interventions is one for traces, baselines and control each, two per call, and those of the search.
    #[must_use]
    pub fn most_trials(self, used: u32) -> u32 {
        let settings = self.at_least_one();
        let batch = settings.baselines.max(settings.joint_runs).max(settings.traces);
        let conclusive = batch.max(settings.single_runs_limit).max(IDLE_RUNS).max(PROBE_RUNS);
        let growths = u32::try_from(joint::RESTARTS).unwrap_or(u32::MAX) + 2;
        let interventions = 3 + 2 * used + 3 * used * growths;
        interventions * (conclusive + settings.inconclusive_limit - 1 + batch)
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
    /// The calls that were notified at least once: all used ones for a trace, the treated ones that were hit otherwise.
    pub seen: BTreeSet<Sysno>,
}

/// The part of a campaign that is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Traces and baselines.
    Baseline,
    /// Everything stubbed at once.
    Control,
    /// Each call alone.
    Singles,
    /// What can be avoided all at once.
    Joint,
    /// Nothing more to run.
    Done,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Baseline => "baseline",
            Self::Control => "control",
            Self::Singles => "singles",
            Self::Joint => "joint",
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

/// Calls that an app uses, as long as nothing is known of it.
const USUAL_CALLS: u32 = 50;

/// The planner of one campaign. See the module's description.
#[derive(Debug)]
pub struct Explorer {
    settings: Settings,
    ledger: Ledger,
    stage: Stage,
    used: BTreeSet<Sysno>,
    singles: BTreeMap<(Sysno, Treatment), TreatmentResult>,
    findings: Option<Findings>,
}

impl Explorer {
    /// A campaign of which nothing is known yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: settings.at_least_one(),
            ledger: Ledger::default(),
            stage: Stage::Baseline,
            used: BTreeSet::new(),
            singles: BTreeMap::new(),
            findings: None,
        }
    }

    /// The next thing to do. To be called until it says [`Step::Wait`] or [`Step::Finished`], and again after each record.
    ///
    /// # Panics
    ///
    /// Only if the planner itself is broken: rather than wait for ever when nothing runs.
    #[expect(clippy::should_implement_trait, reason = "a step depends on what was recorded: this is no iterator")]
    pub fn next(&mut self) -> Step {
        loop {
            if let Some(request) = self.ledger.take() {
                return Step::Run(request);
            }
            if let Some(findings) = &self.findings {
                return Step::Finished(findings.clone());
            }
            let asked = self.ledger.asked();
            let moved = self.advance();
            if !moved && self.ledger.asked() == asked {
                assert!(self.ledger.waiting(), "invariant: a stage that neither ends nor asks waits for a trial");
                return Step::Wait;
            }
        }
    }

    /// Takes the result of a trial.
    ///
    /// # Panics
    ///
    /// If [`Explorer::next`] never gave out `id`, or it was recorded before.
    pub fn record(&mut self, id: TrialId, report: Report) {
        self.ledger.record(id, report);
    }

    /// How far the campaign is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let settings = &self.settings;
        let first = settings.traces + settings.baselines;
        let done = self.ledger.recorded();
        let running = self.ledger.asked() - done;
        let left = match self.stage {
            Stage::Baseline => (first + 1 + 3 * USUAL_CALLS + settings.joint_runs).saturating_sub(done),
            // Each call costs two trials, and about every other one fails and is run again.
            Stage::Control => running.max(1) + 3 * count(self.used.len()) + settings.joint_runs,
            Stage::Singles => {
                let open = self.used.iter().flat_map(|call| Treatment::ALL.map(|treatment| (*call, treatment)));
                let open = open.filter(|single| !self.singles.contains_key(single));
                let fresh = open.filter(|(call, treatment)| {
                    self.ledger.runs(self.treated(), &Intervention::single(*call, *treatment)).reports().next().is_none()
                });
                running + count(fresh.count()) / 2 + settings.joint_runs
            }
            Stage::Joint => running,
            Stage::Done => 0,
        };
        Progress { done, total: done + left, stage: self.stage }
    }

    /// The watch of trials that treat something.
    fn treated(&self) -> Watch {
        if self.settings.count_hits { Watch::Treated } else { Watch::Nothing }
    }

    /// Asks for what the stage still needs; ends it if nothing. Returns whether it ended.
    fn advance(&mut self) -> bool {
        match self.stage {
            Stage::Baseline => self.advance_baseline(),
            Stage::Control => self.advance_control(),
            Stage::Singles => self.advance_singles(),
            Stage::Joint => self.advance_joint(),
            Stage::Done => false,
        }
    }

    fn refuse(&mut self, refusals: Vec<Refusal>) -> bool {
        self.findings = Some(Findings::Refused(refusals));
        self.stage = Stage::Done;
        true
    }

    fn advance_baseline(&mut self) -> bool {
        let none = Intervention::none();
        let questions = [
            (Purpose::Trace, Watch::Everything, self.settings.traces),
            (Purpose::Baseline, Watch::Treated, self.settings.baselines),
        ];
        let mut refusals = Vec::new();
        let mut open = false;
        for (purpose, watch, wanted) in questions {
            let runs = self.ledger.runs(watch, &none);
            if runs.pending() {
                open = true;
                continue;
            }
            match runs.every(wanted, &self.settings) {
                Answer::More(count) => {
                    open = true;
                    self.ledger.ask(purpose, watch, &none, count);
                }
                Answer::Known(Passing::Yes) => {}
                Answer::Known(Passing::No | Passing::Unknown) => {
                    refusals.extend(runs.troubles().map(|(replica, outcome)| {
                        let outcome = outcome.clone();
                        if purpose == Purpose::Trace {
                            Refusal::Trace { replica, outcome }
                        } else {
                            Refusal::Baseline { replica, outcome }
                        }
                    }));
                }
            }
        }
        if open {
            return false;
        }
        if !refusals.is_empty() {
            return self.refuse(refusals);
        }
        self.used = self.ledger.seen_in_traces();
        if self.used.is_empty() {
            return self.refuse(vec![Refusal::NothingSeen]);
        }
        self.stage = Stage::Control;
        true
    }

    fn advance_control(&mut self) -> bool {
        let watch = self.treated();
        let everything = self.used.iter().map(|call| (*call, Treatment::Stub)).collect();
        let runs = self.ledger.runs(watch, &everything);
        if runs.pending() {
            return false;
        }
        match runs.control(&self.settings) {
            Answer::More(count) => {
                self.ledger.ask(Purpose::Control, watch, &everything, count);
                false
            }
            Answer::Known(Passing::No) => {
                self.stage = Stage::Singles;
                true
            }
            Answer::Known(Passing::Yes) => self.refuse(vec![Refusal::ControlPassed]),
            Answer::Known(Passing::Unknown) => {
                let last = runs.troubles().last().map(|(_, outcome)| outcome.clone());
                let outcome = last.expect("invariant: a control is unknown only after an inconclusive run");
                self.refuse(vec![Refusal::ControlInconclusive { outcome }])
            }
        }
    }

    fn advance_singles(&mut self) -> bool {
        let watch = self.treated();
        for &call in &self.used {
            for treatment in Treatment::ALL {
                if self.singles.contains_key(&(call, treatment)) {
                    continue;
                }
                let intervention = Intervention::single(call, treatment);
                let runs = self.ledger.runs(watch, &intervention);
                if runs.pending() {
                    continue;
                }
                match runs.single(call, &self.settings) {
                    Answer::More(count) => self.ledger.ask(Purpose::Single, watch, &intervention, count),
                    Answer::Known(result) => {
                        self.singles.insert((call, treatment), result);
                    }
                }
            }
        }
        let ended = self.singles.len() == self.used.len() * Treatment::ALL.len();
        if ended {
            self.stage = Stage::Joint;
        }
        ended
    }

    /// What was found out about `call` alone.
    fn alone(&self, call: Sysno) -> (TreatmentResult, TreatmentResult, Option<Verdict>) {
        let result =
            |treatment| *self.singles.get(&(call, treatment)).expect("invariant: every single is decided before the joint stage");
        let (stub, fake) = (result(Treatment::Stub), result(Treatment::Fake));
        let complete = !stub.inconclusive() && !fake.inconclusive();
        (stub, fake, complete.then(|| Verdict::from_treatments(stub.works(), fake.works())))
    }

    fn advance_joint(&mut self) -> bool {
        if self.ledger.waiting() {
            return false;
        }
        let avoidable: Vec<_> = self
            .used
            .iter()
            .filter_map(|&call| Some(Avoidable { call, treatments: self.alone(call).2?.treatments() }))
            .filter(|item| !item.treatments.is_empty())
            .collect();
        let mut unknown = BTreeSet::new();
        let watch = self.treated();
        let found = joint::search(&avoidable, |configuration, sureness| {
            let runs = self.ledger.runs(watch, configuration);
            let answer = match sureness {
                Sureness::Probe => runs.probe(&self.settings),
                Sureness::Verified => runs.verified(self.settings.joint_runs, &self.settings),
            };
            match answer {
                Answer::More(runs) => Err(Unanswered { configuration: configuration.clone(), sureness, runs }),
                Answer::Known(passing) => {
                    if passing == Passing::Unknown {
                        unknown.insert(configuration.clone());
                    }
                    Ok(passing)
                }
            }
        });
        match found {
            Err(Unanswered { configuration, sureness, runs }) => {
                let purpose = match sureness {
                    Sureness::Probe => Purpose::Search,
                    Sureness::Verified => Purpose::Joint,
                };
                self.ledger.ask(purpose, watch, &configuration, runs);
                false
            }
            Ok(found) => {
                self.findings = Some(Findings::Measured(self.measured(&found, &unknown)));
                self.stage = Stage::Done;
                true
            }
        }
    }

    fn measured(&self, found: &joint::Found, unknown: &BTreeSet<Intervention>) -> Measured {
        let watch = self.treated();
        let configuration = found.configuration.clone();
        let runs = if configuration.is_empty() {
            self.ledger.runs(Watch::Treated, &configuration)
        } else {
            self.ledger.runs(watch, &configuration)
        };
        let (verified, of) = (runs.passes(), runs.passes() + runs.fails());
        let mut rows = BTreeMap::new();
        let mut incomplete = Vec::new();
        for &call in &self.used {
            let (stub, fake, verdict) = self.alone(call);
            rows.insert(call, Row { stub, fake, verdict, joint: Plan::from(configuration.get(call)) });
            for (treatment, result) in Treatment::ALL.into_iter().zip([stub, fake]) {
                if result.inconclusive() {
                    incomplete.push(format!("`{call}` {treatment}: {result}"));
                }
            }
        }
        incomplete.extend(unknown.iter().map(|configuration| {
            let last = self.ledger.runs(watch, configuration).troubles().last().map(|(_, outcome)| outcome.to_string());
            format!("joint run of {} calls: {}", configuration.len(), last.unwrap_or_default())
        }));
        let mut culprits: Vec<_> = found.dropped.iter().map(|dropped| self.culprit(dropped)).collect();
        culprits.sort_by_key(|culprit| culprit.call);
        Measured { rows, joint: Joint { configuration, verified, of, culprits }, incomplete }
    }

    fn culprit(&self, dropped: &joint::Dropped) -> Culprit {
        let runs = self.ledger.runs(self.treated(), &dropped.configuration());
        let (passes, fails) = (runs.passes(), runs.fails());
        let trouble = runs.troubles().find(|(_, outcome)| fails == 0 || matches!(outcome, Outcome::Fail(_)));
        let mut reason = trouble.map(|(_, outcome)| outcome.to_string()).unwrap_or_default();
        if passes > 0 {
            reason = format!("{reason} (unstable: {passes} of {} passed)", passes + fails);
        }
        Culprit { call: dropped.call, treatment: dropped.treatment, together_with: dropped.together_with.clone(), reason }
    }
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
