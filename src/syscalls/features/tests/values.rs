//! The values of the catalogue against those that `libc` knows.

use super::*;

/// What `libc` says a named feature's value is.
#[track_caller]
fn agrees(text: &str, expected: impl TryInto<i128>) {
    let expected = expected.try_into().unwrap_or_else(|_| panic!("{text}: no number"));
    // A negative `int` is its two's complement in 32 bits.
    let expected = u64::try_from(if expected < 0 { expected + (1 << 32) } else { expected }).unwrap();
    let (Some(Condition::Register(tests)), name) = (feature(text).condition(Architecture::NATIVE), feature(text).name()) else {
        panic!("{text} is not in a register");
    };
    assert_eq!(tests.last().map(|test| test.value), Some(expected), "{name}");
}

/// `check!(call: NAME, …)`: the features have the values that `libc` has for the names.
macro_rules! check {
    ($($call:literal: $($name:ident),+;)+) => {
        $($(agrees(concat!($call, "(", stringify!($name), ")"), libc::$name);)+)+
    };
}

#[test]
fn values_agree_with_those_that_libc_knows() {
    check! {
        "ioctl": TCGETS, TCSETSW, TIOCGWINSZ, TIOCSPGRP, FIONREAD, FIONBIO, FIOCLEX, TIOCSCTTY, BLKSSZGET, TIOCGPTN, TIOCSTI;
        "ioctl": TUNSETIFF, SIOCGIFINDEX, SIOCGIFADDR, SIOCGIFHWADDR, FICLONE, FS_IOC_GETFLAGS;
        "ioctl": FS_IOC_GETVERSION, TIOCGEXCL, NS_GET_USERNS, SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SET_FLAGS;
        "fcntl": F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_SETOWN, F_GETOWN, F_DUPFD_CLOEXEC;
        "fcntl": F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS, F_OFD_SETLK, F_SETLEASE, F_NOTIFY;
        "openat": O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_APPEND, O_NONBLOCK, O_DSYNC, O_SYNC;
        "openat": O_DIRECT, O_DIRECTORY, O_NOFOLLOW, O_NOATIME, O_CLOEXEC, O_PATH, O_TMPFILE;
        "mmap": PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC, MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_FIXED;
        "mmap": MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_DENYWRITE, MAP_LOCKED, MAP_NORESERVE, MAP_POPULATE, MAP_NONBLOCK;
        "mmap": MAP_STACK, MAP_HUGETLB, MAP_SYNC, MAP_FIXED_NOREPLACE, MAP_HUGE_2MB, MAP_HUGE_1GB;
        "mprotect": PROT_NONE, PROT_READ, PROT_GROWSDOWN;
        "madvise": MADV_NORMAL, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_DONTDUMP, MADV_COLD, MADV_POPULATE_WRITE;
        "memfd_create": MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_HUGETLB, MFD_HUGE_1GB;
        "mremap": MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP;
        "mlockall": MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT;
        "shmctl": IPC_RMID, IPC_STAT, SHM_LOCK;
        "clone": CLONE_VM, CLONE_FS, CLONE_THREAD, CLONE_SETTLS, CLONE_NEWNET, CLONE_VFORK, CLONE_CHILD_CLEARTID, CLONE_IO;
        "clone": SIGCHLD;
        "unshare": CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWTIME;
        "prctl": PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_VMA, PR_SET_MM, PR_CAPBSET_DROP, PR_SET_SECCOMP;
        "prctl": PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_THP_DISABLE, PR_CAP_AMBIENT, PR_SET_PTRACER;
        "prlimit64": RLIMIT_CPU, RLIMIT_STACK, RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_RTTIME;
        "getrusage": RUSAGE_SELF, RUSAGE_CHILDREN, RUSAGE_THREAD;
        "wait4": WNOHANG, WUNTRACED, WCONTINUED, __WALL, __WCLONE;
        "waitid": P_ALL, P_PID, P_PIDFD, WEXITED, WNOWAIT;
        "rt_sigaction": SIGHUP, SIGINT, SIGBUS, SIGUSR1, SIGPIPE, SIGCHLD, SIGWINCH, SIGSYS;
        "kill": SIGKILL, SIGTERM, SIGSTOP;
        "rt_sigprocmask": SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK;
        "sched_setscheduler": SCHED_OTHER, SCHED_FIFO, SCHED_BATCH, SCHED_RESET_ON_FORK;
        "ptrace": PTRACE_TRACEME, PTRACE_CONT, PTRACE_SEIZE, PTRACE_GETREGSET, PTRACE_SYSEMU;
        "futex": FUTEX_WAIT, FUTEX_WAKE, FUTEX_CMP_REQUEUE, FUTEX_WAIT_BITSET, FUTEX_LOCK_PI2, FUTEX_PRIVATE_FLAG;
        "clock_gettime": CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_THREAD_CPUTIME_ID;
        "timerfd_create": CLOCK_MONOTONIC, TFD_NONBLOCK, TFD_CLOEXEC;
        "timerfd_settime": TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET;
        "epoll_create1": EPOLL_CLOEXEC;
        "epoll_ctl": EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD;
        "eventfd2": EFD_SEMAPHORE, EFD_NONBLOCK, EFD_CLOEXEC;
        "signalfd4": SFD_NONBLOCK, SFD_CLOEXEC;
        "inotify_init1": IN_NONBLOCK, IN_CLOEXEC;
        "inotify_add_watch": IN_MODIFY, IN_MOVED_TO, IN_ONESHOT, IN_MASK_ADD;
        "socket": AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW;
        "socket": SOCK_SEQPACKET, SOCK_NONBLOCK, SOCK_CLOEXEC;
        "accept4": SOCK_NONBLOCK, SOCK_CLOEXEC;
        "sendto": MSG_NOSIGNAL, MSG_MORE, MSG_DONTWAIT, MSG_OOB, MSG_ZEROCOPY, MSG_FASTOPEN;
        "recvmsg": MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_CMSG_CLOEXEC, MSG_ERRQUEUE;
        "recvmmsg": MSG_WAITFORONE;
        "shutdown": SHUT_RD, SHUT_WR, SHUT_RDWR;
        "lseek": SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE;
        "fallocate": FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE;
        "fadvise64": POSIX_FADV_SEQUENTIAL, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE;
        "flock": LOCK_SH, LOCK_EX, LOCK_NB, LOCK_UN;
        "newfstatat": AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_NO_AUTOMOUNT;
        "unlinkat": AT_REMOVEDIR;
        "faccessat2": AT_EACCESS;
        "renameat2": RENAME_NOREPLACE, RENAME_EXCHANGE;
        "mknod": S_IFIFO, S_IFCHR, S_IFSOCK;
        "mount": MS_RDONLY, MS_BIND, MS_PRIVATE, MS_REC, MS_RELATIME;
        "umount2": MNT_DETACH, UMOUNT_NOFOLLOW;
        "splice": SPLICE_F_MOVE, SPLICE_F_NONBLOCK, SPLICE_F_MORE;
        "preadv2": RWF_HIPRI, RWF_NOWAIT, RWF_APPEND;
        "getrandom": GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE;
        "seccomp": SECCOMP_SET_MODE_FILTER, SECCOMP_GET_NOTIF_SIZES;
        "semctl": GETVAL, SETVAL, SETALL;
        "reboot": LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_CMD_POWER_OFF, LINUX_REBOOT_CMD_CAD_OFF;
    }
}

#[test]
fn socket_options_agree_with_those_that_libc_knows() {
    macro_rules! options {
        ($($level:ident: $($name:ident),+;)+) => {
            $($({
                let text = concat!("setsockopt(", stringify!($level), ":", stringify!($name), ")");
                agrees(text, libc::$name);
                let Some(Condition::Register(tests)) = feature(text).condition(Architecture::NATIVE) else { panic!("{text}") };
                assert_eq!(i128::from(tests[0].value), i128::from(libc::$level), "{text}");
                assert_eq!(tests.iter().map(|test| (test.argument, test.mask)).collect::<Vec<_>>(), [(1, 0xffff_ffff), (2, 0xffff_ffff)]);
            })+)+
        };
    }
    options! {
        SOL_SOCKET: SO_DEBUG, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_LINGER, SO_REUSEPORT;
        SOL_SOCKET: SO_PEERCRED, SO_RCVTIMEO, SO_SNDTIMEO, SO_TIMESTAMP, SO_ACCEPTCONN, SO_MARK, SO_DOMAIN, SO_ZEROCOPY;
        SOL_SOCKET: SO_ATTACH_BPF, SO_BUSY_POLL, SO_INCOMING_CPU, SO_PEERPIDFD, SO_BINDTODEVICE;
        IPPROTO_TCP: TCP_NODELAY, TCP_CORK, TCP_KEEPIDLE, TCP_DEFER_ACCEPT, TCP_INFO, TCP_CONGESTION, TCP_FASTOPEN, TCP_ULP;
        IPPROTO_IP: IP_TOS, IP_TTL, IP_MTU_DISCOVER, IP_RECVERR, IP_TRANSPARENT, IP_ADD_MEMBERSHIP, IP_MULTICAST_ALL;
        IPPROTO_IPV6: IPV6_V6ONLY, IPV6_UNICAST_HOPS, IPV6_RECVPKTINFO, IPV6_TCLASS, IPV6_MTU_DISCOVER, IPV6_FREEBIND;
        IPPROTO_UDP: UDP_CORK, UDP_SEGMENT, UDP_GRO;
        SOL_PACKET: PACKET_RX_RING, PACKET_FANOUT, PACKET_VERSION;
        SOL_NETLINK: NETLINK_ADD_MEMBERSHIP, NETLINK_EXT_ACK;
        SOL_TLS: TLS_TX, TLS_RX;
        SOL_ALG: ALG_SET_KEY;
    }
}
