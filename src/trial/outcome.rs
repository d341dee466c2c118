//! What a trial means. The match arms that classify are complete on purpose: a new cause has to be placed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a trial counts as failed. Every cause is the app's or its workload's doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum FailCause {
    /// The app's program could not be executed.
    NotStarted {
        /// What the kernel said.
        message: String,
    },
    /// The app itself ended with another exit code than the spec asks for.
    ExitCode {
        /// What it ended with.
        code: i32,
        /// What success would have been.
        expected: i32,
    },
    /// A process of the app died of a signal that the spec does not expect.
    Died {
        /// The process's name (`comm`), or its pid where the name was not seen.
        process: String,
        /// The signal's name, such as `SIGSEGV`, or `unknown signal` where the kernel did not say which.
        signal: String,
    },
    /// A server's main process ended although the client was not done.
    ExitedEarly {
        /// What it ended with.
        code: i32,
    },
    /// A server did not listen on its port before the deadline.
    NeverReady {
        /// The TCP port that was waited for.
        port: u16,
        /// The deadline in milliseconds.
        deadline_ms: u64,
    },
    /// App or client did not end before the deadline.
    Deadline {
        /// The deadline in milliseconds.
        deadline_ms: u64,
    },
    /// The app took many times the processor time of the baseline, and was not done.
    ProcessorTime {
        /// What it might take, in milliseconds.
        limit_ms: u64,
    },
    /// The client ended with another exit code than the spec asks for.
    ClientExitCode {
        /// What it ended with.
        code: i32,
        /// What success would have been.
        expected: i32,
    },
    /// The client died of a signal.
    ClientDied {
        /// The signal's name.
        signal: String,
    },
    /// The output misses something that the spec asks for.
    OutputMismatch {
        /// `stdout` or `stderr`.
        stream: String,
        /// The pattern without a match.
        pattern: String,
    },
    /// The output holds something that the spec forbids.
    OutputForbidden {
        /// `stdout` or `stderr`.
        stream: String,
        /// The pattern that matched.
        pattern: String,
    },
    /// The output is not the one that it has to be.
    OutputDiffers {
        /// `stdout` or `stderr`.
        stream: String,
        /// The first line that differs, from 1.
        line: u64,
        /// That line as it is; `None` if the output ends before it.
        found: Option<String>,
        /// That line as it has to be; `None` if the output has to end before it.
        expected: Option<String>,
    },
    /// A file that the app has to leave behind is not there.
    MissingFile {
        /// Its path in the container.
        path: String,
    },
    /// A file is not as runs without any intervention leave it.
    FileDiffers {
        /// Its path.
        path: String,
        /// How it differs.
        difference: String,
    },
    /// The check script refused the result.
    CheckFailed {
        /// What the script ended with.
        code: i32,
        /// The last line it printed, if any.
        message: String,
    },
    /// The app ran into the memory limit of its spec.
    OutOfMemory {
        /// The limit in bytes.
        limit: u64,
    },
}

impl fmt::Display for FailCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted { message } => write!(formatter, "not started: {message}"),
            Self::ExitCode { code, expected } => write!(formatter, "exit code {code}, expected {expected}"),
            Self::Died { process, signal } => write!(formatter, "process `{process}` died of {signal}"),
            Self::ExitedEarly { code } => write!(formatter, "server exited early with code {code}"),
            Self::NeverReady { port, deadline_ms } => {
                write!(formatter, "port {port} not listening after {}", Seconds(*deadline_ms))
            }
            Self::Deadline { deadline_ms } => write!(formatter, "not done after {}", Seconds(*deadline_ms)),
            Self::ProcessorTime { limit_ms } => write!(formatter, "not done after {} of processor time", Seconds(*limit_ms)),
            Self::ClientExitCode { code, expected } => write!(formatter, "client: exit code {code}, expected {expected}"),
            Self::ClientDied { signal } => write!(formatter, "client died of {signal}"),
            Self::OutputMismatch { stream, pattern } => write!(formatter, "{stream} does not match `{pattern}`"),
            Self::OutputForbidden { stream, pattern } => write!(formatter, "{stream} matches the forbidden `{pattern}`"),
            Self::OutputDiffers { stream, line, found: Some(found), expected: Some(expected) } => {
                write!(formatter, "{stream} differs in line {line}: `{found}`, expected `{expected}`")
            }
            Self::OutputDiffers { stream, line, found, expected: None } => {
                write!(formatter, "{stream} goes on with line {line}: `{}`", found.as_deref().unwrap_or_default())
            }
            Self::OutputDiffers { stream, line, found: None, expected: Some(expected) } => {
                write!(formatter, "{stream} ends before line {line}, expected `{expected}`")
            }
            Self::MissingFile { path } => write!(formatter, "file `{path}` is missing"),
            Self::FileDiffers { path, difference } => {
                write!(formatter, "file `{path}` differs from the undisturbed runs': {difference}")
            }
            Self::CheckFailed { code, message } if message.is_empty() => write!(formatter, "check failed with code {code}"),
            Self::CheckFailed { code, message } => write!(formatter, "check failed with code {code}: {message}"),
            Self::OutOfMemory { limit } => write!(formatter, "out of memory (limit {} MiB)", limit / (1024 * 1024)),
        }
    }
}

/// Milliseconds, printed as seconds.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{} s", self.0 / 1000, self.0 % 1000 / 100)
    }
}

/// Why a trial says nothing about the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum InconclusiveCause {
    /// The container engine refused or broke something.
    Engine {
        /// What it said.
        message: String,
    },
    /// The shim failed, or never said that its filter was installed.
    Shim {
        /// What it said.
        message: String,
    },
    /// The workload's own helper (client, check script) could not be started.
    Sidecar {
        /// What it said.
        message: String,
    },
    /// The run was interrupted before the trial ended.
    Interrupted,
}

impl fmt::Display for InconclusiveCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine { message } => write!(formatter, "engine trouble: {message}"),
            Self::Shim { message } => write!(formatter, "shim trouble: {message}"),
            Self::Sidecar { message } => write!(formatter, "sidecar trouble: {message}"),
            Self::Interrupted => formatter.write_str("interrupted"),
        }
    }
}

/// What one trial says about the app under its intervention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The workload succeeded.
    Pass,
    /// The workload failed, and the app or its workload is why.
    Fail(FailCause),
    /// Nothing can be concluded; the trial has to be run again.
    Inconclusive(InconclusiveCause),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => formatter.write_str("pass"),
            Self::Fail(cause) => write!(formatter, "{cause}"),
            Self::Inconclusive(cause) => write!(formatter, "inconclusive: {cause}"),
        }
    }
}
