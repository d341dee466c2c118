//! `loupe static`: what reading a program or its sources tells.

mod arguments;
mod binary;
mod source;
mod target;

pub(super) use arguments::StaticArguments;

use std::num::NonZero;

use super::printer::Printer;
use super::settings::{Environment, available_cores};
use super::status::{Status, WrongUsage};
use arguments::StaticVerb;

/// Reads, prints and stores.
pub(super) fn static_analysis(
    arguments: &StaticArguments,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<Status> {
    match &arguments.what {
        StaticVerb::Binary(arguments) => binary::binary(arguments, environment, printer),
        StaticVerb::Source(arguments) => source::source(arguments, environment, printer),
    }
}

/// Threads that an analysis may use.
fn threads() -> NonZero<usize> {
    NonZero::new(available_cores()).unwrap_or(NonZero::<usize>::MIN)
}

/// An app and its workload, from `APP/WORKLOAD`.
fn app_and_workload(name: &str) -> anyhow::Result<(String, String)> {
    let (app, workload) = name
        .split_once('/')
        .ok_or_else(|| WrongUsage(format!("`{name}` names no workload\nhint: say APP/WORKLOAD, such as `{name}/default`")))?;
    Ok((app.to_owned(), workload.to_owned()))
}
