//! From a word of a command line to the file that the kernel loads: the search in `PATH`, and scripts (execve(2), execvp(3)).
//! Pure.

use super::super::root::{Entry, Found, Root, RootError, find};
use super::BinaryError;
use super::findings::Program;

/// Where programs are looked for if nothing else is said: as in a container of Docker.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// As many scripts may be the interpreters of scripts as Linux follows (`exec_binprm` of fs/exec.c).
const SCRIPTS_LIMIT: usize = 5;
/// Bytes of a script's first line that the kernel looks at (`BINPRM_BUF_SIZE` of linux/binfmts.h).
const LINE_LIMIT: usize = 256;

/// The programs that are started for `word`: more than one where a script asks `env` for its interpreter.
pub(super) fn programs(root: &dyn Root, word: &str, path: &str, folder: &str) -> Result<Vec<Program>, BinaryError> {
    let mut programs = Vec::new();
    let mut wanted = Some(word.to_owned());
    while let Some(word) = wanted.take() {
        let mut found = locate(root, &word, path, folder)?;
        let mut scripts = Vec::new();
        while let Some(line) = first_line(root, &found)? {
            scripts.push(found.path.clone());
            if scripts.len() > SCRIPTS_LIMIT {
                return Err(BinaryError::Scripts { path: found.path });
            }
            let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
            let interpreter = words.next().ok_or_else(|| BinaryError::Scripts { path: found.path.clone() })?;
            found = locate(root, interpreter, path, folder)?;
            if interpreter.ends_with("/env") {
                // `env -S` takes more words, and any number of assignments may come first.
                wanted = words.find(|word| !word.starts_with('-') && !word.contains('=')).map(str::to_owned);
            }
        }
        if programs.iter().any(|program: &Program| program.path == found.path) {
            break;
        }
        programs.push(Program { asked: word, path: found.path, scripts });
    }
    Ok(programs)
}

/// The first line of a script after its `#!`.
fn first_line(root: &dyn Root, file: &Found) -> Result<Option<String>, RootError> {
    let content = root.read(&file.path)?;
    let Some(rest) = content.strip_prefix(b"#!") else { return Ok(None) };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(&line[..line.len().min(LINE_LIMIT)]).trim().to_owned()))
}

/// The file that a word means: a path, or the first file in the folders of `path` that may be executed.
fn locate(root: &dyn Root, word: &str, path: &str, folder: &str) -> Result<Found, BinaryError> {
    let is_file = |found: &Found| matches!(found.entry, Entry::File { .. });
    let is_executable = |found: &Found| found.entry == Entry::File { executable: true };
    let not_found = || BinaryError::NotFound { program: word.to_owned() };
    if word.contains('/') {
        return find(root, &beside(folder, word))?.filter(is_file).ok_or_else(not_found);
    }
    for directory in path.split(':') {
        if let Some(found) = find(root, &beside(folder, &format!("{directory}/{word}")))?.filter(is_executable) {
            return Ok(found);
        }
    }
    Err(not_found())
}

/// `path` as seen from `folder`.
fn beside(folder: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") }
}

#[cfg(test)]
mod tests {
    use super::super::super::root::tests::Memory;
    use super::*;

    fn root() -> Memory {
        Memory::default()
            .with("/bin", "-> usr/bin")
            .with("/usr/bin/sh", "-> dash")
            .with("/usr/bin/dash", "\x7fELF dash")
            .with("/usr/bin/env", "\x7fELF env")
            .with("/usr/bin/python3", "\x7fELF python3")
            .with("/usr/local/bin/start", "#! /bin/sh -e\nexec app\n")
            .with("/usr/local/bin/tool", "#!/usr/bin/env -S A=1 python3 -u\n")
            .with("/usr/local/bin/twice", "#!/usr/local/bin/start\n")
            .with("/usr/local/bin/circle", "#!/usr/local/bin/circle\n")
            .with("/usr/local/bin/empty", "#!\n")
            .with("/app/run", "\x7fELF run")
    }

    fn paths(word: &str) -> Vec<String> {
        programs(&root(), word, DEFAULT_PATH, "/app").unwrap().into_iter().map(|program| program.path).collect()
    }

    #[test]
    fn words_are_looked_up_as_a_shell_would() {
        assert_eq!(paths("sh"), ["/usr/bin/dash"]);
        assert_eq!(paths("/bin/sh"), ["/usr/bin/dash"]);
        assert_eq!(paths("./run"), ["/app/run"]);
        for word in ["run", "nothing", "/nothing", "/usr/bin", ""] {
            let error = programs(&root(), word, DEFAULT_PATH, "/app").unwrap_err();
            assert!(matches!(error, BinaryError::NotFound { .. }), "{word}: {error}");
        }
    }

    #[test]
    fn scripts_are_run_by_their_interpreters() {
        let programs = programs(&root(), "twice", DEFAULT_PATH, "/").unwrap();
        assert_eq!(programs[0].path, "/usr/bin/dash");
        assert_eq!(programs[0].scripts, ["/usr/local/bin/twice", "/usr/local/bin/start"]);
        assert_eq!(paths("tool"), ["/usr/bin/env", "/usr/bin/python3"]);
    }

    #[test]
    fn scripts_without_end_or_interpreter_are_errors() {
        for word in ["circle", "empty"] {
            let error = programs(&root(), word, DEFAULT_PATH, "/").unwrap_err();
            assert!(matches!(error, BinaryError::Scripts { .. }), "{word}: {error}");
        }
    }
}
