//! Which arguments of calls are paths, and which paths are pseudo-files.
//!
//! First in the flow of data, beside the calls themselves: the shim asks which arguments to read ([`arguments_of`]), what their
//! directory is, and whether the path is a [`PseudoFile`]. Pure: it resolves by text alone. What a descriptor's directory or a
//! process's working directory is called is for the shim to find out.
//!
//! What is decided here:
//!
//! - The path of a socket's address counts as well (`connect` to `/dev/log`).
//! - Not counted: paths in memory that a call describes in more detail (`bpf`, `fsconfig`, `io_uring`), and text that no call
//!   follows (the target of `symlink`, names of message queues).
//! - A path is UTF-8 to everything above this module; other bytes are replaced as [`String::from_utf8_lossy`] does, which
//!   pseudo-files do not need.

mod pseudo_file;
mod table;

pub use self::pseudo_file::{NotAPseudoFile, PseudoFile, normalise, normalise_at};
use super::memory::{self, PATH_LIMIT, Read};
use super::{Architecture, Sysno};

/// `AT_FDCWD` of `linux/fcntl.h`: the working directory in place of a descriptor.
const WORKING_DIRECTORY: i32 = -100;

/// What a call does with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Opens it.
    Open,
    /// Asks what it is.
    Stat,
    /// Reads where the link points.
    ReadLink,
    /// Asks whether it may be used.
    Access,
    /// Executes it.
    Execute,
    /// Anything else: makes, changes, moves, removes, mounts, watches …
    Other,
}

/// Whether a link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Links {
    Followed,
    Kept,
    /// Kept if an argument has the flag.
    KeptIf {
        argument: u8,
        flag: u64,
    },
    /// Followed only if an argument has the flag.
    FollowedIf {
        argument: u8,
        flag: u64,
    },
    /// Kept if the flags of an `open`, in this argument, have `O_NOFOLLOW`, or both `O_CREAT` and `O_EXCL`.
    Open {
        argument: u8,
    },
    /// The same, with the flags at the beginning of what the argument points to.
    OpenHow {
        argument: u8,
    },
}

/// Where the path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The argument points to it.
    Pointer(u8),
    /// In a `struct sockaddr_un` (unix(7)) that an argument points to, with its length in another.
    Address { pointer: u8, length: u8 },
}

/// What a relative path begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directory {
    /// The caller's working directory.
    Working,
    /// The directory behind this descriptor of the caller.
    Descriptor(i32),
}

/// One path among the arguments of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathArgument {
    place: Place,
    /// Index of the argument with the descriptor of a directory.
    directory: Option<u8>,
    links: Links,
    access: Access,
}

impl PathArgument {
    /// What the call does with the path.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Index of the argument that points to the path, or to the address that holds it.
    #[must_use]
    pub const fn argument(&self) -> u8 {
        match self.place {
            Place::Pointer(argument) | Place::Address { pointer: argument, .. } => argument,
        }
    }

    /// What the path is relative to, unless it is absolute.
    #[must_use]
    pub fn directory(&self, arguments: &[u64; 6]) -> Directory {
        // The kernel takes the descriptor as an `int`.
        #[expect(clippy::cast_possible_truncation, reason = "the upper half of the register does not count")]
        let descriptor = self.directory.map(|argument| arguments[usize::from(argument)] as i32);
        match descriptor {
            None | Some(WORKING_DIRECTORY) => Directory::Working,
            Some(descriptor) => Directory::Descriptor(descriptor),
        }
    }

    /// The path, read once. `None` if there is none, it cannot be read, is longer than the kernel accepts, or is empty, which
    /// means the descriptor itself, or nothing.
    pub fn path(&self, arguments: &[u64; 6], read: &mut Read<'_>) -> Option<String> {
        let bytes = match self.place {
            Place::Pointer(argument) => {
                let address = arguments[usize::from(argument)];
                let text = (address != 0).then(|| memory::text(read, address, PATH_LIMIT)).flatten()?;
                text.whole.then_some(text.bytes)?
            }
            Place::Address { pointer, length } => {
                let (address, length) = (arguments[usize::from(pointer)], arguments[usize::from(length)]);
                address_path(address, length, read)?
            }
        };
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether the call follows a link at the path's end, on the native architecture. Memory that cannot be read counts as flags
    /// that are not set.
    pub fn follows_links(&self, arguments: &[u64; 6], read: &mut Read<'_>) -> bool {
        let flags = |argument: u8| arguments[usize::from(argument)];
        match self.links {
            Links::Followed => true,
            Links::Kept => false,
            Links::KeptIf { argument, flag } => flags(argument) & flag == 0,
            Links::FollowedIf { argument, flag } => flags(argument) & flag != 0,
            Links::Open { argument } => open_follows(flags(argument)),
            Links::OpenHow { argument } => open_follows(memory::number(read, flags(argument), 8).unwrap_or(0)),
        }
    }
}

/// Whether flags of `open` let it follow a link at the end (open(2), `asm/fcntl.h`).
fn open_follows(flags: u64) -> bool {
    const CREATE_EXCLUSIVELY: u64 = 0o300;
    const DO_NOT_FOLLOW: u64 = match Architecture::NATIVE {
        Architecture::X86_64 => 0o400_000,
        Architecture::Aarch64 => 0o100_000,
    };
    flags & DO_NOT_FOLLOW == 0 && flags & CREATE_EXCLUSIVELY != CREATE_EXCLUSIVELY
}

/// The path in a socket's address of `length` bytes (unix(7)); `None` if the address is of another family, or abstract.
fn address_path(address: u64, length: u64, read: &mut Read<'_>) -> Option<Vec<u8>> {
    const FAMILY_SIZE: usize = 2;
    const PATH_SIZE: usize = 108;
    const UNIX: u64 = 1;
    let length = usize::try_from(length & 0xffff_ffff).ok()?.checked_sub(FAMILY_SIZE)?;
    if address == 0 || length > PATH_SIZE || memory::number(read, address, FAMILY_SIZE)? != UNIX {
        return None;
    }
    let mut path = memory::bytes(read, address.checked_add(2)?, length)?;
    path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(length));
    Some(path)
}

/// The paths among the arguments of `call`; none for most.
#[must_use]
pub fn arguments_of(call: Sysno) -> &'static [PathArgument] {
    table::of(call)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Memory with `content` at 0x1000 and nothing elsewhere.
    fn memory(content: &[u8]) -> impl FnMut(u64, &mut [u8]) -> bool {
        let mut page = vec![0; 8192];
        page[..content.len()].copy_from_slice(content);
        move |address, buffer| {
            let at = address.checked_sub(0x1000).and_then(|at| usize::try_from(at).ok());
            let bytes = at.and_then(|at| page.get(at..)).and_then(|rest| rest.get(..buffer.len()));
            bytes.inspect(|bytes| buffer.copy_from_slice(bytes)).is_some()
        }
    }

    fn only(name: &str) -> PathArgument {
        let [argument] = arguments_of(name.parse().unwrap()) else { panic!("{name} has not exactly one path") };
        *argument
    }

    #[test]
    fn paths_are_read_with_their_directory() {
        let arguments = [0xffff_ffff_ffff_ff9c, 0x1000, 0, 0, 0, 0];
        let openat = only("openat");
        assert_eq!(openat.path(&arguments, &mut memory(b"/etc/passwd\0")), Some("/etc/passwd".to_owned()));
        assert_eq!(openat.directory(&arguments), Directory::Working);
        // What stands above an `int` does not count.
        assert_eq!(openat.directory(&[0x1234_ffff_ff9c, 0, 0, 0, 0, 0]), Directory::Working);
        assert_eq!(openat.directory(&[7, 0, 0, 0, 0, 0]), Directory::Descriptor(7));
        assert_eq!(only("open").directory(&[7; 6]), Directory::Working);
        assert_eq!(openat.access(), Access::Open);
    }

    #[test]
    fn no_path_is_made_up() {
        let newfstatat = only("newfstatat");
        for (pointer, content) in [(0x1000, &b"\0"[..]), (0, b"/x\0"), (0x9000, b"/x\0"), (0x1000, &[b'x'; 5000])] {
            assert_eq!(newfstatat.path(&[3, pointer, 0, 0, 0, 0], &mut memory(content)), None);
        }
    }

    #[test]
    fn paths_of_sockets_are_read_from_their_address() {
        let connect = only("connect");
        let path = |content: &[u8], length| connect.path(&[3, 0x1000, length, 0, 0, 0], &mut memory(content));
        assert_eq!(path(b"\x01\x00/dev/log\0", 110), Some("/dev/log".to_owned()));
        assert_eq!(path(b"\x01\x00/dev/logger", 10), Some("/dev/log".to_owned()));
        assert_eq!(path(b"\x01\x00\0abstract", 11), None);
        assert_eq!(path(b"\x02\x00\x00\x50\x7f\x00\x00\x01", 16), None);
        assert_eq!(path(b"\x01\x00/dev/log\0", 1), None);
    }

    #[test]
    fn whether_links_are_followed_depends_on_the_call_and_its_flags() {
        let follows = |name: &str, arguments: [u64; 6]| only(name).follows_links(&arguments, &mut memory(&[]));
        let no_follow = u64::try_from(libc::O_NOFOLLOW).unwrap();
        assert!(follows("stat", [0; 6]) && !follows("lstat", [0; 6]) && !follows("readlink", [0; 6]));
        assert!(follows("openat", [0; 6]) && !follows("openat", [0, 0, no_follow, 0, 0, 0]));
        assert!(follows("open", [0, 0o100, 0, 0, 0, 0]) && !follows("open", [0, 0o300, 0, 0, 0, 0]));
        assert!(follows("newfstatat", [0; 6]) && !follows("newfstatat", [0, 0, 0, 0x100, 0, 0]));
        assert!(!follows("name_to_handle_at", [0; 6]) && follows("name_to_handle_at", [0, 0, 0, 0, 0x400, 0]));
        let how = no_follow.to_le_bytes();
        assert!(!only("openat2").follows_links(&[0, 0, 0x1000, 24, 0, 0], &mut memory(&how)));
        assert!(only("openat2").follows_links(&[0, 0, 0x1000, 24, 0, 0], &mut memory(&[])));
    }

    #[test]
    fn calls_with_two_paths_have_both() {
        let both = |name: &str| {
            let arguments = arguments_of(name.parse().unwrap());
            arguments.iter().map(|path| (path.directory, path.argument())).collect::<Vec<_>>()
        };
        assert_eq!(both("rename"), [(None, 0), (None, 1)]);
        assert_eq!(both("renameat2"), [(Some(0), 1), (Some(2), 3)]);
        assert_eq!(both("symlinkat"), [(Some(1), 2)]);
        assert_eq!(both("read"), []);
    }

    proptest! {
        #[test]
        fn nothing_in_memory_makes_it_panic(
            call in proptest::sample::select(Sysno::all().collect::<Vec<_>>()),
            arguments in any::<[u64; 6]>(),
            content in proptest::collection::vec(any::<u8>(), 0..300),
            near in any::<bool>(),
        ) {
            let arguments = if near { arguments.map(|argument| argument % 0x3000) } else { arguments };
            for path in arguments_of(call) {
                let _ = path.path(&arguments, &mut memory(&content));
                let _ = (path.directory(&arguments), path.follows_links(&arguments, &mut memory(&content)));
            }
        }
    }
}
