//! What a command did to files, as far as that differs from what this machine has: an overlay also copies what is opened for writing,
//! and the directories above it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::spec::WrittenFiles;
use crate::trial::{ContentDigest, DIGEST_LIMIT, FileChanges, FileKind, FileState, LookAtFiles};

/// Whom files belong to whose owner is not mapped into a user namespace (`overflowuid` in proc(5)).
const NOBODY: u32 = 65534;

/// What a trial is asked of files.
pub(super) fn look_at(written: &WrittenFiles) -> LookAtFiles {
    match written {
        WrittenFiles::Ignored => LookAtFiles::Nowhere,
        WrittenFiles::Noted => LookAtFiles::Everywhere,
        WrittenFiles::Equal(states) => LookAtFiles::At(states.keys().cloned().collect()),
    }
}

/// The changes without paths that are as they were; of paths that were asked for one by one, all.
pub(super) fn really_changed(written: &WrittenFiles, changes: FileChanges) -> FileChanges {
    if *written != WrittenFiles::Noted {
        return changes;
    }
    let states: BTreeMap<PathBuf, FileState> =
        changes.states.into_iter().filter(|(path, state)| !is_as_before(path, state)).collect();
    FileChanges { states, ..changes }
}

/// Whether this machine has the same at `path`.
fn is_as_before(path: &Path, state: &FileState) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return false };
    let same = |own: u32, found: u32| own == found || found == NOBODY;
    if !same(metadata.uid(), state.owner) || !same(metadata.gid(), state.group) {
        return false;
    }
    let same_mode = metadata.mode() & 0o7777 == state.mode;
    match state.kind {
        FileKind::Directory => metadata.is_dir() && same_mode,
        FileKind::File => {
            metadata.is_file() && same_mode && metadata.len() == state.size && digest(path).is_ok_and(|own| own == state.digest)
        }
        FileKind::Link => fs::read_link(path).is_ok_and(|target| {
            let mut digest = ContentDigest::default();
            digest.push(target.as_os_str().as_bytes());
            digest.finish() == state.digest
        }),
        FileKind::Special | FileKind::Removed | FileKind::Untouched => false,
    }
}

fn digest(path: &Path) -> io::Result<u64> {
    let mut digest = ContentDigest::default();
    let mut content = File::open(path)?.take(DIGEST_LIMIT);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(digest.finish()),
            count => digest.push(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_is_as_it_was_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "hello\n").unwrap();
        fs::set_permissions(path("file"), fs::Permissions::from_mode(0o644)).unwrap();
        symlink("file", path("link")).unwrap();
        let (user, group) = (fs::metadata(folder.path()).unwrap().uid(), fs::metadata(folder.path()).unwrap().gid());
        let state = |kind, mode, size, digest| FileState { kind, mode, owner: user, group, size, digest };
        let of = |bytes: &[u8]| {
            let mut digest = ContentDigest::default();
            digest.push(bytes);
            digest.finish()
        };
        let same = state(FileKind::File, 0o644, 6, of(b"hello\n"));
        let mode = fs::metadata(folder.path()).unwrap().mode() & 0o7777;
        let before = [
            (path("file"), same),
            (path("file"), FileState { owner: NOBODY, group: NOBODY, ..same }),
            (path("link"), state(FileKind::Link, 0, 4, of(b"file"))),
            (folder.path().to_path_buf(), state(FileKind::Directory, mode, 0, 0)),
        ];
        for (path, state) in before {
            let states = [(path, state)].into();
            let changes = really_changed(&WrittenFiles::Noted, FileChanges { states, left_out: 1 });
            assert_eq!(changes, FileChanges { left_out: 1, ..FileChanges::default() }, "{state}");
        }
        let changed = [
            ("file", FileState { digest: 7, ..same }),
            ("file", FileState { size: 7, ..same }),
            ("file", FileState { mode: 0o600, ..same }),
            ("file", FileState { owner: user + 1, ..same }),
            ("file", FileState { kind: FileKind::Directory, ..same }),
            ("file", FileState::of_kind(FileKind::Removed)),
            ("link", state(FileKind::Link, 0, 4, of(b"gone"))),
            ("new", same),
        ];
        for (name, state) in changed {
            let told = FileChanges { states: [(path(name), state)].into(), left_out: 0 };
            assert_eq!(really_changed(&WrittenFiles::Noted, told.clone()), told, "{state}");
        }
    }
}
