//! `loupe export`: what was measured, in a form that other programs enforce.

mod arguments;
mod seccomp;

pub(super) use arguments::ExportArguments;
use arguments::ExportVerb;

use super::printer::Printer;
use super::settings::Environment;
use super::status::Status;

/// Writes what is asked for.
pub(super) fn export(arguments: &ExportArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    match &arguments.what {
        ExportVerb::Seccomp(arguments) => seccomp::seccomp(arguments, environment, printer),
    }
}
