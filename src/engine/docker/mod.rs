//! Docker Engine (API 1.41 or later) over bollard, which only this folder imports.
//!
//! One trial is one fresh app container, started through the shim, in a network namespace that never existed before. Per trial
//! that runs at the same time there is one *sidecar* container ("slot"): its init makes the network namespaces, and client
//! and check script run in it, each in namespaces and temporary file systems of its own (`crate::shim`). Nothing
//! is mounted from the host, so a remote engine works: the shim lies in a named volume, keyed by its hash.
//!
//! The app's container is made by the engine, or, for trials of single items, by the shim on a *stage*: a container of the app's image
//! that stays, one per slot ([`Staging`]). What everything hangs upon (traces, the control, the joint configuration) always runs in
//! containers of the engine's own, so a verdict that held on a stage only would not survive.
//!
//! What each container gets:
//!
//! | | app | stage | sidecar |
//! |---|---|---|---|
//! | network | the sidecar's current namespace | the sidecar's first one; trials on it, the current one | `none`, then namespaces of its own making |
//! | capabilities | the engine's default; `SYS_PTRACE` for the shim alone | as the app's; `SYS_ADMIN` for its init alone | default; `SYS_ADMIN`, `NET_ADMIN` for its init alone |
//! | root file system | the image's, writable, fresh | the image's; for each trial a fresh overlay over it, in a volume | the client's image, read-only, with temporary directories |
//! | seccomp | the trial's filter, installed by the shim; the engine's profile is `unconfined` | likewise | `unconfined` |
//! | new privileges | none | none | none |
//! | limits | memory and pids of the spec | the same | pids |

mod bare;
mod berths;
mod containers;
mod context;
mod conversation;
mod dockerfile;
mod export;
mod images;
mod owner;
mod resources;
mod session;
mod shim_volume;
mod trial;

pub use bare::BareCost;
pub use export::Exportable;
pub use resources::{CleanOptions, Cleaned};
pub use session::DockerSession;

use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;

use super::{Engine, EngineError, Notice, Platform};
use crate::spec::{AppSpec, Workload};

/// Longest wait for a single answer of the engine. Builds answer piece by piece.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// A connection to a Docker Engine.
#[derive(Debug, Clone)]
pub struct DockerEngine {
    docker: Docker,
    owner: Arc<owner::Owner>,
    /// Whether treated calls are counted; see [`crate::trial::Watch`].
    security: Arc<Security>,
    staging: Staging,
}

/// Who makes the containers of trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Staging {
    /// The engine makes every one.
    #[default]
    Engine,
    /// The shim makes those of single items, where it can; see [`crate::shim`].
    Stages,
}

/// What the engine confines containers with.
#[derive(Debug, Default)]
struct Security {
    apparmor: bool,
}

impl DockerEngine {
    /// Connects to `host` (a `DOCKER_HOST` value such as `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`), or to the local
    /// socket.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`] if nobody answers, or what answers is older than API 1.41.
    pub async fn connect(host: Option<&str>) -> Result<Self, EngineError> {
        let address = host.unwrap_or("unix:///var/run/docker.sock").to_owned();
        let unreachable = |source: bollard::errors::Error| EngineError::Unreachable {
            address: address.clone(),
            hint: hint_for(&address, &source),
            source: Box::new(source),
        };
        let docker = match host {
            Some(host) => Docker::connect_with_host(host),
            None => Docker::connect_with_unix_defaults(),
        };
        let docker = docker.map_err(&unreachable)?.with_timeout(ANSWER_LIMIT);
        let docker = docker.negotiate_version().await.map_err(&unreachable)?;
        let version = docker.client_version();
        if (version.major_version, version.minor_version) < (1, 41) {
            return Err(EngineError::Unfit(format!(
                "the engine at `{address}` speaks API {version}, and 1.41 is needed\nhint: update it to Docker Engine 20.10 or later"
            )));
        }
        let info = docker.info().await.map_err(&unreachable)?;
        let options = info.security_options.unwrap_or_default();
        let security = Security { apparmor: options.iter().any(|option| option.contains("apparmor")) };
        Ok(Self { docker, owner: Arc::new(owner::Owner::current()), security: Arc::new(security), staging: Staging::default() })
    }

    /// The same engine with containers made as `staging` says.
    #[must_use]
    pub fn with(self, staging: Staging) -> Self {
        Self { staging, ..self }
    }

    /// The version of the API that both sides agreed upon, such as `1.41`.
    #[must_use]
    pub fn api_version(&self) -> String {
        self.docker.client_version().to_string()
    }
}

fn hint_for(address: &str, error: &bollard::errors::Error) -> String {
    let text = format!("{error:?}");
    if text.contains("PermissionDenied") || text.contains("permission denied") {
        return "you may not use it: run as root, or add yourself to the group `docker`".to_owned();
    }
    if address.starts_with("unix://") {
        return "start it (`sudo systemctl start docker`, or `dockerd &` as root), install it (`apt-get install docker.io`), \
                or set DOCKER_HOST"
            .to_owned();
    }
    "check DOCKER_HOST, and that the engine listens there".to_owned()
}

/// Says what was being done when the engine refused.
pub(super) fn refused(what: impl Into<String>) -> impl FnOnce(bollard::errors::Error) -> EngineError {
    let what = what.into();
    move |source| EngineError::Refused { what, source: Box::new(source) }
}

impl Engine for DockerEngine {
    type Session = DockerSession;

    async fn platform(&self) -> Result<Platform, EngineError> {
        let info = self.docker.info().await.map_err(refused("ask the engine about itself"))?;
        Ok(Platform {
            engine: "docker".to_owned(),
            engine_version: info.server_version.unwrap_or_default(),
            kernel: info.kernel_version.unwrap_or_default(),
            architecture: info.architecture.unwrap_or_default(),
            operating_system: info.operating_system.unwrap_or_default(),
            isolation: None,
        })
    }

    async fn prepare(
        &self,
        app: &AppSpec,
        workload: &Workload,
        campaign: &str,
        notice: Notice,
    ) -> Result<DockerSession, EngineError> {
        DockerSession::open(self, app, workload, campaign, notice).await
    }
}
