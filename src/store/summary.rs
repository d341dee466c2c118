//! The JSON files beside the tables: under which conditions a campaign was measured, what it comes to, why it was refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::caveat::{Caveat, Exercise};
use super::date::Date;
use super::files::FORMAT;
use super::record::{ForeignCount, TrialRecord, milliseconds};
use crate::explore::{Culprit, Joint, Measured, Origin, Refusal, Row, Settings, Strategy, TreatmentResult, Verdict};
use crate::trial::{Degradation, Intervention, Item, Left, Outcome, Purpose, Treatment};

/// What makes a campaign the same campaign. If any of it changes, what was measured before does not count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Identity {
    /// Digest of the app's image.
    pub image: String,
    /// Fingerprint of everything in the spec that can change an outcome.
    pub spec: String,
    /// Architecture of the machine, as `uname -m` names it.
    pub architecture: String,
    /// Version of the measuring code; 0 where results were stored before there was one.
    #[serde(default)]
    pub measuring: u32,
    /// Series of the kernel, such as `6.18`; empty in such results.
    #[serde(default)]
    pub kernel_series: String,
    /// Kind of engine, such as `docker`.
    pub engine: String,
    /// How thorough the campaign is.
    pub settings: Settings,
}

impl Identity {
    /// Whether results of a campaign with the identity `other` answer for this one: it is the same, or it was more thorough.
    #[must_use]
    pub fn is_answered_by(&self, other: &Self) -> bool {
        let mut thorough = self.clone();
        thorough.settings.strategy = Strategy::Exhaustive;
        // Reasons are told beside verdicts, and more of them than were asked for do no harm.
        let reasons = self.settings.reasons.max(other.settings.reasons);
        let mut same = self.clone();
        for wanted in [&mut same, &mut thorough] {
            wanted.settings.reasons = reasons;
        }
        *other == same || *other == thorough
    }

    /// Whether the campaign differs from `other`, but in nothing except the image and the series of the kernel: what was found there
    /// can be verified in groups.
    #[must_use]
    pub fn succeeds(&self, other: &Self) -> bool {
        let same = Self { image: other.image.clone(), kernel_series: other.kernel_series.clone(), ..self.clone() };
        self != other && *other == same
    }

    /// Why results with the identity `other` do not stand for this campaign, in words; `None` if they do.
    #[must_use]
    pub fn outdates(&self, other: &Self) -> Option<String> {
        if self.is_answered_by(other) {
            return None;
        }
        Some(if self.measuring != other.measuring {
            format!("measured by version {} of the measuring code, and this is {}", other.measuring, self.measuring)
        } else if self.kernel_series != other.kernel_series {
            format!("measured on Linux {}, and this is {}", other.kernel_series, self.kernel_series)
        } else if self.image != other.image {
            "measured with another image".to_owned()
        } else if self.spec != other.spec {
            "measured with another spec".to_owned()
        } else {
            "measured with other settings, or on another kind of engine or machine".to_owned()
        })
    }
}

/// `environment.json`: under which conditions a campaign was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Environment {
    /// Version of this file.
    pub format: u32,
    /// What the campaign depends on.
    #[serde(flatten)]
    pub identity: Identity,
    /// Version of Loupe, which does not decide whether the results stand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loupe: Option<String>,
    /// Release of the kernel that ran the trials.
    pub kernel: String,
    /// Version of the engine.
    pub engine_version: String,
    /// The day on which the campaign ended, in UTC; campaigns stored by early versions have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub date: Option<Date>,
    /// What kept the trials apart from the machine, where that differs from machine to machine.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub isolation: Option<String>,
}

impl Environment {
    /// The conditions of a campaign.
    #[must_use]
    pub fn new(identity: Identity, kernel: String, engine_version: String) -> Self {
        Self { format: FORMAT, identity, loupe: None, kernel, engine_version, date: None, isolation: None }
    }

    /// The same, with the day on which the campaign ended.
    #[must_use]
    pub fn on(self, date: Option<Date>) -> Self {
        Self { date, ..self }
    }
}

/// Number of calls per verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Neither treatment works.
    pub required: u32,
    /// Only stubbing works.
    pub stub: u32,
    /// Only faking works.
    pub fake: u32,
    /// Both work.
    pub any: u32,
    /// A treatment stayed inconclusive.
    pub undecided: u32,
}

impl Counts {
    fn of(&mut self, verdict: Option<Verdict>) -> &mut u32 {
        match verdict {
            Some(Verdict::Required) => &mut self.required,
            Some(Verdict::Stub) => &mut self.stub,
            Some(Verdict::Fake) => &mut self.fake,
            Some(Verdict::Any) => &mut self.any,
            None => &mut self.undecided,
        }
    }
}

/// The joint configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JointSummary {
    /// The items that are stubbed, in order.
    pub stub: Vec<Item>,
    /// The items that are faked, in order.
    pub fake: Vec<Item>,
    /// How many of its runs passed.
    pub verified: u32,
    /// How many of its runs count.
    pub of: u32,
    /// What can be avoided alone, but not together with the rest.
    pub culprits: Vec<Culprit>,
}

impl From<&Joint> for JointSummary {
    fn from(joint: &Joint) -> Self {
        Self {
            stub: joint.configuration.treated(Treatment::Stub).collect(),
            fake: joint.configuration.treated(Treatment::Fake).collect(),
            verified: joint.verified,
            of: joint.of,
            culprits: joint.culprits.clone(),
        }
    }
}

impl JointSummary {
    /// The configuration.
    #[must_use]
    pub fn configuration(&self) -> Intervention {
        let treated = |items: &[Item], treatment| items.iter().map(move |item| (*item, treatment)).collect::<Vec<_>>();
        treated(&self.stub, Treatment::Stub).into_iter().chain(treated(&self.fake, Treatment::Fake)).collect()
    }
}

/// What was found out about one item under one treatment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreatmentSummary {
    /// The item.
    pub item: Item,
    /// What was done to it.
    pub treatment: Treatment,
    /// What that gave.
    #[serde(flatten)]
    pub result: TreatmentResult,
}

/// One item under one treatment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreatedItem {
    /// The item.
    pub item: Item,
    /// What was done to it.
    pub treatment: Treatment,
}

/// In what the passes of one item under one treatment differ from the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DegradationSummary {
    /// The item.
    pub item: Item,
    /// What was done to it.
    pub treatment: Treatment,
    /// In what, and how much.
    #[serde(flatten)]
    pub degradation: Degradation,
}

/// `summary.json`: what a campaign comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// Version of this file.
    pub format: u32,
    /// How the workload exercises the app; `None` where results were stored before that was noted.
    #[serde(default)]
    pub exercise: Option<Exercise>,
    /// Number of calls that the app was seen to use.
    pub used: u32,
    /// Number of calls per verdict.
    pub verdicts: Counts,
    /// The calls that can be avoided all at once.
    pub joint: JointSummary,
    /// The calls, argument features and pseudo-files that can be avoided all at once, if there is more than calls.
    #[serde(default)]
    pub everything: Option<JointSummary>,
    /// Items that the joint configuration implements and that no watched run of it used; missing where none was watched.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_made: Option<Vec<Item>>,
    /// Number of argument features and pseudo-files per verdict; `undecided` where none was tried.
    #[serde(default)]
    pub details: Counts,
    /// Treatments whose runs disagreed.
    pub unstable: Vec<TreatmentSummary>,
    /// Treatments that were never hit.
    pub unexercised: Vec<TreatmentSummary>,
    /// Passes that differ from the baseline in more than their answer.
    #[serde(default)]
    pub degraded: Vec<DegradationSummary>,
    /// Passes that stood out beside others, and of which nothing more is known: they were not run again alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unrepeated: Vec<TreatedItem>,
    /// Items whose verdict was found with another image, and holds for this one as far as groups can tell.
    #[serde(default)]
    pub taken_over: Vec<Item>,
    /// Calls that were not tried alone: their verdict follows from the joint configuration.
    #[serde(default)]
    pub inferred: Vec<Item>,
    /// Those of them that were not tried at all, and are taken to be required because other apps require them.
    #[serde(default)]
    pub assumed: Vec<Item>,
    /// What stayed inconclusive, in words; empty for a complete campaign.
    pub incomplete: Vec<String>,
    /// Calls of a foreign ABI: seen, never treated. Their number in one run, a trace where one has them.
    pub foreign_calls: Vec<ForeignCount>,
    /// Native calls that no table knows, by number, counted likewise.
    pub unknown_calls: BTreeMap<u32, u64>,
    /// What the main process left when it ended, and was ended then, in a run without any intervention.
    #[serde(skip_serializing_if = "Left::is_nothing", default)]
    pub left: Left,
    /// Number of trials.
    pub trials: u32,
    /// Time of all trials added up, those that ran side by side included.
    pub trials_ms: u64,
    /// Time that the run which finished the campaign took; less than the whole if it resumed an earlier one.
    pub elapsed_ms: u64,
    /// SHA-256 of the `verdicts.csv` that belongs to this file.
    pub verdicts_sha256: String,
}

impl Summary {
    /// Why the results prove little, if they do.
    #[must_use]
    pub fn caveat(&self) -> Option<Caveat> {
        Caveat::of_measured(self.exercise)
    }

    pub(super) fn new(measured: &Measured, records: &[TrialRecord], elapsed: Duration, verdicts_csv: &str) -> Self {
        let (mut verdicts, mut details) = (Counts::default(), Counts::default());
        let (mut unstable, mut unexercised, mut degraded) = (Vec::new(), Vec::new(), Vec::new());
        for (&item, row) in &measured.rows {
            degraded.extend(row.degraded.iter().map(|&(treatment, degradation)| DegradationSummary {
                item,
                treatment,
                degradation,
            }));
            let counts = if item.call().is_some() { &mut verdicts } else { &mut details };
            *counts.of(row.verdict) += 1;
            for treatment in Treatment::ALL {
                let result = row.result(treatment);
                let summary = TreatmentSummary { item, treatment, result };
                if result.unstable() {
                    unstable.push(summary);
                }
                if matches!(result, TreatmentResult::Unexercised { .. }) {
                    unexercised.push(summary);
                }
            }
        }
        let foreign = most(records, |record| record.foreign_calls.iter().map(|seen| (seen.call, seen.count)).collect());
        let unknown_calls =
            most(records, |record| record.unknown_calls.iter().map(|(number, count)| (*number, *count)).collect());
        let items_where = |wanted: &dyn Fn(&Row) -> bool| -> Vec<Item> {
            measured.rows.iter().filter(|(_, row)| wanted(row)).map(|(item, _)| *item).collect()
        };
        let used = measured.rows.keys().filter(|item| item.call().is_some());
        Self {
            format: FORMAT,
            exercise: Exercise::of(records),
            used: count(used.count()),
            verdicts,
            joint: JointSummary::from(&measured.joint),
            everything: measured.everything.as_ref().map(JointSummary::from),
            not_made: measured.not_made.as_ref().map(|items| items.iter().copied().collect()),
            details,
            unstable,
            unexercised,
            degraded,
            unrepeated: measured.unrepeated.iter().map(|&(item, treatment)| TreatedItem { item, treatment }).collect(),
            taken_over: items_where(&|row| row.origin == Origin::TakenOver),
            inferred: items_where(&|row| row.origin == Origin::Inferred),
            assumed: items_where(&|row| matches!(row.stub, TreatmentResult::Inferred { tried: false, .. })),
            incomplete: measured.incomplete.clone(),
            foreign_calls: foreign.into_iter().map(|(call, count)| ForeignCount { call, count }).collect(),
            unknown_calls,
            left: most_left(records),
            trials: count(records.len()),
            trials_ms: records.iter().map(|record| record.durations.total_ms).sum(),
            elapsed_ms: milliseconds(elapsed),
            verdicts_sha256: sha256(verdicts_csv),
        }
    }
}

/// What was left in that run without any intervention in which most processes were.
fn most_left(records: &[TrialRecord]) -> Left {
    let lefts = records.iter().filter(|record| record.intervention.is_empty()).map(|record| &record.app.left);
    let most = lefts.filter(|left| !left.processes.is_empty()).max_by_key(|left| left.processes.len());
    most.cloned().unwrap_or_default()
}

/// `refused.json`: why a campaign could not be measured, with all of its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Version of this file.
    pub format: u32,
    /// Under which conditions.
    pub environment: Environment,
    /// Why, in words for people; one for each refusal.
    pub reasons: Vec<String>,
    /// Why; never empty.
    pub refusals: Vec<Refusal>,
    /// The trials that led there.
    pub trials: Vec<TrialRecord>,
}

impl Refused {
    pub(super) fn new(refusals: &[Refusal], environment: &Environment, trials: Vec<TrialRecord>) -> Self {
        let mut reasons: Vec<_> = refusals.iter().map(ToString::to_string).collect();
        let failed = trials.iter().find(|record| record.intervention.is_empty() && matches!(record.result, Outcome::Fail(_)));
        reasons.extend(failed.map(|record| record.last_words().lines()).unwrap_or_default());
        Self { format: FORMAT, environment: environment.clone(), reasons, refusals: refusals.to_vec(), trials }
    }
}

/// The most of each in a single run: in a trace, where one has it, as the counts of calls are; in another trial otherwise.
fn most<T: Ord>(records: &[TrialRecord], counts: impl Fn(&TrialRecord) -> Vec<(T, u64)>) -> BTreeMap<T, u64> {
    let of = |wanted: &dyn Fn(&TrialRecord) -> bool| {
        let mut found = BTreeMap::new();
        for (key, count) in records.iter().filter(|record| wanted(record)).flat_map(&counts) {
            let most = found.entry(key).or_default();
            *most = count.max(*most);
        }
        found
    };
    let mut found = of(&|record| record.purpose != Purpose::Trace);
    found.extend(of(&|record| record.purpose == Purpose::Trace));
    found
}

pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}
