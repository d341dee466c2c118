//! What good folders give.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use loupe::spec::{self, AppSpec, ImageSource, Kind, Limits, Roots, Workload};

const APPS: &str = "tests/fixtures/specs/good/apps";

fn apps() -> Vec<AppSpec> {
    spec::load_apps(Path::new(APPS), &Roots::beside(Path::new(APPS)), None).unwrap_or_else(|errors| panic!("{errors}"))
}

fn workload(name: &str) -> Workload {
    let app = apps().pop().unwrap();
    app.workloads.into_iter().find(|workload| workload.name == name).unwrap()
}

fn texts(patterns: &[regex::Regex]) -> Vec<&str> {
    patterns.iter().map(regex::Regex::as_str).collect()
}

#[test]
fn apps_are_sorted_and_plain_files_and_hidden_folders_are_skipped() {
    let names: Vec<_> = apps().into_iter().map(|app| app.name).collect();
    assert_eq!(names, ["sort", "web"]);
}

#[test]
fn a_dockerfile_alone_is_a_complete_app() {
    let app = &apps()[0];
    assert_eq!(app.directory, Path::new(APPS).join("sort"));
    assert_eq!(app.workloads.len(), 1);
    let workload = &app.workloads[0];
    assert_eq!(workload.name, "default");
    assert_eq!((workload.kind, workload.port, &workload.command, workload.timeout), (None, None, &None, None));
    assert_eq!(workload.stay_up, Workload::DEFAULT_STAY_UP);
    assert_eq!(workload.limits, Limits::default());
}

#[test]
fn every_key_arrives() {
    let app = &apps()[1];
    assert_eq!(app.description, "a web server that serves a static page");
    assert_eq!(app.build_arguments["VERSION"], "1.22");
    assert_eq!(app.build_arguments["DEBUG"], "false");
    let workload = workload("every-key");
    assert_eq!(workload.kind, Some(Kind::Server));
    assert_eq!(workload.command.unwrap(), ["nginx", "-g", "daemon off;"]);
    let environment: BTreeMap<_, _> = [("EMPTY", ""), ("TZ", "UTC"), ("WORKERS", "2")].map(|(k, v)| (k.into(), v.into())).into();
    assert_eq!(workload.environment, environment);
    assert_eq!(workload.port, Some(80));
    let client = workload.client.unwrap();
    let directory = Path::new("tests/fixtures/specs/good/Dockerfiles/wrk").to_path_buf();
    assert_eq!(client.image, ImageSource::Folder { name: "wrk".to_owned(), directory });
    assert_eq!(client.command.last().unwrap(), "http://127.0.0.1:80/");
    assert_eq!(client.environment["LANG"], "C");
    assert_eq!(workload.throughput.unwrap().as_str(), "Requests/sec: +([0-9.]+)");
    let success = workload.success;
    assert_eq!(texts(&success.stdout_matches), ["Requests/sec: +[1-9]"]);
    assert_eq!(texts(&success.stderr_matches), ["one", "two"]);
    assert_eq!(texts(&success.stdout_forbids), ["Non-2xx", "Socket errors"]);
    assert_eq!(texts(&success.stderr_forbids), ["panic"]);
    assert_eq!(success.files, ["/var/log/nginx/access.log"]);
    assert_eq!(success.expected_deaths, ["SIGTERM", "SIGKILL"]);
    let check = success.check.unwrap();
    assert_eq!(check.path, Path::new(APPS).join("web/check.sh"));
    assert_eq!(check.script, b"#!/bin/sh\ntest -s /trial/stdout\n");
    assert_eq!(check.image, Some(ImageSource::Reference("debian:bookworm-slim".to_owned())));
    assert_eq!(workload.timeout, Some(Duration::from_secs(10)));
    assert_eq!(workload.limits, Limits { memory: 512 << 20, pids: 100, output: 64 << 10 });
}

#[test]
fn parameters_fill_a_shared_workload_and_keep_its_types() {
    let workload = workload("shared");
    assert_eq!(workload.port, Some(8080));
    let client = workload.client.unwrap();
    assert_eq!(client.command, ["wrk", "-d1s", "http://127.0.0.1:8080/index.html"]);
    assert_eq!(client.environment["TEMPLATE"], "${HOME}");
    assert_eq!(texts(&workload.success.stdout_forbids), ["timeout$"]);
    assert_eq!(workload.success.check.unwrap().path, Path::new("tests/fixtures/specs/good/workloads/check-body.sh"));
}

#[test]
fn keys_beside_use_override_those_of_a_chain_of_shared_workloads() {
    let workload = workload("overridden");
    assert_eq!(workload.timeout, Some(Duration::from_secs(60)));
    assert_eq!(workload.success.exit_code, 3, "from the nearer shared workload");
    assert_eq!(texts(&workload.success.stdout_matches), ["Latency"], "from the app");
    assert_eq!(workload.success.stdout_forbids.len(), 1, "from the farther shared workload");
    assert_eq!(workload.success.check.unwrap().path, Path::new(APPS).join("web/check.sh"), "beside the app's own YAML");
    assert_eq!(workload.client.unwrap().command[2], "http://127.0.0.1:80/large-100k.bin");
}

#[test]
fn the_kind_follows_from_keys_that_only_servers_have() {
    let alone = workload("alone");
    assert_eq!((alone.kind, alone.stay_up), (Some(Kind::Server), Duration::from_millis(500)));
    assert_eq!(workload("version").kind, Some(Kind::RunToCompletion));
    assert!(workload("version").wait_for_children && !alone.wait_for_children);
}

#[test]
fn one_app_by_its_folder_finds_what_the_apps_share() {
    let folder = Path::new(APPS).join("web");
    let app = spec::load_app(&folder, &Roots::of_app(&folder)).unwrap();
    assert_eq!(app.name, "web");
    assert_eq!(app.workloads.len(), 5);
}

#[test]
fn a_folder_with_a_trailing_dot_has_its_own_name() {
    let folder = Path::new(APPS).join("web/../sort/.");
    assert_eq!(spec::load_app(&folder, &Roots::of_app(&folder)).unwrap().name, "sort");
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("app/inner");
    fs::create_dir_all(&inner).unwrap();
    fs::write(folder.path().join("app/Dockerfile"), "FROM scratch\n").unwrap();
    let up = inner.join("..");
    assert_eq!(spec::load_app(&up, &Roots::of_app(&up)).unwrap().name, "app");
}
