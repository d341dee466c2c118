//! Where what a command writes lies, and in which state it left each path.
//!
//! An overlay keeps what is written in a directory of its own ([`super::tree`]), below the same names; what was removed is a character
//! device with the number 0 there (`Documentation/filesystems/overlayfs.rst`). Names are taken from that directory, everything else from the
//! overlay itself, as an upper file may hold less than the whole. Directories that are put together by hand, and temporary ones, are
//! looked at directly. All processes of the command have ended by then.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::trial::{ContentDigest, DIGEST_LIMIT, FileChanges, FileKind, FileState, LookAtFiles, MOST_FILES};

/// A directory in which something can be written, and where what is written to it lies.
#[derive(Debug)]
pub(in crate::shim) struct Layer {
    /// Where the command sees it.
    point: PathBuf,
    /// The names that were there before, all of which are of other layers or can't be written to.
    known: BTreeSet<OsString>,
    /// Found by its descriptor alone, as it has no name any more.
    directory: OwnedFd,
}

impl Layer {
    /// The directory `place` takes what is written to `point`, where there were `known` before.
    pub(super) fn open(point: &Path, place: &Path, known: BTreeSet<OsString>) -> io::Result<Self> {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let directory = OpenOptions::new().read(true).custom_flags(flags).open(place)?.into();
        Ok(Self { point: point.to_path_buf(), known, directory })
    }

    fn place(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.directory.as_raw_fd()))
    }

    /// The path of `path` below the place, if this layer takes what is written to it.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        let rest = path.strip_prefix(&self.point).ok()?;
        let first = rest.components().next()?.as_os_str();
        (!self.known.contains(first)).then(|| self.place().join(rest))
    }
}

/// Everything that takes what a command writes.
pub(in crate::shim) type Layers = Vec<Layer>;

/// What the command did to the paths that are asked about.
pub(in crate::shim) fn changes(layers: &Layers, look_at: &LookAtFiles) -> FileChanges {
    match look_at {
        LookAtFiles::Nowhere => FileChanges::default(),
        LookAtFiles::Everywhere => {
            let mut changes = FileChanges::default();
            let mut layers: Vec<_> = layers.iter().collect();
            layers.sort_by(|one, other| one.point.cmp(&other.point));
            for layer in layers {
                walk(&layer.place(), &layer.point, &layer.known, &mut changes);
            }
            changes
        }
        LookAtFiles::At(paths) => {
            let states = paths.iter().filter_map(|path| Some((path.clone(), state_at(layers, path)?)));
            FileChanges { states: states.collect(), left_out: 0 }
        }
    }
}

/// Takes note of everything below `place`, which the command sees as `point`, in the order of the names.
fn walk(place: &Path, point: &Path, known: &BTreeSet<OsString>, changes: &mut FileChanges) {
    let mut names: Vec<_> = fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names.iter().filter(|name| !known.contains(*name)) {
        let (place, point) = (place.join(name), point.join(name));
        let Some(state) = state(&place, &point) else { continue };
        if changes.states.len() < MOST_FILES {
            changes.states.insert(point.clone(), state);
        } else {
            changes.left_out += 1;
        }
        if state.kind == FileKind::Directory {
            walk(&place, &point, &BTreeSet::new(), changes);
        }
    }
}

/// The state of a path that may not have been written to; `None` if there is nothing.
fn state_at(layers: &Layers, path: &Path) -> Option<FileState> {
    let own = layers.iter().filter(|layer| path.starts_with(&layer.point)).max_by_key(|layer| layer.point.as_os_str().len());
    let written = own.and_then(|layer| state(&layer.below(path)?, path));
    written.or_else(|| fs::symlink_metadata(path).is_ok().then_some(FileState::of_kind(FileKind::Untouched)))
}

/// The state of what was written to `place`, which the command sees as `point`; `None` if nothing was.
fn state(place: &Path, point: &Path) -> Option<FileState> {
    let kind = fs::symlink_metadata(place).ok()?.file_type();
    let Ok(metadata) = fs::symlink_metadata(point) else {
        return kind.is_char_device().then_some(FileState::of_kind(FileKind::Removed));
    };
    let (size, digest) = content(point, &metadata);
    let kind = if metadata.is_file() {
        FileKind::File
    } else if metadata.is_dir() {
        FileKind::Directory
    } else if metadata.is_symlink() {
        FileKind::Link
    } else {
        FileKind::Special
    };
    let mode = if kind == FileKind::Link { 0 } else { metadata.mode() & 0o7777 };
    Some(FileState { kind, mode, owner: metadata.uid(), group: metadata.gid(), size, digest })
}

/// Size and digest of what is there; a file that can't be read has the digest of its beginning.
fn content(path: &Path, metadata: &Metadata) -> (u64, u64) {
    let mut digest = ContentDigest::default();
    if metadata.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        digest.push(target.as_os_str().as_bytes());
        return (target.as_os_str().len() as u64, digest.finish());
    }
    if !metadata.is_file() {
        return (0, 0);
    }
    // Whatever it is by now, nothing is waited for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    if let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) {
        push(file.take(DIGEST_LIMIT), &mut digest);
    }
    (metadata.len(), digest.finish())
}

fn push(mut content: io::Take<File>, digest: &mut ContentDigest) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => digest.push(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A directory as its own layer, so that everything in it was written.
    fn written() -> (tempfile::TempDir, Layers) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("out.txt"), "hello\n").unwrap();
        fs::set_permissions(path.join("out.txt"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::create_dir(path.join("d")).unwrap();
        symlink("out.txt", path.join("d/link")).unwrap();
        fs::write(path.join("before"), "").unwrap();
        let layer = Layer::open(path, path, BTreeSet::from(["before".into()])).unwrap();
        (folder, vec![layer])
    }

    #[test]
    fn everything_that_was_written_is_told_with_its_state() {
        let (folder, layers) = written();
        let changes = changes(&layers, &LookAtFiles::Everywhere);
        let names: Vec<_> =
            changes.states.keys().map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!((names, changes.left_out), (vec!["d", "d/link", "out.txt"], 0));
        let state = |name: &str| changes.states[&folder.path().join(name)];
        assert_eq!((state("out.txt").kind, state("out.txt").mode, state("out.txt").size), (FileKind::File, 0o640, 6));
        assert_eq!((state("d/link").kind, state("d/link").mode, state("d/link").size), (FileKind::Link, 0, 7));
        assert_eq!(state("d").kind, FileKind::Directory);
    }

    #[test]
    fn a_path_is_told_as_written_untouched_or_not_at_all() {
        let (folder, layers) = written();
        let at = |names: &[&str]| {
            let paths = names.iter().map(|name| folder.path().join(name)).collect();
            let changes = changes(&layers, &LookAtFiles::At(paths));
            changes.states.into_values().map(|state| state.kind).collect::<Vec<_>>()
        };
        assert_eq!(at(&["out.txt"]), [FileKind::File]);
        assert_eq!(at(&["before"]), [FileKind::Untouched]);
        assert_eq!(at(&["nothing"]), []);
    }

    #[test]
    fn content_is_what_a_digest_tells() {
        let (folder, layers) = written();
        let digest = || changes(&layers, &LookAtFiles::Everywhere).states[&folder.path().join("out.txt")].digest;
        let before = digest();
        fs::write(folder.path().join("out.txt"), "Hello\n").unwrap();
        assert_ne!(digest(), before);
        fs::write(folder.path().join("out.txt"), "hello\n").unwrap();
        assert_eq!(digest(), before);
    }

    #[test]
    fn more_paths_than_are_told_of_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..MOST_FILES + 3 {
            fs::write(folder.path().join(format!("{number:05}")), "").unwrap();
        }
        let layers = vec![Layer::open(folder.path(), folder.path(), BTreeSet::new()).unwrap()];
        let changes = changes(&layers, &LookAtFiles::Everywhere);
        assert_eq!((changes.states.len(), changes.left_out), (MOST_FILES, 3));
    }
}
