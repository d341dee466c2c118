//! A shim that was started here, and the streams over which it is talked to.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command as Process};
use tokio::time::timeout;

use super::executable::Executable;
use crate::engine::supervisor::{self, Conversation as _};
use crate::trial::wire::{Command, Decoder, Event, Nest};

/// Longest wait for a shim to make surroundings, which takes it milliseconds on a machine that is not busy.
const NEST_LIMIT: Duration = Duration::from_secs(20);
/// Longest wait for a shim to end after it said its last word or its streams were closed.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Where a shim is started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) directory: &'a Path,
    /// Added to Loupe's own environment.
    pub(super) environment: &'a BTreeMap<String, String>,
}

/// A conversation with a shim of its own, which is killed with everything below it when this is dropped.
#[derive(Debug)]
pub(super) struct Conversation {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    decoder: Decoder,
    /// What was read last.
    buffer: Vec<u8>,
}

impl Conversation {
    /// Starts a shim that makes these surroundings; what keeps them apart from the machine.
    ///
    /// The error is what went wrong, in words.
    pub(super) async fn begin(shim: &Executable, nest: &Nest, place: Place<'_>) -> Result<(Self, String), String> {
        let mut conversation = Self::start(shim, place).map_err(|error| format!("cannot start the shim: {error}"))?;
        conversation.send(&Command::Nest(nest.clone())).await?;
        match timeout(NEST_LIMIT, conversation.next()).await {
            Ok(Ok(Event::Nested { isolation })) => Ok((conversation, isolation)),
            Ok(Ok(Event::Trouble { message })) => Err(message),
            Ok(Ok(other)) => Err(format!("the shim said {other:?} before its surroundings were there")),
            Ok(Err(broken)) => Err(broken),
            Err(_) => Err(format!("its surroundings were not there after {NEST_LIMIT:?}")),
        }
    }

    fn start(shim: &Executable, place: Place<'_>) -> std::io::Result<Self> {
        let mut child = Process::new(shim.path())
            .arg0("loupe-shim")
            .arg("nest")
            .current_dir(place.directory)
            .envs(place.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Keys of the terminal that interrupt Loupe are for Loupe alone.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("its streams are missing"));
        };
        Ok(Self { child, input, output, decoder: Decoder::default(), buffer: vec![0; 16 * 1024] })
    }

    fn end_in_words(&mut self) -> String {
        match self.child.try_wait() {
            Ok(Some(status)) => format!("the shim ended without a report ({status})"),
            Ok(None) | Err(_) => "the shim ended without a report".to_owned(),
        }
    }

    /// Waits until the shim is gone, and everything below it; kills it if it does not go.
    pub(super) async fn end(self) {
        let Self { mut child, input, output, decoder: _, buffer: _ } = self;
        drop((input, output));
        if timeout(END_LIMIT, child.wait()).await.is_err() {
            // It is killed at the latest when it is dropped.
            let _ = child.kill().await;
        }
    }
}

impl supervisor::Conversation for Conversation {
    type Broken = String;

    async fn send(&mut self, command: &Command) -> Result<(), String> {
        let sent = self.input.write_all(&command.frame().encode()).await;
        sent.map_err(|error| format!("the shim is gone: {error}"))
    }

    async fn next(&mut self) -> Result<Event, String> {
        let garbled = |error: crate::trial::wire::WireError| format!("the shim said something unintelligible: {error}");
        loop {
            if let Some(frame) = self.decoder.next_frame().map_err(garbled)? {
                return Event::from_frame(&frame).map_err(garbled);
            }
            match self.output.read(&mut self.buffer).await {
                Ok(0) => return Err(self.end_in_words()),
                Ok(count) => self.decoder.push(&self.buffer[..count]),
                Err(error) => return Err(format!("the shim is gone: {error}")),
            }
        }
    }
}
