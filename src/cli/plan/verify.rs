//! `loupe plan --verify`: every step run, the plan corrected and verified again until it holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;

use super::super::interrupt;
use super::super::printer::Printer;
use super::super::settings::Environment;
use super::super::status::Status;
use super::PlanArguments;
use super::facts::Known;
use super::running::{self, Benches, NotReady, Runs};
use crate::campaign::Stop;
use crate::engine::Session;
use crate::report::{self, Checked};
use crate::spec::{AppSpec, SpecErrors};
use crate::support::{Aim, AppFacts, Evidence, Objective, Probe, Profile, StepState, Verification, Weights};

/// An app as it can be run, with those of its workloads that the plan is about.
struct Runnable {
    app: AppSpec,
}

/// Verifies, prints, and says how it went.
pub(super) fn verify(
    arguments: &PlanArguments,
    os: &Profile,
    known: Known,
    objective: Objective,
    weights: &Weights,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<Status> {
    let status = known.status;
    let mut runnable = BTreeMap::new();
    let mut specs = BTreeMap::new();
    for app in &known.apps {
        let can = find(&app.name, &known, arguments)?;
        match can {
            Ok(found) => {
                specs.insert(app.name.clone(), found);
                runnable.insert(app.name.clone(), Ok(()));
            }
            Err(why) => drop(runnable.insert(app.name.clone(), Err(why))),
        }
    }
    let mut verification = Verification::new(os, known.apps, known.unknown, objective, weights, runnable);
    let stop = Stop::default();
    let interrupted = super::super::block_on(async {
        interrupt::listen(stop.clone(), printer.clone()).context("cannot listen for signals")?;
        let benches = Benches::open(&arguments.running, environment, printer, stop.clone()).await?;
        carry_out(&mut verification, &specs, &benches, printer).await
    })?;
    let checked = Checked { states: verification.states(), corrections: verification.corrections().to_vec() };
    if interrupted {
        printer.note("interrupted: the plan below is verified in part, and not written to files");
        let without_files = PlanArguments { output: None, ..arguments.clone() };
        super::print(&without_files, verification.plan(), Some(&checked), printer)?;
        return Ok(Status::Interrupted);
    }
    super::print(arguments, verification.plan(), Some(&checked), printer)?;
    let refuted = checked.states.iter().any(|(_, _, state)| matches!(state, StepState::Refuted(_)));
    let verified = checked.states.iter().all(|(_, _, state)| *state == StepState::Verified);
    Ok(status.or_worse(match (refuted, verified) {
        (true, _) => Status::Negative,
        (false, true) => Status::Done,
        (false, false) => Status::Inconclusive,
    }))
}

/// The app's spec with the workloads that its facts are about, or why it cannot be run here. A spec with mistakes is an error.
fn find(name: &str, known: &Known, arguments: &PlanArguments) -> anyhow::Result<Result<Runnable, String>> {
    let app = name.split_once('/').map_or(name, |(app, _)| app);
    let folder = arguments.running.apps_dir.join(app);
    let mut app = match running::spec(app, &arguments.running.apps_dir) {
        Ok(app) => app,
        Err(error) if error.is::<SpecErrors>() => return Err(error),
        Err(_) => return Ok(Err(format!("there is no app `{}` to run", folder.display()))),
    };
    let measured = known.workloads.get(name).map(Vec::as_slice).unwrap_or_default();
    app.workloads.retain(|workload| measured.contains(&workload.name));
    let missing: Vec<_> =
        measured.iter().filter(|name| !app.workloads.iter().any(|workload| workload.name == **name)).cloned().collect();
    if missing.is_empty() {
        Ok(Ok(Runnable { app }))
    } else {
        Ok(Err(format!("its folder `{}` has no workload {}", folder.display(), missing.join(", "))))
    }
}

/// Runs what the verification asks for; whether it was interrupted.
async fn carry_out(
    verification: &mut Verification<'_>,
    specs: &BTreeMap<String, Runnable>,
    benches: &Benches<'_>,
    printer: &Printer,
) -> anyhow::Result<bool> {
    let mut sessions = BTreeMap::new();
    for (name, Runnable { app }) in specs {
        let mut of_app = Vec::new();
        for workload in &app.workloads {
            of_app.push((workload, benches.session(app, workload).await?));
        }
        sessions.insert(name.as_str(), of_app);
    }
    let result = with_sessions(verification, specs, &sessions, benches, printer).await;
    for (_, session) in sessions.values().flatten() {
        benches.close(session.as_ref()).await;
    }
    Ok(result)
}

async fn with_sessions<'s, S: Session + 'static>(
    verification: &mut Verification<'_>,
    specs: &'s BTreeMap<String, Runnable>,
    sessions: &'s BTreeMap<&str, Vec<(&'s crate::spec::Workload, Arc<S>)>>,
    benches: &'s Benches<'_>,
    printer: &Printer,
) -> bool {
    let mut ready: BTreeMap<String, Result<Vec<Runs<'s, S>>, String>> = BTreeMap::new();
    loop {
        let probes = verification.due();
        if probes.is_empty() {
            return false;
        }
        for probe in probes {
            if !ready.contains_key(&probe.app) {
                let Some(made) = make_ready(&probe.app, specs, sessions, benches).await else { return true };
                ready.insert(probe.app.clone(), made);
            }
            let facts = verification.facts().iter().find(|facts| facts.name == probe.app).cloned();
            let evidence = match ready.get_mut(&probe.app) {
                Some(Ok(workloads)) => match run(workloads, &probe, facts.as_ref()).await {
                    Some(evidence) => evidence,
                    None => return true,
                },
                Some(Err(why)) => Evidence::Inconclusive { reason: why.clone() },
                None => Evidence::Inconclusive { reason: "nobody knows how to run it".to_owned() },
            };
            printer.note(&told(&probe, &evidence));
            verification.record(&probe, evidence);
        }
    }
}

/// The app's workloads, each of which passes as it is, or why that is not so; `None` if interrupted.
async fn make_ready<'s, S: Session + 'static>(
    name: &str,
    specs: &'s BTreeMap<String, Runnable>,
    sessions: &'s BTreeMap<&str, Vec<(&'s crate::spec::Workload, Arc<S>)>>,
    benches: &'s Benches<'_>,
) -> Option<Result<Vec<Runs<'s, S>>, String>> {
    let mut all = Vec::new();
    let (Some(Runnable { app }), Some(of_app)) = (specs.get(name), sessions.get(name)) else { return Some(Ok(all)) };
    for (workload, session) in of_app {
        match benches.ready(app, workload, session).await {
            Ok(runs) => all.push(runs),
            Err(NotReady::Baseline(why)) => return Some(Err(format!("it fails even with all of Linux: {why}"))),
            Err(NotReady::Inconclusive(why)) => return Some(Err(why)),
            Err(NotReady::Interrupted) => return None,
        }
    }
    Some(Ok(all))
}

/// Runs every workload; the first that fails decides. `None` if interrupted.
async fn run<S: Session + 'static>(workloads: &mut [Runs<'_, S>], probe: &Probe, facts: Option<&AppFacts>) -> Option<Evidence> {
    let (mut all_runs, mut all_passes) = (0, 0);
    let mut made = Vec::new();
    for workload in workloads {
        let settled = workload.run(&probe.intervention).await;
        match running::evidence(&settled, &probe.intervention, facts)? {
            Evidence::Passed { runs, passes, absent } => {
                all_runs += runs;
                all_passes += passes;
                made.extend(absent);
            }
            Evidence::Failed { runs, passes, reason, absent } => {
                return Some(Evidence::Failed { runs, passes, reason: format!("{}: {reason}", workload.name), absent });
            }
            other @ Evidence::Inconclusive { .. } => return Some(other),
        }
    }
    Some(Evidence::Passed { runs: all_runs, passes: all_passes, absent: made })
}

/// One line of progress.
fn told(probe: &Probe, evidence: &Evidence) -> String {
    let aim = match probe.aim {
        Aim::Runs => "runs then",
        Aim::NotBefore => "does not run before",
        Aim::RunsAtTheEnd => "runs at the end",
        Aim::Search => "what is lacking",
    };
    let what = match evidence {
        Evidence::Passed { runs, passes, absent } => {
            let calls = report::counted(absent.len(), "call");
            format!("passed {passes} of {} ({calls} answered without being there)", report::counted(*runs as usize, "run"))
        }
        Evidence::Failed { reason, .. } => format!("failed: {reason}"),
        Evidence::Inconclusive { reason } => format!("inconclusive: {reason}"),
    };
    format!("step {}, {} ({aim}): {what}", probe.step, probe.app)
}
