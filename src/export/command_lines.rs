//! A policy as command lines of tools that make calls fail, to see the joint configuration outside Loupe. Pure.
//!
//! `strace` answers calls in place of the kernel (`--inject` in strace(1)), provided that they are traced, too; with `--seccomp-bpf`
//! (since 5.3) no other call is slowed down. The first `execve` of a traced command is strace's own, hence `when=2+`; as strace counts
//! by process, the first one of every child goes through as well. `enosys` is part of util-linux: since 2.39 with `ENOSYS`, since 2.41 with any number behind a colon, 0 included
//! (enosys(1)); it lets its own `execve` through.

use std::collections::BTreeSet;

use super::Policy;
use crate::syscalls::{Architecture, Sysno};

/// The command line that has `strace` enforce the policy on `command`; `None` if nothing is avoided.
///
/// Nothing is printed but what the command prints. Calls newer than Linux 4.18 stand behind a `?`, so that a strace that does not know
/// them goes on without.
#[must_use]
pub fn strace(policy: &Policy, architecture: Architecture, command: &[String]) -> Option<String> {
    const OPTIONS: [&str; 6] =
        ["strace", "--follow-forks", "--seccomp-bpf", "--quiet=all", "--signal=none", "--output=/dev/null"];
    let names = |calls: &[Sysno]| calls.iter().map(|call| marked(*call, architecture)).collect::<Vec<_>>().join(",");
    let (mut all, mut injections) = (Vec::new(), Vec::new());
    for (calls, answer) in [(&policy.stubbed, "error=ENOSYS"), (&policy.faked, "retval=0")] {
        let (execute, others): (Vec<_>, Vec<_>) =
            existing(calls, architecture).into_iter().partition(|call| call.name() == "execve");
        for (calls, which) in [(others, ""), (execute, ":when=2+")] {
            if !calls.is_empty() {
                injections.push(format!("--inject={}:{answer}{which}", names(&calls)));
                all.extend(calls);
            }
        }
    }
    all.sort();
    let words = OPTIONS.map(str::to_owned).into_iter().chain([format!("--trace={}", names(&all))]).chain(injections);
    (!all.is_empty()).then(|| line(words, command))
}

/// The command line that has `enosys` enforce the policy on `command`; `None` if nothing is avoided.
#[must_use]
pub fn enosys(policy: &Policy, architecture: Architecture, command: &[String]) -> Option<String> {
    let stubbed = existing(&policy.stubbed, architecture).into_iter().map(|call| format!("--syscall={call}"));
    let faked = existing(&policy.faked, architecture).into_iter().map(|call| format!("--syscall={call}:0"));
    let options: Vec<_> = stubbed.chain(faked).collect();
    (!options.is_empty()).then(|| line(std::iter::once("enosys".to_owned()).chain(options), command))
}

fn existing(calls: &BTreeSet<Sysno>, architecture: Architecture) -> Vec<Sysno> {
    calls.iter().filter(|call| call.number(architecture).is_some()).copied().collect()
}

/// Calls from this number on have the same number everywhere: they came with Linux 5.1 or later.
const FIRST_COMMON_NUMBER: u32 = 424;
/// `rseq` and what came before it with Linux 4.18, on x86_64 and on aarch64.
const RSEQ: [&str; 2] = ["rseq", "io_pgetevents"];

fn marked(call: Sysno, architecture: Architecture) -> String {
    let recent = call.number(architecture).is_some_and(|number| number >= FIRST_COMMON_NUMBER) || RSEQ.contains(&call.name());
    if recent { format!("?{call}") } else { call.to_string() }
}

/// The words as a line for a POSIX shell.
fn line(words: impl IntoIterator<Item = String>, command: &[String]) -> String {
    let words: Vec<_> = words.into_iter().map(|word| quoted(&word)).chain(command.iter().map(|word| quoted(word))).collect();
    words.join(" ")
}

/// A word that a shell takes as it is; in single quotes where it would not.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_=:,./+@%^".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::calls;
    use super::*;

    fn command() -> Vec<String> {
        ["nginx", "-g", "daemon off; # it's"].map(str::to_owned).to_vec()
    }

    #[test]
    fn strace_answers_in_place_of_the_kernel_and_spares_its_own_execve() {
        let policy = Policy { stubbed: calls(&["brk", "clone3", "execve"]), faked: calls(&["close"]), ..Policy::default() };
        assert_eq!(
            strace(&policy, Architecture::X86_64, &command()).unwrap(),
            "strace --follow-forks --seccomp-bpf --quiet=all --signal=none --output=/dev/null '--trace=brk,?clone3,close,execve' \
             '--inject=brk,?clone3:error=ENOSYS' --inject=execve:error=ENOSYS:when=2+ --inject=close:retval=0 \
             nginx -g 'daemon off; # it'\\''s'"
        );
    }

    #[test]
    fn enosys_takes_each_call_by_itself() {
        let policy = Policy { stubbed: calls(&["brk", "open"]), faked: calls(&["close"]), ..Policy::default() };
        assert_eq!(
            enosys(&policy, Architecture::X86_64, &["ls".to_owned()]).unwrap(),
            "enosys --syscall=brk --syscall=open --syscall=close:0 ls"
        );
        assert_eq!(
            enosys(&policy, Architecture::Aarch64, &["ls".to_owned()]).unwrap(),
            "enosys --syscall=brk --syscall=close:0 ls"
        );
    }

    #[test]
    fn where_nothing_is_avoided_there_is_nothing_to_run() {
        let policy = Policy { allowed: calls(&["read"]), ..Policy::default() };
        assert_eq!(strace(&policy, Architecture::X86_64, &command()), None);
        assert_eq!(enosys(&policy, Architecture::X86_64, &command()), None);
    }
}
