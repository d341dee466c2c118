//! All results in one list, and what an import took over. Pure.

use std::path::Path;

use serde::Serialize;

use super::counted;
use super::table::{Align, Table};
use crate::explore::Verdict;
use crate::store::loupedb::ImportReport;
use crate::store::{Analysis, Caveat, Date, Entries, Entry};

/// What an import took over, in words.
#[must_use]
pub fn import_text(imported: &ImportReport, results: &Path) -> String {
    let mut text = format!(
        "{} of {}, {} of binaries and {} of sources are in `{}`\n",
        counted(imported.measurements, "measurement"),
        counted(imported.apps, "app"),
        super::counted_as(imported.static_binary, "static analysis", "static analyses"),
        imported.static_source,
        results.display()
    );
    if imported.unchanged > 0 {
        text.push_str(&format!("{} of them were there already\n", counted(imported.unchanged, "measurement")));
    }
    if !imported.unused.is_empty() {
        let calls = imported.unused.iter().map(|(path, call)| format!("{path}: {call}")).collect::<Vec<_>>().join(", ");
        let what = counted(imported.unused.len(), "verdict");
        text.push_str(&format!("kept, but counted nowhere: {what} of calls that were not used ({calls})\n"));
    }
    if !imported.left_out.is_empty() {
        let what = imported.left_out.join(", ");
        text.push_str(&format!("left out, as no part of a measurement: {what}\n"));
    }
    text
}

/// One folder of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListLine {
    /// The app.
    pub app: String,
    /// The workload.
    pub workload: String,
    /// What tells it from others of the same workload.
    pub label: Option<String>,
    /// `measured`, `imported` or `nothing`.
    pub origin: &'static str,
    /// The day, if it is recorded.
    pub date: Option<Date>,
    /// Whether it stands for its app.
    pub chosen: bool,
    /// Calls that were used; `None` where nothing was found out.
    pub used: Option<usize>,
    /// Those of them that are required.
    pub required: Option<usize>,
    /// Calls that a static analysis of the binary reported.
    pub static_binary: Option<usize>,
    /// Calls that a static analysis of the sources reported.
    pub static_source: Option<usize>,
    /// Whether no call at all is required, as if the workload passed whatever happens.
    pub doubtful: bool,
    /// Why the results prove little, if they do.
    pub caveat: Option<Caveat>,
    /// Why the last attempt was refused.
    pub refused: Vec<String>,
}

/// The list, in order of app and folder.
#[must_use]
pub fn list_lines(entries: &Entries) -> Vec<ListLine> {
    let chosen = entries.one_per_app(|_| true);
    let is_chosen = |entry: &Entry| chosen.get(entry.app.as_str()).is_some_and(|chosen| chosen.folder == entry.folder);
    let line = |entry: &Entry| ListLine {
        app: entry.app.clone(),
        workload: entry.workload().to_owned(),
        label: entry.label().map(str::to_owned),
        origin: entry.origin.name(),
        date: entry.date(),
        chosen: is_chosen(entry),
        used: entry.has_verdicts().then(|| entry.used().count()),
        required: entry.has_verdicts().then(|| entry.with_verdict(Verdict::Required).count()),
        static_binary: entry.analyses.get(&Analysis::Binary).map(std::collections::BTreeMap::len),
        static_source: entry.analyses.get(&Analysis::Source).map(std::collections::BTreeMap::len),
        doubtful: entry.is_doubtful(),
        caveat: entry.caveat(),
        refused: entry.refused.clone(),
    };
    entries.entries.iter().map(line).collect()
}

impl ListLine {
    fn folder(&self) -> String {
        self.label.as_ref().map_or_else(|| self.workload.clone(), |label| format!("{}@{label}", self.workload))
    }
}

fn number(number: Option<usize>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// The list as text.
#[must_use]
pub fn list_text(lines: &[ListLine]) -> String {
    let mut table = Table::new(&[
        ("app/workload", Align::Left),
        ("", Align::Left),
        ("origin", Align::Left),
        ("date", Align::Left),
        ("used", Align::Right),
        ("required", Align::Right),
        ("static binary", Align::Right),
        ("static source", Align::Right),
    ]);
    let mut below = String::new();
    for line in lines {
        let name = format!("{}/{}", line.app, line.folder());
        table.row([
            name.clone(),
            if line.chosen { "*".to_owned() } else { String::new() },
            format!("{}{}", line.origin, line.caveat.map(|caveat| format!(", {}", caveat.name())).unwrap_or_default()),
            line.date.map_or_else(String::new, |date| date.to_string()),
            number(line.used),
            number(line.required),
            number(line.static_binary),
            number(line.static_source),
        ]);
        if line.doubtful {
            let used = number(line.used);
            below.push_str(&format!(
                "doubtful: {name}: none of {used} calls is required, as if its workload passed whatever happens\n"
            ));
        }
        for reason in &line.refused {
            below.push_str(&format!("refused: {name}: {reason}\n"));
        }
    }
    let apps: std::collections::BTreeSet<_> = lines.iter().map(|line| &line.app).collect();
    let measured = lines.iter().filter(|line| line.used.is_some()).count();
    let total = format!("{}, {}; `*` stands for its app\n", counted(apps.len(), "app"), counted(measured, "measurement"));
    format!("{}\n{below}{total}", table.render())
}

/// The list as CSV.
#[must_use]
pub fn list_csv(lines: &[ListLine]) -> String {
    let mut text = "app,workload,label,origin,date,chosen,used,required,static-binary,static-source\n".to_owned();
    for line in lines {
        let cells = [
            line.app.clone(),
            line.workload.clone(),
            line.label.clone().unwrap_or_default(),
            line.origin.to_owned(),
            line.date.map_or_else(String::new, |date| date.to_string()),
            if line.chosen { "Y" } else { "N" }.to_owned(),
            number(line.used),
            number(line.required),
            number(line.static_binary),
            number(line.static_source),
        ];
        text.push_str(&super::csv_line(&cells));
    }
    text
}
