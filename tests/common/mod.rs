//! Support for the integration tests: needs of a test that a machine may not meet, and published data.
//!
//! A test never passes by not running. [`met`] fails a test whose need is not met, unless `LOUPE_TEST_WITHOUT` names that need:
//! `LOUPE_TEST_WITHOUT=docker,root` says that this machine has no Docker and no root, and that this is known. Each test left out in
//! this way is noted in the file that `LOUPE_TEST_SKIPPED` names, from which `.ci/tests` prints the count.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod published;

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, Stdio};

/// A need of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A C compiler with a static C library.
    Compiler,
    /// A Docker engine that answers.
    Docker,
    /// A checkout by git.
    Git,
    /// The right to make pid, mount and network namespaces.
    Namespaces,
    /// The rights of root.
    Root,
    /// strace(1), and the right to trace.
    Strace,
    /// User namespaces for users without rights.
    UserNamespaces,
    /// A machine of the x86_64 architecture.
    X86_64,
}

impl Need {
    const ALL: [Self; 8] =
        [Self::Compiler, Self::Docker, Self::Git, Self::Namespaces, Self::Root, Self::Strace, Self::UserNamespaces, Self::X86_64];

    /// The word for it in `LOUPE_TEST_WITHOUT`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Compiler => "compiler",
            Self::Docker => "docker",
            Self::Git => "git",
            Self::Namespaces => "namespaces",
            Self::Root => "root",
            Self::Strace => "strace",
            Self::UserNamespaces => "user-namespaces",
            Self::X86_64 => "x86_64",
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::Compiler | Self::Docker | Self::Strace => "`make setup` installs it, as root on Debian",
            Self::Git => "run the tests in a clone of the repository",
            Self::Namespaces | Self::Root => "run the tests as root",
            Self::UserNamespaces => "see /proc/sys/user/max_user_namespaces",
            Self::X86_64 => "the test is about programs of x86_64",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// Returns whether the need is met; an error says why it is not.
///
/// # Panics
///
/// As [`not_met`].
#[track_caller]
pub(crate) fn met(need: Need, tried: Result<(), String>) -> bool {
    tried.map_err(|reason| not_met(need, &reason)).is_ok()
}

/// Notes that a test is left out because this need is not met.
///
/// # Panics
///
/// If `LOUPE_TEST_WITHOUT` does not name it.
#[track_caller]
pub(crate) fn not_met(need: Need, reason: &str) {
    assert!(
        is_known(need, &std::env::var("LOUPE_TEST_WITHOUT").unwrap_or_default()),
        "this test needs {need}: {reason}\nhint: {}; LOUPE_TEST_WITHOUT={need} leaves such tests out",
        need.hint()
    );
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("skipped: {reason}");
    if let Some(file) = std::env::var_os("LOUPE_TEST_SKIPPED") {
        // One write, so that lines of tests that run concurrently are not mixed.
        let line = format!("{need}\t{name}\n");
        OpenOptions::new().append(true).create(true).open(file).unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// Whether `known`, the value of `LOUPE_TEST_WITHOUT`, names the need.
///
/// # Panics
///
/// If it names a need that there is not: a misspelt word would leave a test out on no machine.
#[track_caller]
pub(crate) fn is_known(need: Need, known: &str) -> bool {
    let words: Vec<_> = known.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    for word in &words {
        let all = Need::ALL.map(Need::word).join(", ");
        assert!(Need::ALL.iter().any(|need| need.word() == *word), "LOUPE_TEST_WITHOUT: `{word}` is none of: {all}");
    }
    words.contains(&need.word())
}

/// Whether a program can be run with these arguments; the reason otherwise.
pub(crate) fn runs(program: &str, arguments: &[&str]) -> Result<(), String> {
    match Command::new(program).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("`{program} {}` fails: {said}", arguments.join(" ")))
        }
        Err(error) => Err(format!("`{program}` cannot be run: {error}")),
    }
}

/// Whether there is a C compiler.
#[track_caller]
pub(crate) fn has_compiler() -> bool {
    met(Need::Compiler, runs("cc", &["--version"]))
}
