//! Which trials next, and what do they mean? The trial planner of a campaign.
//!
//! Between the vocabulary of trials and the campaign that has them run on an engine. Pure: no I/O, no clock, no randomness.
//! The [`Explorer`] hands out requests and takes reports; that some trials run at the same time, on which engine, or were
//! stored by an earlier run of the campaign, is none of its business. What it asks for and what it finds depends on the
//! outcomes alone, not on the order in which they are recorded.
//!
//! ```text
//! traces + baselines ─▶ control ─▶ singles (every seen call × stub, fake) ─▶ joint ─▶ Findings
//!   have to pass         has to fail    │     verdicts                    ▲  verified by running it
//!        └───────────────────┼──▶ Refused                                 │
//!                            ├──▶ what is known of another image: groups ─┤   only what broke or is new becomes a single
//!                            └──▶ guesses (strategy `joint`) ─────────────┘   verdicts are inferred
//! ```
//!
//! Traces and baselines run side by side. A workload that passes with everything stubbed could not tell a working app from
//! a broken one, and is refused as well. `replicas` holds the rules of when a trial counts, `ledger` what was asked for and
//! recorded, `joint` the search for the largest configuration, `guess` the way there without singles and `likelihood` what
//! orders it, `known` the use of what was found of another image, `degradation` tells a pass from a poor pass, `verdict` and
//! `findings` are what comes out, [`model`] stands in for an app in tests.
//!
//! Speed can't be compared while trials run side by side: passes that look slow are run again alone before the joint stage, and
//! so is the baseline then. Those runs count as every other run of the same intervention does.
//!
//! # Bounds
//!
//! Whatever the outcomes, a campaign ends: every question about an intervention is decided after a fixed number of
//! conclusive runs, or after `inconclusive_limit` inconclusive ones, and `joint` asks a bounded number of questions.
//! [`Settings::most_trials`] is the bound.

mod degradation;
mod findings;
mod guess;
mod joint;
mod known;
mod ledger;
mod likelihood;
pub mod model;
mod replicas;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub use findings::{Culprit, Findings, Joint, Measured, Origin, Refusal, Row};
pub use known::Known;
pub use likelihood::Likelihoods;
pub use verdict::{Plan, TreatmentResult, UnknownName, Verdict};

use crate::syscalls::Sysno;
use crate::trial::{Care, Degradation, Intervention, Measures, Outcome, Purpose, Treatment, TrialId, TrialRequest, Watch};
use joint::{Avoidable, Sureness, Unanswered};
use ledger::Ledger;
use replicas::{Answer, Ask, IDLE_RUNS, PROBE_RUNS, Passing, Runs};

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

/// How thorough a campaign is. Every number counts as at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// How it gets to its joint configuration.
    #[serde(default)]
    pub strategy: Strategy,
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
        Self {
            strategy: Strategy::Exhaustive,
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
    fn at_least_one(self) -> Self {
        Self {
            strategy: self.strategy,
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
        // Runs with doubtful failures: a batch, one that is repeated with care, and then runs that are alone, which are never in doubt.
        let doubtful = batch + 1;
        let growths = u32::try_from(joint::RESTARTS).unwrap_or(u32::MAX) + 2;
        // The search is gone through once for what is known of another image, and once in the end; guesses ask less than a growth.
        let searches = 2 * 3 * used * growths + 3 * used;
        let interventions = 3 + 2 * used + searches;
        interventions * (conclusive + settings.inconclusive_limit - 1 + batch + doubtful)
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
    /// Whether its failure may be the hurry's or the host's doing ([`crate::trial::is_doubtful`]).
    pub doubtful: bool,
    /// How well the app did.
    pub measures: Measures,
}

impl Report {
    /// A report of a trial whose failure, if it is one, is not in doubt, and of which nothing was measured.
    #[must_use]
    pub fn new(outcome: Outcome, seen: BTreeSet<Sysno>) -> Self {
        Self { outcome, seen, doubtful: false, measures: Measures::default() }
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
    /// Slow passes once more, each alone.
    Quiet,
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
            Self::Known => "known",
            Self::Singles => "singles",
            Self::Quiet => "quiet",
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
    knowledge: Knowledge,
    ledger: Ledger,
    stage: Stage,
    used: BTreeSet<Sysno>,
    /// What is taken over from another image.
    taken_over: BTreeMap<(Sysno, Treatment), TreatmentResult>,
    /// Calls that the joint configuration of another image had to leave out, and that are left out again.
    left_out: Vec<Culprit>,
    singles: BTreeMap<(Sysno, Treatment), TreatmentResult>,
    /// Singles that are run again alone, as they looked slow.
    suspects: BTreeSet<(Sysno, Treatment)>,
    findings: Option<Findings>,
}

impl Explorer {
    /// A campaign of which nothing is known yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::with(settings, Knowledge::default())
    }

    /// A campaign before which something is known.
    #[must_use]
    pub fn with(settings: Settings, knowledge: Knowledge) -> Self {
        let mut settings = settings.at_least_one();
        if knowledge.before.is_some() {
            // A trace is a run without intervention, too.
            settings.baselines = 1;
        }
        Self {
            settings,
            knowledge,
            ledger: Ledger::default(),
            stage: Stage::Baseline,
            used: BTreeSet::new(),
            taken_over: BTreeMap::new(),
            left_out: Vec::new(),
            singles: BTreeMap::new(),
            suspects: BTreeSet::new(),
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
        let after_control = |used: u32| match (&self.knowledge.before, settings.strategy) {
            (Some(_), _) => settings.joint_runs + 2,
            (None, Strategy::Joint) => used,
            // Each call costs two trials, and about every other one fails and is run again.
            (None, Strategy::Exhaustive) => 3 * used + settings.joint_runs,
        };
        let left = match self.stage {
            Stage::Baseline => (first + 1 + after_control(USUAL_CALLS)).saturating_sub(done),
            Stage::Control => running.max(1) + after_control(count(self.used.len())),
            Stage::Singles => {
                let open = self.used.iter().flat_map(|call| Treatment::ALL.map(|treatment| (*call, treatment)));
                let open = open.filter(|single| !self.singles.contains_key(single));
                let fresh = open.filter(|(call, treatment)| {
                    self.ledger.runs(self.treated(), &Intervention::single(*call, *treatment)).reports().next().is_none()
                });
                running + count(fresh.count()) / 2 + settings.joint_runs
            }
            Stage::Known | Stage::Quiet => running + settings.joint_runs,
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
            Stage::Known => self.advance_known(),
            Stage::Singles => self.advance_singles(),
            Stage::Quiet => self.advance_quiet(),
            Stage::Joint => match (self.settings.strategy, &self.knowledge.before) {
                (Strategy::Joint, None) => self.advance_guess(),
                (Strategy::Joint, Some(_)) | (Strategy::Exhaustive, _) => self.advance_joint(),
            },
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
                Answer::More(ask) => {
                    open = true;
                    self.ledger.ask(purpose, watch, &none, ask);
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
        match runs.glance(&self.settings) {
            Answer::More(ask) => {
                self.ledger.ask(Purpose::Control, watch, &everything, ask);
                false
            }
            Answer::Known(Passing::No) => {
                self.stage = match (&self.knowledge.before, self.settings.strategy) {
                    (Some(_), _) => Stage::Known,
                    (None, Strategy::Exhaustive) => Stage::Singles,
                    (None, Strategy::Joint) => Stage::Joint,
                };
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
                if let Some(result) = self.taken_over.get(&(call, treatment)) {
                    self.singles.insert((call, treatment), *result);
                    continue;
                }
                let intervention = Intervention::single(call, treatment);
                let runs = self.ledger.runs(watch, &intervention);
                if runs.pending() {
                    continue;
                }
                match runs.single(call, &self.settings) {
                    Answer::More(ask) => self.ledger.ask(Purpose::Single, watch, &intervention, ask),
                    Answer::Known(result) => {
                        self.singles.insert((call, treatment), result);
                    }
                }
            }
        }
        let ended = self.singles.len() == self.used.len() * Treatment::ALL.len();
        if ended {
            self.stage = Stage::Quiet;
            self.suspects = self.slow_singles();
        }
        ended
    }

    /// The singles that were measured now and pass so slowly, beside each other, that they are suspicious.
    fn slow_singles(&self) -> BTreeSet<(Sysno, Treatment)> {
        let works = self.singles.iter().filter(|(single, result)| result.works() && !self.taken_over.contains_key(single));
        let passes: Vec<_> = works.filter_map(|(single, _)| Some((*single, self.first_pass(*single)?))).collect();
        let measures: Vec<_> = passes.iter().map(|(_, measures)| *measures).collect();
        degradation::suspects(&measures).into_iter().map(|index| passes[index].0).collect()
    }

    /// What the first run of a single that passed measured.
    fn first_pass(&self, (call, treatment): (Sysno, Treatment)) -> Option<Measures> {
        let runs = self.ledger.runs(self.treated(), &Intervention::single(call, treatment));
        runs.reports().find(|report| matches!(report.outcome, Outcome::Pass)).map(|report| report.measures)
    }

    /// Runs what looked slow once more, alone, and the baseline too; then decides those singles again, as a run that fails now is
    /// evidence like any other.
    fn advance_quiet(&mut self) -> bool {
        if self.ledger.waiting() {
            return false;
        }
        let none = Intervention::none();
        let watch = self.treated();
        let wanted = |intervention: &Intervention| if intervention.is_empty() { QUIET_BASELINES } else { 1 };
        let interventions = self.suspects.iter().map(|(call, treatment)| Intervention::single(*call, *treatment));
        let quiet: Vec<_> = std::iter::once(none).filter(|_| !self.suspects.is_empty()).chain(interventions).collect();
        let mut asked = false;
        for intervention in quiet {
            let watch = if intervention.is_empty() { Watch::Treated } else { watch };
            let runs = self.ledger.runs(watch, &intervention);
            let done = runs.alone().count();
            let missing = wanted(&intervention).saturating_sub(count(done));
            if missing > 0 {
                let ask = Ask { runs: missing, care: Care::Alone };
                self.ledger.ask(Purpose::Quiet, watch, &intervention, ask);
                asked = true;
                continue;
            }
            let Some((call, _)) = intervention.iter().next() else { continue };
            if let Answer::More(ask) = runs.single(call, &self.settings) {
                self.ledger.ask(Purpose::Single, watch, &intervention, ask);
                asked = true;
            }
        }
        if asked {
            return false;
        }
        for &(call, treatment) in &self.suspects {
            let runs = self.ledger.runs(watch, &Intervention::single(call, treatment));
            if let Answer::Known(result) = runs.single(call, &self.settings) {
                self.singles.insert((call, treatment), result);
            }
        }
        self.stage = Stage::Joint;
        true
    }

    /// What was found out about `call` alone.
    fn alone(&self, call: Sysno) -> (TreatmentResult, TreatmentResult, Option<Verdict>) {
        let result =
            |treatment| *self.singles.get(&(call, treatment)).expect("invariant: every single is decided before the joint stage");
        let (stub, fake) = (result(Treatment::Stub), result(Treatment::Fake));
        (stub, fake, verdict(stub, fake))
    }

    /// Asks the oracle of `joint` and `guess`: what the ledger knows of a configuration.
    fn oracle(&self, configuration: &Intervention, sureness: Sureness) -> Result<Passing, Unanswered> {
        let runs = self.ledger.runs(self.treated(), configuration);
        let answer = match sureness {
            Sureness::Glance => runs.glance(&self.settings),
            Sureness::Probe => runs.probe(&self.settings),
            Sureness::Verified => runs.verified(self.settings.joint_runs, &self.settings),
        };
        match answer {
            Answer::More(ask) => Err(Unanswered { configuration: configuration.clone(), sureness, ask }),
            Answer::Known(passing) => Ok(passing),
        }
    }

    /// The same, taking note of what stayed inconclusive.
    fn noted(
        &self,
        configuration: &Intervention,
        sureness: Sureness,
        unknown: &mut BTreeSet<Intervention>,
    ) -> Result<Passing, Unanswered> {
        let answer = self.oracle(configuration, sureness);
        if answer == Ok(Passing::Unknown) {
            unknown.insert(configuration.clone());
        }
        answer
    }

    /// Has the runs made that a search misses; `look` is what they are for unless they verify.
    fn ask_for(&mut self, look: Purpose, missing: Vec<Unanswered>) -> bool {
        let watch = self.treated();
        for Unanswered { configuration, sureness, ask } in missing {
            let purpose = match sureness {
                Sureness::Glance | Sureness::Probe => look,
                Sureness::Verified => Purpose::Joint,
            };
            self.ledger.ask(purpose, watch, &configuration, ask);
        }
        false
    }

    fn advance_known(&mut self) -> bool {
        if self.ledger.waiting() {
            return false;
        }
        let Some(before) = &self.knowledge.before else {
            self.stage = Stage::Singles;
            return true;
        };
        match known::verify(before, &self.used, |configuration, sureness| self.oracle(configuration, sureness)) {
            Err(missing) => self.ask_for(Purpose::Others, missing),
            Ok(verified) => {
                self.taken_over = verified.results;
                self.left_out = verified.left_out;
                self.stage = Stage::Singles;
                true
            }
        }
    }

    fn advance_guess(&mut self) -> bool {
        if self.ledger.waiting() {
            return false;
        }
        let mut unknown = BTreeSet::new();
        let guessed = guess::guess(&self.used, &self.knowledge.likelihoods, |configuration, sureness| {
            self.noted(configuration, sureness, &mut unknown)
        });
        match guessed {
            Err(missing) => self.ask_for(Purpose::Search, missing),
            Ok(guessed) => {
                for &call in &self.used {
                    for treatment in Treatment::ALL {
                        let works = guessed.found.configuration.get(call) == Some(treatment);
                        let tried = !guessed.assumed.contains(&call);
                        self.singles.insert((call, treatment), TreatmentResult::Inferred { works, tried });
                    }
                }
                self.finish(&guessed.found, &unknown)
            }
        }
    }

    fn advance_joint(&mut self) -> bool {
        if self.ledger.waiting() {
            return false;
        }
        let left_out: BTreeSet<_> = self.left_out.iter().map(|culprit| culprit.call).collect();
        let avoidable: Vec<_> = self
            .used
            .iter()
            .filter(|call| !left_out.contains(call))
            .filter_map(|&call| Some(Avoidable { call, treatments: self.preferred(call)? }))
            .filter(|item| !item.treatments.is_empty())
            .collect();
        let mut unknown = BTreeSet::new();
        let found = joint::search(&avoidable, |configuration, sureness| self.noted(configuration, sureness, &mut unknown));
        match found {
            Err(missing) => self.ask_for(Purpose::Search, vec![missing]),
            Ok(found) => match self.try_others(&found.configuration) {
                Err(missing) => self.ask_for(Purpose::Others, missing),
                Ok(()) => self.finish(&found, &unknown),
            },
        }
    }

    /// The treatments of `call` that work alone, in the order in which the search tries them; `None` if that is not known.
    fn preferred(&self, call: Sysno) -> Option<&'static [Treatment]> {
        let treatments = self.alone(call).2?.treatments();
        let before = self.knowledge.before.as_ref().and_then(|before| before.joint.get(call));
        // What was verified of another image is tried first.
        Some(if treatments.len() == 2 && before == Some(Treatment::Fake) { &FAKE_FIRST } else { treatments })
    }

    /// One run, in groups, of the treatments that the joint configuration did not choose although they work alone: with another
    /// image, that tells at one go whether they still do.
    fn try_others(&self, configuration: &Intervention) -> Result<(), Vec<Unanswered>> {
        if self.knowledge.before.is_some() {
            return Ok(());
        }
        let works = |call, treatment| self.singles.get(&(call, treatment)).is_some_and(|result| result.works());
        known::try_others(configuration, works, |configuration, sureness| self.oracle(configuration, sureness))
    }

    fn finish(&mut self, found: &joint::Found, unknown: &BTreeSet<Intervention>) -> bool {
        self.findings = Some(Findings::Measured(self.measured(found, unknown)));
        self.stage = Stage::Done;
        true
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
            let row = Row {
                stub,
                fake,
                verdict,
                joint: Plan::from(configuration.get(call)),
                origin: self.origin(call, stub),
                degraded: Treatment::ALL.into_iter().flat_map(|treatment| self.degraded(call, treatment)).collect(),
            };
            for (treatment, result) in Treatment::ALL.into_iter().zip([stub, fake]) {
                if result.inconclusive() {
                    incomplete.push(format!("`{call}` {treatment}: {result}"));
                }
            }
            rows.insert(call, row);
        }
        incomplete.extend(unknown.iter().map(|configuration| {
            let last = self.ledger.runs(watch, configuration).troubles().last().map(|(_, outcome)| outcome.to_string());
            format!("joint run of {} calls: {}", configuration.len(), last.unwrap_or_default())
        }));
        let mut culprits: Vec<_> = found.dropped.iter().map(|dropped| self.culprit(dropped)).collect();
        if self.settings.strategy == Strategy::Joint {
            // Nothing is known of what they would do alone.
            culprits.clear();
        }
        culprits.extend(self.left_out.iter().cloned());
        culprits.sort_by_key(|culprit| culprit.call);
        Measured { rows, joint: Joint { configuration, verified, of, culprits }, incomplete }
    }

    fn origin(&self, call: Sysno, stub: TreatmentResult) -> Origin {
        if matches!(stub, TreatmentResult::Inferred { .. }) {
            Origin::Inferred
        } else if Treatment::ALL.iter().any(|treatment| self.taken_over.contains_key(&(call, *treatment))) {
            Origin::TakenOver
        } else {
            Origin::Measured
        }
    }

    /// In what the passes of a single did worse than the baseline.
    fn degraded(&self, call: Sysno, treatment: Treatment) -> Vec<(Treatment, Degradation)> {
        if self.taken_over.contains_key(&(call, treatment)) {
            let before = self.knowledge.before.iter().flat_map(|before| before.degraded.iter());
            return before.filter(|(of, by, _)| *of == call && *by == treatment).map(|(_, by, what)| (*by, *what)).collect();
        }
        let works = self.singles.get(&(call, treatment)).is_some_and(|result| result.works());
        let Some(pass) = self.first_pass((call, treatment)).filter(|_| works) else { return Vec::new() };
        let none = Intervention::none();
        let baselines: Vec<_> = passing(self.ledger.runs(Watch::Treated, &none)).collect();
        let of_baseline: Vec<_> = self.ledger.runs(Watch::Treated, &none).alone().map(|report| report.measures).collect();
        let own = self.ledger.runs(self.treated(), &Intervention::single(call, treatment)).alone();
        let of_pass: Vec<_> =
            own.filter(|report| matches!(report.outcome, Outcome::Pass)).map(|report| report.measures).collect();
        let alone = (!of_pass.is_empty()).then_some((of_baseline.as_slice(), of_pass.as_slice()));
        degradation::degradations(&baselines, &pass, alone).into_iter().map(|what| (treatment, what)).collect()
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

/// What follows from what each treatment alone did; `None` if one of them stayed inconclusive.
fn verdict(stub: TreatmentResult, fake: TreatmentResult) -> Option<Verdict> {
    let complete = !stub.inconclusive() && !fake.inconclusive();
    complete.then(|| Verdict::from_treatments(stub.works(), fake.works()))
}

fn passing(runs: &Runs) -> impl Iterator<Item = Measures> + '_ {
    runs.reports().filter(|report| matches!(report.outcome, Outcome::Pass)).map(|report| report.measures)
}

/// Runs of the baseline that are alone, to be compared with passes that look slow.
const QUIET_BASELINES: u32 = 2;

/// Both treatments, the fake first.
const FAKE_FIRST: [Treatment; 2] = [Treatment::Fake, Treatment::Stub];

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
