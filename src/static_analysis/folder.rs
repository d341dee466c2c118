//! A root that is a folder of this machine, or `/` itself; and the C sources in a folder. The only file of the analysis that
//! touches the disk.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use bytes::Bytes;

use super::root::{Entry, Root, RootError};

/// A folder as a root.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The files below `path`, which has to be a folder.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The files of this machine.
    #[must_use]
    pub fn of_machine() -> Self {
        Self::new("/")
    }

    fn outside(&self, path: &str) -> PathBuf {
        self.path.join(path.trim_start_matches('/'))
    }
}

impl Root for Folder {
    fn entry(&self, path: &str) -> Result<Option<Entry>, RootError> {
        let outside = self.outside(path);
        let metadata = match fs::symlink_metadata(&outside) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(RootError::of(path)(error)),
        };
        Ok(Some(if metadata.is_symlink() {
            let target = fs::read_link(&outside).map_err(RootError::of(path))?;
            Entry::Link(target.to_string_lossy().into_owned())
        } else if metadata.is_dir() {
            Entry::Folder
        } else if metadata.is_file() {
            Entry::File { executable: metadata.permissions().mode() & 0o111 != 0 }
        } else {
            Entry::Other
        }))
    }

    fn read(&self, path: &str) -> Result<Bytes, RootError> {
        fs::read(self.outside(path)).map(Bytes::from).map_err(RootError::of(path))
    }

    fn names(&self, path: &str) -> Result<Vec<String>, RootError> {
        let entries = fs::read_dir(self.outside(path)).map_err(RootError::of(path))?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<io::Result<Vec<_>>>().map_err(RootError::of(path))?;
        names.sort();
        Ok(names)
    }
}
