//! From a loupedb tree to a folder of results: everything or nothing.
//!
//! A measurement becomes `<app>/<workload>/`, or `<app>/<workload>@<variant>/` where the tree has several variants of that
//! workload. If something else stands there, the date that was given is added (`<workload>@2022-05-16`), so that several states of
//! a database stand side by side. Importing the same again changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::commit::Staging;
use super::table::{ARCHITECTURE, Cells, DynamicTable, StaticTable};
use super::tree::{self, Measurement, Read};
use crate::explore::Verdict;
use crate::store::analysis::{Analysis, AnalysisTable, write_analysis};
use crate::store::date::Date;
use crate::store::entries::LABEL;
use crate::store::provenance::{Provenance, SourceFile};
use crate::store::tables::{VerdictRow, Verdicts, write_verdicts};
use crate::store::{Folder, Store, StoreError, files, summary};

/// What is known of a tree as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// The day of its state.
    pub date: Option<Date>,
    /// Whose data it is, in words.
    pub source: Option<String>,
}

/// What was imported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImportReport {
    /// Apps of the tree.
    pub apps: usize,
    /// Measurements of the tree.
    pub measurements: usize,
    /// Static analyses of binaries among them.
    pub static_binary: usize,
    /// Static analyses of sources among them.
    pub static_source: usize,
    /// Measurements that were there already.
    pub unchanged: usize,
    /// Calls that were not used, and of which a table says all the same that the app works without them: measurement and call.
    pub unused: Vec<(String, String)>,
    /// Files and folders of the tree that are no part of a measurement, and were left out.
    pub left_out: Vec<String>,
}

impl Store {
    /// Takes over every measurement of the loupedb tree in `from`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Several`] with every problem of the tree, with file and line, or every place that is taken; otherwise if
    /// something cannot be written. Nothing is imported then.
    pub fn import(&self, from: &Path, options: &ImportOptions) -> Result<ImportReport, StoreError> {
        let tree = tree::read(from).map_err(|problems| StoreError::Several { problems })?;
        let mut report = report(&tree);
        let staging = Staging::begin(self.root())?;
        match self.stage(&tree.measurements, options, &staging) {
            Ok(unchanged) => {
                report.unchanged = unchanged;
                staging.commit()?;
                Ok(report)
            }
            Err(error) => {
                // What is left is hidden, and removed by the next import; the first failure is the one to tell.
                let _ = staging.abandon();
                Err(error)
            }
        }
    }

    /// Writes what is new; returns how much is not.
    fn stage(&self, measurements: &[Measurement], options: &ImportOptions, staging: &Staging) -> Result<usize, StoreError> {
        let mut variants = BTreeMap::<_, usize>::new();
        for one in measurements {
            *variants.entry((&one.app, &one.workload)).or_default() += 1;
        }
        let mut problems = Vec::new();
        let mut unchanged = 0;
        for one in measurements {
            let several = variants.get(&(&one.app, &one.workload)).is_some_and(|count| *count > 1);
            let files = Files::new(one, options);
            match self.place(one, several, &files.provenance)? {
                Place::Free(folder) => files.write(&staging.folder(&one.app, &folder)?)?,
                Place::Same => unchanged += 1,
                Place::Taken(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(unchanged) } else { Err(StoreError::Several { problems }) }
    }

    fn place(&self, one: &Measurement, several: bool, provenance: &Provenance) -> Result<Place, StoreError> {
        let variant = several.then(|| one.variant.clone());
        let dated = |date: Date| variant.iter().cloned().chain([date.to_string()]).collect::<Vec<_>>().join("-");
        let dated = provenance.date.map(dated);
        let mut taken = None;
        for label in [Some(variant.clone()), dated.map(Some)].into_iter().flatten() {
            let name = label.map_or_else(|| one.workload.clone(), |label| format!("{}{LABEL}{label}", one.workload));
            let folder = self.folder(&one.app, &name)?;
            if !folder.path.exists() {
                return Ok(Place::Free(name));
            }
            // One that cannot be read is in the way like any other.
            let there = folder.provenance().unwrap_or_default();
            if there.as_ref().is_some_and(|there| there.is_of_same_data(provenance)) {
                return Ok(Place::Same);
            }
            taken = Some((folder, there));
        }
        Ok(Place::Taken(taken_by(taken, provenance)))
    }
}

/// Where a measurement goes.
enum Place {
    Free(String),
    Same,
    Taken(StoreError),
}

fn taken_by(taken: Option<(Folder, Option<Provenance>)>, new: &Provenance) -> StoreError {
    let (folder, there) = taken.expect("invariant: at least one place was looked at");
    let what = match there.and_then(|there| there.date) {
        Some(date) => format!("holds another measurement, of {date}"),
        None => "holds other results".to_owned(),
    };
    let advice = if new.date.is_some() {
        "import into another folder with `--results`"
    } else {
        "say of which day this one is, with `--date`"
    };
    StoreError::wrong(&folder.path, format!("{what}; {advice}"))
}

fn report(tree: &tree::Tree) -> ImportReport {
    let all = &tree.measurements;
    let mut apps: Vec<_> = all.iter().map(|one| &one.app).collect();
    apps.dedup();
    let unused = |one: &Measurement| {
        let rows = one.dynamic.table.rows.iter().filter(|(_, cells)| !cells.used);
        let path = one.dynamic.path.clone();
        rows.map(move |(call, _)| (path.clone(), call.to_string())).collect::<Vec<_>>()
    };
    ImportReport {
        apps: apps.len(),
        measurements: all.len(),
        static_binary: all.iter().filter(|one| one.binary.is_some()).count(),
        static_source: all.iter().filter(|one| one.source.is_some()).count(),
        unchanged: 0,
        unused: all.iter().flat_map(unused).collect(),
        left_out: tree.left_out.clone(),
    }
}

/// The files of one measurement.
struct Files {
    verdicts: String,
    provenance: Provenance,
    analyses: Vec<(Analysis, AnalysisTable)>,
}

impl Files {
    fn new(one: &Measurement, options: &ImportOptions) -> Self {
        let verdicts = write_verdicts(&verdicts(&one.dynamic.table));
        let provenance = Provenance {
            format: Provenance::FORMAT,
            source: options.source.clone(),
            date: options.date,
            architecture: ARCHITECTURE.name().to_owned(),
            app: one.app.clone(),
            workload: one.workload.clone(),
            variant: one.variant.clone(),
            dynamic: source_file(&one.dynamic, &one.dynamic.table.form),
            static_binary: one.binary.as_ref().map(|read| source_file(read, &read.table.form)),
            static_source: one.source.as_ref().map(|read| source_file(read, &read.table.form)),
            verdicts_sha256: summary::sha256(&verdicts),
        };
        // The number of places is not known.
        let reported = |read: &Read<StaticTable>| read.table.reported.iter().map(|call| (*call, 0)).collect();
        let analyses = [(Analysis::Binary, &one.binary), (Analysis::Source, &one.source)];
        let analyses = analyses.into_iter().filter_map(|(kind, read)| Some((kind, reported(read.as_ref()?)))).collect();
        Self { verdicts, provenance, analyses }
    }

    fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(StoreError::write(&path))
        };
        write("provenance.json", &files::to_json(&self.provenance))?;
        for (analysis, table) in &self.analyses {
            write(&format!("{}.csv", analysis.name()), write_analysis(table).as_bytes())?;
        }
        write("verdicts.csv", self.verdicts.as_bytes())
    }
}

fn source_file<T>(read: &Read<T>, form: &super::Form) -> SourceFile {
    SourceFile { path: read.path.clone(), sha256: read.sha256.clone(), form: form.clone() }
}

fn verdicts(table: &DynamicTable) -> Verdicts {
    let row = |Cells { used, stub, fake }: Cells| VerdictRow {
        used,
        stub,
        fake,
        verdict: Some(Verdict::from_treatments(stub, fake)),
        joint: None,
    };
    table.rows.iter().map(|(call, cells)| (*call, row(*cells))).collect()
}
