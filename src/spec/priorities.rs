//! What apps are worth and what calls cost, for support plans: a YAML file -> [`Priorities`].
//!
//! ```yaml
//! apps:
//!   nginx: {popularity: 30}     # or just: nginx: 30
//!   redis: {popularity: 20}
//! calls:
//!   io_uring_setup: {cost: 20}  # or just: io_uring_setup: 20
//! ```
//!
//! Both keys are optional; what is not named counts 1. Names of apps are not looked up: which apps a plan is about is not known here.
//! Reads its file through `files`, like the rest of `spec`, and reports every problem with its place.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::files;
use super::problem::{Problems, SpecErrors, nearest, quoted};
use super::tree::{self, Content, Node};
use super::typing::{self, Fields};
use crate::syscalls::Sysno;

/// Largest worth or cost; large enough for downloads, small enough that a sum of all apps is no problem.
const LARGEST: u64 = 1_000_000_000_000;

/// What apps are worth and what calls cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Priorities {
    /// What an app is worth, by its name.
    pub apps: BTreeMap<String, u64>,
    /// What it costs to implement a call.
    pub calls: BTreeMap<Sysno, u64>,
}

/// Reads the file at `path`.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load_priorities(path: &Path) -> Result<Priorities, SpecErrors> {
    let mut problems = Problems::default();
    let file: Arc<Path> = Arc::from(path);
    let mut priorities = Priorities::default();
    if let Some(text) = files::read_text(&file, &mut problems)
        && let Some(root) = tree::parse(&file, &text, &mut problems)
    {
        priorities = read(&root, &mut problems);
    }
    problems.into_result(priorities)
}

fn read(root: &Node, problems: &mut Problems) -> Priorities {
    let mut priorities = Priorities::default();
    let Some(fields) = Fields::of(root, "priorities", &["apps", "calls"], problems) else { return priorities };
    for (name, _, worth) in numbers(fields.get("apps"), "apps", "popularity", problems) {
        priorities.apps.insert(name, worth);
    }
    for (name, at, cost) in numbers(fields.get("calls"), "calls", "cost", problems) {
        match name.parse::<Sysno>() {
            Ok(call) => drop(priorities.calls.insert(call, cost)),
            Err(error) => {
                let problem = problems.at(&at, error.to_string());
                if let Some(near) = nearest(&name, Sysno::all().map(Sysno::name)) {
                    problem.hint(format!("did you mean `{near}`?"));
                }
            }
        }
    }
    priorities
}

/// The entries of a mapping from names to numbers, each of which may be written as a mapping with this one `key`.
fn numbers(node: Option<&Node>, what: &str, key: &str, problems: &mut Problems) -> Vec<(String, super::problem::Location, u64)> {
    let Some(node) = node.filter(|node| !node.is_null()) else { return Vec::new() };
    let Content::Mapping(mapping) = &node.content else {
        typing::wrong(node, what, "a mapping", problems);
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in &mapping.entries {
        let name = format!("{what}.{}", quoted(&entry.key).trim_matches('`'));
        let value = if let Content::Mapping(_) = entry.value.content {
            Fields::of(&entry.value, &name, &[key], problems)
                .and_then(|fields| fields.required(key, &format!("{key}: 10"), problems))
        } else {
            Some(&entry.value)
        };
        if let Some(number) = value.and_then(|value| typing::integer(value, &name, 0..=LARGEST, problems)) {
            found.push((entry.key.clone(), entry.key_at.clone(), number));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Priorities, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        load_priorities(file.path()).map_err(|errors| {
            let place = format!("{}:", file.path().display());
            errors.to_string().replace(&place, "")
        })
    }

    #[test]
    fn numbers_are_read_in_both_forms() {
        let priorities = load("apps:\n  nginx: {popularity: 30}\n  my app: 2\ncalls:\n  mmap: 7\n  clone: {cost: 0}\n").unwrap();
        assert_eq!(priorities.apps, BTreeMap::from([("my app".to_owned(), 2), ("nginx".to_owned(), 30)]));
        let calls: Vec<_> = priorities.calls.iter().map(|(call, cost)| (call.name(), *cost)).collect();
        assert_eq!(calls, [("clone", 0), ("mmap", 7)]);
        assert_eq!(load("apps:\n").unwrap(), Priorities::default());
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        let text = load("apps:\n  nginx: many\n  redis: {popularty: 3}\ncalls:\n  mmapp: 1\nweights: {}\n").unwrap_err();
        let lines: Vec<_> = text.lines().collect();
        for (place, message) in [
            ("2:10", "`apps.nginx` has to be a number from 0 to 1000000000000, but is the string `many`"),
            ("3:11", "unknown key `popularty` in `apps.redis`"),
            ("5:3", "`mmapp` is not a Linux system call"),
            ("6:1", "unknown key `weights` in `priorities`"),
        ] {
            assert!(lines.iter().any(|line| line.starts_with(place) && line.ends_with(message)), "{place}: {message}\n{text}");
        }
        assert!(text.contains("did you mean `mmap`?") && text.contains("did you mean `popularity`?"), "{text}");
    }
}
