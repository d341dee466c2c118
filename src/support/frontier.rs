//! The apps that do not run yet, and what each of them still lacks: the state in which a plan grows. Pure.
//!
//! Which app is next costs one look at a cached number per app. The numbers are computed anew only when something has changed on
//! which they depend, which happens at most a few times per call, however many apps there are.

use super::facts::Needs;
use super::fallbacks::{Fallbacks, Treatable};
use super::objective::Costs;
use super::set::CallSet;

/// How a plan stands.
#[derive(Debug)]
pub(super) struct Frontier {
    needs: Vec<Needs>,
    /// What each app needs where calls are absent.
    fallbacks: Vec<Fallbacks>,
    costs: Costs,
    /// Places in `needs` of the apps that do not run yet, in the order that decides ties.
    left: Vec<usize>,
    /// The calls that the OS has by now, in full or in part.
    pub(super) have: CallSet,
    /// The calls that some app relies on being stubbed or faked; calls in `have` as well where that was before.
    pub(super) relied: CallSet,
    /// The calls that every app which relies on their being avoided accepts to be stubbed …
    pub(super) stub: CallSet,
    /// … or faked.
    pub(super) fake: CallSet,
    /// Whether apps that accept different treatments stand in each other's way.
    conflicts: bool,
    /// What is missing costs, by the app's place; valid unless `stale`.
    cached: Vec<u64>,
    stale: bool,
}

impl Frontier {
    /// No app runs yet on an OS with the calls `have`.
    pub(super) fn new(needs: Vec<Needs>, fallbacks: Vec<Fallbacks>, have: CallSet, costs: Costs, conflicts: bool) -> Self {
        let (left, cached) = ((0..needs.len()).collect(), vec![0; needs.len()]);
        let all = CallSet::all();
        Self { needs, fallbacks, costs, left, have, relied: CallSet::EMPTY, stub: all, fake: all, conflicts, cached, stale: true }
    }

    /// What the app at this place needs.
    pub(super) fn needs(&self, app: usize) -> &Needs {
        &self.needs[app]
    }

    /// The places of the apps that do not run yet.
    pub(super) fn left(&self) -> &[usize] {
        &self.left
    }

    /// What the calls cost.
    pub(super) fn cost(&self, calls: CallSet) -> u64 {
        self.costs.of(calls)
    }

    /// The calls that the app would rely on being avoided.
    pub(super) fn avoided(&self, app: usize) -> CallSet {
        self.needs[app].avoidable().without(self.have)
    }

    /// The calls of which no treatment is left that the app and those before it accept.
    pub(super) fn conflicting(&self, app: usize) -> CallSet {
        if !self.conflicts {
            return CallSet::EMPTY;
        }
        let needs = &self.needs[app];
        let agreed = needs.stub.intersection(self.stub).union(needs.fake.intersection(self.fake));
        self.avoided(app).without(agreed)
    }

    /// The calls that have to be implemented before the app runs.
    pub(super) fn missing(&self, app: usize) -> CallSet {
        let fallbacks = &self.fallbacks[app];
        if fallbacks.is_empty() {
            return self.needs[app].required.without(self.have).union(self.conflicting(app));
        }
        let all = CallSet::all();
        let (stub, fake) = if self.conflicts { (self.stub, self.fake) } else { (all, all) };
        fallbacks.missing(&self.needs[app], self.have, Treatable { stub, fake }, &self.costs)
    }

    /// The treatments that the app at this place accepts with the calls that the OS has by now.
    pub(super) fn accepted(&self, app: usize) -> Treatable {
        self.fallbacks[app].accepted(&self.needs[app], self.have)
    }

    fn refresh(&mut self) {
        if self.stale {
            for place in 0..self.left.len() {
                let app = self.left[place];
                self.cached[app] = self.costs.of(self.missing(app));
            }
            self.stale = false;
        }
    }

    /// The app that is cheapest to come by, with what it costs; of several the first. Nothing else than the calls `allowed` may be
    /// missing.
    pub(super) fn cheapest(&mut self, allowed: &CallSet) -> Option<(usize, u64)> {
        self.refresh();
        let left = self.left.iter().map(|app| (*app, self.cached[*app]));
        if *allowed == CallSet::all() {
            return left.min_by_key(|(_, cost)| *cost);
        }
        left.filter(|(app, _)| self.missing(*app).is_subset(allowed)).min_by_key(|(_, cost)| *cost)
    }

    /// The app at this place runs now, and relies on what it needs not being implemented.
    pub(super) fn take(&mut self, app: usize) -> CallSet {
        let missing = self.missing(app);
        self.have = self.have.union(missing);
        let avoided = self.avoided(app);
        let accepted = self.accepted(app);
        let (stub, fake) = (self.stub, self.fake);
        self.relied = self.relied.union(avoided);
        self.stub = stub.without(avoided.without(accepted.stub));
        self.fake = fake.without(avoided.without(accepted.fake));
        self.stale |= !missing.is_empty() || self.stub != stub || self.fake != fake;
        self.left.retain(|candidate| *candidate != app);
        missing
    }
}
