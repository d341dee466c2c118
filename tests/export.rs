//! `loupe export` from outside, on results that the real campaign stored on a simulated engine: what is written, what is said beside it,
//! and that `strace` does with its command line what it says.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

mod common;

use loupe::campaign::{self, Options, Stop};
use loupe::engine::simulated::{Simulated, SimulatedEngine};
use loupe::explore::Settings;
use loupe::spec::{AppSpec, Kind, Workload};
use loupe::store::Freshness;
use serde_json::Value;

/// Results of an app with two workloads that use these calls. `read` is needed; `uname` can only be stubbed, `close` only faked, but by
/// the workload `b` only stubbed; `brk` and `getpid` can be avoided in both ways.
fn results() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let engine = SimulatedEngine::new(["brk", "close", "getpid", "read", "uname"], |_, request| {
        let treated = |text: &str| {
            let wrong: loupe::trial::Intervention = text.parse().unwrap();
            wrong.iter().all(|(item, treatment)| request.intervention.get(item) == Some(treatment))
        };
        let breaks = ["stub=read", "fake=read", "fake=uname", "stub=close"];
        Simulated::Exit(i32::from(breaks.into_iter().any(treated)))
    });
    let app = AppSpec {
        name: "app".to_owned(),
        image: None,
        directory: "/nowhere".into(),
        description: String::new(),
        build_arguments: BTreeMap::new(),
        workloads: ["a", "b"].map(|name| Workload { kind: Some(Kind::RunToCompletion), ..Workload::named(name) }).to_vec(),
    };
    let options =
        Options { jobs: 2, freshness: Freshness::Resume, settings: Settings::default(), results: folder.path().join("results") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(campaign::batch(&engine, &[app], &options, &|_| {}, &Stop::default()));
    folder
}

fn export(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_loupe"));
    command.current_dir(folder).env_remove("LOUPE_RESULTS").env_remove("RUST_LOG");
    command.args(["export", "seccomp"]).args(arguments).output().unwrap()
}

fn profile(folder: &Path, arguments: &[&str]) -> (Value, String) {
    let output = export(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    (serde_json::from_slice(&output.stdout).unwrap(), errors)
}

/// What a profile does about a call: action and error number.
fn decision(profile: &Value, call: &str) -> (String, Option<u64>) {
    let rules = profile["syscalls"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["names"].as_array().unwrap().contains(&call.into()));
    let (action, errno) = match rule {
        Some(rule) => (&rule["action"], &rule["errnoRet"]),
        None => (&profile["defaultAction"], &profile["defaultErrnoRet"]),
    };
    (action.as_str().unwrap().to_owned(), errno.as_u64())
}

#[test]
fn without_options_every_call_that_was_seen_is_let_through_and_no_other() {
    let folder = results();
    let (profile, errors) = profile(folder.path(), &["app"]);
    for call in ["brk", "close", "getpid", "read", "uname"] {
        assert_eq!(decision(&profile, call).0, "SCMP_ACT_ALLOW", "{call}");
    }
    assert_eq!(decision(&profile, "mount"), ("SCMP_ACT_ERRNO".to_owned(), Some(38)));
    assert_eq!(errors, "");
}

#[test]
fn the_joint_configuration_is_enforced_as_far_as_a_container_runtime_allows() {
    let folder = results();
    let (profile, errors) = profile(folder.path(), &["app/a", "--joint"]);
    assert_eq!(decision(&profile, "uname"), ("SCMP_ACT_ERRNO".to_owned(), Some(38)));
    assert_eq!(decision(&profile, "brk"), ("SCMP_ACT_ERRNO".to_owned(), Some(38)));
    assert_eq!(decision(&profile, "read").0, "SCMP_ACT_ALLOW");
    assert_eq!(decision(&profile, "close").0, "SCMP_ACT_ALLOW");
    assert_eq!(errors, "note: avoidable, but let through as the container runtime needs it: close\n");
    let (_, errors) = self::profile(folder.path(), &["app", "--joint"]);
    assert!(errors.contains("note: the workloads were never run under one configuration"), "{errors}");
}

#[test]
fn calls_that_take_the_place_of_avoided_ones_are_let_through_with_the_joint_configuration() {
    let folder = results();
    let stored = folder.path().join("results/app/a/fallbacks.csv");
    let lines = "brk,stub,mremap\nbrk,fake,msync\ngetpid,stub,/proc/self/stat\n(together),,sendto\n";
    std::fs::write(&stored, format!("item,treatment,uses\n{lines}")).unwrap();
    let (joint, _) = profile(folder.path(), &["app/a", "--joint"]);
    for call in ["mremap", "sendto"] {
        assert_eq!(decision(&joint, call).0, "SCMP_ACT_ALLOW", "{call}");
    }
    // `brk` is stubbed here, and not faked.
    assert_eq!(decision(&joint, "msync"), ("SCMP_ACT_ERRNO".to_owned(), Some(38)));
    let (used, _) = profile(folder.path(), &["app/a"]);
    assert_eq!(decision(&used, "mremap"), ("SCMP_ACT_ERRNO".to_owned(), Some(38)), "nothing is avoided there");
}

#[test]
fn what_is_asked_for_and_is_not_there_is_a_usage_error_with_a_hint() {
    let folder = results();
    for (arguments, message) in [
        (&["other"][..], "no results of `other` in `results`\nhint: it has app/a, app/b"),
        (&["app", "--workload", "c"], "no results of workload `c` of `app`\nhint: it has a, b"),
        (&["app", "--unseen", "allow"], "forbids nothing\nhint: leave `--unseen` out, or add `--joint`"),
        (&["app", "--strace", "--enosys"], "cannot be used with"),
        (&["app", "--features", "--enosys"], "cannot be used with"),
        (&["app", "--features"], "no argument features of `app/a` were measured\nhint: leave `--features` out"),
        (&["app", "--joint", "--features", "--unseen", "allow"], "hint: leave `--unseen` or `--features` out"),
    ] {
        let output = export(folder.path(), arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "{arguments:?}");
        assert!(errors.contains(message), "{errors}");
    }
}

#[test]
fn command_lines_are_printed_alone_and_strace_does_what_its_line_says() {
    let folder = results();
    let line = |arguments: &[&str]| {
        let output = export(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let enosys = line(&["app/a", "--enosys"]);
    assert_eq!(enosys, "enosys --syscall=brk --syscall=getpid --syscall=uname --syscall=close:0 COMMAND\n");
    let strace = line(&["app/a", "--strace", "--", "uname", "-s"]);
    if !common::met(common::Need::Strace, common::runs("strace", &["--version"])) {
        return;
    }
    let run = std::process::Command::new("sh").args(["-c", &strace]).output().unwrap();
    let errors = String::from_utf8(run.stderr).unwrap();
    assert_eq!((run.status.code(), run.stdout.is_empty()), (Some(1), true), "{errors}");
    assert_eq!(errors, "uname: cannot get system name: Function not implemented\n");
}
