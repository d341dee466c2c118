//! The shim in throw-away processes: the embedded binary, as the init of a pid namespace of its own, without any container.
//!
//! Needs root and unshare(1), as a container engine does. Where they are missing the tests say so and pass: the Docker suite
//! covers the same ground.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

mod common;

use loupe::engine::SHIM;
use loupe::trial::wire::{AppReport, Command, Decoder, Event, Job, Launch};
use loupe::trial::{CALLS_AFTER, Ending, Item, LookAtFiles, Treatment, Watch, Written};

/// A fresh directory for the whole run of this file's tests, with the shim in it.
fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("loupe-shim");
            std::fs::write(&path, SHIM).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            directory
        })
        .path()
}

/// Whether this machine lets us make pid namespaces.
fn can_isolate() -> bool {
    let isolated = Process::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).stderr(Stdio::null()).status();
    let can = isolated.is_ok_and(|status| status.success());
    let why_not = || "no right to make pid namespaces (unshare --pid --fork --mount-proc)".to_owned();
    common::met(common::Need::Namespaces, can.then_some(()).ok_or_else(why_not))
}

/// Compiles a C program statically; `None` without a compiler.
fn compile(name: &str, source: &str) -> Option<PathBuf> {
    let path = directory().join(name);
    let file = directory().join(format!("{name}.c"));
    std::fs::write(&file, source).unwrap();
    if !common::has_compiler() {
        return None;
    }
    let compiled = Process::new("cc").args(["-static", "-O1", "-o"]).arg(&path).arg(&file).arg("-lpthread").status();
    let status = compiled.unwrap();
    assert!(status.success(), "{name}.c does not compile");
    Some(path)
}

/// A shim with the streams to talk to it.
struct Shim {
    child: Child,
    decoder: Decoder,
}

impl Shim {
    fn start(mode: &str, extra: &[&str]) -> Self {
        let child = Process::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(extra)
            .arg(directory().join("loupe-shim"))
            .arg(mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, decoder: Decoder::default() }
    }

    fn say(&mut self, command: &Command) {
        self.child.stdin.as_mut().unwrap().write_all(&command.frame().encode()).unwrap();
    }

    /// The next event; `None` when the shim is gone.
    fn hear(&mut self) -> Option<Event> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(Event::from_frame(&frame).unwrap());
            }
            let mut buffer = [0; 4096];
            match self.child.stdout.as_mut().unwrap().read(&mut buffer).unwrap() {
                0 => return None,
                count => self.decoder.push(&buffer[..count]),
            }
        }
    }

    fn launch(command: &[&str], intervention: &str, watch: Watch) -> Self {
        Self::launch_with(command, intervention, watch, |_| {})
    }

    fn launch_limited(command: &[&str], processor_limit: Duration) -> Self {
        Self::launch_with(command, "none", Watch::Treated, |launch| launch.processor_limit = Some(processor_limit))
    }

    fn launch_with(command: &[&str], intervention: &str, watch: Watch, change: impl FnOnce(&mut Launch)) -> Self {
        let mut shim = Self::start("supervise", &[]);
        let mut launch = Launch {
            command: command.iter().map(|argument| (*argument).to_owned()).collect(),
            intervention: intervention.parse().unwrap(),
            watch,
            output_limit: 64 * 1024,
            processor_limit: None,
            prompt_answers: None,
            settle_above: None,
            wait_for_children: true,
            traced: None,
            files: vec!["/etc/hostname".to_owned(), "/etc".to_owned(), "/nonexistent".to_owned()],
            look_at: LookAtFiles::Nowhere,
        };
        change(&mut launch);
        shim.say(&Command::Launch(launch));
        assert_eq!(shim.hear(), Some(Event::Hello));
        shim
    }

    fn report(mut self) -> AppReport {
        loop {
            match self.hear().expect("the shim went without a report") {
                Event::Report(report) => return *report,
                Event::Trouble { message } => panic!("{message}"),
                _ => {}
            }
        }
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(command: &[&str], intervention: &str, watch: Watch) -> AppReport {
    Shim::launch(command, intervention, watch).report()
}

fn count(report: &AppReport, call: &str) -> u64 {
    report.calls.count(call.parse::<loupe::trial::Item>().unwrap())
}

#[test]
fn a_trace_sees_calls_arguments_and_the_end() {
    if !can_isolate() {
        return;
    }
    let report = run(&["sh", "-c", "echo out; echo error >&2; exit 3"], "none", Watch::Everything);
    assert_eq!(report.end.main, Some(Ending::Exited(3)));
    assert_eq!(report.end.stdout.text(), "out\n");
    assert_eq!(report.end.stderr.text(), "error\n");
    assert!(report.end.deaths.is_empty());
    assert_eq!(count(&report, "exit_group"), 1);
    assert_eq!(count(&report, "execve"), 0, "the launch is not the app's doing");
    let write = &report.calls.calls[&"write".parse().unwrap()];
    assert_eq!(write.processes.get("sh"), Some(&write.count));
    assert!(write.samples.iter().any(|arguments| arguments[0] == 1 && arguments[2] == 4), "{:?}", write.samples);
}

#[test]
fn treated_calls_are_answered_and_counted_and_others_are_not_notified() {
    if !can_isolate() {
        return;
    }
    let report = run(&["sh", "-c", "echo out"], "stub=write", Watch::Treated);
    assert_eq!(report.end.stdout.text(), "");
    assert!(count(&report, "write") >= 1);
    assert_eq!(report.calls.calls.len(), 1, "{:?}", report.calls);
    let uncounted = run(&["sh", "-c", "echo out; exit 0"], "stub=write", Watch::Nothing);
    assert_eq!(uncounted.end.stdout.text(), "");
    assert!(uncounted.calls.calls.is_empty());
}

/// Asks for a limit, says so if there is none, and goes on; then makes one call again and again.
const ASKER: &str = r#"
    #include <sys/resource.h>
    #include <sys/syscall.h>
    #include <sys/uio.h>
    #include <unistd.h>
    int main(void) {
        struct rlimit limit;
        if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit)) {
            struct iovec pieces[2] = {{"no ", 3}, {"limit\n", 6}};
            syscall(SYS_writev, 2, pieces, 2);
        }
        syscall(SYS_getppid), syscall(SYS_umask, 022), syscall(SYS_gettid);
        for (int index = 0; index < 100; index++) syscall(SYS_getpgid, 0);
        return 0;
    }
"#;

#[test]
fn what_follows_an_answer_is_recorded_with_its_arguments_and_what_it_writes() {
    if !can_isolate() {
        return;
    }
    let Some(program) = compile("asker", ASKER) else { return };
    let treated = "stub=getpgid,prlimit64(RLIMIT_NOFILE);fake=umask";
    let report = run(&[program.to_str().unwrap()], treated, Watch::Everything);
    let of = |item: &str| -> Vec<_> {
        let item: Item = item.parse().unwrap();
        report.calls.aftermaths.iter().filter(|after| after.item == item).collect()
    };
    let [asked] = of("prlimit64(RLIMIT_NOFILE)")[..] else { panic!("{:?}", report.calls.aftermaths) };
    assert_eq!((asked.treatment, asked.process.as_str()), (Treatment::Stub, "asker"));
    assert!(asked.made.starts_with("prlimit64(0, RLIMIT_NOFILE, NULL, 0x"), "{}", asked.made);
    let names: Vec<_> = asked.next.iter().map(|next| next.call.name()).collect();
    assert_eq!(names[..5], ["writev", "getppid", "umask", "gettid", "getpgid"]);
    assert_eq!(asked.next[0].written, Some(Written { to: "stderr".to_owned(), text: "no limit\n".to_owned() }));
    let treatments: Vec<_> = asked.next.iter().map(|next| next.treatment).collect();
    assert_eq!(treatments[..5], [None, None, Some(Treatment::Fake), None, Some(Treatment::Stub)]);
    assert_eq!(names.len(), CALLS_AFTER);
    // However often it is made, only the first few answers are followed.
    let often = of("getpgid");
    assert_eq!((often.len(), count(&report, "getpgid")), (3, 100));
    assert!(often.iter().all(|after| after.next.len() == CALLS_AFTER));
    assert!(report.calls.sequences.is_empty());
}

#[test]
fn what_no_trace_saw_is_noted_with_the_answers_before_it() {
    if !can_isolate() {
        return;
    }
    let source = "#include <fcntl.h>
        #include <sys/resource.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(void) {
            char seed[4];
            if (syscall(SYS_getrandom, seed, 4, 0) < 0) read(open(\"/dev/urandom\", O_RDONLY), seed, 4);
            for (int index = 0; index < 3; index++) getpriority(PRIO_PROCESS, 0);
            return 0;
        }";
    let Some(program) = compile("noted", source) else { return };
    let program = program.to_str().unwrap();
    // What a trace would have seen of it without the opening of the file.
    let trace = run(&[program], "none", Watch::Everything);
    assert_eq!(trace.calls.new_uses, None, "nothing was said of traces");
    let calls = trace.calls.calls.keys().map(|call| Item::Call(*call));
    let items = calls.chain(trace.calls.features.keys().map(|feature| Item::Feature(*feature)));
    let file: Item = "/dev/urandom".parse().unwrap();
    let of = |watch: Watch, intervention: &str, unknown: &[&str]| {
        let known = |item: &Item| !unknown.iter().any(|unknown| *unknown == item.to_string());
        let traced = items.clone().filter(known).collect();
        let report = Shim::launch_with(&[program], intervention, watch, |launch| launch.traced = Some(traced)).report();
        let new = report.calls.new_uses.unwrap();
        let text = new.iter().map(|(item, new)| {
            let after: Vec<_> = new.after.iter().map(ToString::to_string).collect();
            format!("{item} {} {}", new.count, after.join(","))
        });
        (text.collect::<Vec<_>>(), new.contains_key(&file))
    };
    // Without the call among those of traces, it is noted whatever is watched, at each use; the file only by whoever looks at all calls.
    for watch in [Watch::Treated, Watch::Nothing, Watch::Everything] {
        let (new, _) = of(watch, "none", &["getpriority"]);
        assert!(new.contains(&"getpriority 3 ".to_owned()), "{watch:?}: {new:?}");
    }
    let (new, opened) = of(Watch::Everything, "stub=getrandom", &[]);
    assert!(opened && new.contains(&"/dev/urandom 1 getrandom".to_owned()), "{new:?}");
    // A call that is new is looked into.
    let (new, opened) = of(Watch::Treated, "stub=getrandom", &["openat"]);
    assert!(opened && new.contains(&"openat 1 getrandom".to_owned()), "{new:?}");
    // What is treated is not used.
    let (new, _) = of(Watch::Everything, "fake=getpriority", &["getpriority"]);
    assert!(!new.iter().any(|text| text.starts_with("getpriority")), "{new:?}");
}

#[test]
fn a_trace_tells_what_follows_each_call_and_feature() {
    if !can_isolate() {
        return;
    }
    let Some(program) = compile("untreated-asker", ASKER) else { return };
    let report = run(&[program.to_str().unwrap()], "none", Watch::Everything);
    let of = |item: &str| -> Vec<Vec<&str>> {
        let sequences = report.calls.sequences.get(&item.parse().unwrap()).into_iter().flatten();
        sequences.map(|calls| calls.iter().map(|call| call.name()).collect()).collect()
    };
    assert_eq!(of("prlimit64(RLIMIT_NOFILE)")[0][..4], ["getppid", "umask", "gettid", "getpgid"]);
    assert_eq!(of("umask"), [vec!["gettid", "getpgid", "getpgid", "getpgid", "getpgid", "getpgid", "getpgid", "getpgid"]]);
    assert_eq!(of("getpgid").len(), 3);
    assert_eq!(of("exit_group"), [Vec::<&str>::new()]);
    assert!(report.calls.aftermaths.is_empty());
}

#[test]
fn the_app_starts_although_everything_it_needs_to_start_is_stubbed() {
    if !can_isolate() {
        return;
    }
    let report = run(&["/bin/true"], "stub=execve,execveat,prctl,seccomp,futex,clone", Watch::Treated);
    assert_eq!(report.end.main, Some(Ending::Exited(0)));
}

#[test]
fn a_worker_that_its_parent_reaps_does_not_die_unnoticed() {
    if !can_isolate() {
        return;
    }
    for script in ["sh -c 'kill -SEGV $$'; exit 0", "sh -c 'sleep 0.05; kill -SEGV $$' & wait; exit 0"] {
        let report = run(&["sh", "-c", script], "none", Watch::Treated);
        assert_eq!(report.end.main, Some(Ending::Exited(0)), "{script}");
        let deaths: Vec<_> = report.end.deaths.iter().map(|death| death.signal.as_str()).collect();
        assert_eq!(deaths, ["SIGSEGV"], "{script}");
    }
}

#[test]
fn children_that_end_well_are_no_deaths_however_many_and_quick() {
    if !can_isolate() {
        return;
    }
    let script = "i=0; while [ $i -lt 100 ]; do /bin/true; (exit 7); i=$((i+1)); done; (sleep 0.01 &) ; exit 0";
    let report = run(&["sh", "-c", script], "none", Watch::Treated);
    assert_eq!(report.end.deaths, []);
}

#[test]
fn what_the_main_process_leaves_is_ended_unless_it_is_waited_for() {
    let (left, waiting) = (["sh", "-c", "sleep 300 & echo done"], |launch: &mut Launch| launch.wait_for_children = false);
    let report = Shim::launch_with(&left, "none", Watch::Treated, waiting).report();
    assert_eq!(report.end.main, Some(Ending::Exited(0)));
    assert_eq!((report.end.left.processes, report.end.deaths.len()), (vec!["sleep".to_owned()], 0));
    assert_eq!(report.end.stdout.text(), "done\n");
    let about_to_end = ["sh", "-c", "(sleep 0.05; echo late) & echo early"];
    let report = Shim::launch_with(&about_to_end, "none", Watch::Treated, waiting).report();
    assert_eq!((report.end.stdout.text().as_ref(), report.end.left.processes.len()), ("early\nlate\n", 0));
    assert!(report.end.left.milliseconds >= 20, "it lived on for a while: {:?}", report.end.left);
}

#[test]
fn a_daemonised_app_goes_on_until_its_last_descendant() {
    if !can_isolate() {
        return;
    }
    let mut shim = Shim::launch(&["sh", "-c", "(setsid sh -c 'sleep 0.3; echo late' &) ; exit 0"], "none", Watch::Treated);
    assert_eq!(shim.hear(), Some(Event::Installed));
    assert_eq!(shim.hear(), Some(Event::MainEnded { ending: Ending::Exited(0), daemonised: true }));
    let report = shim.report();
    assert_eq!(report.end.stdout.text(), "late\n");
    assert!(!report.end.daemonised, "nothing was left at the end");
}

/// Has 10 files open, and when the file `go` appears, takes 2 ms of a processor for each that it closes, as a server does whose clients
/// have just ended.
const CLOSES_LATE: &str = r#"
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
static long cpu(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}
int main(int count, char **arguments) {
    if (count != 3) return 2;
    for (int file = 3; file < 4096; file++) close(file);
    for (int file = 3; file < 13; file++) open("/dev/null", O_RDONLY);
    close(open(arguments[1], O_CREAT | O_WRONLY, 0600));
    while (access(arguments[2], F_OK)) usleep(200);
    for (int file = 3; file < 13; file++) {
        for (long until = cpu() + 2000000; cpu() < until;) {}
        close(file);
    }
    for (;;) pause();
}
"#;

#[test]
fn open_files_are_counted_once_the_app_has_closed_what_it_closes() {
    if !can_isolate() {
        return;
    }
    let Some(program) = compile("closes-late", CLOSES_LATE) else { return };
    let files = tempfile::tempdir().unwrap();
    let [up, go] = ["up", "go"].map(|name| files.path().join(name));
    let command = [&program, &up, &go].map(|path| path.to_str().unwrap());
    let mut shim = Shim::launch_with(&command, "none", Watch::Treated, |launch| launch.settle_above = Some(3));
    assert_eq!(shim.hear(), Some(Event::Installed));
    while !up.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::fs::write(&go, "").unwrap();
    shim.say(&Command::Finish);
    assert_eq!(shim.report().end.open_files, Some(3), "standard input, output and error");
}

#[test]
fn finishing_kills_what_lives_and_does_not_call_it_a_death() {
    if !can_isolate() {
        return;
    }
    let mut shim = Shim::launch(&["sh", "-c", "trap '' TERM; sleep 1000 & echo up; wait"], "none", Watch::Treated);
    assert_eq!(shim.hear(), Some(Event::Installed));
    std::thread::sleep(Duration::from_millis(200));
    shim.say(&Command::Finish);
    let report = shim.report();
    assert_eq!(report.end.main, None);
    assert_eq!(report.end.deaths, []);
    assert_eq!(report.end.stdout.text(), "up\n");
    assert!(report.end.open_files.is_some_and(|count| count >= 3), "{:?}", report.end.open_files);
}

#[test]
fn an_app_that_spins_is_told_of_once_also_where_a_child_does_it() {
    if !can_isolate() {
        return;
    }
    for script in ["while :; do :; done", "sh -c 'while :; do :; done' & wait"] {
        let mut shim = Shim::launch_limited(&["sh", "-c", script], Duration::from_millis(200));
        assert_eq!(shim.hear(), Some(Event::Installed));
        assert_eq!(shim.hear(), Some(Event::Exhausted), "{script}");
        std::thread::sleep(Duration::from_millis(300));
        shim.say(&Command::Finish);
        let report = shim.report();
        assert!(report.end.cpu_time >= Duration::from_millis(200), "{:?}", report.end.cpu_time);
    }
    let mut idle = Shim::launch_limited(&["sleep", "0.3"], Duration::from_secs(5));
    assert_eq!(idle.hear(), Some(Event::Installed));
    assert!(matches!(idle.hear(), Some(Event::Report(_))), "what sleeps takes no processor time");
}

#[test]
fn who_tries_for_ever_is_answered_slowly_once_there_were_enough_answers() {
    if !can_isolate() {
        return;
    }
    let script = "i=0; while [ $i -lt 400 ]; do umask 022; i=$((i+1)); done";
    let begin = Instant::now();
    let shim = Shim::launch_with(&["sh", "-c", script], "stub=umask", Watch::Treated, |launch| {
        launch.prompt_answers = Some(100);
    });
    let report = shim.report();
    assert!(count(&report, "umask") >= 400, "{report:?}");
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
}

#[test]
fn threads_that_wait_for_a_processor_are_starved() {
    if !can_isolate() {
        return;
    }
    // Bound to one processor, two of them share it, and each waits half of the time.
    let script = "(while :; do :; done) & while :; do :; done";
    let mut shim = Shim::launch(&["taskset", "1", "sh", "-c", script], "none", Watch::Treated);
    assert_eq!(shim.hear(), Some(Event::Installed));
    std::thread::sleep(Duration::from_millis(600));
    shim.say(&Command::Finish);
    let starved = shim.report().end.starved;
    assert!(starved >= Duration::from_millis(150), "{starved:?}");
}

#[test]
fn a_shim_whose_host_is_gone_ends_with_its_app() {
    if !can_isolate() {
        return;
    }
    let mut shim = Shim::launch(&["sleep", "1000"], "none", Watch::Treated);
    assert_eq!(shim.hear(), Some(Event::Installed));
    drop(shim.child.stdin.take());
    assert_eq!(shim.hear(), None);
    assert_eq!(shim.child.wait().unwrap().code(), Some(4));
}

#[test]
fn a_program_that_cannot_be_executed_is_not_started_and_not_the_shims_trouble() {
    if !can_isolate() {
        return;
    }
    for (program, message) in
        [("no-such-program", "not in PATH"), ("/etc/passwd", "Permission denied"), ("/none", "No such file")]
    {
        let mut shim = Shim::launch(&[program], "stub=write", Watch::Treated);
        match shim.hear() {
            Some(Event::NotStarted { message: said }) => assert!(said.contains(message), "{said}"),
            other => panic!("{program}: {other:?}"),
        }
    }
}

#[test]
fn the_shim_refuses_to_run_outside_a_pid_namespace() {
    let output = Process::new(directory().join("loupe-shim")).arg("supervise").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not the init"));
}

#[test]
fn threads_signals_and_interrupted_calls_are_counted_once() {
    if !can_isolate() {
        return;
    }
    // Two threads and a timer that interrupts; `getppid` is called exactly 2000 times, whatever the signals do.
    let source = r"
        #include <pthread.h>
        #include <signal.h>
        #include <sys/time.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        static void tick(int signal) { (void)signal; }
        static void *work(void *unused) {
            for (int i = 0; i < 1000; i++) syscall(SYS_getppid);
            return unused;
        }
        int main(void) {
            struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
            struct itimerval timer = { { 0, 500 }, { 0, 500 } };
            pthread_t thread;
            sigaction(SIGALRM, &action, 0);
            setitimer(ITIMER_REAL, &timer, 0);
            if (pthread_create(&thread, 0, work, 0)) return 1;
            work(0);
            pthread_join(thread, 0);
            return 0;
        }";
    let Some(program) = compile("interrupted", source) else { return };
    for (intervention, watch) in [("none", Watch::Everything), ("fake=getppid", Watch::Treated)] {
        let report = run(&[program.to_str().unwrap()], intervention, watch);
        assert_eq!(report.end.main, Some(Ending::Exited(0)));
        assert_eq!(count(&report, "getppid"), 2000, "{watch:?}");
    }
}

#[test]
fn a_short_lived_child_that_nobody_collects_does_not_die_unnoticed() {
    if !can_isolate() {
        return;
    }
    let source = r"
        #include <signal.h>
        #include <stdlib.h>
        #include <unistd.h>
        int main(void) {
            signal(SIGCHLD, SIG_IGN);
            for (int i = 0; i < 100; i++) {
                int pid = fork();
                if (pid == 0) { if (i == 50) { usleep(3000); raise(SIGSEGV); } _exit(0); }
                while (kill(pid, 0) == 0) usleep(100);
            }
            return 0;
        }";
    let Some(program) = compile("unreaped", source) else { return };
    let report = run(&[program.to_str().unwrap()], "none", Watch::Treated);
    assert_eq!(report.end.main, Some(Ending::Exited(0)));
    assert_eq!(report.end.deaths.len(), 1, "{:?}", report.end.deaths);
    assert_eq!(report.end.deaths[0].process, "unreaped");
}

#[test]
fn files_that_were_asked_for_come_with_the_report() {
    let report = run(&["/bin/true"], "none", Watch::Treated);
    assert_eq!(report.files.keys().collect::<Vec<_>>(), ["/etc", "/etc/hostname"], "what is not there is left out");
    assert_eq!(report.files["/etc/hostname"], std::fs::read("/etc/hostname").unwrap());
    assert!(report.files["/etc"].is_empty(), "a directory is there, and has no content");
}

#[test]
fn large_output_is_bounded_in_memory_and_keeps_both_ends() {
    if !can_isolate() {
        return;
    }
    let script = "echo first; dd if=/dev/zero bs=65536 count=1600 2>/dev/null; echo last";
    let report = run(&["sh", "-c", script], "none", Watch::Treated);
    let text = report.end.stdout.text();
    assert!(text.starts_with("first\n") && text.ends_with("last\n"));
    assert!(report.end.stdout.kept.len() < 70 * 1024);
    assert_eq!(report.end.stdout.dropped, 1600 * 65536 + 11 - 64 * 1024);
}

#[test]
fn a_sidecar_gives_every_job_a_network_and_file_systems_of_its_own() {
    if !can_isolate() {
        return;
    }
    // As a container would be: a root file system of its own would need an image, so only mounts are private here.
    let mut shim = Shim::start("sidecar", &["--mount", "--net"]);
    assert_eq!(shim.hear(), Some(Event::Hello));
    std::fs::create_dir_all("/trial").unwrap();
    let mut ask = |script: &str| {
        shim.say(&Command::Network);
        assert_eq!(shim.hear(), Some(Event::NetworkReady));
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        shim.say(&Command::Run(Job { command, output_limit: 4096, ..Job::default() }));
        match shim.hear() {
            Some(Event::JobEnded(end)) => (end.ending, end.stdout.text().into_owned() + &end.stderr.text()),
            other => panic!("{other:?}"),
        }
    };
    let script = "readlink /proc/self/ns/net; ls /tmp | wc -l; echo left > /tmp/behind; cat /proc/net/tcp | wc -l; echo pid $$";
    let (first, second) = (ask(script), ask(script));
    assert_eq!(first.0, Some(Ending::Exited(0)), "{}", first.1);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (first, second) = (lines(&first.1), lines(&second.1));
    assert_ne!(first[0], second[0], "the network namespace was used twice");
    assert_eq!(first[1..3], ["0", "1"]);
    assert_eq!(second[1..3], ["0", "1"], "something was left behind");
    assert_eq!(ask("sleep 1000 & exit 5").0, Some(Ending::Exited(5)));
    assert_eq!(ask("kill -TERM $$").0, Some(Ending::Signaled("SIGTERM".into())));
    assert_eq!(ask("cat /proc/sys/net/ipv4/ip_unprivileged_port_start").1, "0\n");
}

#[test]
fn a_cancelled_job_is_over_at_once() {
    if !can_isolate() {
        return;
    }
    let mut shim = Shim::start("sidecar", &["--mount", "--net"]);
    assert_eq!(shim.hear(), Some(Event::Hello));
    std::fs::create_dir_all("/trial").unwrap();
    // The port never listens.
    let command = vec!["true".to_owned()];
    shim.say(&Command::Run(Job { command, port: Some(9), output_limit: 4096, ..Job::default() }));
    shim.say(&Command::Cancel);
    match shim.hear() {
        Some(Event::JobEnded(end)) => assert_eq!(end.ending, None),
        other => panic!("{other:?}"),
    }
}
