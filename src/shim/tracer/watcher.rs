//! The other thread of an observer: it takes the command's output as it comes, and ends the command when the host says so or is gone.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::control::{self, wait_for};
use super::super::lingering::Lingering;
use super::super::processes::{Processes, Realm};
use super::super::supervise::Stream;
use super::super::{Context, ShimError};
use crate::trial::{Left, Output};

/// How long to wait at the end for output that is still in a pipe.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// Between two attempts to end a command: a fork under way can escape one of them.
const PAUSE: Duration = Duration::from_millis(5);
/// Between two looks at what the main process left.
const LOOK: Duration = Duration::from_millis(50);

/// A thread that watches.
pub(super) struct Watcher {
    thread: JoinHandle<Result<Taken, ShimError>>,
    /// Closed to tell the thread that the main process has ended, and what it left is to be ended soon.
    main_over: Option<OwnedFd>,
    /// Closed to tell the thread that the command is over.
    over: OwnedFd,
}

/// What a watcher has when the command is over.
#[derive(Debug)]
pub(super) struct Taken {
    /// What it wrote to each of the pipes.
    pub(super) outputs: [Output; 2],
    /// What its main process left.
    pub(super) left: Left,
}

impl Watcher {
    /// Begins to take what comes from `pipes` and from the host. Anything the host says, or that it is gone, ends the command.
    pub(super) fn start(commands: File, pipes: [File; 2], limit: usize, realm: Realm) -> Result<Self, ShimError> {
        let (is_over, over) = control::pipe()?;
        let (main_is_over, main_over) = control::pipe()?;
        let watch = Watch {
            commands: Some(commands),
            is_over,
            main_is_over: Some(main_is_over),
            streams: pipes.map(|pipe| Stream::new(pipe, limit)),
            realm,
            lingering: None,
            left: Left::default(),
            enough: false,
        };
        let thread = std::thread::Builder::new().name("watcher".to_owned()).spawn(move || watch.run());
        Ok(Self { thread: thread.context("cannot start the watcher")?, main_over: Some(main_over), over })
    }

    /// The main process has ended: what it left is given a moment, and is ended then.
    pub(super) fn main_ended(&mut self) {
        self.main_over = None;
    }

    /// The command is over.
    pub(super) fn finish(self) -> Result<Taken, ShimError> {
        let Self { thread, main_over: _main_over, over } = self;
        drop(over);
        thread.join().unwrap_or_else(|_| Err(ShimError::new("the watcher panicked")))
    }
}

struct Watch {
    /// `None` once the host has said something.
    commands: Option<File>,
    is_over: File,
    /// `None` once the main process has ended.
    main_is_over: Option<File>,
    streams: [Stream; 2],
    realm: Realm,
    /// Set once the main process has ended.
    lingering: Option<Lingering>,
    left: Left,
    /// Whether the command is to be ended.
    enough: bool,
}

impl Watch {
    fn run(mut self) -> Result<Taken, ShimError> {
        let mut end = None;
        loop {
            let ready = {
                let mut sources = vec![self.is_over.as_fd()];
                sources.extend(self.commands.as_ref().map(AsFd::as_fd));
                sources.extend(self.main_is_over.as_ref().map(AsFd::as_fd));
                sources.extend(self.streams.iter().filter_map(|stream| stream.pipe.as_ref()).map(AsFd::as_fd));
                let timeout = if self.enough { Some(PAUSE) } else { self.lingering.as_ref().map(|_| LOOK) };
                wait_for(&sources, timeout)?
            };
            let mut ready = ready.into_iter();
            let over = ready.next().unwrap_or(false);
            if self.commands.is_some() && ready.next().unwrap_or(false) {
                self.hear();
            }
            if self.main_is_over.is_some() && ready.next().unwrap_or(false) {
                self.main_is_over = None;
                self.lingering = Some(Lingering::begin());
            }
            let mut took = false;
            for stream in &mut self.streams {
                if stream.pipe.is_some() && ready.next().unwrap_or(false) {
                    stream.take();
                    took = true;
                }
            }
            if over {
                let end = *end.get_or_insert_with(|| Instant::now() + DRAIN_LIMIT);
                if !took || self.streams.iter().all(|stream| stream.pipe.is_none()) || Instant::now() > end {
                    return Ok(Taken { outputs: self.streams.map(|stream| stream.capture.finish()), left: self.left });
                }
            } else {
                self.look_at_left();
                if self.enough {
                    self.end_command();
                }
            }
        }
    }

    /// Whatever the host says to an observer, and also that it is gone, ends the command.
    fn hear(&mut self) {
        let mut buffer = [0; 4096];
        match self.commands.as_mut().map(|commands| commands.read(&mut buffer)) {
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Some(Ok(_) | Err(_)) | None => (self.commands, self.enough) = (None, true),
        }
    }

    /// Looks at what the main process left, until it had its time.
    fn look_at_left(&mut self) {
        let Some(lingering) = self.lingering.as_mut().filter(|_| !self.enough) else { return };
        let mut processes = Processes::new(i32::try_from(std::process::id()).unwrap_or(0), self.realm);
        if processes.scan().is_err() {
            return;
        }
        let living = processes.living();
        self.left.milliseconds = if living.is_empty() { 0 } else { lingering.milliseconds() };
        if lingering.is_over(&living) {
            self.left.processes = processes.names(&living);
            self.enough = true;
        }
    }

    fn end_command(&self) {
        match self.realm {
            // Everything but this process (kill(2)).
            Realm::Namespace => {
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            }
            Realm::Descendants => {
                let mut processes = Processes::new(i32::try_from(std::process::id()).unwrap_or(0), self.realm);
                if processes.scan().is_ok() {
                    for pid in processes.living() {
                        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                    }
                }
            }
        }
    }
}
