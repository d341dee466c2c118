//! Why an avoidable call is avoidable: what the app does with the answer of a stub or fake.
//!
//! After the store, before the report. Pure: everything is derived from trials that were stored, so a better rule needs no new
//! measurement. It changes no verdict.
//!
//! # The evidence
//!
//! - The item's own trials: how often it was treated, and lines of the app's output that no run without treatments has.
//! - A run with every call watched ([`Purpose::Reasons`], [`Purpose::Fallback`]): the next calls of the same thread after each of the first few answers, with
//!   their arguments and what they wrote.
//! - The traces: which calls follow the same item when the kernel runs it.
//!
//! The second kind comes, unless each treatment was asked for by itself (`--reasons each`), from runs in which everything avoidable is
//! avoided at once. Treatments may interact there: a reason says how many others there were ([`Reason::together_with`]). What follows
//! the next treated call of the same thread is taken to be the doing of that one, and is no evidence for the first.
//!
//! # The classes
//!
//! What follows an answer is held against what follows the item in the traces, in the best of all alignments ([`alignment`]): calls that
//! were *inserted* after the answer, and calls that were *skipped*.
//!
//! | class | rule, the first that holds |
//! |---|---|
//! | unexercised | the item was not treated even once in any of the runs |
//! | fallback | an inserted call is a known alternative of the item, or one that no trace shows and that does not just ask |
//! | default value | the item asks for something ([`asks`]), and calls were inserted or skipped or something new was logged |
//! | feature switched off | calls were skipped |
//! | ignored | the app goes on with the same calls; if something was logged, only that came in between |
//! | changed | calls were inserted, or the thread goes on in another way altogether, and none of the above explains it |
//! | not followed | it was treated, but no watched run shows what came next |
//!
//! A faked pseudo-file is an empty file, which an app notices only when it has looked into it: what comes up to there, at most to the
//! file's `close`, is left out of both.
//!
//! Of several answers, the most telling one decides: another call that stands in, then calls left out, then calls in between.
//!
//! # Limits
//!
//! Calls that the vDSO answers are not seen, and neither are results of calls that the kernel ran. An app may act on an answer much later
//! than after eight calls, or in another thread: that is not seen at all, and such a reason reads *ignored*. So a class says what was
//! seen, and its evidence says where.

pub mod alignment;
mod alternatives;
mod classify;
mod logged;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Serialize;

pub use alternatives::{alternatives, asks};
pub use classify::Class;

use crate::store::{Finished, TrialRecord};
use crate::syscalls::Sysno;
use crate::trial::{Aftermath, Intervention, Item, NextCall, Outcome, Purpose, Treatment, Watch};

/// How many calls after an answer are looked at for one that stands in, where the thread does not go on as in a trace.
const CONSIDERED: usize = 3;

/// Why one stub or fake passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reason {
    /// What was treated.
    pub item: Item,
    /// How.
    pub treatment: Treatment,
    /// What the app does with the answer.
    pub class: Class,
    /// How often it was treated in its own trials, at most; 0 where that was not counted.
    pub hits: u64,
    /// How many other items were treated in the watched run; `None` if there was none with this treatment.
    pub together_with: Option<usize>,
    /// Whether the watched run passed.
    pub passed: bool,
    /// What followed the answers.
    pub answers: Vec<Answered>,
    /// Lines of the app's output in the item's own trials that no run without treatments has.
    pub logged: Vec<String>,
    /// In what its passes did worse than the baseline.
    pub degraded: Vec<String>,
    /// What the app uses then and in no trace, wherever that comes.
    pub in_place: Vec<Item>,
}

/// One answer and what came after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answered {
    /// The thread's name.
    pub process: String,
    /// The treated call.
    pub made: String,
    /// The next calls of the thread.
    pub next: Vec<NextCall>,
    /// How many of them look into the empty file that a faked pseudo-file is: only what comes then is the app's reaction.
    pub looking: usize,
    /// How many of those after these come before the app goes on as in a trace.
    pub inserted: usize,
    /// How many of those after these are the same as in a trace.
    pub common: usize,
    /// Which of the next calls write a message that no run without treatments has.
    pub says: Vec<usize>,
    /// The calls that a trace shows after the item, and that were left out here.
    pub skipped: Vec<Sysno>,
    /// Those of the inserted calls that stand in for the treated one, in the order in which they were made.
    pub fallbacks: Vec<Sysno>,
    /// Whether there was something in a trace to hold it against.
    pub compared: bool,
    /// Whether the thread goes on as in a trace at all, within the calls that were followed.
    pub meets: bool,
}

impl Answered {
    /// Which of the next calls come before the app goes on as in a trace.
    #[must_use]
    pub fn inserted_range(&self) -> Range<usize> {
        self.looking..self.looking + self.inserted
    }

    /// The calls that come before the app goes on as in a trace.
    #[must_use]
    pub fn inserted_calls(&self) -> &[NextCall] {
        &self.next[self.inserted_range()]
    }
}

/// Every reason, by item and treatment, of what was found to work.
#[must_use]
pub fn reasons(finished: &Finished, trials: &[TrialRecord]) -> Vec<Reason> {
    let evidence = Evidence::new(trials);
    let works = |stub: bool, fake: bool| {
        Treatment::ALL.into_iter().zip([stub, fake]).filter(|(_, works)| *works).map(|(treatment, _)| treatment)
    };
    let calls = finished.verdicts.iter().flat_map(|(call, row)| works(row.stub, row.fake).map(|by| (Item::Call(*call), by)));
    let details = |stub: Option<bool>, fake: Option<bool>| works(stub == Some(true), fake == Some(true));
    let features =
        finished.features.iter().flat_map(|(item, row)| details(row.stub, row.fake).map(|by| (Item::Feature(*item), by)));
    let files =
        finished.pseudo_files.iter().flat_map(|(item, row)| details(row.stub, row.fake).map(|by| (Item::File(*item), by)));
    calls.chain(features).chain(files).map(|(item, treatment)| evidence.reason(finished, item, treatment)).collect()
}

/// Calls that the app makes only while others are treated: in a watched run, and in no trace. For results that were stored before there
/// was a table of fallbacks.
#[must_use]
pub fn only_while_treated(trials: &[TrialRecord]) -> BTreeSet<Sysno> {
    let made = |record: &TrialRecord| record.hits.keys().copied().collect::<Vec<_>>();
    let traced: BTreeSet<_> = trials.iter().filter(|trial| trial.purpose == Purpose::Trace).flat_map(made).collect();
    let watched = trials.iter().filter(|trial| trial.purpose == Purpose::Reasons && trial.result == Outcome::Pass);
    watched.flat_map(made).filter(|call| !traced.contains(call)).collect()
}

/// What the trials hold, in the form in which it is asked for.
struct Evidence<'a> {
    trials: &'a [TrialRecord],
    /// The watched runs, those of a single item first, then those that passed.
    watched: Vec<&'a TrialRecord>,
    /// Which calls followed each item in the traces.
    sequences: BTreeMap<Item, Vec<Vec<Sysno>>>,
    /// The calls that any trace shows.
    traced: BTreeSet<Sysno>,
    untreated_output: logged::Known,
}

impl<'a> Evidence<'a> {
    fn new(trials: &'a [TrialRecord]) -> Self {
        let is_watched = |trial: &&TrialRecord| match trial.purpose {
            Purpose::Reasons => true,
            Purpose::Fallback => trial.watch == Watch::Everything,
            _ => false,
        };
        let mut watched: Vec<_> = trials.iter().filter(is_watched).collect();
        watched.sort_by_key(|trial| (trial.intervention.len() > 1, trial.result != Outcome::Pass, trial.replica));
        let traces = || trials.iter().filter(|trial| trial.purpose == Purpose::Trace);
        let mut sequences = BTreeMap::<Item, Vec<Vec<Sysno>>>::new();
        for (item, uses) in traces().flat_map(|trace| &trace.sequences) {
            let calls = |names: &String| names.split(' ').filter_map(Sysno::from_name).collect::<Vec<_>>();
            sequences.entry(*item).or_default().extend(uses.iter().map(calls));
        }
        let untreated = trials.iter().filter(|trial| trial.intervention.is_empty());
        Self {
            trials,
            watched,
            sequences,
            traced: traces().flat_map(|trace| trace.hits.keys().copied()).collect(),
            untreated_output: logged::Known::of(untreated.flat_map(|trial| trial.app.stdout.iter().chain(&trial.app.stderr))),
        }
    }

    fn reason(&self, finished: &Finished, item: Item, treatment: Treatment) -> Reason {
        let single = Intervention::single(item, treatment);
        let own = self.trials.iter().filter(|trial| trial.watch != Watch::Everything && trial.intervention == single);
        let passes: Vec<_> = own.filter(|trial| trial.result == Outcome::Pass).collect();
        let hits = passes.iter().map(|trial| trial.count(item)).max().unwrap_or(0);
        let run = self.watched_run(item, treatment);
        let mut answers: Vec<_> = run.into_iter().flat_map(|run| self.answers(run, item, treatment)).collect();
        let output = passes.iter().flat_map(|trial| trial.app.stdout.iter().chain(&trial.app.stderr));
        let logged = self.untreated_output.new_lines(output);
        for answer in &mut answers {
            let written = (0..).zip(&answer.next).filter(|(_, next)| classify::writes_a_log(next));
            let says = written.filter(|(_, next)| next.written.as_ref().is_some_and(|text| logged::has_any(&text.text, &logged)));
            answer.says = says.map(|(index, _)| index).collect();
        }
        let degraded = finished.summary.degraded.iter().filter(|found| found.item == item && found.treatment == treatment);
        let never_treated = passes.iter().all(|trial| trial.watch == Watch::Treated && trial.count(item) == 0);
        let class = classify::class(item, &answers, !logged.is_empty(), hits == 0 && never_treated && answers.is_empty());
        Reason {
            item,
            treatment,
            class,
            hits,
            together_with: run.map(|run| run.intervention.len() - 1),
            passed: run.is_some_and(|run| run.result == Outcome::Pass),
            answers,
            logged,
            degraded: degraded.map(|found| found.degradation.to_string()).collect(),
            in_place: finished.fallbacks.iter().flat_map(|table| table.of(item, treatment)).collect(),
        }
    }

    /// The watched run that tells most of the treatment: of the item alone, else one that passed; one that saw it, else any.
    fn watched_run(&self, item: Item, treatment: Treatment) -> Option<&'a TrialRecord> {
        let treats = |run: &&&TrialRecord| run.intervention.get(item) == Some(treatment);
        let saw = |run: &&&TrialRecord| run.aftermaths.iter().any(|after| after.item == item && after.treatment == treatment);
        let mut treating = self.watched.iter().filter(treats);
        treating.clone().find(saw).or_else(|| treating.next()).copied()
    }

    fn answers(&self, run: &TrialRecord, item: Item, treatment: Treatment) -> Vec<Answered> {
        let of_item = run.aftermaths.iter().filter(|after| after.item == item && after.treatment == treatment);
        of_item.map(|after| self.answered(after)).collect()
    }

    fn answered(&self, after: &Aftermath) -> Answered {
        let calls: Vec<_> = after.next.iter().map(|next| (next.call, next.treatment.is_some())).collect();
        let uses = self.sequences.get(&after.item).map_or(&[][..], Vec::as_slice);
        let looking = looking(after, uses);
        let best = if looking == 0 {
            alignment::best(uses, &calls)
        } else {
            let uses: Vec<_> = uses.iter().map(|usual| usual[alternatives::looking(usual.iter().copied())..].to_vec()).collect();
            alignment::best(&uses, &calls[looking..])
        };
        let meets = best.as_ref().is_some_and(|best| best.meets);
        let (inserted, skipped) = best.as_ref().map_or((0, Vec::new()), |best| (best.inserted, best.skipped.clone()));
        // Where nothing else agrees, what comes much later has little to do with the answer.
        let considered = if meets { inserted } else { inserted.min(CONSIDERED) };
        // What comes after another treated call is that one's doing.
        let treated = after.next.iter().position(|next| next.treatment.is_some());
        let end = looking + considered;
        let considered = looking..treated.map_or(end, |treated| end.min(treated + 1)).max(looking);
        let of_item = alternatives(after.item);
        let stands_in = |next: &&NextCall| {
            // Whoever writes a message asks for its own number or the time before.
            let is_new = !self.traced.contains(&next.call) && !asks(next.call.into()) && !classify::writes_a_log(next);
            of_item.contains(&next.call) || is_new
        };
        let mut fallbacks: Vec<Sysno> = Vec::new();
        for next in after.next[considered].iter().filter(stands_in) {
            if !fallbacks.contains(&next.call) {
                fallbacks.push(next.call);
            }
        }
        Answered {
            process: after.process.clone(),
            made: after.made.clone(),
            next: after.next.clone(),
            looking,
            inserted,
            common: best.as_ref().map_or(0, |best| best.common),
            says: Vec::new(),
            skipped,
            fallbacks,
            compared: best.is_some(),
            meets,
        }
    }
}

/// How many calls after the answer look into an empty file; 0 where there is none, or where nothing else follows to compare.
fn looking(after: &Aftermath, uses: &[Vec<Sysno>]) -> usize {
    if !matches!((after.item, after.treatment), (Item::File(_), Treatment::Fake)) {
        return 0;
    }
    let looking = alternatives::looking(after.next.iter().map(|next| next.call));
    let some_go_on = uses.iter().any(|usual| alternatives::looking(usual.iter().copied()) < usual.len());
    if looking < after.next.len() && some_go_on { looking } else { 0 }
}

#[cfg(test)]
mod tests;
