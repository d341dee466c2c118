//! The arguments of `loupe check`. Doc comments are the text of `--help`.

use std::path::PathBuf;

use clap::Args;

use super::super::arguments::Format;
use super::super::plan::Running;

/// Find out whether an app would run on an OS, by running it with only what that OS has
///
/// Every system call that the OS does not have fails with ENOSYS, whether the app was ever seen to make it or not, except for those
/// that the app's results allow to be faked: these do nothing and report success. Runs are repeated until the answer is sure.
///
/// Exits with 0 if every workload runs, with 1 if one does not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe check --os kerla nginx                would nginx run on Kerla?
  loupe check --os my.syscalls apps/redis     an OS of your own, an app by its folder
  loupe check --os unikraft redis --strict    without any fake")]
pub(in super::super) struct CheckArguments {
    /// Name of a built-in profile (see `loupe os list`), or a file with one system call a line
    #[arg(long, value_name = "PROFILE")]
    pub(super) os: String,
    /// The app: its name, or its folder
    #[arg(value_name = "APP")]
    pub(super) app: String,
    /// Only this workload
    #[arg(long, value_name = "NAME")]
    pub(super) workload: Option<String>,
    /// Fake nothing: what the OS lacks fails, whatever the results allow
    #[arg(long)]
    pub(super) strict: bool,
    #[command(flatten)]
    pub(super) running: Running,
    /// The folder of the results, which say what may be faked [default: `LOUPE_RESULTS` of the environment, or results]
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}
