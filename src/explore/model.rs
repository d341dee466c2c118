//! A stand-in for app and engine: drives an [`Explorer`] with outcomes from a closure or an [`AppModel`].
//!
//! Ships in the crate so that everything downstream of the planner (campaign, store, report) can be tested without a
//! container. Pure. It models outcomes only; for durations and output there is the simulated engine.

use std::collections::BTreeSet;

use super::{Explorer, Findings, Report, Step};

use crate::trial::{FailCause, InconclusiveCause, Intervention, Item, Outcome, TrialRequest, Watch};

/// An app that is known by what it uses and what breaks it.
#[derive(Debug, Clone, Default)]
pub struct AppModel {
    used: BTreeSet<Item>,
    breaks: Vec<Intervention>,
    unexercised: BTreeSet<Item>,
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

    /// Whether the app works under `intervention`.
    #[must_use]
    pub fn passes(&self, intervention: &Intervention) -> bool {
        let holds = |part: &Intervention| part.iter().all(|(item, treatment)| intervention.get(item) == Some(treatment));
        !self.breaks.iter().any(holds)
    }

    /// What a trial of this app gives.
    #[must_use]
    pub fn report(&self, request: &TrialRequest) -> Report {
        let outcome = if self.passes(&request.intervention) { Outcome::Pass } else { fail() };
        let treated = request.intervention.iter().map(|(item, _)| item);
        let seen = match request.watch {
            Watch::Everything => self.used.clone(),
            Watch::Treated => treated.filter(|item| !self.unexercised.contains(item)).collect(),
            Watch::Nothing => BTreeSet::new(),
        };
        Report::new(outcome, seen)
    }
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
