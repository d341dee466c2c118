//! Calls for security, tracing, System V IPC and the machine as a whole.
//!
//! Pure data.

use crate::syscalls::calls;
use crate::syscalls::features::dimension::{Dimension, INT, Kind, LONG, Place};
use crate::syscalls::features::names::system;

/// The permissions in the flags of `semget` and `msgget`.
const PERMISSIONS: u64 = 0o777;

pub(super) static DIMENSIONS: &[Dimension] = &[
    Dimension::new("operation", calls!["seccomp"], Place::Register(0), Kind::Value { mask: INT }, &[system::SECCOMP]),
    Dimension::new("flags", calls!["seccomp"], Place::Register(1), Kind::Flags { mask: INT }, &[system::SECCOMP_FLAGS]),
    Dimension::new("command", calls!["bpf"], Place::Register(0), Kind::Value { mask: INT }, &[system::BPF]),
    Dimension::new("operation", calls!["keyctl"], Place::Register(0), Kind::Value { mask: INT }, &[system::KEYCTL]),
    Dimension::new("flags", calls!["getrandom"], Place::Register(2), Kind::Flags { mask: INT }, &[system::RANDOM_FLAGS]),
    Dimension::new("flags", calls!["perf_event_open"], Place::Register(4), Kind::Flags { mask: LONG }, &[system::PERF_FLAGS]),
    Dimension::new(
        "flags",
        calls!["landlock_create_ruleset"],
        Place::Register(2),
        Kind::Flags { mask: INT },
        &[system::LANDLOCK_CREATE],
    ),
    Dimension::new("rule", calls!["landlock_add_rule"], Place::Register(1), Kind::Value { mask: INT }, &[system::LANDLOCK_RULE]),
    Dimension::new("flags", calls!["semget"], Place::Register(2), Kind::Flags { mask: INT & !PERMISSIONS }, &[system::IPC_GET]),
    Dimension::new("flags", calls!["msgget"], Place::Register(1), Kind::Flags { mask: INT & !PERMISSIONS }, &[system::IPC_GET]),
    Dimension::new("command", calls!["semctl"], Place::Register(2), Kind::Value { mask: INT }, &[system::SEMAPHORE_CONTROL]),
    Dimension::new("command", calls!["msgctl"], Place::Register(1), Kind::Value { mask: INT }, &[system::MESSAGE_CONTROL]),
    Dimension::new("flags", calls!["msgsnd"], Place::Register(3), Kind::Flags { mask: INT }, &[system::MESSAGE_QUEUE_FLAGS]),
    Dimension::new("flags", calls!["msgrcv"], Place::Register(4), Kind::Flags { mask: INT }, &[system::MESSAGE_QUEUE_FLAGS]),
    Dimension::new("action", calls!["syslog"], Place::Register(0), Kind::Value { mask: INT }, &[system::SYSLOG]),
    Dimension::new("command", calls!["reboot"], Place::Register(2), Kind::Value { mask: INT }, &[system::REBOOT]),
];
