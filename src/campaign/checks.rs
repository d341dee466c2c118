//! Runs an app under one intervention until it is sure whether it passes. Part of the imperative shell.
//!
//! A pass has to be repeated to count, and so has a failure, without any other trial beside it: neither a lucky nor an unlucky run decides.
//! Trouble of engine or host is tried again and is never evidence. Nothing is stored: these runs are about an OS, and not about
//! the verdicts of the app.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Stop;
use super::deadlines::Deadlines;
use super::runner::Runner;
use crate::engine::{Pace, Session};
use crate::spec::Workload;
use crate::store::TrialRecord;
use crate::trial::{CallLog, Care, Intervention, Observation, Outcome, Purpose, TrialId, TrialRequest, Watch};

/// Runs without an intervention that have to pass before anything else is tried.
const BASELINES: u32 = 2;

/// Runs that may say nothing before it is given up.
const MOST_INCONCLUSIVE: u32 = 4;

/// Failures that count. The second one is had alone.
const FAILURES: u32 = 2;

/// What the runs under one intervention came to.
#[derive(Debug, Clone)]
pub enum Settled {
    /// The app passed as often as was asked for.
    Passed {
        /// Runs that count.
        runs: u32,
        /// Those that passed.
        passes: u32,
        /// What one of them counted.
        calls: CallLog,
    },
    /// It failed repeatedly.
    Failed {
        /// Runs that count.
        runs: u32,
        /// Those that passed.
        passes: u32,
        /// The last one that failed.
        record: Box<TrialRecord>,
        /// What that one counted.
        calls: CallLog,
    },
    /// Nothing was learnt.
    Inconclusive {
        /// What the last run said.
        reason: String,
    },
    /// Somebody asked to stop.
    Interrupted,
}

/// An app that was made ready, and what its runs have taught so far.
pub struct Checks<'a, S> {
    session: &'a Arc<S>,
    workload: &'a Workload,
    stop: &'a Stop,
    jobs: usize,
    deadlines: Deadlines,
    replicas: BTreeMap<Intervention, u32>,
}

impl<'a, S: Session + 'static> Checks<'a, S> {
    /// Runs `workload` in `session`, at most `jobs` times at once, until `stop` says to stop.
    pub fn new(session: &'a Arc<S>, workload: &'a Workload, jobs: usize, stop: &'a Stop) -> Self {
        // Whole workloads under an OS's own set: there is no hurry, whatever the engine.
        let deadlines = Deadlines::new(workload, Pace::Containers);
        Self { session, workload, stop, jobs: jobs.max(1), deadlines, replicas: BTreeMap::new() }
    }

    /// Runs the app as it is, which teaches how long runs may take.
    ///
    /// If it does not pass, nothing that it does under an intervention says anything.
    pub async fn baseline(&mut self) -> Settled {
        self.settle(&Intervention::none(), BASELINES, Purpose::Baseline).await
    }

    /// Runs the app under `intervention` until it has passed `wanted` times, or failed repeatedly.
    pub async fn run(&mut self, intervention: &Intervention, wanted: u32) -> Settled {
        self.settle(intervention, wanted, Purpose::Joint).await
    }

    async fn settle(&mut self, intervention: &Intervention, wanted: u32, purpose: Purpose) -> Settled {
        let (mut passes, mut failures, mut inconclusive) = (0, 0, 0);
        let mut care = Care::Usual;
        loop {
            // One run tells whether more of them are worth it, and nothing is beside a run that is to be alone.
            let count = if passes == 0 || care != Care::Usual { 1 } else { wanted.saturating_sub(passes).max(1) };
            let count = count.min(u32::try_from(self.jobs).unwrap_or(u32::MAX));
            let requests: Vec<_> = (0..count).map(|_| self.request(intervention, purpose, care)).collect();
            let Some(ended) = self.together(requests).await else { return Settled::Interrupted };
            for (record, observation) in ended {
                self.deadlines.learn(&record);
                let calls = observation.calls;
                match &record.result {
                    Outcome::Pass => {
                        passes += 1;
                        if passes >= wanted {
                            return Settled::Passed { runs: passes + failures, passes, calls };
                        }
                    }
                    Outcome::Fail(_) if record.doubtful && care != Care::Alone => {
                        care = if care == Care::Usual { Care::Patient } else { Care::Alone };
                    }
                    Outcome::Fail(_) => {
                        failures += 1;
                        care = Care::Alone;
                        if failures >= FAILURES {
                            return Settled::Failed { runs: passes + failures, passes, record: Box::new(record), calls };
                        }
                    }
                    Outcome::Inconclusive(cause) => {
                        inconclusive += 1;
                        if inconclusive >= MOST_INCONCLUSIVE {
                            return Settled::Inconclusive { reason: cause.to_string() };
                        }
                    }
                }
            }
        }
    }

    fn request(&mut self, intervention: &Intervention, purpose: Purpose, care: Care) -> TrialRequest {
        let next = self.replicas.entry(intervention.clone()).or_default();
        let replica = *next;
        *next += 1;
        let intervention = intervention.clone();
        TrialRequest { id: TrialId(replica), purpose, watch: Watch::Treated, intervention, replica, care, traced: None }
    }

    /// What the requested trials gave; `None` if somebody asked to stop.
    async fn together(&self, requests: Vec<TrialRequest>) -> Option<Vec<(TrialRecord, Observation)>> {
        self.session.expect(requests.len(), requests.len());
        let runner = Runner::new(self.session, self.workload);
        let mut running = JoinSet::new();
        for request in requests {
            let deadline = self.deadlines.of(&request);
            running.spawn(runner.clone().run(request, deadline));
        }
        let mut ended = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = self.stop.wait() => {
                    running.shutdown().await;
                    return None;
                }
                one = running.join_next() => match one {
                    Some(Ok(one)) => ended.push(one),
                    // No trial is cancelled before it is asked to stop: it can only have panicked.
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                    None => return Some(ended),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::engine::Engine;
    use crate::engine::simulated::{Simulated, SimulatedEngine};
    use crate::spec::AppSpec;
    use crate::trial::Treatment;

    /// Settles `stub=uname` on an app whose runs give, one after the other, what `script` says; then it passes.
    fn settled(script: Vec<Simulated>, wanted: u32) -> (Settled, u32) {
        let run = Arc::new(AtomicU32::new(0));
        let runs = Arc::clone(&run);
        let engine = SimulatedEngine::new(["uname", "read"], move |_, request| {
            assert_eq!(request.watch, Watch::Treated);
            let index = runs.fetch_add(1, Ordering::SeqCst) as usize;
            script.get(index).cloned().unwrap_or(Simulated::Exit(0))
        });
        let workload = Workload::named("w");
        let app = AppSpec {
            name: "x".to_owned(),
            directory: "x".into(),
            image: None,
            description: String::new(),
            build_arguments: BTreeMap::new(),
            workloads: vec![workload.clone()],
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let settled = runtime.block_on(async {
            let session = Arc::new(engine.prepare(&app, &workload, "x", Arc::new(|_| ())).await.unwrap());
            let stop = Stop::default();
            let mut checks = Checks::new(&session, &workload, 2, &stop);
            let uname: crate::syscalls::Sysno = "uname".parse().unwrap();
            checks.run(&Intervention::single(uname, Treatment::Stub), wanted).await
        });
        (settled, run.load(Ordering::SeqCst))
    }

    #[test]
    fn a_pass_has_to_be_repeated() {
        let (settled, runs) = settled(Vec::new(), 3);
        let Settled::Passed { runs: counted, passes, calls } = settled else { panic!("{settled:?}") };
        assert_eq!((counted, passes, runs), (3, 3, 3));
        assert_eq!(calls.calls.len(), 1, "only what is treated is counted");
    }

    #[test]
    fn one_failure_among_passes_is_told_and_two_decide() {
        let (one, _) = settled(vec![Simulated::Exit(1)], 3);
        assert!(matches!(one, Settled::Passed { runs: 4, passes: 3, .. }), "{one:?}");
        let (two, _) = settled(vec![Simulated::Exit(0), Simulated::Exit(1), Simulated::Exit(1), Simulated::Exit(1)], 3);
        let Settled::Failed { runs, passes, record, .. } = two else { panic!("{two:?}") };
        assert!(matches!(record.result, Outcome::Fail(_)));
        assert!(passes >= 1 && runs == passes + 2);
    }

    #[test]
    fn trouble_is_tried_again_and_is_never_evidence() {
        let trouble = Simulated::Trouble("no space".to_owned());
        let (once, _) = settled(vec![trouble.clone()], 2);
        assert!(matches!(once, Settled::Passed { runs: 2, passes: 2, .. }), "{once:?}");
        let (always, runs) = settled(vec![trouble; 9], 2);
        assert!(matches!(always, Settled::Inconclusive { .. }), "{always:?}");
        assert_eq!(runs, MOST_INCONCLUSIVE);
    }

    #[test]
    fn what_is_late_at_first_is_given_more_time_before_it_counts() {
        let (late, runs) = settled(vec![Simulated::Hang; 4], 2);
        assert!(matches!(late, Settled::Failed { runs: 2, passes: 0, .. }), "{late:?}");
        assert_eq!(runs, 4, "neither the first, which was hurried, nor the second, which was not alone, counts");
    }
}
