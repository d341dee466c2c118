//! The `loupe` program: parses the command line, runs it, and exits with the code that carries the answer.

fn main() -> std::process::ExitCode {
    loupe::cli::report_panics_as_bugs();
    loupe::cli::run(std::env::args_os())
}
