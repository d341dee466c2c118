//! Who relies on which call being avoided, and what follows: one treatment for each, or a conflict. Pure.

use std::collections::BTreeMap;

use super::{CallUse, Conflict, Resolution, Step};
use crate::support::facts::{AppFacts, Need};
use crate::support::fallbacks::Treatable;
use crate::support::set::CallSet;
use crate::syscalls::Sysno;
use crate::trial::Treatment;

/// An app that relies on a call, by its place, with what it accepts.
type Relying = (usize, Need);

/// The reliance on one call.
#[derive(Debug, Default)]
struct OfCall {
    /// The step whose apps were the first to rely on it.
    since: usize,
    /// All that did until it was implemented.
    apps: Vec<Relying>,
}

/// Reliance on calls being avoided, as it grew with the plan.
#[derive(Debug, Default)]
pub(super) struct Reliance {
    calls: BTreeMap<Sysno, OfCall>,
    /// Calls that had to be implemented because of a conflict: for which app, in which step.
    conflicts: Vec<(Sysno, usize, usize, Need)>,
}

impl Reliance {
    /// The app accepts none of the treatments that those before it accept.
    pub(super) fn conflict(&mut self, calls: CallSet, app: usize, facts: &AppFacts, step: usize) {
        for call in calls.iter() {
            let need = facts.need(call).unwrap_or(Need::Implement);
            self.conflicts.push((call, app, step, need));
        }
    }

    /// The app relies on these calls being avoided, the first to do so being those of step `step`.
    pub(super) fn rely(&mut self, app: usize, facts: &AppFacts, avoided: CallSet, accepted: Treatable, step: usize) {
        for call in avoided.iter() {
            if let Some(need) = facts.need(call) {
                let need = need.restricted(accepted.stub.contains(call), accepted.fake.contains(call));
                self.calls.entry(call).or_insert_with(|| OfCall { since: step, apps: Vec::new() }).apps.push((app, need));
            }
        }
    }

    /// Chooses each call's treatment, adds it to the step since which it is relied on, and tells the conflicts in name order.
    pub(super) fn treat(self, steps: &mut [Step], names: &[&str], uses: &mut BTreeMap<Sysno, CallUse>) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for (call, OfCall { since, apps }) in &self.calls {
            let Some(treatment) = common(apps) else {
                unreachable!("invariant: an app that accepts no common treatment has `{call}` implemented");
            };
            let step = &mut steps[*since];
            match treatment {
                Treatment::Stub => step.stub.push(*call),
                Treatment::Fake => step.fake.push(*call),
            }
            uses.entry(*call).or_default().avoided = apps.iter().map(|(app, _)| names[*app].to_owned()).collect();
            let wants = |wanted| wanting(apps, names, |need| matches!(need, Need::Avoid { best, .. } if best == wanted));
            if !wants(treatment.other()).is_empty() && apps.iter().any(|(_, need)| !need.accepts(treatment.other())) {
                let (stub, fake) = (wants(Treatment::Stub), wants(Treatment::Fake));
                conflicts.push(Conflict { call: *call, stub, fake, resolution: Resolution::Treat(treatment) });
            }
        }
        for (call, app, step, need) in &self.conflicts {
            let before = self.calls.get(call).map_or(&[][..], |reliance| &reliance.apps);
            let mut apps = before.to_vec();
            apps.push((*app, *need));
            let only = |wanted: Treatment| wanting(&apps, names, |need| need.accepts(wanted) && !need.accepts(wanted.other()));
            let (stub, fake) = (only(Treatment::Stub), only(Treatment::Fake));
            conflicts.push(Conflict { call: *call, stub, fake, resolution: Resolution::Implement(*step) });
        }
        conflicts.sort_by_key(|conflict| conflict.call);
        conflicts
    }
}

/// The treatment that all of them accept; of two the one that more of them would choose, and the stub if it is as many.
fn common(apps: &[Relying]) -> Option<Treatment> {
    let accepted = |treatment| apps.iter().all(|(_, need)| need.accepts(treatment));
    let votes =
        |treatment| apps.iter().filter(|(_, need)| matches!(need, Need::Avoid { best, .. } if *best == treatment)).count();
    match (accepted(Treatment::Stub), accepted(Treatment::Fake)) {
        (true, true) if votes(Treatment::Fake) > votes(Treatment::Stub) => Some(Treatment::Fake),
        (true, _) => Some(Treatment::Stub),
        (false, true) => Some(Treatment::Fake),
        (false, false) => None,
    }
}

fn wanting(apps: &[Relying], names: &[&str], wants: impl Fn(Need) -> bool) -> Vec<String> {
    apps.iter().filter(|(_, need)| wants(*need)).map(|(app, _)| names[*app].to_owned()).collect()
}
