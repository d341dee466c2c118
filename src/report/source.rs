//! What the analysis of sources found.

use std::collections::BTreeMap;

use serde::Serialize;

use super::counted;
use super::table::{Align, Table};
use crate::static_analysis::source::{Doubt, SourceFindings};

/// Everything that was found, as text. `name` is what was asked for; `all` is whether every place of a call is told, not only the
/// first.
#[must_use]
pub fn source_text(name: &str, findings: &SourceFindings, all: bool) -> String {
    let mut table = Table::new(&[("syscall", Align::Left), ("sites", Align::Right), ("places", Align::Left)]);
    for (call, uses) in &findings.calls {
        let mut lines = uses.iter().map(ToString::to_string).take(if all { usize::MAX } else { 1 });
        table.row([call.to_string(), uses.len().to_string(), lines.next().unwrap_or_default()]);
        for line in lines {
            table.row([String::new(), String::new(), line]);
        }
    }
    let mut text = table.render();
    let files = usize::try_from(findings.files).unwrap_or(usize::MAX);
    text.push_str(&format!("\n{name}: {} reported, in {}\n", counted(findings.calls.len(), "call"), counted(files, "file")));
    text.push_str(&doubts(findings));
    text
}

/// What could be missing from the findings.
fn doubts(findings: &SourceFindings) -> String {
    let mut text = String::new();
    let mut tell = |kind: &str, doubts: &[Doubt]| {
        text.extend(doubts.iter().map(|doubt| format!("{kind}: {doubt}\n")));
    };
    tell("unresolved", &findings.unresolved);
    tell("assembly", &findings.assembly);
    let mut errors = BTreeMap::<&str, (u64, usize)>::new();
    for error in &findings.parse_errors {
        errors.entry(&error.place.file).or_insert((error.place.line, 0)).1 += 1;
    }
    for (file, (first, number)) in errors {
        text.push_str(&format!("error: {file}: {} not understood, the first in line {first}\n", counted(number, "line")));
    }
    for (ending, number) in &findings.skipped {
        text.push_str(&format!("not read: {number} .{ending}\n"));
    }
    for (function, number) in &findings.own {
        let calls = counted(count(*number), "call");
        text.push_str(&format!("not libc's: `{function}`, which the sources define themselves ({calls})\n"));
    }
    text.push_str(&format!("{} through pointers not followed\n", counted(count(findings.indirect_calls), "call")));
    text
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Everything that was found, as one JSON object.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SourceJson<'a> {
    /// What was asked for.
    pub name: &'a str,
    /// What was found.
    #[serde(flatten)]
    pub findings: &'a SourceFindings,
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;
    use crate::static_analysis::source::{SourceFile, analyse};
    use crate::syscalls::Architecture;

    fn findings() -> SourceFindings {
        let text = "int dup(int fd) { return fd; }\nvoid f(long n, struct s *s) {\n  open(1); open(2);\n  fsync(1);\n  syscall(s);\n  \
            s->f(dup(1));\n  __asm__(\"syscall\");\n}\n}}\n";
        let file = SourceFile { path: "a.c".to_owned(), content: text.as_bytes().to_vec().into() };
        let skipped = BTreeMap::from([("cc".to_owned(), 2)]);
        analyse(&[file], skipped, Architecture::X86_64, NonZero::<usize>::MIN)
    }

    #[test]
    fn text_tells_the_calls_and_every_doubt() {
        insta::assert_snapshot!(source_text("src", &findings(), false));
    }

    #[test]
    fn every_place_is_told_if_wanted() {
        let text = source_text("src", &findings(), true);
        assert_eq!(text.matches("a.c:3 open function").count(), 1);
        assert!(text.contains("fsync        1  a.c:4 fsync function\n"), "{text}");
    }

    #[test]
    fn json_has_the_name_and_the_findings() {
        let findings = findings();
        let json = serde_json::to_value(SourceJson { name: "src", findings: &findings }).unwrap();
        assert_eq!(json["name"], "src");
        assert_eq!(serde_json::from_value::<SourceFindings>(json).unwrap(), findings);
    }
}
