//! An engine that runs nothing: a model says what each trial would give. For tests of everything above the engines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Engine, EngineError, Notice, Platform, Session, Subject};
use crate::spec::{AppSpec, Kind, Workload};
use crate::trial::{CallStatistics, Deadline, Ending, Item, Observation, TrialRequest, Trouble, Watch};

/// What a trial of a simulated app gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Simulated {
    /// The app exits with this code.
    Exit(i32),
    /// The engine has trouble.
    Trouble(String),
    /// The app never ends.
    Hang,
}

/// Says what a trial of the app named first gives.
pub type Model = Arc<dyn Fn(&str, &TrialRequest) -> Simulated + Send + Sync>;

/// A model in the guise of an engine.
#[derive(Clone)]
pub struct SimulatedEngine {
    /// What each trial gives.
    pub model: Model,
    /// What every app is seen to use: calls and details.
    pub used: Vec<Item>,
    /// How long every trial takes.
    pub duration: Duration,
    /// Content identity of every image.
    pub image: String,
    running: Arc<AtomicUsize>,
    most_running: Arc<AtomicUsize>,
}

impl std::fmt::Debug for SimulatedEngine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SimulatedEngine").field("used", &self.used).finish_non_exhaustive()
    }
}

impl SimulatedEngine {
    /// An engine on which every app uses these items, given as text, and `model` says what happens.
    pub fn new<'a>(
        used: impl IntoIterator<Item = &'a str>,
        model: impl Fn(&str, &TrialRequest) -> Simulated + Send + Sync + 'static,
    ) -> Self {
        let used = used.into_iter().filter_map(|text| text.parse().ok()).collect();
        Self {
            model: Arc::new(model),
            used,
            duration: Duration::ZERO,
            image: "sha256:simulated".to_owned(),
            running: Arc::default(),
            most_running: Arc::default(),
        }
    }

    /// The largest number of trials that ran at the same time.
    #[must_use]
    pub fn most_running(&self) -> usize {
        self.most_running.load(Ordering::SeqCst)
    }
}

impl Engine for SimulatedEngine {
    type Session = SimulatedSession;

    async fn platform(&self) -> Result<Platform, EngineError> {
        Ok(Platform {
            engine: "simulated".to_owned(),
            engine_version: "1".to_owned(),
            kernel: "none".to_owned(),
            architecture: "x86_64".to_owned(),
            operating_system: "none".to_owned(),
            isolation: None,
        })
    }

    async fn prepare(
        &self,
        app: &AppSpec,
        workload: &Workload,
        _: &str,
        notice: Notice,
    ) -> Result<SimulatedSession, EngineError> {
        notice(format!("simulating {}", app.name));
        let subject = Subject {
            kind: workload.kind.unwrap_or(Kind::RunToCompletion),
            port: None,
            image: self.image.clone(),
            client_image: None,
            command: workload.command.clone().unwrap_or_default(),
        };
        Ok(SimulatedSession { engine: self.clone(), app: app.name.clone(), subject })
    }
}

/// A simulated app made ready.
#[derive(Debug)]
pub struct SimulatedSession {
    engine: SimulatedEngine,
    app: String,
    subject: Subject,
}

impl Session for SimulatedSession {
    fn subject(&self) -> &Subject {
        &self.subject
    }

    fn expect(&self, _: usize, _: usize) {}

    async fn run(&self, request: &TrialRequest, deadline: Deadline) -> Observation {
        let running = self.engine.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.engine.most_running.fetch_max(running, Ordering::SeqCst);
        tokio::time::sleep(self.engine.duration).await;
        self.engine.running.fetch_sub(1, Ordering::SeqCst);
        let mut observation = Observation { ready: true, ..Observation::default() };
        observation.timings.workload = self.engine.duration;
        observation.timings.total = self.engine.duration;
        match (self.engine.model)(&self.app, request) {
            Simulated::Exit(code) => observation.app.main = Some(Ending::Exited(code)),
            Simulated::Trouble(message) => observation.trouble = Some(Trouble::Engine(message)),
            Simulated::Hang => observation.deadline = Some(deadline.work),
        }
        // It uses nothing but what a trace shows.
        observation.calls.new_uses = request.traced.as_ref().map(|_| std::collections::BTreeMap::new());
        let seen = self.engine.used.iter().filter(|item| match request.watch {
            Watch::Everything => true,
            Watch::Treated => request.intervention.get(**item).is_some(),
            Watch::Nothing => false,
        });
        for item in seen {
            match item {
                Item::Call(call) => {
                    observation.calls.calls.insert(*call, CallStatistics { count: 1, ..CallStatistics::default() });
                }
                Item::Feature(feature) => {
                    observation.calls.features.insert(*feature, 1);
                }
                Item::File(file) => {
                    observation.calls.files.insert(*file, 1);
                }
            }
        }
        observation
    }

    async fn close(&self) {}
}
