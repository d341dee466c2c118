//! The calls that take paths.
//!
//! Pure data, from the manual page of each call. Indexed when the program is compiled.

use super::{Access, Links, PathArgument, Place};
use crate::syscalls::{COUNT, Sysno};

/// Flags by which calls keep or follow links: `linux/fcntl.h`, `linux/mount.h`, `linux/inotify.h`, `linux/fanotify.h`, and
/// `include/linux/fs.h` for that of `umount2`.
const AT_SYMLINK_NOFOLLOW: u64 = 0x100;
const AT_SYMLINK_FOLLOW: u64 = 0x400;
const FSPICK_SYMLINK_NOFOLLOW: u64 = 0x2;
const MOVE_MOUNT_F_SYMLINKS: u64 = 0x1;
const MOVE_MOUNT_T_SYMLINKS: u64 = 0x10;
const IN_DONT_FOLLOW: u64 = 0x0200_0000;
const FAN_MARK_DONT_FOLLOW: u64 = 0x4;
const UMOUNT_NOFOLLOW: u64 = 0x8;

/// A path in this argument, relative to the working directory.
const fn path(argument: u8, access: Access, links: Links) -> PathArgument {
    PathArgument { place: Place::Pointer(argument), directory: None, links, access }
}

/// A path in the argument after that of its directory's descriptor.
const fn path_at(directory: u8, access: Access, links: Links) -> PathArgument {
    PathArgument { place: Place::Pointer(directory + 1), directory: Some(directory), links, access }
}

const fn address(pointer: u8, length: u8) -> PathArgument {
    let place = Place::Address { pointer, length };
    PathArgument { place, directory: None, links: Links::Followed, access: Access::Other }
}

const fn kept_if(argument: u8, flag: u64) -> Links {
    Links::KeptIf { argument, flag }
}

const fn followed_if(argument: u8, flag: u64) -> Links {
    Links::FollowedIf { argument, flag }
}

use Access::{Access as Ask, Execute, Open, Other, ReadLink, Stat};
use Links::{Followed, Kept};

static CALLS: &[(Sysno, &[PathArgument])] = &[
    (Sysno::known("access"), &[path(0, Ask, Followed)]),
    (Sysno::known("acct"), &[path(0, Other, Followed)]),
    (Sysno::known("bind"), &[address(1, 2)]),
    (Sysno::known("chdir"), &[path(0, Other, Followed)]),
    (Sysno::known("chmod"), &[path(0, Other, Followed)]),
    (Sysno::known("chown"), &[path(0, Other, Followed)]),
    (Sysno::known("chroot"), &[path(0, Other, Followed)]),
    (Sysno::known("connect"), &[address(1, 2)]),
    (Sysno::known("creat"), &[path(0, Open, Followed)]),
    (Sysno::known("execve"), &[path(0, Execute, Followed)]),
    (Sysno::known("execveat"), &[path_at(0, Execute, kept_if(4, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("faccessat"), &[path_at(0, Ask, Followed)]),
    (Sysno::known("faccessat2"), &[path_at(0, Ask, kept_if(3, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("fanotify_mark"), &[path_at(3, Other, kept_if(1, FAN_MARK_DONT_FOLLOW))]),
    (Sysno::known("fchmodat"), &[path_at(0, Other, Followed)]),
    (Sysno::known("fchmodat2"), &[path_at(0, Other, kept_if(3, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("fchownat"), &[path_at(0, Other, kept_if(4, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("file_getattr"), &[path_at(0, Other, kept_if(4, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("file_setattr"), &[path_at(0, Other, kept_if(4, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("fspick"), &[path_at(0, Other, kept_if(2, FSPICK_SYMLINK_NOFOLLOW))]),
    (Sysno::known("futimesat"), &[path_at(0, Other, Followed)]),
    (Sysno::known("getxattr"), &[path(0, Other, Followed)]),
    (Sysno::known("getxattrat"), &[path_at(0, Other, kept_if(2, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("inotify_add_watch"), &[path(1, Other, kept_if(2, IN_DONT_FOLLOW))]),
    (Sysno::known("lchown"), &[path(0, Other, Kept)]),
    (Sysno::known("lgetxattr"), &[path(0, Other, Kept)]),
    (Sysno::known("link"), &[path(0, Other, Kept), path(1, Other, Kept)]),
    (Sysno::known("linkat"), &[path_at(0, Other, followed_if(4, AT_SYMLINK_FOLLOW)), path_at(2, Other, Kept)]),
    (Sysno::known("listxattr"), &[path(0, Other, Followed)]),
    (Sysno::known("listxattrat"), &[path_at(0, Other, kept_if(2, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("llistxattr"), &[path(0, Other, Kept)]),
    (Sysno::known("lremovexattr"), &[path(0, Other, Kept)]),
    (Sysno::known("lsetxattr"), &[path(0, Other, Kept)]),
    (Sysno::known("lstat"), &[path(0, Stat, Kept)]),
    (Sysno::known("mkdir"), &[path(0, Other, Kept)]),
    (Sysno::known("mkdirat"), &[path_at(0, Other, Kept)]),
    (Sysno::known("mknod"), &[path(0, Other, Kept)]),
    (Sysno::known("mknodat"), &[path_at(0, Other, Kept)]),
    // What is mounted need not be a path; a name such as `proc` is relative and seldom in a directory that matters.
    (Sysno::known("mount"), &[path(0, Other, Followed), path(1, Other, Followed)]),
    (Sysno::known("mount_setattr"), &[path_at(0, Other, kept_if(2, AT_SYMLINK_NOFOLLOW))]),
    (
        Sysno::known("move_mount"),
        &[path_at(0, Other, followed_if(4, MOVE_MOUNT_F_SYMLINKS)), path_at(2, Other, followed_if(4, MOVE_MOUNT_T_SYMLINKS))],
    ),
    (Sysno::known("name_to_handle_at"), &[path_at(0, Other, followed_if(4, AT_SYMLINK_FOLLOW))]),
    (Sysno::known("newfstatat"), &[path_at(0, Stat, kept_if(3, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("open"), &[path(0, Open, Links::Open { argument: 1 })]),
    (Sysno::known("open_tree"), &[path_at(0, Other, kept_if(2, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("open_tree_attr"), &[path_at(0, Other, kept_if(2, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("openat"), &[path_at(0, Open, Links::Open { argument: 2 })]),
    (Sysno::known("openat2"), &[path_at(0, Open, Links::OpenHow { argument: 2 })]),
    (Sysno::known("pivot_root"), &[path(0, Other, Followed), path(1, Other, Followed)]),
    (Sysno::known("quotactl"), &[path(1, Other, Followed)]),
    (Sysno::known("readlink"), &[path(0, ReadLink, Kept)]),
    (Sysno::known("readlinkat"), &[path_at(0, ReadLink, Kept)]),
    (Sysno::known("removexattr"), &[path(0, Other, Followed)]),
    (Sysno::known("removexattrat"), &[path_at(0, Other, kept_if(2, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("rename"), &[path(0, Other, Kept), path(1, Other, Kept)]),
    (Sysno::known("renameat"), &[path_at(0, Other, Kept), path_at(2, Other, Kept)]),
    (Sysno::known("renameat2"), &[path_at(0, Other, Kept), path_at(2, Other, Kept)]),
    (Sysno::known("rmdir"), &[path(0, Other, Kept)]),
    (Sysno::known("sendto"), &[address(4, 5)]),
    (Sysno::known("setxattr"), &[path(0, Other, Followed)]),
    (Sysno::known("setxattrat"), &[path_at(0, Other, kept_if(2, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("stat"), &[path(0, Stat, Followed)]),
    (Sysno::known("statfs"), &[path(0, Stat, Followed)]),
    (Sysno::known("statx"), &[path_at(0, Stat, kept_if(2, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("swapoff"), &[path(0, Other, Followed)]),
    (Sysno::known("swapon"), &[path(0, Other, Followed)]),
    (Sysno::known("symlink"), &[path(1, Other, Kept)]),
    (Sysno::known("symlinkat"), &[path_at(1, Other, Kept)]),
    (Sysno::known("truncate"), &[path(0, Other, Followed)]),
    (Sysno::known("umount2"), &[path(0, Other, kept_if(1, UMOUNT_NOFOLLOW))]),
    (Sysno::known("unlink"), &[path(0, Other, Kept)]),
    (Sysno::known("unlinkat"), &[path_at(0, Other, Kept)]),
    (Sysno::known("uselib"), &[path(0, Execute, Followed)]),
    (Sysno::known("utime"), &[path(0, Other, Followed)]),
    (Sysno::known("utimensat"), &[path_at(0, Other, kept_if(3, AT_SYMLINK_NOFOLLOW))]),
    (Sysno::known("utimes"), &[path(0, Other, Followed)]),
];

static BY_CALL: [&[PathArgument]; COUNT] = {
    let mut table: [&[PathArgument]; COUNT] = [&[]; COUNT];
    let mut row = 0;
    while row < CALLS.len() {
        table[CALLS[row].0.index()] = CALLS[row].1;
        row += 1;
    }
    table
};

pub(super) fn of(call: Sysno) -> &'static [PathArgument] {
    BY_CALL[call.index()]
}
