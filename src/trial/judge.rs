//! From what was seen to what it means. Pure, so that every criterion is tested without a container.

use std::time::Duration;

use regex::Regex;

use crate::spec::{Kind, Workload, WrittenFiles};
use crate::trial::{
    COSTLY_NEW_USES, Care, Deadline, Ending, FailCause, FileChanges, FileState, InconclusiveCause, Measures, Observation,
    Outcome, Output, Purpose, TrialRequest, Trouble,
};

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

/// Whether the failure that `outcome` tells of may be due to a short deadline or to load on the host: then it does not count by itself.
///
/// A run that is given only a first look may be late because it is slow. And where a thread of app or client spent most of the
/// time waiting for a processor, what depends on time (a deadline, what the client reached and printed) may go wrong without
/// anybody's fault; not so where the app had ample processor time all the same, as one that spins has. What a run that was ended at its
/// deadline did or printed until then depends on time as well. Where Loupe itself noticed the deadline late, it may be that everything
/// stood still. Nor is it the app's fault if noting its new calls took long. A run that is alone is as quiet as it gets: its failures
/// always count.
#[must_use]
pub fn is_doubtful(request: &TrialRequest, deadline: &Deadline, outcome: &Outcome, observation: &Observation) -> bool {
    let Outcome::Fail(cause) = outcome else { return false };
    let is_late = match cause {
        FailCause::Deadline { .. } | FailCause::NeverReady { .. } => true,
        // Failed in another way, but after its time was over.
        FailCause::OutputMismatch { .. }
        | FailCause::OutputForbidden { .. }
        | FailCause::OutputDiffers { .. }
        | FailCause::CheckFailed { .. }
        | FailCause::MissingFile { .. }
        | FailCause::FileDiffers { .. }
        | FailCause::ExitCode { .. }
        | FailCause::ExitedEarly { .. }
        | FailCause::ClientExitCode { .. }
        | FailCause::ClientDied { .. } => observation.deadline.is_some(),
        FailCause::ProcessorTime { .. }
        | FailCause::NotStarted { .. }
        | FailCause::Died { .. }
        | FailCause::OutOfMemory { .. } => false,
    };
    if (is_late || matches!(cause, FailCause::ProcessorTime { .. })) && request.care == Care::Usual {
        return true;
    }
    if request.care == Care::Alone {
        return false;
    }
    if is_late {
        // Everything avoidable was seen to work by itself, and many notified calls take much processor time together. Without any
        // intervention there is hardly another reason to be late than other load.
        let by_load = matches!(request.purpose, Purpose::Joint | Purpose::Trace | Purpose::Baseline)
            || (request.purpose == Purpose::Fallback && request.intervention.is_empty());
        let stood_still = observation.deadline.is_some_and(|given| observation.noticed_late * 2 > given);
        if by_load || stood_still {
            return true;
        }
    }
    let depends_on_time = match cause {
        FailCause::Deadline { .. }
        | FailCause::NeverReady { .. }
        | FailCause::ClientExitCode { .. }
        | FailCause::ClientDied { .. } => true,
        FailCause::OutputMismatch { .. }
        | FailCause::OutputForbidden { .. }
        | FailCause::OutputDiffers { .. }
        | FailCause::CheckFailed { .. } => observation.client.is_some() || is_late,
        FailCause::ExitCode { .. }
        | FailCause::ExitedEarly { .. }
        | FailCause::MissingFile { .. }
        | FailCause::FileDiffers { .. } => is_late,
        FailCause::ProcessorTime { .. }
        | FailCause::NotStarted { .. }
        | FailCause::Died { .. }
        | FailCause::OutOfMemory { .. } => false,
    };
    // What the supervisor does for a command of this machine counts as its processor time.
    let is_dear = depends_on_time || matches!(cause, FailCause::ProcessorTime { .. });
    let noted_long = is_dear && observation.calls.count_of_new_uses() >= COSTLY_NEW_USES;
    noted_long || depends_on_time && was_starved(deadline, observation)
}

/// Whether a thread of app or client waited for a processor for more than half of the time.
fn was_starved(deadline: &Deadline, observation: &Observation) -> bool {
    let client_starved = observation.client.as_ref().map_or(Duration::ZERO, |client| client.starved);
    let had_ample = deadline.ample.is_some_and(|ample| observation.app.cpu_time >= ample);
    let app_starved = if had_ample { Duration::ZERO } else { observation.app.starved };
    // Ending an app that is late takes time as well, much of it on a busy machine.
    let given = observation.deadline.unwrap_or(Duration::MAX);
    app_starved.max(client_starved) * 2 > observation.timings.workload.min(given)
}

/// The outcome of a run, which is inconclusive where it was late although it was alone, for want of a processor: nothing quieter can be
/// had at the moment, and load on the host is no evidence.
#[must_use]
pub fn settle(request: &TrialRequest, deadline: &Deadline, outcome: Outcome, observation: &Observation) -> Outcome {
    let is_late = matches!(&outcome, Outcome::Fail(FailCause::Deadline { .. } | FailCause::NeverReady { .. }));
    if request.care != Care::Alone || !is_late || !was_starved(deadline, observation) {
        return outcome;
    }
    let message = "the host was too busy: alone, it still waited for a processor for more than half of its time".to_owned();
    Outcome::Inconclusive(InconclusiveCause::Engine { message })
}

/// What the run measured of the app's performance.
#[must_use]
pub fn measures(workload: &Workload, observation: &Observation) -> Measures {
    let app = &observation.app;
    let output = observation.client.as_ref().map_or(&app.stdout, |client| &client.stdout);
    let timings = &observation.timings;
    Measures {
        throughput: workload.throughput.as_ref().and_then(|pattern| throughput(pattern, &output.text())),
        time: timings.workload.saturating_sub(timings.ready.unwrap_or_default()).saturating_sub(app.left.time()),
        own_time: observation.client.is_none() && app.main.is_some(),
        peak_rss_kib: app.peak_rss_kib,
        cpu_time: app.cpu_time,
        open_files: app.open_files,
        app_waited: app.starved,
        client_waited: observation.client.as_ref().map_or(Duration::ZERO, |client| client.starved),
        answers: observation.calls.calls.values().map(|statistics| statistics.count).sum(),
    }
}

/// The geometric mean of the numbers that the pattern's group finds, in thousandths. Numbers that are not positive are left out.
fn throughput(pattern: &Regex, text: &str) -> Option<u64> {
    let numbers = pattern.captures_iter(text).filter_map(|captures| captures.get(1)?.as_str().parse::<f64>().ok());
    let logarithms: Vec<_> = numbers.filter(|number| number.is_finite() && *number > 0.0).map(f64::ln).collect();
    let count = u32::try_from(logarithms.len()).ok().filter(|count| *count > 0)?;
    let thousandths = (logarithms.iter().sum::<f64>() / f64::from(count)).exp() * 1000.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and what is too large saturates")]
    Some(thousandths.round() as u64)
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
        .or_else(|| late(workload, kind, port, observation))
        .or_else(|| client_failure(observation, success.exit_code))
        .or_else(|| {
            let (stdout, stderr) = match &observation.client {
                Some(client) => (&client.stdout, &client.stderr),
                None => (&app.stdout, &app.stderr),
            };
            wrong_output("stdout", stdout, &success.stdout_matches, &success.stdout_forbids)
                .or_else(|| other_output("stdout", stdout, success.stdout_equals.as_deref()?))
                .or_else(|| wrong_output("stderr", stderr, &success.stderr_matches, &success.stderr_forbids))
        })
        .or_else(|| {
            let path = success.files.iter().find(|path| !observation.files.contains_key(*path))?;
            Some(FailCause::MissingFile { path: path.clone() })
        })
        .or_else(|| other_file(&success.written, &observation.changes))
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

/// A trial that was ended because its time was over. What had ended by itself when stock was taken is not late: how it ended decides.
fn late(workload: &Workload, kind: Kind, port: Option<u16>, observation: &Observation) -> Option<FailCause> {
    let ended = match (kind, &observation.client) {
        // Where its children are waited for, those that had to be ended are late.
        (Kind::RunToCompletion, _) => {
            observation.app.main.is_some() && (!workload.wait_for_children || observation.app.left.processes.is_empty())
        }
        (Kind::Server, client) => client.as_ref().is_some_and(|client| client.ending.is_some()),
    };
    if ended {
        return None;
    }
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if let Some(limit) = observation.exhausted {
        return Some(FailCause::ProcessorTime { limit_ms: milliseconds(limit) });
    }
    let deadline_ms = milliseconds(observation.deadline?);
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

fn wrong_output(stream: &str, output: &Output, matches: &[Regex], forbids: &[Regex]) -> Option<FailCause> {
    let text = output.text();
    if let Some(pattern) = matches.iter().find(|pattern| !pattern.is_match(&text)) {
        return Some(FailCause::OutputMismatch { stream: stream.to_owned(), pattern: pattern.to_string() });
    }
    let pattern = forbids.iter().find(|pattern| pattern.is_match(&text))?;
    Some(FailCause::OutputForbidden { stream: stream.to_owned(), pattern: pattern.to_string() })
}

/// Compares what was kept, which tells how much was not: see [`Output`].
fn other_output(stream: &str, output: &Output, expected: &[u8]) -> Option<FailCause> {
    /// Characters of a line that are told.
    const LIMIT: usize = 80;
    if output.kept == expected {
        return None;
    }
    let same = output.kept.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    let lines_before = expected[..same].split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).count();
    let line = |bytes: &[u8]| {
        let line = bytes.split_inclusive(|byte| *byte == b'\n').nth(lines_before)?;
        let text = String::from_utf8_lossy(line);
        // A missing line end is a difference, too.
        let text = text.strip_suffix('\n').map_or_else(|| format!("{text}(no line end)"), str::to_owned);
        Some(match text.char_indices().nth(LIMIT) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        })
    };
    Some(FailCause::OutputDiffers {
        stream: stream.to_owned(),
        line: u64::try_from(lines_before).unwrap_or(u64::MAX).saturating_add(1),
        found: line(&output.kept),
        expected: line(expected),
    })
}

/// The first file that is not as it has to be. What else was written does not matter.
fn other_file(written: &WrittenFiles, changes: &FileChanges) -> Option<FailCause> {
    let WrittenFiles::Equal(expected) = written else { return None };
    expected.iter().find_map(|(path, expected)| {
        let expected: FileState = expected.parse().ok()?;
        let difference = expected.difference(changes.states.get(path))?;
        Some(FailCause::FileDiffers { path: path.to_string_lossy().into_owned(), difference })
    })
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::spec::{Client, ImageSource};
    use crate::trial::{CheckEnd, ClientEnd, Death, Left, NewUse};

    fn workload() -> Workload {
        Workload::named("test")
    }

    fn output(text: &str) -> Output {
        Output { kept: text.as_bytes().to_vec(), dropped: 0 }
    }

    fn death(signal: &str) -> Death {
        Death { process: "worker".into(), signal: signal.into() }
    }

    /// A run to completion that went well.
    fn good_run() -> Observation {
        let mut observation = Observation { ready: true, ..Observation::default() };
        observation.app.main = Some(Ending::Exited(0));
        observation
    }

    /// A server that was still running when its client was done.
    fn good_server() -> Observation {
        let client = ClientEnd {
            ending: Some(Ending::Exited(0)),
            stdout: output("10 requests in 1 s\n"),
            stderr: output(""),
            starved: Duration::ZERO,
        };
        Observation { ready: true, client: Some(client), ..Observation::default() }
    }

    fn run(workload: &Workload, observation: &Observation) -> Outcome {
        judge(workload, Kind::RunToCompletion, None, observation)
    }

    fn serve(workload: &Workload, observation: &Observation) -> Outcome {
        judge(workload, Kind::Server, Some(80), observation)
    }

    #[test]
    fn good_runs_pass() {
        assert_eq!(run(&workload(), &good_run()), Outcome::Pass);
        assert_eq!(serve(&workload(), &good_server()), Outcome::Pass);
    }

    #[test]
    fn trouble_is_never_a_failure_whatever_else_was_seen() {
        for trouble in
            [Trouble::Engine("x".into()), Trouble::Shim("x".into()), Trouble::Sidecar("x".into()), Trouble::Interrupted]
        {
            let mut observation = good_run();
            observation.trouble = Some(trouble);
            observation.app.deaths = vec![death("SIGSEGV")];
            assert!(matches!(run(&workload(), &observation), Outcome::Inconclusive(_)));
        }
    }

    #[test]
    fn a_crash_fails_even_if_the_client_is_content() {
        let mut observation = good_server();
        observation.app.deaths = vec![death("SIGSEGV")];
        let cause = FailCause::Died { process: "worker".into(), signal: "SIGSEGV".into() };
        assert_eq!(serve(&workload(), &observation), Outcome::Fail(cause));
        let mut tolerant = workload();
        tolerant.success.expected_deaths = vec!["SIGSEGV".into()];
        assert_eq!(serve(&tolerant, &observation), Outcome::Pass);
    }

    #[test]
    fn a_server_that_ends_fails_unless_it_daemonised() {
        let mut observation = good_server();
        observation.app.main = Some(Ending::Exited(0));
        assert_eq!(serve(&workload(), &observation), Outcome::Fail(FailCause::ExitedEarly { code: 0 }));
        observation.app.daemonised = true;
        assert_eq!(serve(&workload(), &observation), Outcome::Pass);
        observation.app.main = Some(Ending::Exited(3));
        assert_eq!(serve(&workload(), &observation), Outcome::Fail(FailCause::ExitedEarly { code: 3 }));
    }

    #[test]
    fn the_exit_code_is_the_apps_or_the_clients() {
        let mut strict = workload();
        strict.success.exit_code = 7;
        assert_eq!(run(&strict, &good_run()), Outcome::Fail(FailCause::ExitCode { code: 0, expected: 7 }));
        assert_eq!(serve(&strict, &good_server()), Outcome::Fail(FailCause::ClientExitCode { code: 0, expected: 7 }));
    }

    #[test]
    fn a_deadline_says_whether_the_server_ever_listened() {
        let mut observation = good_server();
        observation.client.as_mut().unwrap().ending = None;
        observation.deadline = Some(Duration::from_secs(3));
        assert_eq!(serve(&workload(), &observation), Outcome::Fail(FailCause::Deadline { deadline_ms: 3000 }));
        observation.ready = false;
        assert_eq!(serve(&workload(), &observation), Outcome::Fail(FailCause::NeverReady { port: 80, deadline_ms: 3000 }));
    }

    #[test]
    fn patterns_look_at_the_client_of_a_server_and_at_the_app_otherwise() {
        let mut strict = workload();
        strict.success.stdout_matches = vec![Regex::new("[1-9][0-9]* requests").unwrap()];
        strict.success.stdout_forbids = vec![Regex::new("Socket errors").unwrap()];
        assert_eq!(serve(&strict, &good_server()), Outcome::Pass);
        assert!(matches!(run(&strict, &good_run()), Outcome::Fail(FailCause::OutputMismatch { .. })));
        let mut broken = good_server();
        broken.client.as_mut().unwrap().stdout = output("10 requests\nSocket errors: read 3\n");
        assert!(matches!(serve(&strict, &broken), Outcome::Fail(FailCause::OutputForbidden { .. })));
    }

    #[test]
    fn output_that_differs_is_told_by_its_first_other_line() {
        let mut strict = workload();
        let mut observation = good_run();
        let mut judged = |found: &str, expected: &str| {
            strict.success.stdout_equals = Some(expected.as_bytes().to_vec());
            observation.app.stdout = output(found);
            run(&strict, &observation).to_string()
        };
        assert_eq!(judged("a\nb\n", "a\nb\n"), "pass");
        assert_eq!(judged("a\nc\n", "a\nb\n"), "stdout differs in line 2: `c`, expected `b`");
        assert_eq!(judged("a\n", "a\nb\n"), "stdout ends before line 2, expected `b`");
        assert_eq!(judged("a\nb\n", "a\n"), "stdout goes on with line 2: `b`");
        assert_eq!(judged("", "a\n"), "stdout ends before line 1, expected `a`");
        assert_eq!(judged("a", "a\n"), "stdout differs in line 1: `a(no line end)`, expected `a`");
    }

    #[test]
    fn files_checks_memory_and_the_launch_are_looked_at() {
        let mut strict = workload();
        strict.success.files = vec!["/out".into()];
        assert_eq!(run(&strict, &good_run()), Outcome::Fail(FailCause::MissingFile { path: "/out".into() }));
        let mut observation = good_run();
        observation.files.insert("/out".into(), Vec::new());
        observation.check = Some(CheckEnd { ending: Some(Ending::Exited(1)), output: output("the sum is wrong\n") });
        let message = "the sum is wrong".into();
        assert_eq!(run(&strict, &observation), Outcome::Fail(FailCause::CheckFailed { code: 1, message }));
        observation.app.out_of_memory = true;
        assert!(matches!(run(&strict, &observation), Outcome::Fail(FailCause::OutOfMemory { .. })));
        observation.not_started = Some("no such file".into());
        assert!(matches!(run(&strict, &observation), Outcome::Fail(FailCause::NotStarted { .. })));
    }

    #[test]
    fn files_have_to_be_as_undisturbed_runs_leave_them_and_others_do_not_matter() {
        let state = |text: &str| text.parse::<FileState>().unwrap();
        let mut strict = workload();
        let expected = "file 0644 0:0 6 00000000000000ff".to_owned();
        strict.success.written = WrittenFiles::Equal([("/data/out.txt".into(), expected.clone())].into());
        let mut observation = good_run();
        assert_eq!(
            run(&strict, &observation).to_string(),
            "file `/data/out.txt` differs from the undisturbed runs': it is missing"
        );
        observation.changes.states.insert("/data/out.txt".into(), state("file 0644 0:0 0 0"));
        let differs = run(&strict, &observation);
        assert_eq!(differs.to_string(), "file `/data/out.txt` differs from the undisturbed runs': 0 bytes, expected 6 bytes");
        let request = request(Care::Patient);
        assert!(!is_doubtful(&request, &DEADLINE, &differs, &observation), "what is written does not depend on the load");
        observation.changes.states.insert("/data/out.txt".into(), state(&expected));
        observation.changes.states.insert("/data/core".into(), state("file 0600 0:0 9 1"));
        assert_eq!(run(&strict, &observation), Outcome::Pass);
        observation.app.main = Some(Ending::Exited(1));
        assert!(matches!(run(&strict, &observation), Outcome::Fail(FailCause::ExitCode { .. })), "the exit code says more");
        strict.success.written = WrittenFiles::Noted;
        assert_eq!(run(&strict, &good_run()), Outcome::Pass);
    }

    const DEADLINE: Deadline = Deadline { ample: Some(Duration::from_millis(600)), ..Deadline::within(Duration::from_secs(3)) };

    fn request(care: Care) -> TrialRequest {
        TrialRequest {
            id: crate::trial::TrialId(0),
            purpose: crate::trial::Purpose::Single,
            watch: crate::trial::Watch::Treated,
            intervention: crate::trial::Intervention::none(),
            replica: 0,
            care,
            traced: None,
        }
    }

    #[test]
    fn what_ended_by_itself_before_stock_was_taken_is_not_late() {
        let mut completed = good_run();
        completed.deadline = Some(Duration::from_secs(3));
        assert_eq!(run(&workload(), &completed), Outcome::Pass);
        completed.exhausted = Some(Duration::from_secs(1));
        assert_eq!(run(&workload(), &completed), Outcome::Pass);
        completed.app.main = None;
        assert!(matches!(run(&workload(), &completed), Outcome::Fail(FailCause::ProcessorTime { .. })));

        let mut served = good_server();
        served.deadline = Some(Duration::from_secs(3));
        assert_eq!(serve(&workload(), &served), Outcome::Pass);
        served.client.as_mut().unwrap().ending = Some(Ending::Exited(1));
        assert!(matches!(serve(&workload(), &served), Outcome::Fail(FailCause::ClientExitCode { .. })));
        served.client.as_mut().unwrap().ending = None;
        assert!(matches!(serve(&workload(), &served), Outcome::Fail(FailCause::Deadline { .. })));
        served.client = None;
        assert!(matches!(serve(&workload(), &served), Outcome::Fail(FailCause::Deadline { .. })));
    }

    #[test]
    fn what_fails_after_its_deadline_is_in_doubt_as_if_it_were_late() {
        let mut observation = good_run();
        observation.app.main = Some(Ending::Exited(1));
        observation.timings.workload = Duration::from_secs(4);
        let outcome = run(&workload(), &observation);
        let doubtful = |care, observation: &Observation| is_doubtful(&request(care), &DEADLINE, &outcome, observation);
        observation.app.starved = Duration::from_secs(2);
        assert!(!doubtful(Care::Usual, &observation) && !doubtful(Care::Patient, &observation));
        observation.deadline = Some(Duration::from_secs(3));
        assert!(doubtful(Care::Usual, &observation) && doubtful(Care::Patient, &observation));
        assert!(!doubtful(Care::Alone, &observation));
        observation.app.starved = Duration::ZERO;
        assert!(doubtful(Care::Usual, &observation) && !doubtful(Care::Patient, &observation));
    }

    #[test]
    fn what_is_late_for_want_of_a_processor_although_it_is_alone_is_inconclusive() {
        let mut observation = Observation { deadline: Some(Duration::from_secs(3)), ..Observation::default() };
        observation.timings.workload = Duration::from_secs(3);
        let settled =
            |care, observation: &Observation| settle(&request(care), &DEADLINE, run(&workload(), observation), observation);
        assert!(matches!(settled(Care::Alone, &observation), Outcome::Fail(FailCause::Deadline { .. })));
        observation.app.starved = Duration::from_secs(2);
        assert!(matches!(settled(Care::Alone, &observation), Outcome::Inconclusive(_)));
        assert!(matches!(settled(Care::Patient, &observation), Outcome::Fail(FailCause::Deadline { .. })), "that is in doubt");
        observation.app.main = Some(Ending::Exited(0));
        assert_eq!(settled(Care::Alone, &observation), Outcome::Pass);
    }

    #[test]
    fn what_is_late_while_everything_stood_still_is_in_doubt() {
        let mut observation = Observation { deadline: Some(Duration::from_secs(3)), ..Observation::default() };
        observation.timings.workload = Duration::from_secs(5);
        let outcome = run(&workload(), &observation);
        let doubtful = |observation: &Observation| is_doubtful(&request(Care::Patient), &DEADLINE, &outcome, observation);
        observation.noticed_late = Duration::from_secs(1);
        assert!(!doubtful(&observation));
        observation.noticed_late = Duration::from_secs(2);
        assert!(doubtful(&observation));
    }

    #[test]
    fn what_depends_on_time_is_in_doubt_where_time_was_short_or_the_processor_busy() {
        let late = Outcome::Fail(FailCause::Deadline { deadline_ms: 3000 });
        let mismatch = Outcome::Fail(FailCause::OutputMismatch { stream: "stdout".into(), pattern: "x".into() });
        let crash = Outcome::Fail(FailCause::Died { process: "worker".into(), signal: "SIGSEGV".into() });
        let mut observation = good_server();
        observation.timings.workload = Duration::from_secs(1);
        let doubtful =
            |care, outcome: &Outcome, observation: &Observation| is_doubtful(&request(care), &DEADLINE, outcome, observation);
        assert!(doubtful(Care::Usual, &late, &observation));
        assert!(!doubtful(Care::Patient, &late, &observation));
        assert!(!doubtful(Care::Usual, &mismatch, &observation));
        observation.app.starved = Duration::from_millis(499);
        assert!(!doubtful(Care::Patient, &late, &observation), "what is left of the time would have been enough");
        observation.app.starved = Duration::from_millis(501);
        assert!(doubtful(Care::Usual, &mismatch, &observation));
        assert!(!doubtful(Care::Usual, &crash, &observation), "no process crashes because it has to wait");
        let joint = TrialRequest { purpose: Purpose::Joint, ..request(Care::Patient) };
        assert!(
            is_doubtful(&joint, &DEADLINE, &late, &observation),
            "a verified configuration is not given up before it was tried alone"
        );
        assert!(!is_doubtful(&TrialRequest { care: Care::Alone, ..joint }, &DEADLINE, &late, &observation));
        let baseline = TrialRequest { purpose: Purpose::Baseline, ..request(Care::Patient) };
        assert!(
            is_doubtful(&baseline, &DEADLINE, &late, &observation),
            "a late baseline is tried alone before the app is refused"
        );
        observation.app.starved = Duration::from_millis(801);
        assert!(doubtful(Care::Patient, &late, &observation));
        assert!(!doubtful(Care::Alone, &late, &observation), "nothing quieter can be had");
        observation.app.starved = Duration::ZERO;
        let exhausted = Outcome::Fail(FailCause::ProcessorTime { limit_ms: 400 });
        for (count, expected) in [(COSTLY_NEW_USES - 1, false), (COSTLY_NEW_USES, true)] {
            let new = NewUse { count, after: Vec::new() };
            observation.calls.new_uses = Some([("poll".parse().unwrap(), new)].into());
            assert_eq!(doubtful(Care::Patient, &late, &observation), expected, "noting {count} new calls");
            assert_eq!(doubtful(Care::Usual, &mismatch, &observation), expected, "noting {count} new calls");
            assert_eq!(doubtful(Care::Patient, &exhausted, &observation), expected, "noting {count} new calls");
            assert!(!doubtful(Care::Usual, &crash, &observation), "no process crashes because its calls are noted");
            assert!(!doubtful(Care::Alone, &late, &observation));
        }
        observation.calls.new_uses = None;
        observation.app.starved = Duration::from_millis(801);
        observation.timings.workload = Duration::from_secs(60);
        observation.deadline = Some(Duration::from_secs(3));
        observation.app.starved = Duration::from_millis(2500);
        assert!(doubtful(Care::Patient, &late, &observation), "ending it took most of the time");
        observation.app.cpu_time = Duration::from_millis(600);
        assert!(!doubtful(Care::Patient, &late, &observation), "it had six times what the baseline needs");
        assert!(doubtful(Care::Usual, &late, &observation), "but little time");
        observation.client.as_mut().unwrap().starved = Duration::from_millis(2500);
        assert!(doubtful(Care::Patient, &late, &observation), "it had, the client had not");
        assert!(!doubtful(Care::Usual, &Outcome::Pass, &observation));
        assert!(!doubtful(Care::Usual, &mismatch, &good_run()), "what the app prints itself does not depend on time");
    }

    #[test]
    fn what_a_main_process_leaves_is_late_only_where_it_is_waited_for() {
        let mut observation = good_run();
        observation.app.left = Left { processes: vec!["sleep".to_owned()], milliseconds: 200 };
        observation.timings.workload = Duration::from_millis(210);
        assert_eq!(run(&workload(), &observation), Outcome::Pass);
        assert_eq!(measures(&workload(), &observation).time, Duration::from_millis(10), "ending it is no time of the app's");
        let waiting = Workload { wait_for_children: true, ..workload() };
        observation.deadline = Some(Duration::from_secs(3));
        assert_eq!(run(&waiting, &observation), Outcome::Fail(FailCause::Deadline { deadline_ms: 3000 }));
        observation.app.left.processes.clear();
        assert_eq!(run(&waiting, &observation), Outcome::Pass, "all had ended when stock was taken");
    }

    #[test]
    fn throughput_is_the_geometric_mean_of_what_the_pattern_finds() {
        let mut measured = workload();
        assert_eq!(measures(&measured, &good_server()).throughput, None);
        measured.throughput = Some(Regex::new(r"([0-9.]+) requests").unwrap());
        assert_eq!(measures(&measured, &good_server()).throughput, Some(10_000));
        let mut observation = good_server();
        observation.client.as_mut().unwrap().stdout = output("10 requests\n1000 requests\n0 requests\n");
        assert_eq!(measures(&measured, &observation).throughput, Some(100_000));
        observation.timings.workload = Duration::from_secs(3);
        observation.timings.ready = Some(Duration::from_secs(1));
        assert_eq!(measures(&measured, &observation).time, Duration::from_secs(2));
        observation.client.as_mut().unwrap().stdout = output("none\n");
        assert_eq!(measures(&measured, &observation).throughput, None);
    }

    #[test]
    fn a_client_that_crashes_fails() {
        let mut with_client = workload();
        let image = ImageSource::Reference("wrk:1".into());
        with_client.client = Some(Client { image, command: vec!["wrk".into()], environment: BTreeMap::new() });
        let mut observation = good_server();
        observation.client.as_mut().unwrap().ending = Some(Ending::Signaled("SIGABRT".into()));
        assert_eq!(serve(&with_client, &observation), Outcome::Fail(FailCause::ClientDied { signal: "SIGABRT".into() }));
    }
}
