//! When does a trial count? The book of everything that was asked for and recorded, and the rules that say, for one
//! intervention, whether its runs are enough to answer a question about it. Pure.
//!
//! Runs are asked for in batches, and a question is looked at only when every run that was asked for has been recorded.
//! So an answer depends on the outcomes alone, never on the order in which trials happened to end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::verdict::TreatmentResult;
use super::{Report, Settings};
use crate::syscalls::Sysno;
use crate::trial::{Intervention, Outcome, Purpose, TrialId, TrialRequest, Watch};

/// Runs without a hit after which a call counts as not exercised.
pub(super) const IDLE_RUNS: u32 = 3;

/// Conclusive runs of one configuration after which a probe is decided by majority.
pub(super) const PROBE_RUNS: u32 = 3;

/// The answer to a question, or the number of further runs it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer<T> {
    Known(T),
    /// At least 1.
    More(u32),
}

/// Whether a configuration passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passing {
    Yes,
    No,
    /// Its runs stayed inconclusive.
    Unknown,
}

/// The runs of one intervention under one watch, by replica. `None` until recorded.
#[derive(Debug, Default)]
pub(super) struct Runs(Vec<Option<Report>>);

impl Runs {
    /// Whether a run that was asked for is still to be recorded.
    pub(super) fn pending(&self) -> bool {
        self.0.iter().any(Option::is_none)
    }

    pub(super) fn reports(&self) -> impl Iterator<Item = &Report> {
        self.0.iter().flatten()
    }

    /// The outcomes that count against passing, with their replica.
    pub(super) fn troubles(&self) -> impl Iterator<Item = (u32, &Outcome)> {
        (0..)
            .zip(&self.0)
            .filter_map(|(replica, report)| Some((replica, &report.as_ref()?.outcome)))
            .filter(|(_, outcome)| !matches!(outcome, Outcome::Pass))
    }

    fn count(&self, predicate: impl Fn(&Report) -> bool) -> u32 {
        u32::try_from(self.reports().filter(|report| predicate(report)).count()).unwrap_or(u32::MAX)
    }

    pub(super) fn passes(&self) -> u32 {
        self.count(|report| matches!(report.outcome, Outcome::Pass))
    }

    pub(super) fn fails(&self) -> u32 {
        self.count(|report| matches!(report.outcome, Outcome::Fail(_)))
    }

    fn inconclusive(&self) -> u32 {
        self.count(|report| matches!(report.outcome, Outcome::Inconclusive(_)))
    }

    /// Do `wanted` runs all pass? Every one of them is finished even if the first fails, so that all reasons can be listed.
    pub(super) fn every(&self, wanted: u32, settings: &Settings) -> Answer<Passing> {
        let conclusive = self.passes() + self.fails();
        if conclusive < wanted && self.inconclusive() < settings.inconclusive_limit {
            Answer::More(wanted - conclusive)
        } else if self.fails() > 0 {
            Answer::Known(Passing::No)
        } else if conclusive < wanted {
            Answer::Known(Passing::Unknown)
        } else {
            Answer::Known(Passing::Yes)
        }
    }

    /// Does this pass at least `wanted` times without a single failure?
    pub(super) fn verified(&self, wanted: u32, settings: &Settings) -> Answer<Passing> {
        if self.fails() > 0 { Answer::Known(Passing::No) } else { self.every(wanted, settings) }
    }

    /// Does this pass, at first sight? One pass is enough; a failure has to be seen twice; if runs disagree, most decide.
    pub(super) fn probe(&self, settings: &Settings) -> Answer<Passing> {
        match (self.passes(), self.fails()) {
            (1.., 0) => Answer::Known(Passing::Yes),
            (0, 2..) => Answer::Known(Passing::No),
            (passes, fails) if passes + fails >= PROBE_RUNS => {
                Answer::Known(if passes > fails { Passing::Yes } else { Passing::No })
            }
            _ if self.inconclusive() >= settings.inconclusive_limit => Answer::Known(Passing::Unknown),
            _ => Answer::More(1),
        }
    }

    /// Does the intervention that has to fail do so? One conclusive run decides.
    pub(super) fn control(&self, settings: &Settings) -> Answer<Passing> {
        if self.passes() > 0 {
            Answer::Known(Passing::Yes)
        } else if self.fails() > 0 {
            Answer::Known(Passing::No)
        } else if self.inconclusive() >= settings.inconclusive_limit {
            Answer::Known(Passing::Unknown)
        } else {
            Answer::More(1)
        }
    }

    /// What do these runs say about treating `call` alone?
    ///
    /// Where hits are counted, a run in which the call was not made proves nothing. Such runs count only as long as there
    /// is no other: then two failures are still failures, but a pass never makes the treatment work.
    pub(super) fn single(&self, call: Sysno, settings: &Settings) -> Answer<TreatmentResult> {
        let hit = |report: &Report| !settings.count_hits || report.seen.contains(&call);
        let passes = self.count(|report| hit(report) && matches!(report.outcome, Outcome::Pass));
        let fails = self.count(|report| hit(report) && matches!(report.outcome, Outcome::Fail(_)));
        let conclusive = self.passes() + self.fails();
        let limit = settings.single_runs_limit.max(IDLE_RUNS);
        let majority = settings.single_runs_limit / 2 + 1;
        let works = TreatmentResult::Works { passes, runs: passes + fails };
        let fails_for_good = TreatmentResult::Fails { passes, runs: passes + fails };
        let decided = match (passes, fails) {
            (0, 0) if self.passes() == 0 && self.fails() >= 2 => Some(TreatmentResult::Fails { passes: 0, runs: conclusive }),
            (0, 0) if conclusive >= IDLE_RUNS => Some(TreatmentResult::Unexercised { runs: conclusive }),
            (1.., 0) => Some(works),
            (0, 2..) => Some(fails_for_good),
            (1.., 1..) if passes >= majority => Some(works),
            (1.., 1..) if fails >= majority => Some(fails_for_good),
            // The last resort where idle runs lie between: what is not shown to work fails.
            _ if conclusive >= limit => Some(if passes > fails { works } else { fails_for_good }),
            _ => None,
        };
        match decided {
            Some(result) => Answer::Known(result),
            None if self.inconclusive() >= settings.inconclusive_limit => {
                Answer::Known(TreatmentResult::Inconclusive { runs: self.inconclusive() })
            }
            None => Answer::More(1),
        }
    }
}

/// Everything that was asked for and recorded so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    runs: BTreeMap<(Watch, Intervention), Runs>,
    queue: VecDeque<TrialRequest>,
    outstanding: BTreeMap<TrialId, (Watch, Intervention, usize)>,
    asked: u32,
    recorded: u32,
}

impl Ledger {
    /// Queues `count` further runs. Their replica numbers follow those asked for before, whatever the purpose was.
    pub(super) fn ask(&mut self, purpose: Purpose, watch: Watch, intervention: &Intervention, count: u32) {
        let runs = self.runs.entry((watch, intervention.clone())).or_default();
        for _ in 0..count {
            let id = TrialId(self.asked);
            self.asked += 1;
            let replica = u32::try_from(runs.0.len()).unwrap_or(u32::MAX);
            self.outstanding.insert(id, (watch, intervention.clone(), runs.0.len()));
            runs.0.push(None);
            self.queue.push_back(TrialRequest { id, purpose, watch, intervention: intervention.clone(), replica });
        }
    }

    /// The next queued request.
    pub(super) fn take(&mut self) -> Option<TrialRequest> {
        self.queue.pop_front()
    }

    /// Files a report. Panics if the trial was not asked for, or was recorded before.
    pub(super) fn record(&mut self, id: TrialId, report: Report) {
        let (watch, intervention, replica) =
            self.outstanding.remove(&id).expect("invariant: a recorded trial was asked for and is recorded once");
        let runs = self.runs.get_mut(&(watch, intervention)).expect("invariant: an outstanding trial has its runs");
        runs.0[replica] = Some(report);
        self.recorded += 1;
    }

    /// The runs of one intervention.
    pub(super) fn runs(&self, watch: Watch, intervention: &Intervention) -> &Runs {
        static NO_RUNS: Runs = Runs(Vec::new());
        // The key is cloned because a map of pairs cannot be searched by a pair of references.
        self.runs.get(&(watch, intervention.clone())).unwrap_or(&NO_RUNS)
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

    /// Every call seen in runs that treat nothing and watch everything.
    pub(super) fn seen_in_traces(&self) -> BTreeSet<Sysno> {
        self.runs(Watch::Everything, &Intervention::none()).reports().flat_map(|report| report.seen.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::model::{fail, inconclusive};

    fn call() -> Sysno {
        "futex".parse().unwrap()
    }

    /// One letter per run: `P`ass, `F`ail, `I`nconclusive; lower case for a run without a hit.
    fn runs(letters: &str) -> Runs {
        Runs(
            letters
                .chars()
                .map(|letter| {
                    let outcome = match letter.to_ascii_uppercase() {
                        'P' => Outcome::Pass,
                        'F' => fail(),
                        'I' => inconclusive(),
                        other => panic!("{other}"),
                    };
                    let seen = if letter.is_ascii_uppercase() { BTreeSet::from([call()]) } else { BTreeSet::new() };
                    Some(Report { outcome, seen })
                })
                .collect(),
        )
    }

    fn single(letters: &str) -> Answer<TreatmentResult> {
        runs(letters).single(call(), &Settings::default())
    }

    #[test]
    fn one_pass_with_a_hit_is_enough() {
        assert_eq!(single("P"), Answer::Known(TreatmentResult::Works { passes: 1, runs: 1 }));
    }

    #[test]
    fn failing_trial_is_run_again_before_it_counts() {
        assert_eq!(single("F"), Answer::More(1));
        assert_eq!(single("FF"), Answer::Known(TreatmentResult::Fails { passes: 0, runs: 2 }));
    }

    #[test]
    fn disagreeing_runs_go_to_a_majority_and_stay_marked() {
        assert_eq!(single("FP"), Answer::More(1));
        assert_eq!(single("FPP"), Answer::More(1));
        assert_eq!(single("FPPP"), Answer::Known(TreatmentResult::Works { passes: 3, runs: 4 }));
        assert_eq!(single("FPFPF"), Answer::Known(TreatmentResult::Fails { passes: 2, runs: 5 }));
    }

    #[test]
    fn pass_without_a_hit_is_never_a_success() {
        assert_eq!(single("p"), Answer::More(1));
        assert_eq!(single("ppp"), Answer::Known(TreatmentResult::Unexercised { runs: 3 }));
        assert_eq!(single("pfp"), Answer::Known(TreatmentResult::Unexercised { runs: 3 }));
        assert_eq!(single("ff"), Answer::Known(TreatmentResult::Fails { passes: 0, runs: 2 }));
    }

    #[test]
    fn runs_with_a_hit_alone_count_where_there_are_any() {
        assert_eq!(single("pfP"), Answer::Known(TreatmentResult::Works { passes: 1, runs: 1 }));
        assert_eq!(single("ppF"), Answer::More(1));
        assert_eq!(single("ppFF"), Answer::Known(TreatmentResult::Fails { passes: 0, runs: 2 }));
        assert_eq!(single("FpppP"), Answer::Known(TreatmentResult::Fails { passes: 1, runs: 2 }));
    }

    #[test]
    fn without_counted_hits_a_pass_is_a_pass() {
        let settings = Settings { count_hits: false, ..Settings::default() };
        assert_eq!(runs("p").single(call(), &settings), Answer::Known(TreatmentResult::Works { passes: 1, runs: 1 }));
    }

    #[test]
    fn inconclusive_trial_is_scheduled_again_until_the_limit() {
        assert_eq!(single("II"), Answer::More(1));
        assert_eq!(single("III"), Answer::Known(TreatmentResult::Inconclusive { runs: 3 }));
        assert_eq!(single("IIP"), Answer::Known(TreatmentResult::Works { passes: 1, runs: 1 }));
        assert_eq!(single("FIII"), Answer::Known(TreatmentResult::Inconclusive { runs: 3 }));
    }

    #[test]
    fn one_failure_is_enough_against_a_verification() {
        let verified = |letters| runs(letters).verified(3, &Settings::default());
        assert_eq!(verified(""), Answer::More(3));
        assert_eq!(verified("P"), Answer::More(2));
        assert_eq!(verified("PIP"), Answer::More(1));
        assert_eq!(verified("PPP"), Answer::Known(Passing::Yes));
        assert_eq!(verified("PPF"), Answer::Known(Passing::No));
        assert_eq!(verified("PPIII"), Answer::Known(Passing::Unknown));
    }

    #[test]
    fn probe_takes_one_pass_or_two_failures_or_a_majority() {
        let probe = |letters| runs(letters).probe(&Settings::default());
        assert_eq!(probe("P"), Answer::Known(Passing::Yes));
        assert_eq!(probe("F"), Answer::More(1));
        assert_eq!(probe("FF"), Answer::Known(Passing::No));
        assert_eq!(probe("FP"), Answer::More(1));
        assert_eq!(probe("FPP"), Answer::Known(Passing::Yes));
        assert_eq!(probe("FPF"), Answer::Known(Passing::No));
        assert_eq!(probe("FIII"), Answer::Known(Passing::Unknown));
    }
}
