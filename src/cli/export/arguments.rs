//! The arguments of `loupe export`. Doc comments are the text of `--help`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::export::Unseen;

/// Write what was measured in a form that other programs enforce
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe export seccomp nginx > nginx.json   a seccomp profile for `docker run`
  loupe export seccomp redis --joint        one that avoids all that can be avoided")]
pub(in super::super) struct ExportArguments {
    #[command(subcommand)]
    pub(super) what: ExportVerb,
}

/// What is written.
#[derive(Debug, Subcommand)]
pub(super) enum ExportVerb {
    Seccomp(SeccompArguments),
}

/// What becomes of calls that nobody saw. (Comments on the values would make the help text much longer.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum UnseenChoice {
    Enosys,
    Errno,
    Allow,
    Kill,
}

impl From<UnseenChoice> for Unseen {
    fn from(choice: UnseenChoice) -> Self {
        match choice {
            UnseenChoice::Enosys => Self::Enosys,
            UnseenChoice::Errno => Self::Errno,
            UnseenChoice::Allow => Self::Allow,
            UnseenChoice::Kill => Self::Kill,
        }
    }
}

/// Write a seccomp profile of an app, or command lines that do the same
///
/// The profile lets every call through that the app was seen to make. With `--joint` it is that of the joint configuration: stubs fail
/// with ENOSYS, fakes report success. It is in the format that Docker, Podman, containerd and CRI-O read.
///
/// A container's runtime makes calls of its own after it installed the profile: close, execve, fstatfs, futex, getdents64, openat and
/// write at least. They are let through, even where the app does without them. Use the profile with `--security-opt
/// no-new-privileges`, as Loupe measures: without it the runtime makes more of them, and a profile with `--joint` may stub those.
/// With `docker run --init`, an init of the engine makes calls of its own under the profile, which no app was seen to make: leave it out.
///
/// An app may make calls that no run showed, in place of some that fail or when it does more than its workload. `--unseen` says what
/// becomes of them: `enosys`, they fail as on an OS without them, so that libraries fall back; `errno`, they fail with EPERM, as under
/// Docker's own profile; `allow`; `kill`.
///
/// With `--features`, a call with arguments that were not seen fares as one that was not, though on older engines it fails with EPERM
/// where ENOSYS was asked for.
///
/// With several workloads, the profile lets through what any of them needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe export seccomp nginx > nginx.json
  docker run --security-opt seccomp=nginx.json --security-opt no-new-privileges nginx
  loupe export seccomp redis --joint --unseen allow
  loupe export seccomp nginx --features     one that holds calls to the arguments that were seen
  loupe export seccomp redis --strace -- redis-server --save ''
                                            the joint configuration for strace
  loupe export seccomp redis --enosys       the same for enosys of util-linux")]
pub(super) struct SeccompArguments {
    /// APP or APP/WORKLOAD
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// Only this workload; may be given several times [default: every workload of the app]
    #[arg(long, value_name = "WORKLOAD")]
    pub(super) workload: Vec<String>,
    /// The joint configuration, instead of every call that was seen
    #[arg(long)]
    pub(super) joint: bool,
    /// Let calls through with the arguments alone that were seen, where a filter can tell: ioctl's request, the flags of mprotect; not
    /// for calls that the container's runtime makes itself, such as openat
    #[arg(long, conflicts_with_all = ["strace", "enosys"])]
    pub(super) features: bool,
    /// What becomes of calls that nobody saw
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = UnseenChoice::Enosys)]
    pub(super) unseen: UnseenChoice,
    /// A command line that has strace enforce the joint configuration, in place of the profile
    #[arg(long, conflicts_with_all = ["enosys", "unseen"])]
    pub(super) strace: bool,
    /// A command line that has enosys of util-linux enforce the joint configuration, in place of the profile
    #[arg(long, conflicts_with = "unseen")]
    pub(super) enosys: bool,
    /// The folder of the results [default: `LOUPE_RESULTS` of the environment, or results]
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// The command of the command line [default: COMMAND, to be replaced]
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}
