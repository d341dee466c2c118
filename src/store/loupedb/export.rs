//! From results to a loupedb tree. Imported measurements are written as they were read, byte for byte; measured ones in the
//! documented form, with a row for each number of `x86_64` up to 334, as published tables have, and beyond that up to the highest
//! that was used.
//!
//! A table of that format cannot say everything: see [`TreeReport`] for what is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::numbers::Numbers;
use super::table::{ARCHITECTURE, Cells, Form, write_dynamic, write_static};
use super::tree::{BINARY, DYNAMIC, SOURCE};
use crate::store::analysis::{Analysis, AnalysisTable};
use crate::store::entries::{Entry, Origin};
use crate::store::provenance::SourceFile;
use crate::store::{StoreError, summary};
use crate::syscalls::Sysno;

/// The highest number that every published table has.
const LAST_PUBLISHED: u32 = 334;

/// What was written, and what the format has no place for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TreeReport {
    /// Measurements that were written.
    pub measurements: usize,
    /// Static analyses that were written.
    pub analyses: usize,
    /// Measurements of which calls stayed undecided, with their number: they are written as required.
    pub undecided: Vec<(String, usize)>,
    /// Results without any verdict, which are not written.
    pub without_verdicts: Vec<String>,
    /// Argument features and pseudo-files that are not written.
    pub details: usize,
}

/// The files of a tree by their path in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The texts.
    pub files: BTreeMap<String, String>,
    /// What they are, and what is lost.
    pub report: TreeReport,
}

impl Tree {
    /// The tree of these results. Pure.
    ///
    /// # Errors
    ///
    /// If something was measured on another architecture, or two measurements would be the same file.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, StoreError> {
        let mut tree = Self::default();
        let mut places = BTreeMap::<String, String>::new();
        let mut problems = Vec::new();
        for entry in entries {
            if !entry.has_verdicts() {
                tree.report.without_verdicts.push(entry.name());
                continue;
            }
            if let Some(other) = entry.architecture().filter(|name| *name != ARCHITECTURE.name()) {
                let message = format!("was measured on {other}, and the format has the numbers of {ARCHITECTURE} only");
                problems.push(StoreError::wrong(Path::new(&entry.name()), message));
                continue;
            }
            let place = place(entry);
            if let Some(other) = places.insert(place.clone(), entry.name()) {
                let message = format!("would be written to `{place}`, as would `{other}`: export one of them only");
                problems.push(StoreError::wrong(Path::new(&entry.name()), message));
                continue;
            }
            tree.add(entry, &place);
        }
        if problems.is_empty() { Ok(tree) } else { Err(StoreError::Several { problems }) }
    }

    fn add(&mut self, entry: &Entry, place: &str) {
        let (dynamic, binary, source) = match &entry.origin {
            Origin::Imported(provenance) => {
                (Some(&provenance.dynamic), provenance.static_binary.as_ref(), provenance.static_source.as_ref())
            }
            Origin::Measured(_) | Origin::Nothing => (None, None, None),
        };
        let rows: BTreeMap<Sysno, Cells> =
            entry.verdicts.iter().map(|(call, row)| (*call, Cells { used: row.used, stub: row.stub, fake: row.fake })).collect();
        self.files.insert(format!("{place}/{DYNAMIC}"), write_dynamic(&rows, &form(dynamic, rows.keys().copied())));
        for (analysis, file, name) in [(Analysis::Binary, binary, BINARY), (Analysis::Source, source, SOURCE)] {
            let Some(table) = entry.analyses.get(&analysis) else { continue };
            let reported = reported(table);
            self.files.insert(format!("{place}/{name}"), write_static(&reported, &form(file, reported.iter().copied())));
            self.report.analyses += 1;
        }
        let undecided = entry.undecided().len();
        if undecided > 0 {
            self.report.undecided.push((entry.name(), undecided));
        }
        self.report.measurements += 1;
        self.report.details += entry.features.len() + entry.pseudo_files.len();
    }
}

fn reported(table: &AnalysisTable) -> BTreeSet<Sysno> {
    table.keys().copied().collect()
}

/// As it was read, or the documented one.
fn form(file: Option<&SourceFile>, calls: impl Iterator<Item = Sysno>) -> Form {
    let documented = || {
        let last = calls.filter_map(|call| call.number(ARCHITECTURE)).fold(LAST_PUBLISHED, u32::max);
        let numbers: Numbers =
            Sysno::all().filter_map(|call| call.number(ARCHITECTURE)).filter(|number| *number <= last).collect();
        Form::documented(numbers)
    };
    file.map_or_else(documented, |file| file.form.clone())
}

/// The `data` folder of a measurement.
fn place(entry: &Entry) -> String {
    match &entry.origin {
        Origin::Imported(provenance) => format!("{}/{}/{}/data", provenance.app, provenance.workload, provenance.variant),
        Origin::Measured(measurement) => {
            let identity = &measurement.environment.identity;
            // Published variants are 32 digits of a hash over what was measured.
            let hash = summary::sha256(&format!("{}\n{}", identity.image, identity.spec));
            format!("{}/{}/{}/data", entry.app, entry.folder, &hash[..32])
        }
        Origin::Nothing => format!("{}/{}/none/data", entry.app, entry.folder),
    }
}

/// Writes a tree to the folder `to`, which must not exist: all of it or nothing.
///
/// # Errors
///
/// If it exists, or something cannot be written.
pub fn write_tree(tree: &Tree, to: &Path) -> Result<(), StoreError> {
    if to.exists() {
        return Err(StoreError::write(to)(io::ErrorKind::AlreadyExists.into()));
    }
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(StoreError::write(parent))?;
    let temporary = tempfile::Builder::new().prefix(".loupe-export-").tempdir_in(parent).map_err(StoreError::write(parent))?;
    let root = temporary.path().join("tree");
    fs::create_dir(&root).map_err(StoreError::write(&root))?;
    for (path, text) in &tree.files {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StoreError::write(folder))?;
        }
        fs::write(&path, text).map_err(StoreError::write(&path))?;
    }
    fs::rename(&root, to).map_err(StoreError::write(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Settings, Verdict};
    use crate::store::tables::{VerdictRow, Verdicts};
    use crate::store::{Environment, Identity, Measurement, Summary};

    /// A measurement of `clone3`, which is required, and of `read`, which stayed open.
    fn measured(app: &str, architecture: &str) -> Entry {
        let row = |verdict| VerdictRow { used: true, stub: false, fake: false, verdict, joint: None };
        let identity = Identity {
            image: "sha256:0".to_owned(),
            spec: "1".to_owned(),
            architecture: architecture.to_owned(),
            measuring: 1,
            kernel_series: "6.18".to_owned(),
            engine: "docker".to_owned(),
            settings: Settings::default(),
        };
        let summary = serde_json::json!({
            "format": 1, "used": 2, "verdicts": {"required": 1, "stub": 0, "fake": 0, "any": 0, "undecided": 1},
            "joint": {"stub": [], "fake": [], "verified": 3, "of": 3, "culprits": []}, "unstable": [], "unexercised": [],
            "incomplete": [], "foreign-calls": [], "unknown-calls": {}, "trials": 0, "trials-ms": 0, "elapsed-ms": 0,
            "verdicts-sha256": "",
        });
        let summary: Summary = serde_json::from_value(summary).unwrap();
        let environment = Environment::new(identity, "6.18".to_owned(), "20.10".to_owned());
        Entry {
            app: app.to_owned(),
            folder: "wrk".to_owned(),
            verdicts: Verdicts::from([
                ("clone3".parse().unwrap(), row(Some(Verdict::Required))),
                ("read".parse().unwrap(), row(None)),
            ]),
            features: [(
                "clone3(CLONE_VM)".parse().unwrap(),
                crate::store::DetailRow { used: true, stub: None, fake: None, verdict: None },
            )]
            .into(),
            pseudo_files: crate::store::DetailTable::new(),
            fallbacks: None,
            analyses: BTreeMap::from([(Analysis::Binary, AnalysisTable::from([("read".parse().unwrap(), 3)]))]),
            refused: Vec::new(),
            origin: Origin::Measured(Box::new(Measurement { trace: crate::store::TraceTable::new(), environment, summary })),
        }
    }

    #[test]
    fn measured_results_get_the_documented_form_and_what_is_lost_is_told() {
        let tree = Tree::new([&measured("nginx", "x86_64")]).unwrap();
        let paths: Vec<_> = tree.files.keys().collect();
        let [dynamic, binary] = paths[..] else { panic!("{paths:?}") };
        assert!(dynamic.starts_with("nginx/wrk/") && dynamic.ends_with("/data/dyn.csv"), "{dynamic}");
        let lines: Vec<_> = tree.files[dynamic].lines().collect();
        assert_eq!(lines[..3], ["# syscall, used, works faked, works stubbed, works both", "0,Y,N,N,N", "1,N,N,N,N"]);
        assert_eq!(lines.last(), Some(&"435,Y,N,N,N"), "the highest number that was used is the last");
        assert_eq!(tree.files[binary].lines().last(), Some("334,N"));
        assert_eq!(tree.report.undecided, [("nginx/wrk".to_owned(), 1)]);
        assert_eq!((tree.report.measurements, tree.report.analyses, tree.report.details), (1, 1, 1));
    }

    #[test]
    fn what_the_format_cannot_tell_apart_is_refused() {
        let (x86, arm) = (measured("nginx", "x86_64"), measured("redis", "aarch64"));
        let error = Tree::new([&x86, &x86, &arm]).unwrap_err();
        let StoreError::Several { problems } = error else { panic!("{error}") };
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(texts[0].starts_with("nginx/wrk: would be written to `nginx/wrk/"), "{texts:?}");
        assert_eq!(texts[1], "redis/wrk: was measured on aarch64, and the format has the numbers of x86_64 only");
    }

    #[test]
    fn results_without_verdicts_are_not_written_as_if_they_needed_nothing() {
        let nothing = Entry { origin: Origin::Nothing, ..measured("nginx", "x86_64") };
        let tree = Tree::new([&nothing]).unwrap();
        assert!(tree.files.is_empty());
        assert_eq!(tree.report.without_verdicts, ["nginx/wrk"]);
    }

    #[test]
    fn an_existing_folder_is_left_alone_and_nothing_half_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::new([&measured("nginx", "x86_64")]).unwrap();
        write_tree(&tree, folder.path()).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let to = folder.path().join("below/tree");
        write_tree(&tree, &to).unwrap();
        assert_eq!(fs::read_dir(folder.path().join("below")).unwrap().count(), 1);
    }
}
