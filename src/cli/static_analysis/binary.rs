//! `loupe static binary`: a program with all that it loads.

use super::super::printer::Printer;
use super::super::settings::Environment;
use super::super::show;
use super::super::status::{Status, WrongUsage};
use super::arguments::BinaryArguments;
use super::target::{self, Subject, Target};
use super::{app_and_workload, threads};
use crate::cli::arguments::DataFormat;
use crate::report::{self, BinaryJson, Missed, Why};
use crate::static_analysis::binary::{self, BinaryError, Findings, Request};
use crate::store::{Analysis, Store, write_analysis};

/// What was found out about one subject.
struct Analysed {
    subject: Subject,
    findings: Findings,
    missed: Vec<Missed>,
}

/// Analyses, prints and stores.
pub(super) fn binary(arguments: &BinaryArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let store = Store::open(environment.results(arguments.result.results.clone()));
    let asked = arguments.result.app.as_deref().map(app_and_workload).transpose()?;
    let target = target::target(arguments, &store, environment, printer)?;
    if arguments.result.format == DataFormat::Csv && target.subjects.len() > 1 {
        let known: Vec<_> = target.subjects.iter().map(|subject| subject.name.as_str()).collect();
        let message = format!("a table in CSV is that of one workload\nhint: name one of {}", known.join(", "));
        return Err(WrongUsage(message).into());
    }
    let mut analysed = analyse(arguments, &target)?;
    for one in &mut analysed {
        let of = one.subject.of.clone().or_else(|| asked.clone());
        if let Some((app, workload)) = of {
            let finished = store.read(&app, &workload).map_err(show::failure)?.finished;
            one.missed = finished.map(|finished| report::missed(&one.findings, &finished.trace)).unwrap_or_default();
            let (table, details) = (one.findings.sites(), &one.findings);
            store.put_analysis(&app, &workload, Analysis::Binary, &table, details).map_err(show::failure)?;
        }
    }
    print(arguments, &analysed, printer);
    let incomplete =
        |one: &Analysed| !one.findings.missing.is_empty() || one.missed.iter().any(|missed| missed.why == Why::Overlooked);
    Ok(if analysed.iter().any(incomplete) { Status::Inconclusive } else { Status::Done })
}

/// Workloads that start the same program share its analysis.
fn analyse(arguments: &BinaryArguments, target: &Target) -> anyhow::Result<Vec<Analysed>> {
    let mut analysed: Vec<Analysed> = Vec::new();
    for subject in &target.subjects {
        let known = analysed.iter().find(|one| target::is_same(&one.subject, subject));
        let findings = match known {
            Some(one) => one.findings.clone(),
            None => binary::analyse(&*target.root, &request(arguments, subject)).map_err(failure)?,
        };
        analysed.push(Analysed { subject: subject.clone(), findings, missed: Vec::new() });
    }
    Ok(analysed)
}

fn request(arguments: &BinaryArguments, subject: &Subject) -> Request {
    Request {
        program: subject.program.clone(),
        also: arguments.also.clone(),
        environment: subject.environment.clone(),
        folder: subject.folder.clone(),
        threads: threads(),
    }
}

/// A program that isn't there or can't be read was asked for by mistake; files that can't be read are the environment's fault.
fn failure(error: BinaryError) -> anyhow::Error {
    match error {
        BinaryError::Root(_) => error.into(),
        BinaryError::NotFound { .. } | BinaryError::Scripts { .. } | BinaryError::Elf { .. } => {
            let text = error.to_string();
            let cause = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            WrongUsage(format!("{text}{cause}")).into()
        }
    }
}

fn print(arguments: &BinaryArguments, analysed: &[Analysed], printer: &Printer) {
    match arguments.result.format {
        DataFormat::Text if arguments.why.is_empty() => {
            let texts = analysed.iter().map(|one| report::binary_text(&one.subject.name, &one.findings, &one.missed));
            printer.data(&texts.collect::<Vec<_>>().join("\n"));
        }
        DataFormat::Text => {
            let way = |one: &Analysed, call| {
                let text = report::way_text(&one.findings, call);
                text.unwrap_or_else(|| format!("{call}: not reported for {}\n", one.subject.name))
            };
            let ways = analysed.iter().flat_map(|one| arguments.why.iter().map(move |call| way(one, *call)));
            printer.data(&ways.collect::<Vec<_>>().join("\n"));
        }
        DataFormat::Json => {
            let objects =
                analysed.iter().map(|one| BinaryJson { name: &one.subject.name, findings: &one.findings, missed: &one.missed });
            printer.json(&objects.collect::<Vec<_>>());
        }
        DataFormat::Csv => {
            for one in analysed {
                printer.data(&write_analysis(&one.findings.sites()));
            }
        }
    }
}
