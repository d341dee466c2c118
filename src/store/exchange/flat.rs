//! Everything in one table, and everything in one document. Pure.

use serde_json::{Value, json};

use crate::explore::{Plan, Verdict};
use crate::store::{Caveat, DetailRow, Entry, Origin};

/// The first line of the table.
pub const FLAT_HEADER: &str = "app,workload,label,origin,date,architecture,kind,item,used,stub,fake,verdict,joint,caveat";

/// A line for each call, argument feature and pseudo-file of each measurement. Cells of what was not tried are empty.
#[must_use]
pub fn write_csv<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let mut text = format!("{FLAT_HEADER}\n");
    for entry in entries.into_iter().filter(|entry| entry.has_verdicts()) {
        let place = [
            entry.app.clone(),
            entry.workload().to_owned(),
            entry.label().unwrap_or_default().to_owned(),
            entry.origin.name().to_owned(),
            entry.date().map_or_else(String::new, |date| date.to_string()),
            entry.architecture().unwrap_or_default().to_owned(),
        ]
        .map(|cell| quoted(&cell))
        .join(",");
        let caveat = entry.caveat().map_or("", Caveat::name);
        for (call, row) in &entry.verdicts {
            let verdict = row.verdict.map_or("", Verdict::name);
            let joint = row.joint.map_or("", Plan::name);
            let (used, stub, fake) = (letter(row.used), letter(row.stub), letter(row.fake));
            text.push_str(&format!("{place},syscall,{call},{used},{stub},{fake},{verdict},{joint},{caveat}\n"));
        }
        for (feature, row) in &entry.features {
            text.push_str(&format!("{place},feature,{},{},{caveat}\n", quoted(&feature.to_string()), detail(*row)));
        }
        for (file, row) in &entry.pseudo_files {
            text.push_str(&format!("{place},pseudo-file,{},{},{caveat}\n", quoted(&file.to_string()), detail(*row)));
        }
    }
    text
}

fn letter(yes: bool) -> &'static str {
    if yes { "Y" } else { "N" }
}

fn detail(row: DetailRow) -> String {
    let optional = |yes: Option<bool>| yes.map_or("", letter);
    let verdict = row.verdict.map_or("", Verdict::name);
    format!("{},{},{},{verdict},", letter(row.used), optional(row.stub), optional(row.fake))
}

/// A cell as RFC 4180 has it.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

/// An object for each folder of results, those without verdicts included.
#[must_use]
pub fn write_json<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let all: Vec<_> = entries.into_iter().map(object).collect();
    let document = json!({ "format": 1, "results": all });
    format!("{document:#}\n")
}

fn object(entry: &Entry) -> Value {
    let calls = entry.verdicts.iter().map(|(call, row)| {
        json!({
            "syscall": call, "used": row.used, "stub": row.stub, "fake": row.fake, "verdict": row.verdict, "joint": row.joint,
        })
    });
    let row = |item: String, row: &DetailRow| json!({ "item": item, "used": row.used, "stub": row.stub, "fake": row.fake, "verdict": row.verdict });
    let (environment, summary, provenance) = match &entry.origin {
        Origin::Measured(measurement) => (Some(&measurement.environment), Some(&measurement.summary), None),
        Origin::Imported(provenance) => (None, None, Some(provenance)),
        Origin::Nothing => (None, None, None),
    };
    let analyses = entry.analyses.iter().map(|(analysis, table)| {
        let calls = table.iter().map(|(call, sites)| (call.to_string(), json!(sites))).collect::<serde_json::Map<_, _>>();
        (analysis.name().to_owned(), Value::Object(calls))
    });
    json!({
        "app": entry.app,
        "workload": entry.workload(),
        "label": entry.label(),
        "origin": entry.origin.name(),
        "date": entry.date(),
        "architecture": entry.architecture(),
        "caveat": entry.caveat(),
        "calls": calls.collect::<Vec<_>>(),
        "features": entry.features.iter().map(|(feature, found)| row(feature.to_string(), found)).collect::<Vec<_>>(),
        "pseudo-files": entry.pseudo_files.iter().map(|(file, found)| row(file.to_string(), found)).collect::<Vec<_>>(),
        "fallbacks": entry.fallbacks,
        "analyses": Value::Object(analyses.collect()),
        "refused": entry.refused,
        "environment": environment,
        "summary": summary,
        "provenance": provenance,
    })
}
