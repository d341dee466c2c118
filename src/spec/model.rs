//! The validated form of a spec: what the rest of Loupe works with. An invalid value can't be made from YAML.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

/// An app under study: a folder with a Dockerfile, and its workloads.
#[derive(Debug, Clone)]
pub struct AppSpec {
    /// The folder's name; also the name of its results.
    pub name: String,
    /// The folder, which is the build context.
    pub directory: PathBuf,
    /// One line for people; empty without one.
    pub description: String,
    /// The image, where there is one already and nothing is built from the folder.
    pub image: Option<ImageSource>,
    /// Arguments of the image's build.
    pub build_arguments: BTreeMap<String, String>,
    /// At least one; names are unique.
    pub workloads: Vec<Workload>,
}

/// How an app is exercised and what counts as success.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Names its results within those of the app.
    pub name: String,
    /// Run to completion or server; `None` lets the image decide (a server if it exposes a TCP port).
    pub kind: Option<Kind>,
    /// The command line; `None` for the image's own ENTRYPOINT and CMD.
    pub command: Option<Vec<String>>,
    /// Added to the image's environment.
    pub environment: BTreeMap<String, String>,
    /// The TCP port a server has to listen on; `None` for the lowest one the image exposes.
    pub port: Option<u16>,
    /// The sidecar client of a server; without one, success is to listen and stay up for [`Workload::stay_up`].
    pub client: Option<Client>,
    /// How long a server without a client has to stay up after it listens.
    pub stay_up: Duration,
    /// Whether a run is over only when every process that the main process left has ended, too. Servers may leave processes anyway.
    pub wait_for_children: bool,
    /// What counts as success.
    pub success: Success,
    /// Finds in the standard output of the client, or of the app without one, how much was done per time: its first group is a number.
    pub throughput: Option<Regex>,
    /// The deadline of one trial; `None` derives it from the measured baseline.
    pub timeout: Option<Duration>,
    /// What a trial may take.
    pub limits: Limits,
}

impl Workload {
    /// A workload of which only the name is given: its image says the rest.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: None,
            command: None,
            environment: BTreeMap::new(),
            port: None,
            client: None,
            stay_up: Self::DEFAULT_STAY_UP,
            wait_for_children: false,
            success: Success::default(),
            throughput: None,
            timeout: None,
            limits: Limits::default(),
        }
    }

    /// How long a server without a client has to stay up where the spec does not say.
    pub const DEFAULT_STAY_UP: Duration = Duration::from_secs(1);
}

/// The two ways of exercising an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The app ends by itself; its exit code counts.
    RunToCompletion,
    /// The app serves until its client is done; the client's exit code counts.
    Server,
}

impl Kind {
    /// The one name this has in every file and message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RunToCompletion => "run-to-completion",
            Self::Server => "server",
        }
    }
}

/// The program that exercises a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The image it runs in.
    pub image: ImageSource,
    /// Its command line; never empty.
    pub command: Vec<String>,
    /// Added to its image's environment.
    pub environment: BTreeMap<String, String>,
}

/// Where an image that is not the app's comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageSource {
    /// Built from a folder of `Dockerfiles/`.
    Folder {
        /// The folder's name.
        name: String,
        /// The folder, which is the build context.
        directory: PathBuf,
    },
    /// Any image reference that the engine knows or can pull.
    Reference(String),
}

/// What has to hold for a trial to pass, besides nothing having crashed.
#[derive(Debug, Clone, Default)]
pub struct Success {
    /// Exit code of the client, or of the app where there is none.
    pub exit_code: i32,
    /// Each has to match the standard output of the client, or of the app where there is none.
    pub stdout_matches: Vec<Regex>,
    /// Each has to match the standard error of the same process.
    pub stderr_matches: Vec<Regex>,
    /// None may match the standard output of the same process.
    pub stdout_forbids: Vec<Regex>,
    /// None may match the standard error of the same process.
    pub stderr_forbids: Vec<Regex>,
    /// What the standard output of the same process has to be, byte for byte, as far as it is kept ([`Limits::output`]).
    pub stdout_equals: Option<Vec<u8>>,
    /// Absolute paths that have to exist in the app's container when the trial is over.
    pub files: Vec<String>,
    /// What becomes of the files that the app writes.
    pub written: WrittenFiles,
    /// A script that looks at everything the trial left.
    pub check: Option<Check>,
    /// Names of signals that a process of the app may die of.
    pub expected_deaths: Vec<String>,
}

/// What becomes of the files that an app writes, of which a spec says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WrittenFiles {
    /// Nothing is asked about them.
    #[default]
    Ignored,
    /// It is noted in which state they are left.
    Noted,
    /// These paths have to be left in these states, in the text form of a `FileState`.
    Equal(BTreeMap<PathBuf, String>),
}

/// A check script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The script's file, beside the YAML.
    pub path: PathBuf,
    /// Its content, which begins with `#!`.
    pub script: Vec<u8>,
    /// The image it runs in; `None` for the client's, or the app's where there is no client.
    pub image: Option<ImageSource>,
}

/// What one trial may take of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory in bytes (the app's container; swap included).
    pub memory: u64,
    /// Processes and threads.
    pub pids: u32,
    /// Bytes kept of each output stream of app and client.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 2 * 1024 * 1024 * 1024, pids: 4096, output: 256 * 1024 }
    }
}
