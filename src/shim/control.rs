//! The shim's side of the conversation with its host, and the loop that waits for everything at once.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::{Context, ShimError};
use crate::trial::wire::{Command, Decoder, Event};

/// Commands in, events out; taken over from the standard streams, which are then free for the app.
#[derive(Debug)]
pub(super) struct Control {
    input: File,
    output: File,
    decoder: Decoder,
}

impl Control {
    /// Moves the standard streams to descriptors that no child inherits, and leaves `/dev/null` in their place.
    pub(super) fn take_over() -> io::Result<Self> {
        let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        release_standard_streams()?;
        Ok(Self { input, output, decoder: Decoder::default() })
    }

    /// Sends the message of a panic as trouble before the process ends, so that it is never taken for the app's doing.
    pub(super) fn report_panics(&self) {
        let Ok(output) = self.output.try_clone() else { return };
        std::panic::set_hook(Box::new(move |panic| {
            let frame = Event::Trouble { message: format!("the shim panicked: {panic}") }.frame();
            let _ = (&output).write_all(&frame.encode());
            std::process::exit(101);
        }));
    }

    /// Another reader of the commands, for a thread of its own. Only one of the two may read.
    pub(super) fn listener(&self) -> io::Result<File> {
        self.input.try_clone()
    }

    pub(super) fn send(&mut self, event: &Event) -> Result<(), ShimError> {
        self.output.write_all(&event.frame().encode()).map_err(|_| ShimError::HostGone)
    }

    /// Reads what is there; call it when the input is readable.
    pub(super) fn fill(&mut self) -> Result<(), ShimError> {
        let mut buffer = [0; 16 * 1024];
        match self.input.read(&mut buffer) {
            Ok(0) => Err(ShimError::HostGone),
            Ok(count) => {
                self.decoder.push(&buffer[..count]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => Ok(()),
            Err(_) => Err(ShimError::HostGone),
        }
    }

    /// The next command that has arrived whole.
    pub(super) fn next(&mut self) -> Result<Option<Command>, ShimError> {
        let bad = |error: crate::trial::wire::WireError| ShimError::new(error.to_string());
        match self.decoder.next_frame().map_err(bad)? {
            Some(frame) => Command::from_frame(&frame).map(Some).map_err(bad),
            None => Ok(None),
        }
    }

    /// Waits for the next command.
    pub(super) fn wait(&mut self) -> Result<Command, ShimError> {
        loop {
            if let Some(command) = self.next()? {
                return Ok(command);
            }
            self.fill()?;
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }
}

/// Puts `/dev/null` in the place of the standard streams.
pub(super) fn release_standard_streams() -> io::Result<()> {
    // An image `FROM scratch` has a /dev/null too: the engine mounts /dev.
    let null = OwnedFd::from(File::options().read(true).write(true).open("/dev/null")?);
    use_standard_streams(&null, &null, &null)
}

/// Makes the given descriptors the standard streams, which children inherit.
pub(super) fn use_standard_streams(input: &OwnedFd, output: &OwnedFd, error: &OwnedFd) -> io::Result<()> {
    nix::unistd::dup2_stdin(input)?;
    nix::unistd::dup2_stdout(output)?;
    nix::unistd::dup2_stderr(error)?;
    Ok(())
}

/// A pipe whose ends no child inherits.
pub(super) fn pipe() -> Result<(File, OwnedFd), ShimError> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).context("cannot make a pipe")?;
    Ok((File::from(reader), writer))
}

/// Signals as events: those of children, and those that an init forwards.
#[derive(Debug)]
pub(super) struct Signals(SignalFd);

impl Signals {
    /// Blocks every signal that can be blocked and will be read here instead.
    pub(super) fn take_over() -> Result<Self, ShimError> {
        let mut set = SigSet::all();
        // What a bug of the shim itself raises has to kill it.
        for fatal in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE, Signal::SIGABRT, Signal::SIGTRAP] {
            set.remove(fatal);
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None).context("cannot block signals")?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        SignalFd::with_flags(&set, flags).map(Self).context("cannot read signals")
    }

    /// The next signal that has arrived.
    pub(super) fn next(&self) -> Option<Signal> {
        let info = self.0.read_signal().ok().flatten()?;
        i32::try_from(info.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok())
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of the sources is readable or over, or the time is up; says of each whether it is.
pub(super) fn wait_for(sources: &[BorrowedFd<'_>], timeout: Option<Duration>) -> Result<Vec<bool>, ShimError> {
    let mut polled: Vec<_> = sources.iter().map(|source| PollFd::new(*source, PollFlags::POLLIN)).collect();
    let timeout = timeout.map_or(PollTimeout::NONE, |timeout| {
        // Rounded up: a wait of less than a millisecond must not become a busy loop.
        PollTimeout::try_from(timeout.as_millis() + 1).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut polled, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(error) => return Err(error).context("cannot wait"),
    }
    Ok(polled.iter().map(|source| source.any().unwrap_or(false)).collect())
}
