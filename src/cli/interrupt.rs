//! Ctrl-C and SIGTERM: the first asks the batch to stop, a second Ctrl-C ends the process at once.

use tokio::signal::unix::{SignalKind, signal};

use super::printer::Printer;
use super::status::Status;
use crate::campaign::Stop;

/// What the first signal is answered with.
pub(super) const STOPPING: &str = "stopping: what is finished is stored; the same command resumes (Ctrl-C again to stop at once)";
/// What the second is answered with.
const STOPPED: &str = "stopped at once; the next run, or `loupe clean`, removes what is left on the engine";

/// Listens in the background until the runtime ends. A repeated SIGTERM changes nothing: service managers may send several.
///
/// # Errors
/// When the handlers can't be installed.
pub(super) fn listen(stop: Stop, printer: Printer) -> std::io::Result<()> {
    listen_and_say(STOPPING, stop, printer)
}

/// The same where the first signal means something else, which `stopping` says.
///
/// # Errors
/// When the handlers can't be installed.
pub(super) fn listen_and_say(stopping: &'static str, stop: Stop, printer: Printer) -> std::io::Result<()> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        loop {
            let at_once = tokio::select! {
                received = interrupts.recv() => received.is_some() && stop.requested(),
                _ = terminations.recv() => false,
            };
            if at_once {
                printer.stop_drawing();
                printer.note(STOPPED);
                std::process::exit(i32::from(Status::Interrupted.code()));
            }
            if !stop.requested() {
                stop.request();
                printer.note(stopping);
            }
        }
    });
    Ok(())
}
