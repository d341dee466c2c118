//! Nodes -> typed values: strings, numbers, durations, sizes, lists, maps. Says what was expected and what was found.
//!
//! Pure. Every function gives `None` after it has reported why, so a caller may go on with any value in its place: a spec
//! with a problem is never used. Knows nothing of apps and workloads.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use regex::{Regex, RegexBuilder};

use super::problem::{Location, Problem, Problems, known_hint, quoted};
use super::tree::{Content, Mapping, Node};

/// What a value is, for a message.
fn describe(node: &Node) -> String {
    match &node.content {
        _ if node.is_null() => "empty".to_owned(),
        Content::Scalar { text, plain: true } if text.parse::<f64>().is_ok() => format!("the number {}", quoted(text)),
        Content::Scalar { text, plain: true } if text == "true" || text == "false" => format!("the boolean {}", quoted(text)),
        Content::Scalar { text, .. } => format!("the string {}", quoted(text)),
        Content::Sequence(_) => "a list".to_owned(),
        Content::Mapping(_) => "a mapping".to_owned(),
        Content::Invalid => "invalid".to_owned(),
    }
}

/// Reports that `what` is something else than `expected`; not if it was already reported.
pub(super) fn wrong<'p>(node: &Node, what: &str, expected: &str, problems: &'p mut Problems) -> Option<&'p mut Problem> {
    if node.content == Content::Invalid {
        return None;
    }
    Some(problems.at(&node.at, format!("`{what}` has to be {expected}, but is {}", describe(node))))
}

/// A mapping whose keys are all known.
pub(super) struct Fields<'a> {
    mapping: &'a Mapping,
    at: &'a Location,
    what: &'a str,
}

impl<'a> Fields<'a> {
    /// Takes `node` as a mapping with some of the keys `known`, and reports every other key.
    pub(super) fn of(node: &'a Node, what: &'a str, known: &[&str], problems: &mut Problems) -> Option<Self> {
        let Content::Mapping(mapping) = &node.content else {
            wrong(node, what, "a mapping", problems);
            return None;
        };
        for entry in mapping.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            problems
                .at(&entry.key_at, format!("unknown key {} in `{what}`", quoted(&entry.key)))
                .hint(known_hint(&entry.key, known.iter().copied()));
        }
        Some(Self { mapping, at: &node.at, what })
    }

    /// The value of `key`, if it is given.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.mapping.entry(key).map(|entry| &entry.value)
    }

    /// Where `key` stands, if it is given.
    pub(super) fn place(&self, key: &str) -> Option<&'a Location> {
        self.mapping.entry(key).map(|entry| &entry.key_at)
    }

    /// The value of `key`, whose lack is a problem; `example` shows what to write.
    pub(super) fn required(&self, key: &str, example: &str, problems: &mut Problems) -> Option<&'a Node> {
        let value = self.get(key);
        if value.is_none() && !self.mapping.partial {
            problems.at(self.at, format!("`{}` lacks `{key}`", self.what)).hint(format!("write `{example}`"));
        }
        value
    }
}

/// A scalar as it is written: numbers and booleans are text too, and only an empty value is not.
pub(super) fn text<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> Option<&'a str> {
    match &node.content {
        Content::Scalar { text, .. } if !node.is_null() => {
            if text.contains('\0') {
                problems.at(&node.at, format!("`{what}` contains a NUL character, which no program can be given"));
                return None;
            }
            Some(text)
        }
        Content::Scalar { text, .. } => {
            let written = if text.is_empty() { "''".to_owned() } else { format!("'{text}'") };
            wrong(node, what, "a string", problems)?.hint(format!("put quotes around it if you mean the string {written}"));
            None
        }
        Content::Sequence(_) | Content::Mapping(_) | Content::Invalid => {
            wrong(node, what, "a string", problems);
            None
        }
    }
}

/// A whole number within `range`.
pub(super) fn integer(node: &Node, what: &str, range: RangeInclusive<u64>, problems: &mut Problems) -> Option<u64> {
    let expected = format!("a number from {} to {}", range.start(), range.end());
    if let Content::Scalar { text, plain } = &node.content {
        let number = whole(text).filter(|number| range.contains(number));
        if number.is_some() && *plain {
            return number;
        }
        let problem = wrong(node, what, &expected, problems)?;
        if number.is_some() {
            problem.hint("remove the quotes");
        }
        return None;
    }
    wrong(node, what, &expected, problems);
    None
}

/// Decimal digits and nothing else; `None` too where 64 bits do not hold it.
fn whole(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A whole number and its unit.
fn with_unit(node: &Node) -> Option<(u64, &str)> {
    let Content::Scalar { text, .. } = &node.content else { return None };
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    Some((whole(digits)?, unit.trim_start()))
}

/// A time such as `10s`, within `range`.
pub(super) fn duration(node: &Node, what: &str, range: RangeInclusive<Duration>, problems: &mut Problems) -> Option<Duration> {
    let value = with_unit(node).and_then(|(number, unit)| {
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        Some(Duration::from_millis(number.checked_mul(milliseconds)?))
    });
    match value {
        Some(value) if range.contains(&value) => Some(value),
        Some(_) => {
            let expected = format!("a time from {:?} to {}h", range.start(), range.end().as_secs() / 3600);
            wrong(node, what, &expected, problems);
            None
        }
        None => {
            wrong(node, what, "a time", problems)?.hint("write a whole number and its unit: `500ms`, `10s`, `2m` or `1h`");
            None
        }
    }
}

/// A number of bytes such as `512MiB`, within `range`.
pub(super) fn bytes(node: &Node, what: &str, range: RangeInclusive<u64>, problems: &mut Problems) -> Option<u64> {
    let value = with_unit(node).and_then(|(number, unit)| {
        let shift = match unit {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return None,
        };
        number.checked_mul(1 << shift)
    });
    match value {
        Some(value) if range.contains(&value) => Some(value),
        Some(_) => {
            let expected = format!("a size from {} to {}", in_units(*range.start()), in_units(*range.end()));
            wrong(node, what, &expected, problems);
            None
        }
        None => {
            wrong(node, what, "a size", problems)?
                .hint("write a whole number and its unit: `4096B`, `64KiB`, `512MiB` or `2GiB`");
            None
        }
    }
}

/// A size in the largest unit that divides it.
fn in_units(bytes: u64) -> String {
    let (shift, unit) = [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        .into_iter()
        .find(|(shift, _)| bytes != 0 && bytes.trailing_zeros() >= *shift)
        .unwrap_or((0, "B"));
    format!("{}{unit}", bytes >> shift)
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node, what: &str, problems: &mut Problems) -> Option<bool> {
    match &node.content {
        Content::Scalar { text, .. } if text == "true" => Some(true),
        Content::Scalar { text, .. } if text == "false" => Some(false),
        Content::Scalar { .. } | Content::Sequence(_) | Content::Mapping(_) | Content::Invalid => {
            wrong(node, what, "`true` or `false`", problems);
            None
        }
    }
}

/// A list, each of whose items is a scalar.
pub(super) fn list<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> Option<&'a [Node]> {
    let Content::Sequence(items) = &node.content else {
        wrong(node, what, "a list", problems);
        return None;
    };
    Some(items)
}

/// A command line: a list of strings, the program first.
pub(super) fn command(node: &Node, what: &str, problems: &mut Problems) -> Option<Vec<String>> {
    let items = match &node.content {
        Content::Sequence(items) => items,
        Content::Scalar { text, .. } if !node.is_null() => {
            // Splitting it here would have to guess at quotes, variables and pipes: a shell has to be asked for by name.
            let hint = if text.contains(['"', '\'', '$', '|', '>', '<', '&', ';', '*', '`', '\\', ',', '[', '{', '#', ':']) {
                "write `[PROGRAM, ARGUMENT, …]`, or `[/bin/sh, -c, '…']` if the image has a shell".to_owned()
            } else {
                format!("write `[{}]`", text.split_whitespace().collect::<Vec<_>>().join(", "))
            };
            wrong(node, what, "a list of strings", problems)?.hint(hint);
            return None;
        }
        Content::Scalar { .. } | Content::Mapping(_) | Content::Invalid => {
            wrong(node, what, "a list of strings", problems);
            return None;
        }
    };
    let before = problems.count();
    let words: Vec<_> = items.iter().filter_map(|item| text(item, what, problems)).map(str::to_owned).collect();
    if problems.count() == before && words.first().is_none_or(String::is_empty) {
        problems.at(&node.at, format!("`{what}` names no program")).hint("its first item is the program that is run");
        return None;
    }
    (words.len() == items.len()).then_some(words)
}

/// A mapping from names to scalars.
pub(super) fn texts(node: &Node, what: &str, problems: &mut Problems) -> Option<BTreeMap<String, String>> {
    let Content::Mapping(mapping) = &node.content else {
        wrong(node, what, "a mapping of names to values", problems);
        return None;
    };
    let mut values = BTreeMap::new();
    for entry in &mapping.entries {
        let (key, what) = (&entry.key, format!("{what}.{}", entry.key));
        if key.is_empty() || key.contains(|c: char| c == '=' || c == '\0' || c.is_whitespace()) {
            problems.at(&entry.key_at, format!("{} can't be the name of a variable", quoted(key)));
        }
        if let Some(value) = text(&entry.value, &what, problems) {
            values.insert(key.clone(), value.to_owned());
        }
    }
    Some(values)
}

/// One value or a list of them, as nodes.
pub(super) fn one_or_more<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> Option<&'a [Node]> {
    match &node.content {
        Content::Sequence(items) => Some(items),
        Content::Scalar { .. } => Some(std::slice::from_ref(node)),
        Content::Mapping(_) | Content::Invalid => {
            wrong(node, what, "a string or a list of strings", problems);
            None
        }
    }
}

/// One regular expression or a list of them; `^` and `$` match at the ends of lines.
pub(super) fn patterns(node: &Node, what: &str, problems: &mut Problems) -> Option<Vec<Regex>> {
    let items = one_or_more(node, what, problems)?;
    let mut patterns = Vec::new();
    for item in items {
        let Some(pattern) = text(item, what, problems) else { continue };
        if pattern.is_empty() {
            problems.at(&item.at, format!("`{what}` is an empty pattern, which matches everything"));
            continue;
        }
        match RegexBuilder::new(pattern).multi_line(true).build() {
            Ok(regex) => patterns.push(regex),
            Err(error) => {
                let text = error.to_string();
                // The crate prints the pattern with a marker beneath it; the reason is in the last line.
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_lowercase();
                problems
                    .at(&item.at, format!("`{what}` is not a valid regular expression: {reason}"))
                    .hint("the syntax is that of https://docs.rs/regex; a `\\` before a character takes it literally");
            }
        }
    }
    Some(patterns)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::tree;
    use super::*;

    fn typed<T>(yaml: &str, read: impl Fn(&Node, &mut Problems) -> Option<T>) -> Result<T, String> {
        let mut problems = Problems::default();
        let file = Arc::from(Path::new("f"));
        let node = tree::parse(&file, yaml, &mut problems).unwrap();
        let value = read(&node, &mut problems);
        problems.into_result(()).map_err(|errors| errors.to_string())?;
        Ok(value.expect("a value, since nothing was wrong"))
    }

    #[test]
    fn times_have_a_unit_and_a_range() {
        let time = |yaml: &str| {
            typed(yaml, |node, problems| {
                duration(node, "timeout", Duration::from_millis(1)..=Duration::from_secs(3600), problems)
            })
        };
        assert_eq!(time("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(time("'500ms'"), Ok(Duration::from_millis(500)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(time("2h"), Err("f:1:1: error: `timeout` has to be a time from 1ms to 1h, but is the string `2h`".to_owned()));
        for wrong in ["10", "s", "10 parsecs", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615h", "[1s]", "~"] {
            assert!(time(wrong).unwrap_err().starts_with("f:1:1: error: `timeout` has to be a time, but is"), "{wrong}");
        }
        assert!(time("0s").is_err());
    }

    #[test]
    fn sizes_have_a_binary_unit_and_a_range() {
        let size = |yaml: &str| typed(yaml, |node, problems| bytes(node, "memory", 1024..=1 << 40, problems));
        assert_eq!(size("512MiB"), Ok(512 << 20));
        assert_eq!(size("64 KiB"), Ok(64 << 10));
        assert_eq!(size("4096B"), Ok(4096));
        assert_eq!(
            size("1B"),
            Err("f:1:1: error: `memory` has to be a size from 1KiB to 1024GiB, but is the string `1B`".to_owned())
        );
        for wrong in ["512", "512M", "1e3KiB", "99999999999999GiB", "{}"] {
            assert!(size(wrong).unwrap_err().starts_with("f:1:1: error: `memory` has to be a size, but is"), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_plain_digits_within_their_range() {
        let port = |yaml: &str| typed(yaml, |node, problems| integer(node, "port", 1..=65535, problems));
        assert_eq!(port("80"), Ok(80));
        for wrong in ["0", "65536", "-1", "+80", "0x50", "8e1", "http", "''", "~", "[80]"] {
            assert!(port(wrong).unwrap_err().contains("`port` has to be a number from 1 to 65535, but is"), "{wrong}");
        }
        assert!(port("'80'").unwrap_err().ends_with("but is the string `80`\n  hint: remove the quotes"));
    }

    #[test]
    fn a_command_is_a_list_and_the_hint_shows_it() {
        let line = |yaml: &str| typed(yaml, |node, problems| command(node, "command", problems));
        assert_eq!(line("[sleep, 1, -x, true, '']").unwrap(), ["sleep", "1", "-x", "true", ""]);
        assert!(line("nginx -g off").unwrap_err().ends_with("hint: write `[nginx, -g, off]`"));
        assert!(line("a | b").unwrap_err().ends_with("or `[/bin/sh, -c, '…']` if the image has a shell"));
        assert!(line("[]").unwrap_err().contains("names no program"));
        assert!(line("['']").unwrap_err().contains("names no program"));
        assert!(line("[a, ~]").unwrap_err().ends_with("put quotes around it if you mean the string '~'"));
        assert!(line("[a, [b]]").unwrap_err().contains("`command` has to be a string, but is a list"));
        assert!(line("[a, \"\\0\"]").unwrap_err().contains("NUL"));
    }

    #[test]
    fn patterns_match_lines_and_a_bad_one_is_reported_at_its_place() {
        let read = |yaml: &str| typed(yaml, |node, problems| patterns(node, "stdout-matches", problems));
        let found = read("['^b$', 200]").unwrap();
        assert!(found[0].is_match("a\nb\nc"));
        assert_eq!(found[1].as_str(), "200");
        assert_eq!(read("one").unwrap().len(), 1);
        assert!(
            read("[fine,\n 'a(b']")
                .unwrap_err()
                .starts_with("f:2:2: error: `stdout-matches` is not a valid regular expression: unclosed group")
        );
        assert!(read("''").unwrap_err().contains("matches everything"));
    }

    #[test]
    fn names_of_variables_are_checked_and_values_are_text() {
        let read = |yaml: &str| typed(yaml, |node, problems| texts(node, "environment", problems));
        let values = read("{TZ: UTC, N: 1, B: true, E: ''}").unwrap();
        assert_eq!(values["N"], "1");
        assert_eq!(values["E"], "");
        assert!(read("{'A=B': 1}").unwrap_err().contains("can't be the name of a variable"));
        assert!(read("TZ:\n").unwrap_err().contains("`environment.TZ` has to be a string, but is empty"));
        assert!(read("[TZ]").unwrap_err().contains("a mapping of names to values, but is a list"));
    }
}
