//! Every problem of every file, in one go. The snapshots are what a user reads.

use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet};
use loupe::spec::{self, Roots};

/// Relative, because paths are reported as they were given; tests run in the package's folder.
fn fixture(name: &str) -> PathBuf {
    Path::new("tests/fixtures/specs").join(name).join("apps")
}

fn report(name: &str) -> String {
    let apps = fixture(name);
    spec::load_apps(&apps, &Roots::beside(&apps), None).unwrap_err().to_string()
}

fn only(pattern: &str) -> GlobSet {
    GlobSet::builder().add(Glob::new(pattern).unwrap()).build().unwrap()
}

#[test]
fn unknown_keys_wrong_types_and_wrong_values_are_all_reported_at_once() {
    insta::assert_snapshot!(report("values"));
}

#[test]
fn problems_of_shared_workloads_name_the_file_they_are_in() {
    insta::assert_snapshot!(report("shared"));
}

#[test]
fn folders_that_are_no_apps_are_told_what_is_missing() {
    insta::assert_snapshot!(report("folders"));
}

#[test]
fn broken_yaml_in_one_app_hides_nothing_in_the_others() {
    insta::assert_snapshot!(report("syntax"));
}

#[test]
fn problems_are_data_as_well_as_text() {
    let apps = fixture("folders");
    let errors = spec::load_apps(&apps, &Roots::beside(&apps), Some(&only("no-dockerfile"))).unwrap_err();
    insta::assert_snapshot!(serde_json::to_string_pretty(&errors).unwrap());
}

#[test]
fn apps_that_were_not_asked_for_are_not_looked_at() {
    let apps = fixture("folders");
    let found = spec::load_apps(&apps, &Roots::beside(&apps), Some(&only("f[i]ne"))).unwrap();
    assert_eq!(found.len(), 1);
    let errors = spec::load_apps(&apps, &Roots::beside(&apps), Some(&only("absent"))).unwrap_err();
    assert!(errors.to_string().starts_with("tests/fixtures/specs/folders/apps: error: no app has a name that was asked for"));
}

#[test]
fn folders_that_hold_no_apps_are_told_apart() {
    let told = |path: &str| spec::load_apps(Path::new(path), &Roots::beside(Path::new(path)), None).unwrap_err().to_string();
    assert_eq!(told("tests/absent"), "tests/absent: error: no such folder");
    assert_eq!(told("Cargo.toml"), "Cargo.toml: error: is not a folder");
    let app = "tests/fixtures/specs/good/apps/sort";
    assert!(told(app).starts_with(&format!("{app}: error: is an app, not a folder of apps")));
    let empty = tempfile::tempdir().unwrap();
    std::fs::create_dir(empty.path().join("empty")).unwrap();
    assert!(told(empty.path().to_str().unwrap()).contains("no app in this folder"));
}

#[test]
fn one_app_that_is_none_is_told_why() {
    let told = |path: &Path| spec::load_app(path, &Roots::of_app(path)).unwrap_err().to_string();
    assert_eq!(told(Path::new("tests/absent")), "tests/absent: error: no such folder");
    let empty = tempfile::Builder::new().prefix("empty").tempdir().unwrap();
    assert!(told(empty.path()).contains("the folder is empty"));
    assert!(told(Path::new("/")).contains("can't be the name of an app"));
}
