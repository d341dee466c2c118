//! From a command line to a program that can be executed: what a container engine's runtime would do.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use seccompiler::sock_filter;

use super::sys::Program;

/// What `PATH` is where the container has none, as container runtimes assume it.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Rules by which a name without slash is looked up in `PATH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathRules {
    /// Those of execvp(3) and of shells: an empty element is the working directory.
    Shell,
    /// Those of container runtimes, which use Go's `exec.LookPath`: an empty `PATH` has no element, and a program found relative to the
    /// working directory is refused.
    Runtime,
}

/// Finds the executable of `command` and gathers what `execve` needs; the environment is the shim's own, but for `HOME` if that is
/// given.
pub(super) fn program(
    command: &[String],
    filter: Option<Vec<sock_filter>>,
    dropped_capabilities: Vec<libc::c_ulong>,
    home: Option<&str>,
    rules: PathRules,
) -> io::Result<Program> {
    let name = command.first().ok_or_else(|| io::Error::other("the command line is empty"))?;
    let inherited = std::env::vars_os().filter(|(key, _)| home.is_none() || key != "HOME");
    let given = home.map(|home| (OsString::from("HOME"), OsString::from(home)));
    let environment = inherited.chain(given).map(|(key, value)| {
        let mut entry = key;
        entry.push("=");
        entry.push(value);
        CString::new(entry.into_vec()).map_err(io::Error::other)
    });
    Ok(Program {
        path: CString::new(find(name, rules)?.into_os_string().into_vec()).map_err(io::Error::other)?,
        arguments: command
            .iter()
            .map(|argument| CString::new(argument.as_str()).map_err(io::Error::other))
            .collect::<Result<_, _>>()?,
        environment: environment.collect::<Result<_, _>>()?,
        filter,
        nonce: nonce()?,
        dropped_capabilities,
        observed: false,
    })
}

/// 64 random bits that the app cannot guess.
pub(super) fn nonce() -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Why a program cannot be executed, in words. The kernel says that a file is not there if its interpreter is not (execve(2)).
pub(super) fn reason(name: &str, rules: PathRules, error: &io::Error) -> String {
    let interpreter = match (error.raw_os_error(), find(name, rules)) {
        (Some(libc::ENOENT), Ok(path)) => interpreter(&path),
        _ => None,
    };
    let Some(interpreter) = interpreter else { return error.to_string() };
    let named = String::from_utf8_lossy(&interpreter).escape_debug().to_string();
    let ending = if interpreter.ends_with(b"\r") { "; the first line ends in a carriage return" } else { "" };
    format!("its interpreter `{named}` is missing{ending}")
}

/// The interpreter that the first line of a script asks for.
fn interpreter(path: &Path) -> Option<Vec<u8>> {
    let mut begin = Vec::new();
    File::open(path).ok()?.take(256).read_to_end(&mut begin).ok()?;
    let line = begin.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty())?;
    Some(word.to_vec())
}

/// Looks a name without slash up in `PATH`.
fn find(name: &str, rules: PathRules) -> io::Result<PathBuf> {
    if name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from(DEFAULT_PATH));
    find_in(name, &path, rules)
}

fn find_in(name: &str, path: &OsStr, rules: PathRules) -> io::Result<PathBuf> {
    let not_found = || io::Error::new(io::ErrorKind::NotFound, format!("`{name}` is not in PATH"));
    if path.is_empty() && rules == PathRules::Runtime {
        return Err(not_found());
    }
    let mut refused = None;
    for directory in path.as_bytes().split(|byte| *byte == b':') {
        let directory = if directory.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(directory)) };
        let candidate = directory.join(name);
        if !candidate.is_file() {
            continue;
        }
        match access(&candidate, AccessFlags::X_OK) {
            Ok(()) if rules == PathRules::Runtime && candidate.is_relative() => {
                let message = format!(
                    "`{name}` is found relative to the working directory, by `{}` in PATH, which container runtimes refuse",
                    String::from_utf8_lossy(directory.as_os_str().as_bytes())
                );
                return Err(io::Error::other(message));
            }
            Ok(()) => return Ok(candidate),
            Err(error) => refused = Some(io::Error::from(error)),
        }
    }
    Err(refused.unwrap_or_else(not_found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_in_path_and_paths_are_not() {
        for rules in [PathRules::Shell, PathRules::Runtime] {
            let find_in = |name, path| find_in(name, OsStr::new(path), rules);
            assert_eq!(find("./some/where", rules).unwrap(), Path::new("./some/where"));
            assert_eq!(find_in("sh", "/nonexistent:/bin:/usr/bin").unwrap(), Path::new("/bin/sh"));
            assert_eq!(find_in("sh", "/nonexistent").unwrap_err().kind(), io::ErrorKind::NotFound);
            assert_eq!(find_in("passwd", "/etc").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
    }

    #[test]
    fn an_interpreter_that_is_missing_is_named() {
        let script = std::env::temp_dir().join(format!("loupe-interpreter-{}", std::process::id()));
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        let reason = |content: &str| {
            std::fs::write(&script, content).unwrap();
            super::reason(script.to_str().unwrap(), PathRules::Shell, &missing)
        };
        let returns = reason("#!/bin/sh\r\necho\r\n");
        assert_eq!(returns, "its interpreter `/bin/sh\\r` is missing; the first line ends in a carriage return");
        assert_eq!(reason("#! /nowhere -x\n"), "its interpreter `/nowhere` is missing");
        assert!(reason("no script").starts_with("No such file"));
        std::fs::remove_file(script).unwrap();
    }

    #[test]
    fn container_runtimes_run_nothing_relative_to_the_working_directory() {
        // The working directory of a test is the package's, where there is this script.
        let find_in = |path, rules| find_in("base-image.sh", OsStr::new(path), rules);
        assert_eq!(find_in("Dockerfiles:/bin", PathRules::Shell).unwrap(), Path::new("Dockerfiles/base-image.sh"));
        let error = find_in("Dockerfiles:/bin", PathRules::Runtime).unwrap_err().to_string();
        assert!(
            error.starts_with("`base-image.sh` is found relative to the working directory, by `Dockerfiles` in PATH"),
            "{error}"
        );
        let in_working_directory = |path, rules| super::find_in("build.rs", OsStr::new(path), rules).unwrap_err().kind();
        // It is there, and may not be executed.
        assert_eq!(in_working_directory("", PathRules::Shell), io::ErrorKind::PermissionDenied);
        assert_eq!(in_working_directory(":/bin", PathRules::Shell), io::ErrorKind::PermissionDenied);
        assert_eq!(in_working_directory("", PathRules::Runtime), io::ErrorKind::NotFound);
    }
}
