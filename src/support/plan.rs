//! A support plan: what to add to an OS, in which order, so that each step makes at least one more app run. Pure.
//!
//! Greedy: the next app is the one that the [`Objective`] likes best, and ties go to the app given first. A plan is made in two
//! passes. The first finds the order of the apps, what has to be implemented for each, and which calls it relies on being
//! avoided. Only then is it known who relies on each call, so only then is its one treatment chosen.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{AppFacts, Need, Needs};
use super::fallbacks::Fallbacks;
use super::frontier::Frontier;
use super::objective::{Costs, Objective, Weights};
use super::profile::Profile;
use super::set::CallSet;
use crate::syscalls::Sysno;
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;
use crate::trial::Treatment;

mod details;
mod search;
mod treatments;

use details::Details;
use treatments::Reliance;

/// What to add to a call that is there in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The call.
    pub call: Sysno,
    /// The features to add; `None` if nobody knows which of the rest are needed.
    pub features: Option<Vec<Feature>>,
}

/// Which features of a call its apps need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeatureNeeds {
    /// Have to be there.
    pub required: Vec<Feature>,
    /// Are used, and need not be there.
    pub others: Vec<Feature>,
}

/// One addition to the OS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Its place in the plan; step 0 is what can be had without implementing anything.
    pub number: usize,
    /// The calls to implement.
    pub implement: Vec<Sysno>,
    /// Which features of these are needed, where all apps of the step tell.
    pub only: BTreeMap<Sysno, FeatureNeeds>,
    /// What to add to calls that are there in part.
    pub extend: Vec<Extension>,
    /// The calls that have to fail with `ENOSYS` from now on.
    pub stub: Vec<Sysno>,
    /// The calls that have to do nothing and report success from now on.
    pub fake: Vec<Sysno>,
    /// The pseudo-files that have to be there, and that neither the profile nor an earlier step has.
    pub files: Vec<PseudoFile>,
    /// The apps that run from now on, in the order in which they were chosen.
    pub unlocks: Vec<String>,
}

/// What became of a call about which apps disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// It has to be implemented, in the step of this number.
    Implement(usize),
    /// It is treated in a way that all accept, although some would have been given the other.
    Treat(Treatment),
}

/// A call that one app would have stubbed and another one faked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The call.
    pub call: Sysno,
    /// The apps that want a stub: those that accept nothing else where it has to be implemented.
    pub stub: Vec<String>,
    /// The apps that want a fake, likewise.
    pub fake: Vec<String>,
    /// What the plan does about it.
    pub resolution: Resolution,
}

/// The ordered additions to an OS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The OS as it is now.
    pub os: Profile,
    /// Step 0, and then the additions in their order.
    pub steps: Vec<Step>,
    /// Calls about which apps disagree, in name order.
    pub conflicts: Vec<Conflict>,
    /// Apps of which nothing is known.
    pub unknown: Vec<String>,
    /// Apps that the plan leaves out, with the calls that would still be missing.
    pub left_out: Vec<(String, Vec<Sysno>)>,
    /// Who needs the calls of the steps.
    pub uses: BTreeMap<Sysno, CallUse>,
}

/// Which apps of a plan, in the given order, are the reason that a call stands in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallUse {
    /// Those that need it to be there.
    pub required: Vec<String>,
    /// Those that rely on its being stubbed or faked, until it is implemented.
    pub avoided: Vec<String>,
    /// Those that make it only in place of other calls, with these.
    pub in_place_of: Vec<(String, BTreeSet<Sysno>)>,
    /// Those that could do without it, and would need these calls then, which no trace shows.
    pub instead: Vec<(String, BTreeSet<Sysno>)>,
}

impl Plan {
    /// Number of apps that run after the last step.
    #[must_use]
    pub fn unlocked(&self) -> usize {
        self.steps.iter().map(|step| step.unlocks.len()).sum()
    }

    /// The calls that are implemented up to and including the step of this number, the OS's own among them.
    #[must_use]
    pub fn calls_at(&self, number: usize) -> CallSet {
        let added = self.steps.iter().take_while(|step| step.number <= number).flat_map(|step| step.implement.iter().copied());
        self.os.calls().union(added.collect())
    }

    /// The calls that are faked after the step of this number: those that no step has implemented by then.
    #[must_use]
    pub fn faked_at(&self, number: usize) -> BTreeSet<Sysno> {
        let calls = self.calls_at(number);
        let faked = self.steps.iter().take_while(|step| step.number <= number).flat_map(|step| step.fake.iter().copied());
        faked.filter(|call| !calls.contains(*call)).collect()
    }

    /// All calls that some step implements, stubs, or fakes.
    #[must_use]
    pub fn totals(&self) -> (usize, usize, usize) {
        let set = |calls: fn(&Step) -> &Vec<Sysno>| self.steps.iter().flat_map(calls).copied().collect::<CallSet>();
        let implemented = set(|step| &step.implement);
        let (stub, fake) = (set(|step| &step.stub), set(|step| &step.fake));
        (implemented.len(), stub.without(implemented).len(), fake.without(implemented).len())
    }
}

/// Plans the support of `apps`, whose order decides ties, on `os`. `unknown` apps are only listed.
#[must_use]
pub fn plan(os: &Profile, apps: &[AppFacts], unknown: Vec<String>, objective: Objective, weights: &Weights) -> Plan {
    match objective {
        Objective::NextApp | Objective::Value => Planner::new(os, apps, objective, weights, CallSet::all()).run(unknown),
        Objective::Budget(budget) => {
            let calls = search::best_calls(os, apps, budget, weights);
            Planner::new(os, apps, Objective::NextApp, weights, calls).run(unknown)
        }
    }
}

/// A plan in the making.
struct Planner<'a> {
    os: &'a Profile,
    apps: &'a [AppFacts],
    objective: Objective,
    weights: &'a Weights,
    /// The calls that may be implemented.
    allowed: CallSet,
    frontier: Frontier,
    details: Details<'a>,
    reliance: Reliance,
    steps: Vec<Step>,
}

impl<'a> Planner<'a> {
    fn new(os: &'a Profile, apps: &'a [AppFacts], objective: Objective, weights: &'a Weights, allowed: CallSet) -> Self {
        let needs: Vec<_> = apps.iter().map(Needs::of).collect();
        let fallbacks = apps.iter().map(Fallbacks::of).collect();
        let frontier = Frontier::new(needs, fallbacks, os.calls(), Costs::new(weights), true);
        let step = Step::default();
        Self {
            os,
            apps,
            objective,
            weights,
            allowed,
            frontier,
            details: Details::new(os),
            reliance: Reliance::default(),
            steps: vec![step],
        }
    }

    fn run(mut self, unknown: Vec<String>) -> Plan {
        while let Some(app) = self.next() {
            let nothing_to_implement =
                self.frontier.missing(app).is_empty() && self.details.extensions(&self.apps[app]).is_empty();
            if !(self.steps.len() == 1 && nothing_to_implement) {
                self.steps.push(Step { number: self.steps.len(), ..Step::default() });
            }
            self.take(app);
            self.absorb();
        }
        self.finish(unknown)
    }

    /// The app that comes next, if there is one that may.
    fn next(&mut self) -> Option<usize> {
        let (cheapest, cost) = self.frontier.cheapest(&self.allowed)?;
        if self.steps.len() == 1 && cost == 0 {
            // While step 0 is being filled, apps that need more of a call that is there in part wait.
            let runs_now =
                |app: &&usize| self.frontier.missing(**app).is_empty() && self.details.extensions(&self.apps[**app]).is_empty();
            return self.frontier.left().iter().find(runs_now).copied().or(Some(cheapest));
        }
        match self.objective {
            Objective::Value if cost > 0 => search::most_valuable(&self.frontier, self.apps, self.weights),
            Objective::NextApp | Objective::Value | Objective::Budget(_) => Some(cheapest),
        }
    }

    /// Adds what the app needs to the last step.
    fn take(&mut self, app: usize) {
        let facts = &self.apps[app];
        let step = self.steps.last_mut().expect("invariant: there is always step 0");
        self.reliance.conflict(self.frontier.conflicting(app), app, facts, step.number);
        let missing = self.frontier.take(app);
        let avoided = self.frontier.avoided(app);
        self.reliance.rely(app, facts, avoided, self.frontier.accepted(app), step.number);
        step.implement.extend(missing.iter());
        step.implement.sort_unstable();
        self.details.take(facts, missing, step);
        self.details.take_fallbacks(facts, avoided, step);
        step.unlocks.push(facts.name.clone());
    }

    /// Apps that run after the last step without anything new join it.
    fn absorb(&mut self) {
        // Step 0 takes all apps that run now, in their order.
        while self.steps.len() > 1 {
            let nothing_new = |app: &&usize| {
                self.frontier.avoided(**app).is_subset(&self.frontier.relied)
                    && self.frontier.missing(**app).is_empty()
                    && self.details.adds_nothing(&self.apps[**app])
            };
            let Some(app) = self.frontier.left().iter().find(nothing_new).copied() else { return };
            self.take(app);
        }
    }

    fn finish(mut self, unknown: Vec<String>) -> Plan {
        let left_out = self
            .frontier
            .left()
            .iter()
            .map(|app| (self.apps[*app].name.clone(), self.frontier.missing(*app).iter().collect::<Vec<_>>()));
        let left_out = left_out.collect();
        let names: Vec<&str> = self.apps.iter().map(|app| app.name.as_str()).collect();
        let mut uses = self.uses();
        let conflicts = self.reliance.treat(&mut self.steps, &names, &mut uses);
        Plan { os: self.os.clone(), steps: self.steps, conflicts, unknown, left_out, uses }
    }

    /// Who needs what the steps implement.
    fn uses(&self) -> BTreeMap<Sysno, CallUse> {
        let implemented = self.steps.iter().flat_map(|step| step.implement.iter().copied());
        let mut uses: BTreeMap<_, _> = implemented.map(|call| (call, CallUse::default())).collect();
        for app in self.apps {
            for (call, facts) in &app.calls {
                if let Some(of_call) = uses.get_mut(call)
                    && facts.need() == Need::Implement
                {
                    of_call.required.push(app.name.clone());
                }
            }
        }
        for app in self.apps {
            for (call, of_call) in &mut uses {
                let treated = app.in_place_of(*call);
                if !app.calls.contains_key(call) && !treated.is_empty() {
                    of_call.in_place_of.push((app.name.clone(), treated));
                }
                let instead = app.used_in_place_of(*call);
                if app.need(*call).is_some_and(|need| !need.is_required()) && !instead.is_empty() {
                    of_call.instead.push((app.name.clone(), instead));
                }
            }
        }
        uses
    }
}
