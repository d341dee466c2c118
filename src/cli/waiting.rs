//! What is waited for outside of campaigns, whose reporters say so themselves: a line on a terminal that goes away, or lines that stay.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::printer::Printer;
use crate::campaign::{Patience, Phase, Tell};

/// Between two frames of the line on a terminal, which counts the seconds.
const FRAME: Duration = Duration::from_millis(120);

/// What is waited for where the container engine is.
pub(super) const ENGINE: fn() -> String = || "the container engine".to_owned();

/// Does `work`, and says `what` is waited for if that takes longer than two seconds. Not while bars are drawn.
pub(super) async fn saying<T>(printer: &Printer, what: impl Fn() -> String, work: impl Future<Output = T>) -> T {
    saying_after(Patience::begin(), printer, what, work).await
}

async fn saying_after<T>(
    mut patience: Patience,
    printer: &Printer,
    what: impl Fn() -> String,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    let mut line = Line(None);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            waited = patience.run_out() => {
                if printer.can_draw() {
                    line.show(printer, format!("waiting for {}", what()), waited);
                } else {
                    printer.note(&format!("waiting for {} ({} s)", what(), waited.as_secs()));
                }
            }
        }
    }
}

/// What is waited for while `runs`, outside of any campaign, are on their way: to be told how far they are, and to be asked.
pub(super) fn course(printer: &Printer, runs: &str) -> (Tell, impl Fn() -> String + use<>) {
    let what = Arc::new(Mutex::new("the app to be made ready".to_owned()));
    let (told, printer, runs) = (Arc::clone(&what), printer.clone(), runs.to_owned());
    let tell: Tell = Arc::new(move |phase| {
        let words = match phase {
            Phase::Preparing(message) => {
                printer.note(&message);
                message
            }
            Phase::Running => runs.clone(),
            Phase::Lingering => format!("{runs}, whose main process has ended, and for those that it left"),
            Phase::Closing => "what was made for the app to be removed".to_owned(),
        };
        *told.lock().unwrap_or_else(PoisonError::into_inner) = words;
    });
    (tell, move || what.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// The line on the terminal, which goes away with this.
struct Line(Option<(Printer, ProgressBar)>);

impl Line {
    fn show(&mut self, printer: &Printer, text: String, waited: Duration) {
        let (_, bar) = self.0.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}").expect("invariant: the template is valid");
            let bar = printer.draw().add(ProgressBar::no_length().with_style(style).with_elapsed(waited));
            bar.enable_steady_tick(FRAME);
            (printer.clone(), bar)
        });
        bar.set_message(text);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some((printer, bar)) = self.0.take() {
            bar.finish_and_clear();
            printer.stop_drawing();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::printer::tests::captured;

    fn lines(quiet: bool, work: Duration) -> Vec<String> {
        let (printer, output, error) = captured(quiet);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let patience = async { Patience::short(Duration::from_millis(10)) };
        let work = async {
            tokio::time::sleep(work).await;
            7
        };
        let done = runtime.block_on(async { saying_after(patience.await, &printer, || "the moon".to_owned(), work).await });
        assert_eq!((done, output.text()), (7, String::new()));
        error.text().lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_takes_long_is_named_and_again_less_and_less_often() {
        let lines = lines(false, Duration::from_millis(100));
        assert!((2..=5).contains(&lines.len()), "{lines:?}");
        assert!(lines.iter().all(|line| line == "waiting for the moon (0 s)"), "{lines:?}");
    }

    #[test]
    fn what_is_done_soon_is_not_named_and_quiet_is_quiet() {
        assert_eq!(lines(false, Duration::ZERO), [""; 0]);
        assert_eq!(lines(true, Duration::from_millis(30)), [""; 0]);
    }
}
