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
use super::date::Date;
use super::details::DetailTable;
use super::loupedb;
use super::provenance::Provenance;
use super::summary::{Environment, Summary};
use super::tables::{TraceTable, VerdictRow, Verdicts};
use super::{Store, StoreError, folders};
use crate::explore::Verdict;
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
    /// What static analyses reported.
    pub analyses: BTreeMap<Analysis, AnalysisTable>,
    /// Why the last attempt to measure was refused, in words; empty if it was not.
    pub refused: Vec<String>,
    /// Where the verdicts come from.
    pub origin: Origin,
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
    /// `app/folder`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.app, self.folder)
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

    /// For each app the measurement that stands for it, among those that `accept` takes. Apps without one are missing.
    #[must_use]
    pub fn one_per_app(&self, accept: impl Fn(&Entry) -> bool) -> BTreeMap<&str, &Entry> {
        let mut chosen = BTreeMap::<&str, &Entry>::new();
        for entry in self.measurements().filter(|entry| accept(entry)) {
            let best = chosen.entry(&entry.app).or_insert(entry);
            if entry.rank() < best.rank() {
                *best = entry;
            }
        }
        chosen
    }
}

/// Files of which each is a sign of results.
const SIGNS: [&str; 8] = [
    "provenance.json",
    "summary.json",
    "environment.json",
    "trials.jsonl",
    "trace.csv",
    "features.csv",
    "pseudo-files.csv",
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
mod tests {
    use std::fs;

    use super::*;

    /// A store with imported results: the name of each folder, its date, and the rows of its verdicts.
    fn store(folders: &[(&str, Option<&str>, &str)]) -> (tempfile::TempDir, Store) {
        let root = tempfile::tempdir().unwrap();
        for (name, date, rows) in folders {
            let path = root.path().join(name);
            fs::create_dir_all(&path).unwrap();
            let verdicts = format!("syscall,used,stub,fake,verdict,joint\n{rows}");
            let provenance = serde_json::json!({
                "format": 1,
                "date": date,
                "architecture": "x86_64",
                "app": "a", "workload": "w", "variant": "v",
                "dynamic": {"path": "p", "sha256": "", "numbers": "0-334", "header": true, "line-ends": 1},
                "verdicts-sha256": super::super::summary::sha256(&verdicts),
            });
            fs::write(path.join("verdicts.csv"), verdicts).unwrap();
            fs::write(path.join("provenance.json"), provenance.to_string()).unwrap();
        }
        let store = Store::open(root.path());
        (root, store)
    }

    fn chosen(folders: &[(&str, Option<&str>, &str)]) -> String {
        let (_root, store) = store(folders);
        let entries = store.entries().unwrap();
        assert!(entries.problems.is_empty(), "{:?}", entries.problems);
        let chosen = entries.one_per_app(|_| true);
        assert_eq!(chosen.len(), 1);
        chosen["a"].folder.clone()
    }

    #[test]
    fn what_is_recorded_decides_which_measurement_stands_for_an_app() {
        let dated = |folder, date| (folder, Some(date), "");
        assert_eq!(chosen(&[("a/suite", None, ""), ("a/zzz", None, "")]), "zzz");
        assert_eq!(chosen(&[dated("a/suite", "2023-01-01"), ("a/zzz", None, "")]), "zzz");
        assert_eq!(chosen(&[dated("a/w", "2022-01-01"), dated("a/w@2023-01-01", "2023-01-01")]), "w@2023-01-01");
        assert_eq!(chosen(&[("a/w", None, ""), dated("a/x", "1999-01-01")]), "x");
        assert_eq!(chosen(&[("a/iperf-test", None, ""), ("a/iperf3-client", None, "")]), "iperf-test");
    }

    #[test]
    fn calls_that_were_not_used_count_for_nothing() {
        let (_root, store) = store(&[("a/w@x", None, "brk,Y,N,N,required,\nread,N,Y,Y,any,\nwrite,Y,N,N,,\n")]);
        let entry = store.entry("a", "w@x").unwrap().unwrap();
        assert_eq!((entry.workload(), entry.label(), entry.name().as_str()), ("w", Some("x"), "a/w@x"));
        assert_eq!(entry.verdicts.len(), 3);
        assert_eq!(entry.required(), BTreeSet::from(["brk".parse().unwrap()]));
        assert_eq!(entry.undecided(), BTreeSet::from(["write".parse().unwrap()]));
        assert_eq!(entry.with_verdict(Verdict::Any).count(), 0);
    }

    #[test]
    fn broken_folders_are_told_beside_the_others() {
        let (root, store) = store(&[("a/good", None, ""), ("b/broken", None, "brk,Y,N,N,stub,\n"), ("c/half", None, "")]);
        fs::remove_file(root.path().join("c/half/verdicts.csv")).unwrap();
        fs::create_dir_all(root.path().join("d/half")).unwrap();
        fs::write(root.path().join("d/half/trace.csv"), "").unwrap();
        fs::create_dir_all(root.path().join("plans/notes")).unwrap();
        let entries = store.entries().unwrap();
        assert_eq!(entries.apps(), BTreeSet::from(["a"]));
        let problems: Vec<_> = entries.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].ends_with("b/broken/verdicts.csv:2: `verdict` contradicts `stub` and `fake`"), "{problems:?}");
        assert!(problems[1].contains("c/half/verdicts.csv"), "{problems:?}");
        assert!(problems[2].ends_with("d/half: there is `trace.csv`, and no `verdicts.csv`"), "{problems:?}");
    }

    #[test]
    fn an_import_that_was_interrupted_is_told() {
        let (root, store) = store(&[("a/w", None, "")]);
        fs::create_dir(root.path().join(".import")).unwrap();
        assert!(store.entries().unwrap().problems.is_empty(), "nothing of it is visible yet");
        fs::write(root.path().join(".import/complete"), "").unwrap();
        let entries = store.entries().unwrap();
        assert_eq!(entries.entries.len(), 1);
        assert!(entries.problems[0].to_string().contains("run the same `loupe db import` again"), "{:?}", entries.problems);
    }

    #[test]
    fn apps_of_which_nothing_was_found_out_are_there_without_verdicts() {
        let (root, store) = store(&[]);
        let path = root.path().join("a/w");
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("static-binary.csv"), "syscall,sites\nbrk,1\n").unwrap();
        let entries = store.entries().unwrap();
        assert_eq!(entries.apps(), BTreeSet::from(["a"]));
        assert!(!entries.entries[0].has_verdicts());
        assert!(entries.one_per_app(|_| true).is_empty());
    }

    #[test]
    fn an_edited_verdict_is_noticed() {
        let (root, store) = store(&[("a/w", None, "brk,Y,N,N,required,\n")]);
        let path = root.path().join("a/w/verdicts.csv");
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("Y,N,N,required", "Y,Y,Y,any")).unwrap();
        let problems = store.entries().unwrap().problems;
        assert!(problems[0].to_string().contains("provenance.json:1: belongs to another"), "{problems:?}");
    }
}
