//! What the analysis of a binary found, and what of it does not fit what was measured.

use serde::Serialize;

use super::counted;
use super::table::{Align, Table};
use crate::static_analysis::binary::{Findings, Reported, Site};
use crate::store::TraceTable;
use crate::syscalls::Sysno;

/// Characters of a process' name that the kernel keeps (`TASK_COMM_LEN` of linux/sched.h, less its NUL).
const NAME_LENGTH: usize = 15;

/// A call that a trace saw and the analysis did not find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Missed {
    /// The call.
    pub call: Sysno,
    /// Names of the processes that made it.
    pub processes: Vec<String>,
    /// Why it was not found.
    pub why: Why,
}

/// Why a call that was made was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The analysis missed it: a process with the name of a program that was analysed made it.
    Overlooked,
    /// Only other programs made it, which were started.
    OtherProgram,
    /// No program makes it: the kernel does, in the place of a call that a signal interrupted (`restart_syscall(2)`).
    Kernel,
}

impl Why {
    /// The same in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Overlooked => "the analysis overlooked it",
            Self::OtherProgram => "another program makes it",
            Self::Kernel => "the kernel makes it by itself",
        }
    }
}

/// Holds what was found against what a trace saw: every call that the analysis missed.
#[must_use]
pub fn missed(findings: &Findings, trace: &TraceTable) -> Vec<Missed> {
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).chars().take(NAME_LENGTH).collect::<String>();
    let names: Vec<String> = findings
        .programs
        .iter()
        .flat_map(|program| [&program.path, &program.asked].into_iter().chain(&program.scripts))
        .map(|path| base(path))
        .collect();
    let missing = trace.iter().filter(|(call, _)| !findings.calls.contains_key(call));
    missing
        .map(|(call, row)| {
            // A process without a name is nobody else's.
            let own = row.processes.is_empty() || row.processes.iter().any(|process| names.contains(process));
            let why = match (call.name(), own) {
                ("restart_syscall", _) => Why::Kernel,
                (_, true) => Why::Overlooked,
                (_, false) => Why::OtherProgram,
            };
            Missed { call: *call, processes: row.processes.clone(), why }
        })
        .collect()
}

/// Everything that was found, as text. `name` is what was asked for.
#[must_use]
pub fn binary_text(name: &str, findings: &Findings, missed: &[Missed]) -> String {
    let mut table = Table::new(&[("syscall", Align::Left), ("sites", Align::Right), ("for instance", Align::Left)]);
    for (call, reported) in &findings.calls {
        table.row([call.to_string(), reported.sites.len().to_string(), example(reported)]);
    }
    let mut text = table.render();
    let objects = counted(findings.objects.len(), "object");
    text.push_str(&format!("\n{name}: {} reported, in {objects}\n", counted(findings.calls.len(), "call")));
    for program in &findings.programs {
        for script in &program.scripts {
            text.push_str(&format!("script: {script} is run by {}\n", program.path));
        }
    }
    let mut table =
        Table::new(&[("object", Align::Left), ("functions", Align::Right), ("instructions", Align::Right), ("why", Align::Left)]);
    for object in &findings.objects {
        table.row([
            object.path.clone(),
            format!("{} of {}", object.reached, object.functions),
            format!("{} of {}", object.reached_instructions, object.instructions),
            object.reason.clone(),
        ]);
    }
    text.push_str(&format!("\n{}", table.render()));
    text.push_str(&doubts(findings, missed));
    text
}

/// The last function of the way with a name says most.
fn example(reported: &Reported) -> String {
    let site = reported.way.functions.last().and_then(|last| reported.sites.iter().find(|site| site.object == last.object));
    site.or_else(|| reported.sites.first()).map(Site::to_string).unwrap_or_default()
}

/// What could be missing from the findings.
fn doubts(findings: &Findings, missed: &[Missed]) -> String {
    let mut text = String::new();
    for (number, sites) in &findings.unknown_numbers {
        for site in sites {
            text.push_str(&format!("unknown: call {number}, which no Linux of the table has, at {site}\n"));
        }
    }
    for unresolved in &findings.unresolved {
        text.push_str(&format!("unresolved: {}: {}\n", unresolved.site, unresolved.reason));
    }
    for call in &findings.loader_calls {
        let mut names = call.names.clone();
        if call.open {
            names.push(if names.is_empty() { "a name that is not known" } else { "others" }.to_owned());
        } else if names.is_empty() {
            names.push("the program itself".to_owned());
        }
        text.push_str(&format!("at run time: {} of {} at {}\n", call.function, names.join(", "), call.site));
    }
    for missing in &findings.missing {
        text.push_str(&format!("missing: `{}`, wanted by {}: {}\n", missing.name, missing.wanted_by, missing.reason));
    }
    for missed in missed {
        let processes = missed.processes.join(", ");
        let why = missed.why.words();
        text.push_str(&format!("not found: `{}`, which the trace saw of {processes}: {why}\n", missed.call));
    }
    for note in &findings.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    let open = findings.unresolved.len();
    text.push_str(&match open {
        0 => "every number was found out\n".to_owned(),
        _ => format!("{} with a number that is not known\n", counted(open, "place")),
    });
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// How the analysis got to a call, one function per line; `None` if the call is not reported.
#[must_use]
pub fn way_text(findings: &Findings, call: Sysno) -> Option<String> {
    let reported = findings.calls.get(&call)?;
    let mut text = format!("{call}: {}\n", counted(reported.sites.len(), "site"));
    for site in &reported.sites {
        text.push_str(&format!("  {site}\n"));
    }
    text.push_str("a way there:\n");
    for (depth, function) in reported.way.functions.iter().enumerate() {
        let begin = if depth == 0 { format!(" ({})", reported.way.begin) } else { String::new() };
        text.push_str(&format!("  {function}{begin}\n"));
    }
    Some(text)
}

/// Everything that was found, as one JSON object.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BinaryJson<'a> {
    /// What was asked for.
    pub name: &'a str,
    /// What was found.
    #[serde(flatten)]
    pub findings: &'a Findings,
    /// What a trace saw beyond that.
    pub missed: &'a [Missed],
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::static_analysis::binary::{LoaderCall, Missing, ObjectSummary, Program, Unresolved, Way};
    use crate::store::TraceRow;

    fn call(name: &str) -> Sysno {
        name.parse().unwrap()
    }

    fn site(object: &str, address: u64, function: &str) -> Site {
        Site { object: object.to_owned(), address, function: function.to_owned() }
    }

    fn findings() -> Findings {
        let begin = site("/bin/tool", 0x1000, "_start");
        let reported = Reported {
            sites: [site("/lib/libc.so.6", 0x20, "read"), site("/lib/ld.so", 0x10, "")].into(),
            way: Way { begin: "the kernel enters it".to_owned(), functions: vec![begin, site("/lib/libc.so.6", 0x18, "read")] },
        };
        let object = ObjectSummary {
            path: "/bin/tool".to_owned(),
            reason: "program".to_owned(),
            functions: 3,
            reached: 2,
            instructions: 1,
            reached_instructions: 0,
        };
        let program = Program {
            asked: "tool".to_owned(),
            path: "/bin/busybox".to_owned(),
            scripts: vec!["/bin/a-very-long-name".to_owned()],
        };
        let loader_call = |names: &[&str], open| LoaderCall {
            function: "dlopen".to_owned(),
            site: site("/bin/tool", 0x1234, "load"),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            open,
        };
        Findings {
            architecture: "x86_64".to_owned(),
            programs: vec![program],
            objects: vec![object],
            calls: BTreeMap::from([(call("read"), reported)]),
            unknown_numbers: BTreeMap::from([(5000, [site("/bin/tool", 0x9, "")].into())]),
            unresolved: vec![Unresolved { site: site("/bin/tool", 0x7, "odd"), reason: "the number is computed".to_owned() }],
            loader_calls: vec![loader_call(&[], false), loader_call(&["a.so"], true), loader_call(&[], true)],
            missing: vec![Missing { name: "b.so".to_owned(), wanted_by: "/bin/tool".to_owned(), reason: "nowhere".to_owned() }],
            notes: vec!["mind this".to_owned()],
        }
    }

    fn trace(rows: &[(&str, &[&str])]) -> TraceTable {
        let row =
            |processes: &[&str]| TraceRow { count: 1, processes: processes.iter().map(|name| (*name).to_owned()).collect() };
        rows.iter().map(|(name, processes)| (call(name), row(processes))).collect()
    }

    #[test]
    fn missed_calls_are_explained_by_the_processes_that_made_them() {
        let trace = trace(&[
            ("read", &["tool"]),
            ("brk", &["tool", "sort"]),
            ("close", &["sort"]),
            ("dup", &["a-very-long-nam"]),
            ("fork", &[]),
            ("restart_syscall", &["tool"]),
        ]);
        let missed: Vec<_> = missed(&findings(), &trace).into_iter().map(|missed| (missed.call.name(), missed.why)).collect();
        assert_eq!(
            missed,
            [
                ("brk", Why::Overlooked),
                ("close", Why::OtherProgram),
                ("dup", Why::Overlooked),
                ("fork", Why::Overlooked),
                ("restart_syscall", Why::Kernel),
            ]
        );
    }

    #[test]
    fn text_tells_the_calls_and_every_doubt() {
        let missed = missed(&findings(), &trace(&[("brk", &["tool"]), ("close", &["sort"])]));
        insta::assert_snapshot!(binary_text("tool", &findings(), &missed));
    }

    #[test]
    fn a_way_is_told_from_its_beginning() {
        assert_eq!(
            way_text(&findings(), call("read")).unwrap(),
            "read: 2 sites\n  /lib/ld.so:0x10\n  /lib/libc.so.6:0x20 read\na way there:\n  \
             /bin/tool:0x1000 _start (the kernel enters it)\n  /lib/libc.so.6:0x18 read\n"
        );
        assert_eq!(way_text(&findings(), call("brk")), None);
    }

    #[test]
    fn json_has_the_name_the_findings_and_what_was_missed() {
        let (findings, missed) = (findings(), missed(&findings(), &trace(&[("brk", &["tool"])])));
        let json = serde_json::to_value(BinaryJson { name: "tool", findings: &findings, missed: &missed }).unwrap();
        assert_eq!((&json["name"], &json["missed"][0]["call"]), (&"tool".into(), &"brk".into()));
        assert_eq!(serde_json::from_value::<Findings>(json).unwrap(), findings);
    }
}
