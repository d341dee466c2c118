//! What an app does when nothing is treated, outside of any campaign: its calls, or what it prints and writes, from which a criterion
//! of success is made where nobody said one ([`super::criterion`]).

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::{FIRST_DEADLINE, Stop};
use crate::engine::{Engine, EngineError, Notice, Session, Subject};
use crate::spec::{AppSpec, Kind, Workload};
use crate::trial::{Care, Deadline, Ending, Intervention, Observation, Outcome, Purpose, TrialId, TrialRequest, Watch, judge};

/// Some runs without any intervention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// Run to completion or server, as the spec says or the image suggests.
    pub kind: Kind,
    /// What was seen of each run.
    pub observations: Vec<Observation>,
}

impl Rehearsal {
    /// Why the command's program can't be executed, if it can't.
    #[must_use]
    pub fn not_started(&self) -> Option<&str> {
        self.observations.iter().find_map(|observation| observation.not_started.as_deref())
    }

    /// How the main process of the first run ended, if it did.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        self.observations.first()?.app.main.as_ref()
    }
}

/// How far runs outside of a campaign are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The app is made ready, and this takes time: an image being built or pulled.
    Preparing(String),
    /// It runs.
    Running,
    /// Its main process has ended, and those that it left are waited for.
    Lingering,
    /// What was made for it is removed.
    Closing,
}

/// Told how far the runs are, whenever that may have changed.
pub type Tell = Arc<dyn Fn(Phase) + Send + Sync>;

/// Between two looks at how far they are.
const LOOK: Duration = Duration::from_millis(500);

/// Runs the workload so many times without any intervention, `at_once` of them at the same time; `None` if asked to stop.
///
/// # Errors
/// When the engine cannot make the app ready.
pub async fn rehearse<E: Engine>(
    engine: &E,
    app: &AppSpec,
    workload: &Workload,
    runs: u32,
    at_once: usize,
    tell: Tell,
    stop: &Stop,
) -> Result<Option<Rehearsal>, EngineError> {
    let requests: Vec<_> = (0..runs).map(|replica| request(replica, Purpose::Baseline, Watch::Treated)).collect();
    let ran = run(engine, app, workload, &requests, at_once, tell, stop).await?;
    Ok(ran.map(|(subject, observations)| Rehearsal { kind: subject.kind, observations }))
}

/// One run of an app in which every call was watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The command line that was run.
    pub command: Vec<String>,
    /// What was seen.
    pub observation: Observation,
    /// What the workload says to it.
    pub outcome: Outcome,
}

/// Runs the workload once and has every call recorded; `None` if asked to stop. `limit` takes the place of the workload's own timeout.
///
/// # Errors
/// When the engine cannot make the app ready.
pub async fn watch_once<E: Engine>(
    engine: &E,
    app: &AppSpec,
    workload: &Workload,
    limit: Option<Duration>,
    tell: Tell,
    stop: &Stop,
) -> Result<Option<Watched>, EngineError> {
    let workload = Workload { timeout: limit.or(workload.timeout), ..workload.clone() };
    let requests = [request(0, Purpose::Trace, Watch::Everything)];
    let ran = run(engine, app, &workload, &requests, 1, tell, stop).await?;
    Ok(ran.and_then(|(subject, observations)| {
        let observation = observations.into_iter().next()?;
        let outcome = judge(&workload, subject.kind, subject.port, &observation);
        Some(Watched { command: subject.command, observation, outcome })
    }))
}

/// Makes the app ready and runs the trials, `at_once` of them at the same time.
async fn run<E: Engine>(
    engine: &E,
    app: &AppSpec,
    workload: &Workload,
    requests: &[TrialRequest],
    at_once: usize,
    tell: Tell,
    stop: &Stop,
) -> Result<Option<(Subject, Vec<Observation>)>, EngineError> {
    let telling = Arc::clone(&tell);
    let notice: Notice = Arc::new(move |message| telling(Phase::Preparing(message)));
    let prepared = tokio::select! {
        () = stop.wait() => return Ok(None),
        prepared = engine.prepare(app, workload, "rehearsal", notice) => prepared,
    };
    let session = prepared?;
    let limit = workload.timeout.unwrap_or(FIRST_DEADLINE);
    let deadline = Deadline::within(limit);
    session.expect(requests.len(), requests.len());
    let trials = futures_util::stream::iter(requests.iter().map(|request| session.run(request, deadline)));
    let trials = trials.buffered(at_once.max(1)).collect::<Vec<_>>();
    let watching = async {
        loop {
            tell(if session.lingers() { Phase::Lingering } else { Phase::Running });
            tokio::time::sleep(LOOK).await;
        }
    };
    let observations = tokio::select! {
        biased;
        () = stop.wait() => None,
        observations = trials => Some(observations),
        () = watching => None,
    };
    tell(Phase::Closing);
    let subject = session.subject().clone();
    session.close().await;
    Ok(observations.map(|observations| (subject, observations)))
}

fn request(replica: u32, purpose: Purpose, watch: Watch) -> TrialRequest {
    TrialRequest {
        id: TrialId(replica),
        purpose,
        watch,
        intervention: Intervention::none(),
        replica,
        care: Care::Usual,
        traced: None,
    }
}
