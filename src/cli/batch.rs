//! `loupe batch`: every app of a folder.

use globset::GlobSetBuilder;

use super::arguments::BatchArguments;
use super::measure::measure;
use super::printer::Printer;
use super::settings::Environment;
use super::status::Status;
use crate::spec::{AppSpec, Roots, load_apps, load_apps_and_variants};

/// Measures the chosen apps.
pub(super) fn batch(arguments: &BatchArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    measure(&arguments.measuring, environment, printer, || apps(arguments))
}

/// All chosen apps are read before the shard is taken, so that every machine sees every mistake and the same order.
fn apps(arguments: &BatchArguments) -> anyhow::Result<Vec<AppSpec>> {
    let mut only = GlobSetBuilder::new();
    for glob in &arguments.only {
        only.add(glob.clone());
    }
    let only = only.build()?;
    let chosen = (!only.is_empty()).then_some(&only);
    let load = if arguments.variants { load_apps_and_variants } else { load_apps };
    let apps = load(&arguments.apps, &Roots::beside(&arguments.apps), chosen)?;
    Ok(match arguments.shard {
        Some(shard) => shard.select(apps),
        None => apps,
    })
}
