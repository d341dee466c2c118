//! The shim: the tiny supervisor that Loupe puts in front of the app, and the init of the sidecar.
//!
//! Built a second time, statically and without the `cli` feature, as `loupe-shim` and embedded in `loupe` (see `build.rs`).
//! It runs in the container, or where Loupe itself runs, takes commands from its standard input and answers on its standard output, both in the
//! frames of [`crate::trial::wire`]. It decides nothing: it installs the filter it is told to, counts, and reports.
//!
//! - `loupe-shim supervise` is the init of an app's container: it launches the app under its filter (`launch`), answers
//!   notified calls (`notify`), watches processes die (`processes`), keeps a bounded copy of the output (`output`).
//!   Instead of launching an app it can observe a command with ptrace(2), which tells how every call ended (`tracer`).
//! - `loupe-shim nest` is the same without any container: it makes surroundings for the app first, by namespaces and
//!   throw-away file systems (`nest`), and is the supervisor in them.
//! - `loupe-shim stage` is the init of a container in which the containers of trials are made, one after the other: each a supervisor
//!   in namespaces and under an overlay of its own (`stage`).
//! - `loupe-shim sidecar` is the init of a job slot's sidecar: it makes network namespaces and runs clients and check
//!   scripts in them (`sidecar`).
//!
//! When its standard input ends, its host is gone, and it ends with everything below it.

mod aftermath;
mod control;
mod empty_file;
mod launch;
mod lingering;
mod listening;
mod memory;
mod nest;
mod network;
mod new_uses;
mod notify;
mod output;
mod processes;
mod recorder;
mod settle;
mod shared_files;
mod sidecar;
mod stage;
mod supervise;
mod sys;
mod tracer;
mod treatments;
mod user;

use std::process::ExitCode;

use control::Control;

use crate::trial::wire::Event;

/// Where the shim lies in every container.
pub const PATH: &str = "/loupe/loupe-shim";
/// Where the temporary files of a job lie in the sidecar.
pub const TRIAL_DIRECTORY: &str = "/trial";
/// Where a stage keeps what its trials write.
pub const STAGE_DIRECTORY: &str = "/loupe-stage";
/// The directories of a sidecar that are writable, and empty for every job.
pub const TEMPORARY_DIRECTORIES: [&str; 5] = ["/tmp", "/run", "/var/tmp", "/dev/shm", TRIAL_DIRECTORY];

/// The program `loupe-shim`: its first argument says what it is to be.
#[must_use]
pub fn main() -> ExitCode {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let run: fn(&mut Control) -> Result<(), ShimError> = match mode.as_str() {
        "supervise" => supervise::run,
        "nest" => nest::run,
        "stage" => stage::run,
        "sidecar" => sidecar::run,
        _ => {
            let usage = "usage: loupe-shim supervise|nest|stage|sidecar\nThis program is started by loupe, for each trial.\n";
            let _ = std::io::Write::write_all(&mut std::io::stderr(), usage.as_bytes());
            return ExitCode::from(2);
        }
    };
    // A supervisor ends its app by killing every process it can see: outside a pid namespace of its own that is all of them.
    if std::process::id() != 1 && mode != "nest" {
        let message = "loupe-shim: not the init of a container, refusing to run\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes());
        return ExitCode::from(2);
    }
    let Ok(mut control) = Control::take_over() else { return ExitCode::from(3) };
    control.report_panics();
    match run(&mut control) {
        Ok(()) => ExitCode::SUCCESS,
        Err(ShimError::HostGone) => ExitCode::from(4),
        Err(ShimError::Failed { what, source }) => {
            let message = source.map_or_else(|| what.clone(), |source| format!("{what}: {source}"));
            let _ = control.send(&Event::Trouble { message });
            ExitCode::FAILURE
        }
    }
}

/// Why a shim ended before its work was done.
#[derive(Debug)]
enum ShimError {
    /// Nobody is there any more to be told anything.
    HostGone,
    /// Something the shim needs did not work.
    Failed { what: String, source: Option<std::io::Error> },
}

impl ShimError {
    fn new(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), source: None }
    }
}

/// Says what was being done when a system call failed.
trait Context<T> {
    fn context(self, what: &str) -> Result<T, ShimError>;
}

impl<T, E: Into<std::io::Error>> Context<T> for Result<T, E> {
    fn context(self, what: &str) -> Result<T, ShimError> {
        self.map_err(|error| ShimError::Failed { what: what.to_owned(), source: Some(error.into()) })
    }
}
