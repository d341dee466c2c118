//! What the analysis of sources tells. Pure vocabulary.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::syscalls::Sysno;

/// Everything that was found in sources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SourceFindings {
    /// The processor whose system calls are meant, as `uname -m` prints it.
    pub architecture: String,
    /// How many files were read.
    pub files: u64,
    /// Endings of files with code that were not read, with their numbers.
    pub skipped: BTreeMap<String, u64>,
    /// The calls that the sources may make, each with the places that do.
    pub calls: BTreeMap<Sysno, BTreeSet<Use>>,
    /// Places that call the kernel by a number that is not known.
    pub unresolved: Vec<Doubt>,
    /// Inline assembly with a system call instruction, whose number is not looked for.
    pub assembly: Vec<Doubt>,
    /// How many calls go through pointers. They are not followed.
    pub indirect_calls: u64,
    /// Names of libc functions that the sources define themselves, with the number of their calls: those are not counted.
    pub own: BTreeMap<String, u64>,
    /// Where a file could not be understood. What stands there may be missing from the rest.
    pub parse_errors: Vec<Doubt>,
}

/// A line of a file. As text `FILE:LINE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's path.
    pub file: String,
    /// Counted from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// How a call is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UseKind {
    /// A libc function is called.
    Function,
    /// The address of a libc function is taken.
    Address,
    /// The kernel is called by a number.
    Number,
}

impl UseKind {
    const ALL: [Self; 3] = [Self::Function, Self::Address, Self::Number];

    /// The one name this has in every file and message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Address => "address",
            Self::Number => "number",
        }
    }
}

/// A place that makes a call. As text `FILE:LINE NAME KIND`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Use {
    /// Where.
    pub place: Place,
    /// The function, as it is written.
    pub function: String,
    /// How.
    pub kind: UseKind,
}

impl fmt::Display for Use {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.place, self.function, self.kind.name())
    }
}

impl From<Use> for String {
    fn from(site: Use) -> Self {
        site.to_string()
    }
}

impl TryFrom<String> for Use {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let broken = || format!("`{text}` is no use of a call");
        let (rest, kind) = text.rsplit_once(' ').ok_or_else(broken)?;
        let (place, function) = rest.rsplit_once(' ').ok_or_else(broken)?;
        let (file, line) = place.rsplit_once(':').ok_or_else(broken)?;
        let kind = UseKind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(broken)?;
        let place = Place { file: file.to_owned(), line: line.parse().map_err(|_| broken())? };
        Ok(Self { place, function: function.to_owned(), kind })
    }
}

/// A place that leaves something open, and what. As text `FILE:LINE: WHAT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Doubt {
    /// Where.
    pub place: Place,
    /// What, in words.
    pub what: String,
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.what)
    }
}

impl From<Doubt> for String {
    fn from(doubt: Doubt) -> Self {
        doubt.to_string()
    }
}

impl TryFrom<String> for Doubt {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let broken = || format!("`{text}` is no doubt");
        // The first that looks like a line number ends the file's name.
        let found = text.match_indices(": ").find_map(|(end, _)| {
            let (file, line) = text[..end].rsplit_once(':')?;
            Some((Place { file: file.to_owned(), line: line.parse().ok()? }, text[end + 2..].to_owned()))
        });
        let (place, what) = found.ok_or_else(broken)?;
        Ok(Self { place, what })
    }
}

impl SourceFindings {
    /// The number of places per call: what is stored as the result.
    #[must_use]
    pub fn sites(&self) -> BTreeMap<Sysno, u64> {
        self.calls.iter().map(|(call, uses)| (*call, uses.len() as u64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_and_doubts_are_read_back_as_they_are_written() {
        let place = Place { file: "a dir/b:1: c.c".to_owned(), line: 12 };
        for kind in UseKind::ALL {
            let site = Use { place: place.clone(), function: "open64".to_owned(), kind };
            assert_eq!(Use::try_from(site.to_string()), Ok(site));
        }
        let place = Place { file: "src/x.c".to_owned(), line: 3 };
        let doubt = Doubt { place, what: "odd: `a:1: b`".to_owned() };
        assert_eq!(Doubt::try_from(doubt.to_string()), Ok(doubt));
        for broken in ["", "x.c:1 open", "x.c:1 open call", "x.c:one open function"] {
            assert!(Use::try_from(broken.to_owned()).is_err(), "{broken}");
            assert!(Doubt::try_from(broken.to_owned()).is_err(), "{broken}");
        }
    }
}
