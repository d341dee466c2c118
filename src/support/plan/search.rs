//! Which calls bring the most: for the next step, and for a given budget. Pure.
//!
//! To find the best set of calls for a budget is a knapsack problem with shared items, for which no fast exact method is known. So
//! several searches are made (from below by the cheapest app and by the best value, from above by giving up what costs most for what it
//! brings), the best result is improved app by app, and plans say that a better one may exist. Conflicts between apps are left to
//! the plan that is made of the calls.

use std::collections::BTreeMap;

use crate::support::facts::AppFacts;
use crate::support::fallbacks::lacking;
use crate::support::frontier::Frontier;
use crate::support::objective::{Costs, Weights};
use crate::support::profile::Profile;
use crate::support::set::CallSet;
use crate::syscalls::{COUNT, Sysno};

/// Rounds of improvement; each tries every app that is left out.
const ROUNDS: usize = 3;

/// Above so many different needs, searches that compare each with each would take longer than anybody wants to wait for a plan.
const MOST_COMPARED: usize = 1000;

/// The app whose missing calls bring the most for their cost, all apps counted that run then; of several the cheapest, and the
/// first.
pub(super) fn most_valuable(frontier: &Frontier, apps: &[AppFacts], weights: &Weights) -> Option<usize> {
    let left: Vec<_> =
        frontier.left().iter().map(|app| (*app, frontier.missing(*app), weights.of_app(&apps[*app].name))).collect();
    let mut best: Option<(usize, u64, u64)> = None;
    for (app, missing, _) in &left {
        let cost = frontier.cost(*missing);
        let value = left.iter().filter(|(_, other, _)| other.is_subset(missing)).map(|(_, _, weight)| weight).sum();
        let better = best.is_none_or(|(_, best_value, best_cost)| {
            let (ours, theirs) = (product(value, best_cost), product(best_value, cost));
            ours > theirs || (ours == theirs && cost < best_cost)
        });
        if better {
            best = Some((*app, value, cost));
        }
    }
    best.map(|(app, _, _)| app)
}

fn product(left: u64, right: u64) -> u128 {
    u128::from(left) * u128::from(right)
}

/// The calls of a total cost of at most `budget` that let apps of as much worth as was found run on `os`.
pub(super) fn best_calls(os: &Profile, apps: &[AppFacts], budget: u64, weights: &Weights) -> CallSet {
    let problem = Problem::new(os, apps, budget, weights);
    let mut best = CallSet::EMPTY;
    let trimmed = problem.trimmed(problem.all(), CallSet::EMPTY);
    let mut all = vec![problem.filled(CallSet::EMPTY, false), problem.filled(trimmed, false)];
    if problem.wishes.len() <= MOST_COMPARED {
        all.push(problem.filled(CallSet::EMPTY, true));
    }
    for found in all {
        if problem.worth(found) > problem.worth(best) {
            best = found;
        }
    }
    problem.improved(best)
}

/// What can be bought, and for how much.
struct Problem {
    /// Different sets of missing calls in the order of the apps, with the worth of those that miss just these.
    wishes: Vec<(CallSet, u64)>,
    costs: Costs,
    budget: u64,
}

impl Problem {
    fn new(os: &Profile, apps: &[AppFacts], budget: u64, weights: &Weights) -> Self {
        let mut places = BTreeMap::<CallSet, usize>::new();
        let mut wishes: Vec<(CallSet, u64)> = Vec::new();
        let costs = Costs::new(weights);
        for app in apps {
            let wish = lacking(app, os.calls(), &costs);
            let place = *places.entry(wish).or_insert(wishes.len());
            if place == wishes.len() {
                wishes.push((wish, 0));
            }
            wishes[place].1 += weights.of_app(&app.name);
        }
        Self { wishes, costs, budget }
    }

    /// Every call that some app misses.
    fn all(&self) -> CallSet {
        self.wishes.iter().fold(CallSet::EMPTY, |all, (calls, _)| all.union(*calls))
    }

    /// What the apps are worth that run with these calls.
    fn worth(&self, calls: CallSet) -> u64 {
        self.wishes.iter().filter(|(wish, _)| wish.is_subset(&calls)).map(|(_, worth)| worth).sum()
    }

    /// Fulfils one wish after the other beside `calls` while the budget lasts: the cheapest, or the one that brings the most for its
    /// cost.
    fn filled(&self, mut calls: CallSet, by_value: bool) -> CallSet {
        loop {
            let spent = self.costs.of(calls);
            let mut best: Option<(CallSet, u64, u64)> = None;
            for (wish, _) in self.wishes.iter().filter(|(wish, _)| !wish.is_subset(&calls)) {
                let cost = self.costs.of(wish.without(calls));
                if spent + cost > self.budget {
                    continue;
                }
                let value = if by_value { self.worth(calls.union(*wish)) - self.worth(calls) } else { 1 };
                if best.is_none_or(|(_, best_value, best_cost)| product(value, best_cost) > product(best_value, cost)) {
                    best = Some((*wish, value, cost));
                }
            }
            match best {
                Some((wish, _, _)) => calls = calls.union(wish),
                None => return calls,
            }
        }
    }

    /// Gives up calls of `calls` until the rest fits the budget: each time the one with which the least worth is lost for its cost. The
    /// calls `kept` stay.
    fn trimmed(&self, calls: CallSet, kept: CallSet) -> CallSet {
        let mut wishes: Vec<_> = self.wishes.iter().filter(|(wish, _)| wish.is_subset(&calls)).collect();
        loop {
            let calls = wishes.iter().fold(kept, |all, (wish, _)| all.union(*wish));
            if self.costs.of(calls) <= self.budget {
                return calls;
            }
            let mut losses = [0_u64; COUNT];
            for (wish, worth) in &wishes {
                wish.iter().for_each(|call| losses[call.index()] += worth);
            }
            let mut least: Option<(Sysno, u64, u64)> = None;
            for call in calls.without(kept).iter() {
                let (lost, cost) = (losses[call.index()], self.costs.of([call].into_iter().collect()));
                if least.is_none_or(|(_, least_lost, least_cost)| product(lost, least_cost) < product(least_lost, cost)) {
                    least = Some((call, lost, cost));
                }
            }
            match least {
                Some((call, _, _)) => wishes.retain(|(wish, _)| !wish.contains(call)),
                // What has to stay does not fit: nothing does.
                None => return CallSet::EMPTY,
            }
        }
    }

    /// Takes in one app more wherever what has to go for it is worth less.
    fn improved(&self, mut best: CallSet) -> CallSet {
        if self.wishes.len() > MOST_COMPARED {
            return best;
        }
        for _ in 0..ROUNDS {
            let before = self.worth(best);
            for (wish, _) in &self.wishes {
                if !wish.is_subset(&best) && self.costs.of(*wish) <= self.budget {
                    let candidate = self.filled(self.trimmed(best.union(*wish), *wish), false);
                    if self.worth(candidate) > self.worth(best) {
                        best = candidate;
                    }
                }
            }
            if self.worth(best) == before {
                break;
            }
        }
        best
    }
}
