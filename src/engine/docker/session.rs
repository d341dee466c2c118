//! One app made ready on a Docker Engine, and its trials.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType, VolumeCreateRequest,
};
use bollard::query_parameters::{
    ContainerArchiveInfoOptions, CreateContainerOptions, DownloadFromContainerOptions, InspectContainerOptions,
    StartContainerOptions, UploadToContainerOptions,
};
use bytes::Bytes;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::super::{EngineError, Notice, SHIM, Session, Subject};
use super::conversation::{Broken, Conversation};
use super::images::{self, Image};
use super::resources::SHARED;
use super::{DockerEngine, refused};
use crate::shim;
use crate::spec::{AppSpec, Kind, Workload};
use crate::trial::wire::{AppReport, Command, Event, Job, JobEnd, JobFile, Launch};
use crate::trial::{CheckEnd, ClientEnd, Ending, Observation, Output, Timings, TrialRequest, Trouble};

/// Longest wait for a container to be there with the app's first instruction executed.
const SETUP_LIMIT: Duration = Duration::from_secs(90);
/// Longest wait for a shim to do what takes it milliseconds: kill, report, make a namespace.
const SHIM_LIMIT: Duration = Duration::from_secs(20);
/// Longest time a check script may take.
const CHECK_LIMIT: Duration = Duration::from_secs(60);
/// Bytes taken of each file that a spec asks for.
const FILE_LIMIT: usize = 4 * 1024 * 1024;
/// Processes and threads of a sidecar.
const SIDECAR_PIDS: i64 = 4096;
/// Memory of a sidecar in bytes.
const SIDECAR_MEMORY: i64 = 2 * 1024 * 1024 * 1024;

/// An app made ready on a Docker Engine.
#[derive(Debug)]
pub struct DockerSession {
    subject: Subject,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: DockerEngine,
    campaign: String,
    workload: Workload,
    image: Image,
    /// The image of the sidecars: the client's, the check script's, or an empty one.
    sidecar_image: Image,
    shim_volume: String,
    /// Slots that no trial uses at the moment.
    idle: Mutex<Vec<Slot>>,
    /// Containers that have not been removed yet.
    alive: Mutex<HashSet<String>>,
    /// Creations and removals under way, which nothing may cut short.
    tasks: Mutex<JoinSet<()>>,
    /// Whether nothing may be started any more.
    closed: AtomicBool,
}

/// A sidecar container with the conversation with its init.
#[derive(Debug)]
struct Slot {
    id: String,
    conversation: Conversation,
}

/// A container that is removed when it goes out of scope, also when its trial is cancelled.
struct Container {
    id: String,
    inner: Arc<Inner>,
}

impl Drop for Container {
    fn drop(&mut self) {
        self.inner.remove_later(std::mem::take(&mut self.id));
    }
}

/// A poisoned lock only says that another trial panicked; the data is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn engine_trouble(error: &bollard::errors::Error) -> Trouble {
    Trouble::Engine(error.to_string())
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
        let image = engine.build(&app.name, &app.directory, &app.build_arguments, &notice).await?;
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
        let inner = Inner {
            engine: engine.clone(),
            campaign: campaign.to_owned(),
            workload: workload.clone(),
            image,
            sidecar_image,
            shim_volume,
            idle: Mutex::default(),
            alive: Mutex::default(),
            tasks: Mutex::default(),
            closed: AtomicBool::new(false),
        };
        Ok(Self { subject, inner: Arc::new(inner) })
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

impl DockerEngine {
    /// Puts the shim into a volume that is named after its content, unless it is there already; its name.
    async fn deliver_shim(&self) -> Result<String, EngineError> {
        let digest: String = Sha256::digest(SHIM).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("loupe-shim-{digest}");
        let request =
            VolumeCreateRequest { name: Some(name.clone()), labels: Some(self.labels(SHARED)), ..VolumeCreateRequest::default() };
        self.docker.create_volume(request).await.map_err(refused(format!("create the volume `{name}`")))?;
        let image = self.empty_image().await?;
        // Never started: it only makes the volume reachable.
        let body = ContainerCreateBody {
            image: Some(image.id),
            cmd: Some(vec![shim::PATH.to_owned()]),
            labels: Some(self.labels(SHARED)),
            host_config: Some(HostConfig {
                mounts: Some(vec![shim_mount(&name, false)]),
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let created = self.docker.create_container(None::<CreateContainerOptions>, body).await;
        let carrier = created.map_err(refused("create a container that carries the shim"))?.id;
        let delivered = self.fill_shim_volume(&carrier).await;
        self.remove_container(&carrier).await?;
        delivered.map(|()| name)
    }

    async fn fill_shim_volume(&self, carrier: &str) -> Result<(), EngineError> {
        let options = ContainerArchiveInfoOptions { path: shim::PATH.to_owned() };
        let present = self.docker.get_container_archive_info(carrier, Some(options)).await;
        if present.is_ok_and(|status| usize::try_from(status.size).is_ok_and(|size| size == SHIM.len())) {
            return Ok(());
        }
        let path = Path::new(shim::PATH);
        let (directory, file) = (path.parent().unwrap_or(Path::new("/")), path.file_name().unwrap_or_default());
        let mut archive = tar::Builder::new(Vec::new());
        let archive = images::append(&mut archive, &file.to_string_lossy(), SHIM, 0o755).and_then(|()| archive.into_inner());
        let archive = archive.map_err(|error| EngineError::Unfit(format!("cannot pack the shim: {error}")))?;
        let options =
            UploadToContainerOptions { path: directory.to_string_lossy().into_owned(), ..UploadToContainerOptions::default() };
        let body = bollard::body_full(Bytes::from(archive));
        self.docker.upload_to_container(carrier, Some(options), body).await.map_err(refused("deliver the shim"))
    }
}

fn shim_mount(volume: &str, read_only: bool) -> Mount {
    let directory = Path::new(shim::PATH).parent().unwrap_or(Path::new("/"));
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume.to_owned()),
        target: Some(directory.to_string_lossy().into_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

impl Inner {
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

    fn app_body(&self, sidecar: &str) -> ContainerCreateBody {
        let limits = self.workload.limits;
        let memory = i64::try_from(limits.memory).unwrap_or(i64::MAX);
        let host_config = HostConfig {
            network_mode: Some(format!("container:{sidecar}")),
            cap_add: Some(vec!["SYS_PTRACE".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned(), "seccomp=unconfined".to_owned()]),
            memory: Some(memory),
            memory_swap: Some(memory),
            pids_limit: Some(i64::from(limits.pids)),
            ..HostConfig::default()
        };
        ContainerCreateBody {
            env: Some(environment(&self.workload.environment)),
            ..self.body(&self.image, "supervise", host_config)
        }
    }

    fn sidecar_body(&self) -> ContainerCreateBody {
        let mut security = vec!["no-new-privileges".to_owned(), "seccomp=unconfined".to_owned()];
        if self.engine.security.apparmor {
            // The default profile forbids mounting, which a job's fresh temporary file systems need.
            security.push("apparmor=unconfined".to_owned());
        }
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
        let client_environment = self.workload.client.as_ref().map(|client| environment(&client.environment));
        ContainerCreateBody {
            user: Some("0:0".to_owned()),
            env: client_environment,
            ..self.body(&self.sidecar_image, "sidecar", host_config)
        }
    }

    async fn create(self: &Arc<Self>, body: ContainerCreateBody) -> Result<Container, Trouble> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Trouble::Interrupted);
        }
        // In a task of its own: an engine that was asked makes the container, also when its trial is given up meanwhile. Whoever
        // waits for it no longer, the guard is dropped then and the container removed.
        let inner = Arc::clone(self);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        lock(&self.tasks).spawn(async move {
            let created = inner.engine.docker.create_container(None::<CreateContainerOptions>, body).await;
            let guarded = created.map(|created| {
                lock(&inner.alive).insert(created.id.clone());
                Container { id: created.id, inner: Arc::clone(&inner) }
            });
            drop(sender.send(guarded));
        });
        receiver.await.map_err(|_| Trouble::Interrupted)?.map_err(|error| engine_trouble(&error))
    }

    /// Attaches and starts, in this order, so that nothing the shim says is missed.
    async fn start(&self, id: &str) -> Result<Conversation, Trouble> {
        let docker = &self.engine.docker;
        let conversation = Conversation::attach(docker, id).await.map_err(|error| engine_trouble(&error))?;
        docker.start_container(id, None::<StartContainerOptions>).await.map_err(|error| engine_trouble(&error))?;
        Ok(conversation)
    }

    fn remove_later(self: &Arc<Self>, id: String) {
        // Without a runtime the program is ending, and the next start reaps what is left.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let inner = Arc::clone(self);
        lock(&self.tasks).spawn_on(async move { inner.remove(&id).await }, &runtime);
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

    /// An idle slot, or a new one.
    async fn slot(self: &Arc<Self>) -> Result<Slot, Trouble> {
        if let Some(slot) = lock(&self.idle).pop() {
            return Ok(slot);
        }
        let container = self.create(self.sidecar_body()).await?;
        let conversation = self.start(&container.id).await?;
        let id = container.id.clone();
        // From here on the slot lives as long as the session, which removes it.
        forget(container);
        Ok(Slot { id, conversation })
    }
}

/// Keeps a container although its guard goes out of scope.
fn forget(mut container: Container) {
    let inner = Arc::clone(&container.inner);
    container.id.clear();
    drop(inner);
    std::mem::forget(container);
}

fn environment(variables: &BTreeMap<String, String>) -> Vec<String> {
    variables.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

impl Session for DockerSession {
    fn subject(&self) -> &Subject {
        &self.subject
    }

    async fn run(&self, request: &TrialRequest, deadline: Duration) -> Observation {
        let begin = Instant::now();
        let mut observation = match self.trial(request, deadline).await {
            Ok(observation) => observation,
            Err(trouble) => Observation { trouble: Some(trouble), ..Observation::default() },
        };
        observation.timings.total = begin.elapsed();
        observation
    }

    async fn close(&self) {
        self.inner.closed.store(true, Ordering::SeqCst);
        lock(&self.inner.idle).clear();
        // A creation that ends now leaves a removal behind.
        loop {
            let tasks = std::mem::take(&mut *lock(&self.inner.tasks));
            if tasks.is_empty() {
                break;
            }
            tasks.join_all().await;
        }
        let alive: Vec<_> = lock(&self.inner.alive).iter().cloned().collect();
        let removals: JoinSet<()> = alive
            .into_iter()
            .map(|id| {
                let inner = Arc::clone(&self.inner);
                async move { inner.remove(&id).await }
            })
            .collect();
        removals.join_all().await;
    }
}

impl DockerSession {
    async fn trial(&self, request: &TrialRequest, deadline: Duration) -> Result<Observation, Trouble> {
        let begin = Instant::now();
        let mut slot = self.inner.slot().await?;
        let result = self.trial_in(&mut slot, request, deadline, begin).await;
        match &result {
            // The slot's init has answered everything it was asked: the next trial can have it.
            Ok((_, true)) => lock(&self.inner.idle).push(slot),
            Ok((_, false)) | Err(_) => self.inner.remove_later(slot.id),
        }
        result.map(|(observation, _)| observation)
    }

    /// Runs the trial; also says whether the slot can be used again.
    async fn trial_in(
        &self,
        slot: &mut Slot,
        request: &TrialRequest,
        deadline: Duration,
        begin: Instant,
    ) -> Result<(Observation, bool), Trouble> {
        let launched = timeout(SETUP_LIMIT, self.launch(slot, request)).await;
        let launched = launched.map_err(|_| Trouble::Engine(format!("the app did not start within {SETUP_LIMIT:?}")))??;
        let (container, mut app) = match launched {
            Launched::Running(container, app) => (container, app),
            Launched::NotStarted(message) if request.intervention.is_empty() => {
                let observation = Observation { not_started: Some(message), ..Observation::default() };
                let usable = self.end_job(slot).await.is_some();
                return Ok((observation, usable));
            }
            Launched::NotStarted(message) => return Err(Trouble::Shim(message)),
        };
        let mut trial = Trial {
            session: self,
            started: Instant::now(),
            report: None,
            ready: None,
            client: None,
            job_running: self.subject.kind == Kind::Server,
            timed_out: false,
        };
        trial.watch(slot, &mut app, deadline).await?;
        let workload_time = trial.started.elapsed();
        let mut usable = true;
        if trial.job_running {
            match self.end_job(slot).await {
                Some(end) => trial.client = trial.client.or(Some(end)),
                None => usable = false,
            }
        }
        let mut report = match trial.report.take() {
            Some(report) => report,
            None => self.finish(&container, &mut app).await?,
        };
        let mut observation = Observation {
            deadline: trial.timed_out.then_some(deadline),
            ready: self.subject.port.is_none() || trial.ready.is_some(),
            timings: Timings { setup: trial.started - begin, ready: trial.ready, workload: workload_time, total: Duration::ZERO },
            client: trial.client.filter(|_| self.inner.workload.client.is_some()).map(|end| ClientEnd {
                ending: end.ending,
                stdout: end.stdout,
                stderr: end.stderr,
            }),
            ..Observation::default()
        };
        if report.end.deaths.iter().any(|death| death.signal == "SIGKILL") {
            report.end.out_of_memory = self.ran_out_of_memory(&container.id).await?;
        }
        observation.app = report.end;
        observation.calls = report.calls;
        observation.files = self.collect_files(&container.id).await?;
        drop(container);
        if usable && let Some(check) = self.check_job(&observation) {
            let (end, still_usable) = self.run_check(slot, check).await?;
            observation.check = Some(end);
            usable = still_usable;
        }
        Ok((observation, usable))
    }

    /// A fresh network namespace, a fresh container in it, the app in that.
    async fn launch(&self, slot: &mut Slot, request: &TrialRequest) -> Result<Launched, Trouble> {
        let inner = &self.inner;
        slot.say(&Command::Network).await?;
        if self.subject.kind == Kind::Server {
            slot.say(&Command::Run(self.client_job())).await?;
        }
        let body = inner.app_body(&slot.id);
        let (network, container) = tokio::join!(slot.wait_for_network(), inner.create(body));
        network?;
        let container = container?;
        let mut app = inner.start(&container.id).await?;
        let launch = Launch {
            command: self.subject.command.clone(),
            intervention: request.intervention.clone(),
            watch: request.watch,
            output_limit: inner.workload.limits.output,
        };
        app.send(&Command::Launch(launch)).await.map_err(|broken| Trouble::Shim(broken.to_string()))?;
        loop {
            match app.next().await {
                Ok(Event::Installed) => return Ok(Launched::Running(container, app)),
                Ok(Event::NotStarted { message }) => return Ok(Launched::NotStarted(message)),
                Ok(event) => expect_no_trouble(event)?,
                Err(broken) => return Err(Trouble::Shim(format!("before the app was started: {broken}"))),
            }
        }
    }

    /// The client as a job; without a client, a job that only waits for the port.
    fn client_job(&self) -> Job {
        let client = self.inner.workload.client.as_ref();
        Job {
            command: client.map(|client| client.command.clone()).unwrap_or_default(),
            port: self.subject.port,
            user: self.sidecar_user(),
            output_limit: self.inner.workload.limits.output,
            files: Vec::new(),
        }
    }

    fn sidecar_user(&self) -> String {
        self.inner.sidecar_image.config.user.clone().unwrap_or_default()
    }

    /// Cancels the slot's job and takes what it had to say; `None` if the slot does not answer and can't be used again.
    async fn end_job(&self, slot: &mut Slot) -> Option<JobEnd> {
        if self.subject.kind != Kind::Server {
            return Some(JobEnd::default());
        }
        let end = async {
            slot.conversation.send(&Command::Cancel).await?;
            loop {
                if let Event::JobEnded(end) = slot.conversation.next().await? {
                    return Ok::<_, Broken>(end);
                }
            }
        };
        timeout(SHIM_LIMIT, end).await.ok()?.ok()
    }

    /// Tells the app's supervisor that the trial is over and waits for its report.
    async fn finish(&self, container: &Container, app: &mut Conversation) -> Result<AppReport, Trouble> {
        let report = async {
            app.send(&Command::Finish).await?;
            loop {
                match app.next().await? {
                    Event::Report(report) => return Ok(Ok(*report)),
                    Event::MainEnded { .. } => {}
                    event => {
                        if let Err(trouble) = expect_no_trouble(event) {
                            return Ok(Err(trouble));
                        }
                    }
                }
            }
        };
        match timeout(SHIM_LIMIT, report).await {
            Ok(Ok(report)) => report,
            Ok(Err(broken)) => self.broken(&container.id, &broken).await,
            Err(_) => Err(Trouble::Shim(format!("no report within {SHIM_LIMIT:?}"))),
        }
    }

    /// What to make of a supervisor that is gone without a report: only a lack of memory is the app's doing.
    async fn broken(&self, container: &str, broken: &Broken) -> Result<AppReport, Trouble> {
        if self.ran_out_of_memory(container).await? {
            let mut report = AppReport::default();
            report.end.out_of_memory = true;
            return Ok(report);
        }
        Err(Trouble::Shim(broken.to_string()))
    }

    async fn ran_out_of_memory(&self, container: &str) -> Result<bool, Trouble> {
        let inspected = self.inner.engine.docker.inspect_container(container, None::<InspectContainerOptions>).await;
        let state = inspected.map_err(|error| engine_trouble(&error))?.state;
        Ok(state.and_then(|state| state.oom_killed).unwrap_or(false))
    }

    /// The files that the spec asks for, from the container whose app is over.
    async fn collect_files(&self, container: &str) -> Result<BTreeMap<String, Vec<u8>>, Trouble> {
        let mut files = BTreeMap::new();
        for path in &self.inner.workload.success.files {
            if let Some(content) = self.download(container, path).await? {
                files.insert(path.clone(), content);
            }
        }
        Ok(files)
    }

    async fn download(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, Trouble> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let mut stream = std::pin::pin!(self.inner.engine.docker.download_from_container(container, Some(options)));
        let mut archive = Vec::new();
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => archive.extend_from_slice(&piece),
                Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
                Err(error) => return Err(engine_trouble(&error)),
            }
            if archive.len() > FILE_LIMIT {
                break;
            }
        }
        // A directory, or a file cut off at the limit, is there all the same.
        let mut content = Vec::new();
        if let Ok(mut entries) = tar::Archive::new(archive.as_slice()).entries()
            && let Some(Ok(entry)) = entries.next()
        {
            let _ = entry.take(FILE_LIMIT as u64).read_to_end(&mut content);
        }
        Ok(Some(content))
    }

    /// The check script with everything it is to look at, if the spec has one.
    fn check_job(&self, observation: &Observation) -> Option<Job> {
        let check = self.inner.workload.success.check.as_ref()?;
        let (stdout, stderr, ending) = match &observation.client {
            Some(client) => (&client.stdout, &client.stderr, &client.ending),
            None => (&observation.app.stdout, &observation.app.stderr, &observation.app.main),
        };
        let code = match ending {
            Some(Ending::Exited(code)) => code.to_string(),
            Some(Ending::Signaled(signal)) => signal.clone(),
            None => "running".to_owned(),
        };
        let file = |path: &str, content: &[u8]| JobFile { path: path.to_owned(), executable: false, content: content.to_vec() };
        let mut files = vec![
            file("stdout", &stdout.kept),
            file("stderr", &stderr.kept),
            file("exit-code", format!("{code}\n").as_bytes()),
            JobFile { path: "check".to_owned(), executable: true, content: check.script.clone() },
        ];
        files.extend(observation.files.iter().map(|(path, content)| file(&format!("files{path}"), content)));
        Some(Job {
            command: vec![format!("{}/check", shim::TRIAL_DIRECTORY)],
            port: None,
            user: self.sidecar_user(),
            output_limit: self.inner.workload.limits.output,
            files,
        })
    }

    async fn run_check(&self, slot: &mut Slot, job: Job) -> Result<(CheckEnd, bool), Trouble> {
        slot.say(&Command::Run(job)).await?;
        let end = async {
            loop {
                match slot.conversation.next().await.map_err(|broken| Trouble::Sidecar(broken.to_string()))? {
                    Event::JobEnded(end) => return Ok(end),
                    Event::NotStarted { message } => return Err(Trouble::Sidecar(message)),
                    event => expect_no_trouble(event)?,
                }
            }
        };
        Ok(match timeout(CHECK_LIMIT, end).await {
            Ok(end) => {
                let end = end?;
                let mut output = end.stdout;
                output.kept.extend_from_slice(&end.stderr.kept);
                (CheckEnd { ending: end.ending, output }, true)
            }
            Err(_) => (CheckEnd { ending: None, output: Output::default() }, false),
        })
    }
}

enum Launched {
    Running(Container, Conversation),
    NotStarted(String),
}

impl Slot {
    async fn say(&mut self, command: &Command) -> Result<(), Trouble> {
        self.conversation.send(command).await.map_err(|broken| Trouble::Sidecar(broken.to_string()))
    }

    async fn wait_for_network(&mut self) -> Result<(), Trouble> {
        loop {
            match self.conversation.next().await.map_err(|broken| Trouble::Sidecar(broken.to_string()))? {
                Event::NetworkReady => return Ok(()),
                event => expect_no_trouble(event)?,
            }
        }
    }
}

/// Turns trouble into an error; everything else that a shim says at the wrong time is of no interest.
fn expect_no_trouble(event: Event) -> Result<(), Trouble> {
    match event {
        Event::Trouble { message } => Err(Trouble::Shim(message)),
        Event::NotStarted { message } => Err(Trouble::Sidecar(message)),
        Event::Hello
        | Event::Installed
        | Event::MainEnded { .. }
        | Event::Report(_)
        | Event::NetworkReady
        | Event::Listening
        | Event::JobEnded(_) => Ok(()),
    }
}

/// A trial between the app's first instruction and its last.
struct Trial<'a> {
    session: &'a DockerSession,
    started: Instant,
    /// Set when the app was over by itself.
    report: Option<AppReport>,
    ready: Option<Duration>,
    client: Option<JobEnd>,
    job_running: bool,
    timed_out: bool,
}

impl Trial<'_> {
    /// Waits until the workload is done: by the client's end, the app's, or the deadline.
    async fn watch(&mut self, slot: &mut Slot, app: &mut Conversation, deadline: Duration) -> Result<(), Trouble> {
        let session = self.session;
        let server = session.subject.kind == Kind::Server;
        let end = tokio::time::Instant::from_std(self.started + deadline);
        let mut stay_until: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                event = app.next() => match event {
                    Ok(Event::Report(report)) => {
                        self.report = Some(*report);
                        return Ok(());
                    }
                    // A daemonised server goes on; one that failed has nothing left to wait for.
                    Ok(Event::MainEnded { ending, .. }) => {
                        if server && ending != Ending::Exited(0) {
                            return Ok(());
                        }
                    }
                    Ok(event) => expect_no_trouble(event)?,
                    Err(broken) => {
                        return Err(Trouble::Shim(broken.to_string()));
                    }
                },
                event = slot.conversation.next(), if self.job_running => {
                    match event.map_err(|broken| Trouble::Sidecar(broken.to_string()))? {
                        Event::Listening => self.ready = Some(self.started.elapsed()),
                        Event::JobEnded(job_end) => {
                            self.job_running = false;
                            self.client = Some(job_end);
                            if session.inner.workload.client.is_some() {
                                return Ok(());
                            }
                            stay_until = Some(tokio::time::Instant::now() + session.inner.workload.stay_up);
                        }
                        event => expect_no_trouble(event)?,
                    }
                },
                () = sleep_until(stay_until.unwrap_or(end)), if stay_until.is_some() => return Ok(()),
                () = sleep_until(end) => {
                    self.timed_out = true;
                    return Ok(());
                }
            }
        }
    }
}
