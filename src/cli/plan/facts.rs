//! From the results to what a plan wants to know of apps.
//!
//! What was measured here is taken whole: an app with several measured workloads runs when all of them do. Of imported measurements
//! one stands for its app, as everywhere else ([`Entries::one_per_app`]): they are other people's choice of workloads, of different
//! dates. `APP/WORKLOAD` names a single one of either.

use std::collections::BTreeMap;

use globset::GlobMatcher;

use super::super::explain::explain;
use super::super::printer::Printer;
use super::super::show;
use super::super::status::Status;
use crate::explore::Plan;
use crate::store::{Caveat, DetailRow, Entries, Entry, JointSummary, Origin, Store};
use crate::support::{AppFacts, CallFacts, DetailFacts};
use crate::trial::Item;

/// What the results say of the apps that were asked for.
#[derive(Debug)]
pub(in super::super) struct Known {
    /// The apps with verdicts, in the order that decides ties.
    pub(in super::super) apps: Vec<AppFacts>,
    /// Those without.
    pub(in super::super) unknown: Vec<String>,
    /// The folders of results that were taken into account of each app.
    pub(in super::super) workloads: BTreeMap<String, Vec<String>>,
    /// Those that were left out, as their results prove little.
    pub(in super::super) weak: Vec<(String, Caveat)>,
    /// Not "done" if results are broken.
    pub(in super::super) status: Status,
}

/// Reads what is known of `wanted`, or of all apps by name, as far as it is of workloads that `workloads` matches. Of all apps, those whose
/// results prove little are left out unless `include_weak` asks for them.
///
/// # Errors
/// If the folder of the results cannot be listed. Broken results are told, and their apps are unknown.
pub(in super::super) fn known(
    store: &Store,
    wanted: Option<&[String]>,
    workloads: Option<&GlobMatcher>,
    include_weak: bool,
    printer: &Printer,
) -> anyhow::Result<Known> {
    let entries = store.entries().map_err(show::failure)?;
    let mut known =
        Known { apps: Vec::new(), unknown: Vec::new(), workloads: BTreeMap::new(), weak: Vec::new(), status: Status::Done };
    let names: Vec<String> = match wanted {
        Some(wanted) => wanted.to_vec(),
        None => entries.apps().into_iter().map(str::to_owned).collect(),
    };
    for name in names {
        let chosen = chosen(&entries, &name, workloads);
        // What one workload proves does not become less by another.
        let caveats: Vec<_> = chosen.iter().map(|entry| entry.caveat()).collect();
        if wanted.is_none()
            && !include_weak
            && let Some(caveat) = caveats.iter().copied().min().flatten()
        {
            known.weak.push((name, caveat));
            continue;
        }
        let facts = chosen.iter().map(|entry| of(&name, entry)).reduce(AppFacts::both);
        match facts {
            Some(facts) if !facts.calls.is_empty() => known.apps.push(facts),
            Some(_) | None => known.unknown.push(name.clone()),
        }
        known.workloads.insert(name, chosen.iter().map(|entry| entry.folder.clone()).collect());
    }
    for problem in entries.problems {
        printer.error(&explain(&show::failure(problem)));
        known.status = Status::Environment;
    }
    Ok(known)
}

/// The results that stand for what the user calls `name`.
fn chosen<'e>(entries: &'e Entries, name: &str, workloads: Option<&GlobMatcher>) -> Vec<&'e Entry> {
    let (app, workload) = name.split_once('/').map_or((name, None), |(app, workload)| (app, Some(workload)));
    let accepted = |entry: &Entry| match workload {
        Some(wanted) => entry.folder == wanted || entry.workload() == wanted,
        None => workloads.is_none_or(|glob| glob.is_match(&entry.folder) || glob.is_match(entry.workload())),
    };
    let measured = |entry: &&Entry| matches!(entry.origin, Origin::Measured(_)) && accepted(entry);
    let measured: Vec<_> = entries.of(app).filter(measured).collect();
    if !measured.is_empty() {
        return measured;
    }
    entries.one_per_app(|entry| entry.app == app && accepted(entry)).into_values().collect()
}

/// What one measurement says of the app called `name`.
fn of(name: &str, entry: &Entry) -> AppFacts {
    let calls = entry.used().map(|(call, row)| (call, CallFacts { stub: row.stub, fake: row.fake, joint: row.joint }));
    // Without any feature nobody looked at them: there is no app that makes only calls in which nothing can be told apart.
    let looked = !entry.features.is_empty();
    let together = match &entry.origin {
        Origin::Measured(measurement) => measurement.summary.everything.as_ref().filter(|joint| joint.verified > 0),
        Origin::Imported(_) | Origin::Nothing => None,
    };
    AppFacts {
        name: name.to_owned(),
        calls: calls.collect(),
        features: looked.then(|| details(&entry.features, together)),
        files: looked.then(|| details(&entry.pseudo_files, together)),
        fallbacks: entry.fallbacks.clone(),
    }
}

/// What is known of features or pseudo-files, of which `together` are avoided in the joint configuration.
fn details<T: Copy + Ord + Into<Item>>(
    rows: &BTreeMap<T, DetailRow>,
    together: Option<&JointSummary>,
) -> BTreeMap<T, DetailFacts> {
    let used = rows.iter().filter(|(_, row)| row.used);
    used.map(|(detail, row)| {
        let item = (*detail).into();
        let joint = together.map(|joint| match () {
            () if joint.stub.contains(&item) => Plan::Stub,
            () if joint.fake.contains(&item) => Plan::Fake,
            () => Plan::Implement,
        });
        (*detail, DetailFacts { stub: row.stub, fake: row.fake, joint })
    })
    .collect()
}
