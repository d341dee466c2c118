//! `loupe plan`: what an OS has to implement next.

mod arguments;
mod facts;
mod running;
mod verify;

use std::path::Path;

use anyhow::Context;

pub(super) use arguments::{PlanArguments, Running};
pub(super) use facts::known;
pub(super) use running::{Benches, NotReady, spec};

use super::os;
use super::printer::Printer;
use super::settings::Environment;
use super::status::{Status, WrongUsage};
use crate::report::{self, Checked};
use crate::spec::{load_priorities, nearest};
use crate::store::Store;
use crate::support::{self, Objective, Plan, Profile, Weights};
use arguments::{ObjectiveChoice, PlanFormat};
use facts::Known;

/// Plans, verifies if asked to, and prints.
pub(super) fn plan(arguments: &PlanArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let os = os::profile(&arguments.os, printer)?;
    let weights = weights(arguments.weights.as_deref())?;
    let results = environment.results(arguments.results.clone());
    let wanted = wanted(arguments)?;
    let workloads = arguments.workloads.as_ref().map(globset::Glob::compile_matcher);
    let known = facts::known(&Store::open(&results), wanted.as_deref(), workloads.as_ref(), arguments.include_weak, printer)?;
    for (app, caveat) in &known.weak {
        printer.note(&format!("left out: {app} {caveat}"));
    }
    if !known.weak.is_empty() {
        printer.note("hint: `--include-weak` counts such apps, and `--apps` those that it names");
    }
    if known.apps.is_empty() {
        let unknown = if known.unknown.is_empty() { String::new() } else { format!(" of {}", known.unknown.join(", ")) };
        let hint = "`loupe batch` measures apps, `loupe db import` takes over a database; `--results` names another folder";
        return Err(WrongUsage(format!("no verdicts{unknown} in `{}`\nhint: {hint}", results.display())).into());
    }
    for (app, workloads) in known.workloads.iter().filter(|(_, workloads)| workloads.len() > 1) {
        printer.note(&format!("{app}: has to run with all of its workloads: {}", workloads.join(", ")));
    }
    let unknown: Vec<_> = known.apps.iter().filter(|app| app.fallbacks.is_none()).map(|app| app.name.as_str()).collect();
    if !unknown.is_empty() && !arguments.verify {
        let whose = if unknown.len() > 3 { report::counted(unknown.len(), "app") } else { unknown.join(", ") };
        printer.note(&format!("not known: what {whose} would use in place of stubbed and faked calls; `--verify` finds that"));
    }
    if let Some(app) = &arguments.unlock {
        return unlock(app, &os, &known, arguments.format, printer);
    }
    if !arguments.what_if.is_empty() {
        let answer = support::what_if(&os, &known.apps, &arguments.what_if);
        match only_text_or_json(arguments.format)? {
            PlanFormat::Json => printer.json(&report::what_if_json(&os, &answer)),
            _ => printer.data(&report::what_if_text(&os, &answer)),
        }
        return Ok(known.status);
    }
    let objective = match arguments.objective {
        ObjectiveChoice::NextApp => Objective::NextApp,
        ObjectiveChoice::Value => Objective::Value,
        ObjectiveChoice::Budget => Objective::Budget(arguments.budget.unwrap_or(0)),
    };
    if arguments.budget.is_some() && arguments.objective != ObjectiveChoice::Budget {
        return Err(WrongUsage("`--budget` is for `--objective budget`".to_owned()).into());
    }
    if arguments.verify {
        return verify::verify(arguments, &os, known, objective, &weights, environment, printer);
    }
    let plan = support::plan(&os, &known.apps, known.unknown, objective, &weights);
    print(arguments, &plan, None, printer)?;
    Ok(known.status)
}

fn weights(path: Option<&Path>) -> anyhow::Result<Weights> {
    let Some(path) = path else { return Ok(Weights::default()) };
    let priorities = load_priorities(path)?;
    Ok(Weights { apps: priorities.apps, calls: priorities.calls })
}

/// The apps that the command line names; `None` for all.
fn wanted(arguments: &PlanArguments) -> anyhow::Result<Option<Vec<String>>> {
    let mut names: Vec<String> = match &arguments.app_list {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| WrongUsage(format!("cannot read the list of apps `{}`: {error}", path.display())))?;
            let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(name, _)| name).trim());
            let names: Vec<_> = lines.filter(|name| !name.is_empty()).map(str::to_owned).collect();
            if names.is_empty() {
                return Err(WrongUsage(format!("`{}` names no app\nhint: write one a line", path.display())).into());
            }
            names
        }
        None if arguments.apps.is_empty() => return Ok(None),
        None => arguments.apps.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
    };
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(Some(names))
}

fn unlock(app: &str, os: &Profile, known: &Known, format: PlanFormat, printer: &Printer) -> anyhow::Result<Status> {
    let Some(answer) = support::unlock(os, &known.apps, app) else {
        let names = || known.apps.iter().map(|app| app.name.as_str());
        let hint = match nearest(app, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are verdicts of {}", names().collect::<Vec<_>>().join(", ")),
        };
        return Err(WrongUsage(format!("no verdicts of `{app}`\nhint: {hint}")).into());
    };
    match format {
        PlanFormat::Text => printer.data(&report::unlock_text(app, &answer)),
        PlanFormat::Json => printer.json(&report::unlock_json(app, &answer)),
        PlanFormat::Csv => printer.data(&report::plan_csv(&answer.plan, None)),
        PlanFormat::Markdown => printer.data(&report::plan_markdown(&answer.plan, None)),
    }
    Ok(known.status)
}

fn only_text_or_json(format: PlanFormat) -> anyhow::Result<PlanFormat> {
    match format {
        PlanFormat::Text | PlanFormat::Json => Ok(format),
        PlanFormat::Csv | PlanFormat::Markdown => {
            Err(WrongUsage("`--what-if` is answered as text or JSON\nhint: take `--format text` or `--format json`".to_owned())
                .into())
        }
    }
}

/// Prints the plan, and writes it to files if asked to.
fn print(arguments: &PlanArguments, plan: &Plan, checked: Option<&Checked>, printer: &Printer) -> anyhow::Result<()> {
    if let Some(folder) = &arguments.output {
        let name = file_name(&arguments.os);
        let write = |file: String, text: String| {
            let path = folder.join(file);
            std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
        };
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        write(format!("{name}.md"), report::plan_markdown(plan, checked))?;
        let json = serde_json::to_string_pretty(&report::plan_json(plan, checked)).context("cannot put the plan into JSON")?;
        write(format!("{name}.json"), format!("{json}\n"))?;
        printer.note(&format!("the plan is in {}", folder.join(format!("{name}.md")).display()));
    }
    match arguments.format {
        PlanFormat::Text => printer.data(&report::plan_text(plan, checked)),
        PlanFormat::Json => printer.json(&report::plan_json(plan, checked)),
        PlanFormat::Csv => printer.data(&report::plan_csv(plan, checked)),
        PlanFormat::Markdown => printer.data(&report::plan_markdown(plan, checked)),
    }
    Ok(())
}

/// The name of files about the OS that `--os` names: a built-in name, or a file's without its folder and ending.
fn file_name(os: &str) -> String {
    let stem = Path::new(os).file_stem().map_or_else(|| os.into(), |stem| stem.to_string_lossy());
    stem.to_lowercase()
        .chars()
        .map(|letter| if letter.is_alphanumeric() || "._-".contains(letter) { letter } else { '-' })
        .collect()
}
