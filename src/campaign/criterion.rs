//! What success of a command is where nobody said: what some runs without any intervention agree on. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::rehearsal::Rehearsal;
use crate::spec::{Kind, Success, WrittenFiles};
use crate::trial::{FileChanges, Observation};

/// Names of files that are told in a line.
const NAMED: usize = 3;

/// How the runs of a command are told to have succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// By how they end and what they print.
    pub output: OutputCriterion,
    /// By the files that they write.
    pub files: FilesCriterion,
}

/// How runs are told to have succeeded by how they end and what they print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputCriterion {
    /// By the exit code and the standard output, which was the same in so many runs.
    Output {
        /// How many runs agreed.
        runs: usize,
    },
    /// By the exit code alone, as the standard output differs from run to run.
    ExitCode,
    /// By the exit code and patterns that were given.
    Patterns,
    /// A server: by listening and staying up.
    Server,
}

/// How runs are told to have succeeded by the files that they write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesCriterion {
    /// They are not compared, for the reason that is told, if any is.
    Ignored(Option<&'static str>),
    /// By the state in which these are left.
    Alike {
        /// How many runs agreed.
        runs: usize,
        /// The files that all runs left in the same state.
        alike: Vec<PathBuf>,
        /// Whether there are others, which differ from run to run.
        others: bool,
        /// Whether there are so many that not all were looked at.
        too_many: bool,
    },
}

impl Criterion {
    /// What it says in one line, of a command that has to end with `exit_code`.
    #[must_use]
    pub fn describe(&self, exit_code: i32) -> String {
        let mut parts = vec![format!("exit code {exit_code}")];
        let mut remarks = Vec::new();
        let output_runs = match &self.output {
            OutputCriterion::Server => return "it listens, and stays up".to_owned(),
            OutputCriterion::Output { runs } => {
                parts.push(format!("the standard output that {runs} runs agreed on"));
                Some(*runs)
            }
            OutputCriterion::Patterns => {
                parts.push("standard output that matches what was given".to_owned());
                None
            }
            OutputCriterion::ExitCode => None,
        };
        let alone = match &self.files {
            FilesCriterion::Ignored(reason) => {
                remarks.extend(reason.map(str::to_owned));
                true
            }
            FilesCriterion::Alike { runs, alike, others, too_many } => {
                if !alike.is_empty() {
                    let who = if output_runs == Some(*runs) { "they".to_owned() } else { format!("{runs} runs") };
                    parts.push(format!("{} that {who} wrote alike", files(alike)));
                }
                if *others {
                    remarks.push("files that differ from run to run are not compared".to_owned());
                }
                if *too_many {
                    remarks.push(format!("of more than {} files, the others are not compared", crate::trial::MOST_FILES));
                }
                alike.is_empty()
            }
        };
        if self.output == OutputCriterion::ExitCode {
            let differs = "the standard output differs from run to run";
            if alone {
                parts[0] = format!("{} alone, as {differs}", parts[0]);
            } else {
                remarks.insert(0, differs.to_owned());
            }
        }
        let last = if parts.len() > 1 { parts.pop() } else { None };
        let text = last.into_iter().fold(parts.join(", "), |text, last| format!("{text}, and {last}"));
        std::iter::once(text).chain(remarks).collect::<Vec<_>>().join("; ")
    }

    /// Whether something is compared that may change with the time.
    #[must_use]
    pub const fn may_change(&self) -> bool {
        matches!(self.output, OutputCriterion::Output { .. })
            || matches!(&self.files, FilesCriterion::Alike { alike, .. } if !alike.is_empty())
    }

    /// Gives up what runs without any intervention do not agree on any more, and says what that is.
    pub fn weaken(&mut self, success: &mut Success, rehearsal: &Rehearsal) -> Vec<String> {
        const WHY: &str = "with the time although nothing is done: measured without";
        let mut given_up = Vec::new();
        if !rehearsal.prints_the_same(success) {
            success.stdout_equals = None;
            self.output = OutputCriterion::ExitCode;
            given_up.push(format!("the standard output changes {WHY} it"));
        }
        let changed = rehearsal.files_that_differ(success);
        if let (WrittenFiles::Equal(states), FilesCriterion::Alike { alike, others, .. }) =
            (&mut success.written, &mut self.files)
            && !changed.is_empty()
        {
            states.retain(|path, _| !changed.contains(path));
            alike.retain(|path| !changed.contains(path));
            *others = true;
            if states.is_empty() {
                success.written = WrittenFiles::Ignored;
            }
            let them = if changed.len() == 1 { "it" } else { "them" };
            let change = if changed.len() == 1 { "changes" } else { "change" };
            given_up.push(format!("{} {change} {WHY} {them}", files(&changed)));
        }
        given_up
    }
}

/// `the file `a``, `the 2 files `a` and `b``, `the 7 files `a`, `b`, `c` and others`.
fn files(paths: &[PathBuf]) -> String {
    let named: Vec<_> = paths.iter().take(NAMED).map(|path| format!("`{}`", path.display())).collect();
    match (paths.len(), named.split_last()) {
        (1, Some((only, _))) => format!("the file {only}"),
        (count, _) if count > NAMED => format!("the {count} files {} and others", named.join(", ")),
        (count, Some((last, before))) => format!("the {count} files {} and {last}", before.join(", ")),
        (_, None) => "no files".to_owned(),
    }
}

impl Rehearsal {
    /// The criterion that these runs allow, which `success` is made to ask for. What it already asks of the output stands.
    #[must_use]
    pub fn criterion(&self, success: &mut Success) -> Criterion {
        if self.kind == Kind::Server {
            return Criterion { output: OutputCriterion::Server, files: FilesCriterion::Ignored(None) };
        }
        Criterion { output: self.output_criterion(success), files: self.files_criterion(success) }
    }

    fn output_criterion(&self, success: &mut Success) -> OutputCriterion {
        if !success.stdout_matches.is_empty() {
            return OutputCriterion::Patterns;
        }
        let mut outputs = self.whole().map(|observation| &observation.app.stdout.kept);
        match outputs.next() {
            Some(first) if outputs.all(|other| other == first) => {
                success.stdout_equals = Some(first.clone());
                OutputCriterion::Output { runs: self.observations.len() }
            }
            Some(_) | None => OutputCriterion::ExitCode,
        }
    }

    fn files_criterion(&self, success: &mut Success) -> FilesCriterion {
        if std::mem::take(&mut success.written) != WrittenFiles::Noted {
            return FilesCriterion::Ignored(None);
        }
        let changes: Vec<&FileChanges> = self.whole().map(|run| &run.changes).collect();
        let first = changes.first().map(|changes| changes.states.clone()).unwrap_or_default();
        let alike: BTreeMap<_, _> =
            first.into_iter().filter(|(path, state)| changes.iter().all(|other| other.states.get(path) == Some(state))).collect();
        let criterion = FilesCriterion::Alike {
            runs: self.observations.len(),
            others: changes.iter().flat_map(|changes| changes.states.keys()).any(|path| !alike.contains_key(path)),
            too_many: changes.iter().any(|changes| changes.left_out > 0),
            alike: alike.keys().cloned().collect(),
        };
        if !alike.is_empty() {
            success.written = WrittenFiles::Equal(alike.into_iter().map(|(path, state)| (path, state.to_string())).collect());
        }
        criterion
    }

    /// Whether every run still gives what `success` asks: what agreed a while ago may depend on the time. Runs with trouble of the engine,
    /// and those that were cut off, tell nothing.
    #[must_use]
    pub fn agrees_with(&self, success: &Success) -> bool {
        self.prints_the_same(success) && self.files_that_differ(success).is_empty()
    }

    fn prints_the_same(&self, success: &Success) -> bool {
        let mut runs = self.whole();
        let same = |expected: &Vec<u8>| runs.all(|observation| observation.app.stdout.kept == *expected);
        success.stdout_equals.as_ref().is_none_or(same)
    }

    /// The files that a run did not leave in the state that `success` asks for.
    fn files_that_differ(&self, success: &Success) -> Vec<PathBuf> {
        let WrittenFiles::Equal(expected) = &success.written else { return Vec::new() };
        let is = |run: &Observation, path: &PathBuf| run.changes.states.get(path).map(ToString::to_string);
        let differs = |(path, state): &(&PathBuf, &String)| self.whole().any(|run| is(run, path).as_ref() != Some(*state));
        expected.iter().filter(differs).map(|(path, _)| path.clone()).collect()
    }

    /// The runs that ended by themselves: what was cut off at a deadline, or had trouble of the engine, is nothing to compare.
    fn whole(&self) -> impl Iterator<Item = &Observation> {
        self.observations.iter().filter(|run| run.trouble.is_none() && run.deadline.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{FileState, Output};

    /// Runs that print something and leave files in some states: `out`, and then pairs of a path and a digest.
    fn rehearsal(runs: &[(&str, &[(&str, u64)])]) -> Rehearsal {
        let observation = |(text, files): &(&str, &[(&str, u64)])| {
            let mut observation = Observation::default();
            observation.app.stdout = Output { kept: text.as_bytes().to_vec(), dropped: 0 };
            let states = files.iter().map(|(path, digest)| {
                (PathBuf::from(path), FileState { digest: *digest, ..FileState::of_kind(crate::trial::FileKind::File) })
            });
            observation.changes.states = states.collect();
            observation
        };
        Rehearsal { kind: Kind::RunToCompletion, observations: runs.iter().map(observation).collect() }
    }

    fn noted() -> Success {
        Success { written: WrittenFiles::Noted, ..Success::default() }
    }

    #[test]
    fn output_counts_where_all_runs_agree_and_nothing_else_was_asked_for() {
        let mut success = Success::default();
        let of = |outputs: &[&str]| rehearsal(&outputs.iter().map(|text| (*text, [].as_slice())).collect::<Vec<_>>());
        assert_eq!(of(&["a", "b"]).criterion(&mut success).output, OutputCriterion::ExitCode);
        assert_eq!(success.stdout_equals, None);
        assert_eq!(of(&["a", "a"]).criterion(&mut success).output, OutputCriterion::Output { runs: 2 });
        assert_eq!(success.stdout_equals.as_deref(), Some(b"a".as_slice()));
        assert!(of(&["a"]).agrees_with(&success) && !of(&["b"]).agrees_with(&success));
        let mut troubled = of(&[""]);
        troubled.observations[0].trouble = Some(crate::trial::Trouble::Interrupted);
        assert!(troubled.agrees_with(&success));
        let mut cut_off = of(&["a", "a", ""]);
        cut_off.observations[2].deadline = Some(std::time::Duration::from_secs(1));
        assert_eq!(cut_off.criterion(&mut success).output, OutputCriterion::Output { runs: 3 }, "what is cut off is no output");
        let mut success = Success { stdout_matches: vec![regex::Regex::new("x").unwrap()], ..Success::default() };
        assert_eq!(of(&["a", "a"]).criterion(&mut success).output, OutputCriterion::Patterns);
        assert_eq!(success.stdout_equals, None);
        assert!(of(&["b"]).agrees_with(&success), "nothing was asked of the whole output");
    }

    #[test]
    fn files_count_that_all_runs_leave_alike() {
        let mut success = noted();
        let runs = rehearsal(&[("", &[("/a", 1), ("/b", 2), ("/c", 3)]), ("", &[("/a", 1), ("/b", 9), ("/d", 4)])]);
        let criterion = runs.criterion(&mut success);
        let alike = vec![PathBuf::from("/a")];
        assert_eq!(criterion.files, FilesCriterion::Alike { runs: 2, alike, others: true, too_many: false });
        let WrittenFiles::Equal(states) = &success.written else { panic!("{:?}", success.written) };
        assert_eq!(states.keys().collect::<Vec<_>>(), [&PathBuf::from("/a")]);
        assert!(rehearsal(&[("", &[("/a", 1), ("/e", 5)])]).agrees_with(&success), "what else is written does not matter");
        assert!(!rehearsal(&[("", &[("/a", 2)])]).agrees_with(&success));
        assert!(!rehearsal(&[("", &[])]).agrees_with(&success));
        let mut success = noted();
        let _ = rehearsal(&[("", &[]), ("", &[])]).criterion(&mut success);
        assert_eq!(success.written, WrittenFiles::Ignored, "where nothing is written, nothing is looked for");
        let mut ignored = Success::default();
        assert_eq!(runs.criterion(&mut ignored).files, FilesCriterion::Ignored(None));
    }

    #[test]
    fn what_changes_with_the_time_is_given_up_and_the_rest_stands() {
        let mut success = noted();
        let runs = rehearsal(&[("a", &[("/a", 1), ("/b", 2)]), ("a", &[("/a", 1), ("/b", 2)])]);
        let mut criterion = runs.criterion(&mut success);
        assert!(criterion.may_change());
        let later = rehearsal(&[("a", &[("/a", 1), ("/b", 3)])]);
        assert_eq!(
            criterion.weaken(&mut success, &later),
            ["the file `/b` changes with the time although nothing is done: measured without it"]
        );
        assert!(later.agrees_with(&success) && !rehearsal(&[("b", &[("/a", 1)])]).agrees_with(&success));
        assert_eq!(
            criterion.describe(0),
            "exit code 0, the standard output that 2 runs agreed on, and the file `/a` that they wrote alike; files that differ from \
             run to run are not compared"
        );
        let much_later = rehearsal(&[("b", &[("/a", 4)])]);
        assert_eq!(criterion.weaken(&mut success, &much_later).len(), 2);
        assert!(!criterion.may_change() && much_later.agrees_with(&success));
        assert_eq!(success.written, WrittenFiles::Ignored);
    }

    #[test]
    fn a_criterion_is_one_line() {
        let describe = |output, files| Criterion { output, files }.describe(3);
        let alike = |names: &[&str]| FilesCriterion::Alike {
            runs: 3,
            alike: names.iter().map(PathBuf::from).collect(),
            others: false,
            too_many: false,
        };
        let output = || OutputCriterion::Output { runs: 3 };
        let ignored = FilesCriterion::Ignored;
        assert_eq!(describe(output(), ignored(None)), "exit code 3, and the standard output that 3 runs agreed on");
        assert_eq!(
            describe(output(), ignored(Some("what it writes is not compared"))),
            "exit code 3, and the standard output that 3 runs agreed on; what it writes is not compared"
        );
        assert_eq!(
            describe(OutputCriterion::ExitCode, alike(&[])),
            "exit code 3 alone, as the standard output differs from run to run"
        );
        assert_eq!(
            describe(OutputCriterion::ExitCode, alike(&["/a", "/b"])),
            "exit code 3, and the 2 files `/a` and `/b` that 3 runs wrote alike; the standard output differs from run to run"
        );
        assert_eq!(
            describe(OutputCriterion::Patterns, alike(&["/a", "/b", "/c", "/d"])),
            "exit code 3, standard output that matches what was given, and the 4 files `/a`, `/b`, `/c` and others that 3 runs wrote alike"
        );
        assert_eq!(describe(OutputCriterion::Server, ignored(None)), "it listens, and stays up");
        let many = FilesCriterion::Alike { runs: 3, alike: vec!["/a".into()], others: false, too_many: true };
        assert!(describe(output(), many).ends_with("wrote alike; of more than 2000 files, the others are not compared"));
    }
}
