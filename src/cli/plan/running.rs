//! Running apps under what an OS has: what `plan --verify` and `check` share.

use std::path::Path;
use std::sync::Arc;

use super::super::printer::Printer;
use super::super::settings::Environment;
use super::super::status::WrongUsage;
use super::super::waiting::{ENGINE, saying};
use super::Running;
use crate::campaign::{Checks, Settled, Stop};
use crate::engine::docker::DockerEngine;
use crate::engine::{Engine, EngineError, Notice, Session};
use crate::spec::{AppSpec, Roots, Workload, load_app};
use crate::support::{Absent, AppFacts, Evidence};
use crate::trial::Intervention;

/// The spec of the app `name`: the folder of that path, or of that name among the apps.
pub(in super::super) fn spec(name: &str, apps: &Path) -> anyhow::Result<AppSpec> {
    let path = Path::new(name);
    let folder = if path.is_dir() { path.to_path_buf() } else { apps.join(name) };
    if !folder.is_dir() {
        let hint = format!("name an app's folder, or an app of `{}`; `--apps-dir` names another folder of apps", apps.display());
        return Err(WrongUsage(format!("there is no app `{name}` to be run\nhint: {hint}")).into());
    }
    Ok(load_app(&folder, &Roots::of_app(&folder))?)
}

/// An engine on which apps are run, with everything that it needs to be told.
pub(in super::super) struct Benches<'a> {
    engine: DockerEngine,
    running: &'a Running,
    stop: Stop,
    printer: &'a Printer,
}

/// A workload of an app that was made ready, and passes as it is.
pub(in super::super) struct Runs<'a, S> {
    /// `APP/WORKLOAD`.
    pub(in super::super) name: String,
    checks: Checks<'a, S>,
    wanted: u32,
    printer: Printer,
}

/// Why an app cannot be run.
pub(in super::super) enum NotReady {
    /// It fails even with all of Linux.
    Baseline(String),
    /// Nothing was learnt of it.
    Inconclusive(String),
    /// Somebody asked to stop.
    Interrupted,
}

impl<'a> Benches<'a> {
    /// Connects to the engine.
    ///
    /// # Errors
    /// If there is none.
    pub(in super::super) async fn open(
        running: &'a Running,
        environment: &Environment,
        printer: &'a Printer,
        stop: Stop,
    ) -> Result<Self, EngineError> {
        let engine = saying(printer, ENGINE, DockerEngine::connect(environment.docker_host.as_deref())).await?;
        saying(printer, ENGINE, engine.reap()).await?;
        Ok(Self { engine, running, stop, printer })
    }

    /// Makes a workload ready.
    ///
    /// # Errors
    /// If its image cannot be made, or the engine is gone.
    pub(in super::super) async fn session(
        &self,
        app: &AppSpec,
        workload: &Workload,
    ) -> Result<Arc<<DockerEngine as Engine>::Session>, EngineError> {
        let printer = self.printer.clone();
        let notice: Notice = Arc::new(move |message| printer.note(&message));
        let name = format!("{}/{}", app.name, workload.name);
        let preparing = Box::pin(self.engine.prepare(app, workload, &name, notice));
        saying(self.printer, || format!("{name} to be made ready"), preparing).await.map(Arc::new)
    }

    /// Removes what was made for a workload.
    pub(in super::super) async fn close(&self, session: &impl Session) {
        saying(self.printer, || "what was made for the runs to be removed".to_owned(), session.close()).await;
    }

    /// Sees whether the workload passes as it is, after which it can be run under interventions.
    pub(in super::super) async fn ready<'s, S: Session + 'static>(
        &'s self,
        app: &AppSpec,
        workload: &'s Workload,
        session: &'s Arc<S>,
    ) -> Result<Runs<'s, S>, NotReady> {
        let name = format!("{}/{}", app.name, workload.name);
        let mut checks = Checks::new(session, workload, self.running.jobs(), &self.stop);
        let settled = saying(self.printer, || format!("{name} to pass with all of Linux"), checks.baseline()).await;
        match settled {
            Settled::Passed { .. } => Ok(Runs { name, checks, wanted: self.running.runs, printer: self.printer.clone() }),
            Settled::Failed { record, .. } => Err(NotReady::Baseline(record.result.to_string())),
            Settled::Inconclusive { reason } => Err(NotReady::Inconclusive(reason)),
            Settled::Interrupted => Err(NotReady::Interrupted),
        }
    }
}

impl<S: Session + 'static> Runs<'_, S> {
    /// Runs the workload under an intervention until it is sure whether it passes.
    pub(in super::super) async fn run(&mut self, intervention: &Intervention) -> Settled {
        let Self { name, checks, wanted, printer } = self;
        saying(printer, || format!("{name} under what the OS has"), checks.run(intervention, *wanted)).await
    }
}

/// What runs showed, in the planner's words; `None` if they were interrupted.
pub(in super::super) fn evidence(settled: &Settled, intervention: &Intervention, facts: Option<&AppFacts>) -> Option<Evidence> {
    let absent = |calls| Absent::seen(intervention, calls, facts);
    Some(match settled {
        Settled::Passed { runs, passes, calls } => Evidence::Passed { runs: *runs, passes: *passes, absent: absent(calls) },
        Settled::Failed { runs, passes, record, calls } => {
            let reason = record.result.to_string();
            Evidence::Failed { runs: *runs, passes: *passes, reason, absent: absent(calls) }
        }
        Settled::Inconclusive { reason } => Evidence::Inconclusive { reason: reason.clone() },
        Settled::Interrupted => return None,
    })
}
