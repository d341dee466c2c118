//! `loupe show`: an app's verdicts with their reasons.

use super::arguments::{Explained, Format, ShowArguments};
use super::printer::Printer;
use super::settings::Environment;
use super::status::{Status, WrongUsage};
use crate::report;
use crate::store::{Store, StoreError};

/// Prints what the results say of the app.
pub(super) fn show(arguments: &ShowArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let results = environment.results(arguments.results.clone());
    let store = Store::open(&results);
    let chosen = chosen(&store, &arguments.name)?;
    if let Some(wanted) = arguments.why {
        return why(&store, &chosen, wanted, arguments.format, printer);
    }
    let mut objects = Vec::new();
    for (index, (app, workload)) in chosen.into_iter().enumerate() {
        let stored = store.read(&app, &workload).map_err(failure)?;
        let trials = match &stored.finished {
            Some(_) => store.trials(&app, &workload).map_err(failure)?,
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

/// Prints why what can be avoided can be: of one item, or of all.
fn why(
    store: &Store,
    chosen: &[(String, String)],
    wanted: Explained,
    format: Format,
    printer: &Printer,
) -> anyhow::Result<Status> {
    let mut explained = Vec::new();
    for (app, workload) in chosen {
        let name = format!("{app}/{workload}");
        let Some(finished) = store.read(app, workload).map_err(failure)?.finished else { continue };
        let trials = store.trials(app, workload).map_err(failure)?;
        let mut reasons = crate::why::reasons(&finished, &trials);
        reasons.retain(|reason| wanted == Explained::All || wanted == Explained::Item(reason.item));
        explained.push((name, finished, reasons));
    }
    if explained.is_empty() {
        let message = "no trials are stored of that: it was refused, or measured elsewhere\nhint: `loupe show` says which";
        return Err(WrongUsage(message.to_owned()).into());
    }
    if let Explained::Item(item) = wanted
        && !explained.iter().any(|(_, finished, _)| report::is_known(finished, item))
    {
        let message = format!("`{item}` was not seen in any of these results\nhint: `loupe show` lists what was");
        return Err(WrongUsage(message).into());
    }
    match format {
        Format::Json => {
            let object = |(name, _, reasons): &(String, _, _)| serde_json::json!({ "name": name, "reasons": reasons });
            printer.json(&explained.iter().map(object).collect::<Vec<_>>());
        }
        Format::Text => {
            let texts = explained.iter().map(|(name, finished, reasons)| match wanted {
                Explained::Item(item) => report::why_text(name, finished, item, reasons),
                Explained::All => report::whys_text(name, reasons),
            });
            printer.data(&texts.collect::<Vec<_>>().join("\n"));
        }
    }
    Ok(Status::Done)
}

/// The apps and workloads that `name`, APP or APP/WORKLOAD, stands for; at least one.
///
/// # Errors
/// If there is none, with those that there are.
pub(super) fn chosen(store: &Store, name: &str) -> anyhow::Result<Vec<(String, String)>> {
    let (app, workload) = match name.split_once('/') {
        Some((app, workload)) => (app, Some(workload)),
        None => (name, None),
    };
    let all = store.list().map_err(failure)?;
    let is_meant = |(one, kind): &&(String, String)| one == app && workload.is_none_or(|workload| workload == kind);
    let chosen: Vec<_> = all.iter().filter(is_meant).cloned().collect();
    if chosen.is_empty() {
        let known: Vec<_> = all.iter().map(|(app, workload)| format!("{app}/{workload}")).collect();
        let hint = if known.is_empty() {
            "nothing was measured into it yet; `loupe batch` does that".to_owned()
        } else {
            format!("it has {}", known.join(", "))
        };
        let message = format!("no results of `{name}` in `{}`\nhint: {hint}", store.root().display());
        return Err(WrongUsage(message).into());
    }
    Ok(chosen)
}

/// The store keeps its hints apart from its messages.
pub(super) fn failure(error: StoreError) -> anyhow::Error {
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    let message = format!("{error}{hint}");
    anyhow::Error::from(error).context(message)
}
