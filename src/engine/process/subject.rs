//! What a command is, so that stored results are used again only for the same: a hash over everything known beforehand.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Input, Options};

/// What `PATH` is where it is not set, as execvp(3) has it.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Identifies what is run: the content of the program's file, its input, and where and how it is run. Libraries and data files
/// that it reads, and the environment, are not covered.
pub(super) fn identity(name: &str, options: &Options) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut field = |name: &str, value: &[u8]| {
        hash.update(format!("{name} {}:", value.len()));
        hash.update(value);
    };
    // One that is not found is told by the kernel, in its own words, when it is to be executed.
    if let Some(program) = find(name, options) {
        field("program", program.as_os_str().as_bytes());
        field("content", &content(&program)?);
    }
    match &options.input {
        Input::Empty => {}
        Input::File(path) => field("input", &content(path)?),
        Input::Bytes(bytes) => field("input", &Sha256::digest(bytes)),
    }
    field("directory", options.directory.as_os_str().as_bytes());
    field("isolated", &[u8::from(options.isolated), u8::from(options.machine_network)]);
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("process:{digest}"))
}

/// The hash of a file; nothing of one that may be executed but not read.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut hash = Sha256::new();
    match File::open(path).and_then(|mut file| io::copy(&mut file, &mut hash)) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(hash.finalize().to_vec()),
    }
}

/// The file that a name stands for, as execvp(3) finds it.
fn find(name: &str, options: &Options) -> Option<PathBuf> {
    let is_program =
        |path: &Path| path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return Some(options.directory.join(name)).filter(|path| is_program(path));
    }
    let path = options.path.as_deref().unwrap_or(OsStr::new(DEFAULT_PATH));
    let directories = path.as_bytes().split(|byte| *byte == b':').map(|bytes| Path::new(OsStr::from_bytes(bytes)));
    directories.map(|directory| options.directory.join(directory).join(name)).find(|path| is_program(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(directory: &Path) -> Options {
        Options {
            isolated: true,
            machine_network: false,
            input: Input::Empty,
            directory: directory.to_path_buf(),
            path: Some("/nonexistent:bin:/bin".into()),
        }
    }

    fn program(path: &Path, content: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn names_are_found_in_path_and_paths_from_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        assert_eq!(find("sh", &options).unwrap(), Path::new("/bin/sh"));
        program(&folder.path().join("bin/sh"), "own");
        assert_eq!(find("sh", &options).unwrap(), folder.path().join("bin/sh"));
        assert_eq!(find("./bin/sh", &options).unwrap(), folder.path().join("./bin/sh"));
        assert_eq!(find("./nothing", &options), None);
    }

    #[test]
    fn another_program_input_place_or_isolation_is_another_subject() {
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("bin/tool");
        program(&tool, "one");
        let plain = options(folder.path());
        let identity = |options: &Options| identity("tool", options).unwrap();
        let first = identity(&plain);
        assert_eq!(identity(&plain), first);
        let others = [
            Options { input: Input::Bytes(b"x".to_vec()), ..plain.clone() },
            Options { input: Input::File(tool.clone()), ..plain.clone() },
            Options { isolated: false, ..plain.clone() },
            Options { machine_network: true, ..plain.clone() },
        ];
        for other in &others {
            assert_ne!(identity(other), first);
        }
        program(&tool, "two");
        assert_ne!(identity(&plain), first);
    }
}
