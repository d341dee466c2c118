//! The report that a supervisor gives at the end of a trial, asked for in the same way by every engine.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::trial::Trouble;
use crate::trial::wire::{AppReport, Command, Event};

/// A trial whose main process has ended, counted as long as this lives.
#[derive(Debug)]
pub(super) struct Lingering<'a>(&'a AtomicUsize);

impl<'a> Lingering<'a> {
    pub(super) fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Lingering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A conversation with a shim.
pub(super) trait Conversation {
    /// Why it is over.
    type Broken: Send;

    /// Sends a command.
    fn send(&mut self, command: &Command) -> impl Future<Output = Result<(), Self::Broken>> + Send;

    /// The next event. Can be dropped and called again without losing anything.
    fn next(&mut self) -> impl Future<Output = Result<Event, Self::Broken>> + Send;
}

/// Tells the supervisor that the trial is over and reads its report; the inner error is the shim's own trouble.
///
/// The app may have ended meanwhile: then the supervisor has reported and is gone, and the command can't be sent any more. Its report is
/// still to be read.
///
/// # Errors
/// If there is no report.
pub(super) async fn report<C: Conversation>(conversation: &mut C) -> Result<Result<AppReport, Trouble>, C::Broken> {
    let sent = conversation.send(&Command::Finish).await;
    loop {
        match conversation.next().await {
            Ok(Event::Report(report)) => return Ok(Ok(*report)),
            Ok(Event::Trouble { message } | Event::NotStarted { message }) => return Ok(Err(Trouble::Shim(message))),
            Ok(
                Event::Nested { .. }
                | Event::Hello
                | Event::Installed
                | Event::MainEnded { .. }
                | Event::Exhausted
                | Event::Line { .. }
                | Event::Traced(_)
                | Event::NetworkReady
                | Event::Listening
                | Event::JobEnded(_),
            ) => {}
            // That the command could not be sent comes first, and says more.
            Err(broken) => return Err(sent.err().unwrap_or(broken)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Ending;

    /// A supervisor that is gone after it said these events.
    struct Gone(Vec<Event>);

    impl Conversation for Gone {
        type Broken = &'static str;

        async fn send(&mut self, _: &Command) -> Result<(), &'static str> {
            Err("Broken pipe")
        }

        async fn next(&mut self) -> Result<Event, &'static str> {
            if self.0.is_empty() { Err("ended") } else { Ok(self.0.remove(0)) }
        }
    }

    fn report_of(events: Vec<Event>) -> Result<Result<AppReport, Trouble>, &'static str> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(report(&mut Gone(events)))
    }

    #[test]
    fn a_report_that_is_there_is_read_although_its_supervisor_is_gone() {
        let ended = Event::MainEnded { ending: Ending::Exited(0), daemonised: false };
        let mut given = AppReport::default();
        given.end.main = Some(Ending::Exited(0));
        assert_eq!(report_of(vec![ended, Event::Report(Box::new(given.clone()))]), Ok(Ok(given)));
    }

    #[test]
    fn a_supervisor_that_is_gone_without_a_report_is_trouble() {
        assert_eq!(report_of(Vec::new()), Err("Broken pipe"));
        let trouble = report_of(vec![Event::Trouble { message: "x".to_owned() }]);
        assert_eq!(trouble, Ok(Err(Trouble::Shim("x".to_owned()))));
    }
}
