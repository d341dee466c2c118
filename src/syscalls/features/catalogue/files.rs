//! Calls on files, directories and descriptors.
//!
//! Pure data.

use crate::syscalls::calls;
use crate::syscalls::features::dimension::{Dimension, INT, Kind, LONG, Place};
use crate::syscalls::features::names::{block, device, files, filesystem, network, terminal};

/// Where `openat2` finds its flags, and how it resolves: `struct open_how` of `linux/openat2.h`.
const OPEN_HOW_FLAGS: Place = Place::Memory { argument: 2, offset: 0, width: 8 };
const OPEN_HOW_RESOLVE: Place = Place::Memory { argument: 2, offset: 16, width: 8 };

/// The bits of an access mode (`O_ACCMODE`).
const ACCESS_MODE: u64 = 3;
/// The bits of what a node is (`S_IFMT`).
const NODE_KIND: u64 = 0o170_000;

pub(super) static DIMENSIONS: &[Dimension] = &[
    Dimension::new(
        "request",
        calls!["ioctl"],
        Place::Register(1),
        Kind::Value { mask: INT },
        &[
            terminal::TERMINAL,
            terminal::CONSOLE,
            network::SOCKET,
            network::TUNNEL,
            block::BLOCK,
            block::DISK,
            filesystem::FILESYSTEM,
            filesystem::EXT4,
            filesystem::BTRFS,
            device::DEVICE,
            device::KERNEL,
        ],
    ),
    Dimension::new("command", calls!["fcntl"], Place::Register(1), Kind::Value { mask: INT }, &[files::FCNTL]),
    Dimension::new(
        "access",
        calls!["open", "mq_open"],
        Place::Register(1),
        Kind::Value { mask: ACCESS_MODE },
        &[files::OPEN_ACCESS],
    ),
    Dimension::new(
        "access",
        calls!["openat", "open_by_handle_at"],
        Place::Register(2),
        Kind::Value { mask: ACCESS_MODE },
        &[files::OPEN_ACCESS],
    ),
    Dimension::new("access", calls!["openat2"], OPEN_HOW_FLAGS, Kind::Value { mask: ACCESS_MODE }, &[files::OPEN_ACCESS]),
    Dimension::new(
        "flags",
        calls!["open", "mq_open"],
        Place::Register(1),
        Kind::Flags { mask: INT & !ACCESS_MODE },
        &[files::OPEN_FLAGS],
    )
    .differing(files::OPEN_FLAGS_X86_64, files::OPEN_FLAGS_AARCH64),
    Dimension::new(
        "flags",
        calls!["openat", "open_by_handle_at"],
        Place::Register(2),
        Kind::Flags { mask: INT & !ACCESS_MODE },
        &[files::OPEN_FLAGS],
    )
    .differing(files::OPEN_FLAGS_X86_64, files::OPEN_FLAGS_AARCH64),
    Dimension::new("flags", calls!["openat2"], OPEN_HOW_FLAGS, Kind::Flags { mask: LONG & !ACCESS_MODE }, &[files::OPEN_FLAGS])
        .differing(files::OPEN_FLAGS_X86_64, files::OPEN_FLAGS_AARCH64),
    Dimension::new("resolve", calls!["openat2"], OPEN_HOW_RESOLVE, Kind::Flags { mask: LONG }, &[files::RESOLVE]),
    Dimension::new("flags", calls!["pipe2"], Place::Register(1), Kind::Flags { mask: INT }, &[files::PIPE_FLAGS])
        .differing(files::PIPE_FLAGS_X86_64, files::PIPE_FLAGS_AARCH64),
    Dimension::new("flags", calls!["dup3"], Place::Register(2), Kind::Flags { mask: INT }, &[files::CLOSE_ON_EXEC]),
    Dimension::new("flags", calls!["close_range"], Place::Register(2), Kind::Flags { mask: INT }, &[files::CLOSE_RANGE]),
    Dimension::new("flags", calls!["statx"], Place::Register(2), Kind::Flags { mask: INT }, &[files::AT_FLAGS]),
    Dimension::new(
        "flags",
        calls!["newfstatat", "utimensat", "fchmodat2"],
        Place::Register(3),
        Kind::Flags { mask: INT },
        &[files::AT_FLAGS],
    ),
    Dimension::new(
        "flags",
        calls!["linkat", "fchownat", "name_to_handle_at"],
        Place::Register(4),
        Kind::Flags { mask: INT },
        &[files::AT_FLAGS],
    ),
    Dimension::new("flags", calls!["faccessat2"], Place::Register(3), Kind::Flags { mask: INT }, &[files::ACCESS_FLAGS]),
    Dimension::new("flags", calls!["unlinkat"], Place::Register(2), Kind::Flags { mask: INT }, &[files::UNLINK_FLAGS]),
    Dimension::new("flags", calls!["execveat"], Place::Register(4), Kind::Flags { mask: INT }, &[files::EXECVE_FLAGS]),
    Dimension::new("whence", calls!["lseek"], Place::Register(2), Kind::Value { mask: INT }, &[files::WHENCE]),
    Dimension::new("flags", calls!["renameat2"], Place::Register(4), Kind::Flags { mask: INT }, &[files::RENAME_FLAGS]),
    Dimension::new("mode", calls!["fallocate"], Place::Register(1), Kind::Flags { mask: INT }, &[files::FALLOCATE]),
    Dimension::new("advice", calls!["fadvise64"], Place::Register(3), Kind::Value { mask: INT }, &[files::FILE_ADVICE]),
    Dimension::new("operation", calls!["flock"], Place::Register(1), Kind::Flags { mask: INT }, &[files::LOCK]),
    Dimension::new("flags", calls!["sync_file_range"], Place::Register(3), Kind::Flags { mask: INT }, &[files::SYNC_RANGE]),
    Dimension::new("flags", calls!["splice"], Place::Register(5), Kind::Flags { mask: INT }, &[files::SPLICE]),
    Dimension::new("flags", calls!["tee", "vmsplice"], Place::Register(3), Kind::Flags { mask: INT }, &[files::SPLICE]),
    Dimension::new(
        "flags",
        calls!["preadv2", "pwritev2"],
        Place::Register(5),
        Kind::Flags { mask: INT },
        &[files::READ_WRITE_FLAGS],
    ),
    Dimension::new(
        "flags",
        calls!["setxattr", "lsetxattr", "fsetxattr"],
        Place::Register(4),
        Kind::Flags { mask: INT },
        &[files::XATTR_FLAGS],
    ),
    // The kernel takes a `umode_t`, which has 16 bits; 0 makes a regular file, as `S_IFREG` does.
    Dimension::new("kind", calls!["mknod"], Place::Register(1), Kind::Field { mask: NODE_KIND }, &[files::NODE_KIND]),
    Dimension::new("kind", calls!["mknodat"], Place::Register(2), Kind::Field { mask: NODE_KIND }, &[files::NODE_KIND]),
    // `mount` adds `MS_MGC_VAL` to its flags for kernels before Linux 2.4; its bits read as flags that are not meant.
    Dimension::new("flags", calls!["mount"], Place::Register(3), Kind::Flags { mask: LONG }, &[files::MOUNT]),
    Dimension::new("flags", calls!["umount2"], Place::Register(1), Kind::Flags { mask: INT }, &[files::UNMOUNT]),
    Dimension::new("command", calls!["fsconfig"], Place::Register(1), Kind::Value { mask: INT }, &[files::FSCONFIG]),
    Dimension::new(
        "flags",
        calls!["open_tree", "open_tree_attr"],
        Place::Register(2),
        Kind::Flags { mask: INT },
        &[files::OPEN_TREE],
    ),
    Dimension::new("flags", calls!["move_mount"], Place::Register(4), Kind::Flags { mask: INT }, &[files::MOVE_MOUNT]),
];
