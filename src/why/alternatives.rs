//! What is known of calls: which others do the same or nearly so, and which only ask. Pure data.
//!
//! Alternatives are those that C libraries and programs turn to when a call fails with `ENOSYS`: the older call that a newer one
//! replaced (each call's page in section 2 of the manual says which under *HISTORY* or *NOTES*), what glibc and musl do in its place
//! (`__NR_clone3` before `clone`, `mmap` where `brk` does not grow the heap), and the plain way of doing what a call does at one go
//! (`sendfile`: `read` and `write`).

use crate::syscalls::Sysno;
use crate::trial::Item;

/// A call and what stands in for it.
const ALTERNATIVES: &[(&str, &[&str])] = &[
    ("accept4", &["accept"]),
    ("access", &["faccessat", "newfstatat", "stat"]),
    ("arch_prctl", &["set_thread_area"]),
    ("brk", &["mmap"]),
    ("clock_gettime", &["gettimeofday", "time"]),
    ("clock_nanosleep", &["nanosleep"]),
    ("clone3", &["clone", "fork", "vfork"]),
    ("close_range", &["close", "fcntl", "getdents64"]),
    ("copy_file_range", &["pread64", "pwrite64", "read", "sendfile", "splice", "write"]),
    ("dup2", &["dup3", "fcntl"]),
    ("dup3", &["dup2", "fcntl"]),
    ("epoll_create1", &["epoll_create", "poll", "select"]),
    ("epoll_ctl", &["poll", "select"]),
    ("epoll_pwait2", &["epoll_pwait", "epoll_wait"]),
    ("epoll_wait", &["epoll_pwait", "poll", "select"]),
    ("eventfd2", &["eventfd", "pipe", "pipe2"]),
    ("execveat", &["execve"]),
    ("exit_group", &["exit", "kill", "tgkill"]),
    ("faccessat", &["access", "newfstatat"]),
    ("faccessat2", &["access", "faccessat", "fstatat", "newfstatat"]),
    ("fallocate", &["ftruncate", "pwrite64", "write"]),
    ("fchmodat2", &["chmod", "fchmod", "fchmodat"]),
    ("fdatasync", &["fsync", "sync"]),
    ("fstat", &["newfstatat", "stat", "statx"]),
    ("futex", &["sched_yield"]),
    ("futex_waitv", &["futex"]),
    ("getcwd", &["lstat", "newfstatat", "openat", "readlink"]),
    ("getdents64", &["getdents"]),
    ("getrandom", &["open", "openat"]),
    ("getrlimit", &["prlimit64", "ugetrlimit"]),
    ("inotify_init1", &["inotify_init"]),
    ("io_uring_setup", &["epoll_create1", "io_setup", "pread64", "read"]),
    ("madvise", &["munmap"]),
    ("mkdir", &["mkdirat"]),
    ("mmap", &["brk"]),
    ("mremap", &["mmap", "munmap"]),
    ("newfstatat", &["fstat", "lstat", "stat", "statx"]),
    ("open", &["openat"]),
    ("openat", &["open"]),
    ("openat2", &["open", "openat"]),
    ("pidfd_open", &["kill", "wait4", "waitid"]),
    ("pipe2", &["fcntl", "pipe"]),
    ("poll", &["ppoll", "select"]),
    ("ppoll", &["poll", "pselect6"]),
    ("pread64", &["lseek", "read"]),
    ("preadv", &["pread64", "readv"]),
    ("preadv2", &["pread64", "preadv", "readv"]),
    ("prlimit64", &["getrlimit", "setrlimit", "ugetrlimit"]),
    ("pselect6", &["poll", "ppoll", "select"]),
    ("pwrite64", &["lseek", "write"]),
    ("pwritev", &["pwrite64", "writev"]),
    ("pwritev2", &["pwrite64", "pwritev", "writev"]),
    ("readlink", &["readlinkat"]),
    ("readv", &["read"]),
    ("recvmmsg", &["recvfrom", "recvmsg"]),
    ("renameat2", &["link", "linkat", "rename", "renameat"]),
    ("sched_getaffinity", &["open", "openat"]),
    ("sendfile", &["pread64", "read", "sendto", "splice", "write", "writev"]),
    ("sendmmsg", &["sendmsg", "sendto"]),
    ("setrlimit", &["prlimit64"]),
    ("signalfd4", &["rt_sigaction", "signalfd"]),
    ("socketpair", &["pipe", "pipe2"]),
    ("splice", &["read", "write"]),
    ("statfs", &["fstatfs", "newfstatat"]),
    ("statx", &["fstat", "lstat", "newfstatat", "stat"]),
    ("sysinfo", &["open", "openat"]),
    ("timerfd_create", &["setitimer", "timer_create"]),
    ("utimensat", &["futimesat", "utime", "utimes"]),
    ("vfork", &["clone", "clone3", "fork"]),
    ("wait4", &["waitid", "waitpid"]),
    ("waitid", &["wait4"]),
    ("writev", &["write"]),
];

/// Calls that ask for something and change nothing.
const ASKING: &[&str] = &[
    "access",
    "capget",
    "clock_getres",
    "clock_gettime",
    "faccessat",
    "faccessat2",
    "fgetxattr",
    "fstat",
    "fstatfs",
    "get_mempolicy",
    "get_robust_list",
    "getcpu",
    "getcwd",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getitimer",
    "getpeername",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "getsid",
    "getsockname",
    "getsockopt",
    "gettid",
    "gettimeofday",
    "getuid",
    "getxattr",
    "ioprio_get",
    "lgetxattr",
    "lstat",
    "membarrier",
    "mincore",
    "newfstatat",
    "prlimit64",
    "readlink",
    "readlinkat",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "stat",
    "statfs",
    "statx",
    "sysinfo",
    "time",
    "times",
    "uname",
];

/// Calls that look into a file that was opened.
const LOOKING: &[&str] =
    &["close", "fcntl", "fstat", "ioctl", "lseek", "mmap", "newfstatat", "pread64", "read", "readv", "statx"];

/// Features of calls that ask in some ways and change something in others.
const ASKING_FEATURES: &[&str] = &[
    "fcntl(F_GETFD)",
    "fcntl(F_GETFL)",
    "fcntl(F_GETLK)",
    "ioctl(BLKGETSIZE64)",
    "ioctl(FIONREAD)",
    "ioctl(TCGETS)",
    "ioctl(TIOCGPGRP)",
    "ioctl(TIOCGWINSZ)",
    "prctl(PR_CAPBSET_READ)",
    "prctl(PR_GET_DUMPABLE)",
    "prctl(PR_GET_NAME)",
];

/// The calls that may stand in for the item. For an argument feature, that includes the same call without it; for a pseudo-file, it is
/// those that open another file.
#[must_use]
pub fn alternatives(item: Item) -> Vec<Sysno> {
    let of = |call: Sysno| {
        let row = ALTERNATIVES.iter().find(|(name, _)| *name == call.name());
        row.into_iter().flat_map(|(_, names)| *names).filter_map(|name| Sysno::from_name(name))
    };
    match item {
        Item::Call(call) => of(call).collect(),
        Item::Feature(feature) => of(feature.call()).chain([feature.call()]).collect(),
        Item::File(_) => ["open", "openat", "openat2"].into_iter().filter_map(Sysno::from_name).collect(),
    }
}

/// How many calls look into a file that was opened before them: at most as far as the first `close`.
pub(super) fn looking(calls: impl Iterator<Item = Sysno>) -> usize {
    let mut closed = false;
    let looks = |call: &Sysno| LOOKING.contains(&call.name()) && !std::mem::replace(&mut closed, call.name() == "close");
    calls.take_while(looks).count()
}

/// Whether the item asks for something, so that the app has to go on with something else than the answer. Whoever opens a pseudo-file
/// asks, too.
#[must_use]
pub fn asks(item: Item) -> bool {
    match item {
        Item::Call(call) => ASKING.contains(&call.name()),
        Item::Feature(feature) => {
            ASKING.contains(&feature.call().name()) || ASKING_FEATURES.contains(&feature.to_string().as_str())
        }
        Item::File(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_looked_into_as_far_as_it_is_closed() {
        let count = |names: &str| looking(names.split_whitespace().map(|name| name.parse().unwrap()));
        assert_eq!(count("newfstatat read read close read close openat"), 4);
        assert_eq!((count("read openat close"), count("close"), count("openat read"), count("")), (1, 1, 0, 0));
    }

    #[test]
    fn the_tables_name_calls_and_features_that_exist() {
        // Calls of other architectures are alternatives there; these are not in the table of calls.
        let elsewhere = ["fstatat", "ugetrlimit", "waitpid"];
        let exists = |name: &str| Sysno::from_name(name).is_some() || elsewhere.contains(&name);
        for (name, others) in ALTERNATIVES {
            assert!(exists(name), "{name}");
            for other in *others {
                assert!(exists(other), "{name}: {other}");
            }
            assert!(!others.contains(name), "{name} cannot stand in for itself");
        }
        assert!(ALTERNATIVES.is_sorted_by(|one, other| one.0 < other.0));
        for name in ASKING {
            assert!(exists(name), "{name}");
        }
        for name in LOOKING {
            assert!(exists(name), "{name}");
        }
        for name in ASKING_FEATURES {
            assert!(name.parse::<crate::syscalls::features::Feature>().is_ok(), "{name}");
        }
    }
}
