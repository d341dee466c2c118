//! `loupe db`: all results together, and their exchange with other databases.

mod arguments;
mod export;
mod import;
mod list;
mod stats;
mod why;

pub(super) use arguments::DbArguments;

use super::printer::Printer;
use super::settings::Environment;
use super::status::Status;
use arguments::DbVerb;

/// Does what was asked for.
pub(super) fn db(arguments: &DbArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    match &arguments.what {
        DbVerb::Import(arguments) => import::import(arguments, environment, printer),
        DbVerb::Export(arguments) => export::export(arguments, environment, printer),
        DbVerb::List(arguments) => list::list(arguments, environment, printer),
        DbVerb::Stats(arguments) => stats::stats(arguments, environment, printer),
        DbVerb::Why(arguments) => why::why(arguments, environment, printer),
    }
}
