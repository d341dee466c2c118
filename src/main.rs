//! The `loupe` program: parses the command line, runs it, and exits with the code that carries the answer.

fn main() -> std::process::ExitCode {
    loupe::cli::main()
}
