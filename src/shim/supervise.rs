//! The supervisor: launches the app, keeps watch until it is over or the host says so, reports.
//!
//! It is the init of an app's container, or what [`super::nest`] and [`super::stage`] become once they have made its surroundings.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::control::{self, Control, Signals, wait_for};
use super::launch::PathRules;
use super::lingering::Lingering;
use super::nest::layers::{self, Layers};
use super::notify::{Notifier, Shared};
use super::output::Capture;
use super::processes::{self, Processes, Realm};
use super::settle::{self, SETTLING};
use super::sys::{self, Listener, Spawned};
use super::{Context, ShimError, launch, memory, tracer};
use crate::filter;
use crate::syscalls::Architecture;
use crate::trial::wire::{AppReport, Command, Event, FILE_LIMIT, Launch};
use crate::trial::{AppEnd, Ending, Left, Output};

/// Capability that the shim needs to look into processes of another user, and the app must not have (`linux/capability.h`).
pub(super) const CAP_SYS_PTRACE: libc::c_ulong = 19;

/// How often `/proc` is looked through while the app runs.
const SCAN_INTERVAL: Duration = Duration::from_millis(50);
/// A look through `/proc` may take one part in this many of the time.
const SCAN_SHARE: u32 = 20;
/// How long to wait for killed processes; what is left dies with this init.
const KILL_LIMIT: Duration = Duration::from_secs(5);
/// Output that comes within this time is taken at one go.
const OUTPUT_PAUSE: Duration = Duration::from_millis(1);
/// How long to wait at the end for output that is still in a pipe.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// A stream of the app on its way into a [`Capture`].
pub(super) struct Stream {
    pub(super) pipe: Option<File>,
    pub(super) capture: Capture,
}

impl Stream {
    pub(super) fn new(pipe: File, limit: usize) -> Self {
        Self { pipe: Some(pipe), capture: Capture::new(limit) }
    }

    /// Takes what is there; forgets the pipe when its last writer is gone. Whether there was something, and surely nothing more.
    pub(super) fn take(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.pipe.as_mut().map(|pipe| pipe.read(&mut buffer)) {
            Some(Ok(count)) if count > 0 => {
                self.capture.push(&buffer[..count]);
                return count < buffer.len();
            }
            Some(Err(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Some(Ok(_) | Err(_)) | None => self.pipe = None,
        }
        false
    }
}

/// What a supervisor finds when it begins.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The standard input of the app.
    pub(super) input: OwnedFd,
    /// Which processes are the app's.
    pub(super) realm: Realm,
    /// Capabilities that the app must not have although the shim has them (`linux/capability.h`).
    pub(super) dropped_capabilities: Vec<libc::c_ulong>,
    /// Whether the processor time that goes into answering the app's calls counts as the app's: one that makes the same call again
    /// and again lets the supervisor do most of the work.
    pub(super) answers_count: bool,
    /// Whether what runs out of memory in this control group is the app.
    pub(super) own_control_group: bool,
    /// What the app's `HOME` is, if not the shim's.
    pub(super) home: Option<String>,
    /// How the app's program is looked up.
    pub(super) path_rules: PathRules,
    /// Where what the app writes goes, if that can be looked at.
    pub(super) layers: Layers,
}

/// Runs one app in a container as the host commands it.
pub(super) fn run(control: &mut Control) -> Result<(), ShimError> {
    let input = File::open("/dev/null").context("cannot open /dev/null")?.into();
    let surroundings = Surroundings {
        input,
        realm: Realm::Namespace,
        dropped_capabilities: Vec::new(),
        answers_count: false,
        own_control_group: true,
        home: None,
        path_rules: PathRules::Runtime,
        layers: Vec::new(),
    };
    run_in(&surroundings, control)
}

/// Runs one app as the host commands it.
pub(super) fn run_in(surroundings: &Surroundings, control: &mut Control) -> Result<(), ShimError> {
    let signals = Signals::take_over()?;
    control.send(&Event::Hello)?;
    let request = match control.wait()? {
        Command::Launch(request) => request,
        Command::Observe(request) => return tracer::run(surroundings, &request, control),
        other => return Err(ShimError::new(format!("expected the command to launch an app, and not {other:?}"))),
    };
    // Before the app begins, which may run out of memory at once.
    let killed_before = if surroundings.own_control_group { memory::kills() } else { None };
    let Some(app) = start(control, &request, surroundings)? else { return Ok(()) };
    let realm = surroundings.realm;
    let mut supervisor = Supervisor {
        app,
        realm,
        answers_count: surroundings.answers_count,
        main: None,
        announced: false,
        wait_for_children: request.wait_for_children,
        lingering: None,
        processor_limit: request.processor_limit,
        settle_above: request.settle_above,
        killed_before,
        overslept: Duration::ZERO,
    };
    if let Err(error) = supervisor.watch(control, &signals) {
        // With a pid namespace of its own the app ends with this process.
        if realm == Realm::Descendants {
            supervisor.kill_all(false)?;
        }
        return Err(error);
    }
    let report = supervisor.finish(surroundings, &request)?;
    control.send(&Event::Report(Box::new(report)))
}

/// The running app.
struct App {
    main: Pid,
    stdout: Stream,
    stderr: Stream,
    shared: Arc<Shared>,
}

/// Starts the app under its filter; `None` if its program can't be executed, which the host has been told then.
fn start(control: &mut Control, request: &Launch, surroundings: &Surroundings) -> Result<Option<App>, ShimError> {
    let dropped = surroundings.dropped_capabilities.iter().copied().chain([CAP_SYS_PTRACE]).collect();
    let home = surroundings.home.as_deref();
    let mut program = match launch::program(&request.command, None, dropped, home, surroundings.path_rules) {
        Ok(program) => program,
        Err(error) => return not_started(control, request, surroundings, &error),
    };
    let traced = request.traced.as_ref().map(|traced| traced.iter().filter_map(|item| item.call()).collect());
    let compiled = filter::compile(Architecture::NATIVE, &request.intervention, request.watch, traced.as_ref(), program.nonce);
    program.filter = Some(compiled.map_err(|error| ShimError::new(error.to_string()))?);

    let (stdout, stdout_writer) = control::pipe()?;
    let (stderr, stderr_writer) = control::pipe()?;
    control::use_standard_streams(&surroundings.input, &stdout_writer, &stderr_writer)
        .context("cannot set up the app's streams")?;
    let spawned = sys::spawn(&program).context("cannot make a process")?;
    control::release_standard_streams().context("cannot release the app's streams")?;
    drop((stdout_writer, stderr_writer));

    let (pid, listener) = match spawned {
        Spawned::Running { pid, listener } => (pid, listener),
        Spawned::NotExecuted(error) => return not_started(control, request, surroundings, &error),
        Spawned::NoFilter(error) => return Err(error).context("cannot install the seccomp filter"),
    };
    let listener = listener.ok_or_else(|| ShimError::new("the seccomp filter has no listener"))?;
    let shared = Arc::new(Shared::new(Processes::new(i32::try_from(std::process::id()).unwrap_or(1), surroundings.realm)));
    shared.processes().add(pid);
    serve(listener, request, &shared)?;
    control.send(&Event::Installed)?;
    let limit = request.output_limit;
    Ok(Some(App { main: Pid::from_raw(pid), stdout: Stream::new(stdout, limit), stderr: Stream::new(stderr, limit), shared }))
}

fn not_started(
    control: &mut Control,
    request: &Launch,
    surroundings: &Surroundings,
    error: &std::io::Error,
) -> Result<Option<App>, ShimError> {
    let name = request.command.first().map_or("", String::as_str);
    let error = launch::reason(name, surroundings.path_rules, error);
    control.send(&Event::NotStarted { message: format!("cannot execute `{name}`: {error}") })?;
    Ok(None)
}

fn serve(listener: Listener, request: &Launch, shared: &Arc<Shared>) -> Result<(), ShimError> {
    let notifier = Notifier::new(listener, request, Arc::clone(shared));
    let thread = std::thread::Builder::new().name("notifier".to_owned());
    // The thread ends with the process: it may be blocked in the kernel for as long as the app lives.
    thread.spawn(move || notifier.run()).map(drop).context("cannot start the notifier")
}

/// The contents of those files that are there.
fn collect(paths: &[String]) -> BTreeMap<String, Vec<u8>> {
    let content = |path: &String| {
        let metadata = std::fs::symlink_metadata(path).ok()?;
        let mut content = Vec::new();
        if metadata.is_file() {
            // One that can't be read is there all the same.
            let _ = File::open(path).and_then(|file| file.take(FILE_LIMIT as u64).read_to_end(&mut content));
        }
        Some((path.clone(), content))
    };
    paths.iter().filter_map(content).collect()
}

struct Supervisor {
    app: App,
    realm: Realm,
    answers_count: bool,
    /// How the main process ended, once it has.
    main: Option<Ending>,
    /// Whether the host knows that.
    announced: bool,
    /// Whether what the main process leaves is waited for, however long it lives.
    wait_for_children: bool,
    /// Set once the main process has ended.
    lingering: Option<Lingering>,
    /// Processor time of which the host is to be told.
    processor_limit: Option<Duration>,
    /// Open files above which their number has to settle.
    settle_above: Option<u64>,
    /// How many processes of the control group the kernel had killed for want of memory before, if that is of interest.
    killed_before: Option<u64>,
    /// Time by which this process woke up later than it asked to: it waited for a processor, or everything stood still.
    overslept: Duration,
}

impl Supervisor {
    /// Keeps watch until the host ends the trial, or no process of the app is left.
    fn watch(&mut self, control: &mut Control, signals: &Signals) -> Result<(), ShimError> {
        let mut next_scan = Instant::now() + SCAN_INTERVAL;
        loop {
            let ready = {
                let app = &self.app;
                let mut sources = vec![control.as_fd(), signals.as_fd()];
                let pipes = [&app.stdout.pipe, &app.stderr.pipe];
                sources.extend(pipes.iter().filter_map(|pipe| pipe.as_ref().map(AsFd::as_fd)));
                wait_for(&sources, Some(next_scan.saturating_duration_since(Instant::now())))?
            };
            self.overslept += Instant::now().saturating_duration_since(next_scan);
            let mut ready = ready.into_iter();
            let mut is_ready = || ready.next().unwrap_or(false);
            let (commanded, signalled) = (is_ready(), is_ready());
            let mut emptied = false;
            for stream in [&mut self.app.stdout, &mut self.app.stderr] {
                if stream.pipe.is_some() && is_ready() {
                    emptied |= stream.take();
                }
            }
            if emptied {
                // An app that complains without end, line by line, would have this process woken for every line.
                wait_for(&[control.as_fd(), signals.as_fd()], Some(OUTPUT_PAUSE))?;
            }
            if commanded {
                control.fill()?;
                match control.next()? {
                    Some(Command::Finish) => return Ok(()),
                    Some(other) => return Err(ShimError::new(format!("a supervisor cannot {other:?}"))),
                    None => {}
                }
            }
            if signalled && self.handle_signals(signals)? {
                return Ok(());
            }
            if self.main.is_some() && !self.announced {
                self.announced = true;
                let ending = self.main.clone().unwrap_or(Ending::Exited(0));
                control.send(&Event::MainEnded { ending, daemonised: true })?;
            }
            if Instant::now() >= next_scan {
                let begin = Instant::now();
                self.app.shared.processes().scan().context("cannot read /proc")?;
                self.watch_processor_time(control)?;
                if self.has_lingered() {
                    return Ok(());
                }
                next_scan = Instant::now() + SCAN_INTERVAL.max(begin.elapsed() * SCAN_SHARE);
            }
            if let Some(error) = self.app.shared.take_failure() {
                return Err(error).context("cannot answer the app's system calls");
            }
        }
    }

    /// Whether what the main process left has had its time.
    fn has_lingered(&mut self) -> bool {
        let living = self.app.shared.processes().living();
        let over = self.lingering.as_mut().is_some_and(|lingering| lingering.is_over(&living));
        over && !self.wait_for_children
    }

    /// Tells the host, once, when the app has taken as much processor time as it may.
    fn watch_processor_time(&mut self, control: &mut Control) -> Result<(), ShimError> {
        let Some(limit) = self.processor_limit else { return Ok(()) };
        let living = self.app.shared.processes().living();
        let (_, of_collected) = sys::usage_of_children();
        let of_answers = if self.answers_count { sys::own_processor_time() } else { Duration::ZERO };
        if processes::processor_time(&living) + of_collected + of_answers > limit {
            self.processor_limit = None;
            control.send(&Event::Exhausted)?;
        }
        Ok(())
    }

    /// Reaps and forwards; `true` when no process of the app is left.
    fn handle_signals(&mut self, signals: &Signals) -> Result<bool, ShimError> {
        let mut child_changed = false;
        while let Some(signal) = signals.next() {
            if signal == Signal::SIGCHLD {
                child_changed = true;
            } else if self.main.is_none() {
                // Gone in the meantime is fine.
                let _ = kill(self.app.main, signal);
            }
        }
        if child_changed { self.reap() } else { Ok(false) }
    }

    /// Collects every dead child; `true` when there is no child left.
    fn reap(&mut self) -> Result<bool, ShimError> {
        loop {
            // Held while reaping, so that the notifier never sees a process that is gone and not accounted for.
            let mut processes = self.app.shared.processes();
            if self.main.is_none() {
                // Its last look, which tells how long it waited.
                processes.add(self.app.main.as_raw());
            }
            match sys::reap_any() {
                Ok(Some((pid, status))) => {
                    let ending = processes.reaped(pid, status);
                    if pid == self.app.main.as_raw() {
                        self.main = Some(ending);
                        self.lingering = Some(Lingering::begin());
                    }
                }
                Ok(None) => return Ok(false),
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(true),
                Err(error) => return Err(error).context("cannot wait for a child"),
            }
        }
    }

    /// Takes stock, ends whatever of the app still lives, and tells what became of it.
    fn finish(mut self, surroundings: &Surroundings, request: &Launch) -> Result<AppReport, ShimError> {
        // Deaths until here are the app's own; what follows is ours. A dead main process may not have been reaped yet.
        self.reap()?;
        let shared = Arc::clone(&self.app.shared);
        let (living, deaths, longest_wait) = {
            let mut processes = shared.processes();
            processes.scan().context("cannot read /proc")?;
            (processes.living(), processes.deaths().to_vec(), processes.longest_wait())
        };
        let main_lives = living.contains(&self.app.main.as_raw());
        let left = match &self.lingering {
            Some(lingering) if self.announced || !living.is_empty() => {
                Left { processes: shared.processes().names(&living), milliseconds: lingering.milliseconds() }
            }
            Some(_) | None => Left::default(),
        };
        let (open_files, settling) = self.open_files(&living);
        let peak_of_living = processes::peak_rss_kib(&living);
        // An app that waits for an answer waits as long as the supervisor does.
        let starved = processes::starved(&living).max(longest_wait).max(self.overslept) + processes::own_wait();
        self.kill_all(main_lives)?;
        self.drain()?;
        let files = collect(&request.files);
        let changes = layers::changes(&surroundings.layers, &request.look_at);
        let out_of_memory = self.killed_before.is_some_and(|before| memory::kills().is_some_and(|now| now > before));
        let (peak_of_dead, cpu_time) = sys::usage_of_children();
        // What the app did while it was waited for is not its workload's.
        let cpu_time = cpu_time.saturating_sub(settling);
        let App { stdout, stderr, shared, .. } = self.app;
        let finish = |stream: Stream| -> Output { stream.capture.finish() };
        let end = AppEnd {
            daemonised: self.main.is_some() && !living.is_empty(),
            main: self.main,
            left,
            deaths,
            out_of_memory,
            stdout: finish(stdout),
            stderr: finish(stderr),
            peak_rss_kib: peak_of_living.max(peak_of_dead),
            cpu_time,
            open_files,
            starved,
        };
        let calls = shared.recorder().log();
        Ok(AppReport { end, calls, files, changes })
    }

    /// The app's open files, counted once they have settled if there are more than the host cares about; and the processor time that the
    /// app took meanwhile.
    fn open_files(&self, living: &[i32]) -> (Option<u64>, Duration) {
        let count = processes::open_files(living);
        if self.settle_above.is_none_or(|above| count.is_none_or(|count| count <= above)) {
            return (count, Duration::ZERO);
        }
        let before = processes::processor_time(living);
        let settled = settle::settled(SETTLING, || (processes::open_files(living), processes::run(living)), std::thread::sleep);
        (settled, processes::processor_time(living).saturating_sub(before))
    }

    /// Kills every process of the app, and reaps them all.
    fn kill_all(&mut self, main_lives: bool) -> Result<(), ShimError> {
        let main_before = self.main.clone();
        let limit = Instant::now() + KILL_LIMIT;
        while Instant::now() < limit {
            for pid in self.targets()? {
                match kill(Pid::from_raw(pid), Signal::SIGKILL) {
                    Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
                    Err(error) => return Err(error).context("cannot end the app"),
                }
            }
            if self.reap()? {
                break;
            }
            // A fork under way can escape one round.
            std::thread::sleep(Duration::from_millis(1));
        }
        if main_lives {
            self.main = main_before;
        }
        Ok(())
    }

    /// What has to be killed to end the app: everything but this process (kill(2)) in a namespace of its own.
    fn targets(&self) -> Result<Vec<i32>, ShimError> {
        match self.realm {
            Realm::Namespace => Ok(vec![-1]),
            Realm::Descendants => {
                let mut processes = self.app.shared.processes();
                processes.scan().context("cannot read /proc")?;
                Ok(processes.living())
            }
        }
    }

    /// Takes what is left in the pipes. Nobody writes any more.
    fn drain(&mut self) -> Result<(), ShimError> {
        let limit = Instant::now() + DRAIN_LIMIT;
        for stream in [&mut self.app.stdout, &mut self.app.stderr] {
            while let Some(pipe) = &stream.pipe {
                let left = limit.saturating_duration_since(Instant::now());
                if left.is_zero() || !wait_for(&[pipe.as_fd()], Some(left))?.contains(&true) {
                    break;
                }
                stream.take();
            }
        }
        Ok(())
    }
}
