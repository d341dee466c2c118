//! Everything that is read from the environment, read once.

use std::io::IsTerminal;

/// What the environment says.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `DOCKER_HOST`: where the container engine listens.
    pub(crate) docker_host: Option<String>,
    /// Whether standard error is a terminal that can redraw lines.
    pub(crate) terminal: bool,
    /// Processors this process may use.
    pub(crate) cores: usize,
}

impl Settings {
    pub(crate) fn from_environment() -> Self {
        let filled = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let dumb = filled("TERM").is_none_or(|term| term == "dumb");
        Self {
            docker_host: filled("DOCKER_HOST"),
            terminal: std::io::stderr().is_terminal() && !dumb,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }

    /// Trials at a time unless the user says otherwise. Twice the processors: half of a trial is waiting, for the engine to
    /// make a container or for a workload of fixed length to be over.
    pub(crate) fn default_jobs(&self) -> usize {
        2 * self.cores
    }
}
