//! The only place that writes to standard output or standard error.
//!
//! Standard output is for data: tables, JSON, completions. Everything else goes to standard error: progress, notes,
//! errors, logs. Whoever reads standard output may stop reading (`| head`): that is no error, and the work goes on. Any
//! other failure to write data is remembered and told at the end ([`Printer::failure`]).

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use tracing_subscriber::fmt::MakeWriter;

use super::arguments::ColorChoice;
use super::settings::Environment;

/// Writes for everybody. Clones write to the same streams.
#[derive(Clone)]
pub(super) struct Printer(Arc<Inner>);

struct Inner {
    quiet: bool,
    output: Face,
    error: Face,
    streams: Mutex<Streams>,
    /// The bars that stand on the terminal, which have to step aside for every other line.
    bars: Mutex<Option<MultiProgress>>,
}

/// What is known of a stream.
#[derive(Debug, Clone, Copy, Default)]
struct Face {
    terminal: bool,
    color: bool,
}

struct Streams {
    output: Box<dyn Write + Send>,
    error: Box<dyn Write + Send>,
    /// How standard output broke, if it did; nothing is written to it any more.
    broken: Option<io::Error>,
}

/// A poisoned lock only says that another thread panicked while it wrote.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Printer {
    /// Writes to the streams of this process.
    pub(super) fn of_process(color: ColorChoice, quiet: bool, environment: &Environment) -> Self {
        let face = |terminal: bool| Face {
            terminal,
            color: match color {
                ColorChoice::Auto => terminal && !environment.no_color,
                ColorChoice::Always => true,
                ColorChoice::Never => false,
            },
        };
        let streams = Streams { output: Box::new(io::stdout()), error: Box::new(io::stderr()), broken: None };
        Self::new(quiet, face(io::stdout().is_terminal()), face(io::stderr().is_terminal()), streams)
    }

    fn new(quiet: bool, output: Face, error: Face, streams: Streams) -> Self {
        Self(Arc::new(Inner { quiet, output, error, streams: Mutex::new(streams), bars: Mutex::default() }))
    }

    /// Writes data to standard output as it is.
    pub(super) fn data(&self, text: &str) {
        self.with_streams(|streams| {
            if streams.broken.is_none() {
                let written = streams.output.write_all(text.as_bytes()).and_then(|()| streams.output.flush());
                streams.broken = written.err();
            }
        });
    }

    /// Writes one JSON value as one line of standard output.
    pub(super) fn json(&self, value: &impl Serialize) {
        let line = serde_json::to_string(value).expect("invariant: what Loupe tells has only text keys");
        self.data(&format!("{line}\n"));
    }

    /// Tells on standard error how it goes; not if the user wants it quiet.
    pub(super) fn note(&self, text: &str) {
        if !self.0.quiet {
            self.to_error(text);
        }
    }

    /// Tells on standard error what is wrong, always.
    pub(super) fn error(&self, text: &str) {
        let label = painted(self.0.error, "1;31", "error:");
        self.to_error(&format!("{label} {text}"));
    }

    /// Lines that say themselves that they are about errors.
    pub(super) fn problems(&self, text: &str) {
        self.to_error(text);
    }

    /// What the parser of the command line has to say: help for standard output, errors for standard error.
    pub(super) fn usage(&self, error: &clap::Error) {
        let text = error.render();
        let (face, is_error) = if error.use_stderr() { (self.0.error, true) } else { (self.0.output, false) };
        let text = if face.color { text.ansi().to_string() } else { text.to_string() };
        if is_error {
            self.to_error(text.trim_end());
        } else {
            self.data(&text);
        }
    }

    fn to_error(&self, text: &str) {
        // If nobody takes the complaint, there is nobody to complain to.
        self.with_streams(|streams| drop(writeln!(streams.error, "{text}").and_then(|()| streams.error.flush())));
    }

    fn with_streams(&self, write: impl FnOnce(&mut Streams)) {
        let bars = lock(&self.0.bars).clone();
        match bars {
            Some(bars) => bars.suspend(|| write(&mut lock(&self.0.streams))),
            None => write(&mut lock(&self.0.streams)),
        }
    }

    /// The word for data, green, yellow or red if standard output is to be coloured.
    pub(super) fn graded(&self, grade: Grade, word: &str) -> String {
        let code = match grade {
            Grade::Good => "32",
            Grade::Doubtful => "33",
            Grade::Bad => "1;31",
        };
        painted(self.0.output, code, word)
    }

    /// Whether bars can be drawn: standard error is a terminal and the user doesn't want it quiet.
    pub(super) fn can_draw(&self) -> bool {
        self.0.error.terminal && !self.0.quiet
    }

    /// Whether standard output is read by eye.
    pub(super) fn data_is_seen(&self) -> bool {
        self.0.output.terminal
    }

    /// Begins to draw bars on standard error. Everything else that is written goes above them.
    pub(super) fn draw(&self) -> MultiProgress {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        *lock(&self.0.bars) = Some(bars.clone());
        bars
    }

    /// Takes the bars away.
    pub(super) fn stop_drawing(&self) {
        if let Some(bars) = lock(&self.0.bars).take() {
            drop(bars.clear());
        }
    }

    /// Why data got lost, if it did. A reader who stopped reading lost nothing.
    pub(super) fn failure(&self) -> Option<String> {
        let streams = lock(&self.0.streams);
        let error = streams.broken.as_ref().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)?;
        Some(format!("cannot write to standard output: {error}"))
    }
}

fn painted(face: Face, code: &str, text: &str) -> String {
    if face.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// How good something is that is told in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    /// Nothing to do.
    Good,
    /// Works, but could be better.
    Doubtful,
    /// Something has to be done.
    Bad,
}

/// The last words of a process that is about to end because of a bug: past every lock, as a panic may have come while one was
/// held.
pub(super) fn last_words(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// Lines of the log, written as a whole.
pub(super) struct LogLine {
    printer: Printer,
    line: Vec<u8>,
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        self.printer.to_error(String::from_utf8_lossy(&self.line).trim_end());
    }
}

impl<'a> MakeWriter<'a> for Printer {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { printer: self.clone(), line: Vec::new() }
    }
}

/// Sends the log to the printer: what `RUST_LOG` asks for, otherwise warnings, or more with each `--verbose`.
pub(super) fn log_to(printer: &Printer, verbose: u8, environment: &Environment) {
    let usual = match verbose {
        0 => "loupe=warn",
        1 => "loupe=debug",
        _ => "debug",
    };
    let filter = environment.log.as_deref().unwrap_or(usual);
    let filter = tracing_subscriber::EnvFilter::builder().parse_lossy(filter);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(printer.0.error.color)
        .with_target(false)
        .without_time()
        .with_writer(printer.clone())
        .finish();
    // Fails only if there is one already, and then the log has its place.
    drop(tracing::subscriber::set_global_default(subscriber));
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A stream kept in memory.
    #[derive(Clone, Default)]
    pub(in crate::cli) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(in crate::cli) fn text(&self) -> String {
            String::from_utf8(lock(&self.0).clone()).unwrap()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A printer with what it wrote to standard output and to standard error.
    pub(in crate::cli) fn captured(quiet: bool) -> (Printer, Captured, Captured) {
        let (output, error) = (Captured::default(), Captured::default());
        let streams = Streams { output: Box::new(output.clone()), error: Box::new(error.clone()), broken: None };
        (Printer::new(quiet, Face::default(), Face::default(), streams), output, error)
    }

    fn broken(kind: io::ErrorKind) -> (Printer, Captured) {
        let error = Captured::default();
        let streams = Streams { output: Box::new(Broken(kind)), error: Box::new(error.clone()), broken: None };
        (Printer::new(false, Face::default(), Face::default(), streams), error)
    }

    #[test]
    fn quiet_silences_notes_and_nothing_else() {
        let (printer, output, error) = captured(true);
        printer.note("going on");
        printer.error("wrong");
        printer.data("table\n");
        assert_eq!((output.text().as_str(), error.text().as_str()), ("table\n", "error: wrong\n"));
    }

    #[test]
    fn a_reader_who_stops_reading_is_no_failure_but_a_full_disk_is() {
        let (printer, error) = broken(io::ErrorKind::BrokenPipe);
        printer.data("lost");
        printer.note("going on");
        assert_eq!(printer.failure(), None);
        assert_eq!(error.text(), "going on\n");
        let (printer, _) = broken(io::ErrorKind::StorageFull);
        assert_eq!(printer.failure(), None);
        printer.data("lost");
        assert!(printer.failure().unwrap().starts_with("cannot write to standard output: "));
    }
}
