//! What an OS has: a list of system calls, some of them perhaps in part. Pure: it takes text, not files.
//!
//! # The format
//!
//! One item a line: a call (`read`), or an argument feature of a call that the OS has only in part (`ioctl(TIOCGWINSZ)`: a call of
//! which features are listed has these alone, unless the call stands on a line of its own as well), or a pseudo-file
//! (`/proc/self/status`: as soon as one is listed, the OS has only those listed; where none is, nothing is known of them). A `#`
//! begins a comment. Comments of the form `# name: …`, `# source: …`, `# version: …`, `# list: …` and `# note: …` before the first
//! item say what the profile is.
//!
//! An item that stands twice changes nothing and is remembered as a note. A line that is no item is an error, and all errors are
//! reported at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::set::CallSet;
use crate::spec::nearest;
use crate::syscalls::Sysno;
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;
use crate::trial::Item;

/// What an OS has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name, for people.
    pub name: String,
    /// Where its sources are; empty where the profile doesn't say.
    pub source: String,
    /// Which state of these the list is of: a commit or a date; empty where the profile doesn't say.
    pub version: String,
    /// Where the list comes from; empty where the profile doesn't say.
    pub list: String,
    /// What has to be known about the list.
    pub notes: Vec<String>,
    /// The calls that are there, with whatever arguments.
    pub complete: CallSet,
    /// The features that are there of calls that are there in part.
    pub partial: BTreeMap<Sysno, BTreeSet<Feature>>,
    /// The pseudo-files that are there; `None` if the profile says nothing of any.
    pub files: Option<BTreeSet<PseudoFile>>,
}

/// One thing that is wrong with the text of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileProblem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

/// Everything that is wrong with the text of a profile; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ProfileErrors {
    /// The name of the file, or of the profile.
    pub file: String,
    /// What is wrong with it, in the order of the lines.
    pub problems: Vec<ProfileProblem>,
}

impl fmt::Display for ProfileErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{}:{}: {}", self.file, problem.line, problem.message)?;
            if let Some(hint) = &problem.hint {
                write!(formatter, "; {hint}")?;
            }
        }
        Ok(())
    }
}

impl Profile {
    /// An OS that has these calls and nothing else.
    #[must_use]
    pub fn of(name: impl Into<String>, calls: impl IntoIterator<Item = Sysno>) -> Self {
        Self {
            name: name.into(),
            source: String::new(),
            version: String::new(),
            list: String::new(),
            notes: Vec::new(),
            complete: calls.into_iter().collect(),
            partial: BTreeMap::new(),
            files: None,
        }
    }

    /// Reads the text of a profile. `file` is for messages, and the name where the text has none.
    ///
    /// # Errors
    ///
    /// Every line that is no item, with its number.
    pub fn parse(file: &str, text: &str) -> Result<Self, ProfileErrors> {
        let mut profile = Self::of(file, []);
        let mut seen = BTreeMap::<Item, usize>::new();
        let mut problems = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let (item, comment) = text.split_once('#').map_or((text, None), |(item, comment)| (item, Some(comment)));
            let item = item.trim();
            if item.is_empty() {
                if let Some(comment) = comment.filter(|_| seen.is_empty()) {
                    profile.describe(comment);
                }
                continue;
            }
            match item.parse::<Item>() {
                Ok(item) => match seen.insert(item, line) {
                    None => profile.add(item),
                    Some(first) => profile.notes.push(format!("`{item}` stands in line {line} and in line {first}")),
                },
                Err(_) => problems.push(problem(line, item)),
            }
        }
        if problems.is_empty() && seen.is_empty() {
            let message = "no system call is listed".to_owned();
            problems.push(ProfileProblem { line: 1, message, hint: Some("write one a line, such as `read`".to_owned()) });
        }
        for call in profile.complete.iter() {
            profile.partial.remove(&call);
        }
        if problems.is_empty() { Ok(profile) } else { Err(ProfileErrors { file: file.to_owned(), problems }) }
    }

    /// Takes a comment of the form `key: value`.
    fn describe(&mut self, comment: &str) {
        let Some((key, value)) = comment.split_once(':') else { return };
        let value = value.trim().to_owned();
        match key.trim() {
            "name" => self.name = value,
            "source" => self.source = value,
            "version" => self.version = value,
            "list" => self.list = value,
            "note" => self.notes.push(value),
            _ => {}
        }
    }

    fn add(&mut self, item: Item) {
        match item {
            Item::Call(call) => self.complete.insert(call),
            Item::Feature(feature) => {
                self.partial.entry(feature.call()).or_default().insert(feature);
            }
            Item::File(file) => {
                self.files.get_or_insert_default().insert(file);
            }
        }
    }

    /// The calls that are there, in full or in part.
    #[must_use]
    pub fn calls(&self) -> CallSet {
        self.complete.union(self.partial.keys().copied().collect())
    }

    /// Name and version, for headings: `Kerla (commit 73a1873, 58 calls)`.
    #[must_use]
    pub fn title(&self) -> String {
        let count = self.calls().len();
        let calls = format!("{count} call{}", if count == 1 { "" } else { "s" });
        if self.version.is_empty() {
            format!("{} ({calls})", self.name)
        } else {
            format!("{} ({}, {calls})", self.name, self.version)
        }
    }
}

/// What is wrong with a line that is no item.
fn problem(line: usize, text: &str) -> ProfileProblem {
    let shown = text.escape_debug();
    if text.contains(char::is_whitespace) {
        let hint = Some("write one item a line, and a `#` before a comment".to_owned());
        return ProfileProblem { line, message: format!("`{shown}` is more than one item"), hint };
    }
    if text.starts_with('/') {
        let message = text.parse::<PseudoFile>().err().map_or_else(String::new, |error| error.to_string());
        return ProfileProblem { line, message, hint: None };
    }
    if text.contains('(') {
        let message = text.parse::<Feature>().err().map_or_else(String::new, |error| error.to_string());
        return ProfileProblem { line, message, hint: None };
    }
    let hint = nearest(text, Sysno::all().map(Sysno::name)).map(|name| format!("did you mean `{name}`?"));
    ProfileProblem { line, message: format!("`{shown}` is not a Linux system call"), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> Sysno {
        name.parse().unwrap()
    }

    #[test]
    fn a_profile_has_calls_features_and_pseudo_files_with_comments() {
        let text = "# name: Toy\n# version: commit 1\n# note: small\n\nread # the first\n  write\nioctl(TIOCGWINSZ)\nioctl(FIONREAD)\n\
                    mmap(MAP_ANONYMOUS)\nmmap\n/proc/self/maps\nread\n# note: too late\n";
        let profile = Profile::parse("toy.syscalls", text).unwrap();
        assert_eq!(profile.title(), "Toy (commit 1, 4 calls)");
        assert_eq!(profile.complete, ["read", "write", "mmap"].into_iter().map(call).collect());
        assert_eq!(profile.partial.keys().copied().collect::<Vec<_>>(), [call("ioctl")], "mmap is there in full");
        assert_eq!(profile.partial[&call("ioctl")].len(), 2);
        assert_eq!(profile.files.as_ref().unwrap().len(), 1);
        assert_eq!(profile.notes, ["small", "`read` stands in line 12 and in line 5"]);
        assert_eq!(Profile::parse("plain", "read\r\nwrite").unwrap().title(), "plain (2 calls)");
    }

    #[test]
    fn broken_lines_are_all_reported_with_their_numbers() {
        let error = Profile::parse("my.os", "read\nopanat\nread write\nioctl(TCGET)\n/etc/passwd\n").unwrap_err();
        let text = error.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "my.os:2: `opanat` is not a Linux system call; did you mean `openat`?");
        assert_eq!(lines[1], "my.os:3: `read write` is more than one item; write one item a line, and a `#` before a comment");
        assert_eq!(lines[2], "my.os:4: `ioctl(TCGET)` is not an argument feature: `ioctl` has no `TCGET`");
        assert!(lines[3].starts_with("my.os:5: "), "{text}");
        assert_eq!(error.problems.len(), 4);
    }

    #[test]
    fn an_empty_profile_is_refused() {
        let error = Profile::parse("empty", "# name: x\n\n").unwrap_err();
        assert_eq!(error.to_string(), "empty:1: no system call is listed; write one a line, such as `read`");
    }
}
