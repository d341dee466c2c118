//! Classes of answers whose meaning is known, from records as a campaign stores them.

use super::*;
use crate::spec::Workload;
use crate::trial::{CallLog, CallStatistics, Care, Deadline, Observation, Output, TrialId, TrialRequest, Written};

fn call(name: &str) -> Sysno {
    name.parse().unwrap()
}

fn calls(names: &str) -> Vec<Sysno> {
    names.split_whitespace().map(call).collect()
}

/// A record of a trial that passed, in which these calls were made and these lines printed.
fn record(purpose: Purpose, intervention: &str, made: &str, output: &str, log: impl FnOnce(&mut CallLog)) -> TrialRecord {
    let watch = if matches!(purpose, Purpose::Trace | Purpose::Reasons) { Watch::Everything } else { Watch::Treated };
    let intervention: Intervention = intervention.parse().unwrap();
    let request = TrialRequest { id: TrialId(0), purpose, watch, intervention, replica: 0, care: Care::Usual, traced: None };
    let mut calls = CallLog::default();
    for name in made.split_whitespace() {
        calls.calls.insert(call(name), CallStatistics { count: 3, ..CallStatistics::default() });
    }
    log(&mut calls);
    let mut observation = Observation { calls, ready: true, ..Observation::default() };
    observation.app.stdout = Output { kept: output.as_bytes().to_vec(), dropped: 0 };
    TrialRecord::new(
        &Workload::named("w"),
        &request,
        &Deadline::within(std::time::Duration::from_secs(3)),
        Outcome::Pass,
        &observation,
    )
}

/// `next` is `name`, `name!` for a call that is stubbed itself, or `write:TEXT` for a message on standard error.
fn aftermath(item: &str, treatment: Treatment, next: &[&str]) -> Aftermath {
    let next = next.iter().map(|text| {
        let (name, message) = text.split_once(':').map_or((*text, None), |(name, message)| (name, Some(message)));
        let stubbed = name.ends_with('!').then_some(Treatment::Stub);
        let name = name.trim_end_matches('!');
        let written = message.map(|text| Written { to: "stderr".to_owned(), text: text.to_owned() });
        NextCall { call: call(name), treatment: stubbed, made: format!("{name}()"), written }
    });
    Aftermath { item: item.parse().unwrap(), treatment, process: "app".to_owned(), made: item.to_owned(), next: next.collect() }
}

/// The trials of an app in whose trace these calls follow the item, and which stubs it: then these follow.
fn trials(item: &str, usual: &str, next: &[&str], message: &str) -> Vec<TrialRecord> {
    let name = item.split('(').next().unwrap();
    let traced = format!("{} getpid openat read close mmap write", if name.starts_with('/') { "" } else { name });
    let parsed: Item = item.parse().unwrap();
    let treated = |log: &mut CallLog| match parsed {
        Item::Call(_) => {}
        Item::Feature(feature) => drop(log.features.insert(feature, 1)),
        Item::File(file) => drop(log.files.insert(file, 1)),
    };
    let single = if name.starts_with('/') { String::new() } else { name.to_owned() };
    vec![
        record(Purpose::Trace, "none", &traced, "pid 17: ready\n", |log| {
            log.sequences.insert(parsed, vec![calls(usual)]);
        }),
        record(Purpose::Baseline, "none", "", "pid 18: ready\n", |_| {}),
        record(Purpose::Single, &format!("stub={item}"), &single, &format!("{message}pid 19: ready\n"), treated),
        record(Purpose::Reasons, &format!("stub={item},sync"), &traced, "", |log| {
            log.aftermaths.push(aftermath(item, Treatment::Stub, next));
        }),
    ]
}

fn reason(trials: &[TrialRecord], item: &str) -> Reason {
    Evidence::new(trials).reason(&finished(), item.parse().unwrap(), Treatment::Stub)
}

/// Results without anything that a reason asks for.
fn finished() -> Finished {
    let summary = serde_json::json!({
        "format": 1, "used": 0, "verdicts": {"required": 0, "stub": 0, "fake": 0, "any": 0, "undecided": 0},
        "joint": {"stub": [], "fake": [], "verified": 0, "of": 0, "culprits": []},
        "unstable": [], "unexercised": [], "incomplete": [], "foreign-calls": [], "unknown-calls": {},
        "trials": 0, "trials-ms": 0, "elapsed-ms": 0, "verdicts-sha256": ""
    });
    let environment = serde_json::json!({
        "format": 1, "image": "", "spec": "", "architecture": "x86_64", "loupe": "", "engine": "docker",
        "settings": crate::explore::Settings::default(), "kernel": "", "engine-version": ""
    });
    Finished {
        verdicts: BTreeMap::new(),
        features: BTreeMap::new(),
        pseudo_files: BTreeMap::new(),
        fallbacks: None,
        trace: BTreeMap::new(),
        environment: serde_json::from_value(environment).unwrap(),
        summary: serde_json::from_value(summary).unwrap(),
    }
}

fn class(item: &str, usual: &str, next: &[&str]) -> Class {
    reason(&trials(item, usual, next, ""), item).class
}

#[test]
fn an_app_that_goes_on_with_the_same_calls_ignores_the_answer() {
    assert_eq!(class("umask", "openat read close", &["openat", "read", "close"]), Class::Ignored);
    // A message in between changes nothing for a call that asks for nothing.
    assert_eq!(class("madvise", "openat read close", &["write:no advice", "openat", "read"]), Class::Ignored);
    // Also if the same calls are treated themselves.
    assert_eq!(class("umask", "openat read close", &["openat!", "read", "close"]), Class::Ignored);
}

#[test]
fn another_call_that_does_the_same_or_that_no_trace_shows_is_a_fallback() {
    assert_eq!(class("prlimit64", "openat read close", &["getrlimit", "openat", "read", "close"]), Class::Fallback);
    assert_eq!(class("brk", "openat read close", &["mmap", "openat", "read", "close"]), Class::Fallback);
    let trials = trials("umask", "openat read close", &["chmod", "openat", "read", "close"], "");
    let reason = reason(&trials, "umask");
    assert_eq!((reason.class, &reason.answers[0].fallbacks), (Class::Fallback, &calls("chmod")));
    // Who logs asks for its own number, which nobody needed before.
    assert_eq!(class("umask", "openat read close", &["gettid", "write:no umask", "openat", "read"]), Class::Ignored);
    // The same call without the feature, and another file.
    assert_eq!(class("openat(O_NOATIME)", "read close mmap", &["openat", "read", "close"]), Class::Fallback);
    assert_eq!(class("/proc/cpuinfo", "read close mmap", &["openat", "read", "close"]), Class::Fallback);
}

#[test]
fn an_empty_file_is_reacted_to_after_it_was_read() {
    let class = |usual: &str, next: &[&str]| {
        let item = "/proc/cpuinfo";
        let mut trials = trials(item, usual, next, "");
        for trial in &mut trials {
            let faked =
                |intervention: &Intervention| intervention.to_string().replace("stub=/proc/cpuinfo", "fake=/proc/cpuinfo");
            trial.intervention = match trial.purpose {
                Purpose::Reasons => "stub=sync;fake=/proc/cpuinfo".parse().unwrap(),
                _ => faked(&trial.intervention).parse().unwrap(),
            };
            trial.aftermaths.iter_mut().for_each(|after| after.treatment = Treatment::Fake);
        }
        let reason = Evidence::new(&trials).reason(&finished(), item.parse().unwrap(), Treatment::Fake);
        (reason.class, reason.answers[0].looking)
    };
    assert_eq!(
        class("read close getpid mmap", &["read", "close", "openat", "read", "close", "getpid", "mmap"]),
        (Class::Fallback, 2)
    );
    // Less is read of a file that is empty.
    assert_eq!(
        class("newfstatat read read close getpid mmap", &["newfstatat", "read", "close", "getpid", "mmap"]),
        (Class::Ignored, 3)
    );
    // Where nothing else follows, that it was read is all there is.
    assert_eq!(class("read close", &["read", "close"]), (Class::Ignored, 0));
}

#[test]
fn a_known_alternative_that_comes_as_usual_is_none() {
    // Every program maps memory after it looked where its heap ends.
    assert_eq!(class("brk", "mmap openat read close", &["mmap", "openat", "read", "close"]), Class::Ignored);
    // Where nothing agrees, only what comes at once counts.
    assert_eq!(class("brk", "mmap mmap mmap", &["mmap", "write", "read", "close"]), Class::Fallback);
    assert_eq!(class("brk", "read read read", &["write", "openat", "close", "mmap"]), Class::Changed);
}

#[test]
fn who_asked_and_says_that_there_was_no_answer_takes_a_default() {
    // As redis does: it says so and leaves out raising the limit.
    let next = ["getpid!", "write:Unable to obtain the current NOFILE limit", "openat", "read", "close"];
    assert_eq!(class("prlimit64", "prlimit64 openat read close", &next), Class::DefaultValue);
    assert_eq!(class("prlimit64", "openat read close", &next[1..]), Class::DefaultValue);
    // The message may come too late to be among the calls that are followed.
    let trials = trials("uname", "openat read close", &["openat", "read", "close"], "unknown system\n");
    let found = reason(&trials, "uname");
    assert_eq!((found.class, found.logged.as_slice()), (Class::DefaultValue, &["unknown system".to_owned()][..]));
    // Without a word and with the same calls, nobody missed the answer.
    assert_eq!(class("uname", "openat read close", &["openat", "read", "close"]), Class::Ignored);
}

#[test]
fn calls_that_are_left_out_are_a_feature_switched_off() {
    let trials = trials("socket", "setsockopt bind listen openat read", &["write:no IPv6", "openat", "read"], "");
    let reason = reason(&trials, "socket");
    assert_eq!(reason.class, Class::SwitchedOff);
    assert_eq!((&reason.answers[0].skipped, reason.answers[0].inserted), (&calls("setsockopt bind listen"), 1));
}

#[test]
fn what_nobody_can_explain_is_called_changed() {
    assert_eq!(class("umask", "openat read close", &["mmap", "mmap", "openat", "read", "close"]), Class::Changed);
}

#[test]
fn an_item_that_was_never_treated_is_unexercised() {
    let mut trials = trials("umask", "openat", &[], "");
    for trial in &mut trials {
        trial.aftermaths.clear();
        trial.hits.remove(&call("umask"));
    }
    assert_eq!(reason(&trials, "umask").class, Class::Unexercised);
}

#[test]
fn without_a_watched_run_nothing_is_claimed() {
    let mut trials = trials("umask", "openat read close", &["openat", "read", "close"], "");
    trials.retain(|trial| trial.purpose != Purpose::Reasons);
    let found = reason(&trials, "umask");
    assert_eq!((found.class, found.together_with, found.hits), (Class::NotFollowed, None, 3));
    // Results that were stored before traces had sequences.
    let mut trials = self::trials("umask", "openat read close", &["openat", "read", "close"], "");
    for trial in &mut trials {
        trial.sequences.clear();
    }
    assert_eq!(reason(&trials, "umask").class, Class::NotFollowed);
}

#[test]
fn a_run_of_the_item_alone_goes_before_one_of_many() {
    let mut trials = trials("brk", "openat read close", &["write:from all", "openat", "read"], "");
    assert_eq!(reason(&trials, "brk").together_with, Some(1));
    trials.push(record(Purpose::Reasons, "stub=brk", "brk", "", |log| {
        log.aftermaths.push(aftermath("brk", Treatment::Stub, &["mmap", "openat", "read"]));
    }));
    let found = reason(&trials, "brk");
    assert_eq!((found.class, found.together_with), (Class::Fallback, Some(0)));
}

#[test]
fn calls_made_only_while_others_are_treated_are_told() {
    let mut trials = trials("prlimit64", "openat", &["getrlimit"], "");
    let mut watched = record(Purpose::Reasons, "stub=prlimit64", "getrlimit openat exit", "", |_| {});
    trials.push(watched.clone());
    assert_eq!(only_while_treated(&trials).into_iter().collect::<Vec<_>>(), calls("exit getrlimit"));
    // What a failing app does is no example.
    watched.result = Outcome::Fail(crate::trial::FailCause::ExitCode { code: 1, expected: 0 });
    *trials.last_mut().unwrap() = watched;
    assert!(only_while_treated(&trials).is_empty());
}
