//! All results of a folder, and which of several measurements stands for its app.

use std::fs;

use super::*;

/// A store with imported results: the name of each folder, its date, and the rows of its verdicts.
fn store(folders: &[(&str, Option<&str>, &str)]) -> (tempfile::TempDir, Store) {
    let root = tempfile::tempdir().unwrap();
    for (name, date, rows) in folders {
        let path = root.path().join(name);
        fs::create_dir_all(&path).unwrap();
        let verdicts = format!("syscall,used,stub,fake,verdict,joint\n{rows}");
        let provenance = serde_json::json!({
            "format": 1,
            "date": date,
            "architecture": "x86_64",
            "app": "a", "workload": "w", "variant": "v",
            "dynamic": {"path": "p", "sha256": "", "numbers": "0-334", "header": true, "line-ends": 1},
            "verdicts-sha256": crate::store::summary::sha256(&verdicts),
        });
        fs::write(path.join("verdicts.csv"), verdicts).unwrap();
        fs::write(path.join("provenance.json"), provenance.to_string()).unwrap();
    }
    let store = Store::open(root.path());
    (root, store)
}

fn chosen(folders: &[(&str, Option<&str>, &str)]) -> String {
    let (_root, store) = store(folders);
    let entries = store.entries().unwrap();
    assert!(entries.problems.is_empty(), "{:?}", entries.problems);
    let chosen = entries.one_per_app(|_| true);
    assert_eq!(chosen.len(), 1);
    chosen["a"].folder.clone()
}

#[test]
fn what_is_recorded_decides_which_measurement_stands_for_an_app() {
    let dated = |folder, date| (folder, Some(date), "");
    assert_eq!(chosen(&[("a/suite", None, ""), ("a/zzz", None, "")]), "zzz");
    assert_eq!(chosen(&[dated("a/suite", "2023-01-01"), ("a/zzz", None, "")]), "zzz");
    assert_eq!(chosen(&[dated("a/w", "2022-01-01"), dated("a/w@2023-01-01", "2023-01-01")]), "w@2023-01-01");
    assert_eq!(chosen(&[("a/w", None, ""), dated("a/x", "1999-01-01")]), "x");
    assert_eq!(chosen(&[("a/iperf-test", None, ""), ("a/iperf3-client", None, "")]), "iperf-test");
}

#[test]
fn variants_of_an_app_are_no_apps_of_their_own() {
    let chosen = |folders: &[(&str, Option<&str>, &str)]| {
        let (_root, store) = store(folders);
        let entries = store.entries().unwrap();
        entries.one_per_app(|_| true).values().map(|entry| entry.name()).collect::<Vec<_>>()
    };
    let variants = [("nginx@bullseye/w", Some("2023-01-01"), ""), ("nginx@trixie/w", Some("2024-01-01"), "")];
    assert_eq!(chosen(&[variants[0], variants[1], ("nginx/w", None, "")]), ["nginx/w"]);
    assert_eq!(chosen(&variants), ["nginx@trixie/w"]);
}

#[test]
fn calls_that_were_not_used_count_for_nothing() {
    let (_root, store) = store(&[("a/w@x", None, "brk,Y,N,N,required,\nread,N,Y,Y,any,\nwrite,Y,N,N,,\n")]);
    let entry = store.entry("a", "w@x").unwrap().unwrap();
    assert_eq!((entry.workload(), entry.label(), entry.name().as_str()), ("w", Some("x"), "a/w@x"));
    assert_eq!(entry.verdicts.len(), 3);
    assert_eq!(entry.required(), BTreeSet::from(["brk".parse().unwrap()]));
    assert_eq!(entry.undecided(), BTreeSet::from(["write".parse().unwrap()]));
    assert_eq!(entry.with_verdict(Verdict::Any).count(), 0);
}

#[test]
fn broken_folders_are_told_beside_the_others() {
    let (root, store) = store(&[("a/good", None, ""), ("b/broken", None, "brk,Y,N,N,stub,\n"), ("c/half", None, "")]);
    fs::remove_file(root.path().join("c/half/verdicts.csv")).unwrap();
    fs::create_dir_all(root.path().join("d/half")).unwrap();
    fs::write(root.path().join("d/half/trace.csv"), "").unwrap();
    fs::create_dir_all(root.path().join("plans/notes")).unwrap();
    let entries = store.entries().unwrap();
    assert_eq!(entries.apps(), BTreeSet::from(["a"]));
    let problems: Vec<_> = entries.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].ends_with("b/broken/verdicts.csv:2: `verdict` contradicts `stub` and `fake`"), "{problems:?}");
    assert!(problems[1].contains("c/half/verdicts.csv"), "{problems:?}");
    assert!(problems[2].ends_with("d/half: there is `trace.csv`, and no `verdicts.csv`"), "{problems:?}");
}

#[test]
fn an_import_that_was_interrupted_is_told() {
    let (root, store) = store(&[("a/w", None, "")]);
    fs::create_dir(root.path().join(".import")).unwrap();
    assert!(store.entries().unwrap().problems.is_empty(), "nothing of it is visible yet");
    fs::write(root.path().join(".import/complete"), "").unwrap();
    let entries = store.entries().unwrap();
    assert_eq!(entries.entries.len(), 1);
    assert!(entries.problems[0].to_string().contains("run the same `loupe db import` again"), "{:?}", entries.problems);
}

#[test]
fn apps_of_which_nothing_was_found_out_are_there_without_verdicts() {
    let (root, store) = store(&[]);
    let path = root.path().join("a/w");
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("static-binary.csv"), "syscall,sites\nbrk,1\n").unwrap();
    let entries = store.entries().unwrap();
    assert_eq!(entries.apps(), BTreeSet::from(["a"]));
    assert!(!entries.entries[0].has_verdicts());
    assert!(entries.one_per_app(|_| true).is_empty());
}

#[test]
fn an_edited_verdict_is_noticed() {
    let (root, store) = store(&[("a/w", None, "brk,Y,N,N,required,\n")]);
    let path = root.path().join("a/w/verdicts.csv");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("Y,N,N,required", "Y,Y,Y,any")).unwrap();
    let problems = store.entries().unwrap().problems;
    assert!(problems[0].to_string().contains("provenance.json:1: belongs to another"), "{problems:?}");
}
