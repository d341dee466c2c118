//! The whole tool on Docker: the known-answer apps of `fixtures/` are measured, and what comes out is held against what is
//! known of them.
//!
//! Needs a Docker engine and a C compiler. The tests take turns, because apps with short deadlines are measured, and each looks only
//! for containers of the processes that it started, because others may use the same engine.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

mod common;

use common::{Need, met, runs};
use regex::Regex;
use serde_json::Value;

#[path = "docker/plans.rs"]
mod plans;

/// The app of the tests that interrupt: many calls, quick trials, and an answer for every call.
const MANY_CALLS: (&str, &str) = ("high-calls", "all");
/// Trials after which a campaign is interrupted: past the baseline, and far from the end.
const TRIALS_BEFORE_INTERRUPTION: usize = 12;
/// An interrupted program ends within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the tests work with: the compiled fixtures, and the right to use the machine alone.
struct Bench {
    fixtures: PathBuf,
    results: tempfile::TempDir,
    /// Locked as long as it is open.
    _turn: File,
}

impl Bench {
    /// `None` where the machine cannot run the suite and that is known.
    fn new() -> Option<Self> {
        if !met(Need::Docker, runs("docker", &["version"])) || !common::has_compiler() {
            return None;
        }
        let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let turn = File::create(temporary.join("docker-suite.lock")).unwrap();
        turn.lock().unwrap();
        let fixtures = temporary.join("known-answer-apps");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/build.sh");
        let built = Command::new(&script).arg(&fixtures).output().unwrap();
        assert!(built.status.success(), "{} fails:\n{}", script.display(), String::from_utf8_lossy(&built.stderr));
        Some(Self { fixtures, results: tempfile::tempdir().unwrap(), _turn: turn })
    }

    fn apps(&self) -> PathBuf {
        self.fixtures.join("apps")
    }

    fn app(&self, name: &str) -> PathBuf {
        self.apps().join(name)
    }

    /// A folder of results of its own, not made yet.
    fn results(&self, name: &str) -> PathBuf {
        self.results.path().join(name)
    }
}

fn loupe(verb: &str, argument: &Path, results: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
    command.arg(verb).arg(argument).arg("--results").arg(results).args(["--format", "json"]);
    command
}

/// A run that is over.
struct Run {
    pid: u32,
    code: Option<i32>,
    events: Vec<Value>,
    errors: String,
    time: Duration,
}

impl Run {
    fn of(mut command: Command) -> Self {
        let begin = Instant::now();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let events = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { pid, code: output.status.code(), events, errors, time: begin.elapsed() }
    }

    fn events<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["event"] == kind)
    }

    /// How each campaign ended, by `app/workload`.
    fn ends(&self) -> BTreeMap<String, &Value> {
        self.events("ended").map(|event| (campaign(event), event)).collect()
    }

    /// How many trials each campaign ran, stored ones not counted.
    fn trials(&self) -> BTreeMap<String, usize> {
        let mut trials = BTreeMap::new();
        for event in self.events("trial-started") {
            *trials.entry(campaign(event)).or_default() += 1;
        }
        trials
    }
}

fn campaign(event: &Value) -> String {
    format!("{}/{}", event["app"].as_str().unwrap(), event["workload"].as_str().unwrap())
}

/// Containers that the process with this id made and that still exist.
fn containers_of(pid: u32) -> Vec<String> {
    let format = "{{.Names}} ({{.State}}) {{.Label \"io.loupe.campaign\"}} {{.Label \"io.loupe.owner\"}}";
    let arguments = ["ps", "--all", "--filter", "label=io.loupe.campaign", "--format", format];
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "docker ps fails: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let owned = |line: &&str| line.rsplit('/').nth(1).is_some_and(|owner| owner == pid.to_string());
    text.lines().filter(owned).map(str::to_owned).collect()
}

/// A campaign that runs, with its events.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn start(bench: &Bench, results: &Path) -> Self {
        let mut command = loupe("run", &bench.app(MANY_CALLS.0), results);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Returns when so many trials are over.
    fn after_trials(&mut self, count: usize) {
        let mut over = 0;
        for line in self.lines.by_ref() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            assert_ne!(event["event"], "ended", "the campaign was over too early: {event}");
            over += usize::from(event["event"] == "trial-ended");
            if over == count {
                return;
            }
        }
        panic!("the program ended after {over} trials");
    }

    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success(), "no process to send {name} to");
    }
}

/// No program of a failed test lives on.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn verdicts_file(results: &Path, app: &str, workload: &str) -> PathBuf {
    results.join(app).join(workload).join("verdicts.csv")
}

fn verdicts(results: &Path, app: &str, workload: &str) -> String {
    let path = verdicts_file(results, app, workload);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One line of `verdicts.csv`, `features.csv` or `pseudo-files.csv`.
struct Row {
    used: String,
    verdict: String,
    /// Empty where it is no call.
    joint: String,
}

/// The rows of `verdicts.csv` by call.
fn rows(text: &str) -> Result<BTreeMap<String, Row>, String> {
    table(text, "syscall,used,stub,fake,verdict,joint", |cells| match cells {
        [call, used, _, _, verdict, joint] => Some((call.clone(), [used, verdict, joint])),
        _ => None,
    })
}

/// The rows of `features.csv` by `call(feature)`.
fn feature_rows(text: &str) -> Result<BTreeMap<String, Row>, String> {
    table(text, "syscall,feature,used,stub,fake,verdict", |cells| match cells {
        [call, feature, used, _, _, verdict] => Some((format!("{call}({feature})"), [used, verdict, &NOTHING])),
        _ => None,
    })
}

/// The rows of `pseudo-files.csv` by path.
fn file_rows(text: &str) -> Result<BTreeMap<String, Row>, String> {
    table(text, "pseudo-file,used,stub,fake,verdict", |cells| match cells {
        [file, used, _, _, verdict] => Some((file.clone(), [used, verdict, &NOTHING])),
        _ => None,
    })
}

static NOTHING: String = String::new();

fn table(
    text: &str,
    header: &str,
    row: impl Fn(&[String]) -> Option<(String, [&String; 3])>,
) -> Result<BTreeMap<String, Row>, String> {
    let mut lines = text.lines();
    if lines.next() != Some(header) {
        return Err(format!("a table has another header than `{header}`"));
    }
    let row = |line: &str| {
        let cells: Vec<_> = line.split(',').map(str::to_owned).collect();
        let (key, [used, verdict, joint]) = row(&cells).ok_or_else(|| format!("not a line of `{header}`: {line}"))?;
        Ok((key, Row { used: used.clone(), verdict: verdict.clone(), joint: joint.clone() }))
    };
    lines.map(row).collect()
}

/// What is known of a campaign: the text of the expectation that is for it alone, or else for all workloads of its app.
fn expectation(folder: &Path, workload: &str, kind: &str) -> Option<String> {
    let own = folder.join(format!("expected.{workload}.{kind}"));
    let common = folder.join(format!("expected.{kind}"));
    [own, common].iter().find_map(|path| fs::read_to_string(path).ok())
}

/// Holds the rows of a campaign against one line of its expectations.
fn check_line(line: &str, found: &BTreeMap<String, Row>) -> Result<(), String> {
    let fields: Vec<_> = line.split(',').collect();
    let (calls, verdict, joint) = match fields[..] {
        [calls, verdict] => (calls, verdict, None),
        [calls, verdict, joint] => (calls, verdict, Some(joint)),
        _ => return Err(format!("`{line}` is no expectation")),
    };
    let calls: Vec<_> = calls.split('|').collect();
    let mut with_joint = 0;
    for call in &calls {
        let row = found.get(*call);
        if verdict == "unused" {
            if row.is_some_and(|row| row.used == "Y") {
                return Err(format!("{call} is used, expected unused"));
            }
            continue;
        }
        let row = row.ok_or_else(|| format!("{call} was not seen, expected {verdict}"))?;
        let right = match verdict {
            "used" => row.used == "Y",
            "avoidable" => ["stub", "fake", "any"].contains(&row.verdict.as_str()),
            "required" | "stub" | "fake" | "any" => row.verdict == verdict,
            other => return Err(format!("`{other}` is no verdict")),
        };
        if !right {
            return Err(format!("{call} is `{}`, expected {verdict}", row.verdict));
        }
        let avoided = ["stub", "fake"].contains(&row.joint.as_str());
        match joint {
            None => {}
            Some(expected @ ("implement" | "stub" | "fake")) if row.joint == expected => with_joint += 1,
            Some("avoided") if avoided => with_joint += 1,
            Some("implement" | "stub" | "fake" | "avoided") if calls.len() > 1 && avoided => {}
            Some(expected @ ("implement" | "stub" | "fake" | "avoided")) => {
                return Err(format!("{call} is together `{}`, expected {expected}", row.joint));
            }
            Some(other) => return Err(format!("`{other}` is no joint plan")),
        }
    }
    match joint {
        Some(joint) if with_joint != 1 => Err(format!("{with_joint} of {} are together {joint}, expected 1", calls.join(", "))),
        _ => Ok(()),
    }
}

/// What was found out about one campaign by comparing it with what is known.
#[derive(Default)]
struct Checked {
    expectations: usize,
    mismatches: Vec<String>,
}

impl Checked {
    fn hold(&mut self, right: Result<(), String>) {
        self.expectations += 1;
        self.mismatches.extend(right.err());
    }
}

fn first_line_as_pattern(text: &str) -> Regex {
    Regex::new(text.lines().next().unwrap_or_default()).unwrap()
}

fn check_refused(pattern: &str, results: &Path, end: &Value) -> Result<(), String> {
    if end["end"] != "refused" {
        return Err(format!("ended as {}, expected refused", end["end"]));
    }
    let path = results.join("refused.json");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let refused: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let pattern = first_line_as_pattern(pattern);
    let mut reasons = refused["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if reasons.any(|reason| pattern.is_match(reason)) {
        return Ok(());
    }
    Err(format!("no reason matches `{pattern}`: {}", refused["reasons"]))
}

fn check_measured(expected: &str, results: &Path, end: &Value, checked: &mut Checked) {
    if end["end"] != "measured" {
        checked.hold(Err(format!("ended as {end}, expected measured")));
        return;
    }
    checked.hold(if end["joint-verified"] == end["joint-of"] && end["joint-of"].as_u64() > Some(0) {
        Ok(())
    } else {
        Err(format!("{} of {} joint runs passed", end["joint-verified"], end["joint-of"]))
    });
    let read = |name: &str| {
        let path = results.join(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let all = || {
        let mut all = rows(&read("verdicts.csv")?)?;
        all.extend(feature_rows(&read("features.csv")?)?);
        all.extend(file_rows(&read("pseudo-files.csv")?)?);
        Ok::<_, String>(all)
    };
    match all() {
        Ok(rows) => expected.lines().for_each(|line| checked.hold(check_line(line, &rows))),
        Err(error) => checked.hold(Err(error)),
    }
}

fn check_reported(expected: &str, app: &str, results: &Path, checked: &mut Checked) {
    let shown = Command::new(env!("CARGO_BIN_EXE_loupe")).args(["show", app, "--results"]).arg(results).output().unwrap();
    let said = String::from_utf8_lossy(&shown.stdout);
    for line in expected.lines() {
        let found = Regex::new(line).unwrap().is_match(&said);
        checked.hold(if found { Ok(()) } else { Err(format!("`loupe show {app}` says nothing that matches `{line}`")) });
    }
}

/// Holds what is said of why stubs and fakes pass against lines of item, treatment and class.
fn check_why(expected: &str, name: &str, results: &Path, checked: &mut Checked) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
    let shown = command.args(["show", name, "--why", "--format", "json", "--results"]).arg(results).output().unwrap();
    let said: Value = serde_json::from_slice(&shown.stdout).unwrap_or_default();
    let reasons = said[0]["reasons"].as_array().cloned().unwrap_or_default();
    for line in expected.lines() {
        let fields: Vec<_> = line.split(',').collect();
        let [item, treatment, class] = fields[..] else { panic!("`{line}` is no expectation") };
        let found = reasons.iter().find(|reason| reason["item"] == item && reason["treatment"] == treatment);
        let found = found.map(|reason| reason["class"].clone()).unwrap_or_default();
        checked.hold(if found == class {
            Ok(())
        } else {
            Err(format!("{item} {treatment} passes for {found}, expected {class}"))
        });
    }
}

fn check(bench: &Bench, results: &Path, name: &str, end: &Value) -> Checked {
    let (app, workload) = name.split_once('/').unwrap();
    let folder = bench.app(app);
    let own_results = results.join(app).join(workload);
    let mut checked = Checked::default();
    let refused = expectation(&folder, workload, "refused");
    let measured = expectation(&folder, workload, "csv");
    match (&refused, &measured) {
        (Some(pattern), None) => checked.hold(check_refused(pattern, &own_results, end)),
        (None, Some(expected)) => check_measured(expected, &own_results, end, &mut checked),
        _ => checked.hold(Err("has to have either expected.csv or expected.refused".to_owned())),
    }
    if let Some(expected) = expectation(&folder, workload, "why") {
        check_why(&expected, name, results, &mut checked);
    }
    if let Some(expected) = expectation(&folder, workload, "fallbacks") {
        let found = fs::read_to_string(own_results.join("fallbacks.csv")).unwrap_or_default();
        let same = found.split_once('\n').is_some_and(|(_, lines)| lines == expected);
        checked.hold(if same { Ok(()) } else { Err(format!("fallbacks are\n{found}")) });
    }
    if let Some(expected) = expectation(&folder, workload, "not-made") {
        let summary = fs::read(own_results.join("summary.json")).unwrap_or_default();
        let summary: Value = serde_json::from_slice(&summary).unwrap_or_default();
        let is_found = |line: &str| summary["not-made"].as_array().is_some_and(|items| items.iter().any(|item| item == line));
        for line in expected.lines() {
            checked.hold(if is_found(line) { Ok(()) } else { Err(format!("{line} is not among {}", summary["not-made"])) });
        }
    }
    let foreign_calls = cfg!(target_arch = "x86_64") || app != "foreign-abi";
    if let Some(expected) = expectation(&folder, workload, "reported").filter(|_| foreign_calls) {
        check_reported(&expected, app, results, &mut checked);
    }
    checked
}

/// Every file of results below a folder that a second batch has to leave as it is.
fn all_verdicts(results: &Path, ends: &BTreeMap<String, &Value>) -> BTreeMap<String, String> {
    let measured = ends.iter().filter(|(_, end)| end["end"] == "measured");
    measured
        .map(|(name, _)| {
            let (app, workload) = name.split_once('/').unwrap();
            (name.clone(), verdicts(results, app, workload))
        })
        .collect()
}

#[test]
fn known_answers_are_found_and_found_only_once() {
    let Some(bench) = Bench::new() else { return };
    let results = bench.results("all");
    let first = Run::of(loupe("batch", &bench.apps(), &results));
    let ends = first.ends();
    let trials = first.trials();
    let mut mismatches = Vec::new();
    println!("{:<32} {:<10} {:>6} {:>8} {:>12}  mismatches", "app/workload", "end", "trials", "seconds", "expectations");
    for (name, end) in &ends {
        let checked = check(&bench, &results, name, end);
        let seconds = end["milliseconds"].as_f64().unwrap_or_default() / 1000.0;
        let (kind, trials) = (end["end"].as_str().unwrap_or_default(), trials.get(name).unwrap_or(&0));
        let (expectations, wrong) = (checked.expectations, checked.mismatches.len());
        println!("{name:<32} {kind:<10} {trials:>6} {seconds:>8.1} {expectations:>12}  {wrong}");
        mismatches.extend(checked.mismatches.into_iter().map(|mismatch| format!("{name}: {mismatch}")));
    }
    let total = trials.values().sum::<usize>();
    println!("{} campaigns, {total} trials in {:.1} s", ends.len(), first.time.as_secs_f64());

    let measured_apps: BTreeSet<_> = ends.keys().filter_map(|name| name.split('/').next()).map(str::to_owned).collect();
    let folders = fs::read_dir(bench.apps()).unwrap();
    let all_apps: BTreeSet<_> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    if measured_apps != all_apps {
        mismatches.push(format!("the batch measured {measured_apps:?}, and there are {all_apps:?}"));
    }
    if first.code != Some(1) {
        mismatches.push(format!("exit code {:?}, expected 1, as some are refused; {}", first.code, first.errors));
    }
    let left = containers_of(first.pid);
    if !left.is_empty() {
        mismatches.push(format!("containers are left: {left:?}"));
    }

    let before = all_verdicts(&results, &ends);
    let second = Run::of(loupe("batch", &bench.apps(), &results));
    println!("again: {:.1} s, {} trials", second.time.as_secs_f64(), second.trials().values().sum::<usize>());
    let (ends_again, trials_again) = (second.ends(), second.trials());
    for (name, text) in &before {
        let end = ends_again.get(name).map(|end| end["end"].clone()).unwrap_or_default();
        if end != "up-to-date" || trials_again.contains_key(name) {
            mismatches.push(format!("{name}: ended as {end} the second time, after {:?} trials", trials_again.get(name)));
        }
        let (app, workload) = name.split_once('/').unwrap();
        if *text != verdicts(&results, app, workload) {
            mismatches.push(format!("{name}: the second batch changed verdicts.csv"));
        }
    }
    for (name, end) in ends.iter().filter(|(_, end)| end["end"] == "refused") {
        let again = ends_again.get(name).map(|end| &end["reasons"]);
        if again != Some(&end["reasons"]) {
            mismatches.push(format!("{name}: refused for {} and the second time for {again:?}", end["reasons"]));
        }
    }
    if second.code != Some(1) {
        mismatches.push(format!("second batch: exit code {:?}, expected 1; {}", second.code, second.errors));
    }
    let left = containers_of(second.pid);
    if !left.is_empty() {
        mismatches.push(format!("second batch: containers are left: {left:?}"));
    }
    assert!(mismatches.is_empty(), "{} mismatches:\n{}", mismatches.len(), mismatches.join("\n"));
}

#[test]
fn containers_of_both_makers_give_the_same_verdicts() {
    let Some(bench) = Bench::new() else { return };
    let measure = |maker: &str| {
        let results = bench.results(&format!("made-by-{maker}"));
        let mut command = loupe("batch", &bench.apps(), &results);
        command.args([
            "--only",
            "{surroundings,fresh-state,network-files,files,non-root}",
            "--features",
            "none",
            "--containers",
            maker,
        ]);
        let run = Run::of(command);
        assert_eq!(run.code, Some(0), "{}", run.errors);
        (all_verdicts(&results, &run.ends()), results)
    };
    let (nested, results) = measure("nested");
    let environment = fs::read_to_string(results.join("surroundings/look/environment.json")).unwrap();
    assert!(environment.contains("in containers that the shim makes"), "the engine made them all: {environment}");
    assert_eq!(nested.len(), 5);
    let (of_engine, _) = measure("engine");
    assert_eq!(nested, of_engine);
}

#[test]
fn containers_of_a_running_loupe_are_named_and_left_alone() {
    let Some(bench) = Bench::new() else { return };
    let mut running = Running::start(&bench, &bench.results("running"));
    running.after_trials(TRIALS_BEFORE_INTERRUPTION);
    let made = containers_of(running.child.id());
    let name = format!("loupe-{}-", MANY_CALLS.0);
    assert!(!made.is_empty() && made.iter().all(|container| container.starts_with(&name)), "{made:?}");
    // From another pid namespace nothing can be seen of the processes in this one.
    for outside in [&[][..], &["unshare", "--pid", "--fork", "--mount-proc"]] {
        let mut words = outside.to_vec();
        words.extend([env!("CARGO_BIN_EXE_loupe"), "clean"]);
        // Those that still run are the ones that stay over many trials: sidecars and what makes nested containers.
        let before = those_that_stay(running.child.id());
        let cleaned = Command::new(words[0]).args(&words[1..]).output().unwrap();
        let errors = String::from_utf8_lossy(&cleaned.stderr);
        assert_eq!(cleaned.status.code(), Some(0), "{errors}");
        assert!(errors.contains("another Loupe works with them"), "{errors}");
        let after = those_that_stay(running.child.id());
        assert!(!before.is_empty() && before.is_subset(&after), "{before:?}, then {after:?}");
    }
    let pid = running.child.id();
    drop(running);
    let cleaned = Command::new(env!("CARGO_BIN_EXE_loupe")).arg("clean").output().unwrap();
    assert_eq!(cleaned.status.code(), Some(0), "{}", String::from_utf8_lossy(&cleaned.stderr));
    assert_eq!(containers_of(pid), [""; 0]);
}

/// Names of those containers of a process that are there for as long as its campaign.
fn those_that_stay(pid: u32) -> BTreeSet<String> {
    let containers = containers_of(pid).into_iter().filter_map(|container| Some(container.split_once(' ')?.0.to_owned()));
    containers.filter(|name| name.contains("-sidecar-") || name.contains("-nested-")).collect()
}

#[test]
fn killed_campaign_is_continued_and_finds_the_same() {
    let Some(bench) = Bench::new() else { return };
    let (app, workload) = MANY_CALLS;
    let whole = bench.results("whole");
    let reference = Run::of(loupe("run", &bench.app(app), &whole));
    assert_eq!(reference.code, Some(0), "{}", reference.errors);

    let results = bench.results("killed");
    let mut running = Running::start(&bench, &results);
    running.after_trials(TRIALS_BEFORE_INTERRUPTION);
    running.signal("KILL");
    let status = running.child.wait().unwrap();
    assert_eq!(status.code(), None, "killed by a signal: {status}");
    let killed = running.child.id();
    assert!(!verdicts_file(&results, app, workload).exists(), "a campaign that was cut off has no verdicts");

    let resumed = Run::of(loupe("run", &bench.app(app), &results));
    assert_eq!(resumed.code, Some(0), "{}", resumed.errors);
    let stored = resumed.events("started").next().unwrap()["stored"].as_u64().unwrap();
    println!("{stored} trials were stored at the kill, {} were run after it", resumed.trials().values().sum::<usize>());
    assert!(stored >= TRIALS_BEFORE_INTERRUPTION as u64, "{stored} trials were stored");
    let replayed = resumed.events("trial-ended").filter(|event| event["run"] == false).count();
    assert!(replayed >= TRIALS_BEFORE_INTERRUPTION, "{replayed} trials were taken from the store");
    assert!(resumed.trials().values().sum::<usize>() < reference.trials().values().sum::<usize>(), "only the rest is run");
    assert_eq!(verdicts(&results, app, workload), verdicts(&whole, app, workload));
    assert_eq!(containers_of(killed), Vec::<String>::new(), "containers of the killed process are left");
    assert_eq!(containers_of(resumed.pid), Vec::<String>::new(), "containers are left");
}

#[test]
fn interrupted_campaign_ends_soon_and_leaves_nothing_behind() {
    let Some(bench) = Bench::new() else { return };
    let results = bench.results("interrupted");
    let mut running = Running::start(&bench, &results);
    running.after_trials(TRIALS_BEFORE_INTERRUPTION);
    running.signal("INT");
    let begin = Instant::now();
    // Reads on until the end, as a program that is piped into would; otherwise a full pipe could hold the end up.
    let last = running.lines.by_ref().map(|line| line.unwrap()).last().unwrap_or_default();
    let status = running.child.wait().unwrap();
    let time = begin.elapsed();
    println!("ended {:.1} s after SIGINT", time.as_secs_f64());
    assert_eq!(status.code(), Some(130), "{status}");
    assert!(time < PATIENCE, "took {time:?}");
    assert!(last.contains("interrupted"), "the last line tells of it: {last}");
    assert_eq!(containers_of(running.child.id()), Vec::<String>::new(), "containers are left");
}

/// Runs the image of a measured app with plain Docker under a profile that was exported: exit code and standard error.
fn run_under(results: &Path, app: &str, profile: &Path) -> (Option<i32>, String) {
    let workload = fs::read_dir(results.join(app)).unwrap().next().unwrap().unwrap().path();
    let environment: Value = serde_json::from_slice(&fs::read(workload.join("environment.json")).unwrap()).unwrap();
    let image = environment["image"].as_str().unwrap().split(' ').next().unwrap();
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "30", "docker", "run", "--rm", "--network", "none", "--security-opt", "no-new-privileges"]);
    let output = command.arg("--security-opt").arg(format!("seccomp={}", profile.display())).arg(image).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn exported_profiles_run_the_app_with_plain_docker() {
    let Some(bench) = Bench::new() else { return };
    let results = bench.results("exported");
    let export = |app: &str, options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
        let output = command.args(["export", "seccomp", app, "--results"]).arg(&results).args(options).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let path = bench.results(&format!("{app}{}.json", options.concat()));
        fs::write(&path, output.stdout).unwrap();
        path
    };
    // Stubs that are noticed, a call that only works faked, another user with a libc, threads.
    for app in ["aftermath", "fake-only", "non-root", "plain", "threads"] {
        let run = Run::of(loupe("run", &bench.app(app), &results));
        assert_eq!(run.code, Some(0), "{app}: {}", run.errors);
        for options in [&[][..], &["--unseen", "errno"], &["--unseen", "kill"], &["--joint"], &["--joint", "--unseen", "allow"]] {
            let (code, errors) = run_under(&results, app, &export(app, options));
            assert_eq!(code, Some(0), "{app} under the profile of {options:?}: {errors}");
        }
    }
    // What is avoided really is: the app complains of it, and does not without.
    let complaint = |options: &[&str]| run_under(&results, "aftermath", &export("aftermath", options)).1;
    assert_eq!(complaint(&["--joint"]), "no limit known, taking 1024\n");
    assert_eq!(complaint(&[]), "");
    // A profile forbids what its app does not do.
    let (code, errors) = run_under(&results, "aftermath", &export("plain", &["--unseen", "kill"]));
    assert_eq!(code, Some(128 + 31), "killed by SIGSYS: {errors}");
}

/// The comparison itself is held against known rows: it has to find every kind of mismatch.
#[test]
fn comparison_finds_every_kind_of_mismatch() {
    let text = "syscall,used,stub,fake,verdict,joint\n\
        getpid,Y,Y,Y,any,implement\ngettid,Y,Y,Y,any,stub\nread,Y,N,N,required,implement\numask,Y,N,Y,fake,fake\n";
    let rows = rows(text).unwrap();
    let right = [
        "read,required",
        "read,required,implement",
        "read,used",
        "umask,fake,fake",
        "umask,avoidable,avoided",
        "getpid|gettid,any,implement",
        "openat,unused",
    ];
    for line in right {
        assert_eq!(check_line(line, &rows), Ok(()), "{line}");
    }
    let wrong = [
        "read,any",
        "read,avoidable",
        "read,unused",
        "umask,stub",
        "umask,fake,implement",
        "getpid,any,avoided",
        "getpid|read,any,implement",
        "gettid|umask,avoidable,implement",
        "openat,used",
        "openat,required",
        "read,nonsense",
        "read",
    ];
    for line in wrong {
        assert!(check_line(line, &rows).is_err(), "{line}");
    }
}

#[test]
fn an_image_without_a_spec_is_measured_and_an_app_is_traced() {
    let Some(bench) = Bench::new() else { return };
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
        command.args(arguments).current_dir(bench.results.path());
        Run::of(command)
    };
    let image = ["--format", "json", "--image", "debian:bookworm-slim"];
    let script = ["--", "/bin/sh", "-c", "echo hello"];

    let measured = run(&[&["run", "--features", "none"], &image[..], &script[..]].concat());
    assert_eq!(measured.code, Some(0), "{}", measured.errors);
    let verdicts = measured.events("verdicts").next().unwrap();
    assert!(verdicts["success"].as_str().unwrap().contains("the standard output that 3 runs agreed on"), "{verdicts}");
    let verdict = |name: &str| verdicts["calls"].as_array().unwrap().iter().find(|call| call["syscall"] == name).unwrap();
    assert_eq!(verdict("write")["verdict"], "required");
    assert_eq!(containers_of(measured.pid), [""; 0]);
    assert_eq!(fs::read_dir(bench.results.path()).unwrap().count(), 0, "results are stored only if asked for");

    let traced = run(&[&["trace"], &image[..], &script[..]].concat());
    assert_eq!(traced.code, Some(0), "{}", traced.errors);
    let trace = traced.events("trace").next().unwrap();
    assert_eq!((trace["outcome"].as_str(), &trace["stdout"]), (Some("pass"), &serde_json::json!(["hello"])));
    let app = run(&["trace", "--format", "json", bench.app("plain").to_str().unwrap()]);
    assert_eq!(app.code, Some(0), "{}", app.errors);
    let calls = app.events("trace").next().unwrap()["calls"].as_array().unwrap();
    let getuid = calls.iter().find(|call| call["syscall"] == "getuid").unwrap();
    assert_eq!((getuid["first"].as_str(), getuid.get("microseconds")), (Some("getuid()"), None));
    assert_eq!(containers_of(app.pid), [""; 0]);

    let unknown = run(&["trace", "--workload", "nothing", bench.app("plain").to_str().unwrap()]);
    assert_eq!((unknown.code, unknown.errors.contains("it has line")), (Some(2), true), "{}", unknown.errors);
}

#[test]
fn a_container_ends_with_its_main_process_and_what_that_left_is_named() {
    let Some(bench) = Bench::new() else { return };
    let left = serde_json::json!(["sleep"]);
    for verb in [&["run", "--features", "none"][..], &["trace"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
        command.args(verb).args(["--format", "json", "--image", "debian:bookworm-slim", "--"]);
        let run = Run::of({
            command.args(["/bin/sh", "-c", "sleep 300 & echo started"]).current_dir(bench.results.path());
            command
        });
        assert_eq!(run.code, Some(0), "{}", run.errors);
        let (verdicts, trace) = (run.events("verdicts").next(), run.events("trace").next());
        let named = verdicts.map(|verdicts| &verdicts["summary"]["left"]).or_else(|| trace.map(|trace| &trace["left"]));
        assert_eq!(named.unwrap()["processes"], left, "{verb:?}");
        assert!(run.time < Duration::from_secs(280), "the child was waited for");
        assert_eq!(containers_of(run.pid), [""; 0]);
    }
}
