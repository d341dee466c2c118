//! Plans and checks by running: apps whose answers are known, on operating systems that have just what the test says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{Bench, Run, containers_of, loupe};

/// The apps, measured, in a folder of their own.
fn measured(bench: &Bench, apps: &[&str]) -> PathBuf {
    let results = bench.results("plans");
    for app in apps {
        let run = Run::of(loupe("run", &bench.app(app), &results));
        assert_eq!(run.code, Some(0), "{app}: {}", run.errors);
    }
    results
}

/// An OS with these calls.
fn os(bench: &Bench, name: &str, calls: &[&str]) -> PathBuf {
    let file = bench.results.path().join(format!("{name}.syscalls"));
    fs::write(&file, calls.join("\n")).unwrap();
    file
}

/// A verb that asks about an OS.
fn ask(bench: &Bench, results: &Path, verb: &[&str], os: &Path) -> (Run, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
    command.args(verb).arg("--os").arg(os).arg("--results").arg(results).arg("--apps-dir").arg(bench.apps());
    command.args(["--format", "json", "--runs", "2"]);
    let run = Run::of(command);
    let value = run.events.first().cloned().unwrap_or(Value::Null);
    (run, value)
}

#[test]
fn an_app_is_checked_under_just_what_an_os_has() {
    let Some(bench) = Bench::new() else { return };
    let results = measured(&bench, &["plain", "fake-only"]);
    let nothing = bench.results("nothing");

    let enough = os(&bench, "enough", &["write", "exit_group", "getppid", "getuid"]);
    let (run, answer) = ask(&bench, &results, &["check", "plain"], &enough);
    assert_eq!((run.code, &answer[0]["answer"]), (Some(0), &json!("runs")), "{answer} {}", run.errors);

    // Of a call that is there in part, every other feature is not: some hundred requests of ioctl.
    let in_part = os(&bench, "in-part", &["write", "exit_group", "getppid", "getuid", "ioctl(TCGETS)", "fcntl(F_GETFD)"]);
    let (run, answer) = ask(&bench, &results, &["check", "plain"], &in_part);
    assert_eq!((run.code, &answer[0]["answer"]), (Some(0), &json!("runs")), "{answer} {}", run.errors);

    let less = os(&bench, "less", &["write", "exit_group"]);
    let (run, answer) = ask(&bench, &results, &["check", "plain"], &less);
    assert_eq!((run.code, &answer[0]["answer"]), (Some(0), &json!("runs-with")), "{answer} {}", run.errors);
    let made: Vec<_> = answer[0]["missing"].as_array().unwrap().iter().map(|call| &call["call"]).collect();
    assert_eq!(made, [&json!("getppid"), &json!("getuid")], "in the order in which they were made");

    let silent = os(&bench, "silent", &["exit_group"]);
    let (run, answer) = ask(&bench, &results, &["check", "plain"], &silent);
    assert_eq!((run.code, &answer[0]["answer"]), (Some(1), &json!("does-not-run")), "{answer} {}", run.errors);
    let first = &answer[0]["first-missing"];
    assert_eq!((&first["call"], &first["results"]), (&json!("write"), &json!("required")), "{answer}");
    assert_eq!(first["processes"], json!(["plain"]), "{answer}");

    // What the results allow to be faked is, unless that is not wanted, or there are no results.
    let (run, answer) = ask(&bench, &results, &["check", "fake-only"], &silent);
    assert_eq!((run.code, &answer[0]["answer"]), (Some(0), &json!("runs-with")), "{answer} {}", run.errors);
    assert_eq!(answer[0]["missing"][0]["answered"], "fake");
    let (run, answer) = ask(&bench, &results, &["check", "fake-only", "--strict"], &silent);
    assert_eq!((run.code, &answer[0]["first-missing"]["call"]), (Some(1), &json!("mkdirat")), "{answer}");
    let (run, answer) = ask(&bench, &nothing, &["check", "fake-only"], &silent);
    assert_eq!((run.code, &answer[0]["measured"]), (Some(1), &json!(false)), "{answer}");
    assert_eq!(containers_of(run.pid), Vec::<String>::new());
}

#[test]
fn a_plan_is_verified_by_running_and_corrected_until_it_holds() {
    let Some(bench) = Bench::new() else { return };
    let results = measured(&bench, &["plain", "fake-only", "stub-only"]);
    let os = os(&bench, "bare", &["exit_group"]);

    // No trace shows the call that `stub-only` makes once `pipe2` fails, and which its fallbacks name: `pipe2` itself costs no more.
    let (_, knowing) = ask(&bench, &results, &["plan"], &os);
    assert!(knowing["steps"].to_string().contains("\"pipe2\""), "{knowing}");
    assert_eq!(knowing["calls"]["pipe2"]["would-need-instead"]["stub-only"], json!(["socketpair"]), "{knowing}");
    let workload = fs::read_dir(results.join("stub-only")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(workload.join("fallbacks.csv")).unwrap();

    // Where they are not known, the plan by the results alone is wrong.
    let (_, plan) = ask(&bench, &results, &["plan"], &os);
    let mentioned = |plan: &Value| plan["steps"].to_string().contains("\"socketpair\"");
    assert!(!mentioned(&plan), "{plan}");
    let output = bench.results("plans-of");
    let arguments = ["plan", "--verify", "--output", output.to_str().unwrap()];
    let (run, plan) = ask(&bench, &results, &arguments, &os);
    assert_eq!(run.code, Some(0), "{plan}\n{}", run.errors);
    assert!(mentioned(&plan), "{plan}");
    let correction = &plan["corrections"][0];
    assert_eq!((&correction["app"], &correction["before"]), (&json!("stub-only"), &json!("not seen")), "{plan}");
    let states: Vec<_> =
        plan["steps"].as_array().unwrap().iter().flat_map(|step| step["verification"].as_array().unwrap()).collect();
    assert_eq!(states.len(), 3);
    assert!(states.iter().all(|state| state["state"] == "verified"), "{plan}");
    assert!(fs::read_to_string(output.join("bare.md")).unwrap().contains("socketpair"));
    assert_eq!(containers_of(run.pid), Vec::<String>::new());

    // The plan and the check agree in both directions: what runs after a step does not run before it.
    let steps = plan["steps"].as_array().unwrap();
    for app in ["plain", "fake-only", "stub-only"] {
        let unlocked = steps.iter().position(|step| step["unlocks"].to_string().contains(app)).unwrap();
        let (run, answer) = ask(&bench, &results, &["check", app], &os);
        let expected = if unlocked == 0 { Some(0) } else { Some(1) };
        assert_eq!(run.code, expected, "{app} is unlocked in step {unlocked}: {answer}");
    }
}
