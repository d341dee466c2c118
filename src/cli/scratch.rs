//! A folder for what is needed while a command is measured and by nobody afterwards.
//!
//! It goes away with its value. A process that was killed leaves its own behind; each has a locked file, so the next one can
//! tell that nobody uses it any more, and removes it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::settings::temporary_folders;

/// What the names of these folders begin with.
const PREFIX: &str = "loupe-command-";
/// The file that is locked as long as the folder is in use.
const LOCK: &str = "lock";
/// A folder this new may not have its lock yet.
const NEW: Duration = Duration::from_secs(60);

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: tempfile::TempDir,
    /// Held, not used.
    _lock: File,
}

impl Scratch {
    /// Makes one, in memory where there is a place for that, and removes those that nobody uses any more.
    ///
    /// # Errors
    /// When no folder can be made anywhere.
    pub(super) fn new() -> anyhow::Result<Self> {
        let places = temporary_folders();
        for place in &places {
            remove_abandoned(place, NEW);
        }
        let made = places.iter().find_map(|place| Self::make(place).ok());
        made.map_or_else(|| Self::make(&places[1]), Ok).with_context(|| {
            format!("cannot make a temporary folder in `{}`\nhint: TMPDIR names another place", places[1].display())
        })
    }

    fn make(place: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir_in(place)?;
        let lock = File::create(folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("results")
    }
}

/// Removes the folders of processes that are gone. What may not be removed is somebody else's.
fn remove_abandoned(place: &Path, new: Duration) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let folder = entry.path();
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let age = entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|modified| modified.elapsed().ok());
        if !is_ours || age.is_none_or(|age| age < new) {
            continue;
        }
        let abandoned = match File::open(folder.join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if abandoned {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_dead_are_removed_and_those_of_the_living_are_not() {
        let place = tempfile::tempdir().unwrap();
        let living = Scratch::make(place.path()).unwrap();
        fs::create_dir_all(living.path()).unwrap();
        let dead = place.path().join(format!("{PREFIX}dead"));
        fs::create_dir_all(dead.join("results")).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        let other = place.path().join("other");
        fs::create_dir(&other).unwrap();
        remove_abandoned(place.path(), NEW);
        assert!(dead.exists(), "it may just be in the making");
        remove_abandoned(place.path(), Duration::ZERO);
        assert!(!dead.exists() && other.exists() && living.path().exists());
        let path = living.path();
        drop(living);
        assert!(!path.exists());
    }
}
