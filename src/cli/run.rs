//! `loupe run`: one app.

use super::arguments::RunArguments;
use super::measure::measure;
use super::printer::Printer;
use super::settings::Environment;
use super::status::Status;
use crate::spec::{Roots, load_app};

/// Measures the app.
pub(super) fn run(arguments: &RunArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    measure(&arguments.measuring, environment, printer, || Ok(vec![load_app(&arguments.app, &Roots::of_app(&arguments.app))?]))
}
