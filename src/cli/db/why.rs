//! `loupe db why`: who needs a call, and what that rests on.

use super::super::database::Database;
use super::super::printer::Printer;
use super::super::settings::Environment;
use super::super::show;
use super::super::status::Status;
use super::arguments::WhyArguments;
use crate::cli::arguments::DataFormat;
use crate::report::{self, CallAnswer, CallEvidence};
use crate::store::Origin;

/// Prints the answer.
pub(super) fn why(arguments: &WhyArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let database = Database::read(&arguments.database, environment, printer)?;
    let chosen = database.entries.one_per_app(|_| true);
    let mut answer = CallAnswer { syscall: arguments.call, of: chosen.len(), apps: Vec::new() };
    for entry in chosen.values() {
        // Trials are many: only those of apps that make the call are read.
        let makes_it = entry.verdicts.get(&arguments.call).is_some_and(|row| row.used);
        let trials = match &entry.origin {
            Origin::Measured(_) if makes_it => database.store.trials(&entry.app, &entry.folder).map_err(show::failure)?,
            Origin::Measured(_) | Origin::Imported(_) | Origin::Nothing => Vec::new(),
        };
        answer.apps.extend(CallEvidence::new(entry, &trials, arguments.call));
    }
    match arguments.format {
        DataFormat::Text => printer.data(&report::answer_text(&answer, arguments.all)),
        DataFormat::Json => printer.json(&answer),
        DataFormat::Csv => printer.data(&report::answer_csv(&answer)),
    }
    Ok(database.status)
}
