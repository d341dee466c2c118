//! Everything that a folder of results holds, read once: what plans, statistics and comparisons start from.
//!
//! [`Store::entries`] is the one way to see all results, measured and imported alike. What is broken is told beside what could be
//! read, never skipped.
//!
//! Where an app has several measurements and one has to stand for it ([`Entries::one_per_app`]), what they record decides, in this
//! order: measured here before imported; a benchmark before a test suite (`suite…`, as loupedb names them), because it exercises
//! what the app is for; the later date; the name of its folder. Never the times of files, which are arbitrary after a clone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::analysis::{Analysis, AnalysisTable};
use super::caveat::Caveat;
use super::date::Date;
use super::details::DetailTable;
use super::loupedb;
use super::provenance::Provenance;
use super::summary::{Environment, Summary};
use super::tables::{TraceTable, VerdictRow, Verdicts};
use super::{Store, StoreError, folders};
use crate::explore::{FallbackTable, Verdict};
use crate::syscalls::Sysno;
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;

/// What separates a workload from what tells its measurements apart, in the name of a folder. No workload of a spec has it.
pub const LABEL: char = '@';

/// The folder of one app and workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name of the app.
    pub app: String,
    /// Name of its folder in that of the app, which the functions of [`Store`] take as the workload.
    pub folder: String,
    /// What was found out of each call, calls that were not used included: see [`Entry::used`]. Empty where nothing was.
    pub verdicts: Verdicts,
    /// The same of argument features.
    pub features: DetailTable<Feature>,
    /// The same of pseudo-files.
    pub pseudo_files: DetailTable<PseudoFile>,
    /// Items that the app uses only while others are stubbed or faked; `None` where fallbacks were not looked for.
    pub fallbacks: Option<FallbackTable>,
    /// What static analyses reported.
    pub analyses: BTreeMap<Analysis, AnalysisTable>,
    /// Why the last attempt to measure was refused, in words; empty if it was not.
    pub refused: Vec<String>,
    /// Where the verdicts come from.
    pub origin: Origin,
}

/// The name of an app without that of its variant.
#[must_use]
pub fn family(app: &str) -> &str {
    app.split_once(LABEL).map_or(app, |(family, _)| family)
}

/// Where verdicts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// They were measured by Loupe.
    Measured(Box<Measurement>),
    /// They were measured elsewhere.
    Imported(Box<Provenance>),
    /// There are none: the app was refused, or only analysed.
    Nothing,
}

/// What stands beside the verdicts of a campaign. Its trials, which are many, are read by [`Store::trials`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// `trace.csv`.
    pub trace: TraceTable,
    /// `environment.json`.
    pub environment: Environment,
    /// `summary.json`.
    pub summary: Summary,
}

impl Origin {
    /// The one name this has in every file and message.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Measured(_) => "measured",
            Self::Imported(_) => "imported",
            Self::Nothing => "nothing",
        }
    }
}

impl Entry {
    /// Why the results prove little, if they do.
    #[must_use]
    pub fn caveat(&self) -> Option<Caveat> {
        match &self.origin {
            Origin::Measured(measurement) => measurement.summary.caveat(),
            Origin::Imported(_) => Caveat::of_imported(&self.verdicts),
            Origin::Nothing => None,
        }
    }

    /// `app/folder`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.app, self.folder)
    }

    /// The name of the app without that of its variant: `nginx` of `nginx@trixie`.
    #[must_use]
    pub fn family(&self) -> &str {
        family(&self.app)
    }

    fn is_variant(&self) -> bool {
        self.family() != self.app
    }

    /// The name of the workload, without the label.
    #[must_use]
    pub fn workload(&self) -> &str {
        self.folder.split_once(LABEL).map_or(&self.folder, |(workload, _)| workload)
    }

    /// What tells this measurement from others of the same workload, if there is something.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.folder.split_once(LABEL).map(|(_, label)| label)
    }

    /// Whether anything was found out about the app.
    #[must_use]
    pub const fn has_verdicts(&self) -> bool {
        !matches!(self.origin, Origin::Nothing)
    }

    /// The day it was measured, if that is recorded.
    #[must_use]
    pub fn date(&self) -> Option<Date> {
        match &self.origin {
            Origin::Measured(measurement) => measurement.environment.date,
            Origin::Imported(provenance) => provenance.date,
            Origin::Nothing => None,
        }
    }

    /// Architecture of the machine it was measured on, as `uname -m` names it.
    #[must_use]
    pub fn architecture(&self) -> Option<&str> {
        match &self.origin {
            Origin::Measured(measurement) => Some(&measurement.environment.identity.architecture),
            Origin::Imported(provenance) => Some(&provenance.architecture),
            Origin::Nothing => None,
        }
    }

    /// The calls that the app was seen to make.
    pub fn used(&self) -> impl Iterator<Item = (Sysno, &VerdictRow)> {
        self.verdicts.iter().filter(|(_, row)| row.used).map(|(call, row)| (*call, row))
    }

    /// The calls of this verdict among them.
    pub fn with_verdict(&self, verdict: Verdict) -> impl Iterator<Item = Sysno> {
        self.used().filter(move |(_, row)| row.verdict == Some(verdict)).map(|(call, _)| call)
    }

    /// The calls that it cannot do without.
    #[must_use]
    pub fn required(&self) -> BTreeSet<Sysno> {
        self.with_verdict(Verdict::Required).collect()
    }

    /// The calls of which it stayed open whether it can do without them.
    #[must_use]
    pub fn undecided(&self) -> BTreeSet<Sysno> {
        self.used().filter(|(_, row)| row.verdict.is_none()).map(|(call, _)| call).collect()
    }

    /// Whether every call of an imported measurement can be avoided, as a workload gives it that passes whatever happens. What is
    /// measured here has a control run against that.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        let avoidable = self.used().all(|(_, row)| row.verdict.is_some_and(|verdict| verdict != Verdict::Required));
        matches!(self.origin, Origin::Imported(_)) && self.used().next().is_some() && avoidable
    }

    /// Smaller for what should rather stand for the app.
    fn rank(&self) -> impl Ord + use<'_> {
        let imported = !matches!(self.origin, Origin::Measured(_));
        let suite = self.workload().starts_with("suite");
        (imported, suite, Reverse(self.date()), &self.folder)
    }
}

/// All that a folder of results holds.
#[derive(Debug, Default)]
pub struct Entries {
    /// In order of app and folder.
    pub entries: Vec<Entry>,
    /// What could not be read: one for each broken folder, and for an import that was interrupted.
    pub problems: Vec<StoreError>,
}

impl Entries {
    /// Every app, those without any verdicts included.
    #[must_use]
    pub fn apps(&self) -> BTreeSet<&str> {
        self.entries.iter().map(|entry| entry.app.as_str()).collect()
    }

    /// What there is of one app.
    pub fn of(&self, app: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.app == app)
    }

    /// Every folder that has verdicts.
    pub fn measurements(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.has_verdicts())
    }

    /// For each app the measurement that stands for it, among those that `accept` takes. Apps without one are missing, and so are
    /// variants of an app that is there itself: `nginx@trixie` is no app beside `nginx`. Of variants alone, the first by rank stays.
    #[must_use]
    pub fn one_per_app(&self, accept: impl Fn(&Entry) -> bool) -> BTreeMap<&str, &Entry> {
        let mut chosen = BTreeMap::<&str, &Entry>::new();
        for entry in self.measurements().filter(|entry| accept(entry)) {
            let best = chosen.entry(&entry.app).or_insert(entry);
            if entry.rank() < best.rank() {
                *best = entry;
            }
        }
        let mut of_family = BTreeMap::<&str, &Entry>::new();
        for entry in chosen.values().copied() {
            let best = of_family.entry(entry.family()).or_insert(entry);
            if (entry.is_variant(), entry.rank()) < (best.is_variant(), best.rank()) {
                *best = entry;
            }
        }
        chosen.retain(|app, entry| of_family.get(entry.family()).is_some_and(|best| best.app == *app));
        chosen
    }
}

/// Files of which each is a sign of results.
const SIGNS: [&str; 9] = [
    "provenance.json",
    "summary.json",
    "environment.json",
    "trials.jsonl",
    "trace.csv",
    "features.csv",
    "pseudo-files.csv",
    "fallbacks.csv",
    "static-binary.csv",
];

impl Store {
    /// Everything that the folder of all results holds, in order of app and folder. A folder that holds something else, or a
    /// campaign in progress only, is none of it.
    ///
    /// # Errors
    ///
    /// If the folder of all results cannot be listed. What else cannot be read is among [`Entries::problems`]. A root that does not
    /// exist has no results.
    pub fn entries(&self) -> Result<Entries, StoreError> {
        let mut all = Entries::default();
        if loupedb::interrupted(self.root()) {
            let message = "an import into it was interrupted, and some of it is missing: run the same `loupe db import` again";
            all.problems.push(StoreError::wrong(self.root(), message));
        }
        for app in folders(self.root())? {
            let below = match folders(&self.root().join(&app)) {
                Ok(below) => below,
                Err(problem) => {
                    all.problems.push(problem);
                    continue;
                }
            };
            for folder in below {
                match self.entry(&app, &folder) {
                    Ok(entry) => all.entries.extend(entry),
                    Err(problem) => all.problems.push(problem),
                }
            }
        }
        Ok(all)
    }

    /// What stands in one folder; `None` if that is no result.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is broken.
    pub fn entry(&self, app: &str, folder: &str) -> Result<Option<Entry>, StoreError> {
        let stored = self.read(app, folder)?;
        let mut analyses = BTreeMap::new();
        for analysis in Analysis::ALL {
            analyses.extend(self.analysis(app, folder, analysis)?.map(|table| (analysis, table)));
        }
        let mut entry = Entry {
            app: app.to_owned(),
            folder: folder.to_owned(),
            verdicts: Verdicts::new(),
            features: DetailTable::new(),
            pseudo_files: DetailTable::new(),
            fallbacks: None,
            analyses,
            refused: stored.refused.map(|refused| refused.reasons).unwrap_or_default(),
            origin: Origin::Nothing,
        };
        if let Some(imported) = stored.imported {
            entry.verdicts = imported.verdicts;
            entry.origin = Origin::Imported(Box::new(imported.provenance));
        } else if let Some(finished) = stored.finished {
            entry.verdicts = finished.verdicts;
            entry.features = finished.features;
            entry.pseudo_files = finished.pseudo_files;
            entry.fallbacks = finished.fallbacks;
            let (trace, environment, summary) = (finished.trace, finished.environment, finished.summary);
            entry.origin = Origin::Measured(Box::new(Measurement { trace, environment, summary }));
        } else if entry.refused.is_empty() && entry.analyses.is_empty() {
            let path = self.folder(app, folder)?.path;
            return match SIGNS.iter().find(|sign| path.join(sign).exists()) {
                Some(sign) => Err(StoreError::wrong(&path, format!("there is `{sign}`, and no `verdicts.csv`"))),
                None => Ok(None),
            };
        }
        Ok(Some(entry))
    }
}

#[cfg(test)]
mod tests;
