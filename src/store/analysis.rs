//! What a static analysis reported, beside what was measured: a table for each kind of analysis, `static-binary.csv` and
//! `static-source.csv`, and the details in a JSON file of the same name.
//!
//! The details are the analysis' own: they are written and read here as whatever they are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use super::files::{self, FORMAT};
use super::{Folder, Store, tables};
use crate::syscalls::{Sysno, UnknownSyscall};

/// The first line of `static-binary.csv` and `static-source.csv`.
pub const ANALYSIS_HEADER: &str = "syscall,sites";

/// A kind of static analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Analysis {
    /// Of the program and all that it loads, as machine code.
    Binary,
    /// Of its sources.
    Source,
}

impl Analysis {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Binary, Self::Source];

    /// The one name this has in every file and message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "static-binary",
            Self::Source => "static-source",
        }
    }
}

/// The calls that an analysis reported, each with the number of places that make it; 0 where that number is not known.
pub type AnalysisTable = BTreeMap<Sysno, u64>;

/// The text of the table.
#[must_use]
pub fn write_analysis(table: &AnalysisTable) -> String {
    let mut text = format!("{ANALYSIS_HEADER}\n");
    for (call, sites) in table {
        let _ = writeln!(text, "{call},{sites}");
    }
    text
}

/// Reads the text of the table; `path` is for messages.
///
/// # Errors
///
/// [`StoreError::Broken`] with the line, for anything that [`write_analysis`] does not write.
pub fn read_analysis(path: &Path, text: &str) -> Result<AnalysisTable, StoreError> {
    let mut table = AnalysisTable::new();
    for (number, line) in tables::lines(path, text, ANALYSIS_HEADER)? {
        let broken = |message: String| StoreError::broken(path, number, message);
        let cells: Vec<_> = line.split(',').collect();
        let [call, sites] = cells[..] else {
            return Err(broken(format!("{} columns instead of 2", cells.len())));
        };
        let call: Sysno = call.parse().map_err(|error: UnknownSyscall| broken(error.to_string()))?;
        let sites = sites.parse().map_err(|_| broken(format!("`sites` is `{sites}` instead of a number")))?;
        if table.last_key_value().is_some_and(|(last, _)| *last >= call) {
            return Err(broken(format!("`{call}` is out of order or repeated")));
        }
        table.insert(call, sites);
    }
    Ok(table)
}

/// Details with the version of their file.
#[derive(Serialize)]
struct Versioned<'a, T> {
    format: u32,
    #[serde(flatten)]
    details: &'a T,
}

impl Folder {
    fn table_of(&self, analysis: Analysis) -> std::path::PathBuf {
        self.file(&format!("{}.csv", analysis.name()))
    }

    fn details_of(&self, analysis: Analysis) -> std::path::PathBuf {
        self.file(&format!("{}.json", analysis.name()))
    }
}

impl Store {
    /// Stores what an analysis of `app` and `workload` reported, in the place of what an earlier one did. `details` has to be
    /// written as a JSON object.
    ///
    /// # Errors
    ///
    /// If the files cannot be written.
    pub fn put_analysis(
        &self,
        app: &str,
        workload: &str,
        analysis: Analysis,
        table: &AnalysisTable,
        details: &impl Serialize,
    ) -> Result<(), StoreError> {
        let folder = self.folder(app, workload)?;
        fs::create_dir_all(&folder.path).map_err(StoreError::write(&folder.path))?;
        files::replace(&folder.details_of(analysis), &files::to_json(&Versioned { format: FORMAT, details }))?;
        files::replace(&folder.table_of(analysis), write_analysis(table).as_bytes())
    }

    /// What an analysis of `app` and `workload` reported; `None` if there was none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is broken.
    pub fn analysis(&self, app: &str, workload: &str, analysis: Analysis) -> Result<Option<AnalysisTable>, StoreError> {
        let path = self.folder(app, workload)?.table_of(analysis);
        files::read_if_there(&path)?.map(|text| read_analysis(&path, &text)).transpose()
    }

    /// The details of the same; `None` if there are none, as for a table that was imported.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is broken, or holds the details of something else.
    pub fn analysis_details<T: DeserializeOwned>(
        &self,
        app: &str,
        workload: &str,
        analysis: Analysis,
    ) -> Result<Option<T>, StoreError> {
        let path = self.folder(app, workload)?.details_of(analysis);
        files::read_if_there(&path)?.map(|text| files::from_json(&path, &text)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Details {
        objects: Vec<String>,
        numbers: BTreeMap<u64, String>,
    }

    fn call(name: &str) -> Sysno {
        name.parse().unwrap()
    }

    #[test]
    fn analyses_are_read_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let table = AnalysisTable::from([(call("openat"), 3), (call("brk"), 0)]);
        let details = Details { objects: vec!["/bin/x".to_owned()], numbers: BTreeMap::from([(5000, "x".to_owned())]) };
        assert_eq!(store.analysis("nginx", "wrk", Analysis::Binary).unwrap(), None);
        store.put_analysis("nginx", "wrk", Analysis::Binary, &table, &details).unwrap();
        assert_eq!(store.analysis("nginx", "wrk", Analysis::Binary).unwrap(), Some(table));
        assert_eq!(store.analysis_details("nginx", "wrk", Analysis::Binary).unwrap(), Some(details));
        assert_eq!(store.analysis("nginx", "wrk", Analysis::Source).unwrap(), None);
        assert_eq!(store.analysis_details::<Details>("nginx", "wrk", Analysis::Source).unwrap(), None);
        let text = fs::read_to_string(folder.path().join("nginx/wrk/static-binary.csv")).unwrap();
        assert_eq!(text, "syscall,sites\nbrk,0\nopenat,3\n");
        // An analysis is no measurement.
        assert_eq!(store.list().unwrap(), []);
    }

    #[test]
    fn broken_tables_are_refused_with_file_and_line() {
        let text = "syscall,sites\nbrk,1\nopenat,2\n";
        for (from, to, message) in [
            ("syscall", "call", "1: the first line is not `syscall,sites`"),
            ("brk,1", "brk", "2: 1 columns instead of 2"),
            ("brk,1", "brk,-1", "2: `sites` is `-1` instead of a number"),
            ("brk", "break", "2: `break` is not a Linux system call"),
            ("openat", "accept", "3: `accept` is out of order or repeated"),
            ("2\n", "2", "3: the file is cut off: no line end"),
        ] {
            let error = read_analysis(Path::new("static-binary.csv"), &text.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.to_string(), format!("static-binary.csv:{message}"));
        }
    }
}
