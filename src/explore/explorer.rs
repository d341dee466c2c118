//! The planner itself: which stage asks for which trials, and what ends it. Pure.
//!
//! Every stage is a question about what the ledger holds: it asks for what is missing, or moves on. Nothing else is remembered of
//! the way, so a campaign that is resumed gets to where it was by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::fallbacks::MissingRuns;
use super::findings::{Culprit, Findings, Refusal};
use super::guess::Look;
use super::joint::{self, Avoidable, Found, Sureness, Unanswered};
use super::ledger::Ledger;
use super::replicas::{Answer, Ask, Passing};
use super::verdict::{TreatmentResult, Verdict};
use super::{Details, Knowledge, Progress, Report, Settings, Stage, Step, Strategy, count, guess, known};
use crate::trial::{Care, Intervention, Item, Outcome, Purpose, Treatment, TrialId, Watch};

/// Calls that an app uses, and details of them that are tried, as long as nothing is known of it.
const USUAL_CALLS: u32 = 50;
const USUAL_DETAILS: u32 = 50;

/// Both treatments, the fake first.
const FAKE_FIRST: [Treatment; 2] = [Treatment::Fake, Treatment::Stub];

/// The planner of one campaign. See the description of `explore`.
#[derive(Debug)]
pub struct Explorer {
    pub(super) settings: Settings,
    pub(super) knowledge: Knowledge,
    pub(super) ledger: Ledger,
    pub(super) stage: Stage,
    /// Everything that a trace saw: calls and details.
    pub(super) used: BTreeSet<Item>,
    /// What is taken over from another image, and the configuration that was verified for it.
    pub(super) taken_over: BTreeMap<(Item, Treatment), TreatmentResult>,
    verified: Option<Found>,
    /// Items that the configuration of another image had to leave out, and that are left out again.
    pub(super) left_out: Vec<Culprit>,
    pub(super) singles: BTreeMap<(Item, Treatment), TreatmentResult>,
    /// Singles of this stage that are run again alone, as they stand out.
    pub(super) suspects: Vec<(Item, Treatment)>,
    /// Runs of the baseline that were alone before that.
    pub(super) baselines_before: u32,
    /// Singles that stand out and are not run again, as others do so more.
    pub(super) unrepeated: BTreeSet<(Item, Treatment)>,
    /// What can be avoided of the calls, once that is known.
    pub(super) joint: Option<Found>,
    /// What stayed inconclusive of what was run on the way to a configuration.
    pub(super) unknown: BTreeSet<Intervention>,
    /// What can be avoided of calls and details, once that is known and more than of calls.
    pub(super) everything: Option<Found>,
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
            verified: None,
            left_out: Vec::new(),
            singles: BTreeMap::new(),
            suspects: Vec::new(),
            baselines_before: 0,
            unrepeated: BTreeSet::new(),
            joint: None,
            unknown: BTreeSet::new(),
            everything: None,
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
        let tries_details = settings.details != Details::None;
        let verifications = settings.joint_runs * if tries_details { 2 } else { 1 };
        let after_control = |calls: u32, details: u32| match (&self.knowledge.before, settings.strategy) {
            (Some(_), _) => settings.joint_runs + 2,
            (None, Strategy::Joint) => calls,
            // Each item costs two trials, and about every other one fails and is run again.
            (None, Strategy::Exhaustive) => 3 * (calls + details) + verifications,
        };
        let open = |items: &BTreeSet<Item>| {
            let open = items.iter().flat_map(|item| Treatment::ALL.map(|treatment| (*item, treatment)));
            let fresh = open.filter(|single| !self.singles.contains_key(single)).filter(|(item, treatment)| {
                self.ledger.runs(self.treated(), &Intervention::single(*item, *treatment)).reports().next().is_none()
            });
            count(fresh.count()) / 2
        };
        // Most calls are implemented in the end, as far as is known before: about a third of what was seen of their details is tried.
        let details = if tries_details { count(self.used.len() - self.calls().len()) / 3 } else { 0 };
        let left = match self.stage {
            Stage::Baseline => {
                let details = if tries_details { USUAL_DETAILS } else { 0 };
                (first + 1 + after_control(USUAL_CALLS, details)).saturating_sub(done)
            }
            Stage::Control => running.max(1) + after_control(count(self.calls().len()), details),
            Stage::Singles => running + open(&self.calls()) + 3 * details + verifications,
            Stage::Known | Stage::Quiet | Stage::Joint => running + 3 * details + verifications,
            Stage::Details => running + open(&self.details()) + settings.joint_runs,
            Stage::QuietDetails => running + settings.joint_runs,
            Stage::Everything | Stage::Reasons => running,
            Stage::Done => 0,
        };
        Progress { done, total: done + left, stage: self.stage }
    }

    /// The watch of trials that treat something.
    pub(super) fn treated(&self) -> Watch {
        if self.settings.count_hits { Watch::Treated } else { Watch::Nothing }
    }

    /// The calls among what was seen.
    pub(super) fn calls(&self) -> BTreeSet<Item> {
        self.used.iter().copied().filter(|item| item.call().is_some()).collect()
    }

    /// The details that are tried: those of calls that have to be implemented, unless the settings ask for others.
    pub(super) fn details(&self) -> BTreeSet<Item> {
        let implemented = |feature: &crate::syscalls::features::Feature| {
            let configuration = self.joint.as_ref().map(|found| &found.configuration);
            configuration.is_none_or(|configuration| configuration.get(feature.call()).is_none())
        };
        let wanted = |item: &Item| match (self.settings.details, item) {
            (Details::None, _) | (_, Item::Call(_)) => false,
            (Details::Required, Item::Feature(feature)) => implemented(feature),
            (Details::Required | Details::All, Item::File(_)) | (Details::All, Item::Feature(_)) => true,
        };
        if self.settings.strategy == Strategy::Joint {
            return BTreeSet::new();
        }
        self.used.iter().copied().filter(wanted).collect()
    }

    /// Asks for what the stage still needs; ends it if nothing. Returns whether it ended.
    fn advance(&mut self) -> bool {
        match self.stage {
            Stage::Baseline => self.advance_baseline(),
            Stage::Control => self.advance_control(),
            Stage::Known => self.advance_known(),
            Stage::Singles => self.advance_singles(&self.calls(), Stage::Quiet),
            Stage::Quiet => self.advance_quiet(Stage::Joint),
            Stage::Joint => match (self.settings.strategy, &self.knowledge.before) {
                (Strategy::Joint, None) => self.advance_guess(),
                (Strategy::Joint, Some(_)) | (Strategy::Exhaustive, _) => self.advance_joint(),
            },
            Stage::Details => self.advance_singles(&self.details(), Stage::QuietDetails),
            Stage::QuietDetails => self.advance_quiet(Stage::Everything),
            Stage::Everything => self.advance_everything(),
            Stage::Reasons => self.advance_reasons(),
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
            match runs.undisturbed(wanted, &self.settings) {
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
        self.ledger.note_others_than(self.used.clone());
        if self.calls().is_empty() {
            return self.refuse(vec![Refusal::nothing_seen(&self.ledger.foreign_in_traces())]);
        }
        self.stage = Stage::Control;
        true
    }

    fn advance_control(&mut self) -> bool {
        let watch = self.treated();
        let everything = self.calls().into_iter().map(|item| (item, Treatment::Stub)).collect();
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

    /// Tries each of the items alone, in both ways; moves on to `next` when all are decided.
    fn advance_singles(&mut self, items: &BTreeSet<Item>, next: Stage) -> bool {
        let watch = self.treated();
        for &item in items {
            for treatment in Treatment::ALL {
                if self.singles.contains_key(&(item, treatment)) {
                    continue;
                }
                if let Some(result) = self.taken_over.get(&(item, treatment)) {
                    self.singles.insert((item, treatment), *result);
                    continue;
                }
                let intervention = Intervention::single(item, treatment);
                let runs = self.ledger.runs(watch, &intervention);
                if runs.pending() {
                    continue;
                }
                match runs.single(item, &self.settings) {
                    Answer::More(ask) => self.ledger.ask(Purpose::Single, watch, &intervention, ask),
                    Answer::Known(result) => {
                        self.singles.insert((item, treatment), result);
                    }
                }
            }
        }
        let decided = |item: &Item| Treatment::ALL.iter().all(|treatment| self.singles.contains_key(&(*item, *treatment)));
        let ended = items.iter().all(decided);
        if ended {
            self.stage = next;
            self.suspect(items);
        }
        ended
    }

    /// What was found out about an item alone; not tried where no stage came to it.
    pub(super) fn alone(&self, item: Item) -> (TreatmentResult, TreatmentResult, Option<Verdict>) {
        let result = |treatment| self.singles.get(&(item, treatment)).copied().unwrap_or(TreatmentResult::Untried);
        let (stub, fake) = (result(Treatment::Stub), result(Treatment::Fake));
        let decided = |result: TreatmentResult| !result.inconclusive() && result != TreatmentResult::Untried;
        let complete = decided(stub) && decided(fake);
        (stub, fake, complete.then(|| Verdict::from_treatments(stub.works(), fake.works())))
    }

    /// Asks the oracle of the searches: what the ledger knows of a configuration.
    fn oracle(&self, configuration: &Intervention, sureness: Sureness) -> Result<Passing, Unanswered> {
        let runs = self.ledger.runs(self.treated(), configuration);
        let answer = match sureness {
            Sureness::Hunch => runs.hunch(&self.settings),
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
                Sureness::Hunch | Sureness::Glance | Sureness::Probe => look,
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
                self.verified = Some(verified.found);
                self.stage = Stage::Singles;
                true
            }
        }
    }

    fn advance_guess(&mut self) -> bool {
        if self.ledger.waiting() {
            return false;
        }
        let calls = self.calls();
        let order = self.ledger.order_in_traces();
        let mut unknown = BTreeSet::new();
        let guessed = guess::guess(&calls, &order, &self.knowledge.likelihoods, |configuration, sureness| {
            let passing = self.noted(configuration, sureness, &mut unknown)?;
            let reports = self.ledger.runs(self.treated(), configuration).reports();
            let failed = reports.filter(|report| matches!(report.outcome, Outcome::Fail(_))).last().cloned();
            Ok(Look { passing, failed })
        });
        match guessed {
            Err(missing) => self.ask_for(Purpose::Search, missing),
            Ok(guessed) => {
                for item in calls {
                    for treatment in Treatment::ALL {
                        let works = guessed.found.configuration.get(item) == Some(treatment);
                        let tried = !guessed.assumed.contains(&item);
                        self.singles.insert((item, treatment), TreatmentResult::Inferred { works, tried });
                    }
                }
                self.unknown.append(&mut unknown);
                self.joint = Some(guessed.found);
                self.finish(None)
            }
        }
    }

    /// The items that can be avoided alone, each with its treatments in the order in which a search tries them.
    fn avoidable(&self, items: &BTreeSet<Item>) -> Vec<Avoidable> {
        let left_out: BTreeSet<_> = self.left_out.iter().map(|culprit| culprit.item).collect();
        let avoidable = items.iter().filter(|item| !left_out.contains(item));
        let avoidable = avoidable.filter_map(|&item| Some(Avoidable { item, treatments: self.preferred(item)? }));
        avoidable.filter(|avoidable| !avoidable.treatments.is_empty()).collect()
    }

    /// What was verified of another image, if it is still all that can be avoided: then nothing has to be searched for.
    fn still_verified(&self, items: &BTreeSet<Item>) -> Option<Found> {
        let verified = self.verified.as_ref()?;
        let whole = self.avoidable(items).iter().all(|avoidable| verified.configuration.get(avoidable.item).is_some());
        (whole && verified.dropped.is_empty()).then(|| verified.clone())
    }

    fn advance_joint(&mut self) -> bool {
        if self.ledger.waiting() {
            return false;
        }
        let calls = self.calls();
        if let Some(verified) = self.still_verified(&calls) {
            let of_calls = verified.configuration.iter().filter(|(item, _)| item.call().is_some()).collect();
            self.joint = Some(Found { configuration: of_calls, dropped: Vec::new() });
            self.stage = Stage::Details;
            return true;
        }
        let mut unknown = BTreeSet::new();
        let none = Intervention::none();
        let avoidable = self.avoidable(&calls);
        let found = joint::search(&none, &avoidable, |configuration, sureness| self.noted(configuration, sureness, &mut unknown));
        match found {
            Err(missing) => {
                // With details, there is more to come before the others.
                if self.settings.details == Details::None {
                    return self.ask_to_verify(missing, &avoidable);
                }
                self.ask_for(Purpose::Search, vec![missing])
            }
            Ok(found) => {
                self.unknown.append(&mut unknown);
                self.joint = Some(found);
                self.stage = Stage::Details;
                true
            }
        }
    }

    /// Has the runs made that a search misses. Where that is the verification of everything, which passes as a rule, the others that
    /// come next are tried beside it: nothing else is there to be run.
    fn ask_to_verify(&mut self, missing: Unanswered, avoidable: &[Avoidable]) -> bool {
        let configuration = missing.configuration.clone();
        let is_new = self.ledger.runs(self.treated(), &configuration).reports().next().is_none();
        let is_everything = avoidable.iter().all(|avoidable| configuration.get(avoidable.item) == Some(avoidable.treatments[0]));
        let speculates = missing.sureness == Sureness::Verified && is_new && is_everything;
        self.ask_for(Purpose::Search, vec![missing]);
        if speculates {
            // It will be watched as well if it passes, and what follows depends on that.
            self.ask_to_watch(self.reasons_missing_of(&configuration));
            if let Err(others) = self.try_others(&configuration) {
                self.ask_for(Purpose::Others, others);
            }
        }
        false
    }

    /// The treatments of an item that work alone, in the order in which the search tries them; `None` if that is not known.
    fn preferred(&self, item: Item) -> Option<&'static [Treatment]> {
        let treatments = self.alone(item).2?.treatments();
        let before = self.knowledge.before.as_ref().and_then(|before| before.joint.get(item));
        // What was verified of another image is tried first.
        Some(if treatments.len() == 2 && before == Some(Treatment::Fake) { &FAKE_FIRST } else { treatments })
    }

    /// Has the treatments run, in groups, that the largest configuration did not choose although they work alone: with another image,
    /// that tells at one go whether they still do.
    fn try_others(&self, configuration: &Intervention) -> Result<(), Vec<Unanswered>> {
        if self.knowledge.before.is_some() {
            return Ok(());
        }
        let works = |item, treatment| self.singles.get(&(item, treatment)).is_some_and(|result| result.works());
        known::try_others(configuration, works, |configuration, sureness| self.oracle(configuration, sureness))
    }

    /// Verifies that the details that can be avoided can be so all at once, on top of the calls.
    fn advance_everything(&mut self) -> bool {
        if self.ledger.waiting() {
            return false;
        }
        let details = self.details();
        let of_calls = self.joint.as_ref().map(|found| found.configuration.clone()).unwrap_or_default();
        if let Some(verified) = self.still_verified(&details) {
            return self.finish(Some(&verified));
        }
        let avoidable = self.avoidable(&details);
        if avoidable.is_empty() {
            return self.finish_after_others(None, &of_calls);
        }
        let mut unknown = BTreeSet::new();
        let found =
            joint::search(&of_calls, &avoidable, |configuration, sureness| self.noted(configuration, sureness, &mut unknown));
        match found {
            Err(missing) => self.ask_to_verify(missing, &avoidable),
            Ok(found) => {
                self.unknown.append(&mut unknown);
                self.finish_after_others(Some(&found), &found.configuration)
            }
        }
    }

    /// Ends the campaign once the other treatments were tried on top of `configuration`, the largest that was verified.
    fn finish_after_others(&mut self, everything: Option<&Found>, configuration: &Intervention) -> bool {
        match self.try_others(configuration) {
            Err(missing) => {
                // It is known by now what will be watched, and there is nothing else to run beside the others.
                self.ask_to_watch(self.reasons_missing_of(configuration));
                self.ask_for(Purpose::Others, missing)
            }
            Ok(()) => self.finish(everything),
        }
    }

    /// Moves on to the last stage; `everything` is what can be avoided of calls and details, if that is more than of calls.
    fn finish(&mut self, everything: Option<&Found>) -> bool {
        self.everything = everything.cloned();
        self.stage = Stage::Reasons;
        true
    }

    /// Has these run with every call watched. That costs time, so each is given more of it straight away.
    fn ask_to_watch(&mut self, interventions: Vec<Intervention>) {
        for intervention in interventions {
            self.ledger.ask(Purpose::Reasons, Watch::Everything, &intervention, Ask { runs: 1, care: Care::Patient });
        }
    }

    /// Has what works run with every call watched, then ends the campaign.
    fn advance_reasons(&mut self) -> bool {
        if self.ledger.waiting() {
            return false;
        }
        let missing = self.reasons_missing();
        let fallbacks = self.fallbacks(&missing);
        self.ask_to_watch(missing);
        match fallbacks {
            Ok(fallbacks) => {
                self.findings = Some(Findings::Measured(Box::new(self.measured(self.everything.as_ref(), fallbacks))));
                self.stage = Stage::Done;
                true
            }
            Err(missing) => {
                for MissingRuns { watch, intervention, runs } in missing {
                    self.ledger.ask(Purpose::Fallback, watch, &intervention, Ask { runs, care: Care::Patient });
                }
                false
            }
        }
    }
}
