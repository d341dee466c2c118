//! Where a trace goes: to standard output, or to a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::cli::printer::Printer;

/// Takes data; whether all of it could be written is said at the end.
pub(super) enum Sink {
    Output(Printer),
    File { path: PathBuf, file: BufWriter<File>, failure: Option<io::Error> },
}

impl Sink {
    /// Opens the file, if there is to be one.
    pub(super) fn open(path: Option<&Path>, printer: &Printer) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Output(printer.clone())) };
        let file = File::create(path).with_context(|| format!("cannot write to `{}`", path.display()))?;
        Ok(Self::File { path: path.to_path_buf(), file: BufWriter::new(file), failure: None })
    }

    pub(super) fn text(&mut self, text: &str) {
        match self {
            Self::Output(printer) => printer.data(text),
            Self::File { file, failure, .. } => {
                if failure.is_none() {
                    *failure = file.write_all(text.as_bytes()).err();
                }
            }
        }
    }

    pub(super) fn line(&mut self, line: &str) {
        self.text(&format!("{line}\n"));
    }

    pub(super) fn json(&mut self, value: &impl Serialize) {
        match self {
            Self::Output(printer) => printer.json(value),
            Self::File { .. } => {
                let line = serde_json::to_string(value).expect("invariant: what Loupe tells has only text keys");
                self.line(&line);
            }
        }
    }

    /// The printer knows by itself what became of standard output.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let Self::File { path, mut file, failure } = self else { return Ok(()) };
        let written = match failure {
            Some(error) => Err(error),
            None => file.flush(),
        };
        written.with_context(|| format!("cannot write to `{}`", path.display()))
    }
}
