//! From what was seen to what it means. Pure, so that every criterion is tested without a container.

use crate::spec::{Kind, Workload};
use crate::trial::{Ending, FailCause, InconclusiveCause, Observation, Outcome, Output, Trouble};

/// Judges `observation` by the criteria of `workload`, which is exercised as `kind` and, for a server, on `port`.
///
/// The order of the questions is the order of trust: trouble of the host makes everything else worthless; a crash comes before
/// what the client says; the client's exit code before what it printed.
#[must_use]
pub fn judge(workload: &Workload, kind: Kind, port: Option<u16>, observation: &Observation) -> Outcome {
    if let Some(trouble) = &observation.trouble {
        return Outcome::Inconclusive(match trouble.clone() {
            Trouble::Engine(message) => InconclusiveCause::Engine { message },
            Trouble::Shim(message) => InconclusiveCause::Shim { message },
            Trouble::Sidecar(message) => InconclusiveCause::Sidecar { message },
            Trouble::Interrupted => InconclusiveCause::Interrupted,
        });
    }
    match failure(workload, kind, port, observation) {
        Some(cause) => Outcome::Fail(cause),
        None => Outcome::Pass,
    }
}

fn failure(workload: &Workload, kind: Kind, port: Option<u16>, observation: &Observation) -> Option<FailCause> {
    let app = &observation.app;
    let success = &workload.success;
    if let Some(message) = &observation.not_started {
        return Some(FailCause::NotStarted { message: message.clone() });
    }
    if app.out_of_memory {
        return Some(FailCause::OutOfMemory { limit: workload.limits.memory });
    }
    if let Some(death) = app.deaths.iter().find(|death| !success.expected_deaths.contains(&death.signal)) {
        return Some(FailCause::Died { process: death.process.clone(), signal: death.signal.clone() });
    }
    let end_of_main = match kind {
        Kind::Server => early_exit(observation),
        Kind::RunToCompletion => wrong_exit(observation, success.exit_code),
    };
    end_of_main
        .or_else(|| late(port, observation))
        .or_else(|| client_failure(observation, success.exit_code))
        .or_else(|| {
            let (stdout, stderr) = match &observation.client {
                Some(client) => (&client.stdout, &client.stderr),
                None => (&app.stdout, &app.stderr),
            };
            wrong_output("stdout", stdout, &success.stdout_matches, &success.stdout_forbids)
                .or_else(|| wrong_output("stderr", stderr, &success.stderr_matches, &success.stderr_forbids))
        })
        .or_else(|| {
            let path = success.files.iter().find(|path| !observation.files.contains_key(*path))?;
            Some(FailCause::MissingFile { path: path.clone() })
        })
        .or_else(|| check_failure(observation))
}

/// A server whose main process ended: fine only if it daemonised, that is if it ended well and left descendants.
fn early_exit(observation: &Observation) -> Option<FailCause> {
    match (&observation.app.main, observation.app.daemonised) {
        (Some(Ending::Exited(0)), true) | (None | Some(Ending::Signaled(_)), _) => None,
        (Some(Ending::Exited(code)), _) => Some(FailCause::ExitedEarly { code: *code }),
    }
}

fn wrong_exit(observation: &Observation, expected: i32) -> Option<FailCause> {
    match &observation.app.main {
        Some(Ending::Exited(code)) if *code != expected => Some(FailCause::ExitCode { code: *code, expected }),
        Some(Ending::Exited(_) | Ending::Signaled(_)) | None => None,
    }
}

fn late(port: Option<u16>, observation: &Observation) -> Option<FailCause> {
    let deadline_ms = u64::try_from(observation.deadline?.as_millis()).unwrap_or(u64::MAX);
    Some(match port {
        Some(port) if !observation.ready => FailCause::NeverReady { port, deadline_ms },
        Some(_) | None => FailCause::Deadline { deadline_ms },
    })
}

fn client_failure(observation: &Observation, expected: i32) -> Option<FailCause> {
    match observation.client.as_ref()?.ending.as_ref()? {
        Ending::Exited(code) if *code == expected => None,
        Ending::Exited(code) => Some(FailCause::ClientExitCode { code: *code, expected }),
        Ending::Signaled(signal) => Some(FailCause::ClientDied { signal: signal.clone() }),
    }
}

fn wrong_output(stream: &str, output: &Output, matches: &[regex::Regex], forbids: &[regex::Regex]) -> Option<FailCause> {
    let text = output.text();
    if let Some(pattern) = matches.iter().find(|pattern| !pattern.is_match(&text)) {
        return Some(FailCause::OutputMismatch { stream: stream.to_owned(), pattern: pattern.to_string() });
    }
    let pattern = forbids.iter().find(|pattern| pattern.is_match(&text))?;
    Some(FailCause::OutputForbidden { stream: stream.to_owned(), pattern: pattern.to_string() })
}

fn check_failure(observation: &Observation) -> Option<FailCause> {
    let check = observation.check.as_ref()?;
    let message = check.output.last_lines(1).pop().unwrap_or_default();
    match &check.ending {
        Some(Ending::Exited(0)) => None,
        Some(Ending::Exited(code)) => Some(FailCause::CheckFailed { code: *code, message }),
        Some(Ending::Signaled(signal)) => Some(FailCause::CheckFailed { code: -1, message: format!("died of {signal}") }),
        None => Some(FailCause::CheckFailed { code: -1, message: "not done before its deadline".to_owned() }),
    }
}
