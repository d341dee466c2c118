//! `loupe compare` from outside, on results that the real campaign stored on a simulated engine: which sides there are, what is
//! printed, and what the exit code says.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

use std::collections::BTreeMap;
use std::path::Path;

use assert_cmd::Command;
use loupe::campaign::{self, Options, Stop};
use loupe::engine::simulated::{Simulated, SimulatedEngine};
use loupe::explore::Settings;
use loupe::spec::{AppSpec, Kind, Workload};
use loupe::store::Freshness;
use predicates::prelude::*;

/// Stores the results of one app that needs these calls; it uses more.
fn measure(results: &Path, app: &str, workloads: &[&str], required: &'static [&'static str]) {
    let engine = SimulatedEngine::new(["close", "getpid", "read", "uname"], |_, request| {
        let needed = |item: loupe::trial::Item| required.contains(&item.to_string().as_str());
        Simulated::Exit(i32::from(request.intervention.iter().any(|(item, _)| needed(item))))
    });
    let workload = |name: &&str| Workload { kind: Some(Kind::RunToCompletion), ..Workload::named(name) };
    let app = AppSpec {
        name: app.to_owned(),
        image: None,
        directory: "/nowhere".into(),
        description: String::new(),
        build_arguments: BTreeMap::new(),
        workloads: workloads.iter().map(workload).collect(),
    };
    let options = Options { jobs: 2, freshness: Freshness::Resume, settings: Settings::default(), results: results.to_owned() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(campaign::batch(&engine, &[app], &options, &|_| {}, &Stop::default()));
}

fn loupe(folder: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("loupe").unwrap();
    command.current_dir(folder).env_remove("LOUPE_RESULTS").env_remove("RUST_LOG");
    command.arg("compare").args(arguments).assert()
}

/// Two databases: `old/` with three apps, and `new/`, in which one of them needs more, one less, and one is missing.
fn databases() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    measure(&path("old"), "worse", &["w"], &["read"]);
    measure(&path("new"), "worse", &["w"], &["read", "close"]);
    measure(&path("old"), "better", &["w", "v"], &["read", "close"]);
    measure(&path("new"), "better", &["w", "v"], &["read"]);
    measure(&path("old"), "gone", &["w"], &["read"]);
    folder
}

fn has(text: &str) -> predicates::str::ContainsPredicate {
    predicate::str::contains(text)
}

#[test]
fn the_exit_code_says_whether_anything_got_worse() {
    let folder = databases();
    let code = |before: &str, after: &str, code: i32| loupe(folder.path(), &[before, after]).code(code).stderr("");
    let worse = code("old/worse", "new/worse", 1);
    worse.stdout(
        has("became required\n    close\n").and(has("before  any, seen once; stubbed: passes 1 of 1 (1 hit)")).and(
            has("after   required, seen once; stubbed: fails 2 of 2: exit code 1, expected 0").and(has("\nworse: worse/w\n")),
        ),
    );
    code("new/worse", "old/worse", 0).stdout(has("became avoidable\n    close\n").and(has("\nnothing is worse\n")));
    code("old/better", "new/better", 0).stdout(has("better/v: 1 better").and(has("better/w: 1 better")));
    code("old/better", "old/better", 0).stdout(has("unchanged: better/v, better/w"));
    // As a whole, the missing app is in doubt, and the worse one counts for more.
    code("old", "new", 1).stdout(has("\nin doubt, as only the first side has results: gone/w\n"));
    std::fs::remove_dir_all(folder.path().join("new/worse")).unwrap();
    std::fs::remove_dir_all(folder.path().join("old/worse")).unwrap();
    code("old", "new", 4).stdout(has("nothing is certainly worse; in doubt: gone/w"));
    code("new", "old", 1).stdout(has("\nonly the second side has results: gone/w\n").and(has("worse: better/v, better/w")));
}

#[test]
fn sides_are_names_among_the_results_or_folders_of_any_extent() {
    let folder = databases();
    let run = |arguments: &[&str], code: i32| loupe(folder.path(), arguments).code(code);
    // Two apps in the same results, as two releases are.
    run(&["better", "worse", "--results", "new"], 1)
        .stdout(has("better/w -> worse/w").and(has("as only the first side has results: better/v")));
    // Of a database, what the other side names; of an app, the workload that the other side names.
    run(&["old", "worse/w", "--results", "new"], 1).stdout(has("worse/w: 1 worse").and(has("gone").not()));
    run(&["better/v", "new/better", "--results", "old"], 0).stdout(has("better/v: 1 better").and(has("better/w").not()));
    run(&["old/better/w", "./new"], 0).stdout(has("better/w: 1 better"));
    // A name goes before a folder.
    std::fs::create_dir(folder.path().join("better")).unwrap();
    run(&["better", "./old", "--results", "new"], 1).stdout(has("better/w: 1 worse"));
}

#[test]
fn what_cannot_be_compared_is_a_usage_error_with_a_hint() {
    let folder = databases();
    let run = |arguments: &[&str]| loupe(folder.path(), arguments).code(2).stdout("");
    run(&["old", "nowhere", "--results", "new"]).stderr(
        has("error: `nowhere` is neither an app with results nor a folder of results").and(has("hint: `new` has better/v")),
    );
    run(&["old", "nowhere"]).stderr(has("hint: `results` has no results at all"));
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    run(&["old", "empty"]).stderr(has("error: `empty` is neither"));
    run(&["old/gone", "new"]).stderr(has("error: nothing to compare: `gone/w` on the first side, nothing on the second"));
}

#[test]
fn json_and_markdown_say_the_same_as_the_text() {
    let folder = databases();
    let run = |format: &str| {
        let output = loupe(folder.path(), &["old", "new", "--format", format]).code(1).get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    };
    let json: serde_json::Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!((&json["severity"], &json["exit-code"]), (&"worse".into(), &1.into()));
    let of = |name: &str| json["compared"].as_array().unwrap().iter().find(|one| one["before"] == name).unwrap().clone();
    assert_eq!(of("gone/w")["state"], "missing");
    assert_eq!(of("worse/w")["items"][0]["item"], "close");
    assert_eq!(of("worse/w")["items"][0]["before"]["verdict"], "any");
    assert_eq!(of("worse/w")["items"][0]["after"]["stub"]["fails"], 2);
    let markdown = run("markdown");
    assert!(markdown.starts_with("# old → new\n\nworse: worse/w\n"), "{markdown}");
    assert!(markdown.contains("| `close` | became required | any, seen once;"), "{markdown}");
}

#[test]
fn broken_results_are_told_with_file_and_line() {
    let folder = databases();
    let verdicts = folder.path().join("new/worse/w/verdicts.csv");
    let text = std::fs::read_to_string(&verdicts).unwrap();
    std::fs::write(&verdicts, text.replacen("close,Y,N,N", "close,Y,N,X", 1)).unwrap();
    let assert = loupe(folder.path(), &["old/worse", "new/worse"]).code(3).stdout("");
    assert.stderr(has("verdicts.csv:2: `fake` is `X` instead of Y or N").and(has("hint: restore the file")));
}
