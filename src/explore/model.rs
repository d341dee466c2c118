//! A stand-in for app and engine: drives an [`Explorer`] with outcomes from a closure or an [`AppModel`].
//!
//! Ships in the crate so that everything downstream of the planner (campaign, store, report) can be tested without a
//! container. Pure. It models outcomes only; for durations and output there is the simulated engine.

use std::collections::{BTreeMap, BTreeSet};

use super::{Explorer, Findings, Report, Step};

use crate::trial::{FailCause, InconclusiveCause, Intervention, Item, NewUse, Outcome, TrialRequest, Watch};

/// An app that is known by what it uses and what breaks it.
#[derive(Debug, Clone, Default)]
pub struct AppModel {
    used: BTreeSet<Item>,
    breaks: Vec<Intervention>,
    unexercised: BTreeSet<Item>,
    fallbacks: Vec<(Intervention, BTreeSet<Item>)>,
    unused_under: Vec<(Intervention, BTreeSet<Item>)>,
}

impl AppModel {
    /// An app that uses these calls and that nothing breaks.
    #[must_use]
    pub fn new(used: impl IntoIterator<Item = Item>) -> Self {
        Self { used: used.into_iter().collect(), ..Self::default() }
    }

    /// Every trial fails that treats at least what `intervention` treats.
    #[must_use]
    pub fn broken_by(mut self, intervention: Intervention) -> Self {
        self.breaks.push(intervention);
        self
    }

    /// `call` is seen by the trace, but never made while it is treated.
    #[must_use]
    pub fn without_hits_of(mut self, item: Item) -> Self {
        self.unexercised.insert(item);
        self
    }

    /// Every trial that treats at least what `intervention` treats uses these as well.
    #[must_use]
    pub fn falls_back(mut self, intervention: Intervention, items: impl IntoIterator<Item = Item>) -> Self {
        self.fallbacks.push((intervention, items.into_iter().collect()));
        self
    }

    /// No trial that treats at least what `intervention` treats uses these.
    #[must_use]
    pub fn without_use_under(mut self, intervention: Intervention, items: impl IntoIterator<Item = Item>) -> Self {
        self.unused_under.push((intervention, items.into_iter().collect()));
        self
    }

    /// Whether the app works under `intervention`.
    #[must_use]
    pub fn passes(&self, intervention: &Intervention) -> bool {
        !self.breaks.iter().any(|part| holds(part, intervention))
    }

    /// Whether the app uses `item` under `intervention`.
    fn uses(&self, item: Item, intervention: &Intervention) -> bool {
        !self.unused_under.iter().any(|(part, items)| holds(part, intervention) && items.contains(&item))
    }

    /// What the app uses under the request's intervention and a trace does not show, as far as it can be seen.
    fn new_uses(&self, request: &TrialRequest) -> Option<BTreeMap<Item, NewUse>> {
        let traced = request.traced.as_ref()?;
        let intervention = &request.intervention;
        let is_new = |item: Item| !traced.contains(&item) && self.uses(item, intervention) && intervention.get(item).is_none();
        let is_seen = |item: Item| match item {
            Item::Call(_) => true,
            Item::Feature(feature) => request.watch == Watch::Everything || is_new(Item::Call(feature.call())),
            Item::File(_) => request.watch == Watch::Everything,
        };
        let mut uses = BTreeMap::new();
        let of_fallbacks = self.fallbacks.iter().filter(|(part, _)| holds(part, intervention));
        for (part, items) in of_fallbacks {
            let hit = part.iter().map(|(item, _)| item).filter(|item| self.uses(*item, intervention));
            let after: Vec<_> = hit.filter(|_| request.watch != Watch::Nothing).collect();
            for item in items.iter().copied().filter(|item| is_new(*item) && is_seen(*item)) {
                uses.entry(item).or_insert_with(|| NewUse { count: 1, after: after.clone() });
            }
        }
        Some(uses)
    }

    /// What a trial of this app gives.
    #[must_use]
    pub fn report(&self, request: &TrialRequest) -> Report {
        let outcome = if self.passes(&request.intervention) { Outcome::Pass } else { fail() };
        let treated = request.intervention.iter().map(|(item, _)| item);
        let seen = match request.watch {
            Watch::Everything => {
                let of_fallbacks = self.fallbacks.iter().filter(|(part, _)| holds(part, &request.intervention));
                let also = of_fallbacks.flat_map(|(_, items)| items.iter());
                self.used.iter().chain(also).copied().filter(|item| self.uses(*item, &request.intervention)).collect()
            }
            Watch::Treated => {
                let hit = |item: &Item| !self.unexercised.contains(item) && self.uses(*item, &request.intervention);
                treated.filter(hit).collect()
            }
            Watch::Nothing => BTreeSet::new(),
        };
        Report { new_uses: self.new_uses(request), ..Report::new(outcome, seen) }
    }
}

/// Whether `intervention` treats at least what `part` treats.
fn holds(part: &Intervention, intervention: &Intervention) -> bool {
    part.iter().all(|(item, treatment)| intervention.get(item) == Some(treatment))
}

/// Some failure of an app.
#[must_use]
pub fn fail() -> Outcome {
    Outcome::Fail(FailCause::ExitCode { code: 1, expected: 0 })
}

/// Some trouble outside the app.
#[must_use]
pub fn inconclusive() -> Outcome {
    Outcome::Inconclusive(InconclusiveCause::Engine { message: "no space left on device".to_owned() })
}

/// A campaign that was driven to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driven {
    /// What came out.
    pub findings: Findings,
    /// Every trial in the order in which it ended.
    pub trials: Vec<(TrialRequest, Report)>,
}

/// Drives `explorer` to its end with at most `jobs` trials at a time.
///
/// `pick` says which of the given number of running trials ends next (taken modulo that number); `run` says what it gives.
///
/// # Panics
///
/// If the explorer waits although nothing runs, or changes its mind after it finished.
pub fn drive(
    mut explorer: Explorer,
    jobs: usize,
    mut pick: impl FnMut(usize) -> usize,
    mut run: impl FnMut(&TrialRequest) -> Report,
) -> Driven {
    let mut running: Vec<TrialRequest> = Vec::new();
    let mut trials = Vec::new();
    loop {
        let mut finished = None;
        while running.len() < jobs.max(1) {
            match explorer.next() {
                Step::Run(request) => running.push(request),
                Step::Wait => {
                    assert!(!running.is_empty(), "invariant: the explorer waits only for running trials");
                    break;
                }
                Step::Finished(findings) => {
                    finished = Some(findings);
                    break;
                }
            }
        }
        if let Some(findings) = finished {
            assert!(running.is_empty(), "invariant: the explorer finishes when nothing runs");
            return Driven { findings, trials };
        }
        let request = running.remove(pick(running.len()) % running.len());
        let report = run(&request);
        explorer.record(request.id, report.clone());
        trials.push((request, report));
    }
}
