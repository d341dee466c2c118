//! `loupe completions`: made from the command line's own description.

use clap::CommandFactory;

use super::arguments::{Arguments, CompletionsArguments};
use super::printer::Printer;
use super::status::Status;

/// Prints the script for the shell.
pub(super) fn completions(arguments: &CompletionsArguments, printer: &Printer) -> Status {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "loupe", &mut script);
    printer.data(&String::from_utf8_lossy(&script));
    Status::Done
}
