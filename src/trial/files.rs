//! What a run did to files: the state in which it left each that it wrote, and how two such states differ. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What is found at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A FIFO, a socket or a device.
    Special,
    /// Nothing any more: it was removed.
    Removed,
    /// What was there before the run.
    Untouched,
}

impl FileKind {
    const ALL: [Self; 6] = [Self::File, Self::Directory, Self::Link, Self::Special, Self::Removed, Self::Untouched];

    /// The one name this has in every file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Link => "link",
            Self::Special => "special",
            Self::Removed => "removed",
            Self::Untouched => "untouched",
        }
    }
}

/// The state in which a run left a path. Its text form, `file 0644 0:0 6 9f38a2b1c0d4e5f6`, is canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    /// What is there; the rest is 0 where nothing is, or nothing that the run wrote.
    pub kind: FileKind,
    /// The permission bits; 0 of a link, which has none.
    pub mode: u32,
    /// The owner's number.
    pub owner: u32,
    /// The group's number.
    pub group: u32,
    /// Bytes of a file, or of the target of a link.
    pub size: u64,
    /// [`ContentDigest`] of them; of a file, of its first [`DIGEST_LIMIT`] bytes.
    pub digest: u64,
}

/// Bytes of a file that its digest covers.
pub const DIGEST_LIMIT: u64 = 64 * 1024 * 1024;
/// Paths whose state is reported of one run.
pub const MOST_FILES: usize = 2000;

impl FileState {
    /// The state of a path at which there is nothing of interest.
    #[must_use]
    pub const fn of_kind(kind: FileKind) -> Self {
        Self { kind, mode: 0, owner: 0, group: 0, size: 0, digest: 0 }
    }

    /// How `found` differs from this, in words for people; `None` if it does not. `found` is missing if there is nothing at the path.
    #[must_use]
    pub fn difference(&self, found: Option<&Self>) -> Option<String> {
        let Some(found) = found else {
            return (self.kind != FileKind::Removed).then(|| "it is missing".to_owned());
        };
        if self == found {
            return None;
        }
        Some(match (self.kind, found.kind) {
            (FileKind::Removed, _) => "it is still there".to_owned(),
            (_, FileKind::Removed) => "it is removed".to_owned(),
            (_, FileKind::Untouched) => "it is as it was before the run".to_owned(),
            (expected, kind) if expected != kind => format!("{}, expected {}", in_words(kind), in_words(expected)),
            _ if self.size != found.size => format!("{}, expected {}", bytes(found.size), bytes(self.size)),
            _ if self.digest != found.digest => format!("other content in {}", bytes(self.size)),
            _ if self.mode != found.mode => format!("mode {:04o}, expected {:04o}", found.mode, self.mode),
            _ => format!("owner {}:{}, expected {}:{}", found.owner, found.group, self.owner, self.group),
        })
    }
}

fn bytes(size: u64) -> String {
    if size == 1 { "1 byte".to_owned() } else { format!("{size} bytes") }
}

const fn in_words(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "a file",
        FileKind::Directory => "a directory",
        FileKind::Link => "a symbolic link",
        FileKind::Special => "no plain file",
        FileKind::Removed => "nothing",
        FileKind::Untouched => "what was there before",
    }
}

impl fmt::Display for FileState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, mode, owner, group, size, digest } = self;
        write!(formatter, "{} {mode:04o} {owner}:{group} {size} {digest:016x}", kind.name())
    }
}

/// A text that is not the canonical form of a [`FileState`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFileState(String);

impl fmt::Display for BadFileState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is no state of a file", self.0)
    }
}

impl std::error::Error for BadFileState {}

impl FromStr for FileState {
    type Err = BadFileState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut words = text.split(' ');
            let mut word = || words.next();
            let kind = word()?;
            let kind = FileKind::ALL.into_iter().find(|candidate| candidate.name() == kind)?;
            let mode = u32::from_str_radix(word()?, 8).ok()?;
            let (owner, group) = word()?.split_once(':')?;
            let (owner, group) = (owner.parse().ok()?, group.parse().ok()?);
            let (size, digest) = (word()?.parse().ok()?, u64::from_str_radix(word()?, 16).ok()?);
            word().is_none().then_some(Self { kind, mode, owner, group, size, digest })
        };
        parse().ok_or_else(|| BadFileState(text.to_owned()))
    }
}

/// FNV-1a of 64 bits, in whatever pieces the bytes come: tells by chance, and not by intention, different contents apart.
#[derive(Debug, Clone, Copy)]
pub struct ContentDigest(u64);

impl Default for ContentDigest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl ContentDigest {
    /// Takes further bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }

    /// The digest of all bytes so far.
    #[must_use]
    pub const fn finish(self) -> u64 {
        self.0
    }
}

/// Which paths a run is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LookAtFiles {
    /// None.
    #[default]
    Nowhere,
    /// Every path that it wrote to, at most [`MOST_FILES`] of them.
    Everywhere,
    /// These.
    At(Vec<PathBuf>),
}

/// What a run did to files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileChanges {
    /// The state of each path that was asked about; of those at which there is nothing, none.
    pub states: BTreeMap<PathBuf, FileState>,
    /// Paths that were written to and are not told of, as there are too many.
    pub left_out: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> FileState {
        text.parse().unwrap()
    }

    #[test]
    fn states_round_trip_and_nothing_else_is_one() {
        for text in
            ["file 0644 0:0 6 00000000000000ff", "directory 1777 5:6 0 0000000000000000", "removed 0000 0:0 0 0000000000000000"]
        {
            assert_eq!(state(text).to_string(), text);
        }
        for text in [
            "",
            "file",
            "file 0644 0:0 6",
            "file 0644 0:0 6 ff x",
            "door 0644 0:0 6 ff",
            "file 0948 0:0 6 ff",
            "file 0644 0 6 ff",
        ] {
            assert!(text.parse::<FileState>().is_err(), "{text}");
        }
    }

    #[test]
    fn differences_are_told_by_what_matters_most() {
        let expected = state("file 0644 0:0 6 ff");
        let found = |text: &str| expected.difference(Some(&state(text)));
        assert_eq!(found("file 0644 0:0 6 ff"), None);
        assert_eq!(found("file 0600 1:0 0 fe").as_deref(), Some("0 bytes, expected 6 bytes"));
        assert_eq!(found("file 0600 1:0 6 fe").as_deref(), Some("other content in 6 bytes"));
        assert_eq!(found("file 0600 1:0 6 ff").as_deref(), Some("mode 0600, expected 0644"));
        assert_eq!(found("file 0644 1:0 6 ff").as_deref(), Some("owner 1:0, expected 0:0"));
        assert_eq!(found("directory 0755 0:0 0 0").as_deref(), Some("a directory, expected a file"));
        assert_eq!(found("untouched 0 0:0 0 0").as_deref(), Some("it is as it was before the run"));
        assert_eq!(expected.difference(None).as_deref(), Some("it is missing"));
        let removed = FileState::of_kind(FileKind::Removed);
        assert_eq!(removed.difference(Some(&FileState::of_kind(FileKind::Untouched))).as_deref(), Some("it is still there"));
        assert_eq!(removed.difference(None), None, "nothing is there either way");
    }

    #[test]
    fn digests_do_not_depend_on_the_pieces() {
        let digest = |pieces: &[&[u8]]| {
            let mut digest = ContentDigest::default();
            for piece in pieces {
                digest.push(piece);
            }
            digest.finish()
        };
        // From the reference implementation of FNV-1a.
        assert_eq!(digest(&[b"foobar"]), 0x8594_4171_f739_67e8);
        assert_eq!(digest(&[b"foo", b"", b"bar"]), digest(&[b"foobar"]));
        assert_eq!(digest(&[]), 0xcbf2_9ce4_8422_2325);
    }
}
