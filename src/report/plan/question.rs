//! Answers to two questions about plans: the way to one app, and what some calls would bring.

use serde::Serialize;

use super::super::counted;
use super::json::PlanJson;
use super::plan_json;
use super::text::{step_text, wrapped};
use crate::support::{Profile, Unlock, WhatIf};
use crate::syscalls::Sysno;

/// The way to the app `name`, as text.
#[must_use]
pub fn unlock_text(name: &str, unlock: &Unlock) -> String {
    let plan = &unlock.plan;
    let (implement, stub, fake) = plan.totals();
    let mut text = match plan.calls_at(plan.steps.len()).len() - plan.os.calls().len() {
        0 => format!("{name} needs nothing implemented on {}: {stub} calls stubbed, {fake} faked\n\n", plan.os.name),
        _ => format!(
            "{name} needs {} implemented on {}, {stub} stubbed, {fake} faked\n\n",
            counted(implement, "call"),
            plan.os.name
        ),
    };
    for step in plan.steps.iter().filter(|step| !step.unlocks.is_empty()) {
        text.push_str(&step_text(plan, step, None));
    }
    for (title, apps) in [("run then as well, if what they need stubbed or faked is", &unlock.also), ("run already", &unlock.now)]
    {
        if !apps.is_empty() {
            text.push_str(&format!("\n{} {title}:\n{}", counted(apps.len(), "other app"), wrapped("  ", apps)));
        }
    }
    text
}

/// The same for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UnlockJson<'a> {
    app: &'a str,
    #[serde(flatten)]
    plan: PlanJson<'a>,
    also: &'a [String],
    now: &'a [String],
}

/// The way to the app `name`, as a value that serialises.
#[must_use]
pub fn unlock_json<'a>(name: &'a str, unlock: &'a Unlock) -> UnlockJson<'a> {
    UnlockJson { app: name, plan: plan_json(&unlock.plan, None), also: &unlock.also, now: &unlock.now }
}

/// What some calls would bring, as text.
#[must_use]
pub fn what_if_text(os: &Profile, answer: &WhatIf) -> String {
    let names = |calls: &[Sysno]| calls.iter().map(ToString::to_string).collect::<Vec<_>>();
    let calls = names(&answer.calls).join(", ");
    let mut text = format!("{} with {calls}\n", os.title());
    text.push_str(&format!(
        "{} run already; {} more would run\n",
        counted(answer.now.len(), "app"),
        counted(answer.gained.len(), "app")
    ));
    text.push_str(&wrapped("  would run         ", &answer.gained));
    text.push_str(&wrapped("  there already     ", &names(&answer.there)));
    text.push_str(&wrapped("  needed by no app  ", &names(&answer.useless)));
    if !answer.closer.is_empty() {
        text.push_str("\nCloser, but not there:\n");
        for closer in &answer.closer {
            let title = format!("  {}: {} missing instead of {}: ", closer.app, closer.missing.len(), closer.before);
            text.push_str(&wrapped(&title, &names(&closer.missing)));
        }
    }
    text
}

/// The same for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WhatIfJson<'a> {
    os: &'a str,
    calls: &'a [Sysno],
    there: &'a [Sysno],
    needed_by_no_app: &'a [Sysno],
    now: &'a [String],
    gained: &'a [String],
    closer: Vec<CloserJson<'a>>,
}

#[derive(Debug, Serialize)]
struct CloserJson<'a> {
    app: &'a str,
    before: usize,
    missing: &'a [Sysno],
}

/// What some calls would bring, as a value that serialises.
#[must_use]
pub fn what_if_json<'a>(os: &'a Profile, answer: &'a WhatIf) -> WhatIfJson<'a> {
    let closer =
        answer.closer.iter().map(|closer| CloserJson { app: &closer.app, before: closer.before, missing: &closer.missing });
    WhatIfJson {
        os: &os.name,
        calls: &answer.calls,
        there: &answer.there,
        needed_by_no_app: &answer.useless,
        now: &answer.now,
        gained: &answer.gained,
        closer: closer.collect(),
    }
}
