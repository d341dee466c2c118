//! The containers of one session: what each is made of, and that none outlives it.
//!
//! A container is held by a guard, and its removal begins when the guard goes out of scope, also when a trial is given up in
//! the middle. Closing waits for every creation and removal under way.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType};
use bollard::query_parameters::{InspectContainerOptions, StartContainerOptions};
use tokio::task::JoinSet;

use super::DockerEngine;
use super::conversation::Conversation;
use super::images::Image;
use super::shim_volume::shim_mount;
use crate::shim;
use crate::spec::Workload;
use crate::trial::Trouble;
use crate::trial::wire::Stage;

/// Processes and threads of a sidecar.
const SIDECAR_PIDS: i64 = 4096;
/// Memory of a sidecar in bytes.
const SIDECAR_MEMORY: i64 = 2 * 1024 * 1024 * 1024;

/// Makes and removes the containers of one session.
#[derive(Debug)]
pub(super) struct Containers {
    pub(super) engine: DockerEngine,
    campaign: String,
    environment: Vec<String>,
    client_environment: Option<Vec<String>>,
    memory: i64,
    pids: i64,
    image: Image,
    /// The image of the sidecars: the client's, the check script's, or an empty one.
    pub(super) sidecar_image: Image,
    shim_volume: String,
    /// Containers that have not been removed yet.
    alive: Mutex<HashSet<String>>,
    /// Creations and removals under way, which nothing may cut short.
    tasks: Mutex<JoinSet<()>>,
    /// Whether nothing may be started any more.
    closed: AtomicBool,
}

/// A container that is removed when it goes out of scope, also when its trial is cancelled.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) id: String,
    containers: Arc<Containers>,
}

impl Drop for Container {
    fn drop(&mut self) {
        self.containers.remove_later(std::mem::take(&mut self.id));
    }
}

/// A poisoned lock only says that another trial panicked; the data is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn engine_trouble(error: &bollard::errors::Error) -> Trouble {
    Trouble::Engine(error.to_string())
}

fn environment(variables: &BTreeMap<String, String>) -> Vec<String> {
    variables.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

impl Containers {
    /// The containers of `workload` for `campaign`: the app's from `image`, sidecars from `sidecar_image`.
    pub(super) fn new(
        engine: DockerEngine,
        campaign: &str,
        workload: &Workload,
        image: Image,
        sidecar_image: Image,
        shim_volume: String,
    ) -> Self {
        Self {
            engine,
            campaign: campaign.to_owned(),
            environment: environment(&workload.environment),
            client_environment: workload.client.as_ref().map(|client| environment(&client.environment)),
            memory: i64::try_from(workload.limits.memory).unwrap_or(i64::MAX),
            pids: i64::from(workload.limits.pids),
            image,
            sidecar_image,
            shim_volume,
            alive: Mutex::default(),
            tasks: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// What containers of both kinds have in common: the shim as init, its streams attached, nothing logged by the engine.
    fn body(&self, image: &Image, mode: &str, host_config: HostConfig) -> ContainerCreateBody {
        ContainerCreateBody {
            image: Some(image.id.clone()),
            entrypoint: Some(vec![shim::PATH.to_owned(), mode.to_owned()]),
            cmd: Some(Vec::new()),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(true),
            stdin_once: Some(true),
            tty: Some(false),
            // A health check of the image would start processes of its own in the app's container.
            healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
            labels: Some(self.engine.labels(&self.campaign)),
            host_config: Some(HostConfig {
                mounts: Some(vec![shim_mount(&self.shim_volume, true)]),
                log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
                ..host_config
            }),
            ..ContainerCreateBody::default()
        }
    }

    pub(super) fn app_body(&self, sidecar: &str) -> ContainerCreateBody {
        let host_config = HostConfig {
            network_mode: Some(format!("container:{sidecar}")),
            cap_add: Some(vec!["SYS_PTRACE".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned(), "seccomp=unconfined".to_owned()]),
            memory: Some(self.memory),
            memory_swap: Some(self.memory),
            pids_limit: Some(self.pids),
            ..HostConfig::default()
        };
        ContainerCreateBody { env: Some(self.environment.clone()), ..self.body(&self.image, "supervise", host_config) }
    }

    /// A container like the app's, in which the shim makes containers for trials. It has to join the sidecar's first network
    /// namespace, in which the two find each other.
    pub(super) fn stage_body(&self, sidecar: &str) -> ContainerCreateBody {
        let app = self.app_body(sidecar);
        let host_config = app.host_config.unwrap_or_default();
        let mut mounts = host_config.mounts.unwrap_or_default();
        // Without a name: it is removed with the container.
        mounts.push(Mount { typ: Some(MountType::VOLUME), target: Some(shim::STAGE_DIRECTORY.to_owned()), ..Mount::default() });
        let mut security = host_config.security_opt.unwrap_or_default();
        security.extend(self.free_to_mount());
        ContainerCreateBody {
            entrypoint: Some(vec![shim::PATH.to_owned(), "stage".to_owned()]),
            user: Some("0:0".to_owned()),
            host_config: Some(HostConfig {
                mounts: Some(mounts),
                cap_add: Some(vec!["SYS_PTRACE".to_owned(), "SYS_ADMIN".to_owned()]),
                security_opt: Some(security),
                ..host_config
            }),
            ..app
        }
    }

    /// What is to be made on a stage.
    pub(super) fn on_stage(&self) -> Stage {
        let of_image = self.image.config.env.as_deref().unwrap_or_default();
        let home_is_set = of_image.iter().chain(&self.environment).any(|variable| variable.starts_with("HOME="));
        Stage { user: self.image.config.user.clone().unwrap_or_default(), home_is_set }
    }

    /// The default profile of AppArmor forbids mounting.
    fn free_to_mount(&self) -> Option<String> {
        self.engine.security.apparmor.then(|| "apparmor=unconfined".to_owned())
    }

    pub(super) fn sidecar_body(&self) -> ContainerCreateBody {
        let mut security = vec!["no-new-privileges".to_owned(), "seccomp=unconfined".to_owned()];
        // For a job's fresh temporary file systems.
        security.extend(self.free_to_mount());
        let temporary = shim::TEMPORARY_DIRECTORIES.iter().filter(|directory| **directory != "/dev/shm");
        let host_config = HostConfig {
            network_mode: Some("none".to_owned()),
            cap_add: Some(vec!["SYS_ADMIN".to_owned(), "NET_ADMIN".to_owned()]),
            security_opt: Some(security),
            readonly_rootfs: Some(true),
            tmpfs: Some(temporary.map(|directory| ((*directory).to_owned(), String::new())).collect()),
            memory: Some(SIDECAR_MEMORY),
            memory_swap: Some(SIDECAR_MEMORY),
            pids_limit: Some(SIDECAR_PIDS),
            ..HostConfig::default()
        };
        ContainerCreateBody {
            user: Some("0:0".to_owned()),
            env: self.client_environment.clone(),
            ..self.body(&self.sidecar_image, "sidecar", host_config)
        }
    }

    pub(super) async fn create(self: &Arc<Self>, part: &str, body: ContainerCreateBody) -> Result<Container, Trouble> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Trouble::Interrupted);
        }
        // In a task of its own: an engine that was asked makes the container, also when its trial is given up meanwhile. Whoever
        // waits for it no longer, the guard is dropped then and the container removed.
        let containers = Arc::clone(self);
        let options = self.engine.named(&self.campaign, part);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        lock(&self.tasks).spawn(async move {
            let created = containers.engine.docker.create_container(Some(options), body).await;
            let guarded = created.map(|created| {
                lock(&containers.alive).insert(created.id.clone());
                Container { id: created.id, containers: Arc::clone(&containers) }
            });
            drop(sender.send(guarded));
        });
        receiver.await.map_err(|_| Trouble::Interrupted)?.map_err(|error| engine_trouble(&error))
    }

    /// Attaches and starts, in this order, so that nothing the shim says is missed.
    pub(super) async fn start(&self, id: &str) -> Result<Conversation, Trouble> {
        let docker = &self.engine.docker;
        let conversation = Conversation::attach(docker, id).await.map_err(|error| engine_trouble(&error))?;
        docker.start_container(id, None::<StartContainerOptions>).await.map_err(|error| engine_trouble(&error))?;
        Ok(conversation)
    }

    pub(super) fn remove_later(self: &Arc<Self>, id: String) {
        // Without a runtime the program is ending, and the next start reaps what is left.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let containers = Arc::clone(self);
        lock(&self.tasks).spawn_on(async move { containers.remove(&id).await }, &runtime);
    }

    async fn remove(&self, id: &str) {
        match self.engine.remove_container(id).await {
            Ok(_) => {
                lock(&self.alive).remove(id);
            }
            // It stays in `alive`: closing the session tries again, and after that the next start reaps it by its label.
            Err(error) => tracing::warn!(container = id, %error, "cannot remove a container"),
        }
    }

    /// Whether the kernel killed a process of the container for lack of memory.
    pub(super) async fn ran_out_of_memory(&self, container: &str) -> Result<bool, Trouble> {
        let inspected = self.engine.docker.inspect_container(container, None::<InspectContainerOptions>).await;
        let state = inspected.map_err(|error| engine_trouble(&error))?.state;
        Ok(state.and_then(|state| state.oom_killed).unwrap_or(false))
    }

    /// Removes every container, and waits until that is done. Nothing can be created any more.
    pub(super) async fn close(self: &Arc<Self>) {
        self.closed.store(true, Ordering::SeqCst);
        // A creation that ends now leaves a removal behind.
        loop {
            let tasks = std::mem::take(&mut *lock(&self.tasks));
            if tasks.is_empty() {
                break;
            }
            tasks.join_all().await;
        }
        let alive: Vec<_> = lock(&self.alive).iter().cloned().collect();
        let removals: JoinSet<()> = alive
            .into_iter()
            .map(|id| {
                let containers = Arc::clone(self);
                async move { containers.remove(&id).await }
            })
            .collect();
        removals.join_all().await;
    }
}
