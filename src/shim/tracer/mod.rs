//! Observes a command with ptrace(2): every call of every process and thread of it, with its arguments, its result and the time it took.
//!
//! The notifications that trials work with ([`super::notify`]) see a call before the kernel runs it and never its result. An
//! observer stops the caller twice per call instead, which costs more and does not work for commands that use ptrace
//! themselves; it is for the trace alone, and no trial depends on it.
//!
//! This thread waits for the observed threads, as ptrace(2) wants it to be always the same one. Another (`watcher`) takes the
//! output and listens to the host meanwhile.

mod record;
mod untraced;
mod watcher;

use super::control::{self, Control};
use super::processes::ending;
use super::supervise::{CAP_SYS_PTRACE, Surroundings};
use super::sys::ptrace::{self, Change, Onward};
use super::sys::{self, Spawned};
use super::{Context, ShimError, launch};
use crate::trial::wire::Event;
use crate::trial::{Ending, Observe, Trace};
use record::Record;
use untraced::Untraced;
use watcher::{Taken, Watcher};

/// Runs a command as the host asks and tells what it did.
pub(super) fn run(surroundings: &Surroundings, request: &Observe, control: &mut Control) -> Result<(), ShimError> {
    let name = request.command.first().map_or("", String::as_str);
    let not_started = |error: &std::io::Error| Event::NotStarted { message: format!("cannot execute `{name}`: {error}") };
    let dropped = surroundings.dropped_capabilities.iter().copied().chain([CAP_SYS_PTRACE]).collect();
    let home = surroundings.home.as_deref();
    let mut program = match launch::program(&request.command, None, dropped, home, surroundings.path_rules) {
        Ok(program) => program,
        Err(error) => return control.send(&not_started(&error)),
    };
    program.observed = true;
    let (stdout, stdout_writer) = control::pipe()?;
    let (stderr, stderr_writer) = control::pipe()?;
    control::use_standard_streams(&surroundings.input, &stdout_writer, &stderr_writer)
        .context("cannot set up the command's streams")?;
    let spawned = ptrace::spawn_observed(&program).context("cannot observe a process")?;
    control::release_standard_streams().context("cannot release the command's streams")?;
    drop((stdout_writer, stderr_writer));
    let main = match spawned {
        Spawned::Running { pid, .. } => pid,
        Spawned::NotExecuted(error) => return control.send(&not_started(&error)),
        Spawned::NoFilter(error) => return Err(error).context("cannot start the command"),
    };
    control.send(&Event::Installed)?;
    let commands = control.listener().context("cannot listen to the host")?;
    let watcher = Watcher::start(commands, [stdout, stderr], request.output_limit, surroundings.realm)?;
    let record = Record::new(request.lines);
    let wait_for_children = request.wait_for_children;
    let mut observer = Observer { main, wait_for_children, ending: None, record, untraced: Untraced::new(), watcher };
    observer.begin(control)?;
    observer.observe(control)?;
    let Observer { ending, record, watcher, .. } = observer;
    let Taken { outputs: [stdout, stderr], left } = watcher.finish()?;
    let trace = Trace { main: ending, left, stdout, stderr, ..record.finish() };
    control.send(&Event::Traced(Box::new(trace)))
}

/// Follows threads from stop to stop.
struct Observer {
    main: libc::pid_t,
    /// Whether what the main process leaves is waited for, however long it lives.
    wait_for_children: bool,
    ending: Option<Ending>,
    record: Record,
    untraced: Untraced,
    watcher: Watcher,
}

impl Observer {
    /// The main thread stands at its first instruction.
    fn begin(&mut self, control: &mut Control) -> Result<(), ShimError> {
        let main = self.main;
        self.handle(main, Change::Other, control)
    }

    /// Until no process of the command is left.
    fn observe(&mut self, control: &mut Control) -> Result<(), ShimError> {
        loop {
            match ptrace::wait(-1) {
                Ok((thread, change)) => self.handle(thread, change, control)?,
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(()),
                Err(error) => return Err(error).context("cannot wait for the command"),
            }
        }
    }

    fn handle(&mut self, thread: libc::pid_t, change: Change, control: &mut Control) -> Result<(), ShimError> {
        let is_new = !self.record.knows(thread);
        let line = match change {
            Change::Ended(status) => {
                let end = ending(status);
                // One that was killed may have been so before it was ever seen, and did nothing.
                if is_new && end != Ending::Signaled("SIGKILL".to_owned()) {
                    self.record.escaped();
                }
                let line = self.record.ended(thread, &end);
                if thread == self.main {
                    self.ending = Some(end.clone());
                    self.main_ended(end, control)?;
                }
                line
            }
            Change::Entry { architecture, number, arguments } => self.record.entry(thread, architecture, number, arguments),
            Change::Exit { result } => self.record.exit(thread, result),
            Change::Executed { former } => self.record.executed(thread, former),
            Change::Signal(signal) => self.record.signal(thread, signal),
            Change::Made { .. } | Change::Stopped | Change::Other => self.record.seen(thread),
        };
        if let Some(text) = line {
            control.send(&Event::Line { text })?;
        }
        let mut released = Vec::new();
        match change {
            Change::Entry { architecture, number, arguments } => {
                if self.untraced.enter(thread, architecture, number, &arguments).is_err() {
                    self.record.escaped();
                }
            }
            Change::Exit { .. } | Change::Ended(_) => released = self.untraced.leave(thread),
            Change::Made { child } => released = self.untraced.made(thread, child),
            Change::Other | Change::Stopped if is_new && self.untraced.holds(thread) => return Ok(()),
            Change::Executed { .. } | Change::Signal(_) | Change::Stopped | Change::Other => {}
        }
        for child in released {
            ptrace::go_on(child, Onward::Run(0)).context("cannot let a new process of the command go on")?;
        }
        let onward = match change {
            Change::Ended(_) => return Ok(()),
            Change::Signal(signal) => Onward::Run(signal),
            Change::Stopped => Onward::Listen,
            Change::Entry { .. } | Change::Exit { .. } | Change::Executed { .. } | Change::Made { .. } | Change::Other => {
                Onward::Run(0)
            }
        };
        self.record.released(thread);
        ptrace::go_on(thread, onward).context("cannot let a thread of the command go on")
    }
}

impl Observer {
    /// The main process has ended, and with it the command, unless others are to be waited for.
    fn main_ended(&mut self, ending: Ending, control: &mut Control) -> Result<(), ShimError> {
        if !self.wait_for_children {
            self.watcher.main_ended();
        }
        // A child may live that was not seen yet: nothing else can be said here.
        control.send(&Event::MainEnded { ending, daemonised: true })
    }
}

/// The memory of an observed thread.
fn reader(thread: libc::pid_t) -> impl FnMut(u64, &mut [u8]) -> bool {
    let thread = u32::try_from(thread).unwrap_or(0);
    move |address, buffer| sys::read_memory(thread, address, buffer)
}
