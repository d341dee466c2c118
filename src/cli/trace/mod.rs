//! `loupe trace`: the trace alone. A command of this machine is observed; an app in a container is watched.

mod arguments;
mod sink;

use std::cell::Cell;

use anyhow::Context;

use super::arguments::Format;
use super::command::{Name, process_engine, spec_of_subject};
use super::interrupt;
use super::printer::Printer;
use super::settings::Environment;
use super::status::{Status, WrongUsage};
use super::waiting::{ENGINE, course, saying};
use crate::campaign::{Stop, watch_once};
use crate::engine::docker::DockerEngine;
use crate::engine::process::{Observed, Observing};
use crate::report::{self, TraceJson};
use crate::spec::{AppSpec, Roots, Workload, load_app};
use crate::trial::{Observe, Outcome};
pub(super) use arguments::TraceArguments;
use sink::Sink;

/// What the first Ctrl-C is answered with.
const STOPPING: &str = "ending what is traced (Ctrl-C again to stop at once)";
/// Bytes kept of each output stream of an observed command.
const OUTPUT_LIMIT: usize = 256 * 1024;

/// Traces what the command line says.
pub(super) fn trace(arguments: &TraceArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    // First of all: a trace that cannot be written is not worth making.
    let mut sink = Sink::open(arguments.output.as_deref(), printer)?;
    let status = super::block_on(async {
        let stop = Stop::default();
        interrupt::listen_and_say(STOPPING, stop.clone(), printer.clone()).context("cannot listen for signals")?;
        if arguments.app.is_some() || arguments.subject.image.is_some() {
            contained(arguments, environment, printer, &mut sink, &stop).await
        } else {
            observed(arguments, environment, printer, &mut sink, &stop).await
        }
    })?;
    sink.finish()?;
    Ok(status)
}

/// A command of this machine, whose calls are seen with their results.
async fn observed(
    arguments: &TraceArguments,
    environment: &Environment,
    printer: &Printer,
    sink: &mut Sink,
    stop: &Stop,
) -> anyhow::Result<Status> {
    let engine = process_engine(&arguments.subject, environment, printer)?;
    let isolation = saying(printer, || "namespaces".to_owned(), engine.isolation()).await?.to_owned();
    printer.note(&format!("isolation: {isolation}"));
    let command = arguments.subject.command.clone();
    let observe = Observe {
        command: command.clone(),
        lines: arguments.lines,
        output_limit: OUTPUT_LIMIT,
        wait_for_children: arguments.subject.wait_for_children,
    };
    let json = arguments.format == Format::Json;
    let lingers = Cell::new(false);
    let name = command.first().map_or("", String::as_str);
    let what = || if lingers.get() { format!("processes that `{name}` left when it ended") } else { format!("`{name}`") };
    let tell = |happening: Observing<'_>| match happening {
        Observing::Line(line) if json => sink.json(&serde_json::json!({ "event": "line", "text": line })),
        Observing::Line(line) => sink.line(line),
        Observing::MainEnded => lingers.set(true),
    };
    let enough = async {
        match arguments.timeout {
            Some(limit) => tokio::select! { () = stop.wait() => {}, () = tokio::time::sleep(limit) => {} },
            None => stop.wait().await,
        }
    };
    match saying(printer, what, engine.observe(observe, tell, enough)).await? {
        Observed::NotStarted(message) => Err(WrongUsage(message).into()),
        Observed::Over { trace, cut_short } => {
            if json {
                sink.json(&TraceJson::observed(&command, &isolation, &trace, cut_short));
            } else if arguments.lines {
                printer.note(&report::observed_closing(&trace, cut_short));
                if !trace.left.processes.is_empty() {
                    printer.note(&trace.left.to_string());
                }
                for reason in report::missing_in_trace(&trace) {
                    printer.note(&format!("not whole: {reason}"));
                }
            } else {
                sink.text(&report::observed_text(&trace, cut_short));
            }
            let status = if trace.escaped > 0 { Status::Inconclusive } else { Status::Done };
            Ok(if stop.requested() { Status::Interrupted } else { status })
        }
    }
}

/// An app or an image in a container, whose calls are seen as they are made.
async fn contained(
    arguments: &TraceArguments,
    environment: &Environment,
    printer: &Printer,
    sink: &mut Sink,
    stop: &Stop,
) -> anyhow::Result<Status> {
    let (app, workload) = chosen(arguments)?;
    let engine = tokio::select! {
        () = stop.wait() => return Ok(Status::Interrupted),
        engine = saying(printer, ENGINE, DockerEngine::connect(environment.docker_host.as_deref())) => engine?,
    };
    saying(printer, ENGINE, engine.reap()).await?;
    let (tell, what) = course(printer, "the traced run");
    let watching = Box::pin(watch_once(&engine, &app, &workload, arguments.timeout, tell, stop));
    let Some(watched) = saying(printer, what, watching).await? else {
        return Ok(Status::Interrupted);
    };
    if let Some(message) = &watched.observation.not_started {
        return Err(WrongUsage(message.clone()).into());
    }
    let outcome = &watched.outcome;
    match arguments.format {
        Format::Json => sink.json(&TraceJson::watched(&watched.command, &watched.observation, outcome)),
        Format::Text => sink.text(&report::watched_text(&watched.observation, outcome)),
    }
    Ok(match outcome {
        Outcome::Pass => Status::Done,
        Outcome::Fail(_) => Status::Negative,
        Outcome::Inconclusive(_) => Status::Inconclusive,
    })
}

/// The app and the workload that are run.
fn chosen(arguments: &TraceArguments) -> anyhow::Result<(AppSpec, Workload)> {
    let app = match &arguments.app {
        Some(folder) => load_app(folder, &Roots::of_app(folder))?,
        None => spec_of_subject(&Name::after(&arguments.subject), &arguments.subject),
    };
    let workload = match &arguments.workload {
        None => app.workloads.first(),
        Some(name) => app.workloads.iter().find(|workload| workload.name == *name),
    };
    let Some(workload) = workload.cloned() else {
        let names: Vec<_> = app.workloads.iter().map(|workload| workload.name.as_str()).collect();
        let wanted = arguments.workload.as_deref().unwrap_or_default();
        return Err(WrongUsage(format!("`{}` has no workload `{wanted}`\nhint: it has {}", app.name, names.join(", "))).into());
    };
    Ok((app, workload))
}
