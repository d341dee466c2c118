//! What an app does when nothing is treated, outside of any campaign: its calls, or what it prints, from which a criterion of success
//! is made where nobody said one.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::{FIRST_DEADLINE, Stop};
use crate::engine::{Engine, EngineError, Notice, Session, Subject};
use crate::spec::{AppSpec, Kind, Success, Workload};
use crate::trial::{Care, Deadline, Ending, Intervention, Observation, Outcome, Purpose, TrialId, TrialRequest, Watch, judge};

/// Some runs without any intervention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// Run to completion or server, as the spec says or the image suggests.
    pub kind: Kind,
    /// What was seen of each run.
    pub observations: Vec<Observation>,
}

/// How the runs of a command are told to have succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Criterion {
    /// By the exit code and the standard output, which was the same in so many runs.
    Output {
        /// How many runs agreed.
        runs: usize,
    },
    /// By the exit code alone, as the standard output differs from run to run.
    ExitCode,
    /// By the exit code and patterns that were given.
    Patterns,
    /// A server: by listening and staying up.
    Server,
}

impl Criterion {
    /// What it says in one line, of a command that has to end with `exit_code`.
    #[must_use]
    pub fn describe(&self, exit_code: i32) -> String {
        match self {
            Self::Output { runs } => format!("exit code {exit_code}, and the standard output that {runs} runs agreed on"),
            Self::ExitCode => format!("exit code {exit_code} alone, as the standard output differs from run to run"),
            Self::Patterns => format!("exit code {exit_code}, and standard output that matches what was given"),
            Self::Server => "it listens, and stays up".to_owned(),
        }
    }
}

impl Rehearsal {
    /// The criterion that these runs allow, which `success` is made to ask for. What it already asks of the output stands.
    #[must_use]
    pub fn criterion(&self, success: &mut Success) -> Criterion {
        if self.kind == Kind::Server {
            return Criterion::Server;
        }
        if !success.stdout_matches.is_empty() {
            return Criterion::Patterns;
        }
        let mut outputs = self.whole().map(|observation| &observation.app.stdout.kept);
        match outputs.next() {
            Some(first) if outputs.all(|other| other == first) => {
                success.stdout_equals = Some(first.clone());
                Criterion::Output { runs: self.observations.len() }
            }
            Some(_) | None => Criterion::ExitCode,
        }
    }

    /// Whether every run still gives what `success` asks of the output: what agreed a while ago may depend on the time. Runs with
    /// trouble of the engine, and those that were cut off, tell nothing.
    #[must_use]
    pub fn agrees_with(&self, success: &Success) -> bool {
        let mut runs = self.whole();
        let same = |expected: &Vec<u8>| runs.all(|observation| observation.app.stdout.kept == *expected);
        success.stdout_equals.as_ref().is_none_or(same)
    }

    /// The runs that ended by themselves: what was cut off at a deadline, or had trouble of the engine, is no output to compare.
    fn whole(&self) -> impl Iterator<Item = &Observation> {
        self.observations.iter().filter(|run| run.trouble.is_none() && run.deadline.is_none())
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Output;

    fn rehearsal(outputs: &[&str]) -> Rehearsal {
        let observation = |text: &&str| {
            let mut observation = Observation::default();
            observation.app.stdout = Output { kept: text.as_bytes().to_vec(), dropped: 0 };
            observation
        };
        Rehearsal { kind: Kind::RunToCompletion, observations: outputs.iter().map(observation).collect() }
    }

    #[test]
    fn output_counts_where_all_runs_agree_and_nothing_else_was_asked_for() {
        let mut success = Success::default();
        assert_eq!(rehearsal(&["a", "b"]).criterion(&mut success), Criterion::ExitCode);
        assert_eq!(success.stdout_equals, None);
        assert_eq!(rehearsal(&["a", "a"]).criterion(&mut success), Criterion::Output { runs: 2 });
        assert_eq!(success.stdout_equals.as_deref(), Some(b"a".as_slice()));
        assert!(rehearsal(&["a"]).agrees_with(&success) && !rehearsal(&["b"]).agrees_with(&success));
        let mut troubled = rehearsal(&[""]);
        troubled.observations[0].trouble = Some(crate::trial::Trouble::Interrupted);
        assert!(troubled.agrees_with(&success));
        let mut success = Success { stdout_matches: vec![regex::Regex::new("x").unwrap()], ..Success::default() };
        assert_eq!(rehearsal(&["a", "a"]).criterion(&mut success), Criterion::Patterns);
        assert_eq!(success.stdout_equals, None);
        assert!(rehearsal(&["b"]).agrees_with(&success), "nothing was asked of the whole output");
    }
}
