//! Calls on processes, threads and signals.
//!
//! Pure data.

use crate::syscalls::calls;
use crate::syscalls::features::dimension::{Dimension, INT, Kind, LONG, Place};
use crate::syscalls::features::names::{processes, system};

/// Where `clone3` finds its flags, and the signal of the child's end: `struct clone_args` of `linux/sched.h`.
const CLONE_ARGS_FLAGS: Place = Place::Memory { argument: 0, offset: 0, width: 8 };
const CLONE_ARGS_EXIT_SIGNAL: Place = Place::Memory { argument: 0, offset: 32, width: 8 };

/// The bits of the signal in the flags of `clone` (`CSIGNAL`).
const EXIT_SIGNAL: u64 = 0xff;
/// The flag beside a scheduling policy (`SCHED_RESET_ON_FORK`).
const RESET_ON_FORK: u64 = 0x4000_0000;

pub(super) static DIMENSIONS: &[Dimension] = &[
    // `clone` has an `unsigned long`, of which the kernel takes the lower half (`lower_32_bits` in kernel/fork.c).
    Dimension::new("flags", calls!["clone"], Place::Register(0), Kind::Flags { mask: INT & !EXIT_SIGNAL }, &[processes::CLONE]),
    Dimension::new("signal", calls!["clone"], Place::Register(0), Kind::Field { mask: EXIT_SIGNAL }, &[processes::SIGNALS]),
    Dimension::new(
        "flags",
        calls!["clone3"],
        CLONE_ARGS_FLAGS,
        Kind::Flags { mask: LONG },
        &[processes::CLONE_TIME, processes::CLONE, processes::CLONE3],
    ),
    Dimension::new("signal", calls!["clone3"], CLONE_ARGS_EXIT_SIGNAL, Kind::Field { mask: LONG }, &[processes::SIGNALS]),
    Dimension::new(
        "flags",
        calls!["unshare"],
        Place::Register(0),
        Kind::Flags { mask: LONG },
        &[processes::CLONE_TIME, processes::CLONE],
    ),
    Dimension::new(
        "kinds",
        calls!["setns"],
        Place::Register(1),
        Kind::Flags { mask: INT },
        &[processes::CLONE_TIME, processes::CLONE],
    ),
    Dimension::new("option", calls!["prctl"], Place::Register(0), Kind::Value { mask: INT }, &[processes::PRCTL]),
    Dimension::new("code", calls!["arch_prctl"], Place::Register(0), Kind::Value { mask: INT }, &[])
        .differing(processes::ARCH_PRCTL_X86_64, &[]),
    Dimension::new("resource", calls!["prlimit64"], Place::Register(1), Kind::Value { mask: INT }, &[processes::RESOURCES]),
    Dimension::new(
        "resource",
        calls!["getrlimit", "setrlimit"],
        Place::Register(0),
        Kind::Value { mask: INT },
        &[processes::RESOURCES],
    ),
    Dimension::new("of", calls!["getrusage"], Place::Register(0), Kind::Value { mask: INT }, &[processes::USAGE]),
    Dimension::new(
        "of",
        calls!["getpriority", "setpriority"],
        Place::Register(0),
        Kind::Value { mask: INT },
        &[processes::PRIORITY_OF],
    ),
    Dimension::new(
        "of",
        calls!["ioprio_get", "ioprio_set"],
        Place::Register(0),
        Kind::Value { mask: INT },
        &[processes::IO_PRIORITY_OF],
    ),
    Dimension::new("options", calls!["wait4"], Place::Register(2), Kind::Flags { mask: INT }, &[processes::WAIT_FLAGS]),
    Dimension::new("for", calls!["waitid"], Place::Register(0), Kind::Value { mask: INT }, &[processes::WAIT_FOR]),
    Dimension::new("options", calls!["waitid"], Place::Register(3), Kind::Flags { mask: INT }, &[processes::WAIT_FLAGS]),
    Dimension::new("signal", calls!["rt_sigaction"], Place::Register(0), Kind::Value { mask: INT }, &[processes::SIGNALS]),
    Dimension::new(
        "signal",
        calls!["kill", "tkill", "rt_sigqueueinfo", "pidfd_send_signal"],
        Place::Register(1),
        Kind::Value { mask: INT },
        &[processes::SIGNALS],
    ),
    Dimension::new(
        "signal",
        calls!["tgkill", "rt_tgsigqueueinfo"],
        Place::Register(2),
        Kind::Value { mask: INT },
        &[processes::SIGNALS],
    ),
    Dimension::new("how", calls!["rt_sigprocmask"], Place::Register(0), Kind::Value { mask: INT }, &[processes::MASK_HOW]),
    Dimension::new(
        "policy",
        calls!["sched_setscheduler"],
        Place::Register(1),
        Kind::Value { mask: INT & !RESET_ON_FORK },
        &[processes::SCHEDULER],
    ),
    Dimension::new(
        "flags",
        calls!["sched_setscheduler"],
        Place::Register(1),
        Kind::Flags { mask: RESET_ON_FORK },
        &[processes::SCHEDULER_FLAGS],
    ),
    Dimension::new("request", calls!["ptrace"], Place::Register(0), Kind::Value { mask: LONG }, &[processes::PTRACE])
        .differing(processes::PTRACE_X86_64, processes::PTRACE_AARCH64),
    Dimension::new("flags", calls!["pidfd_open"], Place::Register(1), Kind::Flags { mask: INT }, &[processes::PIDFD_FLAGS]),
    Dimension::new("type", calls!["kcmp"], Place::Register(2), Kind::Value { mask: INT }, &[processes::KCMP]),
    Dimension::new("flags", calls!["rseq"], Place::Register(2), Kind::Flags { mask: INT }, &[system::RESTARTABLE]),
];
