//! What an app finds on an OS that lacks most of Linux, as an intervention under which it can be run here. Pure.
//!
//! Whatever the OS does not have fails with `ENOSYS`, seen before or not, except for what is faked. Two things cannot be had in this
//! way: the error numbers that an OS may have chosen instead, and anything about calls that it has but that behave differently.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{AppFacts, Need};
use super::plan::Plan;
use super::profile::Profile;
use super::set::CallSet;
use crate::syscalls::features::{self, Feature};
use crate::syscalls::paths::PseudoFile;
use crate::syscalls::{Architecture, Sysno};
use crate::trial::{CallLog, Intervention, Item, Treatment};

/// By this call the kernel goes on with an interrupted one (`restart_syscall(2)`): it belongs to that, and no program makes it.
const OF_THE_KERNEL: [&str; 1] = ["restart_syscall"];

/// What an OS does about everything that it may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The calls that are there, in full or in part.
    calls: CallSet,
    /// The features that are there of calls that are there in part.
    partial: BTreeMap<Sysno, BTreeSet<Feature>>,
    /// The pseudo-files that are there, where the OS says.
    files: Option<BTreeSet<PseudoFile>>,
    /// The calls that are not there and report success nevertheless.
    fakes: CallSet,
}

impl Surroundings {
    /// `os` as it is, with the fakes that an app of which `facts` are known would best be given; without any where there are none.
    #[must_use]
    pub fn of_os(os: &Profile, facts: Option<&AppFacts>) -> Self {
        let calls = os.calls();
        let best = |need| matches!(need, Need::Avoid { best: Treatment::Fake, .. });
        let of_app = facts.into_iter().flat_map(|facts| &facts.calls).filter(|(_, facts)| best(facts.need()));
        let fakes = of_app.map(|(call, _)| *call).collect::<CallSet>().without(calls);
        Self { calls, partial: os.partial.clone(), files: os.files.clone(), fakes }
    }

    /// The OS of `plan` after the step of this number.
    #[must_use]
    pub fn after(plan: &Plan, step: usize) -> Self {
        let fakes = plan.faked_at(step).into_iter().collect();
        Self { calls: plan.calls_at(step), fakes, ..Self::of_os(&plan.os, None) }
    }

    /// The OS of `plan` before the step of this number, with the fakes of that step: all that can be had without implementing what it
    /// says. `None` for step 0.
    #[must_use]
    pub fn before(plan: &Plan, step: usize) -> Option<Self> {
        let before = step.checked_sub(1)?;
        let calls = plan.calls_at(before);
        let fakes = plan.faked_at(step).union(&plan.faked_at(before)).copied().collect::<CallSet>().without(calls);
        Some(Self { calls, fakes, ..Self::of_os(&plan.os, None) })
    }

    /// The intervention that makes this machine, of `architecture`, look like the OS to an app of which `facts` are known.
    ///
    /// Argument features without a name cannot be listed, so of a call that is there in part those are there, too; pseudo-files that
    /// the OS lacks are hidden as far as the app was seen to use them.
    #[must_use]
    pub fn intervention(&self, architecture: Architecture, facts: Option<&AppFacts>) -> Intervention {
        let absent = |call: &Sysno| {
            call.number(architecture).is_some() && !self.calls.contains(*call) && !OF_THE_KERNEL.contains(&call.name())
        };
        let treatment = |call: Sysno| if self.fakes.contains(call) { Treatment::Fake } else { Treatment::Stub };
        let mut intervention: Intervention = Sysno::all().filter(absent).map(|call| (call, treatment(call))).collect();
        for (call, there) in &self.partial {
            let missing = features::named(*call).filter(|feature| !there.contains(feature));
            for feature in missing.filter(|feature| feature.condition(architecture).is_some()) {
                intervention.insert(feature, Treatment::Stub);
            }
        }
        if let Some(there) = &self.files {
            let used = facts.and_then(|facts| facts.files.as_ref()).into_iter().flatten().map(|(file, _)| *file);
            for file in used.filter(|file| !there.contains(file)) {
                intervention.insert(file, Treatment::Stub);
            }
        }
        intervention
    }
}

/// A call that an app made although the OS does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// The call.
    pub call: Sysno,
    /// How it was answered.
    pub treatment: Treatment,
    /// How often it was made.
    pub count: u64,
    /// Names of the processes and threads that made it, with how often.
    pub processes: Vec<(String, u64)>,
    /// What the results say the app needs of it; `None` if they don't know that it makes the call.
    pub need: Option<Need>,
    /// The calls in whose place the app makes it, where it makes it in no trace.
    pub in_place_of: BTreeSet<Sysno>,
}

impl Absent {
    /// The calls of `log` that `intervention` treated, those first made first.
    #[must_use]
    pub fn seen(intervention: &Intervention, log: &CallLog, facts: Option<&AppFacts>) -> Vec<Self> {
        let mut seen: Vec<_> = log
            .calls
            .iter()
            .filter_map(|(call, statistics)| {
                let treatment = intervention.get(Item::Call(*call))?;
                let processes = statistics.processes.iter().map(|(name, count)| (name.clone(), *count)).collect();
                let need = facts.and_then(|facts| facts.need(*call));
                let in_place_of = facts.filter(|facts| !facts.calls.contains_key(call)).map(|facts| facts.in_place_of(*call));
                let in_place_of = in_place_of.unwrap_or_default();
                let absent = Self { call: *call, treatment, count: statistics.count, processes, need, in_place_of };
                Some((statistics.first, absent))
            })
            .collect();
        seen.sort_by_key(|(first, absent)| (*first, absent.call));
        seen.into_iter().map(|(_, absent)| absent).collect()
    }

    /// Whether the results say that the app works with the call answered as it was.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.need.is_some_and(|need| need.accepts(self.treatment))
    }

    /// Of what a failed run saw, in order, the call that is most likely the reason: the first that the results do not say the app can do
    /// without, or else the first.
    #[must_use]
    pub fn suspect(seen: &[Self]) -> Option<&Self> {
        let required = seen.iter().find(|absent| absent.need == Some(Need::Implement));
        let refused = || seen.iter().find(|absent| !absent.is_allowed());
        required.or_else(refused).or_else(|| seen.first())
    }
}
