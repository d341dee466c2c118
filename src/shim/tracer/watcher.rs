//! The other thread of an observer: it takes the command's output as it comes, and ends the command when the host says so or is gone.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::control::{self, wait_for};
use super::super::processes::{Processes, Realm};
use super::super::supervise::Stream;
use super::super::{Context, ShimError};
use crate::trial::Output;

/// How long to wait at the end for output that is still in a pipe.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// Between two attempts to end a command: a fork under way can escape one of them.
const PAUSE: Duration = Duration::from_millis(5);

/// A thread that watches.
pub(super) struct Watcher {
    thread: JoinHandle<Result<[Output; 2], ShimError>>,
    /// Closed to tell the thread that the command is over.
    over: OwnedFd,
}

impl Watcher {
    /// Begins to take what comes from `pipes` and from the host. Anything the host says, or that it is gone, ends the command.
    pub(super) fn start(commands: File, pipes: [File; 2], limit: usize, realm: Realm) -> Result<Self, ShimError> {
        let (is_over, over) = control::pipe()?;
        let streams = pipes.map(|pipe| Stream::new(pipe, limit));
        let watch = Watch { commands: Some(commands), is_over, streams, realm };
        let thread = std::thread::Builder::new().name("watcher".to_owned()).spawn(move || watch.run());
        Ok(Self { thread: thread.context("cannot start the watcher")?, over })
    }

    /// The command is over: what it wrote to each of the pipes.
    pub(super) fn finish(self) -> Result<[Output; 2], ShimError> {
        drop(self.over);
        self.thread.join().unwrap_or_else(|_| Err(ShimError::new("the watcher panicked")))
    }
}

struct Watch {
    /// `None` once the host has said something.
    commands: Option<File>,
    is_over: File,
    streams: [Stream; 2],
    realm: Realm,
}

impl Watch {
    fn run(mut self) -> Result<[Output; 2], ShimError> {
        let mut end = None;
        loop {
            let ready = {
                let mut sources = vec![self.is_over.as_fd()];
                sources.extend(self.commands.as_ref().map(AsFd::as_fd));
                sources.extend(self.streams.iter().filter_map(|stream| stream.pipe.as_ref()).map(AsFd::as_fd));
                wait_for(&sources, if self.commands.is_none() { Some(PAUSE) } else { None })?
            };
            let mut ready = ready.into_iter();
            let over = ready.next().unwrap_or(false);
            if self.commands.is_some() && ready.next().unwrap_or(false) {
                self.hear();
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
                    return Ok(self.streams.map(|stream| stream.capture.finish()));
                }
            } else if self.commands.is_none() {
                self.end_command();
            }
        }
    }

    /// Whatever the host says to an observer, and also that it is gone, ends the command.
    fn hear(&mut self) {
        let mut buffer = [0; 4096];
        match self.commands.as_mut().map(|commands| commands.read(&mut buffer)) {
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Some(Ok(_) | Err(_)) | None => self.commands = None,
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
