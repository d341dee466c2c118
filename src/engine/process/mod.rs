//! Processes of this machine as trials: no daemon, no image, milliseconds instead of tenths of seconds.
//!
//! For each trial the embedded shim is started out of memory. It makes surroundings for one command (`crate::shim`): namespaces
//! of its own, and every file system under an overlay that goes away with the trial, so that nothing the command writes stays and no
//! trial sees what another did. Where that cannot be had, the engine refuses to work unless it is told to do without.
//!
//! | | the command |
//! |---|---|
//! | files | those of the machine; what it writes goes to memory and is forgotten, up to 1 GiB per trial |
//! | network | one of its own with loopback alone, or the machine's if asked for |
//! | processes | a pid namespace of its own; what the main process leaves is ended a moment after it, and named |
//! | user | the one that runs Loupe; `no_new_privs` is set, so set-user-id programs have no effect |
//! | devices | `/dev/null` and the like, pseudo-terminals; `/sys` and the switches in `/proc` are read-only |
//! | environment, working directory | Loupe's |
//! | standard input | empty, or the content of a file, the same for every trial |
//! | limits | none on memory and processes: those of the spec need a container |
//!
//! Only what runs to completion can be measured: a server's client and a check script need images.

mod conversation;
mod executable;
mod files;
mod observe;
mod session;
mod subject;
mod trial;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{Engine, EngineError, Notice, Pace, Platform, SHIM};
use crate::spec::{AppSpec, Workload};
use crate::syscalls::Architecture;
use crate::trial::wire::Nest;
use conversation::{Conversation, Place};
use executable::Executable;
pub use observe::{Observed, Observing};
pub use session::ProcessSession;

/// What to do where the kernel or its settings allow no namespaces.
const NO_ISOLATION_HINT: &str = "run as root, or let users make namespaces (sysctl `user.max_user_namespaces` above 0, \
                                 `kernel.unprivileged_userns_clone` 1, `kernel.apparmor_restrict_unprivileged_userns` 0, where \
                                 they exist); `--no-isolation` runs the command on the bare machine";

/// How commands are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether trials are kept apart from the machine. Without that, what the command writes stays.
    pub isolated: bool,
    /// Whether the command sees the machine's network.
    pub machine_network: bool,
    /// What the command reads from its standard input.
    pub input: Input,
    /// Where the command is run.
    pub directory: PathBuf,
    /// Where programs are looked up: the value of `PATH`.
    pub path: Option<OsString>,
}

/// The standard input of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Nothing.
    Empty,
    /// The content of this file, which every trial reads from its beginning.
    File(PathBuf),
    /// These bytes, likewise.
    Bytes(Vec<u8>),
}

/// Runs commands as processes of this machine.
#[derive(Debug, Clone)]
pub struct ProcessEngine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    shim: Executable,
    /// Bytes that are a command's input, as a file.
    input: Option<Executable>,
    isolation: OnceCell<String>,
}

impl ProcessEngine {
    /// Makes the engine ready; whether it can isolate is found out with the first trial.
    ///
    /// # Errors
    /// When the shim, or the input, cannot be put into memory.
    pub fn new(options: Options) -> Result<Self, EngineError> {
        let in_memory = |name, bytes| {
            Executable::new(name, bytes)
                .map_err(|error| EngineError::Refused { what: format!("put the {name} into memory"), source: Box::new(error) })
        };
        let shim = in_memory("shim", SHIM)?;
        let input = match &options.input {
            Input::Empty | Input::File(_) => None,
            Input::Bytes(bytes) => Some(in_memory("input", bytes)?),
        };
        Ok(Self(Arc::new(Inner { options, shim, input, isolation: OnceCell::new() })))
    }

    /// What keeps trials apart from the machine, in one line. Finds it out by beginning one.
    ///
    /// # Errors
    /// [`EngineError::NoIsolation`] if nothing does although it has to.
    pub async fn isolation(&self) -> Result<&str, EngineError> {
        let found = self.0.isolation.get_or_try_init(|| async {
            let place = Place { directory: &self.0.options.directory, environment: &BTreeMap::new() };
            let begun = Conversation::begin(&self.0.shim, &self.nest(), place).await;
            match begun {
                Ok((conversation, isolation)) => {
                    conversation.end().await;
                    Ok(isolation)
                }
                Err(trouble) if self.0.options.isolated => {
                    Err(EngineError::NoIsolation { message: trouble, hint: NO_ISOLATION_HINT.to_owned() })
                }
                Err(trouble) => Err(EngineError::Unfit(trouble)),
            }
        });
        found.await.map(String::as_str)
    }

    /// What the shim is to make before each trial.
    fn nest(&self) -> Nest {
        let Inner { options, input, .. } = self.0.as_ref();
        let input = match (&options.input, input) {
            (Input::File(path), _) => Some(path.to_string_lossy().into_owned()),
            (Input::Empty | Input::Bytes(_), bytes) => bytes.as_ref().map(Executable::path_for_others),
        };
        Nest { isolated: options.isolated, own_network: !options.machine_network, input }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// What os-release(5) calls the system.
fn system_name(os_release: &str) -> String {
    let name = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or("Linux", |name| name.trim_matches('"')).to_owned()
}

impl Engine for ProcessEngine {
    type Session = ProcessSession;

    fn pace(&self) -> Pace {
        Pace::Processes
    }

    async fn platform(&self) -> Result<Platform, EngineError> {
        Ok(Platform {
            engine: "process".to_owned(),
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: read("/proc/sys/kernel/osrelease"),
            architecture: Architecture::NATIVE.name().to_owned(),
            operating_system: system_name(&read("/etc/os-release")),
            isolation: Some(self.isolation().await?.to_owned()),
        })
    }

    async fn prepare(&self, app: &AppSpec, workload: &Workload, _: &str, _: Notice) -> Result<ProcessSession, EngineError> {
        self.isolation().await?;
        ProcessSession::open(self.clone(), app, workload).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_called_as_it_calls_itself() {
        assert_eq!(system_name("ID=x\nPRETTY_NAME=\"Some Linux 12\"\n"), "Some Linux 12");
        assert_eq!(system_name(""), "Linux");
    }
}
