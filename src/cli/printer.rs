//! The only place that writes to the standard streams: data to standard output, everything else to standard error.

use std::io::Write;

use indicatif::MultiProgress;

use super::settings::Settings;

/// Writes for people and for programs.
#[derive(Debug)]
pub(crate) struct Printer {
    quiet: bool,
    /// Lines for people have to pass the progress bars, if there are any.
    bars: Option<MultiProgress>,
}

impl Printer {
    pub(crate) fn new(settings: &Settings, quiet: bool) -> Self {
        Self { quiet, bars: (settings.terminal && !quiet).then(MultiProgress::new) }
    }

    /// Where progress bars are drawn; `None` where there is no terminal.
    pub(crate) fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    /// Data, as it is. A reader that has enough (`| head`) is no error.
    pub(crate) fn data(&self, text: &str) {
        let write = || {
            let mut output = std::io::stdout().lock();
            let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
        };
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    /// A line for people; left out with `--quiet`.
    pub(crate) fn line(&self, text: &str) {
        if !self.quiet {
            self.urgent(text);
        }
    }

    /// A line for people that has to be seen.
    pub(crate) fn urgent(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| write_error(&format!("{text}\n"))),
            None => write_error(&format!("{text}\n")),
        }
    }

    /// An error with its causes.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let mut text = error.to_string();
        let (message, hint) = text.split_once("\nhint: ").map_or((text.as_str(), None), |(message, hint)| (message, Some(hint)));
        let mut lines = format!("error: {message}");
        for cause in error.chain().skip(1).map(ToString::to_string).filter(|cause| !message.contains(cause.as_str())) {
            lines.push_str(&format!("\n  caused by: {cause}"));
        }
        if let Some(hint) = hint {
            lines.push_str(&format!("\nhint: {hint}"));
        }
        text = lines;
        self.urgent(&text);
    }
}

/// For the panic hook, which has no printer. A standard error that is gone can't be told of.
pub(crate) fn write_error(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
