//! A root: the files that a program would see, wherever they really are. Pure, but for [`Root`]'s implementors.
//!
//! First stage of the analysis of binaries, which asks for files by the paths that the program itself would use. Symbolic links
//! are followed here and inside the root, so that a link to `/lib` in a folder means the folder's own `lib`. It knows nothing of
//! permissions other than whether a file may be executed.

use std::fmt;
use std::io;

use bytes::Bytes;

/// As many symbolic links are followed in one path as Linux follows (`path_resolution(7)`).
const LINKS_LIMIT: usize = 40;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Whether anybody may execute it.
        executable: bool,
    },
    /// A folder.
    Folder,
    /// A symbolic link, with its target as it is written in it.
    Link(String),
    /// A device, socket or pipe.
    Other,
}

/// The files that a program would see.
///
/// Paths are absolute, have no `.`, `..` or empty part and no `/` at the end; none of their parts but the last is a link. The
/// functions beside this trait see to that.
pub trait Root: Sync {
    /// What stands at `path`, or `None` for nothing.
    ///
    /// # Errors
    /// When that can't be told.
    fn entry(&self, path: &str) -> Result<Option<Entry>, RootError>;

    /// The content of the regular file at `path`.
    ///
    /// # Errors
    /// When it can't be read.
    fn read(&self, path: &str) -> Result<Bytes, RootError>;

    /// The names of what is in the folder at `path`, in order.
    ///
    /// # Errors
    /// When it can't be read.
    fn names(&self, path: &str) -> Result<Vec<String>, RootError>;
}

/// A file of a root that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`")]
pub struct RootError {
    /// Its path in the root.
    pub path: String,
    /// What the system said.
    pub source: io::Error,
}

impl RootError {
    /// The error of `path`.
    pub fn of(path: &str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self { path, source }
    }
}

/// A path in a root with every link followed, and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path without links.
    pub path: String,
    /// Never a link.
    pub entry: Entry,
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.path)
    }
}

/// Follows every link of `path`, which is taken from `/` if it is relative; `None` where it leads to nothing or round in circles.
///
/// # Errors
/// When the root can't be read.
pub fn find(root: &dyn Root, path: &str) -> Result<Option<Found>, RootError> {
    let mut parts: Vec<String> = split(path).rev().map(str::to_owned).collect();
    let mut reached = Found { path: String::new(), entry: Entry::Folder };
    let mut links = 0;
    while let Some(part) = parts.pop() {
        if reached.entry != Entry::Folder {
            return Ok(None);
        }
        if part == ".." {
            reached.path.truncate(reached.path.rfind('/').unwrap_or(0));
            continue;
        }
        let next = format!("{}/{part}", reached.path);
        match root.entry(&next)? {
            None => return Ok(None),
            Some(Entry::Link(target)) => {
                links += 1;
                if links > LINKS_LIMIT {
                    return Ok(None);
                }
                if target.starts_with('/') {
                    reached.path.clear();
                }
                parts.extend(split(&target).rev().map(str::to_owned));
            }
            Some(entry) => reached = Found { path: next, entry },
        }
    }
    if reached.path.is_empty() {
        reached.path.push('/');
    }
    Ok(Some(reached))
}

/// The regular file that `path` leads to, or `None`.
///
/// # Errors
/// When the root can't be read.
pub fn find_file(root: &dyn Root, path: &str) -> Result<Option<Found>, RootError> {
    Ok(find(root, path)?.filter(|found| matches!(found.entry, Entry::File { .. })))
}

/// The names in the folder that `path` leads to; none if there is no folder.
///
/// # Errors
/// When the root can't be read.
pub fn names_in(root: &dyn Root, path: &str) -> Result<Vec<String>, RootError> {
    match find(root, path)? {
        Some(Found { path, entry: Entry::Folder }) => root.names(&path),
        _ => Ok(Vec::new()),
    }
}

/// The parts of a path that say something.
fn split(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A root in memory: files with their content, links as `-> target`. Folders are implied.
    #[derive(Debug, Default)]
    pub(in super::super) struct Memory(pub(in super::super) BTreeMap<String, Bytes>);

    impl Memory {
        pub(in super::super) fn with(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
            self.0.insert(path.to_owned(), Bytes::from(content.into()));
            self
        }
    }

    impl Root for Memory {
        fn entry(&self, path: &str) -> Result<Option<Entry>, RootError> {
            if let Some(content) = self.0.get(path) {
                return Ok(Some(match content.strip_prefix(b"-> ") {
                    Some(target) => Entry::Link(String::from_utf8(target.to_vec()).unwrap()),
                    None => Entry::File { executable: true },
                }));
            }
            let folder = format!("{path}/");
            Ok(self.0.keys().any(|file| file.starts_with(&folder)).then_some(Entry::Folder))
        }

        fn read(&self, path: &str) -> Result<Bytes, RootError> {
            Ok(self.0[path].clone())
        }

        fn names(&self, path: &str) -> Result<Vec<String>, RootError> {
            let folder = format!("{path}/");
            let below = self.0.keys().filter_map(|file| file.strip_prefix(&folder));
            let mut names: Vec<_> = below.map(|rest| rest.split('/').next().unwrap_or(rest).to_owned()).collect();
            names.dedup();
            Ok(names)
        }
    }

    fn path(root: &Memory, path: &str) -> Option<String> {
        find(root, path).unwrap().map(|found| found.path)
    }

    #[test]
    fn links_are_followed_inside_the_root() {
        let root = Memory::default()
            .with("/lib", "-> usr/lib")
            .with("/usr/lib/x/libc.so.6", "libc")
            .with("/usr/lib/loader", "-> /lib/x/../x/./libc.so.6")
            .with("/usr/up", "-> ../../../usr/lib");
        for wanted in ["/lib/x/libc.so.6", "/usr/lib/loader", "//usr//up/loader", "lib/loader"] {
            assert_eq!(path(&root, wanted).as_deref(), Some("/usr/lib/x/libc.so.6"), "{wanted}");
        }
        assert_eq!(path(&root, "/usr/up").as_deref(), Some("/usr/lib"));
        assert_eq!(path(&root, "/../..").as_deref(), Some("/"));
        assert_eq!(names_in(&root, "/lib").unwrap(), ["loader", "x"]);
    }

    #[test]
    fn what_is_not_there_is_nothing_and_circles_end() {
        let root = Memory::default().with("/a", "-> b").with("/b", "-> a").with("/file", "").with("/dangling", "-> nowhere");
        for wanted in ["/a", "/b/c", "/file/below", "/dangling", "/nothing"] {
            assert_eq!(path(&root, wanted), None, "{wanted}");
        }
        assert!(find_file(&root, "/").unwrap().is_none());
        assert!(names_in(&root, "/file").unwrap().is_empty());
    }
}
