//! When does a trial count? The rules that say, for one intervention, whether its runs are enough to answer a question about it.
//! Pure.
//!
//! A question is looked at only when every run that was asked for has been recorded. So an answer depends on the outcomes alone,
//! never on the order in which trials happened to end.
//!
//! A *doubtful* failure (`crate::trial::is_doubtful`) may be the hurry's or the host's doing. It asks for another run with more
//! care, and counts only beside a failure without doubt; a pass makes it void.

use super::verdict::TreatmentResult;
use super::{Report, Settings};

use crate::trial::{Care, Item, Outcome};

/// Runs without a hit after which a call counts as not exercised.
pub(super) const IDLE_RUNS: u32 = 3;

/// Conclusive runs of one configuration after which a probe is decided by majority.
pub(super) const PROBE_RUNS: u32 = 3;

/// The answer to a question, or the number of further runs it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer<T> {
    Known(T),
    More(Ask),
}

/// Further runs that a question takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    /// At least 1.
    pub(super) runs: u32,
    pub(super) care: Care,
}

/// Whether a configuration passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passing {
    Yes,
    No,
    /// Its runs stayed inconclusive.
    Unknown,
}

/// The runs of one intervention under one watch, by replica: with how much care each is made, and its report once it is recorded.
#[derive(Debug, Default)]
pub(super) struct Runs(Vec<(Care, Option<Report>)>);

impl FromIterator<Report> for Runs {
    fn from_iter<I: IntoIterator<Item = Report>>(reports: I) -> Self {
        Self(reports.into_iter().map(|report| (Care::Usual, Some(report))).collect())
    }
}

impl Runs {
    /// Nothing was asked for.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds a run that is still to be recorded; its replica.
    pub(super) fn expect(&mut self, care: Care) -> usize {
        self.0.push((care, None));
        self.0.len() - 1
    }

    /// Files the report of a run. A run that is alone is as quiet as it gets: its failure is never in doubt.
    pub(super) fn file(&mut self, replica: usize, mut report: Report) {
        let (care, place) = &mut self.0[replica];
        report.doubtful &= *care != Care::Alone;
        *place = Some(report);
    }

    /// The reports of runs that were alone.
    pub(super) fn alone(&self) -> impl Iterator<Item = &Report> {
        self.0.iter().filter(|(care, _)| *care == Care::Alone).filter_map(|(_, report)| report.as_ref())
    }

    /// The reports of the others.
    pub(super) fn beside_others(&self) -> impl Iterator<Item = &Report> {
        self.0.iter().filter(|(care, _)| *care != Care::Alone).filter_map(|(_, report)| report.as_ref())
    }

    /// Whether a run that was asked for is still to be recorded.
    pub(super) fn pending(&self) -> bool {
        self.0.iter().any(|(_, report)| report.is_none())
    }

    pub(super) fn reports(&self) -> impl Iterator<Item = &Report> {
        self.0.iter().filter_map(|(_, report)| report.as_ref())
    }

    /// The outcomes that count against passing, with their replica.
    pub(super) fn troubles(&self) -> impl Iterator<Item = (u32, &Outcome)> {
        (0..)
            .zip(&self.0)
            .filter_map(|(replica, (_, report))| Some((replica, &report.as_ref()?.outcome)))
            .filter(|(_, outcome)| !matches!(outcome, Outcome::Pass))
    }

    /// The failures without doubt, with their replica.
    pub(super) fn failures(&self) -> impl Iterator<Item = (u32, &Outcome)> {
        let reports = (0..).zip(&self.0).filter_map(|(replica, (_, report))| Some((replica, report.as_ref()?)));
        let failed = |report: &Report| matches!(report.outcome, Outcome::Fail(_)) && !report.doubtful;
        reports.filter(move |(_, report)| failed(report)).map(|(replica, report)| (replica, &report.outcome))
    }

    fn count(&self, predicate: impl Fn(&Report) -> bool) -> u32 {
        u32::try_from(self.reports().filter(|report| predicate(report)).count()).unwrap_or(u32::MAX)
    }

    pub(super) fn passes(&self) -> u32 {
        self.count(|report| matches!(report.outcome, Outcome::Pass))
    }

    /// Failures without doubt.
    pub(super) fn fails(&self) -> u32 {
        self.count(|report| matches!(report.outcome, Outcome::Fail(_)) && !report.doubtful)
    }

    /// Failures that may be the hurry's or the host's doing.
    fn doubtful(&self) -> u32 {
        self.count(|report| matches!(report.outcome, Outcome::Fail(_)) && report.doubtful)
    }

    fn inconclusive(&self) -> u32 {
        self.count(|report| matches!(report.outcome, Outcome::Inconclusive(_)))
    }

    /// `runs` more of them: with more care than those whose failures are in doubt, and with `care` at least.
    fn more<T>(&self, runs: u32, care: Care) -> Answer<T> {
        let needed = match self.doubtful() {
            0 => Care::Usual,
            1 => Care::Patient,
            _ => Care::Alone,
        };
        Answer::More(Ask { runs, care: care.max(needed) })
    }

    /// Do `wanted` runs all pass? Every one of them is finished even if the first fails, so that all reasons can be listed.
    pub(super) fn every(&self, wanted: u32, settings: &Settings) -> Answer<Passing> {
        let conclusive = self.passes() + self.fails();
        if conclusive < wanted && self.inconclusive() < settings.inconclusive_limit {
            self.more(wanted - conclusive, Care::Patient)
        } else if self.fails() > 0 {
            Answer::Known(Passing::No)
        } else if conclusive < wanted {
            Answer::Known(Passing::Unknown)
        } else {
            Answer::Known(Passing::Yes)
        }
    }

    /// The same for runs without any intervention: one that is late in company is repeated alone, and that one counts.
    pub(super) fn undisturbed(&self, wanted: u32, settings: &Settings) -> Answer<Passing> {
        match (self.doubtful(), self.fails()) {
            (0, _) => self.every(wanted, settings),
            (1.., 1..) => Answer::Known(Passing::No),
            (1.., 0) => match self.every(wanted, settings) {
                Answer::More(_) => self.more(1, Care::Alone),
                known @ Answer::Known(_) => known,
            },
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
            (0, fails @ 1..) if fails + self.doubtful() >= 2 => Answer::Known(Passing::No),
            (passes, fails) if passes + fails >= PROBE_RUNS => {
                Answer::Known(if passes > fails { Passing::Yes } else { Passing::No })
            }
            _ if self.inconclusive() >= settings.inconclusive_limit => Answer::Known(Passing::Unknown),
            _ => self.more(1, Care::Usual),
        }
    }

    /// The same as [`Runs::glance`], but a failure counts even if it is in doubt: for what is unlikely to pass.
    pub(super) fn hunch(&self, settings: &Settings) -> Answer<Passing> {
        if self.passes() == 0 && self.doubtful() > 0 { Answer::Known(Passing::No) } else { self.glance(settings) }
    }

    /// Does this pass? One conclusive run decides: for the intervention that has to fail, and for guesses that are verified later. It
    /// is given its time straight away, as it would have to be repeated with more of it otherwise.
    pub(super) fn glance(&self, settings: &Settings) -> Answer<Passing> {
        if self.passes() > 0 {
            Answer::Known(Passing::Yes)
        } else if self.fails() > 0 {
            Answer::Known(Passing::No)
        } else if self.inconclusive() >= settings.inconclusive_limit {
            Answer::Known(Passing::Unknown)
        } else {
            self.more(1, Care::Patient)
        }
    }

    /// What do these runs say about treating `call` alone?
    ///
    /// Where hits are counted, a run in which the call was not made proves nothing. Such runs count only as long as there
    /// is no other: then two failures are still failures, but a pass never makes the treatment work.
    pub(super) fn single(&self, item: Item, settings: &Settings) -> Answer<TreatmentResult> {
        let hit = |report: &Report| !settings.count_hits || report.seen.contains(&item);
        let failed = |report: &Report| matches!(report.outcome, Outcome::Fail(_));
        let passes = self.count(|report| hit(report) && matches!(report.outcome, Outcome::Pass));
        let fails = self.count(|report| hit(report) && failed(report) && !report.doubtful);
        let doubtful = self.count(|report| hit(report) && failed(report) && report.doubtful);
        let conclusive = self.passes() + self.fails();
        let limit = settings.single_runs_limit.max(IDLE_RUNS);
        let majority = settings.single_runs_limit / 2 + 1;
        let works = TreatmentResult::Works { passes, runs: passes + fails };
        let fails_for_good = TreatmentResult::Fails { passes, runs: passes + fails };
        let decided = match (passes, fails) {
            (0, 0) if self.passes() == 0 && self.fails() >= 1 && self.fails() + self.doubtful() >= 2 => {
                Some(TreatmentResult::Fails { passes: 0, runs: self.fails() + self.doubtful() })
            }
            (0, 0) if conclusive >= IDLE_RUNS => Some(TreatmentResult::Unexercised { runs: conclusive }),
            (1.., 0) => Some(works),
            (0, 1..) if fails + doubtful >= 2 => Some(TreatmentResult::Fails { passes: 0, runs: fails + doubtful }),
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
            None => self.more(1, Care::Usual),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::explore::model::{fail, inconclusive};

    fn item() -> Item {
        "futex".parse().unwrap()
    }

    /// One letter per run: `P`ass, `F`ail, `D`oubtful failure, `I`nconclusive; lower case for a run without a hit.
    fn runs(letters: &str) -> Runs {
        let report = |letter: char| {
            let outcome = match letter.to_ascii_uppercase() {
                'P' => Outcome::Pass,
                'F' | 'D' => fail(),
                'I' => inconclusive(),
                other => panic!("{other}"),
            };
            let seen = if letter.is_ascii_uppercase() { BTreeSet::from([item()]) } else { BTreeSet::new() };
            Report { doubtful: letter.eq_ignore_ascii_case(&'d'), ..Report::new(outcome, seen) }
        };
        letters.chars().map(report).collect()
    }

    fn more<T>(runs: u32) -> Answer<T> {
        Answer::More(Ask { runs, care: Care::Usual })
    }

    fn single(letters: &str) -> Answer<TreatmentResult> {
        runs(letters).single(item(), &Settings::default())
    }

    #[test]
    fn one_pass_with_a_hit_is_enough() {
        assert_eq!(single("P"), Answer::Known(TreatmentResult::Works { passes: 1, runs: 1 }));
    }

    #[test]
    fn failing_trial_is_run_again_before_it_counts() {
        assert_eq!(single("F"), more(1));
        assert_eq!(single("FF"), Answer::Known(TreatmentResult::Fails { passes: 0, runs: 2 }));
    }

    #[test]
    fn disagreeing_runs_go_to_a_majority_and_stay_marked() {
        assert_eq!(single("FP"), more(1));
        assert_eq!(single("FPP"), more(1));
        assert_eq!(single("FPPP"), Answer::Known(TreatmentResult::Works { passes: 3, runs: 4 }));
        assert_eq!(single("FPFPF"), Answer::Known(TreatmentResult::Fails { passes: 2, runs: 5 }));
    }

    #[test]
    fn pass_without_a_hit_is_never_a_success() {
        assert_eq!(single("p"), more(1));
        assert_eq!(single("ppp"), Answer::Known(TreatmentResult::Unexercised { runs: 3 }));
        assert_eq!(single("pfp"), Answer::Known(TreatmentResult::Unexercised { runs: 3 }));
        assert_eq!(single("ff"), Answer::Known(TreatmentResult::Fails { passes: 0, runs: 2 }));
    }

    #[test]
    fn runs_with_a_hit_alone_count_where_there_are_any() {
        assert_eq!(single("pfP"), Answer::Known(TreatmentResult::Works { passes: 1, runs: 1 }));
        assert_eq!(single("ppF"), more(1));
        assert_eq!(single("ppFF"), Answer::Known(TreatmentResult::Fails { passes: 0, runs: 2 }));
        assert_eq!(single("FpppP"), Answer::Known(TreatmentResult::Fails { passes: 1, runs: 2 }));
    }

    #[test]
    fn without_counted_hits_a_pass_is_a_pass() {
        let settings = Settings { count_hits: false, ..Settings::default() };
        assert_eq!(runs("p").single(item(), &settings), Answer::Known(TreatmentResult::Works { passes: 1, runs: 1 }));
    }

    #[test]
    fn inconclusive_trial_is_scheduled_again_until_the_limit() {
        assert_eq!(single("II"), more(1));
        assert_eq!(single("III"), Answer::Known(TreatmentResult::Inconclusive { runs: 3 }));
        assert_eq!(single("IIP"), Answer::Known(TreatmentResult::Works { passes: 1, runs: 1 }));
        assert_eq!(single("FIII"), Answer::Known(TreatmentResult::Inconclusive { runs: 3 }));
    }

    #[test]
    fn doubtful_failure_is_repeated_with_more_care_and_void_beside_a_pass() {
        let careful = |care| Answer::More(Ask { runs: 1, care });
        assert_eq!(single("D"), careful(Care::Patient));
        assert_eq!(single("DD"), careful(Care::Alone));
        assert_eq!(single("DP"), Answer::Known(TreatmentResult::Works { passes: 1, runs: 1 }));
        assert_eq!(single("DDP"), Answer::Known(TreatmentResult::Works { passes: 1, runs: 1 }));
        assert_eq!(single("DF"), Answer::Known(TreatmentResult::Fails { passes: 0, runs: 2 }));
        assert_eq!(single("DDF"), Answer::Known(TreatmentResult::Fails { passes: 0, runs: 3 }));
        assert_eq!(single("dF"), careful(Care::Patient));
        assert_eq!(single("df"), Answer::Known(TreatmentResult::Fails { passes: 0, runs: 2 }));
        let verified = |letters| runs(letters).verified(3, &Settings::default());
        assert_eq!(verified("PPD"), Answer::More(Ask { runs: 1, care: Care::Patient }));
        assert_eq!(verified("PPDP"), Answer::Known(Passing::Yes));
    }

    #[test]
    fn a_baseline_that_was_late_in_company_is_repeated_alone_and_that_run_counts() {
        let undisturbed = |letters| runs(letters).undisturbed(3, &Settings::default());
        let alone = Answer::More(Ask { runs: 1, care: Care::Alone });
        assert_eq!(undisturbed(""), Answer::More(Ask { runs: 3, care: Care::Patient }));
        assert_eq!(undisturbed("PPP"), Answer::Known(Passing::Yes));
        assert_eq!(undisturbed("PFP"), Answer::Known(Passing::No));
        assert_eq!(undisturbed("PDP"), alone);
        assert_eq!(undisturbed("PDPP"), Answer::Known(Passing::Yes));
        assert_eq!(undisturbed("PDPF"), Answer::Known(Passing::No));
        assert_eq!(undisturbed("DDD"), alone);
        assert_eq!(undisturbed("DDDF"), Answer::Known(Passing::No), "what hangs is not waited for three times more");
    }

    #[test]
    fn one_failure_is_enough_against_a_verification() {
        let verified = |letters| runs(letters).verified(3, &Settings::default());
        assert_eq!(verified(""), Answer::More(Ask { runs: 3, care: Care::Patient }));
        assert_eq!(verified("P"), Answer::More(Ask { runs: 2, care: Care::Patient }));
        assert_eq!(verified("PIP"), Answer::More(Ask { runs: 1, care: Care::Patient }));
        assert_eq!(verified("PPP"), Answer::Known(Passing::Yes));
        assert_eq!(verified("PPF"), Answer::Known(Passing::No));
        assert_eq!(verified("PPIII"), Answer::Known(Passing::Unknown));
    }

    #[test]
    fn hunch_takes_one_run_and_glance_one_without_doubt() {
        let glance = |letters| runs(letters).glance(&Settings::default());
        let hunch = |letters| runs(letters).hunch(&Settings::default());
        let careful = |care| Answer::More(Ask { runs: 1, care });
        for (letters, passing) in [("P", Passing::Yes), ("F", Passing::No), ("DP", Passing::Yes), ("III", Passing::Unknown)] {
            assert_eq!((glance(letters), hunch(letters)), (Answer::Known(passing), Answer::Known(passing)), "{letters}");
        }
        assert_eq!((glance(""), hunch("")), (careful(Care::Patient), careful(Care::Patient)));
        assert_eq!((glance("D"), hunch("D")), (careful(Care::Patient), Answer::Known(Passing::No)));
        assert_eq!(glance("DD"), careful(Care::Alone));
    }

    #[test]
    fn probe_takes_one_pass_or_two_failures_or_a_majority() {
        let probe = |letters| runs(letters).probe(&Settings::default());
        assert_eq!(probe("P"), Answer::Known(Passing::Yes));
        assert_eq!(probe("F"), more(1));
        assert_eq!(probe("FF"), Answer::Known(Passing::No));
        assert_eq!(probe("FP"), more(1));
        assert_eq!(probe("FPP"), Answer::Known(Passing::Yes));
        assert_eq!(probe("FPF"), Answer::Known(Passing::No));
        assert_eq!(probe("FIII"), Answer::Known(Passing::Unknown));
    }
}
