//! Calls on processes, threads and signals.
//!
//! Pure data.

use super::Kind::{
    Address, CloneArgs, Fd, Hex, Id, Int, IntOut, Named, OneOf, Rlimit, RlimitOut, Sigaction, SigactionOut, SignalSet,
    SignalSetOut, Size, StatusOut, Timespec, TimespecOut, Unsigned,
};
use super::signatures;
use crate::syscalls::features::names::processes::SCHEDULER;

signatures! {
    "arch_prctl"(Named, Address);
    "capget"(Address, Address);
    "capset"(Address, Address);
    "clone"(Named, Address, Address, Address, Address);
    "clone3"(CloneArgs, Size);
    "exit"(Int);
    "exit_group"(Int);
    "fork"();
    "get_robust_list"(Int, Address, Address);
    "get_thread_area"(Address);
    "getegid"();
    "geteuid"();
    "getgid"();
    "getgroups"(Int, Address);
    "getpgid"(Int);
    "getpgrp"();
    "getpid"();
    "getppid"();
    "getpriority"(Named, Int);
    "getresgid"(IntOut, IntOut, IntOut);
    "getresuid"(IntOut, IntOut, IntOut);
    "getrlimit"(Named, RlimitOut);
    "getrusage"(Named, Address);
    "getsid"(Int);
    "gettid"();
    "getuid"();
    "ioprio_get"(Named, Int);
    "ioprio_set"(Named, Int, Hex);
    "kcmp"(Int, Int, Named, Hex, Hex);
    "kill"(Int, Named);
    "pause"();
    "personality"(Hex);
    "pidfd_getfd"(Fd, Fd, Hex);
    "pidfd_open"(Int, Named);
    "pidfd_send_signal"(Fd, Named, Address, Hex);
    "prctl"(Named, Hex, Hex, Hex, Hex);
    "prlimit64"(Int, Named, Rlimit, RlimitOut);
    "ptrace"(Named, Int, Address, Address);
    "restart_syscall"();
    "rseq"(Address, Unsigned, Named, Hex);
    "rt_sigaction"(Named, Sigaction, SigactionOut, Size);
    "rt_sigpending"(SignalSetOut, Size);
    "rt_sigprocmask"(Named, SignalSet, SignalSetOut, Size);
    "rt_sigqueueinfo"(Int, Named, Address);
    "rt_sigreturn"();
    "rt_sigsuspend"(SignalSet, Size);
    "rt_sigtimedwait"(SignalSet, Address, Timespec, Size);
    "rt_tgsigqueueinfo"(Int, Int, Named, Address);
    "sched_get_priority_max"(OneOf(SCHEDULER));
    "sched_get_priority_min"(OneOf(SCHEDULER));
    "sched_getaffinity"(Int, Size, Address);
    "sched_getattr"(Int, Address, Unsigned, Hex);
    "sched_getparam"(Int, IntOut);
    "sched_getscheduler"(Int);
    "sched_rr_get_interval"(Int, TimespecOut);
    "sched_setaffinity"(Int, Size, Address);
    "sched_setattr"(Int, Address, Hex);
    "sched_setparam"(Int, Address);
    "sched_setscheduler"(Int, Named, Address);
    "sched_yield"();
    "set_robust_list"(Address, Size);
    "set_thread_area"(Address);
    "set_tid_address"(Address);
    "setfsgid"(Id);
    "setfsuid"(Id);
    "setgid"(Id);
    "setgroups"(Size, Address);
    "setns"(Fd, Named);
    "setpgid"(Int, Int);
    "setpriority"(Named, Int, Int);
    "setregid"(Id, Id);
    "setresgid"(Id, Id, Id);
    "setresuid"(Id, Id, Id);
    "setreuid"(Id, Id);
    "setrlimit"(Named, Rlimit);
    "setsid"();
    "setuid"(Id);
    "sigaltstack"(Address, Address);
    "tgkill"(Int, Int, Named);
    "tkill"(Int, Named);
    "unshare"(Named);
    "uprobe"();
    "uretprobe"();
    "vfork"();
    "wait4"(Int, StatusOut, Named, Address);
    "waitid"(Named, Int, Address, Named, Address);
}
