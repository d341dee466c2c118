//! The program as a user meets it on the command line, without any container engine: help, exit codes, messages with places and
//! hints, and what goes to which stream.
#![cfg(feature = "cli")]

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
const VERBS: [&str; 6] = ["batch", "run", "show", "doctor", "clean", "completions"];

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
    let options = Options { jobs: 2, fresh: false, settings: loupe::explore::Settings::default(), results: results.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(campaign::batch(&engine, &specs, &options, &|_| {}, &Stop::default()));
    (folder, results)
}

#[test]
fn every_verb_has_an_example_in_its_help() {
    let general = say(&mut loupe(&["--help"]));
    assert_eq!(general.code, Some(0), "{}", general.stderr);
    assert!(general.stdout.contains("Example") && general.stdout.contains("Exit codes"), "{}", general.stdout);
    for verb in VERBS {
        assert!(general.stdout.contains(verb), "`loupe --help` does not name {verb}");
        let help = say(&mut loupe(&[verb, "--help"]));
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{verb}");
        assert!(help.stdout.contains("Example") && help.stdout.contains(&format!("loupe {verb}")), "{verb}: {}", help.stdout);
    }
}

/// A verb that is added later must be added to this file's list.
#[test]
fn no_verb_is_forgotten_here() {
    let help = say(&mut loupe(&["--help"])).stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.trim().is_empty());
    let verbs: Vec<_> = listed
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert_eq!(verbs, VERBS);
}

#[test]
fn wrong_usage_exits_with_2_and_says_nothing_on_standard_output() {
    let (_folder, apps) = apps(&[("good", GOOD)]);
    let apps = path(&apps);
    let wrong: [&[&str]; 9] = [
        &[],
        &["frobnicate"],
        &["batch"],
        &["batch", apps, "--jobs", "0"],
        &["batch", apps, "--jobs", "many"],
        &["batch", apps, "--shard", "3/2"],
        &["batch", apps, "--only", "{"],
        &["show", "app", "--format", "yaml"],
        &["completions", "klingon"],
    ];
    for arguments in wrong {
        let said = say(&mut loupe(arguments));
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.stderr);
        assert_eq!(said.stdout, "", "{arguments:?}");
        assert!(!said.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn all_problems_of_all_specs_are_told_at_once_with_place_and_hint() {
    let (_folder, apps) = apps(&[
        ("first", "workloads:\n  - name: once\n    knid: server\n"),
        ("good", GOOD),
        ("second", "workloads:\n  - name: once\n    kind: run-to-completion\n    timeout: [soon]\n"),
    ]);
    let said = say(&mut loupe(&["batch", path(&apps)]));
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{}", said.stderr);
    let first = format!("{}:3:5: error: ", apps.join("first/app.yaml").display());
    let second = format!("{}:4:", apps.join("second/app.yaml").display());
    assert!(said.stderr.contains(&first), "{first} in {}", said.stderr);
    assert!(said.stderr.contains(&second), "{second} in {}", said.stderr);
    assert!(said.stderr.contains("`knid`") && said.stderr.contains("hint:") && said.stderr.contains("kind"), "{}", said.stderr);
    assert!(said.stderr.contains("2 problems") && said.stderr.contains("nothing was built or run"), "{}", said.stderr);
    assert!(!said.stderr.contains("good"), "nothing is said of what is right: {}", said.stderr);
}

#[test]
fn broken_yaml_is_told_with_its_place() {
    let (_folder, apps) = apps(&[("broken", "workloads:\n  - name: [once\n    kind: server\n")]);
    for arguments in [["batch", path(&apps)], ["run", path(&apps.join("broken"))]] {
        let said = say(&mut loupe(&arguments));
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{}", said.stderr);
        assert!(said.stderr.contains("broken/app.yaml:"), "{}", said.stderr);
    }
}

#[test]
fn missing_folder_or_dockerfile_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for verb in ["batch", "run"] {
        let said = say(&mut loupe(&[verb, path(&missing)]));
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{}", said.stderr);
        assert!(said.stderr.contains(path(&missing)) && said.stderr.contains("no such folder"), "{}", said.stderr);
    }
    let said = say(&mut loupe(&["batch", path(folder.path())]));
    assert_eq!(said.code, Some(2), "a folder without apps: {}", said.stderr);
    assert!(said.stderr.contains("hint:"), "{}", said.stderr);

    let (_folder, apps) = apps(&[("bare", GOOD)]);
    fs::remove_file(apps.join("bare/Dockerfile")).unwrap();
    let said = say(&mut loupe(&["batch", path(&apps)]));
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(said.stderr.contains("Dockerfile"), "{}", said.stderr);
}

#[test]
fn missing_engine_exits_with_3_and_a_hint() {
    let (folder, apps) = apps(&[("good", GOOD)]);
    let results = folder.path().join("results");
    let good = apps.join("good");
    let commands: [&[&str]; 4] = [
        &["batch", path(&apps), "--results", path(&results)],
        &["batch", path(&apps), "--results", path(&results), "--format", "json"],
        &["run", path(&good), "--results", path(&results)],
        &["clean"],
    ];
    for arguments in commands {
        let said = say(&mut loupe(arguments));
        assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.starts_with("error: ") && said.stderr.contains("\nhint: "), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains("/nonexistent.sock"), "{arguments:?}: {}", said.stderr);
    }
    assert!(!results.exists(), "nothing was measured, nothing is stored");
}

#[test]
fn doctor_without_engine_names_the_problem() {
    let said = say(&mut loupe(&["doctor"]));
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    assert!(said.stdout.contains("problem") && said.stdout.contains("/nonexistent.sock"), "{}", said.stdout);
    assert!(said.stdout.contains("hint: "), "{}", said.stdout);

    let said = say(&mut loupe(&["doctor", "--format", "json"]));
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["healthy"], false);
    assert!(report["checks"].as_array().unwrap().iter().any(|check| check["health"] == "problem"), "{report}");
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
    syscall  calls  verdict   joint      stubbed                  faked
    getpid       2  any       stub       passes (1 hit)           passes (1 hit)
    read         2  required  implement  exit code 9, expected 0  exit code 9, expected 0
    uname        2  fake      fake       exit code 9, expected 0  passes (1 hit)

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
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{}", said.stderr);
        assert!(said.stderr.contains(&format!("{}:{line}: ", file.display())), "{}", said.stderr);
        assert!(said.stderr.contains("\nhint: "), "{}", said.stderr);
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = say(&mut loupe(&["completions", shell]));
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(said.stdout.contains("loupe") && said.stdout.contains("batch"), "{shell}");
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
