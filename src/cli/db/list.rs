//! `loupe db list`: what there is.

use super::super::database::Database;
use super::super::printer::Printer;
use super::super::settings::Environment;
use super::super::status::Status;
use super::arguments::ListArguments;
use crate::cli::arguments::DataFormat;
use crate::report;

/// Prints the list.
pub(super) fn list(arguments: &ListArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let database = Database::read(&arguments.database, environment, printer)?;
    let lines = report::list_lines(&database.entries);
    match arguments.format {
        DataFormat::Text => printer.data(&report::list_text(&lines)),
        DataFormat::Json => printer.json(&lines),
        DataFormat::Csv => printer.data(&report::list_csv(&lines)),
    }
    Ok(database.status)
}
