//! From the results to what a plan wants to know of apps.

use std::collections::BTreeMap;

use globset::GlobMatcher;

use crate::store::{Finished, Store};
use crate::support::{AppFacts, CallFacts, DetailFacts};

use super::super::show;

/// What the results say of the apps that were asked for.
#[derive(Debug, Default)]
pub(in super::super) struct Known {
    /// The apps with verdicts, in the order that decides ties.
    pub(in super::super) apps: Vec<AppFacts>,
    /// Those without.
    pub(in super::super) unknown: Vec<String>,
    /// The workloads that were taken into account of each app.
    pub(in super::super) workloads: BTreeMap<String, Vec<String>>,
}

/// Reads what is known of `wanted`, or of all apps by name. An app is `APP`, with all its workloads that `workloads` matches, or
/// `APP/WORKLOAD`.
pub(in super::super) fn known(store: &Store, wanted: Option<&[String]>, workloads: Option<&GlobMatcher>) -> anyhow::Result<Known> {
    let all = store.list().map_err(show::failure)?;
    let names: Vec<String> = match wanted {
        Some(wanted) => wanted.to_vec(),
        None => {
            let mut names: Vec<_> = all.iter().map(|(app, _)| app.clone()).collect();
            names.dedup();
            names
        }
    };
    let mut known = Known::default();
    for name in names {
        let (app, workload) = name.split_once('/').map_or((name.as_str(), None), |(app, workload)| (app, Some(workload)));
        let chosen = all.iter().filter(|(candidate, of)| {
            candidate == app && workload.map_or_else(|| workloads.is_none_or(|glob| glob.is_match(of)), |wanted| wanted == of)
        });
        let mut facts: Option<AppFacts> = None;
        for (app, workload) in chosen {
            if let Some(finished) = store.read(app, workload).map_err(show::failure)?.finished {
                let of_workload = of(&name, &finished);
                facts = Some(match facts {
                    None => of_workload,
                    Some(facts) => facts.both(of_workload),
                });
                known.workloads.entry(name.clone()).or_default().push(workload.clone());
            }
        }
        match facts {
            Some(facts) if !facts.calls.is_empty() => known.apps.push(facts),
            Some(_) | None => known.unknown.push(name),
        }
    }
    Ok(known)
}

/// What one measurement says of the app called `name`.
fn of(name: &str, finished: &Finished) -> AppFacts {
    let used = finished.verdicts.iter().filter(|(_, row)| row.used);
    let calls = used.map(|(call, row)| (*call, CallFacts { stub: row.stub, fake: row.fake, joint: Some(row.joint) }));
    let detail = |row: &crate::store::DetailRow| DetailFacts { stub: row.stub, fake: row.fake };
    let features: BTreeMap<_, _> =
        finished.features.iter().filter(|(_, row)| row.used).map(|(feature, row)| (*feature, detail(row))).collect();
    let files: BTreeMap<_, _> =
        finished.pseudo_files.iter().filter(|(_, row)| row.used).map(|(file, row)| (*file, detail(row))).collect();
    // Without any feature nobody looked at them: there is no app that makes only calls in which nothing can be told apart.
    let looked = !features.is_empty();
    AppFacts {
        name: name.to_owned(),
        calls: calls.collect(),
        features: looked.then_some(features),
        files: looked.then_some(files),
    }
}
