//! Plans as tables: one row per step.

use super::super::csv_line;
use super::Checked;
use crate::support::{Extension, Plan, Step};

/// The cells of a row; lists are separated by `separator`.
fn cells(step: &Step, separator: &str, quote: &str) -> [String; 7] {
    let join = |names: Vec<String>| names.iter().map(|name| format!("{quote}{name}{quote}")).collect::<Vec<_>>().join(separator);
    let names = |calls: &[crate::syscalls::Sysno]| join(calls.iter().map(ToString::to_string).collect());
    let extensions = step.extend.iter().flat_map(|Extension { call, features }| match features {
        Some(features) => features.iter().map(ToString::to_string).collect(),
        None => vec![format!("{call}(*)")],
    });
    [
        step.number.to_string(),
        names(&step.implement),
        join(extensions.collect()),
        names(&step.stub),
        names(&step.fake),
        join(step.files.iter().map(ToString::to_string).collect()),
        step.unlocks.join(if quote.is_empty() { separator } else { ", " }),
    ]
}

/// The plan as comma-separated values. Lists in a cell are separated by blanks. In `extend`, `ioctl(*)` is all that a call lacks.
#[must_use]
pub fn plan_csv(plan: &Plan, checked: Option<&Checked>) -> String {
    let mut header = vec!["step", "implement", "extend", "stub", "fake", "pseudo-files", "unlocks"];
    header.extend(checked.map(|_| "verification"));
    let mut text = csv_line(&header);
    for step in &plan.steps {
        let mut row = cells(step, " ", "").to_vec();
        row.extend(checked.map(|checked| checked.word(step.number).to_owned()));
        text.push_str(&csv_line(&row));
    }
    text
}

/// The plan as Markdown: a heading, a table, and what has to be known beside it.
#[must_use]
pub fn plan_markdown(plan: &Plan, checked: Option<&Checked>) -> String {
    let extended = plan.steps.iter().any(|step| !step.extend.is_empty());
    let files = plan.steps.iter().any(|step| !step.files.is_empty());
    let shown = [true, true, extended, true, true, files, true];
    let titles = ["step", "implement", "extend", "stub", "fake", "pseudo-files", "apps that run then"];
    let mut text = format!("# Support plan for {}\n\n", plan.os.title());
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let chosen = |cells: Vec<String>| cells.into_iter().zip(shown).filter(|(_, shown)| *shown).map(|(cell, _)| cell);
    let mut header: Vec<_> = chosen(titles.map(str::to_owned).to_vec()).collect();
    header.extend(checked.map(|_| "by running them".to_owned()));
    text.push_str(&row(header.clone()));
    text.push_str(&row(vec!["---".to_owned(); header.len()]));
    for step in &plan.steps {
        let mut cells: Vec<_> = chosen(cells(step, ", ", "`").to_vec()).collect();
        cells.extend(checked.map(|checked| checked.word(step.number).to_owned()));
        text.push_str(&row(cells));
    }
    let (implement, stub, fake) = plan.totals();
    text.push_str(&format!("\nIn all: {implement} calls implemented; {stub} stay stubbed and {fake} faked.\n"));
    if !plan.conflicts.is_empty() {
        text.push_str("\nAn OS can answer a call in one way only:\n\n");
    }
    for conflict in &plan.conflicts {
        text.push_str(&format!("- {}\n", super::json::conflict_words(conflict)));
    }
    if !plan.left_out.is_empty() {
        let names: Vec<_> = plan.left_out.iter().map(|(app, _)| app.as_str()).collect();
        text.push_str(&format!("\nLeft out: {}.\n", names.join(", ")));
    }
    if !plan.unknown.is_empty() {
        text.push_str(&format!("\nUnknown, as they have no verdicts: {}.\n", plan.unknown.join(", ")));
    }
    if let Some(checked) = checked {
        for (step, app, state) in &checked.states {
            if let (word, Some(why)) = super::state_words(state) {
                text.push_str(&format!("\nStep {step}, {app}: {word}: {why}.\n"));
            }
        }
        if !checked.corrections.is_empty() {
            text.push_str("\nCorrected by running the apps:\n\n");
            for correction in &checked.corrections {
                text.push_str(&format!("- {}\n", super::json::correction_words(correction)));
            }
        }
    }
    text
}
