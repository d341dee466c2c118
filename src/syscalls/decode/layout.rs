//! Which arguments a particular call uses, where that depends on one of them.
//!
//! Pure. The order is that in which they are printed.

use super::names::{DESCRIPTOR_FLAGS, LOCK_KINDS, SEALS};
use super::signatures::{self, Kind};
use crate::syscalls::features::{Place, joined};
use crate::syscalls::{Architecture, Sysno};

/// One argument to be printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// Printed before it, where the order says nothing.
    pub(super) label: Option<&'static str>,
    /// Its index.
    pub(super) argument: u8,
    pub(super) kind: Kind,
}

fn item(argument: u8, kind: Kind) -> Item {
    Item { label: None, argument, kind }
}

/// The arguments of a call with these values.
pub(super) fn of(architecture: Architecture, call: Sysno, arguments: &[u64; 6]) -> Vec<Item> {
    let mut items: Vec<_> = (0..).zip(signatures::of(call)).map(|(argument, kind)| item(argument, *kind)).collect();
    let name = |argument: u8| {
        let value = arguments[usize::from(argument)];
        joined(architecture, call, Place::Register(argument), value).unwrap_or_default()
    };
    match call.name() {
        "open" | "mq_open" if !makes_a_file(arguments[1]) => items.truncate(2),
        "openat" if !makes_a_file(arguments[2]) => items.truncate(3),
        // MREMAP_FIXED and MREMAP_DONTUNMAP (mremap(2)).
        "mremap" if arguments[3] & 6 == 0 => items.truncate(4),
        "fcntl" => {
            items.truncate(2);
            items.extend(fcntl(&name(1)).map(|kind| item(2, kind)));
        }
        "ioctl" => {
            items.truncate(2);
            items.extend(ioctl(&name(1)).map(|kind| item(2, kind)));
        }
        // Only devices have the number of one (mknod(2)).
        "mknod" if !is_device(&name(1)) => items.truncate(2),
        "mknodat" if !is_device(&name(2)) => items.truncate(3),
        // The upper half of the offset, which 64-bit Linux does not look at.
        "preadv" | "preadv2" | "pwritev" | "pwritev2" => drop(items.remove(4)),
        // EPOLL_CTL_DEL looks at no event (epoll_ctl(2)).
        "epoll_ctl" if name(1) == "EPOLL_CTL_DEL" => items[3].kind = Kind::Address,
        "prctl" => {
            items.truncate(1);
            items.extend(prctl(&name(0)));
        }
        "futex" => return futex(&name(1)),
        "clone" => return clone(architecture, arguments[0]),
        _ => {}
    }
    items
}

/// Whether an `open` has a mode: `O_CREAT`, or what `O_TMPFILE` has beside `O_DIRECTORY` (open(2), `asm-generic/fcntl.h`).
fn makes_a_file(flags: u64) -> bool {
    flags & 0o20_000_100 != 0
}

fn is_device(kind: &str) -> bool {
    matches!(kind, "S_IFCHR" | "S_IFBLK")
}

/// The third argument of `fcntl`, if the command has one (fcntl(2)).
fn fcntl(command: &str) -> Option<Kind> {
    Some(match command {
        "F_GETFD" | "F_GETFL" | "F_GETOWN" | "F_GETSIG" | "F_GETLEASE" | "F_GETPIPE_SZ" | "F_GET_SEALS" => return None,
        "F_DUPFD" | "F_DUPFD_CLOEXEC" | "F_DUPFD_QUERY" | "F_SETOWN" | "F_SETPIPE_SZ" => Kind::Int,
        "F_SETFD" => Kind::Flags(DESCRIPTOR_FLAGS),
        "F_SETFL" => Kind::OpenFlags,
        "F_SETLK" | "F_SETLKW" | "F_OFD_SETLK" | "F_OFD_SETLKW" => Kind::Flock,
        "F_GETLK" | "F_OFD_GETLK" => Kind::FlockOut,
        "F_SETSIG" => Kind::Signal,
        "F_SETLEASE" => Kind::OneOf(LOCK_KINDS),
        "F_ADD_SEALS" => Kind::Flags(SEALS),
        _ => Kind::Hex,
    })
}

/// The third argument of `ioctl`, if the request has one (`ioctl_tty(2)`).
fn ioctl(request: &str) -> Option<Kind> {
    Some(match request {
        "FIOCLEX" | "FIONCLEX" | "TIOCNOTTY" | "TIOCEXCL" | "TIOCNXCL" => return None,
        "FIONBIO" | "FIOASYNC" | "TIOCSPGRP" | "TIOCSPTLCK" => Kind::IntAt,
        "FIONREAD" | "TIOCOUTQ" | "TIOCGPGRP" | "TIOCGSID" | "TIOCGPTN" => Kind::IntOut,
        "TIOCGWINSZ" => Kind::WinsizeOut,
        _ => Kind::Hex,
    })
}

/// The arguments of `prctl` after the first (prctl(2)).
fn prctl(option: &str) -> Vec<Item> {
    match option {
        "PR_SET_NAME" => vec![item(1, Kind::Text)],
        "PR_GET_NAME" => vec![item(1, Kind::TextOut)],
        "PR_SET_PDEATHSIG" => vec![item(1, Kind::Signal)],
        "PR_GET_PDEATHSIG" | "PR_GET_CHILD_SUBREAPER" => vec![item(1, Kind::IntOut)],
        "PR_SET_DUMPABLE"
        | "PR_SET_KEEPCAPS"
        | "PR_SET_TIMERSLACK"
        | "PR_SET_CHILD_SUBREAPER"
        | "PR_CAPBSET_READ"
        | "PR_CAPBSET_DROP"
        | "PR_SET_PTRACER" => vec![item(1, Kind::Long)],
        "PR_GET_DUMPABLE" | "PR_GET_KEEPCAPS" | "PR_GET_TIMERSLACK" | "PR_GET_SECCOMP" | "PR_GET_SECUREBITS" => Vec::new(),
        _ => (1..5).map(|argument| item(argument, Kind::Hex)).collect(),
    }
}

/// The arguments of `futex` (futex(2)).
fn futex(operation: &str) -> Vec<Item> {
    let operation = operation.split('|').next().unwrap_or_default();
    let value = item(2, Kind::Unsigned);
    let more: &[Item] = match operation {
        "FUTEX_WAIT" => &[value, item(3, Kind::Timespec)],
        "FUTEX_WAKE" | "FUTEX_FD" => &[value],
        "FUTEX_REQUEUE" => &[value, item(3, Kind::Unsigned), item(4, Kind::Address)],
        "FUTEX_CMP_REQUEUE" | "FUTEX_CMP_REQUEUE_PI" | "FUTEX_WAKE_OP" => {
            let last = if operation == "FUTEX_WAKE_OP" { Kind::Hex } else { Kind::Unsigned };
            &[value, item(3, Kind::Unsigned), item(4, Kind::Address), item(5, last)]
        }
        "FUTEX_LOCK_PI" | "FUTEX_LOCK_PI2" => &[item(3, Kind::Timespec)],
        "FUTEX_UNLOCK_PI" | "FUTEX_TRYLOCK_PI" => &[],
        "FUTEX_WAIT_BITSET" => &[value, item(3, Kind::Timespec), item(5, Kind::Hex)],
        "FUTEX_WAKE_BITSET" => &[value, item(5, Kind::Hex)],
        "FUTEX_WAIT_REQUEUE_PI" => &[value, item(3, Kind::Timespec), item(4, Kind::Address)],
        _ => &[value, item(3, Kind::Hex), item(4, Kind::Address), item(5, Kind::Hex)],
    };
    [item(0, Kind::Address), item(1, Kind::Named)].iter().chain(more).copied().collect()
}

/// The arguments of `clone`, whose order differs between architectures (clone(2)); those that its flags have no use for are
/// left out.
fn clone(architecture: Architecture, flags: u64) -> Vec<Item> {
    /// `CLONE_PIDFD`, `CLONE_PARENT_SETTID`; `CLONE_SETTLS`; `CLONE_CHILD_SETTID`, `CLONE_CHILD_CLEARTID`.
    const PARENT: u64 = 0x1000 | 0x0010_0000;
    const THREAD_STORAGE: u64 = 0x0008_0000;
    const CHILD: u64 = 0x0100_0000 | 0x0020_0000;
    let (child, storage) = match architecture {
        Architecture::X86_64 => (3, 4),
        Architecture::Aarch64 => (4, 3),
    };
    let labelled = |label, argument, kind| Item { label: Some(label), argument, kind };
    let mut items = vec![labelled("child_stack", 1, Kind::Address), labelled("flags", 0, Kind::Named)];
    for (needed, label, argument) in [(PARENT, "parent_tid", 2), (THREAD_STORAGE, "tls", storage), (CHILD, "child_tidptr", child)]
    {
        if flags & needed != 0 {
            items.push(labelled(label, argument, Kind::Address));
        }
    }
    items
}
