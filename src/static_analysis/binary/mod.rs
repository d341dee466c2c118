//! What system calls a program may make, by reading it: ELF files in, calls and the places that make them out. Nothing is run.
//! Pure: files come from a [`Root`].
//!
//! ```text
//! command ── program ──▶ ELF file, through scripts and PATH
//!                │ libraries, load    the objects that its loader would load (ld.so(8))
//!                ▼
//!   elf: memory, symbols, relocations, functions
//!                │ scan               what each function calls, names and does (x86_64, aarch64: code)
//!                ▼
//!             reach                   functions that may run, over all objects
//!                │ flow: state, value what registers and stack may hold at a system call
//!                ▼
//!            numbers ──▶ findings
//! ```
//!
//! It is meant to be sound first and precise second. libc and the loader are objects like any other: that `fopen` leads to
//! `openat` is found in their code, by no list of names. A function counts as soon as its address is known to anybody, as calls
//! through pointers may go anywhere. What can't be told is told as such: places whose number stays open, objects and
//! functions that are missing, objects that are loaded by name at run time. Names of objects in reached code are followed if
//! there is such a file.
//!
//! What it does not see: code that a program makes or loads by other means, programs that it starts, objects whose names it reads
//! from files, and `restart_syscall`, which only the kernel makes. Calls that the vDSO answers count: libc has the real ones beside
//! them, for when the vDSO can't help.

mod aarch64;
mod code;
mod elf;
mod findings;
#[cfg(test)]
mod fixture;
mod flow;
mod functions;
mod libraries;
mod load;
mod lookups;
mod machine;
mod memory;
mod numbers;
mod program;
mod reach;
mod relocations;
mod returns;
mod scan;
mod state;
mod symbols;
mod tell;
#[cfg(test)]
pub(super) mod tests;
mod value;
mod x86_64;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;

pub use elf::ElfError;
pub use findings::{Findings, LoaderCall, Missing, ObjectSummary, Program, Reported, Site, Unresolved, Way};
pub use program::DEFAULT_PATH;

use super::root::{Root, RootError};
use elf::Object;
use load::Process;
use lookups::Lookups;
use numbers::LoaderArguments;
use reach::Reach;

/// What is to be analysed.
#[derive(Debug, Clone)]
pub struct Request {
    /// The program: the first word of a command line, or a path in the root.
    pub program: String,
    /// More files: shared objects, which the program is taken to load, and programs, which it is taken to start.
    pub also: Vec<String>,
    /// The environment that the program starts in: `PATH`, `LD_LIBRARY_PATH` and `LD_PRELOAD` matter.
    pub environment: BTreeMap<String, String>,
    /// The folder that relative paths are taken from.
    pub folder: String,
    /// Threads to work on.
    pub threads: NonZero<usize>,
}

/// Why nothing could be analysed.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// There is no such program.
    #[error("there is no program `{program}`")]
    NotFound {
        /// The word that should name one.
        program: String,
    },
    /// A script has no interpreter, or its interpreters lead nowhere.
    #[error("the script `{path}` has no interpreter that is a program")]
    Scripts {
        /// The script.
        path: String,
    },
    /// A file is no program that can be analysed.
    #[error("cannot analyse `{path}`")]
    Elf {
        /// The file.
        path: String,
        /// Why.
        source: ElfError,
    },
    /// The root can't be read.
    #[error(transparent)]
    Root(#[from] RootError),
}

/// Analyses a program.
///
/// # Errors
/// If it can't be found or read. What is missing or unclear beyond that is told in the findings.
pub fn analyse(root: &dyn Root, request: &Request) -> Result<Findings, BinaryError> {
    let path = request.environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    let find = |word: &str| program::programs(root, word, path, &request.folder);
    let mut programs: Vec<(Program, Object)> = Vec::new();
    let mut shared = Vec::new();
    for (word, by_hand) in std::iter::once((&request.program, false)).chain(request.also.iter().map(|also| (also, true))) {
        for program in find(word)? {
            let object = Object::parse(&root.read(&program.path)?)
                .map_err(|source| BinaryError::Elf { path: program.path.clone(), source })?;
            if by_hand && !object.is_program() {
                shared.push((program.path, object));
            } else {
                programs.push((program, object));
            }
        }
    }
    let mut findings: Option<Findings> = None;
    for (program, object) in programs {
        let shared = if findings.is_none() { std::mem::take(&mut shared) } else { Vec::new() };
        let one = analyse_one(root, request, program, object, shared)?;
        match &mut findings {
            Some(all) => all.merge(one),
            None => findings = Some(one),
        }
    }
    findings.ok_or_else(|| BinaryError::NotFound { program: request.program.clone() })
}

/// One program with the shared objects that were added to it.
fn analyse_one(
    root: &dyn Root,
    request: &Request,
    program: Program,
    object: Object,
    shared: Vec<(String, Object)>,
) -> Result<Findings, RootError> {
    let architecture = object.architecture;
    let mut process = Process::start(root, program.path.clone(), object, &request.environment, request.threads)?;
    for (path, object) in shared {
        process.add_by_hand(path, object)?;
    }
    let mut reach = Reach::default();
    let arguments = follow(&mut process, &mut reach, request.threads)?;
    let numbers = numbers::resolve(&process.objects, &reach, request.threads);
    let mut findings = tell::findings(architecture, process, &reach, &numbers, &arguments);
    findings.programs.push(program);
    Ok(findings)
}

/// Reaches everything that may run, and loads what is named on the way. What the loader's functions are asked for.
fn follow(process: &mut Process<'_>, reach: &mut Reach, threads: NonZero<usize>) -> Result<LoaderArguments, RootError> {
    let mut tried = BTreeSet::new();
    let mut lookups = Lookups::default();
    loop {
        if reach.add_new(&process.objects).contains(&0) {
            reach.start(&process.objects, 0);
            reach.start(&process.objects, process.first());
        }
        reach.run(&process.objects);
        let untried = reach.names.iter().filter(|(name, _)| !tried.contains(*name));
        let before = process.objects.len();
        for (name, by) in untried.map(|(name, spot)| (name.clone(), spot.object)).collect::<Vec<_>>() {
            process.add_named(&name, by)?;
            tried.insert(name);
        }
        if before < process.objects.len() {
            continue;
        }
        let arguments = numbers::loader_arguments(&process.objects, reach, threads);
        if !lookups.follow(process, reach, &arguments) {
            return Ok(arguments);
        }
    }
}
