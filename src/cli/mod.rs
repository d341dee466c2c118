//! The command line: arguments -> typed options -> a verb -> an exit status.
//!
//! The last layer. `arguments` says what can be asked, one file per verb does it, `printer` is the only place that writes to
//! the standard streams, `settings` the only one that reads the environment.

mod arguments;
mod batch;
mod clean;
mod doctor;
mod printer;
mod progress;
mod settings;
mod show;
mod status;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Verb};
use printer::Printer;
use settings::Settings;
pub use status::Status;

/// Runs the program as its arguments say.
#[must_use]
pub fn main() -> ExitCode {
    let settings = Settings::from_environment();
    report_bugs();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // `--help` and `--version` end up here as well, and are no errors.
            let status = if error.use_stderr() { Status::Usage } else { Status::Done };
            let _ = error.print();
            return status.into();
        }
    };
    let printer = Printer::new(&settings, arguments.quiet);
    let status = match run(&arguments, &settings, &printer) {
        Ok(status) => status,
        Err(failure) => {
            printer.error(&failure.error);
            failure.status
        }
    };
    status.into()
}

/// A verb that could not be carried out.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    error: anyhow::Error,
}

impl Failure {
    fn new(status: Status, error: impl Into<anyhow::Error>) -> Self {
        Self { status, error: error.into() }
    }
}

fn run(arguments: &Arguments, settings: &Settings, printer: &Printer) -> Result<Status, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Status::Environment, error))?;
    match &arguments.verb {
        Verb::Batch(batch) => runtime.block_on(batch::batch(batch, settings, printer)),
        Verb::Run(app) => runtime.block_on(batch::run(app, settings, printer)),
        Verb::Show(show) => show::show(show, printer),
        Verb::Doctor(doctor) => runtime.block_on(doctor::doctor(doctor, settings, printer)),
        Verb::Clean(clean) => runtime.block_on(clean::clean(clean, settings, printer)),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "loupe", &mut script);
            printer.data(&String::from_utf8_lossy(&script));
            Ok(Status::Done)
        }
    }
}

/// A panic is a bug of ours: say so, and exit with the code for it.
fn report_bugs() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        printer::write_error("this is a bug in loupe; finished trials are stored. Please report it with the lines above\n");
        std::process::exit(i32::from(Status::Bug.code()));
    }));
}
