//! What `batch` and `run` share: from specs to the closing table and the exit status.
//!
//! Specs first, all of them, then the engine, then the folder of the results: whatever can be found wrong before the first image
//! is built, is.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use super::arguments::{Format, Measuring};
use super::explain::explain;
use super::interrupt;
use super::printer::Printer;
use super::progress::Reporters;
use super::settings::Environment;
use super::status::Status;
use super::waiting::{ENGINE, saying};
use crate::campaign::{self, CampaignEnd, CampaignName, Event, Options, Stop};
use crate::engine::docker::DockerEngine;
use crate::engine::{Engine, EngineError};
use crate::report;
use crate::spec::{AppSpec, Problem, SpecErrors};

/// Measures the apps that `load` gives.
///
/// # Errors
/// When nothing could be measured: broken specs, no engine, results that can't be written.
pub(super) fn measure(
    measuring: &Measuring,
    environment: &Environment,
    printer: &Printer,
    load: impl FnOnce() -> anyhow::Result<Vec<AppSpec>>,
) -> anyhow::Result<Status> {
    let began = Instant::now();
    let result = load().and_then(|apps| super::block_on(carry_out(measuring, environment, printer, &apps)));
    let status = match &result {
        Ok(finished) => finished.status,
        Err(error) => Status::of_error(error),
    };
    let ends = result.as_ref().map_or(&[][..], |finished| &finished.ends);
    match measuring.format {
        Format::Json => {
            let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            printer.json(&Summary::new(status, milliseconds, ends, result.as_ref().err()));
        }
        Format::Text => printer.data(&report::closing(ends)),
    }
    result.map(|_| status)
}

/// A batch that ran to its end.
struct Finished {
    ends: Vec<(CampaignName, CampaignEnd)>,
    status: Status,
}

async fn carry_out(
    measuring: &Measuring,
    environment: &Environment,
    printer: &Printer,
    apps: &[AppSpec],
) -> anyhow::Result<Finished> {
    if apps.is_empty() {
        printer.note("no app belongs to this shard");
        return Ok(Finished { ends: Vec::new(), status: Status::Done });
    }
    let stop = Stop::default();
    interrupt::listen(stop.clone(), printer.clone()).context("cannot listen for signals")?;
    let opening = async {
        let engine = DockerEngine::connect(environment.docker_host.as_deref()).await?.with(measuring.staging());
        let reaped = engine.reap().await?;
        Ok::<_, EngineError>((engine, reaped))
    };
    let (engine, reaped) = tokio::select! {
        () = stop.wait() => return Ok(Finished { ends: Vec::new(), status: Status::Interrupted }),
        opened = saying(printer, ENGINE, opening) => opened?,
    };
    let results = environment.results(measuring.results.clone());
    writable(&results)?;

    let reporters = Reporters::for_output(measuring.format, printer);
    if reaped > 0 {
        reporters.emit(&Event::Reaped { containers: reaped });
    }
    let options = Options { jobs: measuring.jobs(), freshness: measuring.freshness(), settings: measuring.settings(), results };
    let ends = campaign::batch(&engine, apps, &options, &|event| reporters.emit(&event), &stop).await;
    reporters.finish();
    // A container that a killed run had asked for may have come into being after the first look.
    if let Err(error) = saying(printer, ENGINE, engine.reap()).await {
        tracing::warn!(%error, "cannot look for what dead runs left");
    }

    let mut status = ends.iter().map(|(_, end)| Status::of_campaign(end)).fold(Status::Done, Status::or_worse);
    if stop.requested() && ends.len() < apps.iter().map(|app| app.workloads.len()).sum() {
        status = Status::Interrupted;
    }
    let failed = ends.iter().any(|(_, end)| matches!(end, CampaignEnd::Failed { .. }));
    // An engine that went away makes every app fail, and none of them is at fault.
    if failed && let Err(error) = engine.platform().await {
        printer.error(&explain(&error.into()));
        status = status.or_worse(Status::Environment);
    }
    if ends.iter().any(|(_, end)| matches!(end, CampaignEnd::Measured(_))) {
        let example = options.results.join("APP").join("WORKLOAD");
        printer.note(&format!("the verdicts are in {}", example.join("verdicts.csv").display()));
    }
    Ok(Finished { ends, status })
}

/// Finds out now, and not after the first trial, that nothing can be stored.
pub(super) fn writable(results: &Path) -> anyhow::Result<()> {
    let tried = std::fs::create_dir_all(results).and_then(|()| tempfile::tempfile_in(results).map(drop));
    let hint = "hint: name another folder with `--results`, or make this one writable";
    tried.with_context(|| format!("cannot write to the folder of the results `{}`\n{hint}", results.display()))
}

/// The last line of `--format json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Summary<'a> {
    event: &'static str,
    exit_code: u8,
    milliseconds: u64,
    campaigns: Vec<Ended<'a>>,
    /// What is wrong with the specs.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    problems: &'a [Problem],
    /// Why nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Ended<'a> {
    #[serde(flatten)]
    name: &'a CampaignName,
    #[serde(flatten)]
    end: &'a CampaignEnd,
}

impl<'a> Summary<'a> {
    pub(super) fn new(
        status: Status,
        milliseconds: u64,
        ends: &'a [(CampaignName, CampaignEnd)],
        error: Option<&'a anyhow::Error>,
    ) -> Self {
        let problems = error.and_then(|error| error.downcast_ref::<SpecErrors>()).map_or(&[][..], SpecErrors::problems);
        Self {
            event: "summary",
            exit_code: status.code(),
            milliseconds,
            campaigns: ends.iter().map(|(name, end)| Ended { name, end }).collect(),
            problems,
            error: error.filter(|_| problems.is_empty()).map(explain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Totals;

    #[test]
    fn the_summary_is_one_line_with_every_campaign_and_the_exit_code() {
        let name = |app: &str| CampaignName { app: app.to_owned(), workload: "w".to_owned() };
        let ends = [
            (name("a"), CampaignEnd::Measured(Totals { used: 3, ..Totals::default() })),
            (name("b"), CampaignEnd::Refused { reasons: vec!["baseline run 1: exit code 1".to_owned()], inconclusive: false }),
        ];
        let summary = serde_json::to_string(&Summary::new(Status::Negative, 1500, &ends, None)).unwrap();
        insta::assert_snapshot!(summary);
    }

    #[test]
    fn the_summary_says_why_nothing_was_measured() {
        let error = anyhow::anyhow!("no route").context("no container engine\nhint: start it");
        let summary = serde_json::to_string(&Summary::new(Status::Environment, 5, &[], Some(&error))).unwrap();
        assert_eq!(
            summary,
            r#"{"event":"summary","exit-code":3,"milliseconds":5,"campaigns":[],"error":"no container engine\n  caused by: no route\nhint: start it"}"#
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_with_a_hint() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = explain(&writable(&file.path().join("results")).unwrap_err());
        assert!(error.starts_with("cannot write to the folder of the results `"), "{error}");
        assert!(error.contains("\nhint: name another folder"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        writable(&folder.path().join("new/results")).unwrap();
    }
}
