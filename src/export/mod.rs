//! What was measured of an app, in forms that other programs enforce: a seccomp profile for containers, and command lines of tools
//! that make calls fail.
//!
//! After the store, beside the report. Pure: policies and text out of results that were read; nothing is run or installed.
//!
//! - [`Policy`]: which calls are let through, which are stubbed, which are faked, and what became of the others;
//! - [`seccomp`]: the policy as a profile of Docker, Podman, containerd and whatever else reads the OCI's format;
//! - [`command_lines`]: the policy for `strace` and `enosys`.
//!
//! # What outside Loupe is not as inside
//!
//! Loupe's filter is installed by its shim right before the app's program is executed. A container runtime installs a profile
//! earlier, and makes calls of its own until then: some have to be let through even if the app does without them
//! ([`RUNTIME_NEEDS`]). Where the joint configuration avoids one of those, the profile does not ([`Policy::overruled`]).
//!
//! An app without some call may make another that no trace without treatments shows: `exit` after `exit_group` failed, `getrlimit`
//! after `prlimit64`. What the campaign found of that (`fallbacks.csv`) is let through as well; for the rest there is
//! the choice of what becomes of calls that nobody saw ([`Unseen`]).
//!
//! Stubs and fakes are of whole calls only: neither the runtime's profiles nor these tools can decide about what stands behind a pointer,
//! and libseccomp lets an unconditional rule of a call win over conditional ones. So the configuration is that of the calls, which was
//! verified by itself or as part of a larger one. A profile can hold calls to the arguments that they were seen with
//! ([`Policy::arguments`]), where these stand in registers and the container's runtime does not make the call itself.

pub mod arguments;
pub mod command_lines;
pub mod seccomp;

use std::collections::{BTreeMap, BTreeSet};

use crate::store::Verdicts;
use crate::syscalls::Sysno;
use crate::syscalls::features::Feature;
use crate::trial::{Intervention, Treatment};

/// Calls without which runc cannot start a container once a profile is installed, even if it installs it as late as it can, which it
/// does with `no-new-privileges`. They are let through whatever the app needs.
///
/// Found by taking away one call at a time (runc 1.1 under Docker 20.10); with these, those of the app and `CONSEQUENCES` alone,
/// containers started every time.
pub const RUNTIME_NEEDS: &[&str] = &["close", "execve", "fstatfs", "futex", "getdents64", "openat", "write"];

/// Calls without which it cannot if it installs the profile early, as it does without `no-new-privileges`: they set user, groups,
/// capabilities and working directory, and check them. A profile may stub them: then the container does not start without that option.
/// It never fakes them: a container whose `setuid` only reports success would run as root.
pub const RUNTIME_STARTS_WITH: &[&str] = &[
    "capget",
    "capset",
    "chdir",
    "fchown",
    "fstat",
    "getcwd",
    "getppid",
    "newfstatat",
    "prctl",
    "read",
    "setgid",
    "setgroups",
    "setuid",
];

/// Calls that runc may make besides: those of the runtime of the Go language, which it is written in (threads, signals, memory, timers),
/// and those of other versions. They are let through where the app does not avoid them.
pub const RUNTIME_MAY_MAKE: &[&str] = &[
    "clone",
    "clone3",
    "epoll_ctl",
    "epoll_pwait",
    "faccessat",
    "faccessat2",
    "fchownat",
    "fcntl",
    "getpid",
    "gettid",
    "getuid",
    "lstat",
    "madvise",
    "mmap",
    "munmap",
    "nanosleep",
    "openat2",
    "readlinkat",
    "rt_sigaction",
    "rt_sigprocmask",
    "sched_yield",
    "sigaltstack",
    "stat",
    "statx",
    "tgkill",
];

/// Calls that the kernel or a libc makes on behalf of what was let through: the return from a signal's handler, a call that goes on
/// after it was interrupted, and the end of a process.
const CONSEQUENCES: [&str; 4] = ["exit", "exit_group", "restart_syscall", "rt_sigreturn"];

/// What becomes of calls that the app was never seen to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// They fail with `ENOSYS`, as on an OS without them: libraries fall back to what they did before there was the call.
    Enosys,
    /// They fail with `EPERM`, as under Docker's own profile. Some libraries take that for an answer and do not fall back.
    Errno,
    /// The kernel runs them.
    Allow,
    /// The process is killed: for finding out that there is one.
    Kill,
}

/// What was measured of one workload of an app.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Its calls.
    pub verdicts: &'a Verdicts,
    /// The calls that its joint configuration avoids.
    pub joint: &'a Intervention,
    /// Calls that were only seen while others were treated.
    pub fallbacks: &'a BTreeSet<Sysno>,
}

/// What is done about each call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Calls of the app that are let through.
    pub allowed: BTreeSet<Sysno>,
    /// Calls that fail with `ENOSYS`.
    pub stubbed: BTreeSet<Sysno>,
    /// Calls that do nothing and report success.
    pub faked: BTreeSet<Sysno>,
    /// Calls that are let through because they were seen in place of avoided ones.
    pub fallbacks: BTreeSet<Sysno>,
    /// Avoidable calls about which the workloads disagree, and which are let through therefore.
    pub disputed: BTreeSet<Sysno>,
    /// The argument features that calls were seen with, if they are let through with these alone.
    pub arguments: Option<BTreeSet<Feature>>,
}

impl Policy {
    /// Every call that any of the workloads was seen to use is let through.
    #[must_use]
    pub fn of_used(sources: &[Source<'_>]) -> Self {
        Self { allowed: used(sources), ..Self::default() }
    }

    /// What all joint configurations agree to avoid is avoided; every other used call is let through.
    ///
    /// Several workloads together were never run under one configuration, so what one of them needs is let through for all, and so is
    /// what one stubs and another fakes.
    #[must_use]
    pub fn of_joint(sources: &[Source<'_>]) -> Self {
        let mut policy = Self::default();
        for call in used(sources) {
            let of_those_that_use_it = sources.iter().filter(|source| uses(source, call));
            let plans: BTreeSet<Option<Treatment>> = of_those_that_use_it.map(|source| source.joint.get(call)).collect();
            let set = match plans.into_iter().collect::<Vec<_>>()[..] {
                [Some(Treatment::Stub)] => &mut policy.stubbed,
                [Some(Treatment::Fake)] => &mut policy.faked,
                [Some(Treatment::Stub), Some(Treatment::Fake)] => {
                    policy.disputed.insert(call);
                    &mut policy.allowed
                }
                _ => &mut policy.allowed,
            };
            set.insert(call);
        }
        let seen: BTreeSet<_> = sources.iter().flat_map(|source| source.fallbacks).copied().collect();
        policy.fallbacks = seen.into_iter().filter(|call| !policy.knows(*call)).collect();
        policy
    }

    /// Whether the policy says something about the call.
    fn knows(&self, call: Sysno) -> bool {
        self.allowed.contains(&call) || self.stubbed.contains(&call) || self.faked.contains(&call)
    }

    /// The avoided calls that a container's runtime needs, and that its profile lets through therefore.
    #[must_use]
    pub fn overruled(&self) -> BTreeSet<Sysno> {
        let (needs, starts_with) = (named(RUNTIME_NEEDS), named(RUNTIME_STARTS_WITH));
        let avoided = self.stubbed.iter().chain(&self.faked).filter(|call| needs.contains(call));
        avoided.chain(self.faked.iter().filter(|call| starts_with.contains(call))).copied().collect()
    }

    /// Stubbed calls that the runtime makes as well unless it is told `no-new-privileges`.
    #[must_use]
    pub fn needs_no_new_privileges(&self) -> BTreeSet<Sysno> {
        let starts_with = named(RUNTIME_STARTS_WITH);
        self.stubbed.iter().filter(|call| starts_with.contains(call)).copied().collect()
    }

    /// The avoided calls with what is done about each.
    #[must_use]
    pub fn treatments(&self) -> BTreeMap<Sysno, Treatment> {
        let stubbed = self.stubbed.iter().map(|call| (*call, Treatment::Stub));
        stubbed.chain(self.faked.iter().map(|call| (*call, Treatment::Fake))).collect()
    }
}

fn used(sources: &[Source<'_>]) -> BTreeSet<Sysno> {
    sources.iter().flat_map(|source| source.verdicts.iter()).filter(|(_, row)| row.used).map(|(call, _)| *call).collect()
}

fn uses(source: &Source<'_>, call: Sysno) -> bool {
    source.verdicts.get(&call).is_some_and(|row| row.used)
}

/// The calls of these names.
fn named(names: &[&str]) -> BTreeSet<Sysno> {
    names.iter().filter_map(|name| Sysno::from_name(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::read_verdicts;

    pub(super) fn calls(names: &[&str]) -> BTreeSet<Sysno> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn verdicts(rows: &str) -> Verdicts {
        let text = format!("{}\n{rows}", crate::store::VERDICTS_HEADER);
        read_verdicts(std::path::Path::new("verdicts.csv"), &text).unwrap()
    }

    #[test]
    fn names_of_calls_are_calls_in_order() {
        let lists = [RUNTIME_NEEDS, RUNTIME_STARTS_WITH, RUNTIME_MAY_MAKE, &CONSEQUENCES];
        for names in lists {
            assert_eq!(named(names).len(), names.len());
            assert!(names.is_sorted());
        }
        let all: BTreeSet<_> = lists.iter().flat_map(|names| named(names)).collect();
        assert_eq!(all.len(), lists.iter().map(|names| names.len()).sum::<usize>(), "no call is in two lists");
    }

    #[test]
    fn of_several_workloads_only_what_all_agree_on_is_avoided() {
        let first = verdicts(
            "brk,Y,Y,Y,any,stub\nclose,Y,N,Y,fake,fake\ngetpid,Y,Y,Y,any,stub\nread,Y,N,N,required,implement\numask,Y,Y,Y,any,stub\n",
        );
        let second = verdicts("brk,Y,N,N,required,implement\nclose,Y,N,Y,fake,fake\numask,Y,N,Y,fake,fake\n");
        let joint = |text: &str| text.parse::<Intervention>().unwrap();
        let (of_first, of_second) = (joint("stub=brk,getpid,umask;fake=close"), joint("fake=close,umask"));
        let fallbacks = calls(&["exit", "read"]);
        let sources = [
            Source { name: "a/x", verdicts: &first, joint: &of_first, fallbacks: &fallbacks },
            Source { name: "a/y", verdicts: &second, joint: &of_second, fallbacks: &BTreeSet::new() },
        ];
        let policy = Policy::of_joint(&sources);
        assert_eq!(policy.allowed, calls(&["brk", "read", "umask"]));
        // The second does not use `getpid`, and has no say in it.
        assert_eq!((&policy.stubbed, &policy.faked), (&calls(&["getpid"]), &calls(&["close"])));
        assert_eq!((&policy.disputed, &policy.fallbacks), (&calls(&["umask"]), &calls(&["exit"])));
        assert_eq!(policy.overruled(), calls(&["close"]));
        assert_eq!(Policy::of_used(&sources).allowed, calls(&["brk", "close", "getpid", "read", "umask"]));
    }
}
