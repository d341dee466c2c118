//! Which system calls the functions of the C library make: a table, in `wrappers.txt`, with its sources. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use crate::syscalls::{Architecture, Sysno};

static TABLE: &str = include_str!("wrappers.txt");

/// Calls that newer architectures don't have, and what libc makes there instead (syscall(2), "Architecture calling conventions", and
/// `asm-generic/unistd.h`, which leaves them out).
const REPLACED: [(&str, &str); 29] = [
    ("access", "faccessat"),
    ("alarm", "setitimer"),
    ("chmod", "fchmodat"),
    ("chown", "fchownat"),
    ("creat", "openat"),
    ("dup2", "dup3"),
    ("epoll_create", "epoll_create1"),
    ("epoll_wait", "epoll_pwait"),
    ("eventfd", "eventfd2"),
    ("fork", "clone"),
    ("getpgrp", "getpgid"),
    ("inotify_init", "inotify_init1"),
    ("lchown", "fchownat"),
    ("link", "linkat"),
    ("mkdir", "mkdirat"),
    ("mknod", "mknodat"),
    ("open", "openat"),
    ("pause", "ppoll"),
    ("pipe", "pipe2"),
    ("poll", "ppoll"),
    ("readlink", "readlinkat"),
    ("rename", "renameat"),
    ("rmdir", "unlinkat"),
    ("select", "pselect6"),
    ("signalfd", "signalfd4"),
    ("symlink", "symlinkat"),
    ("time", "clock_gettime"),
    ("unlink", "unlinkat"),
    ("vfork", "clone"),
];

/// What a function does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wrapper {
    /// Calls of its own code.
    pub(super) direct: BTreeSet<Sysno>,
    /// Calls that it makes through a table of functions.
    pub(super) indirect: BTreeSet<Sysno>,
}

/// The whole table, by function.
pub(super) fn table() -> &'static BTreeMap<&'static str, Wrapper> {
    static PARSED: OnceLock<BTreeMap<&'static str, Wrapper>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut table = BTreeMap::new();
        lines.for_each(|line| enter(line, &mut table));
        table
    })
}

/// Enters one line; what it should look like is tested.
fn enter(line: &'static str, table: &mut BTreeMap<&'static str, Wrapper>) {
    let (functions, calls, direct) = if let Some((functions, calls)) = line.split_once("->") {
        (functions, calls, true)
    } else if let Some((functions, calls)) = line.split_once("~>") {
        (functions, calls, false)
    } else {
        (line.trim_end_matches('='), "=", true)
    };
    for function in functions.split_whitespace() {
        let wrapper = table.entry(function).or_default();
        let calls = calls.split_whitespace().map(|call| if call == "=" { function } else { call });
        let calls = calls.filter_map(Sysno::from_name);
        if direct { wrapper.direct.extend(calls) } else { wrapper.indirect.extend(calls) }
    }
}

/// The calls of a libc function on an architecture; `None` if it is not known to make any.
pub(super) fn calls_of(function: &str, architecture: Architecture) -> Option<BTreeSet<Sysno>> {
    let wrapper = table().get(function)?;
    let calls = wrapper.direct.iter().chain(&wrapper.indirect);
    Some(calls.filter_map(|call| on(architecture, *call)).collect())
}

/// The call itself where the architecture has it, otherwise what is made instead.
fn on(architecture: Architecture, call: Sysno) -> Option<Sysno> {
    if call.number(architecture).is_some() {
        return Some(call);
    }
    let (_, replacement) = REPLACED.iter().find(|(name, _)| *name == call.name())?;
    Sysno::from_name(replacement)
}

#[cfg(test)]
mod tests {
    use super::super::super::binary::tests::direct::direct_calls;
    use super::*;

    fn names(function: &str, architecture: Architecture) -> Vec<&'static str> {
        calls_of(function, architecture).unwrap().into_iter().map(Sysno::name).collect()
    }

    #[test]
    fn every_word_of_the_table_means_something() {
        for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<_> = line.split_whitespace().collect();
            let marks = words.iter().filter(|word| matches!(**word, "->" | "~>")).count();
            assert!(marks == 1 || (marks == 0 && words.last() == Some(&"=")), "{line}");
            let (functions, calls) = match words.iter().position(|word| matches!(*word, "->" | "~>")) {
                Some(place) => (&words[..place], &words[place + 1..]),
                None => (&words[..words.len() - 1], &["="][..]),
            };
            assert!(!functions.is_empty() && !calls.is_empty(), "{line}");
            let same = calls == ["="];
            for call in if same { functions } else { calls } {
                assert!(Sysno::from_name(call).is_some(), "`{call}` in `{line}`");
            }
        }
        for (old, new) in REPLACED {
            let (old, new) = (Sysno::from_name(old).unwrap(), Sysno::from_name(new).unwrap());
            assert!(old.number(Architecture::Aarch64).is_none() && new.number(Architecture::Aarch64).is_some(), "{old}");
        }
    }

    #[test]
    fn functions_make_what_the_architecture_has() {
        assert_eq!(names("fork", Architecture::X86_64), ["clone"]);
        assert_eq!(names("dup2", Architecture::X86_64), ["dup2"]);
        assert_eq!(names("dup2", Architecture::Aarch64), ["dup3"]);
        assert_eq!(names("fopen", Architecture::Aarch64), ["openat"]);
        assert_eq!(names("io_submit", Architecture::X86_64), ["io_submit"]);
        assert_eq!(calls_of("strlen", Architecture::X86_64), None);
    }

    #[test]
    fn every_call_of_the_table_has_something_on_every_architecture() {
        for (function, wrapper) in table() {
            for call in wrapper.direct.iter().chain(&wrapper.indirect) {
                assert!(on(Architecture::X86_64, *call).is_some(), "{function}: {call} on x86_64");
                let gone = ["arch_prctl", "iopl", "ioperm", "modify_ldt", "remap_file_pages"];
                assert!(
                    on(Architecture::Aarch64, *call).is_some() || gone.contains(&call.name()),
                    "{function}: {call} on aarch64"
                );
            }
        }
    }

    #[test]
    fn the_installed_libc_makes_the_calls_of_the_table() {
        let library = std::path::Path::new("/lib/x86_64-linux-gnu/libc.so.6");
        let Ok(file) = std::fs::read(library) else {
            eprintln!("skipped: no glibc at {}", library.display());
            return;
        };
        let made = direct_calls(&file.into());
        let mut wrong = Vec::new();
        let mut checked = 0;
        for (function, wrapper) in table() {
            let Some(makes) = made.get(*function) else { continue };
            checked += wrapper.direct.len();
            for call in wrapper.direct.iter().filter(|call| !makes.contains(call)) {
                wrong.push(format!("{function} -> {call}"));
            }
        }
        assert!(wrong.is_empty(), "not in the library's code:\n{}", wrong.join("\n"));
        assert!(checked > 300, "only {checked} were looked at");
    }
}
