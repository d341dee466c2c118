//! The init of a job slot's sidecar: network namespaces for trials, and the clients and check scripts run in them.
//!
//! Before each trial the host asks for a new network namespace; this process moves into it, so that a container which joins
//! this one's network (`container:<sidecar>`) gets the new namespace, while an earlier trial's namespace goes away with its
//! last process. What an app wrote to the files that come with the network is undone then. A *job* runs in pid, mount and IPC
//! namespaces of its own with fresh temporary file systems: when it is over everything of it is gone. The container's root file
//! system is read-only.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::control::{self, Control, Signals, wait_for};
use super::launch::PathRules;
use super::network::Server;
use super::output::Capture;
use super::processes::{self, ending};
use super::shared_files::SharedFiles;
use super::sys::{self, Spawned};
use super::{Context, ShimError, TEMPORARY_DIRECTORIES, TRIAL_DIRECTORY, launch, listening, user};
use crate::trial::Ending;
use crate::trial::wire::{Command, Decoder, Event, Job, JobEnd};

/// Another capability that the sidecar needs and a job must not have (`linux/capability.h`).
const CAP_NET_ADMIN: libc::c_ulong = 12;

/// Settings of a network namespace that container engines change for their containers: ports below 1024 and `ping` are
/// open to every user. A new namespace gets the same, or apps that are not root would behave differently here.
const NETWORK_SETTINGS: [(&str, &str); 2] =
    [("net/ipv4/ip_unprivileged_port_start", "0"), ("net/ipv4/ping_group_range", "0 2147483647")];

/// Where the sidecar has a proc file system of its own; the container's `/proc/sys` is read-only.
const OWN_PROC: &str = "/run/loupe-proc";

/// Serves the host until it is gone.
pub(super) fn run(control: &mut Control) -> Result<(), ShimError> {
    let signals = Signals::take_over()?;
    mount_own_proc()?;
    let shared_files = SharedFiles::read()?;
    // Before anything else is told: whoever starts a stage has heard of this sidecar first.
    let mut networks = Server::new().context("cannot make a socket for network namespaces")?;
    control.send(&Event::Hello)?;
    let mut job: Option<RunningJob> = None;
    loop {
        let ready = {
            let mut sources = vec![control.as_fd(), signals.as_fd()];
            if let Some(job) = &job {
                sources.extend(job.pipes.iter().flatten().map(AsFd::as_fd));
            }
            wait_for(&sources, None)?
        };
        if let Some(running) = &mut job {
            running.take(&ready[2..], control)?;
        }
        if ready[1] {
            while signals.next().is_some() {}
            while let Ok(Some((pid, _))) = sys::reap_any() {
                if let Some(running) = &mut job
                    && running.pid == pid
                {
                    running.reaped = true;
                }
            }
        }
        // Everything the job wrote has arrived when its processes are gone and its pipes have ended.
        if let Some(done) = job.take_if(|job| job.reaped && job.pipes.iter().all(Option::is_none)) {
            done.report(control)?;
        }
        if ready[0] {
            control.fill()?;
        }
        while let Some(command) = control.next()? {
            match command {
                Command::Network => {
                    shared_files.restore()?;
                    sys::new_network_namespace().context("cannot make a network namespace")?;
                    apply_network_settings()?;
                    networks.pass_on().context("cannot pass a network namespace on")?;
                    control.send(&Event::NetworkReady)?;
                }
                Command::Run(request) if job.is_none() => job = Some(RunningJob::start(&request)?),
                Command::Cancel => {
                    if let Some(job) = &mut job {
                        job.cancel();
                    }
                }
                other @ (Command::Run(_)
                | Command::Launch(_)
                | Command::Observe(_)
                | Command::Nest(_)
                | Command::Stage(_)
                | Command::Finish) => {
                    return Err(ShimError::new(format!("a sidecar cannot {other:?} now")));
                }
            }
        }
    }
}

fn mount_own_proc() -> Result<(), ShimError> {
    fs::create_dir_all(OWN_PROC).context("cannot make a directory below /run")?;
    mount(Some("proc"), OWN_PROC, Some("proc"), MsFlags::empty(), None::<&str>).context("cannot mount a proc file system")
}

fn apply_network_settings() -> Result<(), ShimError> {
    for (name, value) in NETWORK_SETTINGS {
        let path = Path::new(OWN_PROC).join("sys").join(name);
        match fs::write(&path, value) {
            // A kernel without IPv4, or without the setting, has nothing to open.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result.context(&format!("cannot set {name}"))?,
        }
    }
    Ok(())
}

/// A job under way. Its pipes: what its init says, its command's standard output, and its standard error.
struct RunningJob {
    pid: libc::pid_t,
    pipes: [Option<File>; 3],
    decoder: Decoder,
    stdout: Capture,
    stderr: Capture,
    ending: Option<Ending>,
    starved: Duration,
    reaped: bool,
}

impl RunningJob {
    fn start(job: &Job) -> Result<Self, ShimError> {
        let (status, status_writer) = control::pipe()?;
        let (stdout, stdout_writer) = control::pipe()?;
        let (stderr, stderr_writer) = control::pipe()?;
        let namespaces = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC;
        let child = sys::fork_into_namespaces(namespaces).context("cannot make a process in new namespaces")?;
        let Some(pid) = child else {
            let mut status = File::from(status_writer);
            let streams = || -> io::Result<()> {
                let null = File::open("/dev/null")?.into();
                control::use_standard_streams(&null, &stdout_writer, &stderr_writer)
            };
            let result = streams().context("cannot set up the job's streams").and_then(|()| job_init(job, &mut status));
            if let Err(ShimError::Failed { what, source }) = result {
                let message = source.map_or_else(|| what.clone(), |source| format!("{what}: {source}"));
                let _ = status.write_all(&Event::Trouble { message }.frame().encode());
            }
            std::process::exit(0);
        };
        Ok(Self {
            pid,
            pipes: [Some(status), Some(stdout), Some(stderr)],
            decoder: Decoder::default(),
            stdout: Capture::new(job.output_limit),
            stderr: Capture::new(job.output_limit),
            ending: None,
            starved: Duration::ZERO,
            reaped: false,
        })
    }

    /// Takes what the job's pipes have; `ready` says which of the open ones have something, in order.
    fn take(&mut self, ready: &[bool], control: &mut Control) -> Result<(), ShimError> {
        let mut ready = ready.iter().copied();
        for index in 0..self.pipes.len() {
            let Some(pipe) = &mut self.pipes[index] else { continue };
            if !ready.next().unwrap_or(false) {
                continue;
            }
            let mut buffer = [0; 16 * 1024];
            let count = match pipe.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => 0,
            };
            match index {
                _ if count == 0 => self.pipes[index] = None,
                0 => self.hear(&buffer[..count], control)?,
                1 => self.stdout.push(&buffer[..count]),
                _ => self.stderr.push(&buffer[..count]),
            }
        }
        Ok(())
    }

    /// Passes on what the job's init says; its end waits for the output.
    fn hear(&mut self, bytes: &[u8], control: &mut Control) -> Result<(), ShimError> {
        self.decoder.push(bytes);
        let bad = |error: crate::trial::wire::WireError| ShimError::new(error.to_string());
        while let Some(frame) = self.decoder.next_frame().map_err(bad)? {
            match Event::from_frame(&frame).map_err(bad)? {
                Event::JobEnded(end) => (self.ending, self.starved) = (end.ending, end.starved),
                event => control.send(&event)?,
            }
        }
        Ok(())
    }

    /// Kills the job's init, and with it everything in its pid namespace.
    fn cancel(&mut self) {
        // Whatever else there is in this container belongs to the job.
        self.starved = self.starved.max(processes::starved(&processes::others()));
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
    }

    fn report(self, control: &mut Control) -> Result<(), ShimError> {
        let end =
            JobEnd { ending: self.ending, stdout: self.stdout.finish(), stderr: self.stderr.finish(), starved: self.starved };
        control.send(&Event::JobEnded(end))
    }
}

/// What the first process of a job's namespaces does.
fn job_init(job: &Job, status: &mut File) -> Result<(), ShimError> {
    let mut say = |event: &Event| status.write_all(&event.frame().encode()).map_err(|_| ShimError::HostGone);
    prepare_file_systems(job)?;
    if let Some(port) = job.port {
        listening::wait_for(port).context("cannot read the state of the network")?;
        say(&Event::Listening)?;
    }
    if job.command.is_empty() {
        return say(&Event::JobEnded(JobEnd::default()));
    }
    let refused = |error: &io::Error| Event::NotStarted { message: format!("cannot execute `{}`: {error}", job.command[0]) };
    let mut program = match launch::program(&job.command, None, vec![CAP_NET_ADMIN, sys::CAP_SYS_ADMIN], None, PathRules::Runtime)
    {
        Ok(program) => program,
        Err(error) => return say(&refused(&error)),
    };
    program.nonce = 0;
    let pid = match start_as(&job.user, &program)? {
        Spawned::Running { pid, .. } => pid,
        Spawned::NotExecuted(error) | Spawned::NoFilter(error) => return say(&refused(&error)),
    };
    let (ending, starved) = loop {
        // Looked at before it is reaped: afterwards nothing is known of it any more.
        let dead = sys::wait_for_dead().context("cannot wait for the job's command")?;
        let starved = processes::starved(&[dead]);
        let status = sys::reap(dead).context("cannot collect a process of the job")?;
        if dead == pid {
            break (ending(status), starved);
        }
    };
    say(&Event::JobEnded(JobEnd { ending: Some(ending), starved, ..JobEnd::default() }))
}

/// Starts the program as the image's user: by one more process that gives up its identity first, unless that is root.
fn start_as(user: &str, program: &sys::Program) -> Result<Spawned, ShimError> {
    let identity = user::look_up(user).context("cannot find the client's user")?;
    if identity.is_root() {
        return sys::spawn(program).context("cannot make a process");
    }
    sys::become_user(identity.user, identity.group, &identity.supplementary).context("cannot become the client's user")?;
    sys::spawn(program).context("cannot make a process")
}

/// Makes every writable directory fresh, and `/proc` that of the new pid namespace; lays out the job's files.
fn prepare_file_systems(job: &Job) -> Result<(), ShimError> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("cannot make mounts private")?;
    for directory in TEMPORARY_DIRECTORIES {
        let options = Some("mode=1777");
        mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, options)
            .context(&format!("cannot mount a fresh {directory}"))?;
    }
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none).context("cannot mount /proc")?;
    for file in &job.files {
        let path = Path::new(TRIAL_DIRECTORY).join(&file.path);
        let write = || -> io::Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(TRIAL_DIRECTORY)))?;
            fs::write(&path, &file.content)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(if file.executable { 0o755 } else { 0o644 }))
        };
        write().context(&format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
