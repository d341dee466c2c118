//! Build contexts: the files of a folder as a tar archive for the engine.
//!
//! The archive is the same for the same content: names in order, no owners, no times. Reading happens on a thread of its own, which
//! ends soon after nobody waits for it any more, so that a large or slow folder does not keep Ctrl-C waiting.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::spec::{ContextKind, context_files};

/// A build context.
#[derive(Debug)]
pub(super) struct BuildContext {
    /// Its tar archive.
    pub(super) archive: Vec<u8>,
    /// The text of its Dockerfile.
    pub(super) dockerfile: String,
}

/// Why a build context cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContextError {
    #[error("cannot read `{}`: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error(
        "`{}` is {kind}, which cannot be part of an image\nhint: move it away, or name it in `.dockerignore`",
        path.display()
    )]
    Special { path: PathBuf, kind: &'static str },
    #[error("given up")]
    GivenUp,
}

/// Tells the thread that reads that nobody waits any more.
struct GiveUpOnDrop(Arc<AtomicBool>);

impl Drop for GiveUpOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads the build context in `directory`.
pub(super) async fn read(directory: &Path) -> Result<BuildContext, ContextError> {
    let given_up = Arc::new(AtomicBool::new(false));
    let _guard = GiveUpOnDrop(Arc::clone(&given_up));
    let directory = directory.to_path_buf();
    let reading = tokio::task::spawn_blocking(move || read_until(&directory, &given_up));
    reading.await.unwrap_or(Err(ContextError::GivenUp))
}

fn read_until(directory: &Path, given_up: &AtomicBool) -> Result<BuildContext, ContextError> {
    let unreadable = |path: &Path| {
        let path = path.to_path_buf();
        move |error| ContextError::Unreadable { path, error }
    };
    let mut archive = tar::Builder::new(Vec::new());
    for (relative, kind) in context_files(directory).map_err(unreadable(directory))? {
        if given_up.load(Ordering::Relaxed) {
            return Err(ContextError::GivenUp);
        }
        let path = directory.join(&relative);
        let name = relative.to_string_lossy().into_owned();
        match kind {
            ContextKind::Special(kind) => return Err(ContextError::Special { path, kind }),
            ContextKind::Link => {
                let mut header = header(0, 0o777);
                header.set_entry_type(tar::EntryType::Symlink);
                let target = fs::read_link(&path).map_err(unreadable(&path))?;
                archive.append_link(&mut header, &name, target).map_err(unreadable(&path))?;
            }
            ContextKind::File => {
                let (content, mode) = read_file(&path)?;
                append(&mut archive, &name, &content, mode).map_err(unreadable(&path))?;
            }
        }
    }
    let archive = archive.into_inner().map_err(unreadable(directory))?;
    let (dockerfile, _) = read_file(&directory.join("Dockerfile"))?;
    Ok(BuildContext { archive, dockerfile: String::from_utf8_lossy(&dockerfile).into_owned() })
}

/// Content and permissions of a regular file. What has become a pipe since it was listed is not waited for.
fn read_file(path: &Path) -> Result<(Vec<u8>, u32), ContextError> {
    let unreadable = |error| ContextError::Unreadable { path: path.to_path_buf(), error };
    let open = || -> io::Result<(File, fs::Metadata)> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    };
    let (mut file, metadata) = open().map_err(unreadable)?;
    if let ContextKind::Special(kind) = ContextKind::of(metadata.file_type()) {
        return Err(ContextError::Special { path: path.to_path_buf(), kind });
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(unreadable)?;
    Ok((content, metadata.permissions().mode() & 0o777))
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Appends a file that belongs to root and has no time of change.
pub(super) fn append<W: Write>(archive: &mut tar::Builder<W>, name: &str, content: &[u8], mode: u32) -> io::Result<()> {
    archive.append_data(&mut header(content.len() as u64, mode), name, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive_of(directory: &Path) -> Result<Vec<u8>, ContextError> {
        read_until(directory, &AtomicBool::new(false)).map(|context| context.archive)
    }

    #[test]
    fn archive_depends_on_content_alone() {
        let names = |archive: &[u8]| -> Vec<String> {
            let mut archive = tar::Archive::new(archive);
            let entries = archive.entries().unwrap();
            entries.map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned()).collect()
        };
        let fill = |directory: &Path| {
            for name in ["Dockerfile", "app.yaml", "keep.txt"] {
                fs::write(directory.join(name), name).unwrap();
            }
        };
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fill(first.path());
        fill(second.path());
        let archive = archive_of(first.path()).unwrap();
        assert_eq!(names(&archive), ["Dockerfile", "keep.txt"]);
        assert_eq!(archive, archive_of(second.path()).unwrap());
        fs::write(second.path().join("keep.txt"), "changed").unwrap();
        assert_ne!(archive, archive_of(second.path()).unwrap());
    }

    #[test]
    fn named_pipes_are_refused_by_name_instead_of_being_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let error = archive_of(folder.path()).unwrap_err().to_string();
        assert!(error.contains("pipe` is a named pipe, which cannot be part of an image\nhint: "), "{error}");
        // Also if it was a file when it was listed.
        assert!(matches!(read_file(&pipe), Err(ContextError::Special { .. })));
    }

    #[test]
    fn reading_ends_when_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
        assert!(matches!(read_until(folder.path(), &AtomicBool::new(true)), Err(ContextError::GivenUp)));
    }
}
