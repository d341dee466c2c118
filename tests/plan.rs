//! `loupe plan` and `loupe os` on results that the library itself wrote; `loupe check` as far as it goes without an engine.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use loupe::campaign::{self, Options, Stop};
use loupe::engine::simulated::{Simulated, SimulatedEngine};
use loupe::spec::Roots;
use loupe::trial::Treatment;

/// Nobody listens here.
const NO_ENGINE: &str = "unix:///nonexistent.sock";

/// What a command gave, with its text.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn say(arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
    let Output { status, stdout, stderr } = command.args(arguments).env("DOCKER_HOST", NO_ENGINE).output().unwrap();
    Said { code: status.code(), stdout: String::from_utf8(stdout).unwrap(), stderr: String::from_utf8(stderr).unwrap() }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Three apps: `server` needs `read`, `socket` and a faked `uname`; `tool` needs `read` and a stubbed `uname`; `twin` is like `tool`.
fn results() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let apps = folder.path().join("apps");
    for app in ["server", "tool", "twin"] {
        fs::create_dir_all(apps.join(app)).unwrap();
        fs::write(apps.join(app).join("Dockerfile"), "FROM scratch\n").unwrap();
        fs::write(apps.join(app).join("app.yaml"), "workloads:\n  - name: once\n    kind: run-to-completion\n").unwrap();
    }
    let results = folder.path().join("results");
    let specs = loupe::spec::load_apps(&apps, &Roots::beside(&apps), None).unwrap();
    let options = Options {
        jobs: 2,
        freshness: loupe::store::Freshness::Resume,
        settings: loupe::explore::Settings::default(),
        results: results.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for spec in specs {
        let used: &[&str] = if spec.name == "server" { &["getpid", "read", "socket", "uname"] } else { &["read", "uname"] };
        let engine = SimulatedEngine::new(used.iter().copied(), |app, request| {
            let treatment = |call: &str| request.intervention.get(call.parse::<loupe::syscalls::Sysno>().unwrap());
            let wrong = if app == "server" { Treatment::Stub } else { Treatment::Fake };
            let broken = treatment("read").is_some() || treatment("socket").is_some() || treatment("uname") == Some(wrong);
            Simulated::Exit(if broken { 9 } else { 0 })
        });
        runtime.block_on(campaign::batch(&engine, &[spec], &options, &|_| {}, &Stop::default()));
    }
    (folder, results)
}

/// An OS with these calls, as a file.
fn os(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let file = folder.path().join("toy.syscalls");
    fs::write(&file, format!("# name: Toy\n{text}")).unwrap();
    file
}

#[test]
fn a_plan_says_what_to_implement_for_whom_and_which_apps_contradict_each_other() {
    let (folder, results) = results();
    let os = os(&folder, "getpid\n");
    let plan = say(&["plan", "--os", path(&os), "--results", path(&results)]);
    assert_eq!((plan.code, plan.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(plan.stdout, @r"
    Support plan for Toy (1 call)
    3 apps: 0 run now; all run after 2 steps, which implement 3 calls; 0 stay stubbed and 0 faked

    Step 0: no app runs on Toy as it is

    Step 1: implement 1, stub 1; 2 apps more
      implement  read  0  for 3 of 3 apps: tool, twin and server
      stub       uname
      runs then  tool, twin

    Step 2: implement 2; 1 app more
      implement  socket  41  for server
                 uname   63  needed by no app alone: see the conflicts; until now it was stubbed or faked
      runs then  server

    Conflicts, as an OS can answer a call in one way only:
      uname: only a stub works for tool and twin, only a fake for server; implemented in step 2
    ");
}

#[test]
fn the_order_in_which_apps_are_named_decides_ties_and_what_is_unknown_is_told() {
    let (folder, results) = results();
    let os = os(&folder, "getpid\n");
    let list = folder.path().join("list");
    fs::write(&list, "# mine\nunheard # of\nserver\n\ntwin\nserver\n").unwrap();
    let plan = say(&["plan", "--os", path(&os), "--results", path(&results), "--app-list", path(&list), "--format", "json"]);
    assert_eq!((plan.code, plan.stderr.as_str()), (Some(0), ""));
    let json: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!((&json["os"], &json["unknown"]), (&"Toy".into(), &serde_json::json!(["unheard"])));
    let steps: Vec<_> = json["steps"].as_array().unwrap().iter().map(|step| (&step["implement"], &step["unlocks"])).collect();
    let (none, twin, server) = (serde_json::json!([]), serde_json::json!(["twin"]), serde_json::json!(["server"]));
    let (first, second) = (serde_json::json!(["read"]), serde_json::json!(["socket", "uname"]));
    assert_eq!(steps, [(&none, &none), (&first, &twin), (&second, &server)]);
    assert_eq!(json["steps"][1]["stub"], serde_json::json!(["uname"]));
    assert_eq!(json["calls"]["socket"]["required-by"], serde_json::json!(["server"]));
}

#[test]
fn plans_come_as_tables_and_into_files() {
    let (folder, results) = results();
    let os = os(&folder, "getpid\n");
    let output = folder.path().join("plans");
    let arguments = ["plan", "--os", path(&os), "--results", path(&results), "--output", path(&output)];
    let csv = say(&[&arguments[..], &["--format", "csv"]].concat());
    insta::assert_snapshot!(csv.stdout, @r"
    step,implement,extend,stub,fake,pseudo-files,unlocks
    0,,,,,,
    1,read,,uname,,,tool twin
    2,socket uname,,,,,server
    ");
    let markdown = say(&[&arguments[..], &["--format", "markdown"]].concat());
    assert!(markdown.stdout.contains("| 1 | `read` | `uname` |  | tool, twin |"), "{}", markdown.stdout);
    assert_eq!(fs::read_to_string(output.join("toy.md")).unwrap(), markdown.stdout);
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(output.join("toy.json")).unwrap()).unwrap();
    assert_eq!(json["totals"]["implement"], 3);
}

#[test]
fn questions_short_of_a_plan_are_answered() {
    let (folder, results) = results();
    let os = os(&folder, "getpid\n");
    let ask = |question: &[&str]| say(&[&["plan", "--os", path(&os), "--results", path(&results)], question].concat());
    let way = ask(&["--unlock", "server"]);
    insta::assert_snapshot!(way.stdout, @r"
    server needs 2 calls implemented on Toy, 0 stubbed, 1 faked

    Step 1: implement 2, fake 1; 1 app more
      implement  read     0  for server
                 socket  41  for server
      fake       uname
      runs then  server

    2 other apps run then as well, if what they need stubbed or faked is:
      tool, twin
    ");
    let what_if = ask(&["--what-if", "read,getpid,mmap"]);
    insta::assert_snapshot!(what_if.stdout, @r"
    Toy (1 call) with getpid, mmap, read
    0 apps run already; 2 apps more would run
      would run         tool, twin
      there already     getpid
      needed by no app  mmap

    Closer, but not there:
      server: 1 missing instead of 2: socket
    ");
    let misspelt = ask(&["--unlock", "sever"]);
    assert_eq!(misspelt.code, Some(2));
    assert!(misspelt.stderr.contains("no verdicts of `sever`\nhint: did you mean `server`?"), "{}", misspelt.stderr);
    let unreadable = ask(&["--what-if", "read", "--format", "csv"]);
    assert_eq!(unreadable.code, Some(2));
    assert!(unreadable.stderr.contains("--format json"), "{}", unreadable.stderr);
}

#[test]
fn budgets_and_weights_change_what_is_bought() {
    let (folder, results) = results();
    let os = os(&folder, "getpid\n");
    let weights = folder.path().join("weights.yaml");
    fs::write(&weights, "apps:\n  server: {popularity: 10}\ncalls:\n  socket: 1\n").unwrap();
    let bought = |more: &[&str]| {
        let base = ["plan", "--os", path(&os), "--results", path(&results), "--format", "json", "--objective", "budget"];
        let said = say(&[&base[..], more].concat());
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
        let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        json["totals"]["apps"].as_u64().unwrap()
    };
    assert_eq!(bought(&["--budget", "0"]), 0);
    assert_eq!(bought(&["--budget", "1"]), 2);
    fs::write(&weights, "calls: {read: 7}\n").unwrap();
    assert_eq!(bought(&["--budget", "6", "--weights", path(&weights)]), 0);
    let without = say(&["plan", "--os", "kerla", "--objective", "budget"]);
    assert_eq!(without.code, Some(2));
    fs::write(&weights, "calls: {raed: 7}\n").unwrap();
    let broken = say(&["plan", "--os", path(&os), "--results", path(&results), "--weights", path(&weights)]);
    assert_eq!(broken.code, Some(2));
    assert!(
        broken.stderr.contains("weights.yaml:1:9: error: `raed` is not a Linux system call\n  hint: did you mean `read`?"),
        "{}",
        broken.stderr
    );
}

#[test]
fn what_is_wrong_with_an_os_is_told_with_what_to_do() {
    let (folder, results) = results();
    let broken = os(&folder, "read\nopanat\nioctl(TCGET)\n");
    for (name, expected) in [
        ("kerlla", "no OS profile is called `kerlla`\nhint: did you mean `kerla`?"),
        (path(&broken), "toy.syscalls:3: `opanat` is not a Linux system call; did you mean `openat`?"),
        (path(&broken), "toy.syscalls:4: `ioctl(TCGET)` is not an argument feature"),
        ("./nowhere", "cannot read the OS profile `./nowhere`: "),
    ] {
        for verb in [&["plan"][..], &["check", "tool"][..]] {
            let said = say(&[verb, &["--os", name, "--results", path(&results)]].concat());
            assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{name}");
            assert!(said.stderr.contains(expected), "{name}: {}", said.stderr);
        }
    }
    let none = say(&["plan", "--os", "KERLA", "--results", path(&folder.path().join("empty"))]);
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("no verdicts in `") && none.stderr.contains("hint: `loupe batch`"), "{}", none.stderr);
}

#[test]
fn broken_results_are_told_and_their_app_is_unknown() {
    let (folder, results) = results();
    let os = os(&folder, "read\n");
    let file = results.join("tool/once/verdicts.csv");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("read,Y", "read,maybe")).unwrap();
    let plan = say(&["plan", "--os", path(&os), "--results", path(&results), "--apps", "tool,twin"]);
    assert_eq!(plan.code, Some(3), "{}", plan.stderr);
    assert!(plan.stderr.contains("verdicts.csv:"), "{}", plan.stderr);
    assert!(plan.stdout.contains("Unknown, as they have no verdicts (1 app"), "{}", plan.stdout);
    assert!(plan.stdout.contains("runs then  twin\n"), "{}", plan.stdout);
}

#[test]
fn profiles_are_listed_and_shown_in_a_form_that_can_be_given_back() {
    let list = say(&["os", "list"]);
    assert_eq!((list.code, list.stdout.lines().count()), (Some(0), 12));
    assert!(list.stdout.contains("\nkerla        58  Kerla "), "{}", list.stdout);
    let shown = say(&["os", "show", "Kerla"]);
    assert!(shown.stdout.starts_with("# name: Kerla\n# source: https://"), "{}", shown.stdout);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine");
    fs::write(&file, &shown.stdout).unwrap();
    assert_eq!(say(&["os", "show", path(&file)]).stdout, shown.stdout);
    let json: serde_json::Value = serde_json::from_str(&say(&["os", "show", "kerla", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["calls"].as_array().unwrap().len(), 58);
    fs::write(&file, "read\nread\n").unwrap();
    let repeated = say(&["os", "show", path(&file)]);
    assert_eq!(repeated.code, Some(0));
    assert!(repeated.stderr.contains("`read` stands in line 2 and in line 1"), "{}", repeated.stderr);
}

#[test]
fn running_needs_an_app_and_an_engine() {
    let (folder, results) = results();
    let apps = folder.path().join("apps");
    let base = ["--os", "kerla", "--results", path(&results), "--apps-dir", path(&apps)];
    let said = say(&[&["check", "nothing"], &base[..]].concat());
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("there is no app `nothing` to be run\nhint: "), "{}", said.stderr);
    let said = say(&[&["check", "tool", "--workload", "twice"], &base[..]].concat());
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("`tool` has no workload `twice`\nhint: it has once"), "{}", said.stderr);
    for verb in [&["check", "tool"][..], &["plan", "--verify"][..]] {
        let said = say(&[verb, &base[..]].concat());
        assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{}", said.stderr);
        assert!(said.stderr.contains("no container engine at `unix:///nonexistent.sock`"), "{}", said.stderr);
    }
}

#[test]
fn servers_without_a_client_count_only_if_asked_for_and_are_said_to_prove_little() {
    let (_folder, results) = results();
    // As a server without a client is stored.
    let summary = results.join("twin/once/summary.json");
    let text = fs::read_to_string(&summary).unwrap();
    assert!(text.contains("\"exercise\": \"completion\""), "{text}");
    fs::write(&summary, text.replace("\"exercise\": \"completion\"", "\"exercise\": \"starts-only\"")).unwrap();
    let plan = |arguments: &[&str]| say(&[&["plan", "--os", "kerla", "--results", path(&results)], arguments].concat());
    let without = plan(&[]);
    assert!(without.stdout.contains("\n2 apps: ") && !without.stdout.contains("twin"), "{}", without.stdout);
    assert!(without.stderr.contains("left out: twin only starts: no client talks to this server"), "{}", without.stderr);
    assert!(without.stderr.contains("hint: `--include-weak` counts such apps"), "{}", without.stderr);
    for arguments in [&["--include-weak"][..], &["--apps", "server,tool,twin"]] {
        let with = plan(arguments);
        assert!(with.stdout.contains("\n3 apps: ") && with.stderr.is_empty(), "{}{}", with.stdout, with.stderr);
    }
    let shown = say(&["show", "twin", "--results", path(&results)]);
    assert!(shown.stdout.contains("\nonly starts: no client talks to this server"), "{}", shown.stdout);
    let listed = say(&["db", "list", "--results", path(&results)]);
    assert!(listed.stdout.contains("measured, only starts"), "{}", listed.stdout);
    let profile = say(&["export", "seccomp", "twin", "--results", path(&results)]);
    assert!(profile.stderr.contains("note: `twin/once` only starts"), "{}", profile.stderr);
    let table = say(&["db", "export", "--format", "csv", "--results", path(&results)]);
    assert!(table.stdout.contains(",only starts\n"), "{}", table.stdout);
}
