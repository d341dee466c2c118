//! The strategy `joint`: straight for a maximal configuration, without trying each call alone. Pure.
//!
//! 1. Every call that is likely avoidable (`likelihood`) is avoided at once. Where that fails, suspects are set aside until the rest
//!    passes. Who is suspected follows from the run that failed: only what was treated in it; of that, what was treated last before the
//!    end before what was treated earlier, and what is unlikely to be avoidable before what is likely. Often a single call bears
//!    half of the suspicion, and it takes one trial for each call that has to be implemented, where halving takes the logarithm.
//!    What the next run shows tells whether the suspicion was right: if the app gets no further than before, it was not.
//! 2. What was set aside is tried on top of what passes: groups without their suspects, single calls with their other treatment, and calls that hardly
//!    ever were avoidable elsewhere, the likeliest first, as long as the number of trials stays small. The rest is *assumed* to be
//!    required, and said to be so.
//! 3. The whole is verified; if that fails, `joint` takes it apart.
//!
//! It says nothing of single calls: their verdicts are inferred from the one configuration that it finds.
//!
//! Written like `joint` as a plain function over an oracle: an answer that is missing ends it, and it is called again from its
//! beginning when the trials have been run.

use std::collections::BTreeSet;

use super::Report;
use super::joint::{self, Avoidable, Found, Sureness, Unanswered};
use super::likelihood::Likelihoods;
use super::replicas::Passing;

use crate::trial::{FailCause, Intervention, Item, Outcome, Treatment};

/// A treatment at least as likely to work is part of the first, large group; in thousandths.
const LIKELY: u64 = 400;
/// A group is as large as it can be while it passes at least this often, in thousandths: about then a trial tells most.
const EVERY_OTHER: u64 = 500;
/// A treatment less likely than this to work is tried last or not at all, in thousandths.
const UNLIKELY: u64 = 100;
/// How much it counts against a candidate that it was treated late: the power of its rank from the end that its suspicion is divided
/// by. Less where such a suspicion was of no use.
const LATENESS: u32 = 2;
/// How often suspects are set aside until the rest passes: at first, and of those of whom nothing showed that they are to blame.
const PEELS: usize = 3;
/// A single treatment less likely than this to work gets one run, even if its failure is in doubt; in thousandths.
const HUNCH: u64 = 250;
/// So much of the trials that an exhaustive campaign is expected to take may be spent in all, in hundredths.
const SHARE_OF_TRIALS: u64 = 32;
/// Trials that any campaign takes: traces, baselines, control, verification, reasons.
const OTHER_TRIALS: u64 = 10;

/// What a run showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) passing: Passing,
    /// The last run that failed.
    pub(super) failed: Option<Report>,
}

impl Look {
    /// What was treated in the run that failed, the item that was treated last first; empty where that is not known.
    fn latest(&self) -> &[Item] {
        self.failed.as_ref().map_or(&[], |report| &report.latest)
    }

    /// Whether the failure may be the host's doing.
    fn is_doubtful(&self) -> bool {
        self.failed.as_ref().is_some_and(|report| report.doubtful)
    }

    /// Whether this run failed in another way than `other`.
    fn fails_otherwise(&self, other: &Self) -> bool {
        // Which of these limits a run meets is a matter of chance.
        let kind = |report: &Report| match &report.outcome {
            Outcome::Fail(FailCause::Deadline { .. } | FailCause::ProcessorTime { .. } | FailCause::NeverReady { .. })
            | Outcome::Pass
            | Outcome::Inconclusive(_) => None,
            Outcome::Fail(cause) => Some(std::mem::discriminant(cause)),
        };
        self.failed.as_ref().map(kind) != other.failed.as_ref().map(kind)
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guessed {
    pub(super) found: Found,
    /// Calls of which no treatment was tried, or not every one, or one whose failure is in doubt.
    pub(super) assumed: BTreeSet<Item>,
}

/// A call with the treatment that is to be tried next.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    item: Item,
    treatment: Treatment,
    /// How likely it works, in thousandths.
    likelihood: u64,
    /// The treatment that is left if this one fails, with how likely it works then.
    other: Option<(Treatment, u64)>,
}

impl Candidate {
    /// The likelier treatment of a call. Of two equally likely ones the stub goes first, as it claims less.
    fn new(item: Item, likelihoods: &Likelihoods) -> Self {
        let (stub, fake) = (likelihoods.of(item, Treatment::Stub), likelihoods.of(item, Treatment::Fake));
        let (treatment, other) =
            if stub >= fake { (Treatment::Stub, Treatment::Fake) } else { (Treatment::Fake, Treatment::Stub) };
        Self { item, treatment, likelihood: stub.max(fake), other: Some((other, likelihoods.of_last(item, other))) }
    }

    /// The item with its other treatment, after this one failed; `None` if there is none.
    fn next(self) -> Option<Self> {
        let (treatment, likelihood) = self.other?;
        Some(Self { treatment, likelihood, other: None, ..self })
    }
}

type Group = Vec<Candidate>;

/// A group that is to be tried, and the suspects that it failed with: if it passes without them, one of them is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    group: Group,
    suspects: Group,
}

impl Part {
    /// A group of which nothing is known.
    const fn of(group: Group) -> Self {
        Self { group, suspects: Vec::new() }
    }
}

fn with(configuration: &Intervention, group: &[Candidate]) -> Intervention {
    group.iter().fold(configuration.clone(), |configuration, candidate| configuration.with(candidate.item, candidate.treatment))
}

/// Cuts items, the likeliest first, into groups that pass about every other time.
fn groups(mut candidates: Vec<Candidate>) -> Vec<Group> {
    candidates.sort_by_key(|candidate| (std::cmp::Reverse(candidate.likelihood), candidate.item));
    let mut groups: Vec<Group> = Vec::new();
    let mut together = 0;
    for candidate in candidates {
        match groups.last_mut() {
            Some(group) if together * candidate.likelihood / 1000 >= EVERY_OTHER => {
                together = together * candidate.likelihood / 1000;
                group.push(candidate);
            }
            _ => {
                together = candidate.likelihood;
                groups.push(vec![candidate]);
            }
        }
    }
    groups
}

/// How much a candidate is suspected to be what failed, if `later` other candidates were treated after it.
fn suspicion(candidate: &Candidate, later: usize, lateness: u32) -> u64 {
    let rank = u64::try_from(later).unwrap_or(u64::MAX).saturating_add(1);
    let odds = (1000 - candidate.likelihood) * 1000 / candidate.likelihood;
    odds * 1_000_000 / rank.saturating_pow(lateness)
}

/// Takes those out of `group` that bear at least half of the suspicion for a failure, and are as few as can be. What was not treated is
/// not suspected; where nobody was, everybody is.
fn suspects(group: &mut Group, latest: &[Item], lateness: u32) -> Group {
    let mut treated: Vec<_> = latest.iter().filter_map(|item| group.iter().position(|own| own.item == *item)).collect();
    let mut lateness = lateness;
    if treated.is_empty() {
        treated = (0..group.len()).collect();
        lateness = 0;
    }
    let mut ranked: Vec<_> =
        treated.iter().enumerate().map(|(later, index)| (suspicion(&group[*index], later, lateness), *index)).collect();
    ranked.sort_by_key(|(suspicion, index)| (std::cmp::Reverse(*suspicion), *index));
    let all: u64 = ranked.iter().map(|(suspicion, _)| suspicion).sum();
    let mut sum = 0;
    let mut taken = BTreeSet::new();
    for (suspicion, index) in ranked {
        taken.insert(index);
        sum += suspicion;
        if sum * 2 >= all {
            break;
        }
    }
    let (taken, left): (Vec<_>, Vec<_>) =
        std::mem::take(group).into_iter().enumerate().partition(|(index, _)| taken.contains(index));
    *group = left.into_iter().map(|(_, candidate)| candidate).collect();
    taken.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The search, with everything that it has learnt so far.
struct Search<'a> {
    ask: &'a mut dyn FnMut(&Intervention, Sureness) -> Result<Look, Unanswered>,
    questions: usize,
    configuration: Intervention,
    /// Items that are unlikely to be avoidable.
    unlikely: Vec<Candidate>,
    /// Those whose failure is in doubt.
    doubted: BTreeSet<Item>,
}

impl Search<'_> {
    /// Asks whether the configuration passes with this group.
    fn question(&mut self, group: &[Candidate]) -> Result<Look, Unanswered> {
        self.questions += 1;
        let hunch = matches!(group, [candidate] if candidate.likelihood < HUNCH);
        let sureness = if hunch { Sureness::Hunch } else { Sureness::Glance };
        let look = (self.ask)(&with(&self.configuration, group), sureness)?;
        if look.passing == Passing::No && look.is_doubtful() {
            self.doubted.extend(group.iter().filter(|_| hunch).map(|candidate| candidate.item));
        }
        Ok(look)
    }

    /// Adds to the configuration what is left of `group` once suspects are set aside, and then as much as possible of those of whom
    /// nothing showed that they are to blame; returns what is to be tried again.
    fn peel(&mut self, group: Group) -> Result<Vec<Part>, Unanswered> {
        let mut again = Vec::new();
        let mut open = group;
        // Groups that hardly anything speaks against, with the suspects that they failed with.
        let mut split: Vec<Part> = Vec::new();
        for _ in 0..PEELS {
            let mut parts = Vec::new();
            open = self.peel_once(open, &mut parts)?;
            let (passed, rest): (Vec<_>, Vec<_>) = split.into_iter().partition(|part| self.avoids(&part.group));
            split = rest;
            for part in passed {
                self.group_failed(part.suspects, &[], &mut parts);
            }
            for part in parts {
                if part.suspects.is_empty() {
                    again.push(part);
                } else {
                    open.extend(part.group.iter().cloned());
                    split.push(part);
                }
            }
        }
        for part in split {
            if part.group.iter().all(|candidate| open.contains(candidate)) {
                open.retain(|candidate| !part.group.contains(candidate));
                again.push(part);
            } else {
                again.push(Part::of(part.suspects));
            }
        }
        again.extend(groups(open).into_iter().map(Part::of));
        Ok(again)
    }

    /// Whether the configuration avoids all of them, in the way in which they were to be tried.
    fn avoids(&self, group: &[Candidate]) -> bool {
        group.iter().all(|candidate| self.configuration.get(candidate.item) == Some(candidate.treatment))
    }

    /// The same, once; returns those of whom nothing showed that they are to blame.
    fn peel_once(&mut self, mut group: Group, again: &mut Vec<Part>) -> Result<Group, Unanswered> {
        // What was set aside without a sign that it is to blame.
        let mut open: Group = Vec::new();
        // What was set aside last, with the run after which it was; and everything that was treated in any run.
        let mut last: Option<(Group, Look)> = None;
        let mut reached: BTreeSet<Item> = BTreeSet::new();
        let mut lateness = LATENESS;
        while !group.is_empty() {
            let look = self.question(&group)?;
            if look.passing == Passing::Yes {
                self.configuration = with(&self.configuration, &group);
                break;
            }
            if let Some((mut suspects, before)) = last.take() {
                if look.latest().iter().any(|item| !reached.contains(item)) || look.fails_otherwise(&before) {
                    // The app got further without them, or another way: one of them at least is to blame. And if a single one is not
                    // after all, then it passes with its other treatment.
                    lateness = LATENESS;
                    self.group_failed(suspects, before.latest(), again);
                } else {
                    let treated = group.iter().filter(|candidate| look.latest().contains(&candidate.item)).count();
                    lateness = u32::from(treated * 2 < group.len());
                    open.append(&mut suspects);
                }
            }
            reached.extend(look.latest().iter().copied());
            last = Some((suspects(&mut group, look.latest(), lateness), look));
        }
        if let Some((suspects, before)) = last {
            // The rest passes without them, and did not with them.
            self.group_failed(suspects, before.latest(), again);
        }
        Ok(open)
    }

    /// What becomes of an item whose treatment failed on top of the configuration.
    fn failed(&mut self, candidate: Candidate, again: &mut Vec<Part>) {
        match candidate.next() {
            None => {}
            Some(candidate) if candidate.likelihood >= UNLIKELY => again.push(Part::of(vec![candidate])),
            Some(candidate) => self.unlikely.push(candidate),
        }
    }

    /// What becomes of a group that failed in a run that treated `latest`: its suspects are tried again if the others fail too.
    fn group_failed(&mut self, mut group: Group, latest: &[Item], again: &mut Vec<Part>) {
        if group.len() == 1 {
            self.failed(group.remove(0), again);
            return;
        }
        let mut suspects = suspects(&mut group, latest, LATENESS);
        if group.is_empty() {
            // All are suspected alike.
            group = suspects.split_off(suspects.len() / 2);
        }
        again.push(Part { group, suspects });
    }

    /// Tries groups, all of one round at once, until none is left.
    fn run(&mut self, mut pending: Vec<Part>) -> Result<(), Vec<Unanswered>> {
        while !pending.is_empty() {
            let mut passed = Vec::new();
            let mut failed = Vec::new();
            let mut unanswered = Vec::new();
            for part in pending {
                match self.question(&part.group) {
                    Ok(Look { passing: Passing::Yes, .. }) => passed.push(part),
                    Ok(look) => failed.push((part, look)),
                    Err(missing) => unanswered.push(missing),
                }
            }
            if !unanswered.is_empty() {
                return Err(unanswered);
            }
            let mut again = Vec::new();
            for (part, look) in failed {
                self.group_failed(part.group, look.latest(), &mut again);
                if !part.suspects.is_empty() {
                    again.push(Part::of(part.suspects));
                }
            }
            self.merge(passed, &mut again).map_err(|missing| vec![missing])?;
            pending = again;
        }
        Ok(())
    }

    /// Adds what passed group by group to the configuration: at once if they get along, else as much of it as does.
    fn merge(&mut self, mut passed: Vec<Part>, again: &mut Vec<Part>) -> Result<(), Unanswered> {
        for part in &mut passed {
            if !part.suspects.is_empty() {
                // With them it failed.
                self.group_failed(std::mem::take(&mut part.suspects), &[], again);
            }
        }
        match passed.as_slice() {
            [] => {}
            [part] => self.configuration = with(&self.configuration, &part.group),
            _ => again.extend(self.peel(passed.into_iter().flat_map(|part| part.group).collect())?),
        }
        Ok(())
    }
}

/// About as many trials an exhaustive campaign would take of an app of which so much can be avoided: two for each call, and each failure
/// is seen twice.
fn expected_trials(used: &BTreeSet<Item>, configuration: &Intervention, likelihoods: &Likelihoods) -> u64 {
    let of_treatment = |item: Item, treatment| match configuration.get(item) {
        None => 2000,
        Some(avoided) if avoided == treatment => 1000,
        Some(_) => 2000 - likelihoods.of(item, treatment),
    };
    let treatments = used.iter().flat_map(|item| Treatment::ALL.map(|treatment| of_treatment(*item, treatment)));
    OTHER_TRIALS + treatments.sum::<u64>() / 1000
}

/// Finds a maximal configuration for an app that uses these calls; `order` holds them in the order in which they are first made. Of
/// equally unlikely ones those are tried first that come late, as what the loader does before all else is needed by all that follows.
pub(super) fn guess(
    used: &BTreeSet<Item>,
    order: &[Item],
    likelihoods: &Likelihoods,
    mut ask: impl FnMut(&Intervention, Sureness) -> Result<Look, Unanswered>,
) -> Result<Guessed, Vec<Unanswered>> {
    let candidates = used.iter().map(|item| Candidate::new(*item, likelihoods));
    let (likely, rest): (Vec<_>, Vec<_>) = candidates.partition(|candidate| candidate.likelihood >= LIKELY);
    let (fair, unlikely): (Vec<_>, Vec<_>) = rest.into_iter().partition(|candidate| candidate.likelihood >= UNLIKELY);
    let mut search =
        Search { ask: &mut ask, questions: 0, configuration: Intervention::none(), unlikely, doubted: BTreeSet::new() };
    let mut open = search.peel(likely).map_err(|missing| vec![missing])?;
    open.extend(groups(fair).into_iter().map(Part::of));
    search.run(open)?;

    let allowed = expected_trials(used, &search.configuration, likelihoods) * SHARE_OF_TRIALS / 100;
    let mut unlikely = std::mem::take(&mut search.unlikely);
    while !unlikely.is_empty() {
        let spent = OTHER_TRIALS + u64::try_from(search.questions).unwrap_or(u64::MAX);
        let spare = usize::try_from(allowed.saturating_sub(spent)).unwrap_or(usize::MAX);
        let place = |item: Item| order.iter().position(|other| *other == item);
        unlikely.sort_by_key(|candidate| std::cmp::Reverse((candidate.likelihood, place(candidate.item))));
        let rest = unlikely.split_off(unlikely.len().min(spare));
        if unlikely.is_empty() {
            unlikely = rest;
            break;
        }
        search.run(unlikely.drain(..).map(|candidate| Part::of(vec![candidate])).collect())?;
        // What failed comes back with its last treatment, less likely still.
        unlikely = rest;
        unlikely.append(&mut search.unlikely);
    }
    let configuration = search.configuration;
    let mut assumed: BTreeSet<_> = unlikely.iter().map(|candidate| candidate.item).chain(search.doubted).collect();
    assumed.retain(|item| configuration.get(*item).is_none());
    let avoidable: Vec<_> =
        configuration.iter().map(|(item, treatment)| Avoidable { item, treatments: joint::only(treatment) }).collect();
    let passing = |configuration: &Intervention, sureness| ask(configuration, sureness).map(|look| look.passing);
    let found = joint::search(&Intervention::none(), &avoidable, passing).map_err(|missing| vec![missing])?;
    Ok(Guessed { found, assumed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::model::{AppModel, fail};
    use crate::explore::verdict::Verdict;

    fn calls(names: &str) -> BTreeSet<Item> {
        names.split(' ').map(|name| name.parse().unwrap()).collect()
    }

    /// Where an app that fails is seen to do so.
    #[derive(Debug, Clone, Copy)]
    enum Ends {
        /// At the end, after everything was treated.
        Late,
        /// Right after the first call, in alphabetical order, without which it fails.
        AtOnce,
    }

    fn look(model: &AppModel, configuration: &Intervention, ends: Ends) -> Look {
        if model.passes(configuration) {
            return Look { passing: Passing::Yes, failed: None };
        }
        let mut made = Intervention::none();
        for (item, treatment) in configuration.iter() {
            made.insert(item, treatment);
            if matches!(ends, Ends::AtOnce) && !model.passes(&made) {
                break;
            }
        }
        let mut latest: Vec<_> = made.iter().map(|(item, _)| item).collect();
        latest.reverse();
        Look { passing: Passing::No, failed: Some(Report { latest, ..Report::new(fail(), BTreeSet::new()) }) }
    }

    /// Searches with an oracle that answers everything at once; returns the number of different questions too.
    fn run(model: &AppModel, used: &BTreeSet<Item>, likelihoods: &Likelihoods, ends: Ends) -> (Guessed, usize) {
        let mut asked = BTreeSet::new();
        let guessed = guess(used, &[], likelihoods, |configuration, _| {
            asked.insert(configuration.clone());
            Ok(look(model, configuration, ends))
        });
        (guessed.unwrap(), asked.len())
    }

    const NAMES: &str = "access bind brk chown close epoll_wait futex getpid ioctl listen mmap openat read uname write writev";

    fn model() -> (AppModel, BTreeSet<Item>) {
        let used = calls(NAMES);
        let required = ["bind", "close", "listen", "mmap", "openat", "read"];
        let broken = required.iter().flat_map(|name| [format!("stub={name}"), format!("fake={name}")]);
        let broken = broken.chain(["stub=chown", "stub=futex", "stub=uname", "fake=epoll_wait"].map(str::to_owned));
        let model = broken.fold(AppModel::new(used.iter().copied()), |model, text| model.broken_by(text.parse().unwrap()));
        (model, used)
    }

    /// What other apps would have taught.
    fn taught(model: &AppModel, used: &BTreeSet<Item>) -> Likelihoods {
        let mut likelihoods = Likelihoods::default();
        for &item in used {
            let works = |treatment| model.passes(&Intervention::single(item, treatment));
            likelihoods.learn(item, Verdict::from_treatments(works(Treatment::Stub), works(Treatment::Fake)), 5);
        }
        likelihoods
    }

    #[test]
    fn without_knowledge_the_configuration_is_as_large_as_can_be() {
        let (model, used) = model();
        for ends in [Ends::Late, Ends::AtOnce] {
            let (guessed, asked) = run(&model, &used, &Likelihoods::default(), ends);
            assert_eq!(guessed.found.configuration.len(), 10, "{ends:?}");
            assert!(model.passes(&guessed.found.configuration));
            assert!(guessed.assumed.is_subset(&calls("bind close listen mmap openat read")), "{:?}", guessed.assumed);
            assert!(2 * asked <= 5 * used.len(), "{ends:?}: {asked} questions");
        }
    }

    #[test]
    fn each_call_after_which_the_app_ends_takes_one_question_and_its_other_treatment_another() {
        let used = calls(NAMES);
        let model = ["close", "getpid", "uname"].iter().fold(AppModel::new(used.iter().copied()), |model, name| {
            Treatment::ALL
                .into_iter()
                .fold(model, |model, treatment| model.broken_by(Intervention::single(name.parse::<Item>().unwrap(), treatment)))
        });
        let (guessed, asked) = run(&model, &used, &Likelihoods::default(), Ends::AtOnce);
        assert_eq!(guessed.found.configuration.len(), used.len() - 3);
        // Three failures and the pass after them; then the other treatments.
        assert_eq!(asked, 4 + 3);
    }

    #[test]
    fn with_knowledge_a_few_questions_are_enough_and_what_was_not_tried_is_said() {
        let (model, used) = model();
        let (guessed, asked) = run(&model, &used, &taught(&model, &used), Ends::Late);
        assert_eq!(guessed.found.configuration.len(), 10);
        assert!(asked <= 9, "{asked} questions");
        // There were trials left for some of those that are unlikely, and not for all.
        assert!(guessed.assumed.is_subset(&calls("bind close listen mmap openat read")) && guessed.assumed.len() >= 3);
    }

    #[test]
    fn wrong_knowledge_costs_questions_and_not_correctness() {
        let (model, used) = model();
        let mut wrong = taught(&model, &used);
        for name in ["bind", "close", "chown"] {
            wrong.learn(name.parse().unwrap(), Verdict::Any, 50);
        }
        for ends in [Ends::Late, Ends::AtOnce] {
            let (guessed, _) = run(&model, &used, &wrong, ends);
            assert_eq!(guessed.found.configuration.len(), 10, "{ends:?}");
            assert!(model.passes(&guessed.found.configuration));
        }
    }

    #[test]
    fn calls_that_conflict_are_not_avoided_together() {
        let used = calls("access brk getpid ioctl uname");
        let conflict = "stub=access,brk".parse().unwrap();
        let model = AppModel::new(used.iter().copied())
            .broken_by(conflict)
            .broken_by("fake=access".parse().unwrap())
            .broken_by("fake=brk".parse().unwrap());
        for ends in [Ends::Late, Ends::AtOnce] {
            let (guessed, _) = run(&model, &used, &taught(&model, &used), ends);
            assert_eq!(guessed.found.configuration.len(), 4);
            assert!(model.passes(&guessed.found.configuration));
        }
    }

    #[test]
    fn who_was_treated_last_is_suspected_before_who_is_less_likely_and_who_was_not_treated_is_not() {
        let likelihoods = Likelihoods::default();
        let mut group: Group = calls("access brk chown dup").into_iter().map(|item| Candidate::new(item, &likelihoods)).collect();
        let latest: Vec<Item> = ["chown", "access", "brk"].iter().map(|name| name.parse().unwrap()).collect();
        let names = |group: &Group| group.iter().map(|candidate| candidate.item.to_string()).collect::<Vec<_>>();
        let first = suspects(&mut group, &latest, LATENESS);
        assert_eq!(
            (names(&first), names(&group)),
            (vec!["chown".to_owned()], ["access", "brk", "dup"].map(str::to_owned).to_vec())
        );
        assert_eq!(names(&suspects(&mut group, &latest, LATENESS)), ["access"]);
        assert_eq!(names(&suspects(&mut group, &latest, LATENESS)), ["brk"]);
        assert_eq!(names(&suspects(&mut group, &latest, LATENESS)), ["dup"], "somebody has to be set aside");
        assert!(group.is_empty());
    }
}
