//! Calls that wait for something or tell the time.
//!
//! Pure data.

use crate::syscalls::calls;
use crate::syscalls::features::Test;
use crate::syscalls::features::dimension::{Dimension, INT, Kind, Pattern, Place};
use crate::syscalls::features::names::events;

/// The flags beside the operation of a futex (the complement of `FUTEX_CMD_MASK`).
const FUTEX_FLAGS: u64 = 0x180;
/// The size of the word among the flags of the newer futex calls (`FUTEX2_SIZE_MASK`).
const FUTEX2_SIZE: u64 = 3;
/// The flag beside an operation on a ring (`IORING_REGISTER_USE_REGISTERED_RING`).
const USE_REGISTERED_RING: u64 = 0x8000_0000;

/// Clocks that are made of a process or a descriptor: their numbers are negative, with the kind in the lowest bits and the
/// rest different in each run (`CPUCLOCK_*` and `CLOCKFD` of the kernel's `include/linux/posix-timers_types.h`).
const MADE_CLOCKS: &[Pattern] = {
    const fn made(name: &'static str, kind: u64) -> Pattern {
        Pattern { name, mask: 0x8000_0007, value: 0x8000_0000 | kind }
    }
    &[
        made("CPUCLOCK_PROF", 0),
        made("CPUCLOCK_VIRT", 1),
        made("CPUCLOCK_SCHED", 2),
        made("CLOCKFD", 3),
        made("CPUCLOCK_PERTHREAD_PROF", 4),
        made("CPUCLOCK_PERTHREAD_VIRT", 5),
        made("CPUCLOCK_PERTHREAD_SCHED", 6),
    ]
};

pub(super) static DIMENSIONS: &[Dimension] = &[
    Dimension::new("operation", calls!["futex"], Place::Register(1), Kind::Value { mask: INT & !FUTEX_FLAGS }, &[events::FUTEX]),
    Dimension::new("flags", calls!["futex"], Place::Register(1), Kind::Flags { mask: FUTEX_FLAGS }, &[events::FUTEX_FLAGS]),
    Dimension::new(
        "size",
        calls!["futex_wait", "futex_wake"],
        Place::Register(3),
        Kind::Value { mask: FUTEX2_SIZE },
        &[events::FUTEX2_SIZE],
    ),
    Dimension::new(
        "flags",
        calls!["futex_wait", "futex_wake"],
        Place::Register(3),
        Kind::Flags { mask: INT & !FUTEX2_SIZE },
        &[events::FUTEX2_FLAGS],
    ),
    Dimension::new(
        "clock",
        calls![
            "clock_gettime",
            "clock_getres",
            "clock_settime",
            "clock_nanosleep",
            "clock_adjtime",
            "timer_create",
            "timerfd_create"
        ],
        Place::Register(0),
        Kind::Value { mask: INT },
        &[events::CLOCKS],
    )
    .patterns(MADE_CLOCKS),
    Dimension::new("clock", calls!["futex_wait"], Place::Register(5), Kind::Value { mask: INT }, &[events::CLOCKS]),
    Dimension::new("clock", calls!["futex_waitv"], Place::Register(4), Kind::Value { mask: INT }, &[events::CLOCKS]),
    Dimension::new(
        "flags",
        calls!["clock_nanosleep", "timer_settime"],
        Place::Register(1),
        Kind::Flags { mask: INT },
        &[events::TIMER_FLAGS],
    ),
    Dimension::new("flags", calls!["timerfd_create"], Place::Register(1), Kind::Flags { mask: INT }, &[events::TIMER_DESCRIPTOR]),
    Dimension::new(
        "flags",
        calls!["timerfd_settime"],
        Place::Register(1),
        Kind::Flags { mask: INT },
        &[events::TIMER_DESCRIPTOR_SET],
    ),
    Dimension::new(
        "timer",
        calls!["getitimer", "setitimer"],
        Place::Register(0),
        Kind::Value { mask: INT },
        &[events::INTERVAL_TIMERS],
    ),
    Dimension::new("flags", calls!["epoll_create1"], Place::Register(0), Kind::Flags { mask: INT }, &[events::EPOLL_CREATE]),
    Dimension::new("operation", calls!["epoll_ctl"], Place::Register(1), Kind::Value { mask: INT }, &[events::EPOLL_CONTROL]),
    // `struct epoll_event` of `linux/eventpoll.h`; it begins alike on every architecture. EPOLL_CTL_DEL (2) has none, and what the
    // argument points to is often left over from something else; the others (1 and 3) have this bit.
    Dimension::new(
        "events",
        calls!["epoll_ctl"],
        Place::Memory { argument: 3, offset: 0, width: 4 },
        Kind::Flags { mask: INT },
        &[events::EPOLL_EVENTS],
    )
    .given(Test { argument: 1, mask: 1, value: 1 }),
    Dimension::new("flags", calls!["eventfd2"], Place::Register(1), Kind::Flags { mask: INT }, &[events::EVENT_DESCRIPTOR]),
    Dimension::new("flags", calls!["signalfd4"], Place::Register(3), Kind::Flags { mask: INT }, &[events::SIGNAL_DESCRIPTOR]),
    Dimension::new("flags", calls!["inotify_init1"], Place::Register(0), Kind::Flags { mask: INT }, &[events::INOTIFY_CREATE]),
    Dimension::new("events", calls!["inotify_add_watch"], Place::Register(2), Kind::Flags { mask: INT }, &[events::INOTIFY]),
    Dimension::new("flags", calls!["fanotify_init"], Place::Register(0), Kind::Flags { mask: INT }, &[events::FANOTIFY_CREATE]),
    // `struct io_uring_params` of `linux/io_uring.h`.
    Dimension::new(
        "flags",
        calls!["io_uring_setup"],
        Place::Memory { argument: 1, offset: 8, width: 4 },
        Kind::Flags { mask: INT },
        &[events::RING_SETUP],
    ),
    Dimension::new("flags", calls!["io_uring_enter"], Place::Register(3), Kind::Flags { mask: INT }, &[events::RING_ENTER]),
    Dimension::new(
        "operation",
        calls!["io_uring_register"],
        Place::Register(1),
        Kind::Value { mask: INT & !USE_REGISTERED_RING },
        &[events::RING_REGISTER],
    ),
    Dimension::new(
        "flags",
        calls!["io_uring_register"],
        Place::Register(1),
        Kind::Flags { mask: USE_REGISTERED_RING },
        &[events::RING_REGISTER_FLAGS],
    ),
];
