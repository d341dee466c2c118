//! What an app said before it failed, and what of its failure may be due to how Loupe runs apps. Pure.

use std::sync::LazyLock;

use regex::Regex;

/// Lines that are shown of a stream.
const SHOWN: usize = 5;

/// Programs that are of no use without their set-user-id bit.
const SET_USER_ID: [&str; 8] = ["su", "sudo", "doas", "pkexec", "newgrp", "runuser", "passwd", "fusermount3"];

/// Words of programs that have to be process 1.
static PROCESS_ONE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(pid|process)\s*(id)?\s*[#=:]?\s*(is\s+)?(not\s+)?1\b").expect("invariant: the pattern is valid")
});

/// Streams of a run that failed, by lines, and the names of the processes that made calls in it.
#[derive(Debug, Clone, Default)]
pub struct LastWords {
    /// The standard error of the app.
    pub stderr: Vec<String>,
    /// Its standard output.
    pub stdout: Vec<String>,
    /// The standard error of the client, and its standard output.
    pub client: Option<(Vec<String>, Vec<String>)>,
    /// The names of the processes, as far as they are known.
    pub processes: Vec<String>,
}

impl LastWords {
    /// The last lines of each stream that matters, and hints.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = of_streams("its", &self.stderr, &self.stdout);
        if let Some((stderr, stdout)) = &self.client {
            lines.extend(of_streams("its client's", stderr, stdout));
        }
        lines.extend(self.hints());
        lines
    }

    /// Whether a set-user-id program failed for want of what its bit gives.
    #[must_use]
    pub fn lacks_privileges(&self) -> bool {
        let said = |line: &String| {
            let line = line.to_ascii_lowercase();
            line.contains("no new privileges") || line.contains("no_new_privs")
        };
        self.stderr.iter().chain(&self.stdout).any(said) || self.processes.iter().any(|name| SET_USER_ID.contains(&name.as_str()))
    }

    fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        if self.lacks_privileges() {
            hints.push(
                "hint: every app runs with no-new-privileges, so set-user-id programs such as `su` and `sudo` have no effect: run as \
                 the user that they would make it"
                    .to_owned(),
            );
        }
        if self.stderr.iter().chain(&self.stdout).any(|line| PROCESS_ONE.is_match(line)) {
            hints.push(
                "hint: process 1 is Loupe's supervisor, as an init with `docker run --init`: what has to be process 1 itself cannot be \
                 measured"
                    .to_owned(),
            );
        }
        hints
    }
}

/// The last lines of the standard error, or of the standard output where that is empty.
fn of_streams(whose: &str, stderr: &[String], stdout: &[String]) -> Vec<String> {
    let (stream, lines) = if stderr.is_empty() { ("output", stdout) } else { ("error", stderr) };
    lines[lines.len().saturating_sub(SHOWN)..]
        .iter()
        .map(|line| format!("{whose} standard {stream}: {}", visible(line)))
        .collect()
}

/// A line without control characters, which would move the cursor.
fn visible(line: &str) -> String {
    line.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[&str]) -> LastWords {
        LastWords { stderr: lines.iter().map(|line| (*line).to_owned()).collect(), ..LastWords::default() }
    }

    #[test]
    fn the_last_lines_are_shown_without_control_characters() {
        let lines = said(&["0", "1", "2", "3", "4", "\u{1b}[31mred"]).lines();
        assert_eq!(lines.len(), SHOWN);
        assert_eq!(lines[SHOWN - 1], "its standard error: \\u{1b}[31mred");
        let client = LastWords { client: Some((Vec::new(), vec!["refused".to_owned()])), ..LastWords::default() };
        assert_eq!(client.lines(), ["its client's standard output: refused"]);
    }

    #[test]
    fn what_loupe_does_to_the_app_is_hinted_at() {
        let is_hinted = |line: &str, word: &str| said(&[line]).lines().last().unwrap().contains(word);
        for line in ["must be pid 1", "init: must be run as PID 1", "can only run as process 1", "pid is not 1"] {
            assert!(is_hinted(line, "process 1 is Loupe's supervisor"), "{line}");
        }
        for line in ["pid 12", "process 10 failed", "error 1"] {
            assert!(!is_hinted(line, "process 1 is"), "{line}");
        }
        assert!(is_hinted("sudo: The \"no new privileges\" flag is set", "no-new-privileges, so"));
        let su = LastWords { processes: vec!["su".to_owned()], ..said(&["su: Authentication failure"]) };
        assert!(su.lacks_privileges() && !said(&["Authentication failure"]).lacks_privileges());
    }
}
