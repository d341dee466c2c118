//! `loupe run`: one app, be it a folder, an image or a command.

use super::arguments::RunArguments;
use super::command;
use super::measure::measure;
use super::printer::Printer;
use super::settings::Environment;
use super::status::Status;
use crate::spec::{Roots, load_app};

/// Measures the app.
pub(super) fn run(arguments: &RunArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    match &arguments.app {
        Some(app) => measure(&arguments.measuring, environment, printer, || Ok(vec![load_app(app, &Roots::of_app(app))?])),
        None => command::run(arguments, environment, printer),
    }
}
