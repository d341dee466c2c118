//! `loupe db import`: a loupedb tree becomes results.

use super::super::arguments::Format;
use super::super::printer::Printer;
use super::super::settings::Environment;
use super::super::show;
use super::super::status::{Status, WrongUsage};
use super::arguments::ImportArguments;
use crate::report::{self, counted};
use crate::store::loupedb::ImportOptions;
use crate::store::{Store, StoreError};

/// Imports, and says what.
pub(super) fn import(arguments: &ImportArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let directory = &arguments.directory;
    if !directory.is_dir() {
        return Err(WrongUsage(format!("`{}` is no folder", directory.display())).into());
    }
    let store = Store::open(environment.results(arguments.results.clone()));
    let options = ImportOptions { date: arguments.date, source: arguments.source.clone() };
    let imported = store.import(directory, &options).map_err(|error| match error {
        StoreError::Several { ref problems } => {
            WrongUsage(format!("{error}\n{}; nothing was imported", counted(problems.len(), "problem"))).into()
        }
        other => show::failure(other),
    })?;
    match arguments.format {
        Format::Json => printer.json(&imported),
        Format::Text => printer.data(&report::import_text(&imported, store.root())),
    }
    Ok(Status::Done)
}
