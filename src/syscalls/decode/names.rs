//! Names of values that stand in lines but are no features.
//!
//! Pure data; each table says which header of the kernel it is from.

use crate::syscalls::features::names::Named;

/// What `access` asks for. Source: access(2); `include/linux/fs.h` has the bits as `MAY_*`.
pub(super) const ACCESS_MODE: &[Named] = &[("F_OK", 0), ("X_OK", 1), ("W_OK", 2), ("R_OK", 4)];
/// The flag of a descriptor. Source: `asm-generic/fcntl.h`.
pub(super) const DESCRIPTOR_FLAGS: &[Named] = &[("FD_CLOEXEC", 1)];
/// Kinds of locks and leases. Source: `asm-generic/fcntl.h`.
pub(super) const LOCK_KINDS: &[Named] = &[("F_RDLCK", 0), ("F_WRLCK", 1), ("F_UNLCK", 2)];
/// Seals. Source: `linux/fcntl.h`.
pub(super) const SEALS: &[Named] = &[
    ("F_SEAL_SEAL", 0x1),
    ("F_SEAL_SHRINK", 0x2),
    ("F_SEAL_GROW", 0x4),
    ("F_SEAL_WRITE", 0x8),
    ("F_SEAL_FUTURE_WRITE", 0x10),
    ("F_SEAL_EXEC", 0x20),
];
/// Flags of `rt_sigaction`. Source: `asm-generic/signal-defs.h`, and `asm/signal.h` for `SA_RESTORER`.
pub(super) const ACTION_FLAGS: &[Named] = &[
    ("SA_RESTORER", 0x0400_0000),
    ("SA_NOCLDSTOP", 0x1),
    ("SA_NOCLDWAIT", 0x2),
    ("SA_SIGINFO", 0x4),
    ("SA_UNSUPPORTED", 0x400),
    ("SA_EXPOSE_TAGBITS", 0x800),
    ("SA_ONSTACK", 0x0800_0000),
    ("SA_RESTART", 0x1000_0000),
    ("SA_NODEFER", 0x4000_0000),
    ("SA_RESETHAND", 0x8000_0000),
];
/// Events of `poll`. Source: `asm-generic/poll.h`.
pub(super) const POLL_EVENTS: &[Named] = &[
    ("POLLIN", 0x1),
    ("POLLPRI", 0x2),
    ("POLLOUT", 0x4),
    ("POLLERR", 0x8),
    ("POLLHUP", 0x10),
    ("POLLNVAL", 0x20),
    ("POLLRDNORM", 0x40),
    ("POLLRDBAND", 0x80),
    ("POLLWRNORM", 0x100),
    ("POLLWRBAND", 0x200),
    ("POLLMSG", 0x400),
    ("POLLREMOVE", 0x1000),
    ("POLLRDHUP", 0x2000),
];
/// Protocols of `AF_INET` and `AF_INET6`. Source: `linux/in.h`, `linux/in6.h`.
pub(super) const INTERNET_PROTOCOLS: &[Named] = &[
    ("IPPROTO_IP", 0),
    ("IPPROTO_ICMP", 1),
    ("IPPROTO_IGMP", 2),
    ("IPPROTO_TCP", 6),
    ("IPPROTO_UDP", 17),
    ("IPPROTO_DCCP", 33),
    ("IPPROTO_IPV6", 41),
    ("IPPROTO_ICMPV6", 58),
    ("IPPROTO_SCTP", 132),
    ("IPPROTO_UDPLITE", 136),
    ("IPPROTO_RAW", 255),
    ("IPPROTO_MPTCP", 262),
];
/// Protocols of `AF_NETLINK`. Source: `linux/netlink.h`.
pub(super) const NETLINK_PROTOCOLS: &[Named] = &[
    ("NETLINK_ROUTE", 0),
    ("NETLINK_USERSOCK", 2),
    ("NETLINK_FIREWALL", 3),
    ("NETLINK_SOCK_DIAG", 4),
    ("NETLINK_NFLOG", 5),
    ("NETLINK_XFRM", 6),
    ("NETLINK_SELINUX", 7),
    ("NETLINK_ISCSI", 8),
    ("NETLINK_AUDIT", 9),
    ("NETLINK_FIB_LOOKUP", 10),
    ("NETLINK_CONNECTOR", 11),
    ("NETLINK_NETFILTER", 12),
    ("NETLINK_KOBJECT_UEVENT", 15),
    ("NETLINK_GENERIC", 16),
    ("NETLINK_CRYPTO", 21),
];
