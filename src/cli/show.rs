//! `loupe show`: an app's verdicts with their reasons.

use super::arguments::{Format, ShowArguments};
use super::printer::Printer;
use super::settings::Environment;
use super::status::{Status, WrongUsage};
use crate::report;
use crate::store::{Store, StoreError};

/// Prints what the results say of the app.
pub(super) fn show(arguments: &ShowArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let results = environment.results(arguments.results.clone());
    let store = Store::open(&results);
    let (app, workload) = match arguments.name.split_once('/') {
        Some((app, workload)) => (app, Some(workload)),
        None => (arguments.name.as_str(), None),
    };
    let all = store.list().map_err(failure)?;
    let chosen: Vec<_> =
        all.iter().filter(|(name, kind)| name == app && workload.is_none_or(|workload| workload == kind)).collect();
    if chosen.is_empty() {
        let known: Vec<_> = all.iter().map(|(app, workload)| format!("{app}/{workload}")).collect();
        let hint = if known.is_empty() {
            "nothing was measured into it yet; `loupe batch` does that".to_owned()
        } else {
            format!("it has {}", known.join(", "))
        };
        let message = format!("no results of `{}` in `{}`\nhint: {hint}", arguments.name, results.display());
        return Err(WrongUsage(message).into());
    }
    let mut objects = Vec::new();
    for (index, (app, workload)) in chosen.into_iter().enumerate() {
        let stored = store.read(app, workload).map_err(failure)?;
        let trials = match &stored.finished {
            Some(_) => store.trials(app, workload).map_err(failure)?,
            None => Vec::new(),
        };
        let name = format!("{app}/{workload}");
        match arguments.format {
            Format::Text => {
                let separator = if index > 0 { "\n" } else { "" };
                printer.data(&format!("{separator}{}", report::show_text(&name, &stored, &trials)));
            }
            Format::Json => objects.push(report::show_json(&name, &stored, &trials)),
        }
    }
    if arguments.format == Format::Json {
        printer.json(&objects);
    }
    Ok(Status::Done)
}

/// The store keeps its hints apart from its messages.
pub(super) fn failure(error: StoreError) -> anyhow::Error {
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    let message = format!("{error}{hint}");
    anyhow::Error::from(error).context(message)
}
