//! What the trials of an item showed, on one side of a comparison. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Results;
use crate::explore::{Plan, Verdict};
use crate::store::{DetailRow, Finished, TrialRecord};
use crate::trial::{Intervention, Item, Outcome, Purpose, Treatment};

/// What the runs of one item under one treatment gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TreatmentEvidence {
    /// Runs that passed.
    pub passes: u32,
    /// Runs that failed.
    pub fails: u32,
    /// Runs that said nothing.
    pub inconclusive: u32,
    /// How often the item was treated in a run that passed, at most.
    pub hits: u64,
    /// Why the first run that did not pass did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// In what its passes did worse than the baseline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
}

impl TreatmentEvidence {
    /// Whether there was any run.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.passes + self.fails + self.inconclusive == 0
    }

    fn add(&mut self, record: &TrialRecord, item: Item) {
        match &record.result {
            Outcome::Pass => {
                self.passes += 1;
                self.hits = self.hits.max(record.count(item));
                return;
            }
            Outcome::Fail(_) => self.fails += 1,
            Outcome::Inconclusive(_) => self.inconclusive += 1,
        }
        let says_more = self.cause.is_none() || (self.fails == 1 && matches!(record.result, Outcome::Fail(_)));
        if says_more {
            self.cause = Some(record.result.to_string());
        }
    }
}

/// What takes away from a verdict's certainty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remark {
    /// It was not tried, as other apps need the call.
    Assumed,
    /// It follows from the joint configuration; the call was not tried alone.
    Inferred,
    /// Runs of the same trial disagreed.
    Unstable,
    /// It was never made while it was treated, so that a pass proved nothing.
    Unproven,
}

impl Remark {
    /// The one name this has in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Assumed => "assumed",
            Self::Inferred => "inferred",
            Self::Unstable => "unstable",
            Self::Unproven => "unproven",
        }
    }
}

/// What one side knows of an item that it uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemSide {
    /// What an OS has to do about it; `None` where that stayed open.
    pub verdict: Option<Verdict>,
    /// Whether it was tried at all: features of calls that need not be implemented are not.
    pub tried: bool,
    /// What takes away from the verdict's certainty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<Remark>,
    /// How often the traces saw the call; `None` for features and pseudo-files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// What the joint configuration does about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joint: Option<Plan>,
    /// What stubbing it alone gave.
    pub stub: TreatmentEvidence,
    /// What faking it alone gave.
    pub fake: TreatmentEvidence,
}

/// Everything that one side knows of its items.
pub(super) struct Evidence {
    pub(super) calls: BTreeMap<Item, ItemSide>,
    pub(super) details: BTreeMap<Item, ItemSide>,
}

impl Evidence {
    pub(super) fn new(results: Results<'_>, trials: &[TrialRecord]) -> Self {
        let reader =
            Reader { finished: results.measured(), runs: runs(trials), configuration: results.measured().map(configuration) };
        let calls = results.verdicts().iter().filter(|(_, row)| row.used);
        let calls = calls.map(|(call, row)| ((*call).into(), reader.side((*call).into(), row.verdict, true))).collect();
        let tried = |row: &DetailRow| row.stub.is_some() || row.fake.is_some();
        let measured = results.measured();
        let features = measured.into_iter().flat_map(|finished| &finished.features);
        let features = features.map(|(feature, row)| (Item::Feature(*feature), row));
        let files = measured.into_iter().flat_map(|finished| &finished.pseudo_files);
        let files = files.map(|(file, row)| (Item::File(*file), row));
        let details = features.chain(files).filter(|(_, row)| row.used);
        let details = details.map(|(item, row)| (item, reader.side(item, row.verdict, tried(row)))).collect();
        Self { calls, details }
    }
}

/// The largest configuration that was verified.
pub(super) fn configuration(finished: &Finished) -> Intervention {
    finished.summary.everything.as_ref().unwrap_or(&finished.summary.joint).configuration()
}

/// The runs of each item alone. A run whose failure is in doubt does not count where another one does.
fn runs(trials: &[TrialRecord]) -> BTreeMap<(Item, Treatment), Vec<&TrialRecord>> {
    let mut runs = BTreeMap::<_, Vec<&TrialRecord>>::new();
    for trial in trials.iter().filter(|trial| matches!(trial.purpose, Purpose::Single | Purpose::Quiet)) {
        if let Some(single) = trial.intervention.only() {
            runs.entry(single).or_default().push(trial);
        }
    }
    for runs in runs.values_mut() {
        if runs.iter().any(|run| !run.doubtful) {
            runs.retain(|run| !run.doubtful);
        }
    }
    runs
}

struct Reader<'a> {
    /// What a campaign found; `None` for imported results.
    finished: Option<&'a Finished>,
    runs: BTreeMap<(Item, Treatment), Vec<&'a TrialRecord>>,
    configuration: Option<Intervention>,
}

impl Reader<'_> {
    fn side(&self, item: Item, verdict: Option<Verdict>, tried: bool) -> ItemSide {
        let calls = |finished: &Finished| Some(finished.trace.get(&item.call()?).map_or(0, |trace| trace.count));
        ItemSide {
            verdict,
            tried,
            remark: self.finished.and_then(|finished| remark(finished, item)),
            calls: self.finished.and_then(calls),
            joint: self.configuration.as_ref().map(|configuration| Plan::from(configuration.get(item))),
            stub: self.treatment(item, Treatment::Stub),
            fake: self.treatment(item, Treatment::Fake),
        }
    }

    fn treatment(&self, item: Item, treatment: Treatment) -> TreatmentEvidence {
        let mut evidence = TreatmentEvidence::default();
        for record in self.runs.get(&(item, treatment)).into_iter().flatten() {
            evidence.add(record, item);
        }
        let degraded = self.finished.into_iter().flat_map(|finished| &finished.summary.degraded);
        let degraded = degraded.filter(|found| found.item == item && found.treatment == treatment);
        evidence.degraded = degraded.map(|found| found.degradation.to_string()).collect();
        evidence
    }
}

fn remark(finished: &Finished, item: Item) -> Option<Remark> {
    let summary = &finished.summary;
    let of = |treatments: &[crate::store::TreatmentSummary]| treatments.iter().any(|treatment| treatment.item == item);
    if summary.assumed.contains(&item) {
        Some(Remark::Assumed)
    } else if summary.inferred.contains(&item) {
        Some(Remark::Inferred)
    } else if of(&summary.unstable) {
        Some(Remark::Unstable)
    } else if of(&summary.unexercised) {
        Some(Remark::Unproven)
    } else {
        None
    }
}
