//! `loupe check`: would this app run on that OS?

mod arguments;

use anyhow::Context;

pub(super) use arguments::CheckArguments;

use super::arguments::Format;
use super::interrupt;
use super::os;
use super::plan::{Benches, NotReady, known, spec};
use super::printer::Printer;
use super::settings::Environment;
use super::status::{Status, WrongUsage};
use crate::campaign::{Settled, Stop};
use crate::report::{Answer, Check};
use crate::spec::AppSpec;
use crate::store::{Store, TrialRecord};
use crate::support::{Absent, AppFacts, Profile, Surroundings};
use crate::syscalls::Architecture;
use crate::trial::Intervention;

/// Runs the app's workloads under what the OS has, and prints the answers.
pub(super) fn check(arguments: &CheckArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let os = os::profile(&arguments.os, printer)?;
    let mut app = spec(&arguments.app, &arguments.running.apps_dir)?;
    if let Some(wanted) = &arguments.workload {
        let names: Vec<_> = app.workloads.iter().map(|workload| workload.name.clone()).collect();
        app.workloads.retain(|workload| workload.name == *wanted);
        if app.workloads.is_empty() {
            let message = format!("`{}` has no workload `{wanted}`\nhint: it has {}", app.name, names.join(", "));
            return Err(WrongUsage(message).into());
        }
    }
    let store = Store::open(environment.results(arguments.results.clone()));
    let mut facts = Vec::new();
    for workload in &app.workloads {
        let name = format!("{}/{}", app.name, workload.name);
        facts.push(known(&store, Some(&[name]), None, true, printer)?.apps.pop());
    }
    let stop = Stop::default();
    let checks = super::block_on(async {
        interrupt::listen(stop.clone(), printer.clone()).context("cannot listen for signals")?;
        let benches = Benches::open(&arguments.running, environment, printer, stop.clone()).await?;
        carry_out(arguments, &os, &app, &facts, &benches).await
    })?;
    match arguments.format {
        Format::Text => checks.iter().for_each(|check| printer.data(&check.text())),
        Format::Json => printer.json(&checks.iter().map(Check::json).collect::<Vec<_>>()),
    }
    let status = checks.iter().map(status).fold(Status::Done, Status::or_worse);
    Ok(if stop.requested() && checks.len() < app.workloads.len() { Status::Interrupted } else { status })
}

fn status(check: &Check) -> Status {
    match check.answer {
        Answer::Runs { .. } => Status::Done,
        Answer::Fails { .. } => Status::Negative,
        Answer::Inconclusive { .. } => Status::Inconclusive,
    }
}

/// One answer per workload, fewer if interrupted.
async fn carry_out(
    arguments: &CheckArguments,
    os: &Profile,
    app: &AppSpec,
    facts: &[Option<AppFacts>],
    benches: &Benches<'_>,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    for (workload, facts) in app.workloads.iter().zip(facts) {
        let facts = facts.as_ref();
        let allowed = facts.filter(|_| !arguments.strict);
        let intervention = Surroundings::of_os(os, allowed).intervention(Architecture::NATIVE, facts);
        let session = benches.session(app, workload).await?;
        let answer = match benches.ready(app, workload, &session).await {
            Ok(mut runs) => answer(&runs.run(&intervention).await, &intervention, facts),
            Err(NotReady::Baseline(why)) => {
                Some(Answer::Inconclusive { reason: format!("it fails even with all of Linux: {why}") })
            }
            Err(NotReady::Inconclusive(reason)) => Some(Answer::Inconclusive { reason }),
            Err(NotReady::Interrupted) => None,
        };
        benches.close(session.as_ref()).await;
        let Some(answer) = answer else { return Ok(checks) };
        checks.push(Check {
            app: app.name.clone(),
            workload: workload.name.clone(),
            os: os.title(),
            measured: facts.is_some(),
            strict: arguments.strict,
            answer,
        });
    }
    Ok(checks)
}

fn answer(settled: &Settled, intervention: &Intervention, facts: Option<&AppFacts>) -> Option<Answer> {
    let absent = |calls| Absent::seen(intervention, calls, facts);
    Some(match settled {
        Settled::Passed { runs, passes, calls } => Answer::Runs { absent: absent(calls), runs: *runs, passes: *passes },
        Settled::Failed { runs, passes, record, calls } => Answer::Fails {
            reason: record.result.to_string(),
            absent: absent(calls),
            log: log(record),
            runs: *runs,
            passes: *passes,
        },
        Settled::Inconclusive { reason } => Answer::Inconclusive { reason: reason.clone() },
        Settled::Interrupted => return None,
    })
}

/// The last lines that were written, by the app if it wrote any.
fn log(record: &TrialRecord) -> Vec<String> {
    let client = record.client.as_ref();
    let nothing = &Vec::new();
    let streams = [
        &record.app.stderr,
        &record.app.stdout,
        client.map_or(nothing, |client| &client.stderr),
        client.map_or(nothing, |client| &client.stdout),
    ];
    streams.into_iter().find(|lines| !lines.is_empty()).cloned().unwrap_or_default()
}
