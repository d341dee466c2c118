//! What the environment says. The only place that reads environment variables; everything else takes them from here.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The environment variables that Loupe knows. Empty ones count as not set.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// `DOCKER_HOST`: where the engine listens.
    pub(super) docker_host: Option<String>,
    /// `NO_COLOR` (<https://no-color.org>), or a terminal that calls itself dumb.
    pub(super) no_color: bool,
    /// `LOUPE_RESULTS`: the folder of the results where the command line names none.
    pub(super) results: Option<PathBuf>,
    /// `RUST_LOG`: what is logged; goes before `--verbose`.
    pub(super) log: Option<String>,
    /// `PATH`: where programs are looked up.
    pub(super) path: Option<OsString>,
}

impl Environment {
    /// Reads the variables of this process.
    pub(super) fn read() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let text = |name| set(name).and_then(|value| value.into_string().ok());
        Self {
            docker_host: text("DOCKER_HOST"),
            no_color: set("NO_COLOR").is_some() || text("TERM").as_deref() == Some("dumb"),
            results: set("LOUPE_RESULTS").map(PathBuf::from),
            log: text("RUST_LOG"),
            path: set("PATH"),
        }
    }

    /// The folder of the results: as on the command line, else from the environment, else `results`.
    pub(super) fn results(&self, argument: Option<PathBuf>) -> PathBuf {
        argument.or_else(|| self.results.clone()).unwrap_or_else(|| PathBuf::from("results"))
    }
}

/// Trials that run at the same time where the command line doesn't say: six per available core, as a trial waits for the
/// engine, for its client and for deadlines most of its time. A guess, not a promise: it follows what measurements of whole
/// sweeps tell, so scripts that want a certain number give it.
#[must_use]
pub fn default_jobs() -> usize {
    6 * available_cores()
}

/// The same for commands of this machine. Many, as one that hangs takes no processor, only time.
#[must_use]
pub(super) fn default_jobs_for_commands() -> usize {
    8 * available_cores()
}

/// The working directory of this process.
///
/// # Errors
/// If it is gone, or may not be looked up.
pub(super) fn working_directory() -> std::io::Result<PathBuf> {
    env::current_dir()
}

/// Folders for what is needed while a command is measured: in memory where there is such a place.
pub(super) fn temporary_folders() -> [PathBuf; 2] {
    [PathBuf::from("/dev/shm"), env::temp_dir()]
}

/// Cores that this process may use.
pub(super) fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_environment_before_the_default() {
        let with = Environment { results: Some("from-environment".into()), ..Environment::default() };
        assert_eq!(with.results(Some("given".into())), PathBuf::from("given"));
        assert_eq!(with.results(None), PathBuf::from("from-environment"));
        assert_eq!(Environment::default().results(None), PathBuf::from("results"));
    }
}
