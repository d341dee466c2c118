//! The arguments of `loupe trace`. Doc comments are the text of `--help`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::arguments::{COMMANDS, Format, SubjectArguments, time};

/// See every system call of a command, an image or an app, without changing anything
///
/// A command behind `--` is run once on this machine, in namespaces and under file systems that are thrown away, and is observed
/// with all processes and threads that it makes, by ptrace(2): which calls, with which arguments, how often, how they ended and
/// how long they took. The times have in them what observing costs. Programs that use ptrace themselves can't be observed so.
///
/// With --image or an app's folder the app is run in a container, and watched as in every measurement: that sees calls as they
/// are made, and neither their results nor their times. For a server, its workload's client runs as well.
///
/// What the C library answers without the kernel, such as the time of day (vDSO), is never seen.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe trace -- ls /                       a table of the calls
  loupe trace --lines -- ls /               every call as a line, as strace prints it
  loupe trace --lines --output ls.trace -- ls /
  loupe trace apps/nginx --workload wrk     an app in its container
  loupe trace --image debian:bookworm-slim -- ls /")]
pub(in crate::cli) struct TraceArguments {
    /// The app's folder, with its Dockerfile
    #[arg(value_name = "APP_DIR", required_unless_present_any = ["image", "command"], conflicts_with_all = ["image", "command"])]
    pub(super) app: Option<PathBuf>,
    #[command(flatten)]
    pub(super) subject: SubjectArguments,
    /// The app's workload [default: its first]
    #[arg(long, value_name = "NAME", requires = "app")]
    pub(super) workload: Option<String>,
    /// Print every call as a line when it ends: `[THREAD] call(arguments) = result`; for commands of this machine
    #[arg(long, conflicts_with_all = ["image", "app"])]
    pub(super) lines: bool,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// End the command after this time, such as 500ms or 10s [default: 2m for an app or image, never for a command]
    #[arg(long, value_name = "TIME", help_heading = COMMANDS, value_parser = time)]
    pub(super) timeout: Option<Duration>,
    /// How the trace is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}
