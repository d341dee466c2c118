//! One app's verdicts with their reasons.

use std::collections::BTreeMap;

use super::fallbacks;
use super::table::{Align, Table};
use crate::explore::Verdict;
use crate::store::{Caveat, DetailRow, Finished, Stored, TrialRecord};
use crate::trial::{FailCause, Item, Outcome, Purpose, Treatment, Watch};

/// What the single trials of each call and treatment gave, in words.
struct Reasons(BTreeMap<(Item, Treatment), Vec<String>>);

impl Reasons {
    fn new(trials: &[TrialRecord]) -> Self {
        let mut reasons = BTreeMap::<_, Vec<String>>::new();
        for trial in trials.iter().filter(|trial| matches!(trial.purpose, Purpose::Single | Purpose::Quiet)) {
            if let Some((item, treatment)) = trial.intervention.only() {
                reasons.entry((item, treatment)).or_default().push(words(trial, item));
            }
        }
        Self(reasons)
    }

    /// The reasons without repetitions, in the order of the runs.
    fn of(&self, item: impl Into<Item>, treatment: Treatment) -> String {
        let mut said: Vec<&str> = Vec::new();
        for reason in self.0.get(&(item.into(), treatment)).into_iter().flatten() {
            if !said.contains(&reason.as_str()) {
                said.push(reason);
            }
        }
        said.join("; then ")
    }
}

fn words(trial: &TrialRecord, item: Item) -> String {
    match &trial.result {
        Outcome::Pass if trial.watch == Watch::Nothing => "passes (hits not counted)".to_owned(),
        Outcome::Pass => match trial.count(item) {
            0 => "passes, but it was never treated: proves nothing".to_owned(),
            1 => "passes (1 hit)".to_owned(),
            hits => format!("passes ({hits} hits)"),
        },
        Outcome::Fail(cause @ (FailCause::ClientExitCode { .. } | FailCause::ClientDied { .. })) => {
            let client = trial.client.as_ref();
            let last = client.and_then(|client| client.stderr.last().or(client.stdout.last()));
            shortened(&last.map_or_else(|| cause.to_string(), |last| format!("{cause}: {last}")))
        }
        Outcome::Fail(cause) => shortened(&cause.to_string()),
        Outcome::Inconclusive(cause) => shortened(&format!("inconclusive: {cause}")),
    }
}

/// A reason on one line of bearable length; the whole stands in `trials.jsonl`.
fn shortened(text: &str) -> String {
    const LIMIT: usize = 90;
    let line = text.replace('\n', "\\n");
    if line.chars().count() <= LIMIT { line } else { line.chars().take(LIMIT - 1).chain(['…']).collect() }
}

/// The verdict table of one app and workload, as text.
#[must_use]
pub fn show_text(name: &str, stored: &Stored, trials: &[TrialRecord]) -> String {
    let mut text = String::new();
    if let Some(refused) = &stored.refused {
        text.push_str(&format!("{name}: the last attempt was refused\n"));
        for reason in &refused.reasons {
            text.push_str(&format!("  - {reason}\n"));
        }
        text.push('\n');
    }
    if let Some(imported) = &stored.imported {
        text.push_str(&super::imported::imported_text(name, imported));
    }
    let Some(finished) = &stored.finished else { return text };
    let reasons = Reasons::new(trials);
    let mut table = Table::new(&[
        ("syscall", Align::Left),
        ("calls/run", Align::Right),
        ("verdict", Align::Left),
        ("joint", Align::Left),
        ("stubbed", Align::Left),
        ("faked", Align::Left),
    ]);
    for (call, row) in &finished.verdicts {
        let verdict = row.verdict.map_or("inconclusive", |verdict| verdict.name());
        let degraded = degradations(finished, (*call).into()).map(|text| format!(", but {text}")).unwrap_or_default();
        let count = finished.trace.get(call).map_or(0, |trace| trace.count);
        table.row([
            call.to_string(),
            count.to_string(),
            format!("{verdict}{}{degraded}", remark(finished, (*call).into())),
            row.joint.map_or_else(String::new, |plan| format!("{plan}{}", fallbacks::joint_remark(finished, (*call).into()))),
            reasons.of(*call, Treatment::Stub),
            reasons.of(*call, Treatment::Fake),
        ]);
    }
    text.push_str(&table.render());
    text.push_str(&details(finished, &reasons));
    text.push_str(&fallbacks::table_text(finished));
    text.push_str(&epilogue(name, finished));
    text
}

/// The argument features and pseudo-files that were tried, and the number of those that were only seen.
fn details(finished: &Finished, reasons: &Reasons) -> String {
    let mut text = String::new();
    let features = finished.features.iter().map(|(feature, row)| (Item::Feature(*feature), row));
    let files = finished.pseudo_files.iter().map(|(file, row)| (Item::File(*file), row));
    for (title, rows) in [("argument feature", features.collect::<Vec<_>>()), ("pseudo-file", files.collect())] {
        let mut table =
            Table::new(&[(title, Align::Left), ("verdict", Align::Left), ("stubbed", Align::Left), ("faked", Align::Left)]);
        let mut only_seen = 0;
        for (item, row) in rows {
            if row.stub.is_none() && row.fake.is_none() {
                only_seen += 1;
                continue;
            }
            let verdict = row.verdict.map_or("inconclusive", Verdict::name);
            let degraded = degradations(finished, item).map(|text| format!(", but {text}")).unwrap_or_default();
            table.row([
                item.to_string(),
                format!("{verdict}{}{degraded}", remark(finished, item)),
                reasons.of(item, Treatment::Stub),
                reasons.of(item, Treatment::Fake),
            ]);
        }
        if !table.is_empty() {
            text.push_str(&format!("\n{}", table.render()));
        }
        if only_seen > 0 {
            let seen = super::counted(only_seen, title);
            text.push_str(&format!("\n{seen} seen and not tried\n"));
        }
    }
    text
}

/// In what the passes of a call differ from the baseline: `stub: throughput ×0.3; fake: open files ×15`.
fn degradations(finished: &Finished, item: Item) -> Option<String> {
    let of = |treatment: Treatment| {
        let found = finished.summary.degraded.iter().filter(|found| found.item == item && found.treatment == treatment);
        let words: Vec<_> = found.map(|found| found.degradation.to_string()).collect();
        (!words.is_empty()).then(|| format!("{treatment}: {}", words.join(", ")))
    };
    let both: Vec<_> = Treatment::ALL.into_iter().filter_map(of).collect();
    (!both.is_empty()).then(|| both.join("; "))
}

/// What has to be known beside a verdict.
fn remark(finished: &Finished, item: Item) -> &'static str {
    let summary = &finished.summary;
    if summary.assumed.contains(&item) {
        " (assumed)"
    } else if summary.inferred.contains(&item) {
        " (inferred)"
    } else if summary.unstable.iter().any(|treatment| treatment.item == item) {
        " (unstable)"
    } else if summary.unexercised.iter().any(|treatment| treatment.item == item) {
        " (unproven)"
    } else {
        ""
    }
}

fn epilogue(name: &str, finished: &Finished) -> String {
    let summary = &finished.summary;
    let counts = summary.verdicts;
    let mut text = format!(
        "\n{name}: {} calls used, {} required, {} stub only, {} fake only, {} any\n",
        summary.used, counts.required, counts.stub, counts.fake, counts.any
    );
    if let Some(caveat) = summary.caveat() {
        text.push_str(&format!("{caveat}\n"));
    }
    let joint = summary.joint.configuration();
    text.push_str(&format!(
        "together: {} calls avoided at once, {} of {} runs passed\n",
        joint.len(),
        summary.joint.verified,
        summary.joint.of
    ));
    if let Some(everything) = &summary.everything {
        text.push_str(&format!(
            "together: {} calls, argument features and pseudo-files avoided at once, {} of {} runs passed\n",
            everything.configuration().len(),
            everything.verified,
            everything.of
        ));
    }
    text.push_str(&fallbacks::beside_joint(finished));
    let of_details = summary.everything.iter().flat_map(|everything| &everything.culprits);
    let of_details = of_details.filter(|culprit| culprit.item.call().is_none());
    for culprit in summary.joint.culprits.iter().chain(of_details) {
        text.push_str(&format!(
            "  `{}` is avoidable alone but not together with the others: {}\n",
            culprit.item,
            shortened(&culprit.reason)
        ));
    }
    if !summary.taken_over.is_empty() {
        text.push_str(&format!(
            "taken over: {} were found with another image; stubs and fakes among them passed again in groups, required ones were not \
             tried again\n",
            super::counted(summary.taken_over.len(), "verdict")
        ));
    }
    if !summary.inferred.is_empty() {
        text.push_str(&format!(
            "inferred: {} follow from what works together, and no call was tried alone; {} not tried at all, as other apps need them\n",
            super::counted(summary.inferred.len(), "verdict"),
            super::counted(summary.assumed.len(), "call")
        ));
    }
    for treatment in &summary.unstable {
        text.push_str(&format!("unstable: `{}` {}: {}\n", treatment.item, past(treatment.treatment), treatment.result));
    }
    for treatment in &summary.unexercised {
        text.push_str(&format!("unproven: `{}` {}: {}\n", treatment.item, past(treatment.treatment), treatment.result));
    }
    if !summary.unrepeated.is_empty() {
        text.push_str(&format!(
            "not repeated: {} stood out beside other trials, but less than those that were run again alone: nothing is known of \
             their cost\n",
            super::counted_as(summary.unrepeated.len(), "pass", "passes")
        ));
    }
    for foreign in &summary.foreign_calls {
        text.push_str(&format!(
            "foreign ABI: {} of {} in a run, seen and left alone\n",
            super::counted(usize::try_from(foreign.count).unwrap_or(usize::MAX), "call"),
            foreign.call
        ));
    }
    if !summary.left.processes.is_empty() {
        text.push_str(&format!("left behind: {}\n", summary.left));
    }
    for missing in not_seen(finished) {
        text.push_str(&format!("not seen: {missing}\n"));
    }
    for (number, count) in &summary.unknown_calls {
        let calls = super::counted(usize::try_from(*count).unwrap_or(usize::MAX), "call");
        text.push_str(&format!("unknown: {calls} of number {number} in a run, which no Linux of the table has\n"));
    }
    text
}

/// What the app does that no call shows, in words.
fn not_seen(finished: &Finished) -> Vec<String> {
    finished.trace.keys().any(|call| call.name() == super::RING_CALL).then(super::rings).into_iter().collect()
}

fn past(treatment: Treatment) -> &'static str {
    match treatment {
        Treatment::Stub => "stubbed",
        Treatment::Fake => "faked",
    }
}

/// The same as one JSON object.
#[must_use]
pub fn show_json(name: &str, stored: &Stored, trials: &[TrialRecord]) -> serde_json::Value {
    let reasons = Reasons::new(trials);
    let calls = stored.finished.iter().flat_map(|finished| {
        finished.verdicts.iter().map(|(call, row)| {
            serde_json::json!({
                "syscall": call,
                "calls": finished.trace.get(call).map_or(0, |trace| trace.count),
                "verdict": row.verdict,
                "remark": remark(finished, (*call).into()).trim_matches([' ', '(', ')']),
                "degraded": degradations(finished, (*call).into()),
                "joint": row.joint,
                "not-made": fallbacks::is_not_made(finished, (*call).into()),
                "stubbed": reasons.of(*call, Treatment::Stub),
                "faked": reasons.of(*call, Treatment::Fake),
            })
        })
    });
    let imported = stored.imported.iter().flat_map(|imported| {
        imported.verdicts.iter().map(|(call, row)| {
            serde_json::json!({ "syscall": call, "used": row.used, "verdict": row.verdict, "stub": row.stub, "fake": row.fake })
        })
    });
    let detail = |finished: &Finished, item: Item, row: &DetailRow| {
        serde_json::json!({
            "item": item,
            "verdict": row.verdict,
            "remark": remark(finished, item).trim_matches([' ', '(', ')']),
            "degraded": degradations(finished, item),
            "stubbed": reasons.of(item, Treatment::Stub),
            "faked": reasons.of(item, Treatment::Fake),
        })
    };
    let details = stored.finished.iter().flat_map(|finished| {
        let features = finished.features.iter().map(|(feature, row)| detail(finished, (*feature).into(), row));
        features.chain(finished.pseudo_files.iter().map(|(file, row)| detail(finished, (*file).into(), row)))
    });
    serde_json::json!({
        "name": name,
        "caveat": stored.finished.as_ref().map_or_else(
            || stored.imported.as_ref().and_then(|imported| Caveat::of_imported(&imported.verdicts)),
            |finished| finished.summary.caveat(),
        ),
        "calls": calls.chain(imported).collect::<Vec<_>>(),
        "details": details.collect::<Vec<_>>(),
        "fallbacks": stored.finished.as_ref().and_then(|finished| finished.fallbacks.as_ref()),
        "not-seen": stored.finished.as_ref().map(not_seen).unwrap_or_default(),
        "summary": stored.finished.as_ref().map(|finished| &finished.summary),
        "environment": stored.finished.as_ref().map(|finished| &finished.environment),
        "provenance": stored.imported.as_ref().map(|imported| &imported.provenance),
        "refused": stored.refused.as_ref().map(|refused| &refused.reasons),
    })
}
