//! `loupe static source`: C sources.

use anyhow::Context;

use super::super::printer::Printer;
use super::super::settings::Environment;
use super::super::show;
use super::super::status::{Status, WrongUsage};
use super::arguments::SourceArguments;
use super::{app_and_workload, threads};
use crate::cli::arguments::DataFormat;
use crate::report::{self, SourceJson};
use crate::static_analysis::folder;
use crate::static_analysis::source;
use crate::store::{Analysis, Store, write_analysis};
use crate::syscalls::Architecture;

/// Analyses, prints and stores.
pub(super) fn source(arguments: &SourceArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let directory = &arguments.directory;
    let name = directory.display().to_string();
    if !directory.is_dir() {
        return Err(WrongUsage(format!("`{name}` is no folder")).into());
    }
    let of = arguments.result.app.as_deref().map(app_and_workload).transpose()?;
    let (files, skipped) = folder::sources(directory).with_context(|| format!("cannot read the sources in `{name}`"))?;
    if files.is_empty() {
        return Err(WrongUsage(format!("there are no C sources in `{name}`\nhint: they have names that end in .c or .h")).into());
    }
    let findings = source::analyse(&files, skipped, Architecture::NATIVE, threads());
    if let Some((app, workload)) = of {
        let store = Store::open(environment.results(arguments.result.results.clone()));
        store.put_analysis(&app, &workload, Analysis::Source, &findings.sites(), &findings).map_err(show::failure)?;
    }
    match arguments.result.format {
        DataFormat::Text => printer.data(&report::source_text(&name, &findings, arguments.all)),
        DataFormat::Json => printer.json(&SourceJson { name: &name, findings: &findings }),
        DataFormat::Csv => printer.data(&write_analysis(&findings.sites())),
    }
    Ok(Status::Done)
}
