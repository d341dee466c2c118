//! A loupedb tree on disk: `<app>/<workload>/<variant>/data/{dyn,static_binary,static_sources}.csv`. Reads files; writes none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::table::{DynamicTable, StaticTable, read_dynamic, read_static};
use crate::store::{StoreError, files, summary};

pub(super) const DYNAMIC: &str = "dyn.csv";
pub(super) const BINARY: &str = "static_binary.csv";
pub(super) const SOURCE: &str = "static_sources.csv";

/// A table with what its file was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read<T> {
    /// Below the tree's root, with `/`.
    pub(super) path: String,
    pub(super) sha256: String,
    pub(super) table: T,
}

/// One `data` folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measurement {
    pub(super) app: String,
    pub(super) workload: String,
    pub(super) variant: String,
    pub(super) dynamic: Read<DynamicTable>,
    pub(super) binary: Option<Read<StaticTable>>,
    pub(super) source: Option<Read<StaticTable>>,
}

/// A whole tree.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// In order of app, workload, variant.
    pub(super) measurements: Vec<Measurement>,
    /// What is no part of a measurement, as paths below the root; folders end in `/`.
    pub(super) left_out: Vec<String>,
}

/// Reads the tree below `root`.
///
/// # Errors
///
/// With every problem of every file.
pub(super) fn read(root: &Path) -> Result<Tree, Vec<StoreError>> {
    let mut reader = Reader { root, tree: Tree::default(), problems: Vec::new() };
    reader.apps();
    if reader.problems.is_empty() && reader.tree.measurements.is_empty() {
        let message =
            "no measurements: there is no `APP/WORKLOAD/VARIANT/data/dyn.csv`; name the folder that holds the apps' folders";
        reader.problems.push(StoreError::wrong(root, message));
    }
    if reader.problems.is_empty() { Ok(reader.tree) } else { Err(reader.problems) }
}

struct Reader<'a> {
    root: &'a Path,
    tree: Tree,
    problems: Vec<StoreError>,
}

/// What stands in a folder, by name.
#[derive(Default)]
struct Listing {
    folders: BTreeMap<String, PathBuf>,
    files: BTreeMap<String, PathBuf>,
}

impl Reader<'_> {
    fn apps(&mut self) {
        let root = self.root.to_owned();
        let listing = self.list(&root);
        self.leave_out(listing.files.values(), "");
        for (app, path) in listing.folders {
            let before = (self.tree.measurements.len(), self.problems.len());
            self.workloads(&app, &path);
            if before == (self.tree.measurements.len(), self.problems.len()) {
                self.leave_out([&path], "/");
            }
        }
    }

    fn workloads(&mut self, app: &str, path: &Path) {
        for (workload, path) in self.list(path).folders {
            for (variant, path) in self.list(&path).folders {
                let data = path.join("data");
                if data.is_dir() {
                    self.measurement([app, &workload, &variant], &data);
                }
            }
        }
    }

    fn measurement(&mut self, names: [&str; 3], data: &Path) {
        for (name, what) in names.into_iter().zip(["app", "workload"]) {
            if let Some(wrong) = ['@', '*', ','].into_iter().find(|wrong| name.contains(*wrong)) {
                let message = format!("`{name}` cannot be the name of {what} here, as it has `{wrong}`");
                self.problems.push(StoreError::wrong(data, message));
                return;
            }
        }
        let mut listing = self.list(data);
        self.leave_out(listing.folders.values(), "/");
        let mut take = |name: &str| listing.files.remove(name);
        let (dynamic, binary, source) = (take(DYNAMIC), take(BINARY), take(SOURCE));
        self.leave_out(listing.files.values(), "");
        let Some(dynamic) = dynamic else {
            let message = "there is no `dyn.csv`, without which there is no measurement";
            self.problems.push(StoreError::wrong(data, message));
            return;
        };
        let dynamic = self.table(&dynamic, read_dynamic);
        let binary = binary.map(|path| self.table(&path, read_static));
        let source = source.map(|path| self.table(&path, read_static));
        let [app, workload, variant] = names.map(str::to_owned);
        // What is missing here has left a problem behind.
        if let Some(dynamic) = dynamic {
            let (binary, source) = (binary.flatten(), source.flatten());
            self.tree.measurements.push(Measurement { app, workload, variant, dynamic, binary, source });
        }
    }

    fn table<T>(&mut self, path: &Path, read: impl Fn(&Path, &str) -> Result<T, Vec<StoreError>>) -> Option<Read<T>> {
        let read = files::read(path).map_err(|error| vec![error]).and_then(|text| {
            let table = read(path, &text)?;
            Ok(Read { path: self.relative(path), sha256: summary::sha256(&text), table })
        });
        read.map_err(|problems| self.problems.extend(problems)).ok()
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.root).unwrap_or(path).to_string_lossy().into_owned()
    }

    fn leave_out<'p>(&mut self, paths: impl IntoIterator<Item = &'p PathBuf>, suffix: &str) {
        for path in paths {
            let path = self.relative(path);
            self.tree.left_out.push(path + suffix);
        }
    }

    /// What stands in a folder; hidden things, such as `.git`, are none of a database's.
    fn list(&mut self, folder: &Path) -> Listing {
        let mut listing = Listing::default();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.problems.push(StoreError::read(folder)(error));
                return listing;
            }
        };
        for entry in entries {
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => {
                    self.problems.push(StoreError::read(folder)(error));
                    continue;
                }
            };
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                self.problems.push(StoreError::wrong(&path, "the name is not UTF-8"));
                continue;
            };
            if !name.starts_with('.') {
                let place = if path.is_dir() { &mut listing.folders } else { &mut listing.files };
                place.insert(name.to_owned(), path);
            }
        }
        listing
    }
}
