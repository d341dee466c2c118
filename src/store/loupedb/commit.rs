//! How an import becomes visible: everything is written into a hidden folder first, then moved into its places.
//!
//! Several folders cannot be moved in one step. A mark says that the hidden folder is complete: from then on, what a kill leaves
//! half done is completed by the next import, and told by everybody who reads in between ([`interrupted`]). What fails without a
//! kill is undone.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// The hidden folder, below the folder of all results.
const FOLDER: &str = ".import";

/// The mark in it.
const COMPLETE: &str = "complete";

/// An import in the making. The folder of all results is locked against other imports as long as it lives.
#[derive(Debug)]
pub(super) struct Staging {
    root: PathBuf,
    /// Whether the folder of all results was made for it.
    made_root: bool,
    _lock: File,
}

impl Staging {
    /// Begins an import into `root`, once what an earlier one left there is completed or removed.
    pub(super) fn begin(root: &Path) -> Result<Self, StoreError> {
        let made_root = !root.exists();
        fs::create_dir_all(root).map_err(StoreError::write(root))?;
        let lock = File::open(root).map_err(StoreError::read(root))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy { path: root.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(StoreError::write(root)(error)),
        }
        let staging = Self { root: root.to_owned(), made_root, _lock: lock };
        if staging.mark().exists() {
            staging.move_all()?;
        }
        staging.remove()?;
        let new = staging.new_folders();
        fs::create_dir_all(&new).map_err(StoreError::write(&new))?;
        Ok(staging)
    }

    /// The folder for one app and workload, which is made; its files are for the caller to write.
    pub(super) fn folder(&self, app: &str, folder: &str) -> Result<PathBuf, StoreError> {
        let path = self.new_folders().join(app).join(folder);
        fs::create_dir_all(&path).map_err(StoreError::write(&path))?;
        Ok(path)
    }

    /// Makes everything visible.
    pub(super) fn commit(self) -> Result<(), StoreError> {
        let result = self.try_commit();
        if result.is_err() && !self.mark().exists() {
            // The failure is what the user has to hear of; a leftover is removed by the next import.
            let _ = self.remove();
        }
        result
    }

    /// Gives up: leaves everything as it was.
    pub(super) fn abandon(self) -> Result<(), StoreError> {
        self.remove()?;
        if self.made_root {
            // Fails if somebody has put something there, which then has to stay.
            let _ = fs::remove_dir(&self.root);
        }
        Ok(())
    }

    fn try_commit(&self) -> Result<(), StoreError> {
        let folder = self.root.join(FOLDER);
        // All files of the disk at once: hundreds of small ones, one by one, would take much longer.
        let on_disk = File::open(&folder).and_then(|folder| nix::unistd::syncfs(&folder).map_err(io::Error::from));
        on_disk.map_err(StoreError::write(&folder))?;
        let mark = self.mark();
        File::create(&mark).and_then(|file| file.sync_all()).map_err(StoreError::write(&mark))?;
        self.move_all()?;
        self.remove()
    }

    /// Moves every folder into its place; if one of them cannot be moved, none is.
    fn move_all(&self) -> Result<(), StoreError> {
        let mut moved = Vec::new();
        for (from, to) in self.moves()? {
            match rename(&from, &to) {
                Ok(()) => moved.push((from, to)),
                Err(error) => {
                    if moved.iter().rev().try_for_each(|(from, to)| take_back(from, to)).is_ok() {
                        // Nothing is half done any more.
                        let _ = fs::remove_file(self.mark());
                    }
                    return Err(StoreError::write(&to)(error));
                }
            }
        }
        Ok(())
    }

    /// What is still to be moved.
    fn moves(&self) -> Result<Vec<(PathBuf, PathBuf)>, StoreError> {
        let new = self.new_folders();
        let mut moves = Vec::new();
        for app in crate::store::folders(&new)? {
            for folder in crate::store::folders(&new.join(&app))? {
                moves.push((new.join(&app).join(&folder), self.root.join(&app).join(&folder)));
            }
        }
        Ok(moves)
    }

    fn new_folders(&self) -> PathBuf {
        self.root.join(FOLDER).join("new")
    }

    fn mark(&self) -> PathBuf {
        self.root.join(FOLDER).join(COMPLETE)
    }

    fn remove(&self) -> Result<(), StoreError> {
        let folder = self.root.join(FOLDER);
        // First the mark, so that a kill in between leaves nothing that could be completed.
        crate::store::files::remove(&self.mark())?;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::write(&folder)(error)),
            _ => Ok(()),
        }
    }
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(app) = to.parent() {
        fs::create_dir_all(app)?;
    }
    if to.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

fn take_back(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(to, from)?;
    // The app's folder goes, too, unless it holds something else.
    let _ = to.parent().map(fs::remove_dir);
    Ok(())
}

/// Whether an import into `root` was killed while it became visible.
pub(in crate::store) fn interrupted(root: &Path) -> bool {
    root.join(FOLDER).join(COMPLETE).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(root: &Path) -> Staging {
        let staging = Staging::begin(root).unwrap();
        for (app, folder) in [("a", "one"), ("b", "two"), ("c", "three")] {
            fs::write(staging.folder(app, folder).unwrap().join("file"), app).unwrap();
        }
        staging
    }

    fn visible(root: &Path) -> Vec<String> {
        let apps = crate::store::folders(root).unwrap().into_iter();
        let folders =
            |app: String| crate::store::folders(&root.join(&app)).unwrap().into_iter().map(move |name| format!("{app}/{name}"));
        apps.flat_map(folders).collect()
    }

    const ALL: [&str; 3] = ["a/one", "b/two", "c/three"];

    #[test]
    fn everything_becomes_visible_at_once_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("results");
        let staging = staged(&root);
        assert_eq!(visible(&root), [""; 0]);
        staging.commit().unwrap();
        assert_eq!(visible(&root), ALL);
        assert!(!root.join(FOLDER).exists());
        staged(&folder.path().join("other")).abandon().unwrap();
        assert!(!folder.path().join("other").exists());
    }

    #[test]
    fn a_failure_half_way_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let staging = staged(root);
        // In the way of the last one only.
        fs::create_dir_all(root.join("c/three")).unwrap();
        let error = staging.commit().unwrap_err();
        assert!(error.to_string().ends_with("c/three`"), "{error}");
        assert_eq!(visible(root), ["c/three"]);
        assert!(!root.join("a").exists());
        assert!(!root.join(FOLDER).exists() && !interrupted(root));
    }

    #[test]
    fn what_a_kill_left_half_done_is_told_and_completed_by_the_next_import() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let staging = staged(root);
        File::create(staging.mark()).unwrap();
        let (from, to) = staging.moves().unwrap().remove(0);
        rename(&from, &to).unwrap();
        drop(staging);
        assert!(interrupted(root));
        Staging::begin(root).unwrap().abandon().unwrap();
        assert_eq!(visible(root), ALL);
        assert!(!interrupted(root));
    }

    #[test]
    fn what_a_kill_left_before_it_was_complete_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        drop(staged(folder.path()));
        Staging::begin(folder.path()).unwrap().abandon().unwrap();
        assert_eq!(visible(folder.path()), [""; 0]);
    }

    #[test]
    fn two_imports_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Staging::begin(folder.path()).unwrap();
        assert!(matches!(Staging::begin(folder.path()), Err(StoreError::Busy { .. })));
    }
}
