//! Results on disk: `results/<app>/<workload>/`, the only place that knows its files.
//!
//! Between the campaign, which stores trials as they end, and everything that reads results. It does file I/O, but knows no
//! engine and no clock, and plans nothing.
//!
//! | file | holds |
//! |---|---|
//! | `verdicts.csv` | one line per call; without timestamps, so that measuring an unchanged app again leaves it as it is |
//! | `features.csv`, `pseudo-files.csv` | the same for argument features and pseudo-files; empty cells where none was tried |
//! | `fallbacks.csv` | items that the app uses only while others are stubbed or faked; missing where that was not looked at |
//! | `trace.csv` | how often each call was made, and by which processes |
//! | `trials.jsonl` | the evidence: one line per trial, in a stable order |
//! | `environment.json` | image, kernel, engine, settings … |
//! | `summary.json` | counts, the joint configuration, what is unstable, unexercised, or incomplete |
//! | `refused.json` | only if the last attempt was refused: reasons and evidence. Older results stay beside it |
//! | `provenance.json` | only of imported results, in the place of trace, trials, environment and summary: where they come from |
//! | `static-binary.csv`, `static-source.csv` | what a static analysis reported, if one was made; details in a `.json` beside it |
//! | `in-progress/` | only until the campaign ends: its identity, a lock, and the trials so far |
//!
//! Final files are replaced one by one, `verdicts.csv` last; `summary.json` holds its checksum, so that files of two
//! campaigns are never taken for one.
//!
//! What was decided where nothing else said so:
//!
//! - Several measurements of the same app and workload stand side by side as `<workload>@<label>`: variants and dates of imported
//!   ones. Which of them is meant is decided by what they record (`entries`), never by the times of files.
//! - What was imported is never replaced by what is measured: measuring in the same place is refused.
//! - A refused campaign is tried again each time: its reason may be gone.
//! - An incomplete campaign leaves an empty `verdict` cell for a call that has none, and is not up to date: measuring again
//!   takes over its conclusive trials and runs the others.
//! - A campaign in progress that matches is resumed even if finished results are up to date: it was begun with `fresh`.

mod analysis;
mod caveat;
mod date;
mod details;
mod entries;
mod error;
pub mod exchange;
mod fallbacks;
mod files;
mod journal;
mod knowledge;
pub mod loupedb;
mod provenance;
mod record;
mod summary;
mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use analysis::{ANALYSIS_HEADER, Analysis, AnalysisTable, read_analysis, write_analysis};
pub use caveat::{Caveat, Exercise};
pub use date::{Date, NotADate};
pub use details::{
    DetailRow, DetailTable, FEATURES_HEADER, PSEUDO_FILES_HEADER, read_features, read_pseudo_files, write_features,
    write_pseudo_files,
};
pub use entries::{Entries, Entry, LABEL, Measurement, Origin, family};
pub use error::StoreError;
pub use fallbacks::{FALLBACKS_HEADER, TOGETHER, read_fallbacks, write_fallbacks};
pub use files::FORMAT;
pub use journal::Journal;
pub use provenance::{Provenance, SourceFile};
pub use record::{AppRecord, CheckRecord, ClientRecord, Durations, ForeignCount, Hits, KEPT_LINES, TrialRecord};
pub use summary::{
    Counts, DegradationSummary, Environment, Identity, JointSummary, Refused, Summary, TreatedItem, TreatmentSummary,
};
pub use tables::{
    TRACE_HEADER, TraceRow, TraceTable, VERDICTS_HEADER, VerdictRow, Verdicts, read_trace, read_verdicts, write_trace,
    write_verdicts,
};

use crate::explore::{FallbackTable, Known};
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;
use crate::trial::Outcome;

/// The files of a finished campaign, without its trials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// `verdicts.csv`.
    pub verdicts: Verdicts,
    /// `features.csv`; empty where the campaign was stored before there was one.
    pub features: DetailTable<Feature>,
    /// `pseudo-files.csv`, likewise.
    pub pseudo_files: DetailTable<PseudoFile>,
    /// `fallbacks.csv`; `None` where fallbacks were not looked for, as by earlier versions.
    pub fallbacks: Option<FallbackTable>,
    /// `trace.csv`.
    pub trace: TraceTable,
    /// `environment.json`.
    pub environment: Environment,
    /// `summary.json`.
    pub summary: Summary,
}

/// What was measured elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// `verdicts.csv`.
    pub verdicts: Verdicts,
    /// `provenance.json`.
    pub provenance: Provenance,
}

/// How a campaign ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// It has verdicts.
    Finished(Box<Finished>),
    /// It could not be measured.
    Refused(Box<Refused>),
}

/// A campaign that was asked for.
#[derive(Debug)]
pub enum Opened {
    /// It was finished before, and nothing has changed since.
    UpToDate(Box<Finished>),
    /// It has to be run.
    Open {
        /// Where its trials go.
        journal: Box<Journal>,
        /// Its trials of earlier runs, in a stable order; empty for a new campaign.
        stored: Vec<TrialRecord>,
        /// What was found before, with another image as a rule: it is to be verified, instead of finding everything anew.
        before: Option<Box<Known>>,
        /// Why the results that are there do not stand, in words; `None` if there are none, or they do and are verified nevertheless.
        outdated: Option<String>,
    },
}

/// What results of earlier campaigns are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// They stand while nothing changed, and are verified where the image alone did; a campaign in progress is resumed.
    #[default]
    Resume,
    /// They are verified even if nothing changed.
    Recheck,
    /// Nothing: everything is found anew.
    Fresh,
}

/// What stands in the folder of one app and workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The results of the last campaign that was finished.
    pub finished: Option<Finished>,
    /// Results that were measured elsewhere; then there are no others.
    pub imported: Option<Imported>,
    /// Why the last attempt was refused, if it came after those.
    pub refused: Option<Refused>,
}

/// The folder of one app and workload.
#[derive(Debug, Clone)]
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn in_progress(&self) -> PathBuf {
        self.path.join("in-progress")
    }

    fn provenance(&self) -> Result<Option<Provenance>, StoreError> {
        let path = self.file("provenance.json");
        files::read_if_there(&path)?.map(|text| files::from_json(&path, &text)).transpose()
    }

    fn imported(&self) -> Result<Option<Imported>, StoreError> {
        let Some(provenance) = self.provenance()? else {
            return Ok(None);
        };
        let path = self.file("verdicts.csv");
        let text = files::read(&path)?;
        let verdicts = read_verdicts(&path, &text)?;
        if provenance.verdicts_sha256 != summary::sha256(&text) {
            let message = "belongs to another `verdicts.csv` than the one beside it";
            return Err(StoreError::broken(&self.file("provenance.json"), 1, message));
        }
        Ok(Some(Imported { verdicts, provenance }))
    }

    /// The results of a campaign; `None` if there are none, or those there were imported.
    fn finished(&self) -> Result<Option<Finished>, StoreError> {
        let path = self.file("verdicts.csv");
        let Some(text) = files::read_if_there(&path)?.filter(|_| !self.file("provenance.json").exists()) else {
            return Ok(None);
        };
        let verdicts = read_verdicts(&path, &text)?;
        let path = self.file("fallbacks.csv");
        let fallbacks = files::read_if_there(&path)?.map(|text| read_fallbacks(&path, &text)).transpose()?;
        let path = self.file("trace.csv");
        let trace = read_trace(&path, &files::read(&path)?)?;
        let path = self.file("environment.json");
        let environment: Environment = files::from_json(&path, &files::read(&path)?)?;
        // Results of the first versions have no details.
        let details = |name: &str| -> Result<(PathBuf, Option<String>), StoreError> {
            let path = self.file(name);
            let text = if environment.identity.measuring == 0 { files::read_if_there(&path)? } else { Some(files::read(&path)?) };
            Ok((path, text))
        };
        let (path, content) = details("features.csv")?;
        let features = content.map(|text| read_features(&path, &text)).transpose()?.unwrap_or_default();
        let (path, content) = details("pseudo-files.csv")?;
        let pseudo_files = content.map(|text| read_pseudo_files(&path, &text)).transpose()?.unwrap_or_default();
        let path = self.file("summary.json");
        let summary: Summary = files::from_json(&path, &files::read(&path)?)?;
        if summary.verdicts_sha256 != summary::sha256(&text) {
            let message = "belongs to another `verdicts.csv` than the one beside it";
            return Err(StoreError::broken(&path, 1, message));
        }
        Ok(Some(Finished { verdicts, features, pseudo_files, fallbacks, trace, environment, summary }))
    }

    /// The results of a campaign with all of its evidence; `None` if there are none, or those there were imported.
    fn finished_with_trials(&self) -> Result<Option<(Finished, Vec<TrialRecord>)>, StoreError> {
        let Some(finished) = self.finished()? else { return Ok(None) };
        let path = self.file("trials.jsonl");
        let trials = journal::read_records(&path)?;
        let expected = finished.summary.trials;
        if u32::try_from(trials.len()) != Ok(expected) {
            let message = format!("has {} trials, and `summary.json` says {expected}", trials.len());
            return Err(StoreError::broken(&path, trials.len().max(1), message));
        }
        // Of the first versions, the tables were of several runs, and there were no details.
        if finished.environment.identity.measuring > 0 {
            if tables::trace(trials.iter()) != finished.trace {
                return Err(StoreError::broken(&self.file("trace.csv"), 1, "is not what the traces in `trials.jsonl` saw"));
            }
            let details = finished.features.len() + finished.pseudo_files.len();
            let counts = finished.summary.details;
            let counted = counts.required + counts.stub + counts.fake + counts.any + counts.undecided;
            if u32::try_from(details) != Ok(counted) {
                let message = format!("has {details} rows together with `pseudo-files.csv`, and `summary.json` says {counted}");
                return Err(StoreError::broken(&self.file("features.csv"), 1, message));
            }
        }
        Ok(Some((finished, trials)))
    }

    fn refused(&self) -> Result<Option<Refused>, StoreError> {
        let path = self.file("refused.json");
        files::read_if_there(&path)?.map(|text| files::from_json(&path, &text)).transpose()
    }

    /// The trials of an incomplete campaign that a new one can take over: those of interventions without any inconclusive
    /// run, because the number of a run counts all runs of its intervention.
    fn conclusive_trials(&self) -> Result<Vec<TrialRecord>, StoreError> {
        let records = journal::read_records(&self.file("trials.jsonl"))?;
        let place = |record: &TrialRecord| (record.watch, record.intervention.clone());
        let inconclusive: BTreeSet<_> =
            records.iter().filter(|record| matches!(record.result, Outcome::Inconclusive(_))).map(place).collect();
        Ok(records.into_iter().filter(|record| !inconclusive.contains(&place(record))).collect())
    }
}

/// The folder of all results.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The results below `root`, which need not exist yet.
    #[must_use]
    pub fn open(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder of all results.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn folder(&self, app: &str, workload: &str) -> Result<Folder, StoreError> {
        for name in [app, workload] {
            if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
                return Err(StoreError::BadName { name: name.to_owned() });
            }
        }
        Ok(Folder { path: self.root.join(app).join(workload) })
    }

    /// Opens the campaign of `app` and `workload` for writing: resumes it if it is in progress with the same identity, says
    /// so if it is finished with the same identity, and starts it otherwise, with what is known of another image if there is
    /// something; `freshness` may ask for less of that. Finished results stay until the new ones take their place.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] if another Loupe has it open; [`StoreError::Imported`] if imported results stand there; otherwise if its files cannot be read or written, or are broken.
    pub fn campaign(&self, app: &str, workload: &str, identity: &Identity, freshness: Freshness) -> Result<Opened, StoreError> {
        let folder = self.folder(app, workload)?;
        if folder.file("provenance.json").exists() {
            return Err(StoreError::Imported { path: folder.path });
        }
        // Results that are broken or of another format are no reason to refuse measuring anew, and never stand.
        let whole = if freshness == Freshness::Fresh { Ok(None) } else { folder.finished_with_trials() };
        let mut outdated = whole.as_ref().err().map(StoreError::in_words);
        let (finished, trials) = whole.unwrap_or_default().unzip();
        if let Some(finished) = &finished {
            outdated = identity.outdates(&finished.environment.identity);
        }
        let in_progress = journal::in_progress(&folder, identity)?;
        let is_complete = |finished: &Finished| finished.summary.incomplete.is_empty();
        let mut incomplete = false;
        if let Some(finished) = finished.as_ref().filter(|finished| identity.is_answered_by(&finished.environment.identity)) {
            incomplete = !is_complete(finished);
            if !incomplete && in_progress.is_none() && freshness == Freshness::Resume {
                return Ok(Opened::UpToDate(Box::new(finished.clone())));
            }
        }
        let of_image_before = finished.filter(|finished| {
            let other = &finished.environment.identity;
            let again = freshness == Freshness::Recheck || in_progress == Some(true);
            let successor = identity.succeeds(other) || (again && other == identity);
            is_complete(finished) && successor && in_progress != Some(false) && knowledge::can_be_verified(identity, finished)
        });
        let trials = trials.filter(|_| of_image_before.is_some());
        let before = of_image_before.as_ref().zip(trials.as_ref());
        let before = before.map(|(finished, trials)| Box::new(knowledge::known(finished, trials)));
        let mark =
            |record: TrialRecord, image: &str| TrialRecord { image: record.image.or_else(|| Some(image.to_owned())), ..record };
        let trials = of_image_before.zip(trials).map(|(finished, trials)| {
            let image = finished.environment.identity.image;
            trials.into_iter().map(|record| if image == identity.image { record } else { mark(record, &image) }).collect()
        });
        let seed = || if incomplete { folder.conclusive_trials() } else { Ok(Vec::new()) };
        let journal = Journal::open(&folder, identity, freshness == Freshness::Fresh, trials, seed)?;
        let mut stored: Vec<_> = journal.records().values().cloned().collect();
        stored.sort_by_cached_key(TrialRecord::order);
        Ok(Opened::Open { journal: Box::new(journal), stored, before, outdated })
    }

    /// What is stored of `app` and `workload`.
    ///
    /// # Errors
    ///
    /// If its files cannot be read or are broken.
    pub fn read(&self, app: &str, workload: &str) -> Result<Stored, StoreError> {
        let folder = self.folder(app, workload)?;
        Ok(Stored { finished: folder.finished()?, imported: folder.imported()?, refused: folder.refused()? })
    }

    /// The evidence of the finished campaign of `app` and `workload`, in a stable order.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read or is broken.
    pub fn trials(&self, app: &str, workload: &str) -> Result<Vec<TrialRecord>, StoreError> {
        journal::read_records(&self.folder(app, workload)?.file("trials.jsonl"))
    }

    /// Every app and workload that has results or was refused, in order of their names. Other folders and files are skipped.
    ///
    /// # Errors
    ///
    /// If a folder cannot be read. A root that does not exist has no results.
    pub fn list(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut found = Vec::new();
        for app in folders(&self.root)? {
            for workload in folders(&self.root.join(&app))? {
                let path = self.root.join(&app).join(&workload);
                if ["verdicts.csv", "refused.json"].iter().any(|file| path.join(file).is_file()) {
                    found.push((app.clone(), workload));
                }
            }
        }
        Ok(found)
    }
}

/// Names of the folders in `path`, in order; hidden ones are skipped.
fn folders(path: &Path) -> Result<BTreeSet<String>, StoreError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.map_err(StoreError::read(path))?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::read(path))?;
        if let Ok(name) = entry.file_name().into_string()
            && !name.starts_with('.')
            && entry.path().is_dir()
        {
            names.insert(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
