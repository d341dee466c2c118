//! One app made ready on a Docker Engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::super::{EngineError, Notice, Session, Subject};
use super::berths::{Berths, Maker};
use super::containers::Containers;
use super::images::Image;
use super::trial::Setting;
use super::{DockerEngine, Staging};
use crate::spec::{AppSpec, Kind, Workload};
use crate::trial::{Deadline, Observation, Purpose, TrialRequest, Trouble};

/// An app made ready on a Docker Engine.
#[derive(Debug)]
pub struct DockerSession {
    subject: Subject,
    workload: Workload,
    pub(super) containers: Arc<Containers>,
    pub(super) berths: Arc<Berths>,
    /// Whether there are stages.
    staged: bool,
    /// Trials whose main process has ended, and that wait for those that it left.
    lingering: AtomicUsize,
}

/// Whether containers can be made on stages here; if not, why, and that the engine makes them all.
async fn try_stage(berths: &Arc<Berths>, notice: &Notice) -> bool {
    match berths.try_stage().await {
        Ok(()) => true,
        Err(Trouble::Engine(message) | Trouble::Shim(message) | Trouble::Sidecar(message)) => {
            notice(format!("every container is made by the engine, which takes longer: {message}"));
            false
        }
        Err(Trouble::Interrupted) => false,
    }
}

impl DockerSession {
    /// Makes the images, resolves what the spec leaves to them, and delivers the shim.
    pub(super) async fn open(
        engine: &DockerEngine,
        app: &AppSpec,
        workload: &Workload,
        campaign: &str,
        notice: Notice,
    ) -> Result<Self, EngineError> {
        let image = match &app.image {
            Some(source) => engine.image(source, &notice).await?,
            None => engine.build(&app.name, &app.directory, &app.build_arguments, &notice).await?,
        };
        let client_image = match (&workload.client, &workload.success.check) {
            (Some(client), _) => Some(engine.image(&client.image, &notice).await?),
            (None, Some(check)) => Some(match &check.image {
                Some(source) => engine.image(source, &notice).await?,
                None => image.clone(),
            }),
            (None, None) => None,
        };
        let subject = resolve(app, workload, &image, client_image.as_ref())?;
        let sidecar_image = match client_image {
            Some(image) => image,
            None => engine.empty_image().await?,
        };
        let shim_volume = engine.deliver_shim().await?;
        let containers = Containers::new(engine.clone(), campaign, workload, image, sidecar_image, shim_volume);
        let containers = Arc::new(containers);
        let berths = Arc::new(Berths::new(Arc::clone(&containers)));
        let staged = engine.staging == Staging::Stages && try_stage(&berths, &notice).await;
        Ok(Self { subject, workload: workload.clone(), containers, berths, staged, lingering: AtomicUsize::new(0) })
    }

    /// Who makes the container of a trial. What everything hangs upon runs in containers of the engine's own: what the app uses, that
    /// a broken app is noticed, and what is avoided at once.
    fn maker(&self, purpose: Purpose) -> Maker {
        match purpose {
            Purpose::Baseline
            | Purpose::Single
            | Purpose::Quiet
            | Purpose::Search
            | Purpose::Others
            | Purpose::Reasons
            | Purpose::Fallback
                if self.staged =>
            {
                Maker::Stage
            }
            Purpose::Baseline
            | Purpose::Single
            | Purpose::Quiet
            | Purpose::Others
            | Purpose::Reasons
            | Purpose::Fallback
            | Purpose::Trace
            | Purpose::Control
            | Purpose::Search
            | Purpose::Joint => Maker::Engine,
        }
    }

    async fn trial(&self, request: &TrialRequest, deadline: Deadline) -> Result<Observation, Trouble> {
        let begin = Instant::now();
        let berth = self.berths.take(self.maker(request.purpose)).await?;
        let setting = Setting {
            containers: &self.containers,
            subject: &self.subject,
            workload: &self.workload,
            lingering: &self.lingering,
        };
        let (observation, berth) = setting.run(berth, request, deadline, begin).await?;
        if let Some(berth) = berth {
            self.berths.give_back(berth);
        }
        Ok(observation)
    }
}

fn resolve(app: &AppSpec, workload: &Workload, image: &Image, client: Option<&Image>) -> Result<Subject, EngineError> {
    let name = format!("`{}`, workload `{}`", app.name, workload.name);
    let exposed = image.tcp_ports();
    let kind = workload.kind.unwrap_or(if exposed.is_empty() && workload.client.is_none() && workload.port.is_none() {
        Kind::RunToCompletion
    } else {
        Kind::Server
    });
    let port = match kind {
        Kind::Server => workload.port.or_else(|| exposed.first().copied()),
        Kind::RunToCompletion => None,
    };
    if kind == Kind::Server && port.is_none() && workload.client.is_none() {
        return Err(EngineError::Unfit(format!(
            "{name} is a server without client, and no port is known that it should listen on\n\
             hint: say `ready: {{port: N}}`, EXPOSE it in the Dockerfile, or add a client"
        )));
    }
    let command = workload.command.clone().unwrap_or_else(|| image.command());
    if command.is_empty() {
        return Err(EngineError::Unfit(format!(
            "{name} has no command\nhint: say `command: [PROGRAM, ARGUMENT, …]`, or add a CMD to the Dockerfile"
        )));
    }
    Ok(Subject { kind, port, image: image.id.clone(), client_image: client.map(|image| image.id.clone()), command })
}

impl Session for DockerSession {
    fn subject(&self) -> &Subject {
        &self.subject
    }

    fn isolation(&self) -> Option<String> {
        self.staged.then(|| {
            "trials of single items and baselines in containers that the shim makes, all others in the engine's".to_owned()
        })
    }

    fn expect(&self, trials: usize, at_once: usize) {
        self.berths.expect(trials, at_once);
    }

    async fn run(&self, request: &TrialRequest, deadline: Deadline) -> Observation {
        let begin = Instant::now();
        let mut observation = match self.trial(request, deadline).await {
            Ok(observation) => observation,
            Err(trouble) => Observation { trouble: Some(trouble), ..Observation::default() },
        };
        observation.timings.total = begin.elapsed();
        observation
    }

    fn lingers(&self) -> bool {
        self.lingering.load(Ordering::Relaxed) > 0
    }

    async fn close(&self) {
        self.berths.close().await;
        self.containers.close().await;
    }
}
