//! The arguments of `loupe os`. Doc comments are the text of `--help`.

use clap::{Args, Subcommand};

use super::super::arguments::Format;

/// Show which system calls operating systems have
///
/// Profiles of known operating systems are built in; any other OS is described by a file with one system call a line.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe os list                             every built-in profile
  loupe os show kerla                       its calls, and where the list comes from
  loupe os show my.syscalls                 check a file of your own")]
pub(in super::super) struct OsArguments {
    #[command(subcommand)]
    pub(super) what: OsVerb,
}

/// What is shown.
#[derive(Debug, Subcommand)]
pub(super) enum OsVerb {
    List(ListArguments),
    Show(ShowProfileArguments),
}

/// List the built-in profiles
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// How the list is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// Print a profile with its source and its calls
///
/// The text can be saved, edited, and given to `--os` as a file.
#[derive(Debug, Args)]
pub(super) struct ShowProfileArguments {
    /// Name of a built-in profile, or a file
    #[arg(value_name = "PROFILE")]
    pub(super) profile: String,
    /// How the profile is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}
