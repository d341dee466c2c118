//! The program from outside, without any engine: help, mistakes, exit codes, and what goes to which stream.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;

const VERBS: [&str; 14] = [
    "batch",
    "run",
    "trace",
    "show",
    "compare",
    "export",
    "static",
    "plan",
    "check",
    "os",
    "db",
    "doctor",
    "clean",
    "completions",
];
const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

/// Loupe in an empty folder, with nothing from the environment that would change what it does, and no engine.
fn loupe(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("loupe").unwrap();
    command.current_dir(folder).env("DOCKER_HOST", NO_ENGINE);
    for variable in ["RUST_LOG", "LOUPE_RESULTS", "NO_COLOR", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    command
}

/// A folder with `apps/web`, whose `app.yaml` is this.
fn with_app(yaml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("apps/web");
    fs::create_dir_all(&app).unwrap();
    fs::write(app.join("Dockerfile"), "FROM scratch\n").unwrap();
    fs::write(app.join("app.yaml"), yaml).unwrap();
    folder
}

fn empty() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

const GOOD: &str = "description: fine\n";
const BROKEN: &str = "workloads:\n  - name: a\n    kinds: server\n    timeout: soon\n";

#[test]
fn help_of_every_verb_has_an_example_and_goes_to_standard_output() {
    for verb in VERBS {
        let assert = loupe(empty().path()).args([verb, "--help"]).assert().code(0).stderr("");
        assert.stdout(predicate::str::contains("Example").and(predicate::str::contains(format!("loupe {verb}"))));
    }
    loupe(empty().path()).arg("--help").assert().code(0).stdout(predicate::str::contains("Exit codes:"));
}

#[test]
fn usage_errors_exit_with_2_and_leave_standard_output_alone() {
    let wrong: [&[&str]; 8] = [
        &[],
        &["bach"],
        &["batch"],
        &["batch", "apps", "--jobs", "0"],
        &["batch", "apps", "--shard", "3/2"],
        &["batch", "apps", "--only", "["],
        &["run", "apps/web", "--only", "x"],
        &["completions", "tcl"],
    ];
    for arguments in wrong {
        let assert = loupe(empty().path()).args(arguments).assert().code(2).stdout("");
        assert.stderr(predicate::str::is_empty().not());
    }
}

#[test]
fn every_problem_of_a_spec_is_told_with_its_place_before_the_engine_is_asked() {
    let folder = with_app(BROKEN);
    for arguments in [["batch", "apps"], ["run", "apps/web"]] {
        let assert = loupe(folder.path()).args(arguments).assert().code(2).stdout("");
        assert.stderr(
            predicate::str::contains("apps/web/app.yaml:3:5: error: ")
                .and(predicate::str::contains("apps/web/app.yaml:4:14: error: "))
                .and(predicate::str::contains("hint: "))
                .and(predicate::str::contains("2 problems; nothing was built or run"))
                .and(predicate::str::contains("engine").not()),
        );
    }
}

#[test]
fn with_json_the_problems_of_a_spec_are_in_the_summary() {
    let folder = with_app(BROKEN);
    let output = loupe(folder.path()).args(["batch", "apps", "--format", "json"]).assert().code(2).get_output().clone();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["exit-code"], 2);
    assert_eq!(summary["problems"].as_array().unwrap().len(), 2);
    assert_eq!(summary["problems"][0]["line"], 3);
}

#[test]
fn missing_folders_and_names_that_match_nothing_exit_with_2() {
    let folder = with_app(GOOD);
    for arguments in [&["batch", "nowhere"][..], &["run", "nowhere"], &["batch", "apps", "--only", "nginx*"]] {
        let assert = loupe(folder.path()).args(arguments).assert().code(2).stdout("");
        assert.stderr(predicate::str::contains("error: "));
    }
}

#[test]
fn without_an_engine_the_exit_code_is_3_and_the_hint_says_what_to_do() {
    let folder = with_app(GOOD);
    for arguments in [&["batch", "apps"][..], &["run", "apps/web"], &["clean"]] {
        let assert = loupe(folder.path()).args(arguments).assert().code(3).stdout("");
        assert.stderr(predicate::str::contains(NO_ENGINE).and(predicate::str::contains("\nhint: start it")));
    }
    assert!(!folder.path().join("results").exists(), "nothing is made before the engine answers");
}

#[test]
fn with_json_a_missing_engine_is_told_in_the_summary() {
    let folder = with_app(GOOD);
    let output = loupe(folder.path()).args(["batch", "apps", "--format=json"]).assert().code(3).get_output().clone();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["event"], &summary["exit-code"]), (&"summary".into(), &3.into()));
    assert!(summary["error"].as_str().unwrap().contains("hint: "));
}

#[test]
fn a_shard_without_apps_has_nothing_to_do() {
    let folder = with_app(GOOD);
    let assert = loupe(folder.path()).args(["batch", "apps", "--shard", "2/2"]).assert().code(0).stdout("");
    assert.stderr("no app belongs to this shard\n");
    loupe(folder.path()).args(["batch", "apps", "--shard", "1/2"]).assert().code(3);
}

#[test]
fn showing_what_was_never_measured_exits_with_2_and_says_what_to_do() {
    let folder = empty();
    for arguments in [&["show", "nginx"][..], &["show", "nginx/wrk", "--results", "elsewhere", "--format", "json"]] {
        let assert = loupe(folder.path()).args(arguments).assert().code(2).stdout("");
        assert.stderr(predicate::str::contains("error: no results of `nginx").and(predicate::str::contains("\nhint: ")));
    }
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let folder = empty();
    let assert = loupe(folder.path()).arg("doctor").assert().code(3).stderr("");
    assert.stdout(
        predicate::str::starts_with("problem  engine: no container engine at `unix:///nonexistent/docker.sock`\n")
            .and(predicate::str::contains("\n         hint: start it"))
            .and(predicate::str::contains("  cores: ")),
    );
    let output = loupe(folder.path()).args(["doctor", "--format", "json"]).assert().code(3).get_output().clone();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["usable"], &answer["checks"][0]["state"]), (&false.into(), &"problem".into()));
}

#[test]
fn colour_comes_only_when_it_is_asked_for() {
    let doctor = |arguments: &[&str]| {
        let output = loupe(empty().path()).arg("doctor").args(arguments).assert().code(3).get_output().clone();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(doctor(&["--color", "always"]).contains('\u{1b}'));
    assert!(!doctor(&["--color", "never"]).contains('\u{1b}'));
    assert!(!doctor(&[]).contains('\u{1b}'));
}

#[test]
fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let assert = loupe(empty().path()).args(["completions", shell]).assert().code(0).stderr("");
        assert.stdout(predicate::str::contains("doctor").and(predicate::str::contains("shard")));
    }
}

#[test]
fn a_closed_pipe_is_no_error_and_a_full_disk_is() {
    use std::process::{Command, Stdio};

    let program = assert_cmd::cargo::cargo_bin("loupe");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let completions = |output: Stdio| Command::new(&program).args(["completions", "bash"]).stdout(output).output().unwrap();
    let closed = completions(writer.into());
    assert_eq!((closed.status.code(), String::from_utf8(closed.stderr).unwrap()), (Some(0), String::new()));
    let full = completions(fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into());
    assert_eq!(full.status.code(), Some(3));
    assert!(String::from_utf8(full.stderr).unwrap().starts_with("error: cannot write to standard output: "));
}

#[test]
fn a_first_signal_stops_in_order_and_exits_with_130() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::{Command, Stdio};

    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = with_app(GOOD);
        // An engine that never answers.
        let socket = folder.path().join("engine.sock");
        let engine = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let child = Command::new(assert_cmd::cargo::cargo_bin("loupe"))
            .args(["batch", "apps"])
            .current_dir(folder.path())
            .env("DOCKER_HOST", format!("unix://{}", socket.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let connection = engine.accept().unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(connection);
        assert_eq!(output.status.code(), Some(130), "{signal}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("stopping: what is finished is stored; the same command resumes"), "{signal}: {error}");
        assert_eq!(output.stdout, b"");
    }
}

#[test]
fn a_panic_on_any_thread_is_called_a_bug_and_exits_with_70() {
    const AGAIN: &str = "LOUPE_TEST_PANICS";
    if std::env::var_os(AGAIN).is_some() {
        loupe::cli::report_panics_as_bugs();
        drop(std::thread::spawn(|| panic!("on purpose")).join());
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_panic_on_any_thread_is_called_a_bug_and_exits_with_70", "--nocapture"])
        .env(AGAIN, "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(70));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("this is a bug in loupe") && error.contains("on purpose"), "{error}");
}
