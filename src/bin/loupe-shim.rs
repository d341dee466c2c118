//! The supervisor that Loupe puts in front of an app inside its container; see `loupe::shim`.

fn main() -> std::process::ExitCode {
    loupe::shim::main()
}
