//! What the containers of a trial cost by themselves: the yardstick of `benches/campaign.rs`. No trial uses this.

use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{StartContainerOptions, WaitContainerOptions};
use futures_util::StreamExt;

use super::super::EngineError;
use super::DockerSession;
use super::refused;
use crate::shim;
use crate::trial::Trouble;

/// What the engine took for one container, step by step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BareCost {
    /// Creating it.
    pub create: Duration,
    /// Starting it.
    pub start: Duration,
    /// Waiting until it had ended, which it does at once.
    pub wait: Duration,
    /// Removing it.
    pub remove: Duration,
}

impl BareCost {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.create + self.start + self.wait + self.remove
    }
}

fn failed(trouble: Trouble) -> EngineError {
    let (Trouble::Engine(message) | Trouble::Shim(message) | Trouble::Sidecar(message)) = trouble else {
        return EngineError::Unfit("the session is closed".to_owned());
    };
    EngineError::Unfit(message)
}

impl DockerSession {
    /// Creates, starts, awaits and removes a container that differs from one of a trial in that its program ends at once.
    ///
    /// # Errors
    /// When the engine refuses one of these.
    pub async fn bare_container(&self) -> Result<BareCost, EngineError> {
        let slot = self.berths.slot().await.map_err(failed)?;
        let body = self.containers.app_body(slot.id());
        let body = ContainerCreateBody {
            entrypoint: Some(vec![shim::PATH.to_owned()]),
            attach_stdin: Some(false),
            open_stdin: Some(false),
            stdin_once: Some(false),
            ..body
        };
        let begin = Instant::now();
        let container = self.containers.create("bare", body).await.map_err(failed)?;
        let created = Instant::now();
        let docker = &self.containers.engine.docker;
        let options = None::<StartContainerOptions>;
        docker.start_container(&container.id, options).await.map_err(refused("start a container"))?;
        let started = Instant::now();
        // An exit code other than 0 is an error for bollard; all that matters here is that there is one.
        let _ = docker.wait_container(&container.id, None::<WaitContainerOptions>).next().await;
        let ended = Instant::now();
        self.containers.engine.remove_container(&container.id).await?;
        let removed = Instant::now();
        self.berths.keep(slot);
        Ok(BareCost { create: created - begin, start: started - created, wait: ended - started, remove: removed - ended })
    }
}
