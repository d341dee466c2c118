//! `loupe db stats`: all apps together.

use super::super::database::Database;
use super::super::printer::Printer;
use super::super::settings::Environment;
use super::super::status::Status;
use super::arguments::{StatsArguments, StatsTable};
use crate::cli::arguments::DataFormat;
use crate::report::{self, Statistics};

/// Prints the statistics.
pub(super) fn stats(arguments: &StatsArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let database = Database::read(&arguments.database, environment, printer)?;
    let entries = &database.entries;
    let statistics = Statistics::new(&entries.one_per_app(|_| true), &entries.apps());
    match (arguments.format, arguments.of) {
        (DataFormat::Text, _) => printer.data(&report::statistics_text(&statistics)),
        (DataFormat::Json, _) => printer.json(&statistics),
        (DataFormat::Csv, StatsTable::Calls) => printer.data(&report::statistics_csv(&statistics)),
        (DataFormat::Csv, StatsTable::Coverage) => printer.data(&report::coverage_csv(&statistics)),
    }
    Ok(database.status)
}
