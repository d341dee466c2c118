//! The phases in which passes that stand out are run again alone ([`super::degradation`] says which do, and what holds). Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::degradation::{self, Baselines, MOST_SUSPECTS, Overhead, QUIET_RUNS, Sample};
use super::replicas::{Answer, Ask};
use super::{Explorer, Report, Stage, count};
use crate::trial::{Care, Degradation, Intervention, Item, Measures, Outcome, Purpose, Treatment, Watch};

/// Times more than measured that an answer of the supervisor may take.
const ANSWER_FACTOR: u32 = 2;
/// Highest price of an answer; what is more is load on the host.
const DEAREST_ANSWER: Duration = Duration::from_micros(500);

impl Explorer {
    /// Chooses those of the items' treatments to run again alone that were measured now, pass, and stand out.
    pub(super) fn suspect(&mut self, items: &BTreeSet<Item>) {
        let works = self.singles.iter().filter(|(single, result)| items.contains(&single.0) && result.works());
        let measured = works.filter(|(single, _)| !self.taken_over.contains_key(single));
        let passes: Vec<_> = measured.filter_map(|(single, _)| Some((*single, self.first_pass(*single)?))).collect();
        let samples: Vec<_> = passes.iter().map(|(_, sample)| *sample).collect();
        let baselines = self.baselines();
        self.baselines_before = count(baselines.alone.len());
        let suspects = degradation::suspects(&samples, &baselines.others);
        self.suspects = suspects.into_iter().map(|index| passes[index].0).collect();
        let rest = self.suspects.len().min(MOST_SUSPECTS);
        self.unrepeated.extend(self.suspects.drain(rest..));
    }

    /// What the first run of a single that passed measured.
    fn first_pass(&self, (item, treatment): (Item, Treatment)) -> Option<Sample> {
        let runs = self.ledger.runs(self.treated(), &Intervention::single(item, treatment));
        let measures = passing(runs.reports()).next()?;
        Some(self.sample(item, measures))
    }

    /// What the runs of a single measured that were alone and passed.
    fn measured_alone(&self, item: Item, treatment: Treatment) -> Vec<Sample> {
        let runs = self.ledger.runs(self.treated(), &Intervention::single(item, treatment));
        passing(runs.alone()).map(|measures| self.sample(item, measures)).collect()
    }

    /// What the runs without any intervention measured that passed.
    fn baselines(&self) -> Baselines {
        let runs = self.ledger.runs(Watch::Treated, &Intervention::none());
        Baselines {
            alone: passing(runs.alone()).map(Sample::from).collect(),
            others: passing(runs.beside_others()).map(Sample::from).collect(),
        }
    }

    /// A run that treats `item`, with what the supervisor's answers took of it. As many as a trace counted calls are Loupe's doing; that the
    /// app makes more calls than it does otherwise is the treatment's.
    fn sample(&self, item: Item, measures: Measures) -> Sample {
        let traces = || passing(self.ledger.runs(Watch::Everything, &Intervention::none()).reports());
        let notified = match item {
            Item::Call(_) => self.ledger.uses_in_traces(item),
            Item::Feature(feature) => self.ledger.uses_in_traces(Item::Call(feature.call())),
            // Every call that takes a path.
            Item::File(_) => traces().map(|trace| trace.answers).max().unwrap_or(0),
        };
        let answers = u32::try_from(measures.answers.min(notified)).unwrap_or(u32::MAX);
        let price = |of: fn(&Measures) -> Duration| {
            let fastest = self.baselines().others.iter().map(|baseline| of(&baseline.measures)).min().unwrap_or_default();
            let each = |trace: Measures| {
                let more = of(&trace).saturating_sub(fastest).as_nanos() / u128::from(trace.answers.max(1));
                Duration::from_nanos(u64::try_from(more).unwrap_or(u64::MAX))
            };
            traces().map(each).max().unwrap_or_default().min(DEAREST_ANSWER).saturating_mul(ANSWER_FACTOR)
        };
        let processor = price(|measures| measures.cpu_time);
        // Where a client runs for a set time, that of the trace says nothing.
        let time = price(|measures| measures.time).max(processor);
        let overhead = Overhead { time: time.saturating_mul(answers), processor: processor.saturating_mul(answers) };
        Sample { measures, overhead }
    }

    /// Whether there is no use in another run alone: one failed, or too many were inconclusive.
    fn fails_alone(&self, watch: Watch, intervention: &Intervention) -> bool {
        let outcomes = || self.ledger.runs(watch, intervention).alone().map(|report| &report.outcome);
        let inconclusive = outcomes().filter(|outcome| matches!(outcome, Outcome::Inconclusive(_))).count();
        outcomes().any(|outcome| matches!(outcome, Outcome::Fail(_))) || count(inconclusive) >= self.settings.inconclusive_limit
    }

    /// The intervention of a suspect if a run of it alone is missing, with the number of those that were made.
    fn open_suspect(&self, (item, treatment): (Item, Treatment), baselines: &Baselines) -> Option<(Intervention, u32)> {
        let intervention = Intervention::single(item, treatment);
        let works = self.singles.get(&(item, treatment)).is_some_and(|result| result.works());
        if !works || self.fails_alone(self.treated(), &intervention) {
            return None;
        }
        let measured = self.measured_alone(item, treatment);
        let done = count(measured.len());
        (done < QUIET_RUNS && degradation::is_open(baselines, &measured)).then_some((intervention, done))
    }

    /// Runs what stands out again, alone, and in turn with it the baseline; decides those singles again, as a run that fails now is
    /// evidence like any other. Moves on to `next` when nothing more can be said.
    pub(super) fn advance_quiet(&mut self, next: Stage) -> bool {
        if self.ledger.waiting() {
            return false;
        }
        if self.decide_suspects_again() {
            return false;
        }
        let none = Intervention::none();
        let baselines = self.baselines();
        let open: Vec<_> = self.suspects.iter().filter_map(|suspect| self.open_suspect(*suspect, &baselines)).collect();
        // In step, so that a change of the machine's load between two rounds is one of the baseline's as well.
        let round = open.iter().map(|(_, done)| *done).min().filter(|_| !self.fails_alone(Watch::Treated, &none));
        let Some(round) = round else {
            self.stage = next;
            return true;
        };
        if count(baselines.alone.len()) <= self.baselines_before + round {
            self.ask_quietly(Watch::Treated, &none);
        }
        let watch = self.treated();
        for (intervention, _) in open.iter().filter(|(_, done)| *done == round) {
            self.ask_quietly(watch, intervention);
        }
        false
    }

    /// Decides the suspects by all of their runs. Returns whether that takes more of them.
    fn decide_suspects_again(&mut self) -> bool {
        let watch = self.treated();
        let mut asked = false;
        for (item, treatment) in self.suspects.clone() {
            let intervention = Intervention::single(item, treatment);
            match self.ledger.runs(watch, &intervention).single(item, &self.settings) {
                Answer::More(ask) => {
                    self.ledger.ask(Purpose::Single, watch, &intervention, ask);
                    asked = true;
                }
                Answer::Known(result) => {
                    self.singles.insert((item, treatment), result);
                }
            }
        }
        asked
    }

    fn ask_quietly(&mut self, watch: Watch, intervention: &Intervention) {
        self.ledger.ask(Purpose::Quiet, watch, intervention, Ask { runs: 1, care: Care::Alone });
    }

    /// In what the passes of a single differ from the baseline, as its runs alone show.
    pub(super) fn remarks(&self, item: Item, treatment: Treatment) -> Vec<Degradation> {
        let works = self.singles.get(&(item, treatment)).is_some_and(|result| result.works());
        if !works || self.fails_alone(self.treated(), &Intervention::single(item, treatment)) {
            return Vec::new();
        }
        degradation::degradations(&self.baselines(), &self.measured_alone(item, treatment))
    }
}

/// What the runs that passed measured.
fn passing<'a>(reports: impl Iterator<Item = &'a Report>) -> impl Iterator<Item = Measures> {
    reports.filter(|report| matches!(report.outcome, Outcome::Pass)).map(|report| report.measures)
}
