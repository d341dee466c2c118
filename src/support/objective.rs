//! What a plan is to be good for: which app next, what apps are worth, what calls cost. Pure.

use std::collections::BTreeMap;

use super::set::CallSet;
use crate::syscalls::{COUNT, Sysno};

/// What decides which app comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Objective {
    /// The app for which the fewest calls (or the cheapest ones) are missing.
    #[default]
    NextApp,
    /// The app whose missing calls bring the most for their cost: what the apps are worth that run then, divided by it.
    Value,
    /// As many apps (or as much worth) as can be had for calls of this total cost. The best choice that several searches found,
    /// which need not be the best that there is.
    Budget(u64),
}

/// What apps are worth and what calls cost; 1 where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weights {
    /// What an app is worth, such as its popularity.
    pub apps: BTreeMap<String, u64>,
    /// What it costs to implement a call.
    pub calls: BTreeMap<Sysno, u64>,
}

impl Weights {
    /// What `app` is worth.
    #[must_use]
    pub fn of_app(&self, app: &str) -> u64 {
        self.apps.get(app).copied().unwrap_or(1)
    }

    /// What it costs to implement `call`.
    #[must_use]
    pub fn of_call(&self, call: Sysno) -> u64 {
        self.calls.get(&call).copied().unwrap_or(1)
    }
}

/// The costs of calls, prepared for adding them up often.
#[derive(Debug)]
pub(super) struct Costs {
    /// The calls that cost something else than 1, with the difference.
    special: CallSet,
    costs: Box<[u64; COUNT]>,
}

impl Costs {
    pub(super) fn new(weights: &Weights) -> Self {
        let mut costs = Box::new([1; COUNT]);
        for (call, cost) in &weights.calls {
            costs[call.index()] = *cost;
        }
        let special = weights.calls.iter().filter(|(_, cost)| **cost != 1).map(|(call, _)| *call).collect();
        Self { special, costs }
    }

    pub(super) fn of(&self, calls: CallSet) -> u64 {
        let special = calls.intersection(self.special);
        let usual = calls.without(special).len() as u64;
        if special.is_empty() { usual } else { usual + special.iter().map(|call| self.costs[call.index()]).sum::<u64>() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_cost_one_unless_said_otherwise() {
        let call = |name: &str| name.parse::<Sysno>().unwrap();
        let weights = Weights {
            calls: BTreeMap::from([(call("mmap"), 7), (call("getpid"), 0)]),
            apps: BTreeMap::from([("nginx".to_owned(), 30)]),
        };
        let costs = Costs::new(&weights);
        let set = |names: &[&str]| names.iter().map(|name| call(name)).collect::<CallSet>();
        assert_eq!(costs.of(set(&["read", "write"])), 2);
        assert_eq!(costs.of(set(&["read", "mmap", "getpid"])), 8);
        assert_eq!((weights.of_app("nginx"), weights.of_app("redis"), weights.of_call(call("read"))), (30, 1, 1));
    }
}
