//! What can go wrong with results on disk, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Trouble with the results on disk. Nothing that was stored before is lost by any of these.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A SQLite file could not be written.
    #[error("cannot write the database `{}`", path.display())]
    Sqlite {
        /// Which one.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A file does not hold what it should.
    #[error("{}:{line}: {message}", path.display())]
    Broken {
        /// Which one.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A folder does not hold what it should.
    #[error("{}: {message}", path.display())]
    Wrong {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Many things are wrong with what was to be read, and none of it was taken.
    #[error("{}", list(problems))]
    Several {
        /// What is wrong; never empty.
        problems: Vec<StoreError>,
    },
    /// Another Loupe is at work on the same campaign, or in the same folder.
    #[error("another loupe is at work in `{}`", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// What was imported would have to make room for what is to be measured.
    #[error("`{}` holds imported results", path.display())]
    Imported {
        /// The folder.
        path: PathBuf,
    },
    /// A name that cannot be the name of a folder of results.
    #[error("`{name}` cannot be the name of an app or workload")]
    BadName {
        /// The name.
        name: String,
    },
}

impl StoreError {
    /// The message with its cause.
    #[must_use]
    pub fn in_words(&self) -> String {
        let cause = std::error::Error::source(self).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{self}{cause}")
    }

    /// What the user can do, if anything is known to help.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("free some space and run the same command again: finished trials are kept")
                }
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    Some("make the folder writable, or choose another one with `--results`")
                }
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    Some("a file stands where a folder is needed: move it away, or choose another folder with `--results`")
                }
                _ => None,
            },
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Some("nothing was measured yet: `loupe batch` or `loupe run` does it"),
                _ => None,
            },
            Self::Broken { .. } => Some("restore the file, or measure again with `--fresh`"),
            Self::Wrong { .. } | Self::Several { .. } | Self::Sqlite { .. } => None,
            Self::Imported { .. } => Some("measure into another folder with `--results`, or move the imported one away"),
            Self::Busy { .. } => Some("wait for it to end, or choose another folder with `--results`"),
            Self::BadName { .. } => Some("use a plain name without `/` that does not begin with a dot"),
        }
    }

    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    pub(super) fn wrong(path: &Path, message: impl Into<String>) -> Self {
        Self::Wrong { path: path.to_owned(), message: message.into() }
    }

    pub(super) fn broken(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self::Broken { path: path.to_owned(), line, message: message.into() }
    }
}

/// Each problem on a line of its own, with its cause.
fn list(problems: &[StoreError]) -> String {
    let line = |problem: &StoreError| match std::error::Error::source(problem) {
        Some(source) => format!("{problem}: {source}"),
        None => problem.to_string(),
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}
