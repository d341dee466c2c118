//! Needs of an app that only a stub or fake brings about: the cost of an answer is what its fallback needs. Pure.
//!
//! An app that waits for a child by `pidfd_open` waits by `wait4` where the first is stubbed, which no trace shows. So an OS without
//! `pidfd_open` has to have `wait4`, or `pidfd_open` after all. Of these the cheaper is taken, and of two that cost as much the call
//! itself, as then nothing depends on how the app falls back.
//!
//! A fallback is used in no trace, so nobody tried to do without it: it has to be implemented. What was seen only with everything
//! avoidable avoided at once is needed where all of that is absent.

use super::facts::{AppFacts, Need, Needs};
use super::objective::Costs;
use super::set::CallSet;
use crate::syscalls::Sysno;
use crate::trial::{Item, Treatment};

/// A call that can be avoided, with what its treatments need of the OS; `None` for one that the app does not accept.
#[derive(Debug, Clone, Copy)]
struct Alternative {
    call: Sysno,
    stub: Option<CallSet>,
    fake: Option<CallSet>,
}

/// The fallbacks of one app.
#[derive(Debug, Clone, Default)]
pub(super) struct Fallbacks {
    alternatives: Vec<Alternative>,
    /// Needed where everything that can be avoided is absent.
    together: CallSet,
}

/// Calls that may be stubbed, and that may be faked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Treatable {
    pub(super) stub: CallSet,
    pub(super) fake: CallSet,
}

impl Fallbacks {
    pub(super) fn of(app: &AppFacts) -> Self {
        let Some(table) = &app.fallbacks else { return Self::default() };
        let calls = |items: &mut dyn Iterator<Item = Item>| items.filter_map(Item::call).collect::<CallSet>();
        let needs =
            |call, need: Need, treatment| need.accepts(treatment).then(|| calls(&mut table.of(Item::Call(call), treatment)));
        let alternatives = app.calls.iter().map(|(call, facts)| Alternative {
            call: *call,
            stub: needs(*call, facts.need(), Treatment::Stub),
            fake: needs(*call, facts.need(), Treatment::Fake),
        });
        let costs = |needs: Option<CallSet>| needs.is_some_and(|needs| !needs.is_empty());
        let alternatives = alternatives.filter(|alternative| costs(alternative.stub) || costs(alternative.fake));
        Self { alternatives: alternatives.collect(), together: calls(&mut table.together.iter().copied()) }
    }

    /// Whether the app needs nothing beyond what its traces show.
    pub(super) fn is_empty(&self) -> bool {
        self.alternatives.is_empty() && self.together.is_empty()
    }

    /// The calls that an OS with the calls `have` lacks for the app to run, if the calls of `agreed` may be treated in these ways.
    pub(super) fn missing(&self, needs: &Needs, have: CallSet, agreed: Treatable, costs: &Costs) -> CallSet {
        let mut there = have.union(needs.required);
        loop {
            let absent = needs.avoidable().without(there);
            if absent == needs.avoidable() {
                there = there.union(self.together);
            }
            let accepted = self.accepted(needs, there);
            let treated = accepted.stub.intersection(agreed.stub).union(accepted.fake.intersection(agreed.fake));
            let Some(call) = absent.without(treated).iter().next() else { return there.without(have) };
            there = there.union(self.cheapest(call, there, agreed, costs));
        }
    }

    /// The cheapest calls with which the absence of `call` is made up for.
    fn cheapest(&self, call: Sysno, there: CallSet, agreed: Treatable, costs: &Costs) -> CallSet {
        let itself: CallSet = [call].into_iter().collect();
        let of_call = self.alternatives.iter().find(|alternative| alternative.call == call);
        let stub = of_call.and_then(|alternative| alternative.stub).filter(|_| agreed.stub.contains(call));
        let fake = of_call.and_then(|alternative| alternative.fake).filter(|_| agreed.fake.contains(call));
        let options = [Some(itself), stub, fake].into_iter().flatten();
        // The first of several that cost as much.
        options.min_by_key(|calls| costs.of(calls.without(there))).unwrap_or(itself)
    }

    /// The treatments that the app accepts where the calls `there` are implemented.
    pub(super) fn accepted(&self, needs: &Needs, there: CallSet) -> Treatable {
        let mut accepted = Treatable { stub: needs.stub, fake: needs.fake };
        for Alternative { call, stub, fake } in &self.alternatives {
            if stub.is_some_and(|needs| !needs.is_subset(&there)) {
                accepted.stub.remove(*call);
            }
            if fake.is_some_and(|needs| !needs.is_subset(&there)) {
                accepted.fake.remove(*call);
            }
        }
        accepted
    }
}

/// The calls that an OS with the calls `have` lacks for the app to run, whatever other apps need.
pub(super) fn lacking(app: &AppFacts, have: CallSet, costs: &Costs) -> CallSet {
    let needs = Needs::of(app);
    let fallbacks = Fallbacks::of(app);
    if fallbacks.is_empty() {
        return needs.required.without(have);
    }
    let all = CallSet::all();
    fallbacks.missing(&needs, have, Treatable { stub: all, fake: all }, costs)
}
