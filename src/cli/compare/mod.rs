//! `loupe compare`: what changed between two results.

mod arguments;
mod sides;

use serde::Serialize;

pub(super) use arguments::{CompareArguments, ComparisonFormat};
use sides::Selection;

use super::compare_analysis::compare_analysis;
use super::database::DatabaseArguments;
use super::printer::Printer;
use super::settings::Environment;
use super::status::{Status, WrongUsage};
use crate::diff::{Compared, Severity, compare as hold_against, pair_up};
use crate::report;

/// Prints what changed; the status says whether anything got worse.
pub(super) fn compare(arguments: &CompareArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    if arguments.analysis {
        let database =
            DatabaseArguments { results: arguments.results.clone(), only: Vec::new(), workload: arguments.workload.clone() };
        return compare_analysis(&arguments.sides, &database, arguments.format, arguments.svg.as_deref(), environment, printer);
    }
    let [before, after] = &arguments.sides[..] else {
        let given = report::counted(arguments.sides.len(), "name");
        let hint = "`loupe compare BEFORE AFTER`, or `loupe compare --analysis` for what static analyses report";
        return Err(WrongUsage(format!("two sides are compared, not {given}\nhint: {hint}")).into());
    };
    let of_analysis = [
        (arguments.format == ComparisonFormat::Csv, "`--format csv`"),
        (arguments.svg.is_some(), "`--svg`"),
        (!arguments.workload.is_empty(), "`--workload`"),
    ];
    if let Some((_, option)) = of_analysis.into_iter().find(|(given, _)| *given) {
        let hint = "two sides are compared in text, json or markdown, a workload as APP/WORKLOAD";
        return Err(WrongUsage(format!("{option} needs `--analysis`\nhint: {hint}")).into());
    }
    let results = environment.results(arguments.results.clone());
    let mut before = Selection::of(before, &results)?;
    let mut after = Selection::of(after, &results)?;
    before.narrow(&after);
    after.narrow(&before);
    let pairs = pair_up(&before.places, &after.places, before.is_single_app() && after.is_single_app());
    let pairs = pairs.map_err(|error| WrongUsage(error.to_string()))?;
    let mut compared = Vec::new();
    for (first, second) in &pairs {
        let first = first.as_ref().map(|place| before.read(place)).transpose()?;
        let second = second.as_ref().map(|place| after.read(place)).transpose()?;
        compared.push(hold_against(first.as_ref(), second.as_ref()));
    }
    let status = status(&compared);
    match arguments.format {
        ComparisonFormat::Text => printer.data(&report::compare_text(&before.label, &after.label, &compared)),
        ComparisonFormat::Markdown => printer.data(&report::compare_markdown(&before.label, &after.label, &compared)),
        ComparisonFormat::Json => printer.json(&Json {
            before: &before.label,
            after: &after.label,
            severity: worst(&compared),
            exit_code: status.code(),
            compared: &compared,
        }),
        ComparisonFormat::Csv => unreachable!("invariant: csv was refused"),
    }
    Ok(status)
}

fn worst(compared: &[Compared]) -> Severity {
    compared.iter().map(Compared::severity).max().unwrap_or(Severity::Neutral)
}

fn status(compared: &[Compared]) -> Status {
    match worst(compared) {
        Severity::Worse => Status::Negative,
        Severity::Doubtful => Status::Inconclusive,
        Severity::Better | Severity::Neutral => Status::Done,
    }
}

/// What `--format json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Json<'a> {
    before: &'a str,
    after: &'a str,
    severity: Severity,
    exit_code: u8,
    compared: &'a [Compared],
}
