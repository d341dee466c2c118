//! A policy as a seccomp profile that container runtimes read. Pure.
//!
//! The format is that of the OCI's runtime specification (`linux.seccomp` in its `config-linux.md`), of which Docker takes a superset
//! in a file of its own (`--security-opt seccomp=FILE`). `comment` is Docker's; others ignore it.
//!
//! Two things that had to be seen to be believed (Docker 20.10): `defaultErrnoRet` is ignored there, so calls that have to fail with
//! another error than `EPERM` are all named; and a name that libseccomp does not know is skipped without a word, so a call newer than
//! the library fails with whatever the default is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{CONSEQUENCES, Policy, RUNTIME_MAY_MAKE, RUNTIME_NEEDS, RUNTIME_STARTS_WITH, Unseen, arguments, named};
use crate::syscalls::features::Test;
use crate::syscalls::{Architecture, Sysno};

/// Linux's `EPERM` and `ENOSYS`.
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// The profile for `architecture`.
#[must_use]
pub fn profile(policy: &Policy, unseen: Unseen, architecture: Architecture) -> Value {
    let exists = |call: &Sysno| call.number(architecture).is_some();
    let overruled = policy.overruled();
    let held = held_to_arguments(policy, architecture);
    let mut decided: BTreeSet<Sysno> = held.keys().copied().collect();
    let mut rules = Vec::new();
    for (call, way) in held.iter().flat_map(|(call, ways)| ways.iter().map(move |way| (call, way))) {
        rules.push(json!({
            "comment": "as the app was seen to make it",
            "names": [call],
            "action": "SCMP_ACT_ALLOW",
            "args": way.iter().map(condition).collect::<Vec<_>>(),
        }));
    }
    let mut rule = |calls: &mut dyn Iterator<Item = Sysno>, action: &str, errno: Option<u32>, comment: &str| {
        let names: Vec<_> = calls.filter(exists).filter(|call| decided.insert(*call)).collect();
        if names.is_empty() {
            return;
        }
        let mut rule = json!({ "comment": comment, "names": names, "action": action });
        if let Some(errno) = errno {
            rule["errnoRet"] = errno.into();
        }
        rules.push(rule);
    };
    let avoided = |calls: &BTreeSet<Sysno>| calls.difference(&overruled).copied().collect::<Vec<_>>();
    rule(&mut policy.allowed.iter().copied(), "SCMP_ACT_ALLOW", None, "calls that the app was seen to make");
    rule(
        &mut policy.fallbacks.iter().copied(),
        "SCMP_ACT_ALLOW",
        None,
        "calls that the app was seen to make in place of those that fail here",
    );
    rule(&mut avoided(&policy.stubbed).into_iter(), "SCMP_ACT_ERRNO", Some(ENOSYS), "stubbed: they fail with ENOSYS");
    rule(&mut avoided(&policy.faked).into_iter(), "SCMP_ACT_ERRNO", Some(0), "faked: they do nothing and report success");
    // Where everything else is let through anyway, these need no rule.
    if unseen != Unseen::Allow {
        for (names, comment) in [
            (RUNTIME_NEEDS, "calls without which runc cannot start a container under this profile"),
            (RUNTIME_STARTS_WITH, "calls that runc makes under this profile unless it is told no-new-privileges"),
            (RUNTIME_MAY_MAKE, "calls that runc may make under this profile before the app begins"),
        ] {
            rule(&mut named(names).into_iter(), "SCMP_ACT_ALLOW", None, comment);
        }
        rule(
            &mut named(&CONSEQUENCES).into_iter(),
            "SCMP_ACT_ALLOW",
            None,
            "the end of processes, the return from signal handlers, and calls that go on after an interruption",
        );
    }
    if unseen == Unseen::Enosys {
        rule(&mut Sysno::all(), "SCMP_ACT_ERRNO", Some(ENOSYS), "every other call fails as on an OS that does not have it");
    }
    let mut profile = json!({ "defaultAction": action(unseen) });
    if let Some(errno) = default_errno(unseen) {
        profile["defaultErrnoRet"] = errno.into();
    }
    profile["architectures"] = json!([name_of(architecture)]);
    profile["syscalls"] = rules.into();
    profile
}

/// The calls that are let through with some arguments alone, with the ways in which they are.
///
/// Those that the runtime makes itself cannot be: it makes them with other arguments.
fn held_to_arguments(policy: &Policy, architecture: Architecture) -> BTreeMap<Sysno, Vec<Vec<Test>>> {
    let Some(seen) = &policy.arguments else { return BTreeMap::new() };
    let of_runtime: BTreeSet<_> =
        [RUNTIME_NEEDS, RUNTIME_STARTS_WITH, RUNTIME_MAY_MAKE, &CONSEQUENCES].concat().into_iter().collect();
    let own = policy.allowed.iter().filter(|call| !of_runtime.contains(call.name()) && call.number(architecture).is_some());
    let ways = own.map(|call| (*call, arguments::ways(*call, seen, architecture)));
    ways.filter(|(_, ways)| !ways.is_empty()).collect()
}

/// A test in the words of libseccomp, for which `value` is the mask here.
fn condition(test: &Test) -> Value {
    json!({ "index": test.argument, "value": test.mask, "valueTwo": test.value, "op": "SCMP_CMP_MASKED_EQ" })
}

/// The name that libseccomp has for the architecture.
const fn name_of(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "SCMP_ARCH_X86_64",
        Architecture::Aarch64 => "SCMP_ARCH_AARCH64",
    }
}

const fn action(unseen: Unseen) -> &'static str {
    match unseen {
        Unseen::Enosys | Unseen::Errno => "SCMP_ACT_ERRNO",
        Unseen::Allow => "SCMP_ACT_ALLOW",
        Unseen::Kill => "SCMP_ACT_KILL_PROCESS",
    }
}

const fn default_errno(unseen: Unseen) -> Option<u32> {
    match unseen {
        Unseen::Enosys => Some(ENOSYS),
        Unseen::Errno => Some(EPERM),
        Unseen::Allow | Unseen::Kill => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::calls;
    use super::*;

    fn policy() -> Policy {
        Policy {
            allowed: calls(&["arch_prctl", "mmap", "openat", "read"]),
            stubbed: calls(&["brk", "prctl", "rt_sigaction"]),
            faked: calls(&["close", "setsockopt", "setuid"]),
            fallbacks: calls(&["getrlimit"]),
            ..Policy::default()
        }
    }

    /// What the profile does about a call: action and error number.
    fn decision(profile: &Value, call: &str) -> (String, Option<u64>) {
        let rules: Vec<_> = profile["syscalls"].as_array().unwrap().iter().collect();
        let naming: Vec<_> = rules.iter().filter(|rule| rule["names"].as_array().unwrap().contains(&call.into())).collect();
        assert!(naming.len() <= 1, "`{call}` is named by {} rules: libseccomp would choose", naming.len());
        match naming.first() {
            Some(rule) => (rule["action"].as_str().unwrap().to_owned(), rule["errnoRet"].as_u64()),
            None => (profile["defaultAction"].as_str().unwrap().to_owned(), profile["defaultErrnoRet"].as_u64()),
        }
    }

    fn allowed() -> (String, Option<u64>) {
        ("SCMP_ACT_ALLOW".to_owned(), None)
    }

    fn fails(errno: u64) -> (String, Option<u64>) {
        ("SCMP_ACT_ERRNO".to_owned(), Some(errno))
    }

    #[test]
    fn every_call_has_one_rule_or_the_default() {
        let profile = profile(&policy(), Unseen::Enosys, Architecture::X86_64);
        for call in Sysno::all() {
            decision(&profile, call.name());
        }
        assert_eq!(decision(&profile, "read"), allowed());
        assert_eq!(decision(&profile, "getrlimit"), allowed());
        assert_eq!(decision(&profile, "brk"), fails(38));
        assert_eq!(decision(&profile, "setsockopt"), fails(0));
        assert_eq!(decision(&profile, "mount"), fails(38));
    }

    #[test]
    fn what_the_container_runtime_needs_is_let_through_even_if_the_app_does_without() {
        let policy = policy();
        let profile = profile(&policy, Unseen::Enosys, Architecture::X86_64);
        for call in ["close", "setuid", "execve", "futex", "exit_group", "rt_sigreturn", "restart_syscall", "mmap"] {
            assert_eq!(decision(&profile, call), allowed(), "{call}");
        }
        assert_eq!(policy.overruled(), calls(&["close", "setuid"]));
        // What it makes early, or may make, can be stubbed.
        assert_eq!((decision(&profile, "prctl"), decision(&profile, "rt_sigaction")), (fails(38), fails(38)));
        assert_eq!(policy.needs_no_new_privileges(), calls(&["prctl"]));
    }

    #[test]
    fn calls_are_held_to_their_arguments_unless_the_runtime_makes_them() {
        let mut policy = policy();
        policy.allowed.extend(calls(&["getrandom", "ioctl", "writev"]));
        let seen = [
            "ioctl(FIONREAD)",
            "ioctl(TCGETS)",
            "mmap(MAP_PRIVATE)",
            "getrandom(GRND_NONBLOCK)",
            "setsockopt(SOL_SOCKET:SO_TYPE)",
        ];
        policy.arguments = Some(seen.iter().map(|feature| feature.parse().unwrap()).collect());
        let profile = profile(&policy, Unseen::Enosys, Architecture::X86_64);
        let rules = |call: &str| {
            let rules = profile["syscalls"].as_array().unwrap().iter();
            let naming = rules.filter(|rule| rule["names"].as_array().unwrap().contains(&call.into()));
            naming.map(|rule| (rule["action"].clone(), rule["args"].clone())).collect::<Vec<_>>()
        };
        let when = |index: u8, mask: u64, value: u64| {
            let args = json!([{"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}]);
            (json!("SCMP_ACT_ALLOW"), args)
        };
        // An unconditional rule of the same call would win.
        assert_eq!(rules("ioctl"), [when(1, 0xffff_ffff, 0x541b), when(1, 0xffff_ffff, 0x5401)]);
        assert_eq!(rules("getrandom"), [when(2, 0xffff_fffe, 0)]);
        let always = [(json!("SCMP_ACT_ALLOW"), Value::Null)];
        assert_eq!((rules("mmap"), rules("writev")), (always.to_vec(), always.to_vec()));
        assert_eq!(rules("setsockopt"), [(json!("SCMP_ACT_ERRNO"), Value::Null)]);
    }

    #[test]
    fn unseen_calls_fare_as_was_asked_for() {
        let of = |unseen| decision(&profile(&policy(), unseen, Architecture::X86_64), "mount");
        assert_eq!(of(Unseen::Enosys), fails(38));
        assert_eq!(of(Unseen::Errno), fails(1));
        assert_eq!(of(Unseen::Allow), allowed());
        assert_eq!(of(Unseen::Kill), ("SCMP_ACT_KILL_PROCESS".to_owned(), None));
        // What is avoided is avoided in any case.
        for unseen in [Unseen::Enosys, Unseen::Errno, Unseen::Allow, Unseen::Kill] {
            assert_eq!(decision(&profile(&policy(), unseen, Architecture::X86_64), "brk"), fails(38));
        }
    }

    #[test]
    fn calls_that_an_architecture_does_not_have_are_not_named() {
        let mut policy = policy();
        policy.allowed.extend(calls(&["open"]));
        let names = |architecture| profile(&policy, Unseen::Enosys, architecture)["syscalls"].to_string();
        assert!(names(Architecture::X86_64).contains("\"open\""));
        assert!(!names(Architecture::Aarch64).contains("\"open\""));
        let of_arm = profile(&policy, Unseen::Enosys, Architecture::Aarch64);
        assert_eq!(of_arm["architectures"], json!(["SCMP_ARCH_AARCH64"]));
    }
}
