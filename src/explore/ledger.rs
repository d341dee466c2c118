//! The book of everything that was asked for and recorded. Pure.
//!
//! It hands requests out in an order that gets a campaign done early: repetitions before first looks, as a call whose trial
//! has to be run again is the longest way to go; and runs that have to be alone when nothing else runs or can be started.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::Report;
use super::replicas::{Ask, Runs};

use crate::trial::{Care, ForeignCall, Intervention, Item, Purpose, TrialId, TrialRequest, Watch};

/// Everything that was asked for and recorded so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    runs: BTreeMap<(Watch, Intervention), Runs>,
    /// Repetitions, first looks, and runs that have to be alone.
    again: VecDeque<TrialRequest>,
    first: VecDeque<TrialRequest>,
    alone: VecDeque<TrialRequest>,
    outstanding: BTreeMap<TrialId, (Watch, Intervention, usize)>,
    /// Handed out and not recorded yet.
    running: u32,
    /// The one of them that has to be alone.
    alone_running: Option<TrialId>,
    asked: u32,
    recorded: u32,
    /// Everything that the traces saw, once that is known: the use of anything else is noted.
    traced: Option<Arc<BTreeSet<Item>>>,
}

impl Ledger {
    /// Queues further runs. Their replica numbers follow those asked for before, whatever the purpose was.
    pub(super) fn ask(&mut self, purpose: Purpose, watch: Watch, intervention: &Intervention, ask: Ask) {
        let runs = self.runs.entry((watch, intervention.clone())).or_default();
        // What is compared with the baseline pays for nothing else. Where noting was dear, it is known by now what was to be noted.
        let measured = purpose == Purpose::Quiet && !intervention.is_empty();
        let costly = watch != Watch::Everything && runs.reports().any(Report::was_costly);
        let traced = self.traced.as_ref().filter(|_| !measured && !costly).cloned();
        let is_trace = watch == Watch::Everything && intervention.is_empty();
        // Of a trace, that is all; the record leaves out what it holds anyway.
        let traced = if is_trace { Some(Arc::default()) } else { traced };
        for _ in 0..ask.runs {
            let id = TrialId(self.asked);
            self.asked += 1;
            let index = runs.expect(ask.care);
            let replica = u32::try_from(index).unwrap_or(u32::MAX);
            self.outstanding.insert(id, (watch, intervention.clone(), index));
            let request = TrialRequest {
                id,
                purpose,
                watch,
                intervention: intervention.clone(),
                replica,
                care: ask.care,
                traced: traced.clone(),
            };
            let queue = match (ask.care, replica) {
                (Care::Alone, _) => &mut self.alone,
                (Care::Usual | Care::Patient, 0) => &mut self.first,
                (Care::Usual | Care::Patient, _) => &mut self.again,
            };
            queue.push_back(request);
        }
    }

    /// Has the use of everything noted from now on that is not among `traced`.
    pub(super) fn note_others_than(&mut self, traced: BTreeSet<Item>) {
        self.traced = Some(Arc::new(traced));
    }

    /// The next request that can be run beside those that run.
    pub(super) fn take(&mut self) -> Option<TrialRequest> {
        if self.alone_running.is_some() {
            return None;
        }
        let mut taken = self.again.pop_front().or_else(|| self.first.pop_front());
        if taken.is_none() && self.running == 0 {
            taken = self.alone.pop_front();
            self.alone_running = taken.as_ref().map(|request| request.id);
        }
        self.running += u32::from(taken.is_some());
        taken
    }

    /// Files a report. Panics if the trial was not asked for, or was recorded before.
    pub(super) fn record(&mut self, id: TrialId, report: Report) {
        let (watch, intervention, replica) =
            self.outstanding.remove(&id).expect("invariant: a recorded trial was asked for and is recorded once");
        let runs = self.runs.get_mut(&(watch, intervention)).expect("invariant: an outstanding trial has its runs");
        runs.file(replica, report);
        self.recorded += 1;
        self.running -= 1;
        self.alone_running = self.alone_running.filter(|alone| *alone != id);
    }

    /// The runs of one intervention.
    pub(super) fn runs(&self, watch: Watch, intervention: &Intervention) -> &Runs {
        static NO_RUNS: Runs = Runs::none();
        // The key is cloned because a map of pairs cannot be searched by a pair of references.
        self.runs.get(&(watch, intervention.clone())).unwrap_or(&NO_RUNS)
    }

    /// The interventions under this watch of which a run passed and none failed, in order.
    pub(super) fn passed(&self, watch: Watch) -> impl Iterator<Item = &Intervention> {
        let of_watch = self.runs.iter().filter(move |((own, _), _)| *own == watch);
        of_watch.filter(|(_, runs)| runs.passes() > 0 && runs.fails() == 0).map(|((_, intervention), _)| intervention)
    }

    /// Whether some trial was asked for but not recorded.
    pub(super) fn waiting(&self) -> bool {
        !self.outstanding.is_empty()
    }

    pub(super) fn recorded(&self) -> u32 {
        self.recorded
    }

    pub(super) fn asked(&self) -> u32 {
        self.asked
    }

    /// The calls of the first of these runs, in the order in which they were first made.
    pub(super) fn order_in_traces(&self) -> Vec<Item> {
        let reports = self.runs(Watch::Everything, &Intervention::none()).reports().next();
        reports.map(|report| report.order.clone()).unwrap_or_default()
    }

    /// How often a trace saw `item`, the highest count of all.
    pub(super) fn uses_in_traces(&self, item: Item) -> u64 {
        let reports = self.runs(Watch::Everything, &Intervention::none()).reports();
        reports.filter_map(|report| report.uses.get(&item).copied()).max().unwrap_or(0)
    }

    /// The calls of foreign ABIs in the first trace.
    pub(super) fn foreign_in_traces(&self) -> BTreeMap<ForeignCall, u64> {
        let reports = self.runs(Watch::Everything, &Intervention::none()).reports().next();
        reports.map(|report| report.foreign.clone()).unwrap_or_default()
    }

    /// Every call seen in runs that treat nothing and watch everything.
    pub(super) fn seen_in_traces(&self) -> BTreeSet<Item> {
        self.runs(Watch::Everything, &Intervention::none()).reports().flat_map(|report| report.seen.iter().copied()).collect()
    }
}
