//! One trial on a Docker Engine: the app launched in its berth, watched until the workload is done, and taken stock of.
//!
//! Only observes. What an observation means is decided by [`crate::trial::judge`].

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use bollard::query_parameters::DownloadFromContainerOptions;
use futures_util::StreamExt;
use tokio::time::{sleep_until, timeout};

use super::super::Subject;
use super::berths::{Berth, Maker, Slot};
use super::containers::{Container, Containers, engine_trouble};
use super::conversation::{Broken, Conversation};
use crate::engine::supervisor::{self, Conversation as _};
use crate::shim;
use crate::spec::{Kind, Workload};
use crate::trial::wire::{AppReport, Command, Event, FILE_LIMIT, Job, JobEnd, JobFile, Launch};
use crate::trial::{
    CheckEnd, ClientEnd, Deadline, Ending, Left, LookAtFiles, Observation, Output, Timings, TrialRequest, Trouble,
};

/// Longest wait for a shim to do what takes it milliseconds: launch, kill, report.
const SHIM_LIMIT: Duration = Duration::from_secs(20);
/// Longest time a check script may take.
const CHECK_LIMIT: Duration = Duration::from_secs(60);

/// What all trials of a session have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) containers: &'a Containers,
    pub(super) subject: &'a Subject,
    pub(super) workload: &'a Workload,
    /// Trials whose main process has ended, and that wait for those that it left.
    pub(super) lingering: &'a AtomicUsize,
}

/// What became of a trial, and its berth if there is something in it that can be used again.
pub(super) type Ended = (Observation, Option<Berth>);

impl Setting<'_> {
    /// Runs the trial in `berth`; it was asked for at `begin`.
    pub(super) async fn run(
        self,
        berth: Berth,
        request: &TrialRequest,
        deadline: Deadline,
        begin: Instant,
    ) -> Result<Ended, Trouble> {
        let mut berth = berth;
        let launched = timeout(SHIM_LIMIT, self.launch(&mut berth, request, deadline)).await;
        let launched = launched.map_err(|_| Trouble::Shim(format!("the app did not start within {SHIM_LIMIT:?}")))??;
        let Launched::Running = launched else {
            return self.not_started(berth, launched, request).await;
        };
        let Berth { slot, container, app, maker } = &mut berth;
        let mut course = Course::begin(self);
        course.watch(slot, app, deadline).await?;
        let workload_time = course.started.elapsed();
        let mut usable = true;
        if course.job_running {
            match self.end_job(slot).await {
                Some(end) => course.client = course.client.or(Some(end)),
                None => usable = false,
            }
        }
        let mut report = match course.report.take() {
            Some(report) => report,
            None => self.finish(container, app).await?,
        };
        let mut observation = Observation {
            deadline: course.late,
            noticed_late: course.noticed_late,
            exhausted: course.exhausted.then_some(deadline.processor).flatten(),
            ready: self.subject.port.is_none() || course.ready.is_some(),
            timings: Timings {
                setup: course.started - begin,
                ready: course.ready,
                workload: workload_time,
                total: Duration::ZERO,
            },
            client: course.client.filter(|_| self.workload.client.is_some()).map(|end| ClientEnd {
                ending: end.ending,
                stdout: end.stdout,
                stderr: end.stderr,
                starved: end.starved,
            }),
            ..Observation::default()
        };
        if *maker == Maker::Engine {
            if !report.end.out_of_memory && report.end.deaths.iter().any(|death| death.signal == "SIGKILL") {
                report.end.out_of_memory = self.containers.ran_out_of_memory(&container.id).await?;
            }
            // The engine may read what the app's user may not.
            report.files = self.collect_files(&container.id).await?;
        }
        if self.subject.kind == Kind::Server {
            report.end.left = Left::default();
        }
        observation.app = report.end;
        observation.calls = report.calls;
        observation.files = report.files;
        if usable && let Some(check) = self.check_job(&observation) {
            let (end, still_usable) = self.run_check(slot, check).await?;
            observation.check = Some(end);
            usable = still_usable;
        }
        Ok((observation, usable.then_some(berth)))
    }

    /// Of a baseline it is the app's doing that its program can't be executed; with treatments, which don't apply to the launch, it
    /// is nothing that can be explained.
    async fn not_started(self, mut berth: Berth, launched: Launched, request: &TrialRequest) -> Result<Ended, Trouble> {
        let Launched::NotStarted(message) = launched else { return Ok((Observation::default(), None)) };
        if !request.intervention.is_empty() {
            return Err(Trouble::Shim(message));
        }
        let usable = self.end_job(&mut berth.slot).await.is_some();
        Ok((Observation { not_started: Some(message), ..Observation::default() }, usable.then_some(berth)))
    }

    /// Has the client wait for the port, and the app begin.
    async fn launch(self, berth: &mut Berth, request: &TrialRequest, deadline: Deadline) -> Result<Launched, Trouble> {
        let Berth { slot, app, maker, .. } = berth;
        if self.subject.kind == Kind::Server {
            slot.say(&Command::Run(self.client_job())).await?;
        }
        let launch = Launch {
            command: self.subject.command.clone(),
            intervention: request.intervention.clone(),
            watch: request.watch,
            output_limit: self.workload.limits.output,
            processor_limit: deadline.processor,
            prompt_answers: deadline.prompt_answers,
            settle_above: deadline.settle_above,
            look_at: LookAtFiles::Nowhere,
            // A server may well be what its main process leaves.
            wait_for_children: self.subject.kind == Kind::Server || self.workload.wait_for_children,
            traced: request.traced.as_deref().cloned(),
            files: match maker {
                Maker::Engine => Vec::new(),
                Maker::Stage => self.workload.success.files.clone(),
            },
        };
        app.send(&Command::Launch(launch)).await.map_err(|broken| Trouble::Shim(broken.to_string()))?;
        loop {
            match app.next().await {
                Ok(Event::Installed) => return Ok(Launched::Running),
                Ok(Event::NotStarted { message }) => return Ok(Launched::NotStarted(message)),
                Ok(event) => expect_no_trouble(event)?,
                Err(broken) => return Err(Trouble::Shim(format!("before the app was started: {broken}"))),
            }
        }
    }

    /// The client as a job; without a client, a job that only waits for the port.
    fn client_job(self) -> Job {
        let client = self.workload.client.as_ref();
        Job {
            command: client.map(|client| client.command.clone()).unwrap_or_default(),
            port: self.subject.port,
            user: self.sidecar_user(),
            output_limit: self.workload.limits.output,
            files: Vec::new(),
        }
    }

    fn sidecar_user(self) -> String {
        self.containers.sidecar_image.config.user.clone().unwrap_or_default()
    }

    /// Cancels the slot's job and takes what it had to say; `None` if the slot does not answer and can't be used again.
    async fn end_job(self, slot: &mut Slot) -> Option<JobEnd> {
        if self.subject.kind != Kind::Server {
            return Some(JobEnd::default());
        }
        let end = async {
            // A job that is over by now has said so already.
            let sent = slot.conversation.send(&Command::Cancel).await;
            loop {
                match slot.conversation.next().await {
                    Ok(Event::JobEnded(end)) => return Ok::<_, Broken>(end),
                    Ok(_) => {}
                    Err(broken) => return Err(sent.err().unwrap_or(broken)),
                }
            }
        };
        timeout(SHIM_LIMIT, end).await.ok()?.ok()
    }

    /// Tells the app's supervisor that the trial is over and waits for its report.
    async fn finish(self, container: &Container, app: &mut Conversation) -> Result<AppReport, Trouble> {
        match timeout(SHIM_LIMIT, supervisor::report(app)).await {
            Ok(Ok(report)) => report,
            Ok(Err(broken)) => self.broken(&container.id, &broken).await,
            Err(_) => Err(Trouble::Shim(format!("no report within {SHIM_LIMIT:?}"))),
        }
    }

    /// What to make of a supervisor that is gone without a report: only a lack of memory is the app's doing.
    async fn broken(self, container: &str, broken: &Broken) -> Result<AppReport, Trouble> {
        if self.containers.ran_out_of_memory(container).await? {
            let mut report = AppReport::default();
            report.end.out_of_memory = true;
            return Ok(report);
        }
        Err(Trouble::Shim(broken.to_string()))
    }

    /// The files that the spec asks for, from the container whose app is over.
    async fn collect_files(self, container: &str) -> Result<BTreeMap<String, Vec<u8>>, Trouble> {
        let mut files = BTreeMap::new();
        for path in &self.workload.success.files {
            if let Some(content) = self.download(container, path).await? {
                files.insert(path.clone(), content);
            }
        }
        Ok(files)
    }

    async fn download(self, container: &str, path: &str) -> Result<Option<Vec<u8>>, Trouble> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let mut stream = std::pin::pin!(self.containers.engine.docker.download_from_container(container, Some(options)));
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
    fn check_job(self, observation: &Observation) -> Option<Job> {
        let check = self.workload.success.check.as_ref()?;
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
            output_limit: self.workload.limits.output,
            files,
        })
    }

    async fn run_check(self, slot: &mut Slot, job: Job) -> Result<(CheckEnd, bool), Trouble> {
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
    Running,
    /// With what the kernel said.
    NotStarted(String),
}

/// Turns trouble into an error; everything else that a shim says at the wrong time is of no interest.
fn expect_no_trouble(event: Event) -> Result<(), Trouble> {
    match event {
        Event::Trouble { message } => Err(Trouble::Shim(message)),
        Event::NotStarted { message } => Err(Trouble::Sidecar(message)),
        Event::Nested { .. }
        | Event::Hello
        | Event::Installed
        | Event::MainEnded { .. }
        | Event::Exhausted
        | Event::Line { .. }
        | Event::Traced(_)
        | Event::Report(_)
        | Event::NetworkReady
        | Event::Listening
        | Event::JobEnded(_) => Ok(()),
    }
}

/// A trial between the app's first instruction and its last.
struct Course<'a> {
    setting: Setting<'a>,
    started: Instant,
    /// Set when the app was over by itself.
    report: Option<AppReport>,
    ready: Option<Duration>,
    client: Option<JobEnd>,
    job_running: bool,
    /// The deadline that ended it, if one did.
    late: Option<Duration>,
    /// Time by which that was noticed too late.
    noticed_late: Duration,
    /// Whether the app had taken as much processor time as it might.
    exhausted: bool,
}

impl<'a> Course<'a> {
    fn begin(setting: Setting<'a>) -> Self {
        let job_running = setting.subject.kind == Kind::Server;
        Self {
            setting,
            started: Instant::now(),
            report: None,
            ready: None,
            client: None,
            job_running,
            late: None,
            noticed_late: Duration::ZERO,
            exhausted: false,
        }
    }

    /// Waits until the workload is done: by the client's end, the app's, or a deadline.
    async fn watch(&mut self, slot: &mut Slot, app: &mut Conversation, deadline: Deadline) -> Result<(), Trouble> {
        let server = self.setting.subject.kind == Kind::Server;
        let has_port = self.setting.subject.port.is_some();
        let after = |duration: Duration| tokio::time::Instant::from_std(self.started + duration);
        let mut limit = if has_port { deadline.ready } else { deadline.work }.min(deadline.total);
        let mut end = after(limit);
        let last = after(deadline.total);
        let mut stay_until: Option<tokio::time::Instant> = None;
        let mut lingering = None;
        loop {
            tokio::select! {
                // What has happened goes before the time it took: this process may have been stopped meanwhile.
                biased;
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
                        if !server {
                            lingering.get_or_insert_with(|| supervisor::Lingering::begin(self.setting.lingering));
                        }
                    }
                    Ok(Event::Exhausted) => {
                        self.exhausted = true;
                        return Ok(());
                    }
                    Ok(event) => expect_no_trouble(event)?,
                    Err(broken) => {
                        return Err(Trouble::Shim(broken.to_string()));
                    }
                },
                event = slot.hear(), if self.job_running => match event? {
                    Event::Listening => {
                        self.ready = Some(self.started.elapsed());
                        end = last.min(tokio::time::Instant::now() + deadline.work);
                        limit = end.into_std() - self.started;
                    }
                    Event::JobEnded(job_end) => {
                        self.job_running = false;
                        self.client = Some(job_end);
                        if self.setting.workload.client.is_some() {
                            return Ok(());
                        }
                        stay_until = Some(tokio::time::Instant::now() + self.setting.workload.stay_up);
                    }
                    Event::Nested { .. }
                    | Event::Hello
                    | Event::Installed
                    | Event::MainEnded { .. }
                    | Event::Exhausted
                    | Event::Line { .. }
                    | Event::Traced(_)
                    | Event::Report(_)
                    | Event::NetworkReady => {}
                    Event::NotStarted { message } | Event::Trouble { message } => return Err(Trouble::Sidecar(message)),
                },
                () = sleep_until(stay_until.unwrap_or(end)), if stay_until.is_some() => return Ok(()),
                () = sleep_until(end), if stay_until.is_none() => {
                    self.late = Some(limit);
                    self.noticed_late = tokio::time::Instant::now().saturating_duration_since(end);
                    return Ok(());
                }
            }
        }
    }
}
