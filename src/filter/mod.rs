//! Intervention -> one seccomp BPF program.
//!
//! Used by the shim, which installs the program right before it executes the app. Pure: it computes instructions and
//! installs nothing.
//!
//! # Why one program, and why it is assembled
//!
//! Two programs installed one after the other fail when the first stubs `prctl` or `seccomp`. A filter of seccompiler
//! has one action for what matches and one for what doesn't, and knows no `SECCOMP_RET_USER_NOTIF`. So each group of
//! calls is compiled with placeholder actions, and `assemble` joins the fragments: this is the only place where
//! return values are rewritten.
//!
//! The program, in the order of its parts (seccomp(2), `linux/seccomp.h`):
//!
//! 1. a call of a foreign ABI (other `arch`; on x86_64 also bit 30 of the number, x32) is notified, so that it is seen;
//! 2. `execve` and `exit_group` whose unused sixth argument is the nonce of this trial pass: that is the shim's
//!    launch of the app, not the app's doing;
//! 3. the fragments of the policy; what none of them matches goes on, or is notified where every call is watched, or where calls that no
//!    trace saw are.
//!
//! A whole call is matched by its number. An argument feature that stands in registers is matched by conditions on these; one that
//! stands behind a pointer, and a pseudo-file, can only be decided by whoever looks at memory, so every call that may have it is
//! notified.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    sock_filter,
};

use crate::syscalls::features::{Condition, Test};
use crate::syscalls::paths::{self, Access};
use crate::syscalls::{Architecture, Sysno, X32_BIT};
use crate::trial::{Intervention, Item, Treatment, Watch};

/// `SECCOMP_RET_USER_NOTIF` of `linux/seccomp.h`.
const RETURN_USER_NOTIFICATION: u32 = 0x7fc0_0000;
/// `SECCOMP_RET_ALLOW`.
const RETURN_ALLOW: u32 = 0x7fff_0000;
/// `SECCOMP_RET_ERRNO`; the low 16 bits are the error number, and 0 makes the call return 0.
const RETURN_ERRNO: u32 = 0x0005_0000;
/// `SECCOMP_RET_KILL_PROCESS`: what seccompiler returns when the architecture differs.
const RETURN_KILL_PROCESS: u32 = 0x8000_0000;
/// Linux's `ENOSYS`, the same on every architecture Loupe knows.
const ENOSYS: u32 = 38;

/// Instructions of classic BPF (`linux/filter.h`): `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JA`,
/// `BPF_JMP | BPF_JGE | BPF_K`, `BPF_RET | BPF_K`.
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_IF_GREATER_OR_EQUAL: u16 = 0x35;
const RETURN: u16 = 0x06;

/// Placeholder for "this fragment matches"; `SECCOMP_RET_TRACE` with a number of ours is never a real answer here.
const MATCH: u32 = 1;
/// Placeholder for "this fragment does not match, go on with the next".
const NEXT: u32 = 2;

/// Longest program that the kernel takes (`BPF_MAXINSNS` of `linux/bpf_common.h`).
const MOST_INSTRUCTIONS: usize = 4096;

/// Instructions that may be spent on telling features apart. What is beyond that is left to the supervisor: a profile that has one
/// request of `ioctl` lacks some hundred others.
const FEATURE_BUDGET: usize = 1000;

/// The argument of `execve` and `exit_group` that carries the nonce: the sixth, which neither uses.
const NONCE_ARGUMENT: u8 = 5;

/// Calls by which a process begins, changes its program, ends, or collects a child.
///
/// They are notified in every trial (and continued unless treated), because the death of a worker that its own parent
/// reaps can be noticed in no other way. They are rare, so it costs nothing that can be measured.
const LIFECYCLE: [&str; 10] = ["clone", "clone3", "execve", "execveat", "exit", "exit_group", "fork", "vfork", "wait4", "waitid"];

/// Why no program could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterError {
    /// A treated item does not exist on the architecture of the filter.
    NoSuchItem(Item, Architecture),
    /// seccompiler refused a fragment.
    Compile(String),
    /// The program has more instructions than the kernel takes.
    TooLong(usize),
}

impl fmt::Display for FilterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchItem(item, architecture) => write!(formatter, "`{item}` does not exist on {architecture}"),
            Self::Compile(message) => write!(formatter, "cannot compile the filter: {message}"),
            Self::TooLong(instructions) => {
                write!(formatter, "the filter has {instructions} instructions, and the kernel takes {MOST_INSTRUCTIONS} at most")
            }
        }
    }
}

impl std::error::Error for FilterError {}

/// The calls by which a process begins, changes its program, ends, or collects a child, as far as `architecture` has them: they
/// are notified in every trial.
#[must_use]
pub fn lifecycle(architecture: Architecture) -> BTreeSet<Sysno> {
    let exists = |call: &Sysno| call.number(architecture).is_some();
    LIFECYCLE.iter().filter_map(|name| Sysno::from_name(name)).filter(exists).collect()
}

/// Compiles the program of one trial for `architecture`.
///
/// With `traced`, the calls that the traces saw, every other call of the table is notified as well. Linux 5.11 and later remember which
/// calls a filter always lets through, so those that the app makes as a rule pay nothing for that.
///
/// `nonce` is a random number that the shim passes as the sixth argument of its own `execve`.
///
/// # Errors
/// When a treated call does not exist on the architecture, or seccompiler refuses a fragment.
pub fn compile(
    architecture: Architecture,
    intervention: &Intervention,
    watch: Watch,
    traced: Option<&BTreeSet<Sysno>>,
    nonce: u64,
) -> Result<BpfProgram, FilterError> {
    let mut fragments = vec![Fragment::launch(architecture, nonce)?];
    let crowded = crowded(architecture, intervention)?;
    let decided = match watch {
        Watch::Everything => return assemble(architecture, fragments, Default::Notify),
        Watch::Treated => {
            let targets = Targets::of(architecture, intervention, None, &crowded)?;
            let mut notified = lifecycle(architecture);
            notified.extend(targets.calls);
            notified.extend(targets.looked_into);
            fragments.push(Fragment::calls(architecture, notified.iter().copied(), RETURN_USER_NOTIFICATION)?);
            fragments.push(Fragment::features(architecture, targets.features, RETURN_USER_NOTIFICATION)?);
            notified
        }
        Watch::Nothing => {
            let mut notified = lifecycle(architecture);
            let answers = [(Treatment::Stub, RETURN_ERRNO | ENOSYS), (Treatment::Fake, RETURN_ERRNO)];
            let targets = answers
                .map(|(treatment, answer)| Ok((Targets::of(architecture, intervention, Some(treatment), &crowded)?, answer)));
            let targets = targets.into_iter().collect::<Result<Vec<_>, _>>()?;
            for (targets, answer) in &targets {
                fragments.push(Fragment::calls(architecture, targets.calls.iter().copied(), *answer)?);
                notified.retain(|call| !targets.calls.contains(call));
                notified.extend(&targets.looked_into);
            }
            for (targets, answer) in targets {
                fragments.push(Fragment::features(architecture, targets.features, answer)?);
            }
            fragments.push(Fragment::calls(architecture, notified.iter().copied(), RETURN_USER_NOTIFICATION)?);
            notified
        }
    };
    let Some(traced) = traced else { return assemble(architecture, fragments, Default::Allow) };
    // What is decided above would only make the program longer.
    let allowed = traced.iter().copied().filter(|call| call.number(architecture).is_some() && !decided.contains(call));
    fragments.push(Fragment::calls(architecture, allowed, RETURN_ALLOW)?);
    assemble(architecture, fragments, Default::NotifyKnown)
}

/// What becomes of a call that no fragment matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Default {
    /// The kernel runs it.
    Allow,
    /// It is notified.
    Notify,
    /// It is notified unless its number is above those of the table: nobody could say what it is.
    NotifyKnown,
}

/// Treated items, by how a filter can tell them.
#[derive(Default)]
struct Targets {
    /// By the number of the call.
    calls: BTreeSet<Sysno>,
    /// By the call and what its registers hold.
    features: Vec<(Sysno, Vec<Test>)>,
    /// Not at all: these calls have to be looked into.
    looked_into: BTreeSet<Sysno>,
}

impl Targets {
    /// The items of `intervention` that are treated in this way, or in any. `crowded` are calls that have to be looked into.
    fn of(
        architecture: Architecture,
        intervention: &Intervention,
        treatment: Option<Treatment>,
        crowded: &BTreeSet<Sysno>,
    ) -> Result<Self, FilterError> {
        let exists = |call: &Sysno| call.number(architecture).is_some();
        let wanted = intervention.iter().filter(|(_, other)| treatment.is_none_or(|treatment| treatment == *other));
        let mut targets = Self::default();
        for (item, _) in wanted {
            match item {
                Item::Call(call) => {
                    targets.calls.insert(call);
                }
                // The treatment of the whole call goes before that of its features.
                Item::Feature(feature) if intervention.get(feature.call()).is_some() => {}
                Item::Feature(feature) if crowded.contains(&feature.call()) => {
                    targets.looked_into.insert(feature.call());
                }
                Item::Feature(feature) => {
                    match feature.condition(architecture).ok_or(FilterError::NoSuchItem(item, architecture))? {
                        Condition::Register(tests) => targets.features.push((feature.call(), tests)),
                        Condition::Memory { .. } => {
                            targets.looked_into.insert(feature.call());
                        }
                    }
                }
                Item::File(_) => {
                    targets.looked_into.extend(Sysno::all().filter(|call| takes_a_path(*call)).filter(exists));
                }
            }
        }
        Ok(targets)
    }
}

/// The calls with so many treated features that a filter which tells them apart would become too long: those with most of them, until
/// the rest fits the budget. They are notified, and the supervisor decides.
fn crowded(architecture: Architecture, intervention: &Intervention) -> Result<BTreeSet<Sysno>, FilterError> {
    let mut costs: BTreeMap<Sysno, usize> = BTreeMap::new();
    for (item, _) in intervention.iter() {
        let Item::Feature(feature) = item else { continue };
        if intervention.get(feature.call()).is_some() {
            continue;
        }
        if let Condition::Register(tests) = feature.condition(architecture).ok_or(FilterError::NoSuchItem(item, architecture))? {
            // Loads, masks and compares both halves of a register, and jumps.
            *costs.entry(feature.call()).or_default() += 3 + 6 * tests.len();
        }
    }
    let mut total: usize = costs.values().sum();
    let mut by_cost: Vec<_> = costs.into_iter().collect();
    by_cost.sort_by_key(|(call, cost)| (*cost, *call));
    let mut crowded = BTreeSet::new();
    while total > FEATURE_BUDGET
        && let Some((call, cost)) = by_cost.pop()
    {
        crowded.insert(call);
        total -= cost;
    }
    Ok(crowded)
}

/// Whether a call takes a path that can be treated as that of a pseudo-file: those that open it, ask what it is or whether it may be
/// used, or read a link.
#[must_use]
pub fn takes_a_path(call: Sysno) -> bool {
    let treatable = |access: Access| match access {
        Access::Open | Access::Stat | Access::ReadLink | Access::Access => true,
        Access::Execute | Access::Other => false,
    };
    paths::arguments_of(call).iter().any(|argument| treatable(argument.access()))
}

/// Some calls with the value the filter returns for them.
struct Fragment {
    program: BpfProgram,
    answer: u32,
}

impl Fragment {
    fn new(architecture: Architecture, rules: BTreeMap<i64, Vec<SeccompRule>>, answer: u32) -> Result<Self, FilterError> {
        let target = match architecture {
            Architecture::X86_64 => TargetArch::x86_64,
            Architecture::Aarch64 => TargetArch::aarch64,
        };
        let program = SeccompFilter::new(rules, SeccompAction::Trace(NEXT), SeccompAction::Trace(MATCH), target)
            .and_then(BpfProgram::try_from)
            .map_err(|error| FilterError::Compile(error.to_string()))?;
        Ok(Self { program, answer })
    }

    fn calls(architecture: Architecture, calls: impl IntoIterator<Item = Sysno>, answer: u32) -> Result<Self, FilterError> {
        let rules = calls.into_iter().map(|call| Ok((number(architecture, call)?, Vec::new()))).collect::<Result<_, _>>()?;
        Self::new(architecture, rules, answer)
    }

    fn features(
        architecture: Architecture,
        features: impl IntoIterator<Item = (Sysno, Vec<Test>)>,
        answer: u32,
    ) -> Result<Self, FilterError> {
        let compile_error = |error: seccompiler::BackendError| FilterError::Compile(error.to_string());
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for (call, tests) in features {
            let conditions = tests.iter().map(|test| {
                let length = if test.mask > u64::from(u32::MAX) { SeccompCmpArgLen::Qword } else { SeccompCmpArgLen::Dword };
                SeccompCondition::new(test.argument, length, SeccompCmpOp::MaskedEq(test.mask), test.value)
            });
            let conditions = conditions.collect::<Result<_, _>>().map_err(compile_error)?;
            let rule = SeccompRule::new(conditions).map_err(compile_error)?;
            rules.entry(number(architecture, call)?).or_default().push(rule);
        }
        Self::new(architecture, rules, answer)
    }

    fn launch(architecture: Architecture, nonce: u64) -> Result<Self, FilterError> {
        let compile_error = |error: seccompiler::BackendError| FilterError::Compile(error.to_string());
        let mut rules = BTreeMap::new();
        for name in ["execve", "exit_group"] {
            let condition =
                SeccompCondition::new(NONCE_ARGUMENT, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, nonce).map_err(compile_error)?;
            let rule = SeccompRule::new(vec![condition]).map_err(compile_error)?;
            let call = Sysno::from_name(name).expect("invariant: the table has execve and exit_group");
            rules.insert(number(architecture, call)?, vec![rule]);
        }
        Self::new(architecture, rules, RETURN_ALLOW)
    }
}

fn number(architecture: Architecture, call: Sysno) -> Result<i64, FilterError> {
    call.number(architecture).map(i64::from).ok_or(FilterError::NoSuchItem(call.into(), architecture))
}

/// Joins the fragments behind the check for foreign calls; `default` decides about what no fragment matches.
///
/// In a fragment, `MATCH` becomes its answer, seccompiler's answer to another architecture becomes a notification, and
/// `NEXT`, a return, becomes a jump of the same length to the end of the fragment, where the next one begins.
fn assemble(architecture: Architecture, fragments: Vec<Fragment>, default: Default) -> Result<BpfProgram, FilterError> {
    let match_placeholder = u32::from(SeccompAction::Trace(MATCH));
    let next_placeholder = u32::from(SeccompAction::Trace(NEXT));

    let mut program = BpfProgram::new();
    if architecture == Architecture::X86_64 {
        program.extend(foreign_number_check());
    }
    for Fragment { program: fragment, answer } in fragments {
        let length = fragment.len();
        program.extend(fragment.into_iter().enumerate().map(|(index, instruction)| match instruction {
            sock_filter { code: RETURN, k, .. } if k == match_placeholder => sock_filter { k: answer, ..instruction },
            sock_filter { code: RETURN, k: RETURN_KILL_PROCESS, .. } => {
                sock_filter { k: RETURN_USER_NOTIFICATION, ..instruction }
            }
            sock_filter { code: RETURN, k, .. } if k == next_placeholder => {
                let distance = u32::try_from(length - index - 1).expect("invariant: a program has at most 4096 instructions");
                sock_filter { code: JUMP, jt: 0, jf: 0, k: distance }
            }
            other => other,
        }));
    }
    let answer = |k| sock_filter { code: RETURN, jt: 0, jf: 0, k };
    match default {
        Default::Allow => program.push(answer(RETURN_ALLOW)),
        Default::Notify => program.push(answer(RETURN_USER_NOTIFICATION)),
        Default::NotifyKnown => {
            let above = Sysno::all().filter_map(|call| call.number(architecture)).max().map_or(0, |highest| highest + 1);
            program.extend([
                sock_filter { code: LOAD, jt: 0, jf: 0, k: 0 },
                sock_filter { code: JUMP_IF_GREATER_OR_EQUAL, jt: 0, jf: 1, k: above },
                answer(RETURN_ALLOW),
                answer(RETURN_USER_NOTIFICATION),
            ]);
        }
    }
    if program.len() > MOST_INSTRUCTIONS {
        return Err(FilterError::TooLong(program.len()));
    }
    Ok(program)
}

/// Notifies every x32 call: they come with the native `arch`, so seccompiler's check does not see them.
fn foreign_number_check() -> [sock_filter; 3] {
    // The number is at offset 0 of `struct seccomp_data`. The call -1, which seccomp(2) says a tracer may use to skip a
    // call, is above the bit as well, and no call of any ABI.
    [
        sock_filter { code: LOAD, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_IF_GREATER_OR_EQUAL, jt: 0, jf: 1, k: X32_BIT },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: RETURN_USER_NOTIFICATION },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONCE: u64 = 0x0123_4567_89ab_cdef;
    const NATIVE_X86_64: u32 = 0xc000_003e;
    const I386: u32 = 0x4000_0003;
    const ERRNO_ENOSYS: u32 = RETURN_ERRNO | ENOSYS;

    fn call(name: &str) -> Sysno {
        name.parse().unwrap()
    }

    fn number_of(name: &str) -> u32 {
        call(name).number(Architecture::X86_64).unwrap()
    }

    /// Interprets the program as the kernel would (`Documentation/networking/filter.rst`), for the instructions used here.
    fn run(program: &[sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(number.to_le_bytes());
        data.extend(arch.to_le_bytes());
        data.extend(0u64.to_le_bytes());
        data.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
        let (mut accumulator, mut at) = (0u32, 0usize);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let branch = |taken: bool| usize::from(if taken { jt } else { jf });
            match u32::from(code) {
                0x20 => accumulator = u32::from_le_bytes(data[k as usize..k as usize + 4].try_into().unwrap()),
                0x05 => at += k as usize,
                0x15 => at += branch(accumulator == k),
                0x25 => at += branch(accumulator > k),
                0x35 => at += branch(accumulator >= k),
                0x54 => accumulator &= k,
                0x06 => return k,
                other => panic!("instruction {other:#x} is not interpreted"),
            }
        }
    }

    fn program(intervention: &str, watch: Watch) -> BpfProgram {
        compile(Architecture::X86_64, &intervention.parse().unwrap(), watch, None, NONCE).unwrap()
    }

    #[test]
    fn treated_calls_are_notified_and_others_allowed() {
        let program = program("stub=openat;fake=write,clone3", Watch::Treated);
        for name in ["openat", "write", "clone3", "wait4", "exit_group"] {
            assert_eq!(run(&program, NATIVE_X86_64, number_of(name), [0; 6]), RETURN_USER_NOTIFICATION, "{name}");
        }
        for name in ["read", "close", "futex", "seccomp", "prctl"] {
            assert_eq!(run(&program, NATIVE_X86_64, number_of(name), [0; 6]), RETURN_ALLOW, "{name}");
        }
    }

    #[test]
    fn uncounted_treatments_are_answered_by_the_filter() {
        let program = program("stub=openat,execve;fake=write", Watch::Nothing);
        assert_eq!(run(&program, NATIVE_X86_64, number_of("openat"), [0; 6]), ERRNO_ENOSYS);
        assert_eq!(run(&program, NATIVE_X86_64, number_of("execve"), [0; 6]), ERRNO_ENOSYS);
        assert_eq!(run(&program, NATIVE_X86_64, number_of("write"), [0; 6]), RETURN_ERRNO);
        assert_eq!(run(&program, NATIVE_X86_64, number_of("wait4"), [0; 6]), RETURN_USER_NOTIFICATION);
        assert_eq!(run(&program, NATIVE_X86_64, number_of("read"), [0; 6]), RETURN_ALLOW);
    }

    #[test]
    fn only_the_launch_with_the_nonce_passes_a_treated_execve() {
        for watch in [Watch::Everything, Watch::Treated, Watch::Nothing] {
            let program = program("stub=execve,exit_group", watch);
            for name in ["execve", "exit_group"] {
                assert_eq!(run(&program, NATIVE_X86_64, number_of(name), [1, 2, 3, 4, 5, NONCE]), RETURN_ALLOW);
                for nearly in [NONCE ^ 1, NONCE ^ (1 << 63), 0] {
                    assert_ne!(run(&program, NATIVE_X86_64, number_of(name), [0, 0, 0, 0, 0, nearly]), RETURN_ALLOW);
                }
            }
            assert_ne!(run(&program, NATIVE_X86_64, number_of("execveat"), [0, 0, 0, 0, 0, NONCE]), RETURN_ALLOW);
        }
    }

    #[test]
    fn foreign_calls_are_notified_whatever_is_treated() {
        for watch in [Watch::Everything, Watch::Treated, Watch::Nothing] {
            let program = program("stub=read", watch);
            assert_eq!(run(&program, I386, 20, [0; 6]), RETURN_USER_NOTIFICATION);
            // execve's number on i386 is exit_group's neighbourhood elsewhere: the nonce must not help there.
            assert_eq!(run(&program, I386, number_of("execve"), [0, 0, 0, 0, 0, NONCE]), RETURN_USER_NOTIFICATION);
            assert_eq!(run(&program, NATIVE_X86_64, X32_BIT | number_of("read"), [0; 6]), RETURN_USER_NOTIFICATION);
        }
    }

    #[test]
    fn features_in_registers_are_told_by_the_filter() {
        const ANONYMOUS: u64 = 0x20;
        const POPULATE: u64 = 0x8000;
        const TCGETS: u64 = 0x5401;
        const FIONREAD: u64 = 0x541b;
        let text = "stub=mmap(MAP_POPULATE),openat;fake=ioctl(TCGETS),ioctl(FIONREAD)";
        for (watch, stub, fake) in
            [(Watch::Treated, RETURN_USER_NOTIFICATION, RETURN_USER_NOTIFICATION), (Watch::Nothing, ERRNO_ENOSYS, RETURN_ERRNO)]
        {
            let program = program(text, watch);
            let mmap = |flags| run(&program, NATIVE_X86_64, number_of("mmap"), [0, 4096, 3, flags, 0, 0]);
            assert_eq!([mmap(ANONYMOUS), mmap(ANONYMOUS | POPULATE), mmap(POPULATE)], [RETURN_ALLOW, stub, stub]);
            let ioctl = |request| run(&program, NATIVE_X86_64, number_of("ioctl"), [1, request, 0, 0, 0, 0]);
            // The kernel takes 32 bits of the request.
            assert_eq!(
                [ioctl(TCGETS), ioctl(FIONREAD), ioctl(0x5413), ioctl(TCGETS | 1 << 40)],
                [fake, fake, RETURN_ALLOW, fake]
            );
            assert_eq!(run(&program, NATIVE_X86_64, number_of("openat"), [0; 6]), stub);
            assert_eq!(run(&program, NATIVE_X86_64, number_of("read"), [0; 6]), RETURN_ALLOW);
        }
    }

    #[test]
    fn what_stands_in_memory_is_notified_whatever_is_watched() {
        for watch in [Watch::Treated, Watch::Nothing] {
            let clone3 = program("stub=clone3(CLONE_THREAD)", watch);
            assert_eq!(run(&clone3, NATIVE_X86_64, number_of("clone3"), [0; 6]), RETURN_USER_NOTIFICATION);
            assert_eq!(run(&clone3, NATIVE_X86_64, number_of("openat"), [0; 6]), RETURN_ALLOW);
            let file = program("stub=/proc/self/status", watch);
            for name in ["openat", "open", "newfstatat", "statx", "readlink", "access"] {
                assert_eq!(run(&file, NATIVE_X86_64, number_of(name), [0; 6]), RETURN_USER_NOTIFICATION, "{name}");
            }
            for name in ["read", "unlink", "mkdir"] {
                assert_eq!(run(&file, NATIVE_X86_64, number_of(name), [0; 6]), RETURN_ALLOW, "{name}");
            }
        }
    }

    #[test]
    fn calls_that_no_trace_saw_are_notified_beside_what_is_treated() {
        let traced = ["read", "write", "mmap", "exit_group"].map(call).into();
        let intervention = "stub=write;fake=mmap(MAP_SHARED)".parse().unwrap();
        for watch in [Watch::Treated, Watch::Nothing] {
            let program = compile(Architecture::X86_64, &intervention, watch, Some(&traced), NONCE).unwrap();
            let answer = |name: &str| run(&program, NATIVE_X86_64, number_of(name), [0; 6]);
            let of_write = if watch == Watch::Treated { RETURN_USER_NOTIFICATION } else { ERRNO_ENOSYS };
            assert_eq!(answer("write"), of_write);
            assert_eq!((answer("read"), answer("mmap")), (RETURN_ALLOW, RETURN_ALLOW));
            for new in ["openat", "poll", "wait4", "exit_group"] {
                assert_eq!(answer(new), RETURN_USER_NOTIFICATION, "{new} is new, or belongs to the life of a process");
            }
            assert_eq!(run(&program, NATIVE_X86_64, 0x2000, [0; 6]), RETURN_ALLOW, "a number that no table knows");
            assert_eq!(run(&program, I386, 3, [0; 6]), RETURN_USER_NOTIFICATION);
            let launched = run(&program, NATIVE_X86_64, number_of("execve"), [0, 0, 0, 0, 0, NONCE]);
            assert_eq!(launched, RETURN_ALLOW);
        }
    }

    #[test]
    fn a_call_of_another_architecture_is_refused() {
        let intervention = "stub=open".parse().unwrap();
        let error = compile(Architecture::Aarch64, &intervention, Watch::Treated, None, NONCE).unwrap_err();
        assert_eq!(error.to_string(), "`open` does not exist on aarch64");
    }

    #[test]
    fn everything_at_once_fits_into_one_program() {
        for treatment in Treatment::ALL {
            let all = Sysno::all().filter(|call| call.number(Architecture::X86_64).is_some());
            let intervention = all.map(|call| (call, treatment)).collect::<Intervention>();
            for watch in [Watch::Treated, Watch::Nothing] {
                for traced in [None, Some(BTreeSet::new()), Some(Sysno::all().collect())] {
                    let program = compile(Architecture::X86_64, &intervention, watch, traced.as_ref(), NONCE).unwrap();
                    assert!(program.len() < 4096, "{}", program.len());
                }
            }
        }
    }

    /// Every feature that a filter for `architecture` can be asked for.
    fn all_features(architecture: Architecture) -> Vec<crate::syscalls::features::Feature> {
        let calls = Sysno::all().filter(|call| call.number(architecture).is_some());
        let features = calls.flat_map(crate::syscalls::features::named);
        features.filter(|feature| feature.condition(architecture).is_some()).collect()
    }

    #[test]
    fn all_features_and_all_calls_at_once_fit_into_one_program() {
        for architecture in [Architecture::X86_64, Architecture::Aarch64] {
            let features = all_features(architecture);
            assert!(features.len() > 1000, "{}", features.len());
            let calls: Vec<_> = Sysno::all().filter(|call| call.number(architecture).is_some()).collect();
            let of_features: Intervention = features.iter().map(|feature| (*feature, Treatment::Stub)).collect();
            let of_calls: Intervention = calls.iter().map(|call| (*call, Treatment::Stub)).collect();
            let traced: BTreeSet<_> = calls.iter().copied().collect();
            for intervention in [&of_features, &of_calls] {
                for watch in [Watch::Everything, Watch::Treated, Watch::Nothing] {
                    for traced in [None, Some(&BTreeSet::new()), Some(&traced)] {
                        compile(architecture, intervention, watch, traced, NONCE).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn a_program_that_the_kernel_would_refuse_is_an_error_of_its_own() {
        let calls = || Sysno::all().filter(|call| call.number(Architecture::X86_64).is_some());
        let fragment = || Fragment::calls(Architecture::X86_64, calls(), RETURN_ALLOW).unwrap();
        let error = assemble(Architecture::X86_64, (0..20).map(|_| fragment()).collect(), Default::Allow).unwrap_err();
        assert!(matches!(error, FilterError::TooLong(length) if length > MOST_INSTRUCTIONS), "{error}");
        assert!(error.to_string().ends_with("and the kernel takes 4096 at most"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        /// What the program answers is the answer of the policy, or a notification where the supervisor has to decide.
        #[test]
        fn no_set_of_features_makes_a_program_too_long_or_wrong(
            share in 0..=100u32,
            absent in 0..=100u32,
            seed: u64,
            traced: bool,
            on_aarch64: bool,
        ) {
            let architecture = if on_aarch64 { Architecture::Aarch64 } else { Architecture::X86_64 };
            let audit = if on_aarch64 { 0xc000_00b7 } else { NATIVE_X86_64 };
            let mut state = seed | 1;
            let mut random = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state
            };
            let calls: Vec<_> = Sysno::all().filter(|call| call.number(architecture).is_some()).collect();
            let mut intervention = Intervention::none();
            for call in &calls {
                if random() % 100 < u64::from(absent) {
                    intervention.insert(*call, if random() % 2 == 0 { Treatment::Stub } else { Treatment::Fake });
                }
            }
            let mut chosen = Vec::new();
            for feature in all_features(architecture) {
                if random() % 100 < u64::from(share) {
                    let treatment = if random() % 2 == 0 { Treatment::Stub } else { Treatment::Fake };
                    intervention.insert(feature, treatment);
                    chosen.push((feature, treatment));
                }
            }
            let known: BTreeSet<_> = calls.iter().copied().filter(|_| random() % 2 == 0).collect();
            let known = traced.then_some(&known);
            for watch in [Watch::Treated, Watch::Nothing] {
                let program = compile(architecture, &intervention, watch, known, NONCE).unwrap();
                prop_assert!(program.len() <= MOST_INSTRUCTIONS, "{}", program.len());
                for (feature, _) in chosen.iter().filter(|_| random() % 8 == 0) {
                    let call = feature.call();
                    let Some(Condition::Register(tests)) = feature.condition(architecture) else { continue };
                    let mut arguments = [0u64; 6];
                    for test in &tests {
                        arguments[usize::from(test.argument)] |= test.value;
                    }
                    let treated = intervention.get(call).or_else(|| {
                        let holds = |feature: &crate::syscalls::features::Feature| match feature.condition(architecture) {
                            Some(Condition::Register(tests)) => {
                                tests.iter().all(|test| arguments[usize::from(test.argument)] & test.mask == test.value)
                            }
                            Some(Condition::Memory { .. }) | None => false,
                        };
                        let of_call = || chosen.iter().filter(|(other, _)| other.call() == call && holds(other));
                        let stubbed = of_call().any(|(_, treatment)| *treatment == Treatment::Stub);
                        of_call().next().map(|_| if stubbed { Treatment::Stub } else { Treatment::Fake })
                    });
                    let answer = run(&program, audit, call.number(architecture).unwrap(), arguments);
                    let by_filter = match treated.unwrap() {
                        Treatment::Stub => ERRNO_ENOSYS,
                        Treatment::Fake => RETURN_ERRNO,
                    };
                    let expected = if watch == Watch::Treated { RETURN_USER_NOTIFICATION } else { by_filter };
                    prop_assert!(answer == expected || answer == RETURN_USER_NOTIFICATION, "{feature}: {answer:#x}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn every_call_gets_exactly_its_treatment(choice in proptest::collection::vec(0..3u8, 400)) {
            let calls: Vec<_> = Sysno::all().filter(|call| call.number(Architecture::X86_64).is_some()).collect();
            let treatment_of = |index: usize| match choice[index % choice.len()] {
                0 => None,
                1 => Some(Treatment::Stub),
                _ => Some(Treatment::Fake),
            };
            let intervention: Intervention =
                calls.iter().enumerate().filter_map(|(index, call)| Some((*call, treatment_of(index)?))).collect();
            let counted = compile(Architecture::X86_64, &intervention, Watch::Treated, None, NONCE).unwrap();
            let answered = compile(Architecture::X86_64, &intervention, Watch::Nothing, None, NONCE).unwrap();
            let always = lifecycle(Architecture::X86_64);
            for (index, call) in calls.iter().enumerate() {
                let number = call.number(Architecture::X86_64).unwrap();
                let untreated = if always.contains(call) { RETURN_USER_NOTIFICATION } else { RETURN_ALLOW };
                let (notified, answer) = match treatment_of(index) {
                    None => (untreated, untreated),
                    Some(Treatment::Stub) => (RETURN_USER_NOTIFICATION, ERRNO_ENOSYS),
                    Some(Treatment::Fake) => (RETURN_USER_NOTIFICATION, RETURN_ERRNO),
                };
                prop_assert_eq!(run(&counted, NATIVE_X86_64, number, [0; 6]), notified);
                prop_assert_eq!(run(&answered, NATIVE_X86_64, number, [0; 6]), answer);
            }
        }
    }
}
