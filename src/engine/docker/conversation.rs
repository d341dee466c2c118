//! A container's attached streams as a conversation with the shim in it.

use std::pin::Pin;

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::query_parameters::AttachContainerOptions;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::engine::supervisor;
use crate::trial::wire::{Command, Decoder, Event};

/// Why the conversation is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// The shim is gone without a last word.
    #[error("the shim is gone{}", .said.as_ref().map(|said| format!(": {said}")).unwrap_or_default())]
    Ended {
        /// What it said on its standard error, if anything.
        said: Option<String>,
    },
    /// The engine's stream failed.
    #[error("the engine's stream failed: {0}")]
    Stream(String),
    /// The shim said something that can't be understood.
    #[error("{0}")]
    Garbled(String),
}

/// How much of the shim's standard error is kept; it says nothing unless it is broken.
const SAID_LIMIT: usize = 2000;

pub(super) struct Conversation {
    output: Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>,
    input: Pin<Box<dyn AsyncWrite + Send>>,
    decoder: Decoder,
    said: String,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Conversation").finish_non_exhaustive()
    }
}

impl Conversation {
    /// Attaches to a container that has not been started yet, so that nothing is missed.
    pub(super) async fn attach(docker: &Docker, container: &str) -> Result<Self, bollard::errors::Error> {
        let options =
            AttachContainerOptions { stream: true, stdin: true, stdout: true, stderr: true, ..AttachContainerOptions::default() };
        let AttachContainerResults { output, input } = docker.attach_container(container, Some(options)).await?;
        Ok(Self { output, input, decoder: Decoder::default(), said: String::new() })
    }
}

impl supervisor::Conversation for Conversation {
    type Broken = Broken;

    async fn send(&mut self, command: &Command) -> Result<(), Broken> {
        let broken = |error: std::io::Error| Broken::Stream(error.to_string());
        self.input.write_all(&command.frame().encode()).await.map_err(broken)?;
        self.input.flush().await.map_err(broken)
    }

    async fn next(&mut self) -> Result<Event, Broken> {
        loop {
            let garbled = |error: crate::trial::wire::WireError| Broken::Garbled(error.to_string());
            if let Some(frame) = self.decoder.next_frame().map_err(garbled)? {
                return Event::from_frame(&frame).map_err(garbled);
            }
            match self.output.next().await {
                Some(Ok(LogOutput::StdErr { message })) => {
                    let room = SAID_LIMIT.saturating_sub(self.said.len());
                    self.said.extend(String::from_utf8_lossy(&message).chars().take(room));
                }
                Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message })) => self.decoder.push(&message),
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Err(error)) => return Err(Broken::Stream(error.to_string())),
                None => {
                    let said = Some(self.said.trim().to_owned()).filter(|said| !said.is_empty());
                    return Err(Broken::Ended { said });
                }
            }
        }
    }
}
