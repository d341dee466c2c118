//! Calls that wait for something or tell the time.
//!
//! Pure data.

use super::Kind::{
    Address, Event, EventsOut, Fd, Hex, Int, IntOut, Itimerspec, Itimerval, Long, Named, Poll, SignalSet, Size, Timespec,
    TimespecOut, Timeval, TimevalOut, Unsigned,
};
use super::signatures;

signatures! {
    "adjtimex"(Address);
    "alarm"(Unsigned);
    "clock_adjtime"(Named, Address);
    "clock_getres"(Named, TimespecOut);
    "clock_gettime"(Named, TimespecOut);
    "clock_nanosleep"(Named, Named, Timespec, Address);
    "clock_settime"(Named, Timespec);
    "epoll_create"(Int);
    "epoll_create1"(Named);
    "epoll_ctl"(Fd, Named, Fd, Event);
    "epoll_ctl_old"(Hex, Hex, Hex, Hex);
    "epoll_pwait"(Fd, EventsOut, Int, Int, SignalSet, Size);
    "epoll_pwait2"(Fd, EventsOut, Int, Timespec, SignalSet, Size);
    "epoll_wait"(Fd, EventsOut, Int, Int);
    "epoll_wait_old"(Hex, Hex, Hex, Hex);
    "eventfd"(Unsigned);
    "eventfd2"(Unsigned, Named);
    "futex"(Address, Named, Unsigned, Address, Address, Hex);
    "futex_requeue"(Address, Hex, Int, Int);
    "futex_wait"(Address, Hex, Hex, Named, Timespec, Named);
    "futex_waitv"(Address, Unsigned, Hex, Timespec, Named);
    "futex_wake"(Address, Hex, Int, Named);
    "getitimer"(Named, Address);
    "gettimeofday"(TimevalOut, Address);
    "io_cancel"(Hex, Address, Address);
    "io_destroy"(Hex);
    "io_getevents"(Hex, Long, Long, Address, Timespec);
    "io_pgetevents"(Hex, Long, Long, Address, Timespec, Address);
    "io_setup"(Unsigned, Address);
    "io_submit"(Hex, Long, Address);
    "io_uring_enter"(Fd, Unsigned, Unsigned, Named, Address, Size);
    "io_uring_register"(Fd, Named, Address, Unsigned);
    "io_uring_setup"(Unsigned, Address);
    "nanosleep"(Timespec, Address);
    "poll"(Poll(1), Unsigned, Int);
    "ppoll"(Poll(1), Unsigned, Timespec, SignalSet, Size);
    "pselect6"(Int, Address, Address, Address, Timespec, Address);
    "select"(Int, Address, Address, Address, Timeval);
    "setitimer"(Named, Itimerval, Address);
    "settimeofday"(Timeval, Address);
    "signalfd"(Fd, SignalSet, Size);
    "signalfd4"(Fd, SignalSet, Size, Named);
    "time"(Address);
    "timer_create"(Named, Address, IntOut);
    "timer_delete"(Int);
    "timer_getoverrun"(Int);
    "timer_gettime"(Int, Address);
    "timer_settime"(Int, Named, Itimerspec, Address);
    "timerfd_create"(Named, Named);
    "timerfd_gettime"(Fd, Address);
    "timerfd_settime"(Fd, Named, Itimerspec, Address);
    "times"(Address);
}
