//! Variants of apps: what they become, how they are chosen, and what can be wrong with them.

use std::fs;
use std::path::Path;

use globset::{Glob, GlobSet};
use loupe::spec::{self, AppSpec, Roots, SpecErrors, fingerprint};

const DOCKERFILE: &str = "ARG RELEASE=bookworm\nFROM debian:${RELEASE}-slim\nARG DEBUG\n";

/// A folder with the apps `web`, whose `app.yaml` ends like this, and `plain`, which is a Dockerfile alone.
fn folder(yaml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (app, dockerfile) in [("web", DOCKERFILE), ("plain", "FROM scratch\n")] {
        fs::create_dir_all(folder.path().join("apps").join(app)).unwrap();
        fs::write(folder.path().join("apps").join(app).join("Dockerfile"), dockerfile).unwrap();
    }
    let text = format!("build-arguments: {{DEBUG: 1}}\nworkloads:\n  - name: w\n{yaml}");
    fs::write(folder.path().join("apps/web/app.yaml"), text).unwrap();
    folder
}

const TWO: &str = "variants:\n  - name: bullseye\n    description: the one before\n    build-arguments: {RELEASE: bullseye}\n  \
                   - name: trixie\n    build-arguments: {RELEASE: trixie, DEBUG: 0}\n";

fn names(apps: &[AppSpec]) -> Vec<&str> {
    apps.iter().map(|app| app.name.as_str()).collect()
}

fn only(pattern: &str) -> GlobSet {
    GlobSet::builder().add(Glob::new(pattern).unwrap()).build().unwrap()
}

fn all(folder: &Path, pattern: Option<&str>) -> Result<Vec<AppSpec>, SpecErrors> {
    let apps = folder.join("apps");
    spec::load_apps_and_variants(&apps, &Roots::beside(&apps), pattern.map(only).as_ref())
}

fn one(folder: &Path, app: &str) -> Result<AppSpec, SpecErrors> {
    let path = folder.join("apps").join(app);
    spec::load_app(&path, &Roots::of_app(&path))
}

#[test]
fn a_variant_is_the_app_with_other_build_arguments_and_results_of_its_own() {
    let folder = folder(TWO);
    let apps = all(folder.path(), None).unwrap();
    assert_eq!(names(&apps), ["plain", "web", "web@bullseye", "web@trixie"]);
    let [_, web, bullseye, trixie] = &apps[..] else { panic!() };
    assert_eq!(bullseye.build_arguments["RELEASE"], "bullseye");
    assert_eq!((bullseye.build_arguments["DEBUG"].as_str(), trixie.build_arguments["DEBUG"].as_str()), ("1", "0"));
    assert_eq!(web.build_arguments.get("RELEASE"), None);
    assert_eq!((bullseye.description.as_str(), trixie.description.as_str()), ("the one before", ""));
    assert_eq!((&bullseye.directory, bullseye.workloads.len()), (&web.directory, 1));
    // Stored results of one are no answer for the other.
    let prints: std::collections::BTreeSet<_> = [web, bullseye, trixie].map(|app| fingerprint(app, &app.workloads[0])).into();
    assert_eq!(prints.len(), 3);
}

#[test]
fn without_being_asked_for_only_the_default_is_read() {
    let folder = folder(TWO);
    let apps = folder.path().join("apps");
    assert_eq!(names(&spec::load_apps(&apps, &Roots::beside(&apps), None).unwrap()), ["plain", "web"]);
    assert_eq!(one(folder.path(), "web").unwrap().name, "web");
}

#[test]
fn patterns_choose_an_app_with_its_variants_or_single_ones() {
    let folder = folder(TWO);
    assert_eq!(names(&all(folder.path(), Some("web")).unwrap()), ["web", "web@bullseye", "web@trixie"]);
    assert_eq!(names(&all(folder.path(), Some("*@trixie")).unwrap()), ["web@trixie"]);
    let error = all(folder.path(), Some("*@sid")).unwrap_err().to_string();
    assert!(error.contains("no app has a name that was asked for"), "{error}");
}

#[test]
fn one_variant_is_read_by_its_name_behind_the_folder() {
    let folder = folder(TWO);
    let trixie = one(folder.path(), "web@trixie").unwrap();
    assert_eq!((trixie.name.as_str(), trixie.directory), ("web@trixie", folder.path().join("apps/web")));
    let error = one(folder.path(), "web@trixi").unwrap_err().to_string();
    assert!(error.ends_with("apps/web: error: `web` has no variant `trixi`\n  hint: did you mean `trixie`?"), "{error}");
    let error = one(folder.path(), "plain@trixie").unwrap_err().to_string();
    assert!(error.contains("`plain` has no variant `trixie`\n  hint: it has none; list them under `variants`"), "{error}");
    let error = one(folder.path(), "nowhere@trixie").unwrap_err().to_string();
    assert!(error.ends_with("apps/nowhere: error: no such folder"), "{error}");
}

#[test]
fn everything_that_is_wrong_with_variants_is_told_with_its_place() {
    let folder = folder(
        "variants:\n  - name: bullseye\n    build-arguments: {RELEASE: bullseye}\n  - name: Old\n    build-arguments: {RELEASE: old}\n  \
         - name: bullseye\n    build-arguments: {RELEASE: other}\n  - name: same\n    build-arguments: {RELEASE: bullseye}\n  \
         - name: empty\n    build-arguments: {}\n  - build-arguments: {RELEAS: x}\n  - name: bare\n    arguments: {A: 1}\n",
    );
    let errors = one(folder.path(), "web").unwrap_err();
    let told: Vec<_> = errors
        .problems()
        .iter()
        .map(|problem| {
            let hint = problem.hint.as_deref().unwrap_or_default();
            format!("{}:{} {} | {hint}", problem.line.unwrap(), problem.column.unwrap(), problem.message)
        })
        .collect();
    assert_eq!(
        told,
        [
            "7:11 `Old` can't be the name of a variant | names have lower-case letters, digits, `.`, `_` and `-`, and begin with a \
             letter or digit",
            "9:11 a second variant named `bullseye`, after the one in line 5 | results are stored by this name",
            "11:11 variant `same` has the same build arguments as `bullseye` | remove one of them",
            "14:22 variant `empty` has no build arguments, so it is the app itself | ",
            "15:5 `variant` lacks `name` | write `name: trixie`",
            "15:23 the Dockerfile declares no argument `RELEAS`, so the image would be that of the app | did you mean `RELEASE`?",
            "16:5 `variant` lacks `build-arguments` | write `build-arguments: {RELEASE: trixie}`",
            "17:5 unknown key `arguments` in `variant` | known here: `name`, `description`, `build-arguments`",
        ]
    );
    for (yaml, message) in [
        ("variants: []\n", "`variants` is empty"),
        ("variants: trixie\n", "`variants` has to be a list"),
        ("variants: [trixie]\n", "`variant` has to be a mapping"),
        ("variant: []\n", "unknown key `variant` in `app.yaml`"),
    ] {
        let folder = self::folder(yaml);
        let error = one(folder.path(), "web").unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}
