//! `loupe batch` and `loupe run`: measure apps.

use std::path::Path;

use anyhow::anyhow;
use tokio::signal::unix::{SignalKind, signal};

use super::arguments::{BatchArguments, Format, MeasureArguments, RunArguments};
use super::printer::Printer;
use super::progress;
use super::settings::Settings;
use super::{Failure, Status};
use crate::campaign::{self, Event, Options, Stop};
use crate::engine::docker::DockerEngine;
use crate::explore;
use crate::report;
use crate::spec::{self, AppSpec, Roots, SpecErrors};

pub(super) async fn batch(arguments: &BatchArguments, settings: &Settings, printer: &Printer) -> Result<Status, Failure> {
    let only = globs(&arguments.only)?;
    let apps = spec::load_apps(&arguments.apps, &Roots::beside(&arguments.apps), only.as_ref());
    let mut apps = apps.map_err(|errors| spec_failure(&errors))?;
    if let Some(shard) = arguments.shard {
        let mut index = 0..;
        apps.retain(|_| index.next().is_some_and(|index| shard.contains(index)));
    }
    measure(&apps, &arguments.measure, settings, printer).await
}

pub(super) async fn run(arguments: &RunArguments, settings: &Settings, printer: &Printer) -> Result<Status, Failure> {
    let folder: &Path = &arguments.app;
    let app = spec::load_app(folder, &Roots::of_app(folder)).map_err(|errors| spec_failure(&errors))?;
    measure(&[app], &arguments.measure, settings, printer).await
}

fn spec_failure(errors: &SpecErrors) -> Failure {
    let count = errors.problems().len();
    let heading = if count == 1 { "the specs have a problem".to_owned() } else { format!("the specs have {count} problems") };
    Failure::new(Status::Usage, anyhow!("{heading}; nothing was built or run\n{errors}"))
}

fn globs(patterns: &[String]) -> Result<Option<globset::GlobSet>, Failure> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut builder = globset::GlobSetBuilder::new();
    for pattern in patterns {
        builder.add(globset::Glob::new(pattern).map_err(|error| Failure::new(Status::Usage, error))?);
    }
    builder.build().map(Some).map_err(|error| Failure::new(Status::Usage, error))
}

async fn measure(
    apps: &[AppSpec],
    arguments: &MeasureArguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<Status, Failure> {
    let environment = |error: crate::engine::EngineError| Failure::new(Status::Environment, error);
    let engine = DockerEngine::connect(settings.docker_host.as_deref()).await.map_err(environment)?;
    let reaped = engine.reap().await.map_err(environment)?;
    let options = Options {
        jobs: arguments.jobs.map_or_else(|| settings.default_jobs(), usize::from),
        fresh: arguments.fresh,
        settings: explore::Settings {
            baselines: arguments.baselines,
            joint_runs: arguments.joint_runs,
            count_hits: !arguments.no_hits,
            ..explore::Settings::default()
        },
        results: arguments.results.clone(),
    };
    let reporter = progress::reporter(arguments.format, printer);
    let emit = |event: Event| reporter.report(&event);
    if reaped > 0 {
        emit(Event::Reaped { containers: reaped });
    }
    let stop = Stop::default();
    let ends = tokio::select! {
        ends = campaign::batch(&engine, apps, &options, &emit, &stop) => ends,
        status = interrupts(&stop, printer) => return Ok(status),
    };
    reporter.finish();
    match arguments.format {
        Format::Text => printer.data(&report::batch_table(&ends)),
        Format::Json => {
            let ends: Vec<_> = ends.iter().map(|(name, end)| serde_json::json!({"campaign": name, "result": end})).collect();
            printer.data(&format!("{}\n", serde_json::json!({"event": "batch-ended", "campaigns": ends})));
        }
    }
    Ok(ends.iter().map(|(_, end)| Status::of(end)).max().unwrap_or(Status::Done))
}

/// The first signal asks the batch to stop, the second ends the program: only then does this return.
async fn interrupts(stop: &Stop, printer: &Printer) -> Status {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    let mut next = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    next().await;
    printer.urgent("stopping: what is finished is stored, and the same command continues (Ctrl-C again to stop at once)");
    stop.request();
    next().await;
    printer.urgent("stopped at once; the next run removes containers that are left");
    Status::Interrupted
}
