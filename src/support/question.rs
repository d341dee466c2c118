//! Two questions short of a whole plan: what is the way to one app, and what would some calls bring? Pure.

use super::facts::AppFacts;
use super::fallbacks::lacking;
use super::objective::{Costs, Objective, Weights};
use super::plan::{Plan, plan};
use super::profile::Profile;
use super::set::CallSet;
use crate::syscalls::Sysno;

/// The shortest way to one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlock {
    /// What the app needs, whatever the others do: step 0 where it needs nothing implemented, and step 1 otherwise.
    pub plan: Plan,
    /// Other apps that run already, in the given order.
    pub now: Vec<String>,
    /// Other apps that run then and did not before, if what they need stubbed or faked is.
    pub also: Vec<String>,
}

/// The shortest way to the app called `name` on `os`; `None` if it is not among `apps`.
///
/// There is just one: what an app needs implemented is the same whatever else runs. What else runs then is told from what the other
/// apps need implemented.
#[must_use]
pub fn unlock(os: &Profile, apps: &[AppFacts], name: &str) -> Option<Unlock> {
    let goal = apps.iter().find(|app| app.name == name)?;
    let plan = plan(os, std::slice::from_ref(goal), Vec::new(), Objective::NextApp, &Weights::default());
    let (before, after) = (os.calls(), plan.calls_at(plan.steps.len()));
    let costs = Costs::new(&Weights::default());
    let runs = |app: &AppFacts, have| lacking(app, have, &costs).is_empty();
    let others = |wanted: &dyn Fn(&AppFacts) -> bool| {
        let others = apps.iter().filter(|app| app.name != name && wanted(app));
        others.map(|app| app.name.clone()).collect()
    };
    let now = others(&|app| runs(app, before));
    let also = others(&|app| !runs(app, before) && runs(app, after));
    Some(Unlock { plan, now, also })
}

/// An app to which some calls would bring an OS closer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closer {
    /// The app.
    pub app: String,
    /// Number of calls that are missing now.
    pub before: usize,
    /// The calls that would still be missing.
    pub missing: Vec<Sysno>,
}

/// What implementing some calls would bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIf {
    /// The calls.
    pub calls: Vec<Sysno>,
    /// Those that the OS has already.
    pub there: Vec<Sysno>,
    /// Those that no app needs which does not run yet.
    pub useless: Vec<Sysno>,
    /// The apps that run already.
    pub now: Vec<String>,
    /// The apps that would run as well.
    pub gained: Vec<String>,
    /// The apps that would lack less, those that would lack least first.
    pub closer: Vec<Closer>,
}

/// What implementing `calls` on `os` would bring for `apps`.
#[must_use]
pub fn what_if(os: &Profile, apps: &[AppFacts], calls: &[Sysno]) -> WhatIf {
    let have = os.calls();
    let more: CallSet = calls.iter().copied().collect();
    let mut answer = WhatIf {
        calls: more.iter().collect(),
        there: more.intersection(have).iter().collect(),
        useless: Vec::new(),
        now: Vec::new(),
        gained: Vec::new(),
        closer: Vec::new(),
    };
    let mut wanted = CallSet::EMPTY;
    let costs = Costs::new(&Weights::default());
    for app in apps {
        let missing = lacking(app, have, &costs);
        let still = lacking(app, have.union(more), &costs);
        wanted = wanted.union(missing);
        if missing.is_empty() {
            answer.now.push(app.name.clone());
        } else if still.is_empty() {
            answer.gained.push(app.name.clone());
        } else if still != missing {
            let missing_then = still.iter().collect();
            answer.closer.push(Closer { app: app.name.clone(), before: missing.len(), missing: missing_then });
        }
    }
    answer.useless = more.without(have).without(wanted).iter().collect();
    answer.closer.sort_by_key(|closer| closer.missing.len());
    answer
}
