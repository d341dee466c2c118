//! What system calls an app may make, by reading its C sources: the calls of libc functions and of `syscall`, each with file and
//! line. Pure: files come from whoever has them.
//!
//! ```text
//! files ── parse ──▶ calls, definitions, macros, doubts of each file (tree-sitter)
//!             │ names     macros and functions of all files: what stands for what
//!             ▼
//!         wrappers ──▶ findings
//! ```
//!
//! It reads sources as they stand: every branch of `#if` counts, headers of the system are not followed, and whether anything is
//! ever called is not asked. What a libc function calls is a table with its sources (`wrappers.txt`). A name that the sources define
//! themselves is no function of libc. Where a libc function's address is taken, it counts as called. Calls through pointers are
//! counted and not followed, and the number of a system call in inline assembly is not looked for: both are told.

mod comments;
mod findings;
mod names;
mod parse;
mod wrappers;

use std::num::NonZero;
use std::thread;

use bytes::Bytes;

pub use findings::{Doubt, Place, SourceFindings, Use, UseKind};

use crate::syscalls::Architecture;
use names::Names;
use parse::FileFacts;

/// A source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// As it is to be called in the findings.
    pub path: String,
    /// Its content. What is not UTF-8 of it is replaced.
    pub content: Bytes,
}

/// Endings of the files that are read.
pub const C_ENDINGS: [&str; 2] = ["c", "h"];

/// Endings of files with code that is not read.
pub const OTHER_ENDINGS: [&str; 12] = ["S", "s", "asm", "cc", "cpp", "cxx", "hpp", "hh", "go", "rs", "m", "f90"];

/// Reads the files, on so many threads. `skipped` are the endings of files that were found beside them and not read, with their
/// numbers.
#[must_use]
pub fn analyse(
    files: &[SourceFile],
    skipped: std::collections::BTreeMap<String, u64>,
    architecture: Architecture,
    threads: NonZero<usize>,
) -> SourceFindings {
    let facts = parse_all(files, threads);
    let mut findings = Names::new(&facts, architecture).findings();
    findings.files = files.len() as u64;
    findings.skipped = skipped;
    findings
}

fn parse_all(files: &[SourceFile], threads: NonZero<usize>) -> Vec<FileFacts> {
    let per_thread = files.len().div_ceil(threads.get()).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> =
            files.chunks(per_thread).map(|part| scope.spawn(move || part.iter().map(parse::parse).collect::<Vec<_>>())).collect();
        let parts = parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        parts.flatten().collect()
    })
}

#[cfg(test)]
mod tests;
