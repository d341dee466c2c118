//! One trial as processes of this machine: the command launched, watched until it is done, and taken stock of.
//!
//! Only observes. What an observation means is decided by [`crate::trial::judge`].

use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout};

use super::conversation::{Conversation, Place};
use super::files;
use super::session::ProcessSession;
use crate::engine::Session;
use crate::engine::supervisor::{self, Conversation as _};
use crate::trial::wire::{AppReport, Command, Event, Launch};
use crate::trial::{Deadline, Observation, Timings, TrialRequest, Trouble};

/// Longest wait for a shim to do what takes it milliseconds: launch, kill, report.
const SHIM_LIMIT: Duration = Duration::from_secs(20);

/// Runs the trial, which was asked for at `begin`.
pub(super) async fn run(
    session: &ProcessSession,
    request: &TrialRequest,
    deadline: Deadline,
    begin: Instant,
) -> Result<Observation, Trouble> {
    let killed_before = killed_for_memory();
    let engine = &session.engine.0;
    let place = Place { directory: &engine.options.directory, environment: &session.workload.environment };
    let nested = Conversation::begin(&engine.shim, &session.engine.nest(), place).await;
    let (mut conversation, _) = nested.map_err(Trouble::Shim)?;
    let launched = timeout(SHIM_LIMIT, launch(session, &mut conversation, request, deadline)).await;
    let launched = launched.map_err(|_| Trouble::Shim(format!("the command did not start within {SHIM_LIMIT:?}")))??;
    if let Err(message) = launched {
        session.end(conversation);
        // With treatments, which don't apply to the launch, that is nothing that can be explained.
        return if request.intervention.is_empty() {
            Ok(Observation { not_started: Some(message), ..Observation::default() })
        } else {
            Err(Trouble::Shim(message))
        };
    }
    let started = Instant::now();
    let mut observation = Observation { ready: true, ..Observation::default() };
    let report = watch(session, &mut conversation, &mut observation, deadline, started).await?;
    observation.timings.workload = started.elapsed();
    let report = if let Some(report) = report {
        report
    } else {
        let report = timeout(SHIM_LIMIT, supervisor::report(&mut conversation)).await;
        report.map_err(|_| Trouble::Shim(format!("no report within {SHIM_LIMIT:?}")))?.map_err(Trouble::Shim)??
    };
    session.end(conversation);
    observation.timings = Timings { setup: started - begin, ready: None, ..observation.timings };
    let AppReport { end, calls, files: _, changes } = report;
    if end.deaths.iter().any(|death| death.signal == "SIGKILL") && killed_for_memory() != killed_before {
        return Err(Trouble::Engine("the machine ran out of memory, and the kernel killed a process".to_owned()));
    }
    (observation.app, observation.calls) = (end, calls);
    let written = session.workload.success.written.clone();
    let changes = tokio::task::spawn_blocking(move || files::really_changed(&written, changes)).await;
    observation.changes = changes.map_err(|error| Trouble::Engine(format!("cannot look at files: {error}")))?;
    Ok(observation)
}

/// How often the kernel has killed a process for want of memory (`/proc/vmstat`).
fn killed_for_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.parse().ok()
}

/// Starts the command under its filter; the inner error is why its program can't be executed.
async fn launch(
    session: &ProcessSession,
    conversation: &mut Conversation,
    request: &TrialRequest,
    deadline: Deadline,
) -> Result<Result<(), String>, Trouble> {
    let launch = Launch {
        command: session.subject().command.clone(),
        intervention: request.intervention.clone(),
        watch: request.watch,
        output_limit: session.workload.limits.output,
        processor_limit: deadline.processor,
        prompt_answers: deadline.prompt_answers,
        settle_above: deadline.settle_above,
        wait_for_children: session.workload.wait_for_children,
        traced: request.traced.as_deref().cloned(),
        files: Vec::new(),
        look_at: files::look_at(&session.workload.success.written),
    };
    conversation.send(&Command::Launch(launch)).await.map_err(Trouble::Shim)?;
    loop {
        match conversation.next().await.map_err(Trouble::Shim)? {
            Event::Installed => return Ok(Ok(())),
            Event::NotStarted { message } => return Ok(Err(message)),
            event => expect_no_trouble(event)?,
        }
    }
}

/// Waits until the command is done, and everything that it left behind; `None` if it is ended before, which `observation` says.
async fn watch(
    session: &ProcessSession,
    conversation: &mut Conversation,
    observation: &mut Observation,
    deadline: Deadline,
    started: Instant,
) -> Result<Option<AppReport>, Trouble> {
    let limit = deadline.work.min(deadline.total);
    let end = tokio::time::Instant::from_std(started + limit);
    let mut lingering = None;
    loop {
        tokio::select! {
            // What has happened goes before the time it took: this process may have been stopped meanwhile.
            biased;
            event = conversation.next() => match event.map_err(Trouble::Shim)? {
                Event::Report(report) => return Ok(Some(*report)),
                Event::MainEnded { .. } => {
                    lingering.get_or_insert_with(|| supervisor::Lingering::begin(&session.lingering));
                }
                Event::Exhausted => {
                    observation.exhausted = deadline.processor;
                    return Ok(None);
                }
                event => expect_no_trouble(event)?,
            },
            () = sleep_until(end) => {
                observation.deadline = Some(limit);
                observation.noticed_late = started.elapsed().saturating_sub(limit);
                return Ok(None);
            }
        }
    }
}

/// Turns trouble into an error; everything else that a shim says at the wrong time is of no interest.
fn expect_no_trouble(event: Event) -> Result<(), Trouble> {
    match event {
        Event::Trouble { message } | Event::NotStarted { message } => Err(Trouble::Shim(message)),
        Event::Nested { .. }
        | Event::Hello
        | Event::Installed
        | Event::MainEnded { .. }
        | Event::Exhausted
        | Event::Line { .. }
        | Event::Traced(_)
        | Event::Report(_)
        | Event::NetworkReady
        | Event::Listening
        | Event::JobEnded(_) => Ok(()),
    }
}
