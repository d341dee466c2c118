//! Commands of this machine from outside: `loupe run -- COMMAND` and `loupe trace -- COMMAND`, without any container engine.
//!
//! Needs the rights of root, namespaces and a C compiler.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

mod common;

use common::{Need, met, not_met};
use serde_json::Value;

/// A killed program and everything below it is gone within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// An engine that is not there: nothing here needs one.
const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

fn loupe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
    command.args(arguments).env("DOCKER_HOST", NO_ENGINE).env_remove("LOUPE_RESULTS").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether this machine lets us keep a command apart.
fn can_isolate() -> bool {
    static CAN: OnceLock<Result<(), String>> = OnceLock::new();
    let can = CAN.get_or_init(|| {
        let tried = output(&mut loupe(&["trace", "--", "true"]));
        let cannot = tried.status.code() == Some(3) && text(&tried.stderr).contains("cannot keep the command apart");
        if cannot { Err(text(&tried.stderr)) } else { Ok(()) }
    });
    met(Need::Namespaces, can.clone())
}

/// Everything that `loupe … --format json` said.
struct Told {
    code: Option<i32>,
    lines: Vec<Value>,
    errors: String,
}

impl Told {
    fn of(command: &mut Command) -> Self {
        let output = output(command);
        let lines = text(&output.stdout);
        let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")));
        Self { code: output.status.code(), lines: lines.collect(), errors: text(&output.stderr) }
    }

    fn event(&self, kind: &str) -> &Value {
        let found = self.lines.iter().find(|line| line["event"] == kind);
        found.unwrap_or_else(|| panic!("no `{kind}` among {:#?}\n{}", self.lines, self.errors))
    }

    /// The verdicts of calls and details by name.
    fn verdicts(&self) -> BTreeMap<String, String> {
        let verdicts = self.event("verdicts");
        let calls = verdicts["calls"].as_array().unwrap().iter().map(|call| (&call["syscall"], &call["verdict"]));
        let details = verdicts["details"].as_array().unwrap().iter().map(|detail| (&detail["item"], &detail["verdict"]));
        calls
            .chain(details)
            .map(|(name, verdict)| (name.as_str().unwrap().to_owned(), verdict.as_str().unwrap_or("").to_owned()))
            .collect()
    }
}

fn run(arguments: &[&str]) -> Told {
    Told::of(&mut loupe(&[&["run", "--format", "json"], arguments].concat()))
}

/// The known-answer programs, compiled; `None` without a compiler.
fn fixtures() -> Option<PathBuf> {
    if !common::has_compiler() {
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("known-answer-apps");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/build.sh");
    let built = Command::new(script).arg(&folder).output().unwrap();
    assert!(built.status.success(), "{}", text(&built.stderr));
    Some(folder.join("apps"))
}

/// Everything below a folder: kind, mode, time of change, and content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (metadata.mode(), metadata.ctime(), metadata.ctime_nsec(), content));
        }
    }
    found
}

/// Processes whose command line has this in it.
fn processes_with(mark: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines =
        entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok()).map(|line| text(&line).replace('\0', " "));
    lines.filter(|line| line.contains(mark)).collect()
}

/// Waits until `holds`.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Folders that a process made for itself.
fn scratch_folders(pid: u32) -> Vec<PathBuf> {
    let places = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
    let entries = places.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.to_string_lossy().contains(&format!("/loupe-command-{pid}-"))).collect()
}

#[test]
fn known_answer_programs_get_the_verdicts_they_get_in_containers() {
    let (true, Some(apps)) = (can_isolate(), fixtures()) else { return };
    for name in
        ["plain", "stub-only", "fake-only", "hang", "features", "pseudo-files", "threads", "hot", "fallbacks", "hot-fallback"]
    {
        let folder = apps.join(name);
        // What they write is not compared in containers.
        let told = run(&["--ignore-files", "--", folder.join(name).to_str().unwrap()]);
        assert_eq!(told.code, Some(0), "{name}: {}", told.errors);
        let verdicts = told.verdicts();
        let mut compared = 0;
        for line in fs::read_to_string(folder.join("expected.csv")).unwrap().lines() {
            let mut fields = line.split(',');
            let (item, expected) = (fields.next().unwrap(), fields.next().unwrap());
            let found = verdicts.get(item).map(String::as_str);
            match expected {
                "unused" => assert_eq!(found, None, "{name}: {item}"),
                "used" => assert!(found.is_some(), "{name}: {item}"),
                expected => assert_eq!(found, Some(expected), "{name}: {item}"),
            }
            compared += 1;
        }
        assert!(compared > 0, "{name}");
    }
}

/// A C source of `fixtures/`, compiled.
fn compiled(name: &str) -> Option<PathBuf> {
    if !common::has_compiler() {
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("process-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join(format!("{name}-{:?}", std::thread::current().id()).replace(['(', ')'], "-"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.c"));
    let status = Command::new("cc").args(["-O1", "-pthread", "-o"]).arg(&program).arg(&source).status().unwrap();
    assert!(status.success(), "{} does not compile", source.display());
    Some(program)
}

#[test]
fn a_death_is_seen_whatever_the_process_is_called() {
    let (true, Some(program)) = (can_isolate(), compiled("names")) else { return };
    // Cut by the kernel after 15 bytes, in the middle of a character.
    let long = program.with_file_name("éééééééé");
    fs::copy(&program, &long).unwrap();
    for (program, mode, name) in [(&program, "latin", r"caf\xE9"), (&long, "keep", r"ééééééé\xC3")] {
        let told = run(&["--features", "none", "--", program.to_str().unwrap(), mode]);
        assert_eq!(told.code, Some(1), "{mode}: {}", told.errors);
        let reasons = told.event("summary").to_string().replace(r"\\", r"\");
        assert!(reasons.contains(&format!("process `{name}` died of SIGSEGV")), "{mode}: {reasons}");
    }
}

#[test]
fn calls_are_counted_under_the_name_that_a_thread_has_then() {
    let (true, Some(program)) = (can_isolate(), compiled("names")) else { return };
    let results = tempfile::tempdir().unwrap();
    let stored = results.path().to_str().unwrap();
    let told = run(&["--features", "none", "--results", stored, "--", program.to_str().unwrap(), "rename"]);
    assert_eq!(told.code, Some(0), "{}", told.errors);
    let folder = fs::read_dir(results.path()).unwrap().next().unwrap().unwrap().path();
    let trace = fs::read_to_string(folder.join("command/trace.csv")).unwrap();
    assert!(trace.contains("getppid,1,before\n") && trace.contains("sysinfo,3,after\n"), "{trace}");
}

#[test]
fn unknown_numbers_are_counted_like_calls_in_one_run() {
    let (true, Some(program)) = (can_isolate(), compiled("names")) else { return };
    let program = program.to_str().unwrap();
    for reasons in ["none", "together"] {
        let shown = output(&mut loupe(&["run", "--features", "none", "--reasons", reasons, "--", program, "numbers"]));
        let shown = text(&shown.stdout);
        for line in [
            "unknown: 1 call of number 999 in a run",
            "unknown: 3 calls of number 1234 in a run",
            "unknown: 1 call of number 1073741823 in a run",
            "unknown: 1 call of number 4294967295 in a run",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        assert!(!shown.contains("foreign"), "{shown}");
        let getppid = shown.lines().find(|line| line.starts_with("getppid ")).unwrap();
        assert_eq!(getppid.split_whitespace().nth(1), Some("1"), "{getppid}");
    }
    let traced = output(&mut loupe(&["trace", "--", program, "numbers"]));
    let traced = text(&traced.stdout) + &text(&traced.stderr);
    assert!(traced.contains("4294967295") && !traced.contains("foreign"), "{traced}");
}

#[test]
fn hits_that_were_not_counted_are_not_taken_for_none() {
    if !can_isolate() {
        return;
    }
    let told = output(&mut loupe(&["run", "--features", "none", "--no-hits", "--", "true"]));
    let table = text(&told.stdout);
    assert!(table.contains("passes (hits not counted)") && !table.contains("proves nothing"), "{table}");
}

#[test]
fn what_takes_the_place_of_a_stubbed_call_is_part_of_the_results() {
    let (true, Some(apps)) = (can_isolate(), fixtures()) else { return };
    let folder = apps.join("fallbacks");
    let results = tempfile::tempdir().unwrap();
    let program = folder.join("fallbacks");
    let arguments = ["run", "--results", results.path().to_str().unwrap(), "--", program.to_str().unwrap()];
    let ran = output(&mut loupe(&arguments));
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let own = results.path().join("fallbacks/command");
    let stored = fs::read_to_string(own.join("fallbacks.csv")).unwrap();
    let expected = fs::read_to_string(folder.join("expected.fallbacks")).unwrap();
    assert_eq!(stored, format!("item,treatment,uses\n{expected}"));
    let summary: Value = serde_json::from_slice(&fs::read(own.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["not-made"], serde_json::json!(["ppoll", "waitid"]));
}

#[test]
fn output_that_is_always_the_same_is_part_of_success_and_what_changes_is_not() {
    if !can_isolate() {
        return;
    }
    let same = run(&["--features", "none", "--", "sh", "-c", "echo hello"]);
    assert_eq!(same.code, Some(0), "{}", same.errors);
    assert!(same.event("verdicts")["success"].as_str().unwrap().contains("the standard output that 3 runs agreed on"));
    assert_eq!(same.verdicts()["write"], "required");
    let other = run(&["--features", "none", "--", "sh", "-c", "cat /proc/sys/kernel/random/uuid"]);
    assert_eq!(other.code, Some(0), "{}", other.errors);
    assert!(other.event("verdicts")["success"].as_str().unwrap().contains("differs from run to run"));
    let clock = run(&["--features", "none", "--", "date", "+%s"]);
    assert_eq!(clock.code, Some(0), "{}", clock.errors);
    assert!(clock.event("verdicts")["success"].as_str().unwrap().contains("differs from run to run"));
    let matched = run(&["--features", "none", "--stdout-matches", "^[0-9a-f-]+$", "--", "cat", "/proc/sys/kernel/random/uuid"]);
    assert_eq!(matched.verdicts()["write"], "required");
}

/// A folder as `writer.c` expects it.
fn folder_to_write_in() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["old.txt", "before.txt", "kept.txt"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    folder
}

#[test]
fn files_that_are_always_written_alike_are_part_of_success() {
    let (true, Some(program)) = (can_isolate(), compiled("writer")) else { return };
    let folder = folder_to_write_in();
    let before = tree(folder.path());
    let run = |options: &[&str]| {
        let mut command = loupe(&["run", "--format", "json", "--features", "none"]);
        let told = Told::of(command.args(options).arg("--").arg(&program).current_dir(folder.path()));
        assert_eq!(told.code, Some(0), "{}", told.errors);
        told
    };
    let told = run(&[]);
    assert_eq!(tree(folder.path()), before);
    let (verdicts, success) = (told.verdicts(), told.event("verdicts")["success"].as_str().unwrap().to_owned());
    // The names differ from architecture to architecture.
    let verdict = |names: &[&str]| names.iter().find_map(|name| verdicts.get(*name)).unwrap().as_str();
    for names in [
        &["write"][..],
        &["pwrite64"],
        &["ftruncate"],
        &["fchmod"],
        &["unlink", "unlinkat"],
        &["symlink", "symlinkat"],
        &["mkdir", "mkdirat"],
    ] {
        assert_eq!(verdict(names), "required", "{names:?} in {verdicts:?}");
    }
    assert_eq!(verdict(&["rename", "renameat", "renameat2"]), "required");
    for names in [&["fsync"][..], &["utimensat"]] {
        assert_eq!(verdict(names), "any", "{names:?}");
    }
    assert!(success.contains("the standard output that 3 runs agreed on, and the 7 files `"), "{success}");
    let calls = told.event("verdicts")["calls"].as_array().unwrap();
    let reason =
        |call: &str, how: &str| calls.iter().find(|row| row["syscall"] == call).unwrap()[how].as_str().unwrap().to_owned();
    let out = folder.path().join("out.txt");
    let out = out.display();
    assert!(reason("write", "faked").starts_with(&format!("file `{out}` differs from")), "{}", reason("write", "faked"));
    let told = run(&["--ignore-files"]);
    assert_eq!((told.verdicts()["write"].as_str(), told.verdicts()["ftruncate"].as_str()), ("any", "any"));
    let success = told.event("verdicts")["success"].as_str().unwrap();
    assert!(success.ends_with("; what it writes is not compared"), "{success}");
}

#[test]
fn without_isolation_files_are_not_compared_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = loupe(&["run", "--no-isolation", "--features", "none", "--format", "json", "--", "sh", "-c", "echo x > y"]);
    let told = Told::of(command.current_dir(folder.path()));
    assert_eq!(told.code, Some(0), "{}", told.errors);
    let success = told.event("verdicts")["success"].as_str().unwrap();
    assert!(success.ends_with("; what it writes is not compared, as that needs isolation"), "{success}");
}

#[test]
fn files_that_change_from_run_to_run_or_with_the_time_are_not_part_of_success() {
    if !can_isolate() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "date +%s > stamp; cat /proc/sys/kernel/random/uuid > random; echo same > same";
    let mut command = loupe(&["run", "--features", "none", "--format", "json", "--", "sh", "-c", script]);
    let told = Told::of(command.current_dir(folder.path()));
    assert_eq!(told.code, Some(0), "{}", told.errors);
    let success = told.event("verdicts")["success"].as_str().unwrap();
    let same = folder.path().join("same");
    let expected =
        format!("the file `{}` that they wrote alike; files that differ from run to run are not compared", same.display());
    assert!(success.ends_with(&expected), "{success}");
}

#[test]
fn a_fake_after_which_a_command_does_not_wait_is_remarked() {
    if !can_isolate() {
        return;
    }
    let told = run(&["--features", "none", "--", "sleep", "0.4"]);
    assert_eq!(told.code, Some(0), "{}", told.errors);
    let calls = told.event("verdicts")["calls"].as_array().unwrap();
    let sleeps = calls.iter().find(|row| row["syscall"] == "clock_nanosleep" || row["syscall"] == "nanosleep").unwrap();
    assert_eq!(sleeps["verdict"], "fake");
    let remark = sleeps["degraded"].as_str().unwrap();
    assert!(remark.starts_with("fake: time ×0."), "{remark}");
}

#[test]
fn nothing_that_the_command_writes_stays() {
    if !can_isolate() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("old"), "old\n").unwrap();
    fs::write(folder.path().join("sub/deep"), "deep\n").unwrap();
    let before = tree(folder.path());
    let home = format!("/var/tmp/loupe-test-{}", std::process::id());
    let script = format!(
        "echo new > new && echo more >> old && rm -r sub && mkdir sub && mv old sub/moved && chmod 600 sub/moved && \
         echo x > {home} && echo x > /dev/shm/loupe-test && cat sub/moved new"
    );
    let mut command = loupe(&["run", "--format", "json", "--features", "none", "--", "sh", "-c", &script]);
    let told = Told::of(command.current_dir(folder.path()));
    assert_eq!(told.code, Some(0), "{}", told.errors);
    assert_eq!(told.verdicts()["openat"], "required");
    assert!(told.event("started")["isolation"].as_str().unwrap().contains("throw-away overlay"));
    assert_eq!(tree(folder.path()), before);
    assert!(!Path::new(&home).exists() && !Path::new("/dev/shm/loupe-test").exists());
}

#[test]
fn without_isolation_what_the_command_writes_stays_and_what_it_leaves_running_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo x > written; sleep 4321.25 & echo done";
    let mut command = loupe(&["trace", "--no-isolation", "--timeout", "1s", "--format", "json", "--", "sh", "-c", script]);
    let told = Told::of(command.current_dir(folder.path()));
    assert_eq!(told.code, Some(0), "{}", told.errors);
    assert!(told.event("trace")["isolation"].as_str().unwrap().starts_with("none: "));
    assert_eq!(fs::read_to_string(folder.path().join("written")).unwrap(), "x\n");
    until("the end of what was left running", || processes_with("4321.25").is_empty());
    let told = Told::of(
        loupe(&["run", "--no-isolation", "--features", "none", "--format", "json", "--", "echo", "a"]).current_dir(folder.path()),
    );
    assert_eq!((told.code, told.verdicts()["write"].as_str()), (Some(0), "required"), "{}", told.errors);
}

#[test]
fn a_command_that_fails_by_itself_is_refused_with_its_own_words() {
    if !can_isolate() {
        return;
    }
    let told = run(&["--", "sh", "-c", "echo cannot go on >&2; exit 7"]);
    assert_eq!(told.code, Some(1));
    let reasons = told.event("summary")["campaigns"][0]["reasons"].to_string();
    for part in ["exit code 7, expected 0", "cannot go on", "--exit-code 7"] {
        assert!(reasons.contains(part), "{reasons}");
    }
    let told = run(&["--features", "none", "--exit-code", "7", "--", "sh", "-c", "exit 7"]);
    assert_eq!(told.code, Some(0), "{}", told.errors);
}

#[test]
fn a_program_that_cannot_be_executed_is_a_mistake_of_the_command_line() {
    if !can_isolate() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    for verb in ["run", "trace"] {
        for (program, message) in [("loupe-no-such-program", "is not in PATH"), (plain.to_str().unwrap(), "Permission denied")] {
            let output = output(&mut loupe(&[verb, "--", program]));
            assert_eq!(output.status.code(), Some(2), "{verb} {program}: {}", text(&output.stderr));
            assert!(text(&output.stderr).contains(message), "{verb} {program}: {}", text(&output.stderr));
        }
    }
}

#[test]
fn every_run_reads_the_same_input_from_its_beginning() {
    if !can_isolate() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words");
    fs::write(&file, "b\na\n").unwrap();
    let told = run(&["--features", "none", "--input", file.to_str().unwrap(), "--stdout-matches", r"\Aa\nb\n\z", "--", "sort"]);
    assert_eq!((told.code, told.verdicts()["read"].as_str()), (Some(0), "required"), "{}", told.errors);
    let mut command =
        loupe(&["run", "--format", "json", "--features", "none", "--input", "-", "--stdout-matches", "^xyz$", "--", "cat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"xyz\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let nothing = run(&["--features", "none", "--", "sh", "-c", "test -z \"$(cat)\""]);
    assert_eq!(nothing.code, Some(0), "without an input there is none: {}", nothing.errors);
}

#[test]
fn output_need_not_be_text() {
    if !can_isolate() {
        return;
    }
    let told = run(&["--features", "none", "--", "printf", r"\377\376\000\n"]);
    assert_eq!((told.code, told.verdicts()["write"].as_str()), (Some(0), "required"), "{}", told.errors);
}

#[test]
fn a_command_that_never_ends_is_told_so_at_its_timeout() {
    if !can_isolate() {
        return;
    }
    let begin = Instant::now();
    let told = run(&["--timeout", "300ms", "--", "sleep", "4322.25"]);
    assert_eq!(told.code, Some(1));
    assert!(told.event("summary")["campaigns"][0]["reasons"].to_string().contains("not done after 0.3 s"));
    assert!(begin.elapsed() < PATIENCE);
    until("the end of the command", || processes_with("4322.25").is_empty());
}

#[test]
fn a_killed_loupe_leaves_no_process() {
    if !can_isolate() {
        return;
    }
    for (mark, signal) in [("4323.25", libc::SIGKILL), ("4324.25", libc::SIGINT)] {
        let mut child = loupe(&["run", "-q", "--", "sh", "-c", &format!("(setsid sleep {mark} &) ; sleep {mark}")]);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the start of the command", || processes_with(mark).len() > 3);
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::try_from(signal).unwrap()).unwrap();
        let status = child.wait().unwrap();
        if signal == libc::SIGINT {
            assert_eq!(status.code(), Some(130));
        }
        until("the end of everything", || processes_with(mark).is_empty());
    }
}

#[test]
fn an_interrupted_campaign_leaves_no_folder_and_a_stored_one_goes_on_later() {
    if !can_isolate() {
        return;
    }
    let results = tempfile::tempdir().unwrap();
    let stored = results.path().to_str().unwrap();
    for extra in [&[][..], &["--results", stored]] {
        let arguments =
            [&["run", "--format", "json", "--jobs", "1", "--features", "none"], extra, &["--", "sh", "-c", "sleep 0.05"]];
        let mut child = loupe(&arguments.concat());
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        // Past the baseline, and far from the end.
        let trials = lines.by_ref().map(Result::unwrap).filter(|line| line.contains("\"trial-ended\"")).take(12).count();
        assert_eq!(trials, 12);
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        assert!(lines.last().unwrap().unwrap().contains("\"exit-code\":130"));
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!(scratch_folders(child.id()), [""; 0].map(PathBuf::from));
    }
    let told = run(&["--features", "none", "--results", stored, "--", "sh", "-c", "sleep 0.05"]);
    assert_eq!(told.code, Some(0), "{}", told.errors);
    assert!(told.event("started")["stored"].as_u64().unwrap() >= 10);
    let again = run(&["--features", "none", "--results", stored, "--", "sh", "-c", "sleep 0.05"]);
    assert_eq!(again.event("summary")["campaigns"][0]["end"], "up-to-date");
    let shown = output(&mut loupe(&["show", "sh/command", "--results", stored]));
    assert!(text(&shown.stdout).contains("sh/command"), "{}", text(&shown.stderr));
    let environment = fs::read_to_string(results.path().join("sh/command/environment.json")).unwrap();
    assert!(environment.contains("\"isolation\": \"own "), "{environment}");
}

/// Runs Loupe as a user without any rights; `None` where nobody can be somebody else.
fn as_nobody(arguments: &[&str]) -> Option<Output> {
    // What cargo made may lie where others cannot go.
    let folder = Path::new("/var/tmp").join(format!("loupe-test-nobody-{}-{}", std::process::id(), arguments.len()));
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("loupe");
    fs::copy(env!("CARGO_BIN_EXE_loupe"), &program).unwrap();
    let tried = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&program)
        .args(arguments)
        .current_dir("/")
        .env("DOCKER_HOST", NO_ENGINE)
        .stdin(Stdio::null())
        .output();
    fs::remove_dir_all(&folder).unwrap();
    let refused = |output: &Output| text(&output.stderr).starts_with("setpriv:");
    match tried {
        Ok(output) if !refused(&output) => Some(output),
        Ok(output) => {
            not_met(Need::Root, &text(&output.stderr));
            None
        }
        Err(error) => {
            not_met(Need::Root, &format!("`setpriv` cannot be run: {error}"));
            None
        }
    }
}

#[test]
fn users_without_rights_get_the_same_verdicts_in_a_user_namespace() {
    let Some(output) = as_nobody(&[
        "run",
        "--format",
        "json",
        "--features",
        "none",
        "--",
        "sh",
        "-c",
        "echo x > /tmp/loupe-x; cat /tmp/loupe-x; id -u",
    ]) else {
        return;
    };
    if output.status.code() == Some(3) {
        return not_met(Need::UserNamespaces, &text(&output.stderr));
    }
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts = lines.iter().find(|line| line["event"] == "verdicts").unwrap();
    assert!(
        verdicts["isolation"]
            .as_str()
            .unwrap()
            .starts_with("own user, mount, pid, network, IPC and UTS namespaces; files under a throw-away overlay")
    );
    let call = |name: &str| verdicts["calls"].as_array().unwrap().iter().find(|call| call["syscall"] == name).unwrap();
    assert_eq!(call("write")["verdict"], "required");
    assert!(verdicts["success"].as_str().unwrap().ends_with("and the file `/tmp/loupe-x` that they wrote alike"));
    assert!(!Path::new("/tmp/loupe-x").exists());
    let traced = as_nobody(&["trace", "--format", "json", "--", "id", "-u"]).unwrap();
    assert!(text(&traced.stdout).contains("\"stdout\":[\"65534\"]"), "{}", text(&traced.stdout));
}

#[test]
fn where_no_namespace_can_be_made_it_is_refused_with_what_to_do() {
    // In a user namespace of our own that allows no further namespaces.
    let script = "echo 0 > /proc/sys/user/max_mnt_namespaces && exec \"$@\"";
    let program = env!("CARGO_BIN_EXE_loupe");
    for arguments in [&["run", "--", "true"][..], &["trace", "--", "true"]] {
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user", "sh", "-c", script, "sh", program])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let errors = text(&output.stderr);
        if !errors.contains("error:") {
            return not_met(Need::UserNamespaces, &errors);
        }
        assert_eq!(output.status.code(), Some(3), "{errors}");
        for part in ["cannot keep the command apart from this machine: ", "hint: ", "--no-isolation"] {
            assert!(errors.contains(part), "{errors}");
        }
    }
}

#[test]
fn a_trace_has_results_errors_and_all_processes() {
    if !can_isolate() {
        return;
    }
    let trace = |arguments: &[&str]| Told::of(&mut loupe(&[&["trace", "--format", "json"], arguments].concat()));
    let told = trace(&["--", "sh", "-c", "cat /nonexistent; cat /dev/null; exit 3"]);
    assert_eq!(told.code, Some(0), "{}", told.errors);
    let trace_of = told.event("trace");
    assert_eq!((trace_of["ending"]["exited"].as_i64(), trace_of["threads"].as_u64()), (Some(3), Some(3)));
    assert!(trace_of["stderr"].to_string().contains("/nonexistent"));
    let calls = trace_of["calls"].as_array().unwrap();
    let call =
        |name: &str| calls.iter().find(|call| call["syscall"] == name).unwrap_or_else(|| panic!("{name} is not in {calls:#?}"));
    assert!(call("openat")["errors"]["ENOENT"].as_u64().unwrap() >= 1);
    assert_eq!(call("execve")["count"], 2, "the launch is not the command's doing");
    assert!(call("execve")["first"].as_str().unwrap().starts_with("execve(\"/"), "{}", call("execve"));
    assert_eq!(call("exit_group")["count"], 3);

    let told = trace(&["--lines", "--", "sh", "-c", "cat /nonexistent"]);
    let lines: Vec<_> = told.lines.iter().filter_map(|line| line["text"].as_str()).collect();
    let errors: Vec<_> =
        lines.iter().filter(|line| line.contains("openat(AT_FDCWD, \"/nonexistent\", O_RDONLY) = -1 ENOENT (")).collect();
    assert_eq!(errors.len(), 1, "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("+++ exited with 1 +++")), "{lines:#?}");
    let threads: BTreeSet<_> = lines.iter().filter_map(|line| line.split(']').next()).collect();
    assert!(!threads.is_empty());
}

#[test]
fn a_trace_goes_to_a_file_if_asked_to_and_tells_of_signals() {
    if !can_isolate() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace");
    let told = output(&mut loupe(&["trace", "--lines", "--output", file.to_str().unwrap(), "--", "sh", "-c", "kill -SEGV $$"]));
    assert_eq!((told.status.code(), text(&told.stdout).as_str()), (Some(0), ""));
    assert!(text(&told.stderr).contains("died of SIGSEGV"), "{}", text(&told.stderr));
    let lines = fs::read_to_string(file).unwrap();
    assert!(lines.contains("--- SIGSEGV ---") && lines.contains("+++ killed by SIGSEGV +++"), "{lines}");
    let table = output(&mut loupe(&["trace", "--", "true"]));
    assert!(text(&table.stdout).starts_with("syscall "), "{}", text(&table.stdout));
    let unwritable = output(&mut loupe(&["trace", "--output", "/nonexistent/trace", "--", "true"]));
    assert_eq!(unwritable.status.code(), Some(3));
}

#[test]
fn a_command_that_stops_itself_can_be_traced_until_it_is_enough() {
    if !can_isolate() {
        return;
    }
    let begin = Instant::now();
    let told = Told::of(&mut loupe(&[
        "trace",
        "--format",
        "json",
        "--timeout",
        "500ms",
        "--",
        "sh",
        "-c",
        "kill -STOP $$; echo went on",
    ]));
    assert_eq!(told.event("trace")["cut-short"], true);
    assert_eq!(told.event("trace")["stdout"].to_string(), "[]", "a stop is a stop, traced or not");
    assert!(begin.elapsed() < PATIENCE);
}

#[test]
fn children_that_ask_not_to_be_traced_are_traced_and_find_nothing_changed() {
    let (true, Some(program)) = (can_isolate(), compiled("untraced")) else { return };
    for way in ["clone", "clone3"] {
        let told = Told::of(&mut loupe(&["trace", "--format", "json", "--", program.to_str().unwrap(), way]));
        let trace = told.event("trace");
        let calls = trace["calls"].as_array().unwrap();
        let count = |name: &str| calls.iter().find(|call| call["syscall"] == name).map(|call| call["count"].as_u64().unwrap());
        assert_eq!((count("sysinfo"), trace["threads"].as_u64()), (Some(3), Some(2)), "{way}: {calls:#?}");
        assert_eq!(trace["ending"]["exited"], 0, "{way}: arguments of the call were left changed");
        assert_eq!((told.code, &trace["not-whole"]), (Some(0), &serde_json::json!([])), "{way}");
    }
}

#[test]
fn work_that_goes_through_rings_is_said_not_to_be_seen() {
    let (true, Some(program)) = (can_isolate(), compiled("ring")) else { return };
    let program = program.to_str().unwrap();
    let told = Told::of(&mut loupe(&["trace", "--format", "json", "--", program]));
    let trace = told.event("trace");
    let says = |reasons: &Value| reasons.to_string().contains("`io_uring_setup` was called");
    // Where the kernel makes no rings, there is nothing to say.
    let made = trace["ending"]["exited"] == 0;
    assert_eq!(says(&trace["not-whole"]), made, "{trace:#}");
    let told = run(&["--features", "none", "--exit-code", if made { "0" } else { "77" }, "--", program]);
    assert_eq!(told.code, Some(0), "{}", told.errors);
    assert!(says(&told.event("verdicts")["not-seen"]), "{:#}", told.event("verdicts"));
    let plain = run(&["--features", "none", "--", "true"]);
    assert_eq!(plain.event("verdicts")["not-seen"], serde_json::json!([]));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_a_foreign_abi_are_named_and_a_program_without_others_is_refused_for_that() {
    if !can_isolate() || !common::has_compiler() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (object, program) = (folder.path().join("foreign.o"), folder.path().join("foreign"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign.s");
    assert!(Command::new("as").args(["--64", "-o"]).arg(&object).arg(source).status().unwrap().success());
    assert!(Command::new("ld").arg("-o").arg(&program).arg(&object).status().unwrap().success());
    let program = program.to_str().unwrap();

    let told = Told::of(&mut loupe(&["trace", "--format", "json", "--", program]));
    let foreign = serde_json::json!([
        { "abi": "i386", "number": 1, "syscall": "exit", "count": 1 },
        { "abi": "i386", "number": 4, "syscall": "write", "count": 1 },
    ]);
    assert_eq!(told.event("trace")["foreign-calls"], foreign);
    let lines = output(&mut loupe(&["trace", "--", program]));
    assert!(text(&lines.stdout).contains("foreign ABI: 1 call of i386 number 4 (write)\n"), "{}", text(&lines.stdout));

    let told = run(&["--", program]);
    let reason = "all of its 2 calls go through the i386 ABI, which Loupe does not measure";
    assert_eq!(told.code, Some(1), "{}", told.errors);
    assert!(told.event("summary").to_string().contains(reason), "{:#}", told.event("summary"));
}

#[test]
fn a_command_ends_with_its_main_process_and_what_it_left_is_named() {
    if !can_isolate() {
        return;
    }
    let said = "the command ended, but process `sleep` that it left was ended after 0.";
    for script in ["sleep 300 & echo started", "setsid sh -c 'exec sleep 300 </dev/null >/dev/null 2>&1 &'; echo started"] {
        let begin = Instant::now();
        let told = run(&["--features", "none", "--", "sh", "-c", script]);
        assert_eq!(told.code, Some(0), "{script}: {}", told.errors);
        let summary = &told.event("verdicts")["summary"];
        assert_eq!(summary["left"]["processes"], serde_json::json!(["sleep"]), "{script}: {summary:#}");
        assert!(begin.elapsed() < Duration::from_secs(200), "{script} was waited for");

        let told = Told::of(&mut loupe(&["trace", "--format", "json", "--", "sh", "-c", script]));
        let trace = told.event("trace");
        assert_eq!((told.code, &trace["ending"]["exited"]), (Some(0), &Value::from(0)), "{trace:#}");
        assert_eq!(trace["left"]["processes"], serde_json::json!(["sleep"]), "{trace:#}");
        assert_eq!(trace["stdout"], serde_json::json!(["started"]));
        let table = output(&mut loupe(&["trace", "--", "sh", "-c", script]));
        assert!(text(&table.stdout).contains(said), "{}", text(&table.stdout));
        let lines = output(&mut loupe(&["trace", "--lines", "--", "sh", "-c", script]));
        assert!(text(&lines.stderr).contains(said), "{}", text(&lines.stderr));
    }
    let shown = output(&mut loupe(&["run", "--features", "none", "--", "sh", "-c", "sleep 300 &"]));
    assert!(text(&shown.stdout).contains(&format!("left behind: {said}")), "{}", text(&shown.stdout));
}

#[test]
fn what_a_command_leaves_is_waited_for_if_asked_to() {
    if !can_isolate() {
        return;
    }
    // Longer than what does nothing is given.
    let script = "(sleep 0.7; echo late) & echo early";
    let trace = |more: &[&str]| {
        let told = Told::of(&mut loupe(&[&["trace", "--format", "json"], more, &["--", "sh", "-c", script]].concat()));
        (told.event("trace")["stdout"].clone(), told.event("trace")["left"]["processes"].clone())
    };
    assert_eq!(trace(&["--wait-for-children"]), (serde_json::json!(["early", "late"]), Value::Null));
    let (printed, left) = trace(&[]);
    assert_eq!((printed, left), (serde_json::json!(["early"]), serde_json::json!(["sh", "sleep"])));

    let told = run(&["--wait-for-children", "--features", "none", "--stdout-matches", "late", "--", "sh", "-c", script]);
    assert_eq!(told.code, Some(0), "{}", told.errors);
    assert!(told.event("verdicts")["summary"]["left"].is_null());
    let told = run(&["--wait-for-children", "--timeout", "1s", "--", "sh", "-c", "sleep 300 & echo started"]);
    assert_eq!(told.code, Some(1), "{}", told.errors);
    assert!(told.event("summary").to_string().contains("not done after 1.0 s"), "{:#}", told.event("summary"));
}

#[test]
fn what_takes_longer_than_two_seconds_is_said_to_be_waited_for() {
    if !can_isolate() {
        return;
    }
    let said = |arguments: &[&str]| text(&output(&mut loupe(arguments)).stderr);
    let long = said(&["trace", "--", "sleep", "2.7"]);
    assert!(long.contains("waiting for `sleep` (2 s)\n"), "{long}");
    let left = said(&["trace", "--wait-for-children", "--", "sh", "-c", "sleep 2.7 &"]);
    assert!(left.contains("waiting for processes that `sh` left when it ended (2 s)\n"), "{left}");
    let ended = "waiting for runs without any intervention, whose main process has ended, and for those that it left";
    let left = said(&["run", "--wait-for-children", "--timeout", "3s", "--", "sh", "-c", "sleep 300 &"]);
    assert!(left.contains(ended), "{left}");
    let quiet = said(&["--quiet", "trace", "--", "sleep", "2.7"]);
    assert_eq!(quiet, "");
}

#[test]
fn a_refusal_says_what_the_command_said_and_what_loupe_does_to_it() {
    if !can_isolate() {
        return;
    }
    let reasons = |script: &str| {
        let told = run(&["--", "sh", "-c", script]);
        assert_eq!(told.code, Some(1), "{}", told.errors);
        told.event("summary")["campaigns"][0]["reasons"].as_array().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let first = reasons("echo 'must be pid 1' >&2; exit 100");
    assert!(first.iter().any(|line| line.contains("its standard error: must be pid 1")), "{first:#?}");
    assert!(first.iter().any(|line| line.contains("process 1 is Loupe's supervisor")), "{first:#?}");
    assert!(first.iter().any(|line| line.contains("--exit-code 100")), "{first:#?}");
    let privileges = reasons("echo 'The \"no new privileges\" flag is set'; exit 1");
    assert!(privileges.iter().any(|line| line.contains("set-user-id programs")), "{privileges:#?}");
    assert!(!privileges.iter().any(|line| line.contains("--exit-code")), "that would measure the failure: {privileges:#?}");

    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("crlf");
    fs::write(&script, "#!/bin/sh\r\necho hello\r\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let told = run(&["--", script.to_str().unwrap()]);
    assert!(
        told.errors.contains("its interpreter `/bin/sh\\r` is missing; the first line ends in a carriage return"),
        "{}",
        told.errors
    );
}
