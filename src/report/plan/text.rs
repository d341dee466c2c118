//! A plan for people to read and work by.

use std::collections::BTreeSet;

use super::super::{Align, Table, counted};
use super::{Checked, listed, state_words};
use crate::support::{CallUse, Extension, FeatureNeeds, Plan, Step};
use crate::syscalls::{Architecture, Sysno};

/// Lists are broken before this column.
const WIDTH: usize = 110;

/// Apps that are named as the reason of a call.
const NAMED: usize = 4;

/// The plan as text; with `checked`, what running it showed.
#[must_use]
pub fn plan_text(plan: &Plan, checked: Option<&Checked>) -> String {
    let mut text = format!("Support plan for {}\n", plan.os.title());
    text.push_str(&summary(plan));
    for step in &plan.steps {
        text.push('\n');
        text.push_str(&step_text(plan, step, checked));
    }
    text.push_str(&conflicts(plan));
    if !plan.left_out.is_empty() {
        text.push_str("\nLeft out, with what they would still need:\n");
        for (app, missing) in &plan.left_out {
            let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
            text.push_str(&wrapped(&format!("  {app}: "), &missing));
        }
    }
    if !plan.unknown.is_empty() {
        text.push_str(&format!(
            "\nUnknown, as they have no verdicts ({}; not counted, whatever the OS has):\n",
            counted(plan.unknown.len(), "app")
        ));
        text.push_str(&wrapped("  ", &plan.unknown));
    }
    if let Some(checked) = checked {
        text.push_str(&corrections(checked));
    }
    text
}

fn summary(plan: &Plan) -> String {
    let apps = plan.unlocked() + plan.left_out.len();
    let now = plan.steps.first().map_or(0, |step| step.unlocks.len());
    let (implement, stub, fake) = plan.totals();
    let steps = counted(plan.steps.len().saturating_sub(1), "step");
    let run = if plan.left_out.is_empty() { "all run".to_owned() } else { format!("{} run", plan.unlocked()) };
    if plan.steps.len() <= 1 {
        return format!("{}: {now} run now, with {stub} calls stubbed and {fake} faked\n", counted(apps, "app"));
    }
    format!(
        "{}: {now} run now; {run} after {steps}, which implement {}; {stub} stay stubbed and {fake} faked\n",
        counted(apps, "app"),
        counted(implement, "call"),
    )
}

/// One step with everything that has to be done.
pub(super) fn step_text(plan: &Plan, step: &Step, checked: Option<&Checked>) -> String {
    let mut text = heading(plan, step);
    text.push_str(&implement(plan, step));
    for Extension { call, features } in &step.extend {
        let what = match features {
            Some(features) => features.iter().map(|feature| feature.name().into_owned()).collect::<Vec<_>>().join(", "),
            None => "the rest: nobody knows which of its features these apps need".to_owned(),
        };
        text.push_str(&format!("  extend     {call}: {what}\n"));
    }
    for (title, calls) in [("stub", &step.stub), ("fake", &step.fake)] {
        let names: Vec<_> = calls.iter().map(ToString::to_string).collect();
        text.push_str(&wrapped(&format!("  {title:<9}  "), &names));
    }
    let files: Vec<_> = step.files.iter().map(ToString::to_string).collect();
    text.push_str(&wrapped("  files      ", &files));
    text.push_str(&wrapped("  runs then  ", &step.unlocks));
    if let Some(checked) = checked {
        text.push_str(&verdicts(step, checked));
    }
    text
}

fn heading(plan: &Plan, step: &Step) -> String {
    let calls = |count: usize, verb: &str| (count > 0).then(|| format!("{verb} {count}"));
    let parts = [
        calls(step.implement.len(), "implement"),
        calls(step.extend.len(), "extend"),
        calls(step.stub.len(), "stub"),
        calls(step.fake.len(), "fake"),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let apps = counted(step.unlocks.len(), "app");
    if step.number == 0 {
        return match (step.unlocks.len(), parts.is_empty()) {
            (0, _) => format!("Step 0: no app runs on {} as it is\n", plan.os.name),
            (_, true) => format!("Step 0: {apps} on {} as it is\n", plan.os.name),
            (_, false) => format!("Step 0: {apps} on {} as it is, given what they need: {}\n", plan.os.name, parts.join(", ")),
        };
    }
    let parts = if parts.is_empty() { "nothing to add".to_owned() } else { parts.join(", ") };
    format!("Step {}: {parts}; {apps} more\n", step.number)
}

/// The calls to implement, each with its number and who needs it.
fn implement(plan: &Plan, step: &Step) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Right), ("", Align::Left)]);
    let apps = plan.unlocked() + plan.left_out.len();
    for (index, call) in step.implement.iter().enumerate() {
        let title = if index == 0 { "implement" } else { "" };
        let number = call.number(Architecture::NATIVE).map(|number| number.to_string()).unwrap_or_default();
        let mut reason = plan.uses.get(call).map(|uses| needed_by(uses, step, apps)).unwrap_or_default();
        if let Some(needs) = step.only.get(call) {
            reason.push_str(&features(needs));
        }
        if stubbed_before(plan, step, *call) {
            reason.push_str("; until now it was stubbed or faked");
        }
        table.row([title.to_owned(), call.to_string(), number, reason]);
    }
    // The header is empty, and its line is not wanted.
    table.render().lines().skip(1).map(|line| format!("  {line}\n")).collect()
}

/// `for 12 of 111 apps: redis, nginx and 10 others`, those of the step first.
fn needed_by(uses: &CallUse, step: &Step, apps: usize) -> String {
    let (here, later): (Vec<_>, Vec<_>) = uses.required.iter().cloned().partition(|app| step.unlocks.contains(app));
    let names = [here, later].concat();
    if names.is_empty() && !(uses.in_place_of.is_empty() && uses.instead.is_empty()) {
        let list = |calls: &BTreeSet<Sysno>| calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let fallback = uses.in_place_of.iter().map(|(app, calls)| format!("{app}, in place of {}", list(calls)));
        let itself = uses.instead.iter().map(|(app, calls)| format!("{app}, which would need {} in its place", list(calls)));
        return format!("for {}", fallback.chain(itself).collect::<Vec<_>>().join("; "));
    }
    match names.len() {
        0 => "needed by no app alone: see the conflicts".to_owned(),
        1 => format!("for {}", names[0]),
        count => format!("for {count} of {apps} apps: {}", listed(&names, NAMED)),
    }
}

/// Which features of a call are needed and which are not.
fn features(needs: &FeatureNeeds) -> String {
    let names = |features: &[crate::syscalls::features::Feature]| {
        features.iter().map(|feature| feature.name().into_owned()).collect::<Vec<_>>().join(", ")
    };
    match (needs.required.is_empty(), needs.others.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!("; each of {} can be left out alone", names(&needs.others)),
        (false, true) => format!("; only {}", names(&needs.required)),
        (false, false) => format!("; only {} (not {})", names(&needs.required), names(&needs.others)),
    }
}

fn stubbed_before(plan: &Plan, step: &Step, call: Sysno) -> bool {
    plan.steps[..step.number].iter().any(|before| before.stub.contains(&call) || before.fake.contains(&call))
}

fn verdicts(step: &Step, checked: &Checked) -> String {
    let mut text = String::new();
    let mut verified = Vec::new();
    let mut shown = BTreeSet::new();
    for (app, state) in checked.of(step.number) {
        match state_words(state) {
            (_, None) => verified.push(app.to_owned()),
            (word, Some(why)) => {
                if shown.insert((word, why, app)) {
                    text.push_str(&format!("  {:<9}  {app}: {why}\n", word.to_uppercase()));
                }
            }
        }
    }
    format!("{}{text}", wrapped("  verified   ", &verified))
}

fn conflicts(plan: &Plan) -> String {
    if plan.conflicts.is_empty() {
        return String::new();
    }
    let mut text = "\nConflicts, as an OS can answer a call in one way only:\n".to_owned();
    for conflict in &plan.conflicts {
        text.push_str(&format!("  {}\n", super::json::conflict_words(conflict).replace('`', "")));
    }
    text
}

fn corrections(checked: &Checked) -> String {
    if checked.corrections.is_empty() {
        return String::new();
    }
    let mut text = "\nCorrected by running the apps:\n".to_owned();
    for correction in &checked.corrections {
        text.push_str(&format!("  {}\n", super::json::correction_words(correction)));
    }
    text
}

/// `title` and the names, in lines of bearable length; nothing where there are none.
pub(in super::super) fn wrapped(title: &str, names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let indent = title.chars().count();
    let mut text = title.to_owned();
    let mut column = indent;
    for (index, name) in names.iter().enumerate() {
        let comma = if index + 1 < names.len() { "," } else { "" };
        let length = name.chars().count() + comma.len();
        if column > indent {
            if column + 1 + length > WIDTH {
                text.push_str(&format!("\n{}", " ".repeat(indent)));
                column = indent;
            } else {
                text.push(' ');
                column += 1;
            }
        }
        text.push_str(name);
        text.push_str(comma);
        column += length;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_broken_between_names() {
        let names: Vec<_> = (0..30).map(|index| format!("syscall{index:02}")).collect();
        let text = wrapped("  stub  ", &names);
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("        s")), "{text}");
        assert_eq!(text.matches("syscall").count(), 30);
        assert_eq!(wrapped("x ", &[]), "");
    }
}
