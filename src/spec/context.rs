//! Files of a build context: what stands in a folder with a Dockerfile and is not left out by its `.dockerignore`.
//!
//! Between the loader, which refuses files that cannot be part of an image, and the engine, which sends the context. Reads names and
//! kinds of files, and of contents the `.dockerignore` alone.

use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::files;

/// Kind of a file in a build context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// Something that cannot be read like a file, in words. Opening it could block for ever.
    Special(&'static str),
}

impl ContextKind {
    /// The kind that a file's type stands for.
    #[must_use]
    pub fn of(file_type: FileType) -> Self {
        if file_type.is_file() {
            Self::File
        } else if file_type.is_symlink() {
            Self::Link
        } else if file_type.is_fifo() {
            Self::Special("a named pipe")
        } else if file_type.is_socket() {
            Self::Special("a socket")
        } else {
            Self::Special("a device")
        }
    }
}

/// Files of the build context in `directory`, by path relative to it, in order. `app.yaml` is Loupe's own and never part of it.
///
/// # Errors
/// If a folder or the `.dockerignore` cannot be read.
pub fn context_files(directory: &Path) -> io::Result<Vec<(PathBuf, ContextKind)>> {
    let ignored = dockerignore(directory)?;
    let mut found = Vec::new();
    collect(directory, Path::new(""), &ignored, &mut found)?;
    found.sort();
    Ok(found)
}

/// `.dockerignore` has the patterns of `.gitignore`, but anchored at the folder.
fn dockerignore(directory: &Path) -> io::Result<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    let path = directory.join(".dockerignore");
    let text = match files::presence(&path) {
        files::Presence::Absent | files::Presence::Special | files::Presence::Folder => String::new(),
        files::Presence::File => fs::read_to_string(&path)?,
        files::Presence::Unreadable(error) => return Err(error),
    };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (sign, pattern) = line.strip_prefix('!').map_or(("", line), |pattern| ("!", pattern));
        builder.add_line(None, &format!("{sign}/{}", pattern.trim_start_matches('/'))).map_err(io::Error::other)?;
    }
    builder.build().map_err(io::Error::other)
}

fn collect(root: &Path, relative: &Path, ignored: &Gitignore, found: &mut Vec<(PathBuf, ContextKind)>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(relative))? {
        let entry = entry?;
        let path = relative.join(entry.file_name());
        let file_type = entry.file_type()?;
        if path == Path::new("app.yaml") {
            continue;
        }
        if file_type.is_dir() {
            // An ignored folder may hold files that a later `!` pattern takes back, so it is walked all the same.
            collect(root, &path, ignored, found)?;
        } else if path == Path::new("Dockerfile") || !ignored.matched_path_or_any_parents(&path, false).is_ignore() {
            found.push((path, ContextKind::of(file_type)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn dockerignore_is_honoured_and_kinds_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path();
        fs::create_dir_all(directory.join("data/deep")).unwrap();
        for name in ["Dockerfile", "app.yaml", "data/keep.txt", "data/drop.log", "data/deep/drop.log", "z"] {
            fs::write(directory.join(name), name).unwrap();
        }
        fs::write(directory.join(".dockerignore"), "# logs\n**/*.log\n!data/deep/drop.log\nz\nignored\n").unwrap();
        std::os::unix::fs::symlink("nowhere", directory.join("link")).unwrap();
        nix::unistd::mkfifo(&directory.join("data/pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        nix::unistd::mkfifo(&directory.join("ignored"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        let _socket = UnixListener::bind(directory.join("socket")).unwrap();
        let found = context_files(directory).unwrap();
        let found: Vec<_> = found.iter().map(|(path, kind)| (path.to_str().unwrap(), *kind)).collect();
        let expected = [
            (".dockerignore", ContextKind::File),
            ("Dockerfile", ContextKind::File),
            ("data/deep/drop.log", ContextKind::File),
            ("data/keep.txt", ContextKind::File),
            ("data/pipe", ContextKind::Special("a named pipe")),
            ("link", ContextKind::Link),
            ("socket", ContextKind::Special("a socket")),
        ];
        assert_eq!(found, expected);
    }
}
