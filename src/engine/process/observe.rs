//! The trace alone: one run of a command under the eyes of an observer, who sees how every call ends.

use std::collections::BTreeMap;

use super::super::EngineError;
use super::ProcessEngine;
use super::conversation::{Conversation, Place};
use crate::engine::supervisor::Conversation as _;
use crate::trial::wire::{Command, Event};
use crate::trial::{Observe, Trace};

/// What came of observing a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// It ran.
    Over {
        /// What it did.
        trace: Box<Trace>,
        /// Whether it was ended before it was done.
        cut_short: bool,
    },
    /// Its program cannot be executed, with what the kernel said.
    NotStarted(String),
}

/// Something that happens while a command is observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observing<'a> {
    /// A call is over, or something else happened: as a person reads it.
    Line(&'a str),
    /// The main process has ended; others may live on.
    MainEnded,
}

impl ProcessEngine {
    /// Runs a command once and tells `tell` what happens: every call, where that is asked for. The command is ended when `enough` is.
    ///
    /// # Errors
    /// [`EngineError::NoIsolation`] if the command cannot be kept apart from the machine although it has to, and others if
    /// observing fails.
    pub async fn observe(
        &self,
        observe: Observe,
        mut tell: impl FnMut(Observing<'_>),
        enough: impl Future<Output = ()>,
    ) -> Result<Observed, EngineError> {
        self.isolation().await?;
        let failed = |what: String| EngineError::Unfit(format!("cannot observe the command: {what}"));
        let place = Place { directory: &self.0.options.directory, environment: &BTreeMap::new() };
        let (mut conversation, _) = Conversation::begin(&self.0.shim, &self.nest(), place).await.map_err(failed)?;
        conversation.send(&Command::Observe(observe)).await.map_err(failed)?;
        let mut enough = std::pin::pin!(enough);
        let mut cut_short = false;
        let observed = loop {
            let event = tokio::select! {
                event = conversation.next() => event.map_err(failed)?,
                () = &mut enough, if !cut_short => {
                    cut_short = true;
                    // If it is over by now, what it had to say is still to be read.
                    let _ = conversation.send(&Command::Finish).await;
                    continue;
                }
            };
            match event {
                Event::Line { text } => tell(Observing::Line(&text)),
                Event::MainEnded { .. } => tell(Observing::MainEnded),
                Event::Traced(trace) => break Observed::Over { trace, cut_short },
                Event::NotStarted { message } => break Observed::NotStarted(message),
                Event::Trouble { message } => return Err(failed(message)),
                Event::Nested { .. }
                | Event::Hello
                | Event::Installed
                | Event::Exhausted
                | Event::Report(_)
                | Event::NetworkReady
                | Event::Listening
                | Event::JobEnded(_) => {}
            }
        };
        conversation.end().await;
        Ok(observed)
    }
}
