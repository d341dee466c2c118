//! What a database says of each call, and of all calls together. Pure.
//!
//! One measurement stands for each app, as the store chooses it. Shares are of the apps of which there is anything known: apps
//! without verdicts are named, and counted nowhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::coverage::Coverage;
use super::table::{Align, Table};
use super::{counted, csv_line};
use crate::explore::Verdict;
use crate::store::{Entry, family};
use crate::syscalls::Sysno;

/// What becomes of one call over all apps: numbers of apps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CallCounts {
    /// Apps that make it.
    pub used: usize,
    /// Apps that cannot do without it.
    pub required: usize,
    /// Apps that make it, and work with it stubbed.
    pub can_stub: usize,
    /// Apps that make it, and work with it faked.
    pub can_fake: usize,
    /// Apps for which it stayed open.
    pub undecided: usize,
}

/// One call with its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CallStatistics {
    /// The call.
    pub syscall: Sysno,
    /// Its counts.
    #[serde(flatten)]
    pub counts: CallCounts,
}

/// Sets of calls over all apps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Together {
    /// Calls that at least one app makes.
    pub used_by_any: BTreeSet<Sysno>,
    /// Calls that every app makes.
    pub used_by_all: BTreeSet<Sysno>,
    /// Calls that at least one app cannot do without.
    pub required_by_any: BTreeSet<Sysno>,
    /// Calls that no app can do without.
    pub required_by_all: BTreeSet<Sysno>,
}

/// What a database comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Statistics {
    /// Apps with verdicts, each with the measurement that stands for it.
    pub apps: BTreeMap<String, String>,
    /// Measurements among them in which no call at all is required, as if their workload passed whatever happens. They count.
    pub doubtful: Vec<String>,
    /// Apps without: nothing is known of them.
    pub unknown: Vec<String>,
    /// Calls that were used, in order of the apps that require them, then of those that use them, then of names.
    pub calls: Vec<CallStatistics>,
    /// Union and intersection.
    pub together: Together,
    /// With everything stubbed and faked that can be.
    pub coverage: Coverage,
    /// With every call implemented that an app makes.
    pub coverage_without_stubs: Coverage,
}

impl Statistics {
    /// The statistics of these measurements, one for each app; `all` are the names of all apps.
    #[must_use]
    pub fn new(chosen: &BTreeMap<&str, &Entry>, all: &BTreeSet<&str>) -> Self {
        let mut counts = BTreeMap::<Sysno, CallCounts>::new();
        for (call, row) in chosen.values().flat_map(|entry| entry.used()) {
            let counts = counts.entry(call).or_default();
            counts.used += 1;
            counts.required += usize::from(row.verdict == Some(Verdict::Required));
            counts.can_stub += usize::from(row.stub);
            counts.can_fake += usize::from(row.fake);
            counts.undecided += usize::from(row.verdict.is_none());
        }
        let mut calls: Vec<_> = counts.into_iter().map(|(syscall, counts)| CallStatistics { syscall, counts }).collect();
        calls.sort_by_key(|call| (usize::MAX - call.counts.required, usize::MAX - call.counts.used, call.syscall));
        let where_count = |wanted: &dyn Fn(&CallCounts) -> bool| {
            calls.iter().filter(|call| wanted(&call.counts)).map(|call| call.syscall).collect::<BTreeSet<_>>()
        };
        let together = Together {
            used_by_any: where_count(&|counts| counts.used > 0),
            used_by_all: where_count(&|counts| counts.used == chosen.len()),
            required_by_any: where_count(&|counts| counts.required > 0),
            required_by_all: where_count(&|counts| counts.required == chosen.len()),
        };
        let known: BTreeSet<_> = chosen.values().map(|entry| entry.family()).collect();
        // A call of which it stayed open has to be taken for required.
        let needed: Vec<Vec<_>> =
            chosen.values().map(|entry| entry.required().union(&entry.undecided()).copied().collect()).collect();
        let used: Vec<Vec<_>> = chosen.values().map(|entry| entry.used().map(|(call, _)| call).collect()).collect();
        Self {
            apps: chosen.iter().map(|(app, entry)| ((*app).to_owned(), entry.name())).collect(),
            doubtful: chosen.values().filter(|entry| entry.is_doubtful()).map(|entry| entry.name()).collect(),
            unknown: all.iter().filter(|app| !known.contains(family(app))).map(|app| (*app).to_owned()).collect(),
            together,
            calls,
            coverage: Coverage::of(needed.iter().map(Vec::as_slice)),
            coverage_without_stubs: Coverage::of(used.iter().map(Vec::as_slice)),
        }
    }
}

/// `41 (35%)`.
fn share(count: usize, of: usize) -> String {
    let percent = (count * 100 + of / 2).checked_div(of).unwrap_or(0);
    format!("{count} ({percent}%)")
}

fn names(calls: &BTreeSet<Sysno>) -> String {
    calls.iter().map(|call| call.name()).collect::<Vec<_>>().join(" ")
}

/// Statistics as text.
#[must_use]
pub fn statistics_text(statistics: &Statistics) -> String {
    let apps = statistics.apps.len();
    let mut table = Table::new(&[
        ("syscall", Align::Left),
        ("use it", Align::Right),
        ("require it", Align::Right),
        ("can stub it", Align::Right),
        ("can fake it", Align::Right),
        ("undecided", Align::Right),
    ]);
    for CallStatistics { syscall, counts } in &statistics.calls {
        let undecided = if counts.undecided > 0 { counts.undecided.to_string() } else { String::new() };
        table.row([
            syscall.to_string(),
            share(counts.used, apps),
            share(counts.required, apps),
            share(counts.can_stub, apps),
            share(counts.can_fake, apps),
            undecided,
        ]);
    }
    let together = &statistics.together;
    let mut text = table.render();
    text.push_str(&format!("\n{}; shares are of them\n", counted(apps, "app")));
    if !statistics.unknown.is_empty() {
        text.push_str(&format!(
            "nothing is known of {}: {}\n",
            counted(statistics.unknown.len(), "app"),
            statistics.unknown.join(", ")
        ));
    }
    if !statistics.doubtful.is_empty() {
        let names = statistics.doubtful.join(", ");
        text.push_str(&format!(
            "doubtful, as no call at all is required, which a workload that passes whatever happens would give: {names}\n"
        ));
    }
    text.push_str(&format!(
        "together: {} used, {} required by at least one app\n",
        counted(together.used_by_any.len(), "call"),
        together.required_by_any.len()
    ));
    for (what, calls) in [("used", &together.used_by_all), ("required", &together.required_by_all)] {
        text.push_str(&format!("{what} by every app: {}", calls.len()));
        text.push_str(&if calls.is_empty() { "\n".to_owned() } else { format!(" ({})\n", names(calls)) });
    }
    text.push('\n');
    text.push_str(&coverage_text(statistics));
    text
}

/// Calls needed for each tenth of the apps, with stubs and without.
fn coverage_text(statistics: &Statistics) -> String {
    let (with, without) = (&statistics.coverage, &statistics.coverage_without_stubs);
    let mut table = Table::new(&[
        ("apps that run", Align::Right),
        ("calls, the others stubbed or faked", Align::Right),
        ("calls, without any stub", Align::Right),
    ]);
    let calls = |coverage: &Coverage, apps| coverage.calls_for(apps).map_or_else(String::new, |calls| calls.to_string());
    for tenth in 1..=10 {
        let apps = (with.of * tenth).div_ceil(10);
        table.row([format!("{}% ({apps})", tenth * 10), calls(with, apps), calls(without, apps)]);
    }
    let first: Vec<_> = with.steps.iter().take(20).map(|step| step.syscall.name()).collect();
    format!(
        "{}\nthe best order found ({}) begins with: {}\n`--format csv --of coverage` has all of it\n",
        table.render(),
        with.order,
        first.join(" ")
    )
}

/// The counts of every call as CSV.
#[must_use]
pub fn statistics_csv(statistics: &Statistics) -> String {
    let mut text = "syscall,apps,used,required,can-stub,can-fake,undecided\n".to_owned();
    for CallStatistics { syscall, counts } in &statistics.calls {
        let numbers = [statistics.apps.len(), counts.used, counts.required, counts.can_stub, counts.can_fake, counts.undecided];
        let mut cells = vec![syscall.to_string()];
        cells.extend(numbers.map(|number| number.to_string()));
        text.push_str(&csv_line(&cells));
    }
    text
}

/// Both coverage curves as CSV: the number of calls, the next call of each order, and the apps that run.
#[must_use]
pub fn coverage_csv(statistics: &Statistics) -> String {
    let (with, without) = (&statistics.coverage, &statistics.coverage_without_stubs);
    let mut text = "calls,syscall,apps,syscall-without-stubs,apps-without-stubs\n".to_owned();
    for calls in 0..=with.steps.len().max(without.steps.len()) {
        let name = |coverage: &Coverage| {
            let step = calls.checked_sub(1).and_then(|index| coverage.steps.get(index));
            step.map_or_else(String::new, |step| step.syscall.to_string())
        };
        let cells = [
            calls.to_string(),
            name(with),
            with.apps_with(calls).to_string(),
            name(without),
            without.apps_with(calls).to_string(),
        ];
        text.push_str(&csv_line(&cells));
    }
    text
}
