//! What runs trials. An engine makes an app's image, and runs the app under an intervention in fresh surroundings.
//!
//! Between the planner, which says what to run, and [`crate::trial::judge`], which says what it means. An engine only
//! observes; trouble of its own is reported as such and never as a failure of the app.
//!
//! - [`docker`]: containers, over the engine's API;
//! - [`process`]: processes of this machine, without any daemon;
//! - [`simulated`]: a model of an app, for tests.

pub mod docker;
pub mod process;
pub mod simulated;
mod supervisor;

use std::future::Future;
use std::sync::Arc;

use crate::spec::{AppSpec, Kind, Workload};
use crate::trial::{Deadline, Observation, TrialRequest};

/// The static `loupe-shim`, built by `build.rs`.
pub static SHIM: &[u8] = include_bytes!(env!("LOUPE_SHIM_PATH"));

/// What trials run on; part of the evidence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Platform {
    /// Name of the engine: `docker`, `process` or `simulated`.
    pub engine: String,
    /// The engine's own version.
    pub engine_version: String,
    /// Release of the kernel that the apps run on.
    pub kernel: String,
    /// Its architecture, as `uname -m` prints it.
    pub architecture: String,
    /// The operating system's name, as the engine tells it.
    pub operating_system: String,
    /// What keeps trials apart from the machine, where that is not the same for every trial of the engine's kind.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub isolation: Option<String>,
}

/// How promptly an engine runs trials, which decides how long one may take at the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Trials begin in a fraction of a second, and other machines may have a share in them.
    Containers,
    /// Trials begin in milliseconds.
    Processes,
}

/// An app that is ready to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Run to completion or server, as the spec says or the image suggests.
    pub kind: Kind,
    /// The TCP port a server has to listen on, if it has one.
    pub port: Option<u16>,
    /// Content identity of the app's image.
    pub image: String,
    /// Content identity of the client's (or the check script's) image.
    pub client_image: Option<String>,
    /// The command line that is run.
    pub command: Vec<String>,
}

/// Why an engine could not be used, or an app could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nobody answers at the engine's address.
    #[error("no container engine at `{address}`\nhint: {hint}")]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// What the user can do.
        hint: String,
        /// What the connection said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine refused or broke something.
    #[error("cannot {what}")]
    Refused {
        /// What was tried.
        what: String,
        /// What the engine said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An image could not be built or pulled.
    #[error("cannot make the image `{image}`: {message}{}", output_excerpt(.output))]
    Image {
        /// The image's name.
        image: String,
        /// Why.
        message: String,
        /// The last lines of the build.
        output: Vec<String>,
    },
    /// The spec asks for something that this image or engine can't give.
    #[error("{0}")]
    Unfit(String),
    /// Trials cannot be kept apart from the machine.
    #[error("cannot keep the command apart from this machine: {message}\nhint: {hint}")]
    NoIsolation {
        /// What the kernel refused.
        message: String,
        /// What the user can do.
        hint: String,
    },
}

fn output_excerpt(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n    | {line}")).collect()
}

impl EngineError {
    /// Whether the environment is at fault and no other app will fare better.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NoIsolation { .. })
    }
}

/// Told of what takes long before the first trial: images being built or pulled.
pub type Notice = Arc<dyn Fn(String) + Send + Sync>;

/// A way of running apps.
pub trait Engine: Send + Sync {
    /// An app made ready.
    type Session: Session + 'static;

    /// How promptly it runs trials.
    fn pace(&self) -> Pace {
        Pace::Containers
    }

    /// What the apps run on.
    fn platform(&self) -> impl Future<Output = Result<Platform, EngineError>> + Send;

    /// Makes images and resolves what the spec leaves to them. `campaign` labels everything that is made.
    fn prepare(
        &self,
        app: &AppSpec,
        workload: &Workload,
        campaign: &str,
        notice: Notice,
    ) -> impl Future<Output = Result<Self::Session, EngineError>> + Send;
}

/// An app made ready on an engine. Trials may run at the same time.
pub trait Session: Send + Sync {
    /// What was made ready.
    fn subject(&self) -> &Subject;

    /// What keeps its trials apart, where that is not the same for every session of its engine.
    fn isolation(&self) -> Option<String> {
        None
    }

    /// Says how many trials will be asked for from now on, at most, as far as can be told, and how many of them at the same time: an
    /// engine may prepare for them.
    fn expect(&self, trials: usize, at_once: usize);

    /// Runs one trial in fresh surroundings and ends it at the `deadline`, counted from the app's first instruction.
    ///
    /// May be dropped while it runs; what it started is gone after [`Session::close`] at the latest.
    fn run(&self, request: &TrialRequest, deadline: Deadline) -> impl Future<Output = Observation> + Send;

    /// Whether a trial waits for processes that its main process left.
    fn lingers(&self) -> bool {
        false
    }

    /// Removes everything that was made for the session.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
