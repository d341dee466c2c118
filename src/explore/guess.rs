//! The strategy `joint`: straight for a maximal configuration, without trying each call alone. Pure.
//!
//! Groups of calls that are likely avoidable are tried at once on top of what is known to pass, several groups at a time; what
//! fails is halved, and a single call that fails is tried with its other treatment. How large a group is follows from how likely
//! its calls are avoidable (`likelihood`): about every other group passes, which is when a trial tells most. Calls that hardly ever
//! were avoidable elsewhere are tried last, each alone, as long as the number of trials stays small; the rest is *assumed* to be
//! required, and said to be so. In the end the whole is verified; if that fails, `joint` takes it apart.
//!
//! Written like `joint` as a plain function over an oracle: an answer that is missing ends it, and it is called again from its
//! beginning when the trials have been run.

use std::collections::BTreeSet;

use super::joint::{self, Avoidable, Dropped, Found, Sureness, Unanswered};
use super::likelihood::Likelihoods;
use super::replicas::Passing;

use crate::trial::{Intervention, Item, Treatment};

/// A group is as large as it can be while it passes at least this often, in thousandths.
const EVERY_OTHER: u64 = 500;
/// A treatment less likely than this to work is tried last or not at all, in thousandths.
const UNLIKELY: u64 = 130;
/// For each ten calls that are used, about so many trials may be spent in all.
const TRIALS_PER_TEN_CALLS: usize = 9;
/// Trials that any campaign takes: traces, baselines, control, verification.
const OTHER_TRIALS: usize = 10;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guessed {
    pub(super) found: Found,
    /// Calls of which no treatment was tried, or not every one.
    pub(super) assumed: BTreeSet<Item>,
}

/// A call with the treatments that are still to be tried, the likeliest first; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    item: Item,
    left: Vec<(Treatment, u64)>,
}

impl Candidate {
    fn new(item: Item, likelihoods: &Likelihoods) -> Self {
        let mut left: Vec<_> = Treatment::ALL.iter().map(|treatment| (*treatment, likelihoods.of(item, *treatment))).collect();
        // Stable: of two equally likely treatments the stub goes first, as it claims less.
        left.sort_by_key(|(_, likelihood)| std::cmp::Reverse(*likelihood));
        Self { item, left }
    }

    fn treatment(&self) -> Treatment {
        self.left[0].0
    }

    fn likelihood(&self) -> u64 {
        self.left[0].1
    }

    /// The item without the treatment that failed; `None` if that was the last.
    fn next(mut self) -> Option<Self> {
        self.left.remove(0);
        (!self.left.is_empty()).then_some(self)
    }
}

type Group = Vec<Candidate>;

fn with(configuration: &Intervention, group: &[Candidate]) -> Intervention {
    group.iter().fold(configuration.clone(), |configuration, candidate| configuration.with(candidate.item, candidate.treatment()))
}

/// Cuts items, the likeliest first, into groups that pass about every other time.
fn groups(mut candidates: Vec<Candidate>) -> Vec<Group> {
    candidates.sort_by_key(|candidate| (std::cmp::Reverse(candidate.likelihood()), candidate.item));
    let mut groups: Vec<Group> = Vec::new();
    let mut together = 0;
    for candidate in candidates {
        let likelihood = candidate.likelihood();
        match groups.last_mut() {
            Some(group) if together * likelihood / 1000 >= EVERY_OTHER => {
                together = together * likelihood / 1000;
                group.push(candidate);
            }
            _ => {
                together = likelihood;
                groups.push(vec![candidate]);
            }
        }
    }
    groups
}

/// The search, with everything that it has learnt so far.
struct Search<'a> {
    ask: &'a mut dyn FnMut(&Intervention, Sureness) -> Result<Passing, Unanswered>,
    questions: usize,
    configuration: Intervention,
    dropped: Vec<Dropped>,
    /// Items that are unlikely to be avoidable.
    unlikely: Vec<Candidate>,
}

impl Search<'_> {
    fn question(&mut self, configuration: &Intervention) -> Result<bool, Unanswered> {
        self.questions += 1;
        Ok((self.ask)(configuration, Sureness::Glance)? == Passing::Yes)
    }

    /// What becomes of an item whose first treatment failed on top of the configuration.
    fn failed(&mut self, candidate: Candidate, again: &mut Vec<Group>) {
        let dropped =
            Dropped { item: candidate.item, treatment: candidate.treatment(), together_with: self.configuration.clone() };
        match candidate.next() {
            None => self.dropped.push(dropped),
            Some(candidate) if candidate.likelihood() >= UNLIKELY => again.push(vec![candidate]),
            Some(candidate) => self.unlikely.push(candidate),
        }
    }

    fn group_failed(&mut self, mut group: Group, again: &mut Vec<Group>) {
        if group.len() == 1 {
            self.failed(group.remove(0), again);
        } else {
            let right = group.split_off(group.len() / 2);
            again.extend([group, right]);
        }
    }

    /// Tries groups, all of one round at once, until none is left.
    fn run(&mut self, mut pending: Vec<Group>) -> Result<(), Vec<Unanswered>> {
        while !pending.is_empty() {
            let mut passed = Vec::new();
            let mut failed = Vec::new();
            let mut unanswered = Vec::new();
            for group in pending {
                match self.question(&with(&self.configuration, &group)) {
                    Ok(true) => passed.push(group),
                    Ok(false) => failed.push(group),
                    Err(missing) => unanswered.push(missing),
                }
            }
            if !unanswered.is_empty() {
                return Err(unanswered);
            }
            let mut again = Vec::new();
            for group in failed {
                self.group_failed(group, &mut again);
            }
            self.merge(passed, &mut again).map_err(|missing| vec![missing])?;
            pending = again;
        }
        Ok(())
    }

    /// Adds what passed group by group to the configuration: at once if they get along, else one after the other.
    fn merge(&mut self, passed: Vec<Group>, again: &mut Vec<Group>) -> Result<(), Unanswered> {
        let merged = passed.iter().fold(self.configuration.clone(), |configuration, group| with(&configuration, group));
        if passed.len() <= 1 || self.question(&merged)? {
            self.configuration = merged;
            return Ok(());
        }
        let mut first = true;
        for group in passed {
            let candidate = with(&self.configuration, &group);
            // The first one passed on top of this very configuration.
            if first || self.question(&candidate)? {
                self.configuration = candidate;
            } else {
                self.group_failed(group, again);
            }
            first = false;
        }
        Ok(())
    }
}

/// Finds a maximal configuration for an app that uses these calls.
pub(super) fn guess(
    used: &BTreeSet<Item>,
    likelihoods: &Likelihoods,
    mut ask: impl FnMut(&Intervention, Sureness) -> Result<Passing, Unanswered>,
) -> Result<Guessed, Vec<Unanswered>> {
    let candidates = used.iter().map(|item| Candidate::new(*item, likelihoods));
    let (likely, unlikely): (Vec<_>, Vec<_>) = candidates.partition(|candidate| candidate.likelihood() >= UNLIKELY);
    let mut search = Search { ask: &mut ask, questions: 0, configuration: Intervention::none(), dropped: Vec::new(), unlikely };
    search.run(groups(likely))?;

    let allowed = used.len() * TRIALS_PER_TEN_CALLS / 10;
    let mut spare = allowed.saturating_sub(OTHER_TRIALS + search.questions);
    let mut unlikely = std::mem::take(&mut search.unlikely);
    unlikely.sort_by_key(|candidate| (std::cmp::Reverse(candidate.likelihood()), candidate.item));
    while spare > 0 && !unlikely.is_empty() {
        let rest = unlikely.split_off(unlikely.len().min(spare));
        spare -= unlikely.len();
        search.run(unlikely.drain(..).map(|candidate| vec![candidate]).collect())?;
        // What failed comes back with its last treatment, less likely still.
        unlikely = rest;
        unlikely.append(&mut search.unlikely);
        unlikely.sort_by_key(|candidate| (std::cmp::Reverse(candidate.likelihood()), candidate.item));
    }
    let assumed = unlikely.iter().map(|candidate| candidate.item).collect();
    let (configuration, mut dropped) = (search.configuration, search.dropped);
    let avoidable: Vec<_> =
        configuration.iter().map(|(item, treatment)| Avoidable { item, treatments: joint::only(treatment) }).collect();
    let mut found = joint::search(&Intervention::none(), &avoidable, ask).map_err(|missing| vec![missing])?;
    dropped.append(&mut found.dropped);
    found.dropped = dropped;
    Ok(Guessed { found, assumed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::model::AppModel;

    fn calls(names: &str) -> BTreeSet<Item> {
        names.split(' ').map(|name| name.parse().unwrap()).collect()
    }

    /// Searches with an oracle that answers everything at once; returns the number of different questions too.
    fn run(model: &AppModel, used: &BTreeSet<Item>, likelihoods: &Likelihoods) -> (Guessed, usize) {
        let mut asked = BTreeSet::new();
        let guessed = guess(used, likelihoods, |configuration, _| {
            asked.insert(configuration.clone());
            Ok(if model.passes(configuration) { Passing::Yes } else { Passing::No })
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
            for treatment in Treatment::ALL {
                likelihoods.learn(item, treatment, model.passes(&Intervention::single(item, treatment)), 5);
            }
        }
        likelihoods
    }

    #[test]
    fn without_knowledge_the_configuration_is_as_large_as_can_be() {
        let (model, used) = model();
        let (guessed, _) = run(&model, &used, &Likelihoods::default());
        assert_eq!(guessed.found.configuration.len(), 10);
        assert!(model.passes(&guessed.found.configuration));
        assert!(guessed.assumed.is_empty());
        assert_eq!(guessed.found.dropped.len(), 6);
    }

    #[test]
    fn with_knowledge_a_few_questions_are_enough_and_what_was_not_tried_is_said() {
        let (model, used) = model();
        let (guessed, asked) = run(&model, &used, &taught(&model, &used));
        assert_eq!(guessed.found.configuration.len(), 10);
        assert!(asked <= 6, "{asked} questions");
        assert_eq!(guessed.assumed, calls("bind close listen mmap openat read"));
    }

    #[test]
    fn wrong_knowledge_costs_questions_and_not_correctness() {
        let (model, used) = model();
        let mut wrong = taught(&model, &used);
        for name in ["bind", "close", "chown"] {
            for treatment in Treatment::ALL {
                wrong.learn(name.parse().unwrap(), treatment, true, 50);
            }
        }
        let (guessed, _) = run(&model, &used, &wrong);
        assert_eq!(guessed.found.configuration.len(), 10);
        assert!(model.passes(&guessed.found.configuration));
    }

    #[test]
    fn calls_that_conflict_are_not_avoided_together() {
        let used = calls("access brk getpid ioctl uname");
        let conflict = "stub=access,brk".parse().unwrap();
        let model = AppModel::new(used.iter().copied())
            .broken_by(conflict)
            .broken_by("fake=access".parse().unwrap())
            .broken_by("fake=brk".parse().unwrap());
        let (guessed, _) = run(&model, &used, &taught(&model, &used));
        assert_eq!(guessed.found.configuration.len(), 4);
        assert!(model.passes(&guessed.found.configuration));
    }
}
