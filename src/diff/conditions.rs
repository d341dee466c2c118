//! Under which conditions two results came about, as far as these differ. Pure.

use super::{Condition, Results};
use crate::store::{Environment, Provenance};

/// The conditions that both sides tell and that differ, in the order in which they matter.
pub(super) fn differing(before: Results<'_>, after: Results<'_>) -> Vec<Condition> {
    let other = facts(after);
    let differing = facts(before).into_iter().filter_map(|(what, before)| {
        let (_, after) = other.iter().find(|(name, _)| *name == what)?;
        (before != *after).then(|| Condition { what, before, after: after.clone() })
    });
    differing.collect()
}

fn facts(results: Results<'_>) -> Vec<(String, String)> {
    match results {
        Results::Measured(finished) => measured(&finished.environment),
        Results::Imported(imported) => of_imported(&imported.provenance),
    }
}

fn named(facts: impl IntoIterator<Item = (&'static str, String)>) -> Vec<(String, String)> {
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn measured(environment: &Environment) -> Vec<(String, String)> {
    let identity = &environment.identity;
    let (app, client) = identity.image.split_once(" client ").unwrap_or((&identity.image, "none"));
    let mut facts = named([
        ("origin", "measured".to_owned()),
        ("image", app.to_owned()),
        ("client image", client.to_owned()),
        ("spec", identity.spec.clone()),
        ("architecture", identity.architecture.clone()),
        ("kernel", environment.kernel.clone()),
        ("measuring code", format!("version {}", identity.measuring)),
        ("engine", identity.engine.clone()),
        ("engine version", environment.engine_version.clone()),
        ("date", environment.date.map_or_else(|| "unknown".to_owned(), |date| date.to_string())),
    ]);
    let settings = serde_json::to_value(identity.settings).unwrap_or_default();
    let settings = settings.as_object().into_iter().flatten();
    facts.extend(
        settings
            .map(|(name, value)| (format!("setting {name}"), value.as_str().map_or_else(|| value.to_string(), str::to_owned))),
    );
    facts
}

fn of_imported(provenance: &Provenance) -> Vec<(String, String)> {
    named([
        ("origin", "imported".to_owned()),
        ("source", provenance.source.clone().unwrap_or_else(|| "unknown".to_owned())),
        ("variant", provenance.variant.clone()),
        ("table", provenance.dynamic.sha256.clone()),
        ("architecture", provenance.architecture.clone()),
        ("date", provenance.date.map_or_else(|| "unknown".to_owned(), |date| date.to_string())),
    ])
}
