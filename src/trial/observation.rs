//! What an engine saw of one trial, before anybody judged it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CallLog, FileChanges};

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Ending {
    /// It exited with this code.
    Exited(i32),
    /// It died of the signal with this name.
    Signaled(String),
}

/// A process of the app that died of a signal which Loupe did not send.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Death {
    /// Its name (`comm`), or `pid N` where the name was not seen.
    pub process: String,
    /// The signal's name, such as `SIGSEGV`, or `unknown signal` where the kernel did not say which.
    pub signal: String,
}

/// What lived on after the main process had ended, and was ended then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub struct Left {
    /// The names of the processes (`comm`), in order.
    pub processes: Vec<String>,
    /// Milliseconds from the end of the main process until these were ended, or everything had ended by itself.
    pub milliseconds: u64,
}

impl Left {
    /// Whether nothing lived on.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.processes.is_empty() && self.milliseconds == 0
    }

    /// The time for which anything lived on.
    #[must_use]
    pub const fn time(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

impl std::fmt::Display for Left {
    /// `the command ended, but process `sleep` that it left was ended after 0.2 s`; empty if no process had to be ended.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// Names that are printed.
        const MOST: usize = 3;
        let (shown, more) = self.processes.split_at(self.processes.len().min(MOST));
        let mut names: Vec<_> = shown.iter().map(|name| format!("`{name}`")).collect();
        if !more.is_empty() {
            names.push(format!("{} more", more.len()));
        }
        let Some(last) = names.pop() else { return Ok(()) };
        let (processes, were) = if names.is_empty() { ("process", "was") } else { ("processes", "were") };
        let names = if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) };
        let (seconds, tenths) = (self.milliseconds / 1000, self.milliseconds % 1000 / 100);
        write!(formatter, "the command ended, but {processes} {names} that it left {were} ended after {seconds}.{tenths} s")
    }
}

/// A bounded copy of an output stream: its beginning and its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// What was kept. When `dropped` is not 0, a line in the middle says so.
    pub kept: Vec<u8>,
    /// Number of bytes written but not kept.
    pub dropped: u64,
}

impl Output {
    /// The kept bytes as text; invalid UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.kept)
    }

    /// The last `count` lines that are not blank, in order.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        let text = self.text();
        let mut lines: Vec<_> =
            text.lines().rev().filter(|line| !line.trim().is_empty()).take(count).map(str::to_owned).collect();
        lines.reverse();
        lines
    }
}

/// What became of the app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppEnd {
    /// How the main process ended on its own; `None` if it was still running when the trial was over.
    pub main: Option<Ending>,
    /// Whether descendants lived on after the main process ended (a daemonised app).
    pub daemonised: bool,
    /// What that was, and when it was ended. Servers may leave processes: nothing is told of them.
    pub left: Left,
    /// The processes that died of a signal, the main process included.
    pub deaths: Vec<Death>,
    /// Whether the kernel killed a process of the app for lack of memory.
    pub out_of_memory: bool,
    /// Its standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
    /// Highest resident set of any of its processes in KiB, 0 where unknown.
    pub peak_rss_kib: u64,
    /// User and system time of the app.
    pub cpu_time: Duration,
    /// Open files of all its processes when the trial ended; `None` where it could not be counted.
    pub open_files: Option<u64>,
    /// Longest time that one of its threads waited for a processor, or for a disk; or that the supervisor itself was kept waiting, as when
    /// the whole machine stood still. Of processes that had ended by then, the main thread counts.
    pub starved: Duration,
}

/// What became of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientEnd {
    /// How it ended; `None` if it was still running when the trial was over.
    pub ending: Option<Ending>,
    /// Its standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
    /// Time that the one of its threads seen at the end which waited longest for a processor spent waiting for one.
    pub starved: Duration,
}

/// What became of the check script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckEnd {
    /// How it ended; `None` if it was killed at the deadline.
    pub ending: Option<Ending>,
    /// What it printed on either stream.
    pub output: Output,
}

/// Where the time of a trial went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the request to the app's first instruction: create, start, network namespace.
    pub setup: Duration,
    /// From there until the port was listening; `None` without a port, or if it never did.
    pub ready: Option<Duration>,
    /// From the app's first instruction to the end of app or client.
    pub workload: Duration,
    /// The whole trial, without the removal of its container.
    pub total: Duration,
}

/// Why an observation proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The container engine refused or broke something.
    Engine(String),
    /// The shim failed, or never said that its filter was installed.
    Shim(String),
    /// Client or check script could not be started.
    Sidecar(String),
    /// The run was interrupted.
    Interrupted,
}

/// Everything an engine saw of one trial.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Set when nothing here counts.
    pub trouble: Option<Trouble>,
    /// Set if the app's program could not be executed at all, with what the kernel said. Engines set it for baselines only: in
    /// a trial with treatments the launch is not subject to them, so there it is trouble.
    pub not_started: Option<String>,
    /// Whether the trial was ended at its deadline, and which that was.
    pub deadline: Option<Duration>,
    /// Time between that deadline and the moment at which the engine noticed it: long where Loupe itself was stopped, or got no processor.
    pub noticed_late: Duration,
    /// Whether the trial was ended because the app took too much processor time, and how much it might.
    pub exhausted: Option<Duration>,
    /// Whether the port was seen listening; always `true` for workloads that wait for none.
    pub ready: bool,
    /// What became of the app.
    pub app: AppEnd,
    /// What became of the client; `None` if none was started.
    pub client: Option<ClientEnd>,
    /// What became of the check script; `None` if none was started.
    pub check: Option<CheckEnd>,
    /// The files the spec asks for that were found, with their first bytes (bounded).
    pub files: BTreeMap<String, Vec<u8>>,
    /// What the run did to those files that were asked about.
    pub changes: FileChanges,
    /// What the supervisor counted.
    pub calls: CallLog,
    /// Where the time went.
    pub timings: Timings,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_named() {
        let left = |names: &[&str]| Left { processes: names.iter().map(|name| (*name).to_owned()).collect(), milliseconds: 250 };
        assert_eq!(left(&[]).to_string(), "");
        assert_eq!(left(&["sleep"]).to_string(), "the command ended, but process `sleep` that it left was ended after 0.2 s");
        assert_eq!(
            left(&["a", "b", "c", "d", "e"]).to_string(),
            "the command ended, but processes `a`, `b`, `c` and 2 more that it left were ended after 0.2 s"
        );
    }
}
