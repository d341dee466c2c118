//! The evidence of one trial, as it is stored: what was asked for, what was seen, what it means.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::files::FORMAT;
use crate::explore::Report;
use crate::spec::Workload;
use crate::syscalls::Sysno;
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;
use crate::trial::{
    self, Aftermath, CallLog, CallStatistics, Care, Deadline, Death, Ending, ForeignCall, Intervention, Item, Left, Measures,
    NewUse, Observation, Outcome, Output, Purpose, Timings, TrialId, TrialRequest, Watch,
};

/// Lines kept of the end of each output stream.
pub const KEPT_LINES: usize = 10;

/// Characters kept of one such line.
const KEPT_CHARACTERS: usize = 400;

/// One trial with everything that is kept of it: a line of `trials.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrialRecord {
    /// Version of this record.
    pub format: u32,
    /// [`TrialRequest::key`]: the same in every run of the same campaign.
    pub key: String,
    /// Why it was run.
    pub purpose: Purpose,
    /// What was watched.
    pub watch: Watch,
    /// What was treated.
    pub intervention: Intervention,
    /// The how-manieth run of the same intervention and watch, from 0.
    pub replica: u32,
    /// With how much time and quiet it was run.
    #[serde(default)]
    pub care: Care,
    /// What it means.
    pub result: Outcome,
    /// Whether the failure may be the hurry's or the host's doing, so that it does not count by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub doubtful: bool,
    /// The image it was run with, where that is not the campaign's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image: Option<String>,
    /// The calls that were notified: all of them in a trace, the treated ones otherwise.
    pub hits: BTreeMap<Sysno, Hits>,
    /// How often each argument feature was seen in them; otherwise, how often it was treated.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub features: BTreeMap<Feature, u64>,
    /// The same for each pseudo-file.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub pseudo_files: BTreeMap<PseudoFile, u64>,
    /// Treated calls that were answered slowly, as there were so many: see [`Deadline::prompt_answers`].
    #[serde(skip_serializing_if = "is_zero", default)]
    pub answered_slowly: u64,
    /// Uses of items that no trace saw, by calls that the kernel ran; missing where it was not known yet what the traces see, or noting
    /// would have cost too much. Of a trace: uses of pseudo-files that cannot be treated, such as their execution.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new_uses: Option<BTreeMap<Item, NewUse>>,
    /// What followed the first few answers to each treated item, in a run in which every call was watched.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub aftermaths: Vec<Aftermath>,
    /// In a trace, the calls of the same thread that followed the first few uses of each item; names with blanks in between.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub sequences: BTreeMap<Item, Vec<String>>,
    /// Where the time went.
    pub durations: Durations,
    /// What the workload's `throughput` pattern found, in thousandths of its unit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub throughput_thousandths: Option<u64>,
    /// The deadline at which the trial was ended, if it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deadline_ms: Option<u64>,
    /// Whether the port was seen listening; `true` where none was waited for.
    pub ready: bool,
    /// What became of the app.
    pub app: AppRecord,
    /// What became of the client.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client: Option<ClientRecord>,
    /// What became of the check script.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub check: Option<CheckRecord>,
    /// Files asked for by the spec that were found.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<String>,
    /// Native calls that no table knows, by number.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub unknown_calls: BTreeMap<u32, u64>,
    /// Calls of a foreign ABI.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub foreign_calls: Vec<ForeignCount>,
}

/// How often a call was notified, by whom, and with which arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hits {
    /// Number of calls.
    pub count: u64,
    /// How many other calls were notified before the first of these.
    #[serde(default)]
    pub first: u32,
    /// How many other calls were notified after the last of these: 0 for the one that was made last of all. Not noted by earlier
    /// versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<u32>,
    /// The number of calls by process name.
    pub processes: BTreeMap<String, u64>,
    /// The first few different argument vectors, each register in hexadecimal.
    pub samples: Vec<[String; 6]>,
}

/// Milliseconds spent on the parts of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Durations {
    /// Until the app's first instruction.
    pub setup_ms: u64,
    /// From there until its port listened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ready_ms: Option<u64>,
    /// From the app's first instruction to the end of app or client.
    pub workload_ms: u64,
    /// The whole trial.
    pub total_ms: u64,
}

/// What became of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AppRecord {
    /// How the main process ended; `None` if it was still running.
    pub ending: Option<Ending>,
    /// Whether descendants lived on after the main process.
    pub daemonised: bool,
    /// What lived on then and was ended; nothing is told of what servers leave.
    #[serde(skip_serializing_if = "Left::is_nothing", default)]
    pub left: Left,
    /// Processes that died of a signal.
    pub deaths: Vec<Death>,
    /// Whether the memory limit was hit.
    pub out_of_memory: bool,
    /// Highest resident set in KiB, 0 where unknown.
    pub peak_rss_kib: u64,
    /// User and system time.
    pub cpu_ms: u64,
    /// Open files at the end; `None` where unknown.
    pub open_files: Option<u64>,
    /// Milliseconds that the thread which waited longest for a processor spent waiting for one.
    #[serde(default)]
    pub starved_ms: u64,
    /// The last lines of its standard output.
    pub stdout: Vec<String>,
    /// The last lines of its standard error.
    pub stderr: Vec<String>,
}

/// What became of the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClientRecord {
    /// How it ended; `None` if it was still running.
    pub ending: Option<Ending>,
    /// Milliseconds that its thread which waited longest for a processor spent waiting for one.
    #[serde(default)]
    pub starved_ms: u64,
    /// The last lines of its standard output.
    pub stdout: Vec<String>,
    /// The last lines of its standard error.
    pub stderr: Vec<String>,
}

/// What became of the check script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// How it ended; `None` if it was killed at the deadline.
    pub ending: Option<Ending>,
    /// The last lines it printed.
    pub output: Vec<String>,
}

/// A call of a foreign ABI and how often it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignCount {
    /// Which one.
    #[serde(flatten)]
    pub call: ForeignCall,
    /// How often.
    pub count: u64,
}

/// Whether a number is left out of the line.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "asked for by serde")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl TrialRecord {
    /// How often each item was used, or treated.
    pub fn uses(&self) -> impl Iterator<Item = (Item, u64)> + '_ {
        let calls = self.hits.iter().map(|(call, hits)| (Item::Call(*call), hits.count));
        let features = self.features.iter().map(|(feature, count)| (Item::Feature(*feature), *count));
        calls.chain(features).chain(self.pseudo_files.iter().map(|(file, count)| (Item::File(*file), *count)))
    }

    /// The record of a trial of `workload` that ended, and was to end by `deadline`.
    #[must_use]
    pub fn new(
        workload: &Workload,
        request: &TrialRequest,
        deadline: &Deadline,
        result: Outcome,
        observation: &Observation,
    ) -> Self {
        let app = &observation.app;
        let doubtful = trial::is_doubtful(request, deadline, &result, observation);
        let treated = request.intervention.iter().map(|(item, _)| observation.calls.count(item)).sum::<u64>();
        Self {
            format: FORMAT,
            key: request.key(),
            purpose: request.purpose,
            watch: request.watch,
            intervention: request.intervention.clone(),
            replica: request.replica,
            care: request.care,
            result,
            doubtful,
            image: None,
            hits: observation.calls.calls.iter().map(|(call, statistics)| (*call, Hits::from(statistics))).collect(),
            features: observation.calls.features.clone(),
            pseudo_files: observation.calls.files.clone(),
            answered_slowly: deadline.prompt_answers.map_or(0, |prompt| treated.saturating_sub(prompt)),
            new_uses: observation.calls.new_uses.as_ref().map(|uses| new_uses(request, &observation.calls, uses)),
            aftermaths: observation.calls.aftermaths.clone(),
            sequences: observation
                .calls
                .sequences
                .iter()
                .map(|(item, uses)| (*item, uses.iter().map(|calls| joined(calls)).collect()))
                .collect(),
            durations: Durations::from(&observation.timings),
            throughput_thousandths: trial::measures(workload, observation).throughput,
            deadline_ms: observation.deadline.map(milliseconds),
            ready: observation.ready,
            app: AppRecord {
                ending: app.main.clone(),
                daemonised: app.daemonised,
                left: app.left.clone(),
                deaths: app.deaths.clone(),
                out_of_memory: app.out_of_memory,
                peak_rss_kib: app.peak_rss_kib,
                cpu_ms: milliseconds(app.cpu_time),
                open_files: app.open_files,
                starved_ms: milliseconds(app.starved),
                stdout: last_lines(&app.stdout),
                stderr: last_lines(&app.stderr),
            },
            client: observation.client.as_ref().map(|client| ClientRecord {
                ending: client.ending.clone(),
                starved_ms: milliseconds(client.starved),
                stdout: last_lines(&client.stdout),
                stderr: last_lines(&client.stderr),
            }),
            check: observation
                .check
                .as_ref()
                .map(|check| CheckRecord { ending: check.ending.clone(), output: last_lines(&check.output) }),
            files: observation.files.keys().cloned().collect(),
            unknown_calls: observation.calls.unknown.clone(),
            foreign_calls: observation
                .calls
                .foreign
                .iter()
                .map(|(call, count)| ForeignCount { call: *call, count: *count })
                .collect(),
        }
    }

    /// What the app and its client said last.
    #[must_use]
    pub fn last_words(&self) -> trial::LastWords {
        let names = self.hits.values().flat_map(|hits| hits.processes.keys().cloned());
        trial::LastWords {
            stderr: self.app.stderr.clone(),
            stdout: self.app.stdout.clone(),
            client: self.client.as_ref().map(|client| (client.stderr.clone(), client.stdout.clone())),
            processes: names.collect::<std::collections::BTreeSet<_>>().into_iter().collect(),
        }
    }

    /// Number of calls that the supervisor answered.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.hits.values().map(|hits| hits.count).sum()
    }

    /// How often `item` was seen, or treated.
    #[must_use]
    pub fn count(&self, item: impl Into<Item>) -> u64 {
        match item.into() {
            Item::Call(call) => self.hits.get(&call).map_or(0, |hits| hits.count),
            Item::Feature(feature) => self.features.get(&feature).copied().unwrap_or(0),
            Item::File(file) => self.pseudo_files.get(&file).copied().unwrap_or(0),
        }
    }

    /// What the planner has to be told when this trial is replayed.
    #[must_use]
    pub fn report(&self) -> Report {
        // Of a call that was treated for something in its arguments, the whole was not.
        let whole = |item: Item| self.watch == Watch::Everything || self.intervention.get(item).is_some();
        let seen = self.uses().filter(|(item, count)| item.call().is_none() || *count > 0 && whole(*item));
        let seen = seen.map(|(item, _)| item).collect();
        let durations = &self.durations;
        let measures = Measures {
            throughput: self.throughput_thousandths,
            time: Duration::from_millis(durations.workload_ms.saturating_sub(durations.ready_ms.unwrap_or(0)))
                .saturating_sub(self.app.left.time()),
            own_time: self.client.is_none() && self.app.ending.is_some(),
            peak_rss_kib: self.app.peak_rss_kib,
            cpu_time: Duration::from_millis(self.app.cpu_ms),
            open_files: self.app.open_files,
            app_waited: Duration::from_millis(self.app.starved_ms),
            client_waited: Duration::from_millis(self.client.as_ref().map_or(0, |client| client.starved_ms)),
            answers: self.answers(),
        };
        let treated = self.hits.iter().filter(|(call, _)| self.intervention.get(**call).is_some());
        let latest = ordered(treated.filter_map(|(call, hits)| Some((hits.last?, *call))));
        let order = ordered(self.hits.iter().map(|(call, hits)| (hits.first, *call)));
        let is_trace = self.watch == Watch::Everything && self.intervention.is_empty();
        let uses = if is_trace { self.uses().collect() } else { BTreeMap::new() };
        let new_uses = self.new_uses.clone();
        let foreign = self.foreign_calls.iter().map(|seen| (seen.call, seen.count)).collect();
        Report { outcome: self.result.clone(), seen, latest, order, uses, foreign, new_uses, doubtful: self.doubtful, measures }
    }

    /// The key that follows from the other fields.
    pub(super) fn expected_key(&self) -> String {
        TrialRequest {
            id: TrialId(0),
            purpose: self.purpose,
            watch: self.watch,
            intervention: self.intervention.clone(),
            replica: self.replica,
            care: self.care,
            traced: None,
        }
        .key()
    }

    /// Sorts by purpose in the order of a campaign, then by intervention, then by replica.
    pub(super) fn order(&self) -> (Purpose, String, Watch, u32) {
        (self.purpose, self.intervention.to_string(), self.watch, self.replica)
    }

    /// The record as one line of JSON, line end included.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("invariant: the store's types have string keys only");
        line.push(b'\n');
        line
    }
}

/// New uses without those that the record of a trace holds in its counts: what is left cannot be treated.
fn new_uses(request: &TrialRequest, calls: &CallLog, uses: &BTreeMap<Item, NewUse>) -> BTreeMap<Item, NewUse> {
    let is_trace = request.watch == Watch::Everything && request.intervention.is_empty();
    let is_left = |item: Item| !is_trace || calls.count(item) == 0;
    uses.iter().filter(|(item, _)| is_left(**item)).map(|(item, new)| (*item, new.clone())).collect()
}

/// The calls in the order of their places.
fn ordered(places: impl Iterator<Item = (u32, Sysno)>) -> Vec<Item> {
    let mut places: Vec<_> = places.collect();
    places.sort_unstable();
    places.into_iter().map(|(_, call)| Item::Call(call)).collect()
}

impl From<&CallStatistics> for Hits {
    fn from(statistics: &CallStatistics) -> Self {
        let samples = statistics.samples.iter().map(|sample| sample.map(|register| format!("{register:#x}"))).collect();
        Self {
            count: statistics.count,
            first: statistics.first,
            last: Some(statistics.last),
            processes: statistics.processes.clone(),
            samples,
        }
    }
}

impl From<&Timings> for Durations {
    fn from(timings: &Timings) -> Self {
        Self {
            setup_ms: milliseconds(timings.setup),
            ready_ms: timings.ready.map(milliseconds),
            workload_ms: milliseconds(timings.workload),
            total_ms: milliseconds(timings.total),
        }
    }
}

fn joined(calls: &[Sysno]) -> String {
    calls.iter().map(|call| call.name()).collect::<Vec<_>>().join(" ")
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn last_lines(output: &Output) -> Vec<String> {
    let shorten = |line: String| match line.char_indices().nth(KEPT_CHARACTERS) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    };
    output.last_lines(KEPT_LINES).into_iter().map(shorten).collect()
}
