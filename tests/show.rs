//! `loupe show` on results that the library itself wrote, whole and broken, and readers that have enough.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use assert_cmd::Command;
use loupe::campaign::{self, Options, Stop};
use loupe::engine::simulated::{Simulated, SimulatedEngine};
use loupe::spec::{Kind, Roots};
use loupe::syscalls::Sysno;
use loupe::trial::Treatment;

/// Nobody listens here.
const NO_ENGINE: &str = "unix:///nonexistent.sock";

fn loupe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
    command.args(arguments).env("DOCKER_HOST", NO_ENGINE);
    command
}

/// What a command gave, with its text.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn say(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Said { code: status.code(), stdout: String::from_utf8(stdout).unwrap(), stderr: String::from_utf8(stderr).unwrap() }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder of apps: each one's name and `app.yaml`.
fn apps(specs: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let apps = folder.path().join("apps");
    for (name, yaml) in specs {
        let app = apps.join(name);
        fs::create_dir_all(&app).unwrap();
        fs::write(app.join("Dockerfile"), "FROM scratch\n").unwrap();
        fs::write(app.join("app.yaml"), yaml).unwrap();
    }
    (folder, apps)
}

const GOOD: &str = "workloads:\n  - name: once\n    kind: run-to-completion\n";

/// Results that the library itself wrote: an app that needs `read`, and of which `uname` can only be faked.
fn results() -> (tempfile::TempDir, PathBuf) {
    let (folder, apps) = apps(&[("small", GOOD)]);
    let results = folder.path().join("results");
    let engine = SimulatedEngine::new(["getpid", "read", "uname"], |_, request| {
        let stubs = |call: &str| request.intervention.get(Sysno::from_name(call).unwrap()) == Some(Treatment::Stub);
        let touches_read = request.intervention.get(Sysno::from_name("read").unwrap()).is_some();
        Simulated::Exit(if touches_read || stubs("uname") { 9 } else { 0 })
    });
    let specs = loupe::spec::load_apps(&apps, &Roots::beside(&apps), None).unwrap();
    assert_eq!(specs[0].workloads[0].kind, Some(Kind::RunToCompletion));
    let options = Options {
        jobs: 2,
        freshness: loupe::store::Freshness::Resume,
        settings: loupe::explore::Settings::default(),
        results: results.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(campaign::batch(&engine, &specs, &options, &|_| {}, &Stop::default()));
    (folder, results)
}

#[test]
fn show_without_results_exits_with_2_and_a_hint() {
    let empty = tempfile::tempdir().unwrap();
    for folder in [empty.path().to_owned(), empty.path().join("missing")] {
        let said = say(&mut loupe(&["show", "nothing", "--results", path(&folder)]));
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{}", said.stderr);
        assert!(said.stderr.contains("`nothing`") && said.stderr.contains("hint: "), "{}", said.stderr);
    }
    let (_folder, results) = results();
    let said = say(&mut loupe(&["show", "nothing", "--results", path(&results)]));
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("small/once"), "tells what there is: {}", said.stderr);
}

#[test]
fn show_prints_verdicts_with_reasons() {
    let (_folder, results) = results();
    let said = say(&mut loupe(&["show", "small", "--results", path(&results)]));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{}", said.stdout);
    insta::assert_snapshot!(said.stdout, @r"
    syscall  calls/run  verdict   joint      stubbed                  faked
    getpid           1  any       stub       passes (1 hit)           passes (1 hit)
    read             1  required  implement  exit code 9, expected 0  exit code 9, expected 0
    uname            1  fake      fake       exit code 9, expected 0  passes (1 hit)

    small/once: 3 calls used, 1 required, 0 stub only, 1 fake only, 1 any
    together: 2 calls avoided at once, 3 of 3 runs passed
    ");
    let one = say(&mut loupe(&["show", "small/once", "--results", path(&results)]));
    assert_eq!(one.stdout, said.stdout);
}

#[test]
fn show_prints_json_for_programs() {
    let (_folder, results) = results();
    let said = say(&mut loupe(&["show", "small", "--results", path(&results), "--format", "json"]));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let shown: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(shown[0]["name"], "small/once");
    let verdicts: Vec<_> = shown[0]["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| format!("{} {} {}", call["syscall"], call["verdict"], call["joint"]).replace('"', ""))
        .collect();
    assert_eq!(verdicts, ["getpid any stub", "read required implement", "uname fake fake"]);
}

/// Stores these lines as the fallbacks of the app, and has its joint configuration never make `read`.
fn with_fallbacks(results: &Path, lines: &str) {
    let folder = results.join("small/once");
    fs::write(folder.join("fallbacks.csv"), format!("item,treatment,uses\n{lines}")).unwrap();
    let summary = folder.join("summary.json");
    let text = fs::read_to_string(&summary).unwrap();
    assert!(text.contains("\"not-made\": []"), "{text}");
    fs::write(&summary, text.replace("\"not-made\": []", "\"not-made\": [\"read\"]")).unwrap();
}

const FALLBACKS: &str = "getpid,stub,gettid\ngetpid,stub,openat\ngetpid,stub,openat(O_RDONLY)\ngetpid,stub,/proc/self/stat\n\
    getpid,fake,gettid\nuname,fake,mmap(MAP_SHARED)\n(together),,exit\n";

#[test]
fn show_says_what_is_used_only_while_others_are_avoided_and_what_is_not_used_then() {
    let (_folder, results) = results();
    with_fallbacks(&results, FALLBACKS);
    let said = say(&mut loupe(&["show", "small", "--results", path(&results)]));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{}", said.stdout);
    insta::assert_snapshot!(said.stdout, @r"
    syscall  calls/run  verdict   joint                 stubbed                  faked
    getpid           1  any       stub                  passes (1 hit)           passes (1 hit)
    read             1  required  implement (not made)  exit code 9, expected 0  exit code 9, expected 0
    uname            1  fake      fake                  exit code 9, expected 0  passes (1 hit)

    avoided     how          used only then, and in no trace
    getpid      stubbed      gettid, openat, /proc/self/stat
    getpid      faked        gettid
    uname       faked        mmap(MAP_SHARED)
    (together)  all at once  exit

    small/once: 3 calls used, 1 required, 0 stub only, 1 fake only, 1 any
    together: 2 calls avoided at once, 3 of 3 runs passed
      used then, and in no trace: exit, gettid, openat, mmap(MAP_SHARED), /proc/self/stat
      implemented, but not used then: read
    ");
    let said = say(&mut loupe(&["show", "small", "--results", path(&results), "--format", "json"]));
    let shown: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let fallbacks = shown[0]["fallbacks"].as_array().unwrap();
    assert_eq!(fallbacks.len(), FALLBACKS.lines().count());
    assert_eq!(fallbacks[0], serde_json::json!({ "item": "getpid", "treatment": "stub", "uses": "gettid" }));
    assert_eq!(fallbacks[6], serde_json::json!({ "item": null, "treatment": null, "uses": "exit" }));
    let not_made = |index: usize| shown[0]["calls"][index]["not-made"].as_bool().unwrap();
    assert_eq!([0, 1, 2].map(not_made), [false, true, false]);
    assert_eq!(shown[0]["summary"]["not-made"], serde_json::json!(["read"]));
}

#[test]
fn why_says_what_is_used_in_the_place_of_an_item_and_of_what_such_an_item_takes_the_place() {
    let (_folder, results) = results();
    with_fallbacks(&results, FALLBACKS);
    let why = |item: &str| say(&mut loupe(&["show", "small", "--why", item, "--results", path(&results)]));
    let said = why("getpid");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("made only then: gettid, openat, /proc/self/stat\n"), "{}", said.stdout);
    assert!(said.stdout.contains("made only then: gettid\n"), "{}", said.stdout);
    for (item, text) in [
        ("gettid", "small/once: gettid: in no trace; made only when `getpid` is stubbed, or `getpid` is faked\n"),
        ("exit", "small/once: exit: in no trace; made only when everything avoidable is avoided at once\n"),
        ("/proc/self/stat", "small/once: /proc/self/stat: in no trace; made only when `getpid` is stubbed\n"),
    ] {
        assert_eq!(why(item).stdout, text);
    }
    assert_eq!(why("mkdir").code, Some(2));
}

#[test]
fn results_of_which_no_fallbacks_are_known_say_so() {
    let (_folder, results) = results();
    fs::remove_file(results.join("small/once/fallbacks.csv")).unwrap();
    let said = say(&mut loupe(&["show", "small", "--results", path(&results)]));
    assert!(said.stdout.contains("not known") && said.stdout.contains("`--fresh`"), "{}", said.stdout);
}

#[test]
fn broken_results_are_told_with_file_and_line() {
    let (_folder, results) = results();
    let file = results.join("small/once/verdicts.csv");
    let text = fs::read_to_string(&file).unwrap();
    for (from, to, line) in
        [("read,Y,N,N,required", "read,Y,N,N,any", 3), ("getpid,Y", "getpid,maybe", 2), ("syscall,", "call,", 1)]
    {
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
        let said = say(&mut loupe(&["show", "small", "--results", path(&results)]));
        assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{}", said.stderr);
        assert!(said.stderr.contains(&format!("{}:{line}: ", file.display())), "{}", said.stderr);
        assert!(said.stderr.contains("\nhint: "), "{}", said.stderr);
    }
}

#[test]
fn reader_that_has_enough_is_no_error() {
    let (_folder, results) = results();
    let show = ["show", "small", "--results", path(&results)];
    for arguments in [&["completions", "bash"][..], &show[..], &["doctor"][..], &["batch", "--help"][..]] {
        let (reader, writer) = std::io::pipe().unwrap();
        // Whatever is written meets a closed pipe.
        drop(reader);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_loupe"));
        command.args(arguments).env("DOCKER_HOST", NO_ENGINE).stdout(writer).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked") && !stderr.contains("bug"), "{arguments:?}: {stderr}");
        assert!([Some(0), Some(3)].contains(&output.status.code()), "{arguments:?}: {}", output.status);
    }
}
