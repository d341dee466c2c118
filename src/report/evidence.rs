//! Which apps need a call, and what that rests on. Pure.

use serde::Serialize;

use super::imported::provenance_text;
use super::{counted, csv_line};
use crate::explore::{Plan, Verdict};
use crate::store::{Entry, Origin, TrialRecord};
use crate::syscalls::Sysno;
use crate::trial::{Item, Outcome, Purpose, Treatment};

/// Lines of a log that are shown of one trial.
const LINES: usize = 3;

/// What one app's verdict about a call rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CallEvidence {
    /// The app.
    pub app: String,
    /// The folder of its measurement.
    pub folder: String,
    /// `measured` or `imported`.
    pub origin: &'static str,
    /// The verdict; `None` if it stayed open.
    pub verdict: Option<Verdict>,
    /// What is done about the call when everything is avoided at once, if that was tried.
    pub joint: Option<Plan>,
    /// How often the traces saw it, if that is known.
    pub calls: Option<u64>,
    /// What the trials with the call stubbed gave.
    pub stubbed: Vec<TrialEvidence>,
    /// What the trials with the call faked gave.
    pub faked: Vec<TrialEvidence>,
    /// What there is in the place of trials.
    pub provenance: Option<String>,
}

/// What trials gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrialEvidence {
    /// The outcome, in words.
    pub outcome: String,
    /// Trials with the same outcome.
    pub trials: usize,
    /// How often the call was answered for the kernel in the first of them.
    pub hits: u64,
    /// The last lines of what the app, or else its client or check, wrote in that one, if it failed.
    pub last_lines: Vec<String>,
}

impl CallEvidence {
    /// What there is about `call` in a measurement; `None` if the app does not make it.
    #[must_use]
    pub fn new(entry: &Entry, trials: &[TrialRecord], call: Sysno) -> Option<Self> {
        let row = entry.verdicts.get(&call).filter(|row| row.used)?;
        let (calls, provenance) = match &entry.origin {
            Origin::Measured(measurement) => (measurement.trace.get(&call).map(|trace| trace.count), None),
            Origin::Imported(provenance) => (None, Some(provenance_text(provenance))),
            Origin::Nothing => (None, None),
        };
        Some(Self {
            app: entry.app.clone(),
            folder: entry.folder.clone(),
            origin: entry.origin.name(),
            verdict: row.verdict,
            joint: row.joint,
            calls,
            stubbed: evidence(trials, call, Treatment::Stub),
            faked: evidence(trials, call, Treatment::Fake),
            provenance,
        })
    }
}

/// What the trials of one call alone gave: equal outcomes once.
fn evidence(trials: &[TrialRecord], call: Sysno, treatment: Treatment) -> Vec<TrialEvidence> {
    let mut found: Vec<TrialEvidence> = Vec::new();
    let of_call = |trial: &&TrialRecord| {
        matches!(trial.purpose, Purpose::Single | Purpose::Quiet)
            && trial.intervention.only() == Some((Item::Call(call), treatment))
    };
    for trial in trials.iter().filter(of_call) {
        let outcome = trial.result.to_string();
        if let Some(known) = found.iter_mut().find(|known| known.outcome == outcome) {
            known.trials += 1;
            continue;
        }
        let last_lines = if matches!(trial.result, Outcome::Fail(_)) { last_lines(trial) } else { Vec::new() };
        found.push(TrialEvidence { outcome, trials: 1, hits: trial.count(call), last_lines });
    }
    found
}

/// Where a failure is most likely told: by the app's errors, its output, the client, the check.
fn last_lines(trial: &TrialRecord) -> Vec<String> {
    let client = trial.client.iter().flat_map(|client| [&client.stderr, &client.stdout]);
    let check = trial.check.iter().map(|check| &check.output);
    let mut streams = [&trial.app.stderr, &trial.app.stdout].into_iter().chain(client).chain(check);
    let lines = streams.find(|lines| !lines.is_empty());
    lines.map(|lines| lines[lines.len().saturating_sub(LINES)..].to_vec()).unwrap_or_default()
}

/// Who needs a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CallAnswer {
    /// The call.
    pub syscall: Sysno,
    /// Apps of which there are verdicts.
    pub of: usize,
    /// The apps that make it, in order of names.
    pub apps: Vec<CallEvidence>,
}

/// The answer in words, with the evidence of the apps that require the call, or of all that make it.
#[must_use]
pub fn answer_text(answer: &CallAnswer, all: bool) -> String {
    let call = answer.syscall;
    let required: Vec<_> = answer.apps.iter().filter(|app| app.verdict == Some(Verdict::Required)).collect();
    let mut text =
        format!("{call} is used by {} of {}, and required by {}\n", answer.apps.len(), counted(answer.of, "app"), required.len());
    let shown: Vec<_> = if all { answer.apps.iter().collect() } else { required };
    // Those with trials have more to say than a line.
    let (with_trials, without): (Vec<_>, Vec<_>) = shown.into_iter().partition(|app| app.provenance.is_none());
    text.extend(with_trials.into_iter().map(trials_text));
    if !without.is_empty() {
        text.push('\n');
    }
    for app in without {
        text.push_str(&format!("{}, {}\n", heading(app), app.provenance.as_deref().unwrap_or_default()));
    }
    let avoidable = [
        ("can be stubbed or faked", Some(Verdict::Any)),
        ("can only be stubbed", Some(Verdict::Stub)),
        ("can only be faked", Some(Verdict::Fake)),
        ("undecided", None),
    ];
    let mut lines = String::new();
    for (what, verdict) in avoidable {
        let apps: Vec<_> = answer.apps.iter().filter(|app| app.verdict == verdict).map(|app| app.app.as_str()).collect();
        if !apps.is_empty() {
            lines.push_str(&format!("{what} for {}: {}\n", counted(apps.len(), "app"), apps.join(", ")));
        }
    }
    if lines.is_empty() { text } else { format!("{text}\n{lines}") }
}

/// What the trials of one app gave.
fn trials_text(app: &CallEvidence) -> String {
    let mut text = format!("\n{}\n", heading(app));
    for (what, trials) in [("stubbed", &app.stubbed), ("faked", &app.faked)] {
        for trial in trials {
            let hits = counted(usize::try_from(trial.hits).unwrap_or(usize::MAX), "hit");
            let times = if trial.trials > 1 { format!("{} trials, ", trial.trials) } else { String::new() };
            text.push_str(&format!("  {what}: {} ({times}{hits})\n", trial.outcome.replace('\n', "\\n")));
            text.push_str(&trial.last_lines.iter().map(|line| format!("    | {line}\n")).collect::<String>());
        }
    }
    text
}

fn heading(app: &CallEvidence) -> String {
    let verdict = app.verdict.map_or("undecided", Verdict::name);
    let calls = app.calls.map(|calls| format!(", made {calls} times")).unwrap_or_default();
    let joint = app.joint.map(|plan| format!(", together with all others: {plan}")).unwrap_or_default();
    format!("{}/{}: {verdict}{calls}{joint}", app.app, app.folder)
}

/// The answer as CSV: a line for each app and treatment.
#[must_use]
pub fn answer_csv(answer: &CallAnswer) -> String {
    let mut text = "syscall,app,workload,origin,verdict,treatment,outcome,trials,hits,last-lines,provenance\n".to_owned();
    for app in &answer.apps {
        let fixed = [
            answer.syscall.to_string(),
            app.app.clone(),
            app.folder.clone(),
            app.origin.to_owned(),
            app.verdict.map_or_else(String::new, |verdict| verdict.to_string()),
        ];
        let mut line = |rest: [String; 6]| text.push_str(&csv_line(&[&fixed[..], &rest[..]].concat()));
        let provenance = app.provenance.clone().unwrap_or_default();
        let trials = [(Treatment::Stub, &app.stubbed), (Treatment::Fake, &app.faked)];
        let trials: Vec<_> =
            trials.into_iter().flat_map(|(treatment, trials)| trials.iter().map(move |trial| (treatment, trial))).collect();
        if trials.is_empty() {
            line([String::new(), String::new(), String::new(), String::new(), String::new(), provenance.clone()]);
        }
        for (treatment, trial) in trials {
            let numbers = (trial.trials.to_string(), trial.hits.to_string());
            let lines = trial.last_lines.join("\n");
            line([treatment.to_string(), trial.outcome.clone(), numbers.0, numbers.1, lines, provenance.clone()]);
        }
    }
    text
}
