//! The arguments of `loupe static`. Doc comments are the text of `--help`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::super::arguments::DataFormat;
use crate::syscalls::Sysno;

/// Read a program or its sources instead of running it
///
/// Reports every system call that a program may make, as far as reading it can tell: many more than it is seen to use, and more
/// than it needs. `loupe static` runs nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe static binary apps/nginx            the program of an app, with all its libraries
  loupe static source nginx-1.22.1/         C sources")]
pub(in super::super) struct StaticArguments {
    #[command(subcommand)]
    pub(super) what: StaticVerb,
}

/// What is read.
#[derive(Debug, Subcommand)]
pub(super) enum StaticVerb {
    Binary(BinaryArguments),
    Source(SourceArguments),
}

/// Report the system calls of a program and of every object it would load
///
/// Follows all that may run, from the program's entry through libc and every other library, to the system call instructions, and
/// finds out their numbers. The files of an app come from its image, of which nothing is run.
///
/// The result of an app is stored beside what was measured of it, in static-binary.csv and static-binary.json.
///
/// Exits with 4 if something is missing from the result: an object that was not found, or a call that a trace saw.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe static binary apps/nginx            the program of an app, in its image
  loupe static binary redis                 of an app by its name, from apps/ or from the results
  loupe static binary /usr/bin/ls           a program of this machine
  loupe static binary sh --root DIR         a program in a folder with a whole system
  loupe static binary apps/nginx --why execve
                                            how the program may come to make that call
  loupe static binary apps/sort --also /usr/bin/sort
                                            with a program that it starts, or an object that it loads")]
pub(super) struct BinaryArguments {
    /// An app's folder, APP or APP/WORKLOAD, or a program
    #[arg(value_name = "TARGET")]
    pub(super) target: PathBuf,
    /// Take TARGET for a program in this folder, which holds a whole system
    #[arg(long, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// Analyse this file of the same system, too: a shared object that the program loads, or a program that it starts; may be
    /// given several times
    #[arg(long, value_name = "FILE")]
    pub(super) also: Vec<String>,
    /// Show how the program may come to make this call; may be given several times
    #[arg(long, value_name = "CALL")]
    pub(super) why: Vec<Sysno>,
    /// The folder that holds the apps' folders
    #[arg(long, value_name = "DIR", default_value = "apps")]
    pub(super) apps: PathBuf,
    #[command(flatten)]
    pub(super) result: ResultArguments,
}

/// Report the system calls of C sources
///
/// Finds the calls of libc functions, and of `syscall` with the number it is given, with file and line. Every branch of #if
/// counts. Calls through pointers and in assembly are told, and not followed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe static source nginx-1.22.1/src      every C source in a folder
  loupe static source src/ --app nginx/wrk  and store the result as one of that app
  loupe static source src/ --all            with every place of each call")]
pub(super) struct SourceArguments {
    /// The folder that holds the sources
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// Show every place of each call, not only the first
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) result: ResultArguments,
}

/// What becomes of a result.
#[derive(Debug, Args)]
pub(super) struct ResultArguments {
    /// Store the result beside what was measured of this app (not needed where an app is analysed)
    #[arg(long, value_name = "APP/WORKLOAD")]
    pub(super) app: Option<String>,
    /// The folder of the results [default: `LOUPE_RESULTS` of the environment, or results]
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = DataFormat::Text)]
    pub(super) format: DataFormat,
}
