//! Calls on sockets.
//!
//! Pure data.

use crate::syscalls::calls;
use crate::syscalls::features::dimension::{Dimension, INT, Kind, Place};
use crate::syscalls::features::names::{options, protocols, sockets};

/// The bits of the type of a socket (`SOCK_TYPE_MASK`).
const TYPE: u64 = 0xf;

pub(super) static DIMENSIONS: &[Dimension] = &[
    Dimension::new("domain", calls!["socket", "socketpair"], Place::Register(0), Kind::Value { mask: INT }, &[sockets::FAMILIES]),
    Dimension::new("type", calls!["socket", "socketpair"], Place::Register(1), Kind::Value { mask: TYPE }, &[sockets::TYPES]),
    Dimension::new(
        "flags",
        calls!["socket", "socketpair"],
        Place::Register(1),
        Kind::Flags { mask: INT & !TYPE },
        &[sockets::TYPE_FLAGS],
    ),
    Dimension::new("flags", calls!["accept4"], Place::Register(3), Kind::Flags { mask: INT }, &[sockets::TYPE_FLAGS]),
    Dimension::new(
        "option",
        calls!["setsockopt", "getsockopt"],
        Place::Registers { high: 1, low: 2 },
        Kind::Value { mask: u64::MAX },
        &[
            options::SOCKET_OPTIONS,
            options::IP_OPTIONS,
            options::IPV6_OPTIONS,
            protocols::TCP_OPTIONS,
            protocols::UDP_OPTIONS,
            protocols::RAW_OPTIONS,
            protocols::ICMPV6_OPTIONS,
            protocols::VSOCK_OPTIONS,
            protocols::PACKET_OPTIONS,
            protocols::NETLINK_OPTIONS,
            protocols::ALGORITHM_OPTIONS,
            protocols::TLS_OPTIONS,
            protocols::XDP_OPTIONS,
        ],
    ),
    Dimension::new(
        "flags",
        calls!["sendmsg", "recvmsg"],
        Place::Register(2),
        Kind::Flags { mask: INT },
        &[sockets::MESSAGE_FLAGS],
    ),
    Dimension::new(
        "flags",
        calls!["sendto", "recvfrom", "sendmmsg", "recvmmsg"],
        Place::Register(3),
        Kind::Flags { mask: INT },
        &[sockets::MESSAGE_FLAGS],
    ),
    Dimension::new("how", calls!["shutdown"], Place::Register(1), Kind::Value { mask: INT }, &[sockets::SHUTDOWN]),
];
