//! The command line: arguments in, exit code out. One file per verb.
//!
//! The end of the flow. [`run()`] is the whole program; `main` only calls it. Arguments become types once (`arguments`), the
//! environment is read once (`settings`), one place writes (`printer`), and one knows exit codes (`status`). Reporters
//! (`progress`) turn a batch's events into bars, lines or JSON. What a verb does is done by the library: nothing here decides
//! about trials, verdicts or results.

mod arguments;
mod batch;
mod check;
mod clean;
mod command;
mod compare;
mod compare_analysis;
mod completions;
mod database;
mod db;
mod doctor;
mod explain;
mod export;
mod files;
mod interrupt;
mod measure;
mod os;
mod plan;
mod printer;
mod progress;
mod run;
mod scratch;
mod settings;
mod shard;
mod show;
mod static_analysis;
mod status;
mod trace;
mod waiting;

use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use crate::spec::SpecErrors;
use arguments::{Arguments, ColorChoice, Verb};
use printer::Printer;
use settings::Environment;
pub use settings::default_jobs;
use status::Status;

/// Longest wait for background work, such as the removal of containers, once a verb is done.
const AFTERMATH: Duration = Duration::from_secs(5);

/// Runs the command line `arguments`, of which the first is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let environment = Environment::read();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            Printer::of_process(ColorChoice::Auto, false, &environment).usage(&error);
            return if error.use_stderr() { Status::Usage.into() } else { Status::Done.into() };
        }
    };
    let global = &arguments.global;
    let printer = Printer::of_process(global.color, global.quiet, &environment);
    printer::log_to(&printer, global.verbose, &environment);
    let mut status = verb(&arguments.verb, &environment, &printer).unwrap_or_else(|error| {
        complain(&error, &printer);
        Status::of_error(&error)
    });
    if let Some(failure) = printer.failure() {
        printer.error(&failure);
        status = status.or_worse(Status::Environment);
    }
    status.into()
}

fn verb(verb: &Verb, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    match verb {
        Verb::Batch(arguments) => batch::batch(arguments, environment, printer),
        Verb::Run(arguments) => run::run(arguments, environment, printer),
        Verb::Trace(arguments) => trace::trace(arguments, environment, printer),
        Verb::Show(arguments) => show::show(arguments, environment, printer),
        Verb::Compare(arguments) => compare::compare(arguments, environment, printer),
        Verb::Export(arguments) => export::export(arguments, environment, printer),
        Verb::Static(arguments) => static_analysis::static_analysis(arguments, environment, printer),
        Verb::Plan(arguments) => plan::plan(arguments, environment, printer),
        Verb::Check(arguments) => check::check(arguments, environment, printer),
        Verb::Os(arguments) => os::os(arguments, printer),
        Verb::Db(arguments) => db::db(arguments, environment, printer),
        Verb::Doctor(arguments) => doctor::doctor(arguments, environment, printer),
        Verb::Clean(arguments) => clean::clean(arguments, environment, printer),
        Verb::Completions(arguments) => Ok(completions::completions(arguments, printer)),
    }
}

/// Problems in specs bring their own places and hints, one after the other.
fn complain(error: &anyhow::Error, printer: &Printer) {
    match error.downcast_ref::<SpecErrors>() {
        Some(errors) => {
            let count = crate::report::counted(errors.problems().len(), "problem");
            printer.problems(&format!("{errors}\n{count}; nothing was built or run"));
        }
        None => printer.error(&explain::explain(error)),
    }
}

/// Runs `work` on as many threads as there are cores.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(AFTERMATH);
    result
}

/// Makes every panic say that it is a bug in Loupe, and end the process with exit code 70 whichever thread it is on. What
/// was stored stays stored, and what is left on the engine is removed by the next run.
pub fn report_panics_as_bugs() {
    std::panic::set_hook(Box::new(|panic| {
        let trace = std::backtrace::Backtrace::capture();
        let trace = match trace.status() {
            std::backtrace::BacktraceStatus::Captured => format!("\n{trace}"),
            _ => "\nhint: with RUST_BACKTRACE=1 it says more".to_owned(),
        };
        printer::last_words(&format!("\nthis is a bug in loupe, please report it: {panic}{trace}"));
        std::process::exit(i32::from(status::BUG));
    }));
}
