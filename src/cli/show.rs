//! `loupe show`: an app's verdicts with their reasons.

use anyhow::anyhow;

use super::arguments::{Format, ShowArguments};
use super::printer::Printer;
use super::{Failure, Status};
use crate::report;
use crate::store::{Store, StoreError};

pub(super) fn show(arguments: &ShowArguments, printer: &Printer) -> Result<Status, Failure> {
    let store = Store::open(&arguments.results);
    let (app, workload) = match arguments.name.split_once('/') {
        Some((app, workload)) => (app, Some(workload)),
        None => (arguments.name.as_str(), None),
    };
    let all = store.list().map_err(|error| failure(&error))?;
    let chosen: Vec<_> =
        all.iter().filter(|(name, kind)| name == app && workload.is_none_or(|workload| workload == kind)).collect();
    if chosen.is_empty() {
        let known: Vec<_> = all.iter().map(|(app, workload)| format!("{app}/{workload}")).collect();
        let hint = if known.is_empty() {
            "nothing was measured into it yet; `loupe batch` does that".to_owned()
        } else {
            format!("it has {}", known.join(", "))
        };
        let results = arguments.results.display();
        return Err(Failure::new(Status::Usage, anyhow!("no results of `{}` in `{results}`\nhint: {hint}", arguments.name)));
    }
    let mut objects = Vec::new();
    for (index, (app, workload)) in chosen.into_iter().enumerate() {
        let stored = store.read(app, workload).map_err(|error| failure(&error))?;
        let trials = match &stored.finished {
            Some(_) => store.trials(app, workload).map_err(|error| failure(&error))?,
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
        printer.data(&format!("{}\n", serde_json::Value::Array(objects)));
    }
    Ok(Status::Done)
}

fn failure(error: &StoreError) -> Failure {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        message.push_str(&format!("\nhint: {hint}"));
    }
    Failure::new(Status::Usage, anyhow!(message))
}
