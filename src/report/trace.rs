//! One run of a command or an app: its calls, without any verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::table::{Align, Table};
use super::{RING_CALL, counted, counted_as, rings};
use crate::syscalls::errno::Errno;
use crate::syscalls::{Sysno, decode};
use crate::trial::{CallLog, CallStatistics, Ending, ForeignCall, Left, Observation, ObservedCall, Outcome, Output, Trace};

/// Lines of a failed command's standard error that are shown.
const SHOWN_LINES: usize = 5;

/// A trace for programs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TraceJson<'a> {
    event: &'static str,
    command: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    isolation: Option<&'a str>,
    /// How the main process ended; null if it was ended.
    ending: Option<&'a Ending>,
    /// Whether the run was ended before it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut_short: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<u64>,
    calls: Vec<CallJson>,
    unknown: &'a BTreeMap<u32, u64>,
    foreign: Vec<(u32, u32, u64)>,
    /// The same in words.
    foreign_calls: Vec<ForeignJson>,
    /// What the main process left when it ended.
    #[serde(skip_serializing_if = "Left::is_nothing")]
    left: &'a Left,
    /// What is missing in it, and why; empty for a trace that is whole.
    not_whole: Vec<String>,
    stdout: Vec<String>,
    stderr: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct CallJson {
    syscall: Sysno,
    count: u64,
    /// By name; missing where results are not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<BTreeMap<String, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    microseconds: Option<u64>,
    first: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ForeignJson {
    abi: String,
    number: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    syscall: Option<&'static str>,
    count: u64,
}

impl ForeignJson {
    fn all(calls: &BTreeMap<ForeignCall, u64>) -> Vec<Self> {
        let one = |(call, count): (&ForeignCall, &u64)| Self {
            abi: call.abi(),
            number: call.own_number(),
            syscall: call.name(),
            count: *count,
        };
        calls.iter().map(one).collect()
    }
}

impl<'a> TraceJson<'a> {
    /// Of a command that was observed.
    #[must_use]
    pub fn observed(command: &'a [String], isolation: &'a str, trace: &'a Trace, cut_short: bool) -> Self {
        let calls = trace.calls.iter().map(|(call, observed)| CallJson {
            syscall: *call,
            count: observed.count,
            errors: Some(observed.errors.iter().map(|(number, count)| (error_name(*number), *count)).collect()),
            microseconds: Some(u64::try_from(observed.time.as_micros()).unwrap_or(u64::MAX)),
            first: observed.first.clone(),
        });
        Self {
            event: "trace",
            command,
            isolation: Some(isolation),
            ending: trace.main.as_ref(),
            cut_short: Some(cut_short),
            outcome: None,
            threads: Some(trace.threads),
            calls: calls.collect(),
            unknown: &trace.unknown,
            foreign: trace.foreign.iter().map(|(call, count)| (call.architecture, call.number, *count)).collect(),
            foreign_calls: ForeignJson::all(&trace.foreign),
            left: &trace.left,
            not_whole: missing_in_trace(trace),
            stdout: trace.stdout.last_lines(SHOWN_LINES),
            stderr: trace.stderr.last_lines(SHOWN_LINES),
        }
    }

    /// Of an app that was watched in a container.
    #[must_use]
    pub fn watched(command: &'a [String], observation: &'a Observation, outcome: &Outcome) -> Self {
        let log = &observation.calls;
        let calls = log.calls.iter().map(|(call, statistics)| CallJson {
            syscall: *call,
            count: statistics.count,
            errors: None,
            microseconds: None,
            first: first_of(*call, statistics),
        });
        Self {
            event: "trace",
            command,
            isolation: None,
            ending: observation.app.main.as_ref(),
            cut_short: None,
            outcome: Some(outcome.to_string()),
            threads: None,
            calls: calls.collect(),
            unknown: &log.unknown,
            foreign: log.foreign.iter().map(|(call, count)| (call.architecture, call.number, *count)).collect(),
            foreign_calls: ForeignJson::all(&log.foreign),
            left: &observation.app.left,
            not_whole: missing_in_log(log),
            stdout: observation.app.stdout.last_lines(SHOWN_LINES),
            stderr: observation.app.stderr.last_lines(SHOWN_LINES),
        }
    }
}

/// The calls of a command that was observed, those that took longest first.
#[must_use]
pub fn observed_text(trace: &Trace, cut_short: bool) -> String {
    let mut table = Table::new(&[
        ("syscall", Align::Left),
        ("calls", Align::Right),
        ("errors", Align::Right),
        ("time", Align::Right),
        ("first call", Align::Left),
    ]);
    let mut calls: Vec<_> = trace.calls.iter().collect();
    calls.sort_by_key(|(call, observed)| (std::cmp::Reverse(observed.time), **call));
    for (call, observed) in calls {
        let errors: u64 = observed.errors.values().sum();
        let errors = if errors == 0 { String::new() } else { errors.to_string() };
        table.row([call.to_string(), observed.count.to_string(), errors, time(observed.time), shortened(&observed.first)]);
    }
    let mut text = table.render();
    text.push_str(&errors(&trace.calls));
    text.push('\n');
    text.push_str(&others(&trace.unknown, &trace.foreign));
    text.push_str(&not_whole(&missing_in_trace(trace)));
    text.push_str(&format!("{}\n", observed_closing(trace, cut_short)));
    text.push_str(&left(&trace.left));
    text.push_str(&complaint(trace.main.as_ref(), &trace.stderr));
    text
}

/// What remains to be said when every call was told as a line.
#[must_use]
pub fn observed_closing(trace: &Trace, cut_short: bool) -> String {
    let count = trace.calls.values().map(|observed| observed.count).sum::<u64>();
    let threads = counted(usize::try_from(trace.threads).unwrap_or(usize::MAX), "thread");
    let ended = if cut_short { "ended before it was done".to_owned() } else { ending(trace.main.as_ref()) };
    format!("{count} calls of {} system calls by {threads}; {ended}", trace.calls.len())
}

/// What the trace of an observed command does not show, in words.
#[must_use]
pub fn missing_in_trace(trace: &Trace) -> Vec<String> {
    let escaped = counted_as(usize::try_from(trace.escaped).unwrap_or(usize::MAX), "process", "processes");
    let escaped = (trace.escaped > 0).then(|| format!("{escaped} escaped the observer, and what was called there is missing"));
    let made = |(call, observed): (&Sysno, &ObservedCall)| {
        call.name() == RING_CALL && observed.count > observed.errors.values().sum::<u64>()
    };
    escaped.into_iter().chain(trace.calls.iter().any(made).then(rings)).collect()
}

/// The same of what was watched in a container.
fn missing_in_log(log: &CallLog) -> Vec<String> {
    log.calls.keys().any(|call| call.name() == RING_CALL).then(rings).into_iter().collect()
}

/// What the main process left and what became of it, as a line.
fn left(left: &Left) -> String {
    if left.processes.is_empty() { String::new() } else { format!("{left}\n") }
}

fn not_whole(reasons: &[String]) -> String {
    reasons.iter().map(|reason| format!("not whole: {reason}\n")).collect()
}

/// The calls of an app that was watched in a container.
#[must_use]
pub fn watched_text(observation: &Observation, outcome: &Outcome) -> String {
    let CallLog { calls, features, files, unknown, foreign, new_uses: _, aftermaths: _, sequences: _ } = &observation.calls;
    let mut table =
        Table::new(&[("syscall", Align::Left), ("calls", Align::Right), ("processes", Align::Left), ("first call", Align::Left)]);
    for (call, statistics) in calls {
        let processes = statistics.processes.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>();
        table.row([
            call.to_string(),
            statistics.count.to_string(),
            shortened(&processes.join(", ")),
            shortened(&first_of(*call, statistics)),
        ]);
    }
    let mut text = table.render();
    let details = features.iter().map(|(feature, count)| (feature.to_string(), *count));
    let details = details.chain(files.iter().map(|(file, count)| (file.to_string(), *count)));
    let mut table = Table::new(&[("argument feature or pseudo-file", Align::Left), ("calls", Align::Right)]);
    details.for_each(|(name, count)| table.row([name, count.to_string()]));
    if !table.is_empty() {
        text.push_str(&format!("\n{}", table.render()));
    }
    text.push('\n');
    text.push_str(&others(unknown, foreign));
    text.push_str(&not_whole(&missing_in_log(&observation.calls)));
    let count = calls.values().map(|statistics| statistics.count).sum::<u64>();
    text.push_str(&format!(
        "{count} calls of {} system calls; the run: {outcome}\n\
         what calls returned and how long they took is not seen in containers, and memory they point to is not shown\n",
        calls.len()
    ));
    text.push_str(&left(&observation.app.left));
    text.push_str(&complaint(observation.app.main.as_ref(), &observation.app.stderr));
    text
}

/// Only what stood in registers is kept of it.
fn first_of(call: Sysno, statistics: &CallStatistics) -> String {
    let first = statistics.samples.first();
    first.map(|arguments| decode::made(call, arguments, None, &mut |_, _| false)).unwrap_or_default()
}

/// Which errors there were, by name, and which calls got them.
fn errors(calls: &BTreeMap<Sysno, ObservedCall>) -> String {
    let mut by_error = BTreeMap::<u16, Vec<(Sysno, u64)>>::new();
    for (call, observed) in calls {
        for (number, count) in &observed.errors {
            by_error.entry(*number).or_default().push((*call, *count));
        }
    }
    let mut table = Table::new(&[("error", Align::Left), ("times", Align::Right), ("by", Align::Left)]);
    for (number, by) in by_error {
        let names: Vec<_> = by.iter().map(|(call, count)| format!("{call} {count}")).collect();
        let total: u64 = by.iter().map(|(_, count)| count).sum();
        table.row([error_name(number), total.to_string(), names.join(", ")]);
    }
    if table.is_empty() { String::new() } else { format!("\n{}", table.render()) }
}

fn error_name(number: u16) -> String {
    Errno::from_number(number).map_or_else(|| format!("error {number}"), |error| error.name.to_owned())
}

fn others(unknown: &BTreeMap<u32, u64>, foreign: &BTreeMap<ForeignCall, u64>) -> String {
    let mut text = String::new();
    for (number, count) in unknown {
        text.push_str(&format!("unknown: {count} calls of number {number}, which no Linux of the table has\n"));
    }
    for (call, count) in foreign {
        let calls = counted(usize::try_from(*count).unwrap_or(usize::MAX), "call");
        text.push_str(&format!("foreign ABI: {calls} of {call}\n"));
    }
    text
}

fn ending(ending: Option<&Ending>) -> String {
    match ending {
        Some(Ending::Exited(code)) => format!("exit code {code}"),
        Some(Ending::Signaled(signal)) => format!("died of {signal}"),
        None => "it was ended".to_owned(),
    }
}

/// What a command that did not end well had to say.
fn complaint(main: Option<&Ending>, stderr: &Output) -> String {
    if main == Some(&Ending::Exited(0)) {
        return String::new();
    }
    stderr.last_lines(SHOWN_LINES).iter().map(|line| format!("its standard error: {line}\n")).collect()
}

/// A time with three digits that matter at the most.
fn time(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..1000 => format!("{micros} µs"),
        micros @ 1000..1_000_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        micros => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

fn shortened(text: &str) -> String {
    const LIMIT: usize = 110;
    if text.chars().count() <= LIMIT { text.to_owned() } else { text.chars().take(LIMIT - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        let call = |count, errors: &[(u16, u64)], micros, first: &str| ObservedCall {
            count,
            errors: errors.iter().copied().collect(),
            time: Duration::from_micros(micros),
            first: first.to_owned(),
        };
        Trace {
            main: Some(Ending::Exited(2)),
            threads: 2,
            escaped: 0,
            left: Left::default(),
            calls: BTreeMap::from([
                ("close".parse().unwrap(), call(12, &[], 40, "close(3) = 0")),
                (
                    "openat".parse().unwrap(),
                    call(7, &[(2, 3), (13, 1)], 1_234, "openat(AT_FDCWD, \"/x\", O_RDONLY) = -1 ENOENT (…)"),
                ),
                ("access".parse().unwrap(), call(1, &[(2, 1)], 2_345_678, "access(\"/x\", R_OK) = -1 ENOENT (…)")),
            ]),
            unknown: BTreeMap::from([(999, 2)]),
            foreign: BTreeMap::new(),
            stdout: Output::default(),
            stderr: Output { kept: b"x: no such file\n".to_vec(), dropped: 0 },
        }
    }

    #[test]
    fn calls_are_told_with_errors_times_and_the_first() {
        insta::assert_snapshot!(observed_text(&trace(), false));
    }

    #[test]
    fn what_is_missing_is_told_to_people_and_programs() {
        let mut trace = trace();
        assert_eq!(missing_in_trace(&trace), [""; 0]);
        trace.escaped = 1;
        let ring = ObservedCall { count: 2, errors: [(38, 2)].into(), ..ObservedCall::default() };
        trace.calls.insert(RING_CALL.parse().unwrap(), ring);
        assert_eq!(missing_in_trace(&trace).len(), 1, "no ring was made");
        trace.calls.get_mut(&RING_CALL.parse().unwrap()).unwrap().count = 3;
        trace.foreign.insert(ForeignCall { architecture: 0x4000_0003, number: 20 }, 1);
        let text = observed_text(&trace, false);
        for expected in [
            "\nforeign ABI: 1 call of i386 number 20 (getpid)\n",
            "\nnot whole: 1 process escaped the observer, and what was called there is missing\n",
            "\nnot whole: `io_uring_setup` was called: what the kernel does through such a ring is no call, and is not seen\n",
        ] {
            assert!(text.contains(expected), "{text}");
        }
        let json = serde_json::to_value(TraceJson::observed(&[], "none", &trace, false)).unwrap();
        assert_eq!(json["not-whole"].as_array().unwrap().len(), 2);
        assert_eq!(json["foreign-calls"], serde_json::json!([{"abi": "i386", "number": 20, "syscall": "getpid", "count": 1}]));
    }

    #[test]
    fn programs_get_the_same() {
        let command = ["cat".to_owned(), "/x".to_owned()];
        let trace = trace();
        let json = serde_json::to_value(TraceJson::observed(&command, "none", &trace, true)).unwrap();
        assert_eq!(json["calls"][2]["errors"], serde_json::json!({"EACCES": 1, "ENOENT": 3}));
        assert_eq!((json["cut-short"].as_bool(), json["ending"]["exited"].as_i64()), (Some(true), Some(2)));
    }

    #[test]
    fn what_was_only_watched_has_no_results_and_says_so() {
        let mut observation = Observation::default();
        observation.app.main = Some(Ending::Exited(0));
        let statistics = CallStatistics { count: 3, samples: vec![[3, 0, 0, 0, 0, 0]], ..CallStatistics::default() };
        observation.calls.calls.insert("close".parse().unwrap(), statistics);
        let text = watched_text(&observation, &Outcome::Pass);
        assert!(text.contains("close        3             close(3)\n"), "{text}");
        assert!(text.contains("the run: pass") && text.contains("is not seen in containers"), "{text}");
    }
}
