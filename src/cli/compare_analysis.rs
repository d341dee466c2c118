//! `loupe compare --analysis`: what reading an app would have told, beside what running it told.

use std::path::Path;

use anyhow::Context;

use super::compare::ComparisonFormat;
use super::database::{Database, DatabaseArguments};
use super::files;
use super::printer::Printer;
use super::settings::Environment;
use super::status::{Status, WrongUsage};
use crate::report::{self, AnalysisComparison};
use crate::store::Entry;

/// Compares the apps named, as `APP` or `APP/WORKLOAD`, or all that there are; writes bars to `svg` as well, if that is given.
///
/// # Errors
///
/// If there are no results of an app that was named, or something cannot be read or written.
pub(super) fn compare_analysis(
    apps: &[String],
    database: &DatabaseArguments,
    format: ComparisonFormat,
    svg: Option<&Path>,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<Status> {
    let database = Database::read(database, environment, printer)?;
    let is_named = |entry: &Entry, name: &str| entry.app == name || entry.name() == name;
    for name in apps {
        if !database.entries.measurements().any(|entry| is_named(entry, name)) {
            let root = database.store.root().display();
            let hint = "`loupe db list` shows what there is";
            return Err(WrongUsage(format!("no verdicts of `{name}` in `{root}`\nhint: {hint}")).into());
        }
    }
    let chosen = database.entries.one_per_app(|entry| apps.is_empty() || apps.iter().any(|name| is_named(entry, name)));
    let comparison = AnalysisComparison::new(&chosen);
    if let Some(path) = svg {
        let bars = report::analyses_svg(&comparison);
        files::write(path, bars.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))?;
        printer.note(&format!("bars are in `{}`", path.display()));
    }
    match format {
        ComparisonFormat::Text => printer.data(&report::analyses_text(&comparison)),
        ComparisonFormat::Json => printer.json(&comparison),
        ComparisonFormat::Markdown => printer.data(&report::analyses_markdown(&comparison)),
        ComparisonFormat::Csv => printer.data(&report::analyses_csv(&comparison)),
    }
    Ok(database.status)
}
