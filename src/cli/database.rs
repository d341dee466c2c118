//! What verbs share that look at all results: reading them, telling what is broken, choosing among them.

use std::path::PathBuf;

use clap::Args;
use globset::{Glob, GlobSet, GlobSetBuilder};

use super::printer::Printer;
use super::settings::Environment;
use super::show;
use super::status::{Status, WrongUsage};
use crate::store::{Entries, Entry, Store};

/// Which results are looked at.
#[derive(Debug, Clone, Args)]
pub(super) struct DatabaseArguments {
    /// The folder of the results [default: `LOUPE_RESULTS` of the environment, or results]
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// Only apps whose name matches this pattern; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(super) only: Vec<Glob>,
    /// Only workloads whose name matches this pattern, with or without the label behind `@`; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(super) workload: Vec<Glob>,
}

/// What was read.
pub(super) struct Database {
    /// What was chosen; broken folders are told already.
    pub(super) entries: Entries,
    /// Where it comes from.
    pub(super) store: Store,
    /// Not "done" if something is broken.
    pub(super) status: Status,
}

impl Database {
    /// Reads the results, tells on standard error what is broken, and leaves out what was not asked for.
    ///
    /// # Errors
    ///
    /// If the folder cannot be listed, or nothing is left.
    pub(super) fn read(arguments: &DatabaseArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Self> {
        let store = Store::open(environment.results(arguments.results.clone()));
        let mut entries = store.entries().map_err(show::failure)?;
        let mut status = Status::Done;
        for problem in entries.problems.drain(..) {
            printer.error(&super::explain::explain(&show::failure(problem)));
            status = Status::Environment;
        }
        let root = store.root().display();
        if entries.entries.is_empty() {
            let hint = "`loupe batch` measures apps, `loupe db import` takes results over";
            return Err(WrongUsage(format!("no results in `{root}`\nhint: {hint}")).into());
        }
        let (apps, workloads) = (set(&arguments.only)?, set(&arguments.workload)?);
        let accepted = |entry: &Entry| {
            let of_workload = |set: &GlobSet| set.is_match(&entry.folder) || set.is_match(entry.workload());
            apps.as_ref().is_none_or(|set| set.is_match(&entry.app)) && workloads.as_ref().is_none_or(of_workload)
        };
        entries.entries.retain(accepted);
        if entries.entries.is_empty() {
            let hint = "`loupe db list` shows what there is";
            return Err(WrongUsage(format!("no results in `{root}` match what was asked for\nhint: {hint}")).into());
        }
        Ok(Self { entries, store, status })
    }
}

fn set(globs: &[Glob]) -> anyhow::Result<Option<GlobSet>> {
    if globs.is_empty() {
        return Ok(None);
    }
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(glob.clone());
    }
    Ok(Some(builder.build()?))
}
