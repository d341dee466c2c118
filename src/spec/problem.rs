//! What is wrong with a spec, and where: collected instead of returned, so that one run reports everything.
//!
//! Pure. Used by every other part of `spec`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// One thing that is wrong with one file or folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file or folder, as it was reached from the path that the user gave.
    #[serde(serialize_with = "lossy_path")]
    pub file: PathBuf,
    /// The line, from 1; `None` where the file or folder as a whole is meant.
    pub line: Option<usize>,
    /// The column, from 1, in characters.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// Says what to do about it.
    pub(super) fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file.display())?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(formatter, ":{line}:{column}")?;
        }
        write!(formatter, ": error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// A path that is not UTF-8 must not keep a problem from being reported as JSON.
fn lossy_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Everything that is wrong with the specs that were asked for; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SpecErrors {
    problems: Vec<Problem>,
}

impl SpecErrors {
    /// All problems, sorted by file, line and column, none twice.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

/// A place in a YAML file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// The file; shared by all places in it.
    pub(super) file: Arc<Path>,
    /// From 1.
    pub(super) line: usize,
    /// From 1, in characters.
    pub(super) column: usize,
}

impl Location {
    /// The folder in which the file stands.
    pub(super) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or_else(|| Path::new(""))
    }
}

/// Takes the problems as they are found.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    /// Something is wrong at a place of a YAML file.
    pub(super) fn at(&mut self, at: &Location, message: impl Into<String>) -> &mut Problem {
        self.push(Problem {
            file: at.file.to_path_buf(),
            line: Some(at.line),
            column: Some(at.column),
            message: message.into(),
            hint: None,
        })
    }

    /// Something is wrong with a file or folder as a whole.
    pub(super) fn with(&mut self, file: &Path, message: impl Into<String>) -> &mut Problem {
        self.push(Problem { file: file.to_path_buf(), line: None, column: None, message: message.into(), hint: None })
    }

    fn push(&mut self, problem: Problem) -> &mut Problem {
        self.found.push(problem);
        self.found.last_mut().expect("invariant: a problem was pushed")
    }

    /// Number of problems so far; tells whether a step found any.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// `value` if nothing was wrong, otherwise everything that was.
    pub(super) fn into_result<T>(self, value: T) -> Result<T, SpecErrors> {
        if self.found.is_empty() { Ok(value) } else { Err(self.into_errors()) }
    }

    /// Everything that was wrong. A shared workload that several apps use is looked at once for each, so the same problem
    /// can have been found more than once.
    pub(super) fn into_errors(self) -> SpecErrors {
        let mut problems = self.found;
        problems.sort();
        problems.dedup();
        SpecErrors { problems }
    }
}

/// `text` in backticks, fit for one line of a terminal: control characters escaped, and cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown = String::new();
    for character in text.chars().take(LONGEST) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// The known name that was probably meant by `wanted`, if one is close enough.
pub(crate) fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase().replace(['_', ' '], "-");
    let length = wanted.chars().count();
    if length > 64 {
        return None;
    }
    known
        .into_iter()
        .filter_map(|name| {
            let distance = strsim::osa_distance(&wanted, &name.to_lowercase());
            let longest = length.max(name.chars().count());
            if distance <= (longest / 3).max(1) {
                Some((distance, name))
            } else if length >= 3 && (name.starts_with(&wanted) || wanted.starts_with(name)) {
                // `env` for `environment` is far in edits and near in meaning.
                Some((longest, name))
            } else {
                None
            }
        })
        .min()
        .map(|(_, name)| name)
}

/// A hint that names the nearest of `known`, or all of them.
pub(super) fn known_hint<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = nearest(wanted, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    let names: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
    format!("known here: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_by_edits_case_underscore_and_prefix() {
        let known = ["environment", "stdout-matches", "stdout-forbids", "use"];
        assert_eq!(nearest("enviroment", known), Some("environment"));
        assert_eq!(nearest("env", known), Some("environment"));
        assert_eq!(nearest("stdout_matches", known), Some("stdout-matches"));
        assert_eq!(nearest("Use", known), Some("use"));
        assert_eq!(nearest("replicas", known), None);
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }

    #[test]
    fn quoted_text_stays_on_one_line_and_is_cut() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), "`a\\nb\\u{1b}[31m`");
        assert_eq!(quoted("grün"), "`grün`");
        assert_eq!(quoted(&"x".repeat(61)), format!("`{}…`", "x".repeat(60)));
    }

    #[test]
    fn problems_are_sorted_by_place_and_none_is_reported_twice() {
        let mut problems = Problems::default();
        let at = |file: &str, line| Location { file: Arc::from(Path::new(file)), line, column: 1 };
        problems.at(&at("b.yaml", 1), "first of b");
        problems.at(&at("a.yaml", 10), "second of a");
        problems.at(&at("a.yaml", 9), "first of a").hint("do this");
        problems.at(&at("b.yaml", 1), "first of b");
        problems.with(Path::new("a.yaml"), "the whole of a");
        let errors = problems.into_result(()).unwrap_err();
        assert_eq!(
            errors.to_string(),
            "a.yaml: error: the whole of a\na.yaml:9:1: error: first of a\n  hint: do this\n\
             a.yaml:10:1: error: second of a\nb.yaml:1:1: error: first of b"
        );
    }

    #[test]
    fn problems_are_written_as_json_with_every_field() {
        let mut problems = Problems::default();
        problems.with(Path::new("apps/x"), "missing Dockerfile").hint("write one");
        let errors = problems.into_result(()).unwrap_err();
        assert_eq!(
            serde_json::to_string(&errors).unwrap(),
            r#"[{"file":"apps/x","line":null,"column":null,"message":"missing Dockerfile","hint":"write one"}]"#
        );
    }
}
