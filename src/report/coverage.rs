//! In which order to implement calls so that most apps run soonest: the coverage curve. Pure.
//!
//! An app runs once every call it cannot do without is implemented. Which order is best is a hard problem (with all apps needing
//! pairs of calls, it is that of the densest sub-graph), so several greedy orders are made, the one with the largest area below its
//! curve is taken, and improved by moving single apps for as long as that helps: it is the best that was found, not the best
//! there is.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::syscalls::Sysno;

/// Above so many different sets of calls, the order that looks at all pairs of them is left out: it would take minutes.
const MANY: usize = 1500;

/// How often all apps are tried in all places.
const ROUNDS: usize = 4;

/// Above so many different sets, they are not.
const TOO_MANY: usize = 300;

/// The calls as bits: a set of them is compared and counted in a few instructions.
const WORDS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Bits([u64; WORDS]);

impl Bits {
    fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    fn contains(self, index: usize) -> bool {
        self.0[index / 64] & (1 << (index % 64)) != 0
    }

    fn without(self, other: Self) -> Self {
        let mut rest = self;
        rest.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        rest
    }

    fn with(self, other: Self) -> Self {
        let mut all = self;
        all.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
        all
    }

    fn len(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    fn is_empty(self) -> bool {
        self.0 == [0; WORDS]
    }
}

/// One more call on the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CoverageStep {
    /// The call that is implemented now.
    pub syscall: Sysno,
    /// Apps that run with the calls up to here.
    pub apps: usize,
}

/// The curve of one order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Coverage {
    /// Number of all apps.
    pub of: usize,
    /// Apps that need no call at all.
    pub at_first: usize,
    /// How the order was found.
    pub order: &'static str,
    /// The order.
    pub steps: Vec<CoverageStep>,
}

impl Coverage {
    /// The curve of the best order found for apps that need these calls.
    #[must_use]
    pub fn of<'a>(needs: impl IntoIterator<Item = &'a [Sysno]>) -> Self {
        let problem = Problem::new(needs);
        let mut curves = vec![problem.by_popularity(), problem.by_nearest_app()];
        if problem.sets.len() <= MANY {
            curves.push(problem.by_density());
        }
        // The first of equals.
        let best = curves.into_iter().rev().max_by_key(Self::area).unwrap_or_default();
        problem.improved(best)
    }

    fn area(&self) -> usize {
        self.steps.iter().map(|step| step.apps).sum()
    }

    /// How many calls it takes until this many apps run, if they ever do.
    #[must_use]
    pub fn calls_for(&self, apps: usize) -> Option<usize> {
        if apps <= self.at_first {
            return Some(0);
        }
        self.steps.iter().position(|step| step.apps >= apps).map(|index| index + 1)
    }

    /// Apps that run with the first `calls`.
    #[must_use]
    pub fn apps_with(&self, calls: usize) -> usize {
        match calls.min(self.steps.len()) {
            0 => self.at_first,
            count => self.steps[count - 1].apps,
        }
    }
}

/// How late apps begin to run if they are served in this order: the smaller, the larger the area below the curve.
fn delay(order: &[(Bits, usize)]) -> usize {
    let mut implemented = Bits::default();
    let late = |(set, weight): &(Bits, usize)| {
        implemented = implemented.with(*set);
        usize::try_from(implemented.len()).unwrap_or(usize::MAX) * weight
    };
    order.iter().map(late).sum()
}

/// Different sets of calls, each with the number of apps that need just these.
struct Problem {
    calls: Vec<Sysno>,
    sets: Vec<(Bits, usize)>,
    /// Apps that need each call.
    popularity: Vec<usize>,
}

impl Problem {
    fn new<'a>(needs: impl IntoIterator<Item = &'a [Sysno]>) -> Self {
        let all: Vec<&[Sysno]> = needs.into_iter().collect();
        let mut index = BTreeMap::new();
        for call in all.iter().copied().flatten() {
            index.entry(*call).or_insert(0);
        }
        for (position, (_, index)) in index.iter_mut().enumerate() {
            *index = position;
        }
        let calls: Vec<_> = index.keys().copied().collect();
        assert!(calls.len() <= WORDS * 64, "invariant: Linux has fewer calls than there are bits");
        let mut popularity = vec![0; calls.len()];
        let mut sets = BTreeMap::<Bits, usize>::new();
        for need in all {
            let mut bits = Bits::default();
            for call in need {
                bits.insert(index[call]);
            }
            (0..calls.len()).filter(|place| bits.contains(*place)).for_each(|place| popularity[place] += 1);
            *sets.entry(bits).or_default() += 1;
        }
        Self { calls, sets: sets.into_iter().collect(), popularity }
    }

    /// The call that most apps need first.
    fn by_popularity(&self) -> Coverage {
        let mut order: Vec<_> = (0..self.calls.len()).collect();
        order.sort_by_key(|place| (usize::MAX - self.popularity[*place], *place));
        self.curve("the call that most apps need first", &order)
    }

    /// Always on to the app that is nearest; among those the one that is needed by most.
    fn by_nearest_app(&self) -> Coverage {
        self.greedy("the app that lacks the fewest calls first", |missing, weight, _| {
            (u64::from(missing.len()) << 32) + (u64::from(u32::MAX) - weight)
        })
    }

    /// Always on to where most apps are won per call.
    fn by_density(&self) -> Coverage {
        self.greedy("most apps per call first", |missing, _, rest| {
            let won: usize = rest.iter().filter(|(set, _)| set.without(missing).is_empty()).map(|(_, weight)| weight).sum();
            // Calls per app, in millionths: the smaller the better.
            u64::from(missing.len()) * 1_000_000 / u64::try_from(won.max(1)).unwrap_or(u64::MAX)
        })
    }

    /// Takes the set with the smallest score, and goes on with what the others still lack.
    fn greedy(&self, name: &'static str, score: impl Fn(Bits, u64, &[(Bits, usize)]) -> u64) -> Coverage {
        let mut implemented = Bits::default();
        let mut rest = self.sets.clone();
        let mut order = Vec::with_capacity(self.calls.len());
        loop {
            // What the others lack, the same lacks together.
            let mut lacking = BTreeMap::<Bits, usize>::new();
            for (set, weight) in &rest {
                let missing = set.without(implemented);
                if !missing.is_empty() {
                    *lacking.entry(missing).or_default() += weight;
                }
            }
            rest = lacking.into_iter().collect();
            let weighed = |(missing, weight): &(Bits, usize)| score(*missing, u64::try_from(*weight).unwrap_or(u64::MAX), &rest);
            let Some((missing, _)) = rest.iter().min_by_key(|set| weighed(set)).copied() else { break };
            order.extend(self.by_popularity_of(missing));
            implemented = implemented.with(missing);
        }
        self.curve(name, &order)
    }

    /// Moves apps in the order in which they are served, for as long as that makes the area larger and there were not more rounds than
    /// are worth it. Single calls are not moved: one alone seldom lets an app run.
    fn improved(&self, best: Coverage) -> Coverage {
        if self.sets.len() > TOO_MANY {
            return best;
        }
        let position: BTreeMap<Sysno, usize> = best.steps.iter().enumerate().map(|(step, found)| (found.syscall, step)).collect();
        let begins = |set: &Bits| self.members(*set).map(|place| position[&self.calls[place]] + 1).max().unwrap_or(0);
        let mut order = self.sets.clone();
        order.sort_by_key(|(set, _)| begins(set));
        let mut smallest = delay(&order);
        for _ in 0..ROUNDS {
            let before = smallest;
            for from in 0..order.len() {
                for to in 0..order.len() {
                    let moved = order.remove(from);
                    order.insert(to, moved);
                    let now = delay(&order);
                    if now < smallest {
                        smallest = now;
                    } else {
                        let moved = order.remove(to);
                        order.insert(from, moved);
                    }
                }
            }
            if smallest == before {
                break;
            }
        }
        let mut calls = Vec::with_capacity(self.calls.len());
        let mut implemented = Bits::default();
        for (set, _) in order {
            calls.extend(self.by_popularity_of(set.without(implemented)));
            implemented = implemented.with(set);
        }
        let improved = self.curve(best.order, &calls);
        if improved.area() > best.area() { improved } else { best }
    }

    fn members(&self, set: Bits) -> impl Iterator<Item = usize> {
        (0..self.calls.len()).filter(move |place| set.contains(*place))
    }

    /// The calls of a set, those first that most apps need.
    fn by_popularity_of(&self, set: Bits) -> Vec<usize> {
        let mut places: Vec<_> = self.members(set).collect();
        places.sort_by_key(|place| (usize::MAX - self.popularity[*place], *place));
        places
    }

    fn curve(&self, name: &'static str, order: &[usize]) -> Coverage {
        // An app runs at the last of its calls.
        let mut position = vec![0; self.calls.len()];
        for (step, place) in order.iter().enumerate() {
            position[*place] = step;
        }
        let mut won = vec![0; order.len()];
        let mut at_first = 0;
        for (set, weight) in &self.sets {
            match self.members(*set).map(|place| position[place]).max() {
                Some(last) => won[last] += weight,
                None => at_first += weight,
            }
        }
        let mut apps = at_first;
        let steps = order.iter().zip(won).map(|(place, won)| {
            apps += won;
            CoverageStep { syscall: self.calls[*place], apps }
        });
        Coverage { of: self.sets.iter().map(|(_, weight)| weight).sum(), at_first, order: name, steps: steps.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn calls(names: &str) -> Vec<Sysno> {
        names.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    fn coverage(needs: &[&str]) -> Coverage {
        let needs: Vec<_> = needs.iter().map(|names| calls(names)).collect();
        Coverage::of(needs.iter().map(Vec::as_slice))
    }

    #[test]
    fn an_app_runs_once_the_last_call_it_needs_is_there() {
        let found = coverage(&["", "read", "read write", "brk mmap futex close"]);
        let apps: Vec<_> = found.steps.iter().map(|step| step.apps).collect();
        assert_eq!((found.at_first, apps.as_slice(), found.of), (1, &[2, 3, 3, 3, 3, 4][..], 4));
        assert_eq!([1, 2, 3, 4, 5].map(|apps| found.calls_for(apps)), [Some(0), Some(1), Some(2), Some(6), None]);
        assert_eq!([0, 2, 99].map(|calls| found.apps_with(calls)), [1, 3, 4]);
    }

    #[test]
    fn many_apps_for_two_calls_go_before_one_app_for_one_call() {
        // Nearest first begins with `brk`; three apps for `read` and `write` are worth more.
        let found = coverage(&["brk", "read write", "read write", "read write"]);
        let order: Vec<_> = found.steps.iter().map(|step| step.syscall.name()).collect();
        assert_eq!(order, ["read", "write", "brk"]);
    }

    #[test]
    fn without_apps_there_is_no_curve() {
        assert_eq!(coverage(&[]).steps, []);
    }

    proptest! {
        #[test]
        fn every_curve_rises_to_all_apps_with_each_call_once(sets in prop::collection::vec(prop::collection::btree_set(0_usize..40, 0..8), 1..30)) {
            let all: Vec<_> = Sysno::all().collect();
            let needs: Vec<Vec<Sysno>> = sets.iter().map(|set| set.iter().map(|index| all[*index]).collect()).collect();
            let found = Coverage::of(needs.iter().map(Vec::as_slice));
            prop_assert!(found.steps.is_sorted_by_key(|step| step.apps));
            prop_assert_eq!(found.steps.last().map_or(found.at_first, |step| step.apps), needs.len());
            let mut order: Vec<_> = found.steps.iter().map(|step| step.syscall).collect();
            for (index, step) in found.steps.iter().enumerate() {
                let runs = needs.iter().filter(|need| need.iter().all(|call| order[..=index].contains(call))).count();
                prop_assert_eq!(step.apps, runs);
            }
            order.sort();
            order.dedup();
            prop_assert_eq!(order.len(), found.steps.len());
        }
    }
}
