//! A campaign in progress: one line per finished trial, safe against being killed at any moment.
//!
//! Each record is appended with a single write and handed to the disk before [`Journal::append`] returns. What a kill or a
//! full disk leaves of a last line is cut off when the campaign is opened again. The files are locked, so that two Loupes
//! cannot write one campaign; the kernel drops the lock with the process.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::fallbacks::write_fallbacks;
use super::files::{self, FORMAT};
use super::record::TrialRecord;
use super::summary::{Environment, Identity, Refused, Summary};
use super::{Conclusion, Finished, Folder, details, tables};
use crate::explore::{Findings, Measured, Origin};
use crate::trial::{InconclusiveCause, Outcome, Purpose};

/// `campaign.json`: which campaign is in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Campaign {
    format: u32,
    #[serde(flatten)]
    identity: Identity,
    /// Whether it verifies what was found with another image, instead of finding everything anew.
    #[serde(default)]
    recheck: bool,
}

/// Whether a campaign with this identity is in progress in `folder`, and if so, whether it is a recheck. One that cannot be read is
/// none: it will be started over.
pub(super) fn in_progress(folder: &Folder, identity: &Identity) -> Result<Option<bool>, StoreError> {
    let path = folder.in_progress().join("campaign.json");
    let text = files::read_if_there(&path)?;
    let campaign = text.and_then(|text| files::from_json::<Campaign>(&path, &text).ok());
    Ok(campaign.filter(|campaign| campaign.identity == *identity).map(|campaign| campaign.recheck))
}

/// A campaign in progress, locked for this process.
#[derive(Debug)]
pub struct Journal {
    folder: Folder,
    file: File,
    path: PathBuf,
    /// Bytes of `file` that are whole records.
    length: u64,
    records: BTreeMap<String, TrialRecord>,
    /// Trials with another image, of which some verdicts may be taken over.
    before: Vec<TrialRecord>,
    /// Held, not used: closing it unlocks the campaign.
    _lock: File,
}

impl Journal {
    /// Opens the campaign in progress in `folder`, or starts it over with `seed` if it is another one or `fresh` asks for it.
    /// `before` are the trials of a campaign whose results it verifies, if it does.
    pub(super) fn open(
        folder: &Folder,
        identity: &Identity,
        fresh: bool,
        before: Option<Vec<TrialRecord>>,
        seed: impl FnOnce() -> Result<Vec<TrialRecord>, StoreError>,
    ) -> Result<Self, StoreError> {
        let in_progress = folder.in_progress();
        let lock = lock(folder)?;
        let path = in_progress.join("trials.jsonl");
        let recheck = before.is_some();
        let resume = !fresh && self::in_progress(folder, identity)? == Some(recheck);
        if !resume {
            let records = seed()?;
            // In this order, so that a kill in between never leaves the old trials under the new identity.
            files::remove(&in_progress.join("campaign.json"))?;
            let lines: Vec<u8> = records.iter().flat_map(TrialRecord::line).collect();
            files::replace(&path, &lines)?;
            let campaign = Campaign { format: FORMAT, identity: identity.clone(), recheck };
            files::replace(&in_progress.join("campaign.json"), &files::to_json(&campaign))?;
        }
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&path).map_err(StoreError::write(&path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(StoreError::read(&path))?;
        let (records, length) = whole_records(&path, &bytes)?;
        let before = before.unwrap_or_default();
        let mut journal = Self { folder: folder.clone(), file, path, length, records, before, _lock: lock };
        journal.cut().map_err(StoreError::write(&journal.path))?;
        Ok(journal)
    }

    /// The trials stored so far, by key.
    #[must_use]
    pub const fn records(&self) -> &BTreeMap<String, TrialRecord> {
        &self.records
    }

    /// Stores a trial; when this returns, it survives a crash. A trial that was interrupted is no evidence and is left out.
    ///
    /// # Errors
    ///
    /// If it cannot be written, for example because the disk is full. Everything stored before is still there, and the
    /// journal can be used on.
    pub fn append(&mut self, record: &TrialRecord) -> Result<(), StoreError> {
        if matches!(record.result, Outcome::Inconclusive(InconclusiveCause::Interrupted)) {
            return Ok(());
        }
        let line = record.line();
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // The half line has to go, or the next record would continue it. If even this fails, reopening does it.
            let _ = self.cut();
            return Err(StoreError::write(&self.path)(error));
        }
        self.length += u64::try_from(line.len()).unwrap_or(u64::MAX);
        self.records.insert(record.key.clone(), record.clone());
        Ok(())
    }

    /// Removes what stands behind the last whole record.
    fn cut(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length)).map(|_| ())
    }

    /// Ends the campaign: writes its final files, each atomically and `verdicts.csv` last, then removes what was in progress.
    ///
    /// A refused campaign leaves `refused.json` and does not touch the results of an earlier one; the next campaign that
    /// succeeds removes it.
    ///
    /// # Errors
    ///
    /// If a file cannot be written. The campaign stays in progress: opening it again and replaying its trials leads back here.
    pub fn finish(self, findings: &Findings, environment: &Environment, elapsed: Duration) -> Result<Conclusion, StoreError> {
        let mut records: Vec<_> = self.records.values().cloned().collect();
        records.sort_by_cached_key(TrialRecord::order);
        let conclusion = match findings {
            Findings::Measured(measured) => {
                records.extend(taken_over(measured, &self.before, &records));
                records.sort_by_cached_key(TrialRecord::order);
                Conclusion::Finished(Box::new(write_results(&self.folder, measured, environment, &records, elapsed)?))
            }
            Findings::Refused(refusals) => {
                let refused = Refused::new(refusals, environment, records);
                files::replace(&self.folder.file("refused.json"), &files::to_json(&refused))?;
                Conclusion::Refused(Box::new(refused))
            }
        };
        let in_progress = self.folder.in_progress();
        // First the file that makes it a campaign, so that a kill in between leaves nothing that could be resumed.
        files::remove(&in_progress.join("campaign.json"))?;
        fs::remove_dir_all(&in_progress).map_err(StoreError::write(&in_progress))?;
        Ok(conclusion)
    }
}

/// The trials of `before` on which verdicts that were taken over rest, and those that tell why they hold.
fn taken_over(measured: &Measured, before: &[TrialRecord], now: &[TrialRecord]) -> Vec<TrialRecord> {
    let single = |record: &TrialRecord| match record.purpose {
        Purpose::Single | Purpose::Quiet | Purpose::Fallback => record.intervention.only().map(|(item, _)| item),
        _ => None,
    };
    let is_taken_over = |record: &&TrialRecord| {
        let row = single(record).and_then(|item| measured.rows.get(&item));
        row.is_some_and(|row| row.origin == Origin::TakenOver)
            && !now.iter().any(|other| single(other).is_some() && other.intervention == record.intervention)
    };
    // Why it works was seen with the other image, unless it was looked at again.
    let watched = |record: &&TrialRecord| record.purpose == Purpose::Reasons;
    let watched_again = now.iter().any(|record| watched(&record));
    before.iter().filter(|record| is_taken_over(record) || (watched(record) && !watched_again)).cloned().collect()
}

fn write_results(
    folder: &Folder,
    measured: &Measured,
    environment: &Environment,
    records: &[TrialRecord],
    elapsed: Duration,
) -> Result<Finished, StoreError> {
    let verdicts = tables::verdicts(measured);
    let text = tables::write_verdicts(&verdicts);
    let (features, pseudo_files) = (details::features(measured), details::pseudo_files(measured));
    let trace = tables::trace(records.iter());
    let summary = Summary::new(measured, records, elapsed, &text);
    let lines: Vec<u8> = records.iter().flat_map(TrialRecord::line).collect();
    files::replace(&folder.file("trials.jsonl"), &lines)?;
    files::replace(&folder.file("trace.csv"), tables::write_trace(&trace).as_bytes())?;
    files::replace(&folder.file("environment.json"), &files::to_json(environment))?;
    files::replace(&folder.file("features.csv"), details::write_features(&features).as_bytes())?;
    files::replace(&folder.file("pseudo-files.csv"), details::write_pseudo_files(&pseudo_files).as_bytes())?;
    match &measured.fallbacks {
        Some(fallbacks) => files::replace(&folder.file("fallbacks.csv"), write_fallbacks(fallbacks).as_bytes())?,
        None => files::remove(&folder.file("fallbacks.csv"))?,
    }
    files::replace(&folder.file("summary.json"), &files::to_json(&summary))?;
    files::replace(&folder.file("verdicts.csv"), text.as_bytes())?;
    files::remove(&folder.file("refused.json"))?;
    let fallbacks = measured.fallbacks.clone();
    Ok(Finished { verdicts, features, pseudo_files, fallbacks, trace, environment: environment.clone(), summary })
}

/// Locks the campaign of `folder`, which is made if it is not there.
fn lock(folder: &Folder) -> Result<File, StoreError> {
    let in_progress = folder.in_progress();
    let path = in_progress.join("lock");
    loop {
        fs::create_dir_all(&in_progress).map_err(StoreError::write(&in_progress))?;
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = match opened {
            // The campaign that was in progress has just ended, and its folder is gone.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            opened => opened.map_err(StoreError::write(&path))?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy { path: folder.path.clone() }),
            Err(TryLockError::Error(error)) => return Err(StoreError::write(&path)(error)),
        }
        // A campaign that ended in between has removed the file that is locked now; then the lock protects nothing.
        let locked = file.metadata().map_err(StoreError::write(&path))?;
        if fs::metadata(&path).is_ok_and(|current| (current.dev(), current.ino()) == (locked.dev(), locked.ino())) {
            return Ok(file);
        }
    }
}

/// The records of a journal by key, and the number of bytes they take. A last line that is not a record was torn.
fn whole_records(path: &Path, bytes: &[u8]) -> Result<(BTreeMap<String, TrialRecord>, u64), StoreError> {
    let mut records = BTreeMap::new();
    let mut length = 0;
    for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let is_last = length + line.len() == bytes.len();
        let record = line.strip_suffix(b"\n").ok_or_else(|| "no line end".to_owned()).and_then(parse_record);
        match record {
            Ok(record) => {
                records.insert(record.key.clone(), record);
                length += line.len();
            }
            Err(_) if is_last => break,
            Err(message) => return Err(StoreError::broken(path, number, message)),
        }
    }
    Ok((records, u64::try_from(length).unwrap_or(u64::MAX)))
}

fn parse_record(line: &[u8]) -> Result<TrialRecord, String> {
    let record: TrialRecord = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if record.format != FORMAT {
        return Err(format!("format {} is not known to this version, which reads {FORMAT}", record.format));
    }
    if record.key != record.expected_key() {
        return Err(format!("key `{}` contradicts the trial", record.key));
    }
    Ok(record)
}

/// Reads the evidence of a finished campaign, in which every line has to be whole.
pub(super) fn read_records(path: &Path) -> Result<Vec<TrialRecord>, StoreError> {
    let text = files::read(path)?;
    let parse = |(number, line): (usize, &str)| {
        parse_record(line.as_bytes()).map_err(|message| StoreError::broken(path, number, message))
    };
    (1..).zip(text.lines()).map(parse).collect()
}

#[cfg(test)]
impl Journal {
    /// Sends what is appended from now on to `file`.
    pub(super) fn redirect(&mut self, file: File) {
        self.file = file;
    }
}
