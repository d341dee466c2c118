//! Whether an app runs on an OS, as text and JSON. Pure.

use serde::Serialize;

use super::counted;
use crate::support::{Absent, Need};
use crate::syscalls::Sysno;
use crate::trial::Treatment;

/// Lines of the log that are shown in text, and how much of each.
const LINES: usize = 4;
const CHARACTERS: usize = 120;

/// What running an app under what an OS has showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It runs.
    Runs {
        /// The calls that it made although the OS does not have them, in their order.
        absent: Vec<Absent>,
        /// Runs that count.
        runs: u32,
        /// Those that passed.
        passes: u32,
    },
    /// It does not.
    Fails {
        /// Why.
        reason: String,
        /// The calls that it made although the OS does not have them, in their order.
        absent: Vec<Absent>,
        /// The last lines that app and client wrote.
        log: Vec<String>,
        /// Runs that count.
        runs: u32,
        /// Those that passed.
        passes: u32,
    },
    /// Nothing was learnt.
    Inconclusive {
        /// Why.
        reason: String,
    },
}

/// The answer for one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The app.
    pub app: String,
    /// The workload.
    pub workload: String,
    /// The OS, with its version and the number of its calls.
    pub os: String,
    /// Whether results of the app are known.
    pub measured: bool,
    /// Whether fakes were left out.
    pub strict: bool,
    /// What was seen.
    pub answer: Answer,
}

/// The same for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckJson<'a> {
    app: &'a str,
    workload: &'a str,
    os: &'a str,
    strict: bool,
    measured: bool,
    answer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_missing: Option<AbsentJson<'a>>,
    /// All calls that were made although they are not there, in their order.
    missing: Vec<AbsentJson<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    log: &'a [String],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct AbsentJson<'a> {
    call: Sysno,
    answered: Treatment,
    count: u64,
    processes: Vec<&'a str>,
    results: &'static str,
}

impl Check {
    fn absent(&self) -> &[Absent] {
        match &self.answer {
            Answer::Runs { absent, .. } | Answer::Fails { absent, .. } => absent,
            Answer::Inconclusive { .. } => &[],
        }
    }

    /// The answer as a value that serialises.
    #[must_use]
    pub fn json(&self) -> CheckJson<'_> {
        let (answer, runs, passes, reason, log) = match &self.answer {
            Answer::Runs { absent, runs, passes } if absent.is_empty() => ("runs", Some(*runs), Some(*passes), None, &[][..]),
            Answer::Runs { runs, passes, .. } => ("runs-with", Some(*runs), Some(*passes), None, &[][..]),
            Answer::Fails { reason, log, runs, passes, .. } => {
                ("does-not-run", Some(*runs), Some(*passes), Some(reason.as_str()), log.as_slice())
            }
            Answer::Inconclusive { reason } => ("inconclusive", None, None, Some(reason.as_str()), &[][..]),
        };
        let failed = matches!(self.answer, Answer::Fails { .. });
        CheckJson {
            app: &self.app,
            workload: &self.workload,
            os: &self.os,
            strict: self.strict,
            measured: self.measured,
            answer,
            runs,
            passes,
            reason,
            first_missing: Absent::suspect(self.absent()).filter(|_| failed).map(absent_json),
            missing: self.absent().iter().map(absent_json).collect(),
            log,
        }
    }

    /// The answer for people.
    #[must_use]
    pub fn text(&self) -> String {
        let name = format!("{}/{} on {}", self.app, self.workload, self.os);
        let mut text = match &self.answer {
            Answer::Inconclusive { reason } => format!("{name}: inconclusive: {reason}\n"),
            Answer::Runs { absent, runs, passes } => self.runs(&name, absent, *runs, *passes),
            Answer::Fails { reason, absent, log, runs, passes } => {
                let unstable = if *passes > 0 { format!(" ({passes} of {runs} runs passed)") } else { String::new() };
                let mut text = format!("{name}: does not run: {reason}{unstable}\n");
                text.push_str(&missing(absent));
                if !log.is_empty() {
                    text.push_str("  last lines of its log:\n");
                    for line in log.iter().rev().take(LINES).rev() {
                        let end = line.char_indices().nth(CHARACTERS).map(|(end, _)| end);
                        let line = end.map_or_else(|| line.clone(), |end| format!("{} …", &line[..end]));
                        text.push_str(&format!("    | {line}\n"));
                    }
                }
                text
            }
        };
        if !self.measured {
            text.push_str("  there are no results of this app and workload, so nothing was faked\n");
        }
        text
    }

    fn runs(&self, name: &str, absent: &[Absent], runs: u32, passes: u32) -> String {
        let unstable = if passes < runs { format!(", though only in {passes} of {runs} runs") } else { String::new() };
        if absent.is_empty() {
            return format!("{name}: runs{unstable}, and makes no call that the OS lacks\n");
        }
        let with = if self.strict { "although these calls fail with ENOSYS" } else { "with these stubs and fakes" };
        let mut text = format!("{name}: runs {with}{unstable}\n");
        for treatment in Treatment::ALL {
            let calls: Vec<_> = absent.iter().filter(|absent| absent.treatment == treatment).collect();
            let names: Vec<_> = calls.iter().map(|absent| absent.call.to_string()).collect();
            text.push_str(&super::plan::wrapped(&format!("  {treatment}  "), &names));
        }
        text
    }
}

/// Which missing call is to blame, and which others were made.
fn missing(absent: &[Absent]) -> String {
    let Some(suspect) = Absent::suspect(absent) else {
        return "  it made no call that the OS lacks\n".to_owned();
    };
    let mut text = format!(
        "  first missing call: {}, made {} by {}; answered as a {}; {}\n",
        suspect.call,
        counted(usize::try_from(suspect.count).unwrap_or(usize::MAX), "time"),
        processes(suspect).join(", "),
        suspect.treatment,
        match results(suspect) {
            _ if !suspect.in_place_of.is_empty() => {
                let calls: Vec<_> = suspect.in_place_of.iter().map(ToString::to_string).collect();
                format!("the results say that it is made in place of {}", calls.join(", "))
            }
            "not seen" => "no trace shows that the app makes it".to_owned(),
            word => format!("the results say {word}"),
        }
    );
    let others: Vec<_> = absent
        .iter()
        .filter(|other| other.call != suspect.call)
        .map(|other| if other.is_allowed() { other.call.to_string() } else { format!("{} ({})", other.call, results(other)) })
        .collect();
    text.push_str(&super::plan::wrapped("  others, in order:   ", &others));
    text
}

fn processes(absent: &Absent) -> Vec<String> {
    if absent.processes.is_empty() {
        return vec!["a process whose name was not seen".to_owned()];
    }
    absent
        .processes
        .iter()
        .map(|(name, count)| if *count == absent.count { name.clone() } else { format!("{name} ({count})") })
        .collect()
}

fn results(absent: &Absent) -> &'static str {
    match absent.need {
        Some(_) if !absent.in_place_of.is_empty() => "fallback",
        None => "not seen",
        Some(Need::Implement) => "required",
        Some(Need::Avoid { stub: true, fake: true, .. }) => "stub or fake",
        Some(Need::Avoid { stub: true, .. }) => "stub",
        Some(Need::Avoid { .. }) => "fake",
    }
}

fn absent_json(absent: &Absent) -> AbsentJson<'_> {
    AbsentJson {
        call: absent.call,
        answered: absent.treatment,
        count: absent.count,
        processes: absent.processes.iter().map(|(name, _)| name.as_str()).collect(),
        results: results(absent),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn absent(call: &str, treatment: Treatment, need: Option<Need>) -> Absent {
        let processes = vec![("nginx".to_owned(), 2)];
        Absent { call: call.parse().unwrap(), treatment, count: 2, processes, need, in_place_of: BTreeSet::new() }
    }

    fn check(answer: Answer) -> Check {
        let (app, workload, os) = ("nginx".to_owned(), "wrk".to_owned(), "Toy (3 calls)".to_owned());
        Check { app, workload, os, measured: true, strict: false, answer }
    }

    #[test]
    fn what_does_not_run_says_what_is_missing_where_and_what_the_log_said() {
        let stub = Need::Avoid { stub: true, fake: false, best: Treatment::Stub };
        let missing = vec![
            absent("access", Treatment::Stub, Some(stub)),
            absent("exit", Treatment::Stub, None),
            absent("epoll_create", Treatment::Stub, Some(Need::Implement)),
        ];
        let log = vec!["[emerg] epoll_create() failed".to_owned()];
        let answer = Answer::Fails { reason: "exit code 1".to_owned(), absent: missing, log, runs: 2, passes: 0 };
        assert_eq!(
            check(answer).text(),
            "nginx/wrk on Toy (3 calls): does not run: exit code 1\n\
             \x20 first missing call: epoll_create, made 2 times by nginx; answered as a stub; the results say required\n\
             \x20 others, in order:   access, exit (not seen)\n\
             \x20 last lines of its log:\n    | [emerg] epoll_create() failed\n"
        );
    }

    #[test]
    fn what_runs_says_what_it_relies_on() {
        let any = Need::Avoid { stub: true, fake: true, best: Treatment::Stub };
        let made = vec![absent("access", Treatment::Stub, Some(any)), absent("chown", Treatment::Fake, Some(any))];
        let runs = check(Answer::Runs { absent: made, runs: 3, passes: 3 });
        assert_eq!(runs.text(), "nginx/wrk on Toy (3 calls): runs with these stubs and fakes\n  stub  access\n  fake  chown\n");
        assert_eq!(serde_json::to_value(runs.json()).unwrap()["answer"], "runs-with");
        let plain = check(Answer::Runs { absent: Vec::new(), runs: 3, passes: 3 });
        assert_eq!(plain.text(), "nginx/wrk on Toy (3 calls): runs, and makes no call that the OS lacks\n");
    }
}
