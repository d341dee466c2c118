//! A root that is a folder of this machine, or `/` itself; and the C sources in a folder. The only file of the analysis that
//! touches the disk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::root::{Entry, Root, RootError};
use super::source::{C_ENDINGS, OTHER_ENDINGS, SourceFile};

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

/// The C sources below `path`, in the order of their paths, which count from `path`; and the numbers of files with other code, by
/// their endings. Hidden files and folders are passed over, and links are not followed.
///
/// # Errors
/// When a folder or file can't be read.
pub fn sources(path: &Path) -> io::Result<(Vec<SourceFile>, BTreeMap<String, u64>)> {
    let (mut files, mut skipped) = (Vec::new(), BTreeMap::new());
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(with_path(&folder))? {
            let entry = entry.map_err(with_path(&folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(with_path(&entry.path()))?;
            let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && C_ENDINGS.contains(&ending) {
                let content = fs::read(entry.path()).map_err(with_path(&entry.path()))?;
                let inside = entry.path().strip_prefix(path).map_or_else(|_| entry.path(), Path::to_owned);
                files.push(SourceFile { path: inside.to_string_lossy().into_owned(), content: content.into() });
            } else if kind.is_file() && OTHER_ENDINGS.contains(&ending) {
                *skipped.entry(ending.to_owned()).or_default() += 1;
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok((files, skipped))
}

/// Says which file it was; the system does not.
fn with_path(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    let path = path.to_owned();
    move |error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::root::{find, find_file, names_in};
    use super::*;

    #[test]
    fn a_folder_is_a_root_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("usr/bin")).unwrap();
        fs::write(folder.path().join("usr/bin/tool"), "tool").unwrap();
        symlink("/usr/bin", folder.path().join("bin")).unwrap();
        let root = Folder::new(folder.path());
        let found = find_file(&root, "/bin/tool").unwrap().unwrap();
        assert_eq!((found.path.as_str(), &found.entry), ("/usr/bin/tool", &Entry::File { executable: false }));
        assert_eq!(root.read(&found.path).unwrap(), &b"tool"[..]);
        fs::set_permissions(folder.path().join("usr/bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(&root, "/bin/tool").unwrap().unwrap().entry, Entry::File { executable: true });
        assert_eq!(names_in(&root, "/").unwrap(), ["bin", "usr"]);
        assert!(find(&root, "/usr/bin/tool/below").unwrap().is_none());
        assert_eq!(root.read("/nothing").unwrap_err().to_string(), "cannot read `/nothing`");
    }

    #[test]
    fn sources_come_in_order_and_hidden_ones_and_links_do_not() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/z.c", "a.c", "b/a.h", "b/x.cc", ".git/y.c", "README.md", "noending"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        symlink("a.c", folder.path().join("link.c")).unwrap();
        symlink(".", folder.path().join("circle")).unwrap();
        let (files, skipped) = sources(folder.path()).unwrap();
        assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a.c", "b/a.h", "b/z.c"]);
        assert_eq!(files[1].content, &b"b/a.h"[..]);
        assert_eq!(skipped, BTreeMap::from([("cc".to_owned(), 1)]));
        assert!(sources(&folder.path().join("nothing")).unwrap_err().to_string().contains("nothing"));
    }
}
