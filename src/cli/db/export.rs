//! `loupe db export`: results in a form that others read.

use std::path::Path;

use anyhow::Context;

use super::super::database::Database;
use super::super::files;
use super::super::printer::Printer;
use super::super::settings::Environment;
use super::super::show;
use super::super::status::{Status, WrongUsage};
use super::arguments::{ExportArguments, ExportFormat};
use crate::report::counted;
use crate::store::StoreError;
use crate::store::exchange::{QUESTIONS, write_csv, write_json, write_sqlite};
use crate::store::loupedb::{Tree, TreeReport, write_tree};

/// Writes what was asked for.
pub(super) fn export(arguments: &ExportArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    if arguments.questions {
        for question in QUESTIONS {
            printer.data(&format!("-- {}\n{}\n\n", question.text, question.sql));
        }
        return Ok(Status::Done);
    }
    let output = arguments.output.as_deref();
    let named = || output.ok_or_else(|| WrongUsage("no place to write to\nhint: name one with `--output PATH`".to_owned()));
    let database = Database::read(&arguments.database, environment, printer)?;
    let entries = &database.entries;
    match arguments.format {
        ExportFormat::Csv => text(&write_csv(&entries.entries), output, printer)?,
        ExportFormat::Json => text(&write_json(&entries.entries), output, printer)?,
        ExportFormat::Sqlite => write_sqlite(&database.store, entries, named()?).map_err(show::failure)?,
        ExportFormat::Loupedb => {
            let output = named()?;
            if output.exists() {
                let message = format!("`{}` is there already\nhint: name a folder that does not exist yet", output.display());
                return Err(WrongUsage(message).into());
            }
            let tree = Tree::new(&entries.entries).map_err(refusal)?;
            write_tree(&tree, output).map_err(show::failure)?;
            losses(&tree.report, printer);
        }
    }
    if let Some(output) = output {
        printer.note(&format!("{} are in `{}`", counted(entries.measurements().count(), "measurement"), output.display()));
    }
    Ok(database.status)
}

fn refusal(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Several { ref problems } => {
            let count = counted(problems.len(), "problem");
            WrongUsage(format!("{error}\n{count}; nothing was exported\nhint: `--only` and `--workload` choose what is")).into()
        }
        other => show::failure(other),
    }
}

/// What the format has no place for.
fn losses(report: &TreeReport, printer: &Printer) {
    for (name, calls) in &report.undecided {
        printer.note(&format!("{name}: {} are written as required", counted(*calls, "undecided call")));
    }
    if report.details > 0 {
        printer.note(&format!(
            "the format has no place for argument features and pseudo-files: {} left out",
            counted(report.details, "verdict")
        ));
    }
    if !report.without_verdicts.is_empty() {
        printer.note(&format!("without any verdict, and left out: {}", report.without_verdicts.join(", ")));
    }
}

/// Writes to the file, as a whole or not at all, or to standard output.
fn text(text: &str, output: Option<&Path>, printer: &Printer) -> anyhow::Result<()> {
    let Some(output) = output else {
        printer.data(text);
        return Ok(());
    };
    files::write(output, text.as_bytes()).with_context(|| format!("cannot write `{}`", output.display()))
}
