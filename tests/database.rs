//! The database as a whole: a published tree goes in and comes out again, and what is broken does not go in at all.
//!
//! The published data are those of `fixtures/published/`.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

mod common;

use assert_cmd::Command;
use loupe::explore::Verdict;
use loupe::store::loupedb::{ImportOptions, Tree};
use loupe::store::{Analysis, Entries, Origin, Store};

/// A published state, in a folder of its own.
struct Published {
    tree: PathBuf,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for Published {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.tree
    }
}

fn published(state: &str) -> Published {
    let folder = tempfile::tempdir().unwrap();
    let tree = common::published::loupedb(state, folder.path());
    Published { tree, _folder: folder }
}

fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, files);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    let mut files_found = BTreeMap::new();
    collect(root, root, &mut files_found);
    files_found
}

fn import(from: &Path, date: Option<&str>) -> (tempfile::TempDir, Store, Entries) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("results"));
    store.import(from, &ImportOptions { date: date.map(|date| date.parse().unwrap()), source: None }).unwrap();
    let entries = store.entries().unwrap();
    assert!(entries.problems.is_empty(), "{:?}", entries.problems);
    (folder, store, entries)
}

/// The cells of a table as they were published, without any of this program's code: number -> cells.
fn cells(text: &str) -> BTreeMap<u32, Vec<&str>> {
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    rows.map(|line| line.split_once(',').unwrap())
        .map(|(number, cells)| (number.parse().unwrap(), cells.split(',').collect()))
        .collect()
}

#[test]
fn published_states_are_imported_whole() {
    for (state, apps, dynamic, binary, source) in [("head", 116, 125, 105, 9), ("2022-05-16", 15, 27, 0, 0)] {
        let tree = published(state);
        let (_folder, _store, entries) = import(&tree, None);
        assert_eq!(entries.apps().len(), apps, "{state}");
        assert_eq!(entries.measurements().count(), dynamic, "{state}");
        let analysed = |analysis| entries.entries.iter().filter(|entry| entry.analyses.contains_key(&analysis)).count();
        assert_eq!((analysed(Analysis::Binary), analysed(Analysis::Source)), (binary, source), "{state}");
    }
}

#[test]
fn every_verdict_of_the_published_data_is_what_its_cells_say() {
    for state in ["head", "2022-05-16"] {
        let tree = published(state);
        let (_folder, _store, entries) = import(&tree, None);
        let mut rows = 0;
        for entry in &entries.entries {
            let Origin::Imported(provenance) = &entry.origin else { panic!("{} was not imported", entry.name()) };
            let text = fs::read_to_string(tree.join(&provenance.dynamic.path)).unwrap();
            let by_number: BTreeMap<_, _> = entry
                .verdicts
                .iter()
                .map(|(call, row)| (call.number(loupe::syscalls::Architecture::X86_64).unwrap(), row))
                .collect();
            for (number, cells) in cells(&text) {
                // In this order: used, works faked, works stubbed, works both.
                let [used, fake, stub, both] = cells[..] else { panic!("{cells:?}") };
                let fake = fake == "Y" || both == "Y";
                let stub = stub == "Y" || both == "Y";
                let row = by_number.get(&number);
                assert_eq!(row.is_some_and(|row| row.used), used == "Y", "{} {number}", entry.name());
                assert_eq!(row.is_some_and(|row| row.fake), fake, "{} {number}", entry.name());
                assert_eq!(row.is_some_and(|row| row.stub), stub, "{} {number}", entry.name());
                if let Some(row) = row {
                    assert_eq!(row.verdict, Some(Verdict::from_treatments(stub, fake)));
                    assert_eq!(row.joint, None, "nothing was verified together");
                    rows += 1;
                }
            }
        }
        assert!(rows > 1000, "{state}: {rows} rows");
    }
}

#[test]
fn exported_trees_are_the_imported_ones_byte_for_byte() {
    for state in ["head", "2022-05-16"] {
        let tree = published(state);
        let (folder, _store, entries) = import(&tree, None);
        let exported = Tree::new(&entries.entries).unwrap();
        assert_eq!((exported.report.undecided.len(), exported.report.details), (0, 0));
        let to = folder.path().join("exported");
        loupe::store::loupedb::write_tree(&exported, &to).unwrap();
        let mut before = files(&tree);
        before.retain(|path, _| !path.ends_with(".syscalls"));
        let after = files(&to);
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
        let different: Vec<_> = after.iter().filter(|(path, bytes)| before[*path] != **bytes).map(|(path, _)| path).collect();
        assert_eq!(different, [""; 0]);
    }
}

#[test]
fn importing_again_changes_nothing_and_another_state_stands_beside_it() {
    let (old, new) = (published("2022-05-16"), published("head"));
    let (_folder, store, first) = import(&old, Some("2022-05-16"));
    let before = files(store.root());
    let options = |date: &str| ImportOptions { date: Some(date.parse().unwrap()), source: None };
    assert_eq!(store.import(&old, &options("2022-05-16")).unwrap().unchanged, 27);
    assert_eq!(files(store.root()), before);
    // Without a date nobody could tell which is which.
    let error = store.import(&new, &ImportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("say of which day this one is, with `--date`"), "{error}");
    assert_eq!(files(store.root()), before);
    assert_eq!(store.import(&new, &options("2023-08-14")).unwrap().unchanged, 0);
    let both = store.entries().unwrap();
    assert_eq!((both.problems.len(), both.entries.len()), (0, first.entries.len() + 125));
    assert!(before.iter().all(|(path, bytes)| fs::read(store.root().join(path)).unwrap() == *bytes));
    let chosen = both.one_per_app(|_| true);
    let dates: BTreeSet<_> = chosen.values().map(|entry| entry.date().unwrap().to_string()).collect();
    // The five of which only the older state has a benchmark keep it.
    assert!(dates.contains("2023-08-14"), "{dates:?}");
    assert_eq!(chosen["nginx"].date().unwrap().to_string(), "2023-08-14");
    assert_eq!(chosen["memcached"].workload(), "benchmark-memtier_benchmark");
    let again = store.import(&new, &options("2023-08-14")).unwrap();
    assert_eq!(again.unchanged, 125);
}

fn loupe(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loupe"));
    command.args(arguments).current_dir(folder).env_remove("LOUPE_RESULTS");
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A tree of three tiny apps, with its folder.
fn tiny() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let header = "# syscall, used, works faked, works stubbed, works both\n";
    for (place, rows) in [
        ("a/benchmark-a/imported", "0,Y,N,N,N\n1,Y,Y,N,N\n2,Y,N,Y,N\n3,Y,N,N,Y\n435,N,N,N,N\n"),
        ("b/benchmark-b/x", "0,Y,N,N,N\n"),
        ("b/benchmark-b/y", "0,Y,Y,Y,Y\n"),
    ] {
        let data = folder.path().join("tree").join(place).join("data");
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("dyn.csv"), format!("{header}{rows}")).unwrap();
    }
    folder
}

#[test]
fn imported_results_are_shown_and_listed_like_others() {
    let folder = tiny();
    fs::write(folder.path().join("tree/Kerla.syscalls"), "read\n").unwrap();
    let (code, stdout, stderr) = loupe(folder.path(), &["db", "import", "tree", "--date", "2023-08-14", "--source", "CC BY 4.0"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(stdout, @r"
    3 measurements of 2 apps, 0 static analyses of binaries and 0 of sources are in `results`
    left out, as no part of a measurement: Kerla.syscalls
    ");
    let (code, stdout, _) = loupe(folder.path(), &["db", "list"]);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(stdout, @r"
    app/workload        origin                      date        used  required  static binary  static source
    a/benchmark-a    *  imported                    2023-08-14     4         1
    b/benchmark-b@x  *  imported                    2023-08-14     1         1
    b/benchmark-b@y     imported, requires nothing  2023-08-14     1         0

    doubtful: b/benchmark-b@y: none of 1 calls is required, as if its workload passed whatever happens
    2 apps, 3 measurements; `*` stands for its app
    ");
    let (code, stdout, _) = loupe(folder.path(), &["show", "a"]);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(stdout, @r"
    syscall  verdict   stubbed  faked
    close    any       works    works
    open     stub      works    fails
    read     required  fails    fails
    write    fake      fails    works

    a/benchmark-a: 4 calls used, 1 required, 1 stub only, 1 fake only, 1 any
    imported from a/benchmark-a/imported/data/dyn.csv, as of 2023-08-14 (CC BY 4.0): no trials, and nothing was verified together
    ");
}

#[test]
fn broken_trees_are_refused_with_file_and_line_and_nothing_is_imported() {
    for (place, from, to, message) in [
        ("a/benchmark-a/imported", "works faked, works stubbed", "works stubbed, works faked", "1: the columns are "),
        ("a/benchmark-a/imported", "1,Y,Y,N,N", "1,Y,Y", "3: 3 columns instead of 5"),
        ("a/benchmark-a/imported", "1,Y,Y,N,N", "400,Y,Y,N,N", "3: no Linux on x86_64 has a system call 400"),
        ("a/benchmark-a/imported", "1,Y,Y,N,N", "0,Y,Y,N,N", "3: system call 0 (`read`) stands in line 2 already"),
        ("a/benchmark-a/imported", "3,Y,N,N,Y", "3,Y,N,Y,Y", "5: `works both` is Y, and so is `works stubbed`"),
        ("b/benchmark-b/y", "0,Y,Y,Y,Y", "0,Y,Y,Y,maybe", "2: `works both` is `maybe` instead of Y or N"),
    ] {
        let folder = tiny();
        let file = folder.path().join("tree").join(place).join("data/dyn.csv");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        fs::write(&file, text.replace(from, to)).unwrap();
        let (code, stdout, stderr) = loupe(folder.path(), &["db", "import", "tree"]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(&format!("tree/{place}/data/dyn.csv:{message}")), "{stderr}");
        assert!(stderr.contains("1 problem; nothing was imported"), "{stderr}");
        assert!(!folder.path().join("results").exists());
    }
}

#[test]
fn problems_of_all_files_are_told_at_once_and_older_results_stay() {
    let folder = tiny();
    loupe(folder.path(), &["db", "import", "tree", "--results", "results"]);
    let before = files(&folder.path().join("results"));
    for place in ["a/benchmark-a/imported", "b/benchmark-b/x", "b/benchmark-b/y"] {
        fs::write(folder.path().join("tree").join(place).join("data/dyn.csv"), "0,Y\nx\n").unwrap();
    }
    fs::remove_file(folder.path().join("tree/b/benchmark-b/y/data/dyn.csv")).unwrap();
    let (code, _, stderr) = loupe(folder.path(), &["db", "import", "tree", "--date", "2024-01-01"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("5 problems; nothing was imported"), "{stderr}");
    assert!(stderr.contains("b/benchmark-b/y/data: there is no `dyn.csv`"), "{stderr}");
    assert_eq!(files(&folder.path().join("results")), before);
}

#[test]
fn folders_without_measurements_are_refused() {
    let folder = tiny();
    for (name, code, words) in
        [("missing", 2, "is no folder"), ("tree/a/benchmark-a", 2, "no measurements"), (".", 2, "no measurements")]
    {
        let (found, _, stderr) = loupe(folder.path(), &["db", "import", name]);
        assert_eq!(found, Some(code), "{name}: {stderr}");
        assert!(stderr.contains(words), "{name}: {stderr}");
    }
}

#[test]
fn what_is_measured_never_replaces_what_was_imported() {
    let folder = tiny();
    loupe(folder.path(), &["db", "import", "tree"]);
    let store = Store::open(folder.path().join("results"));
    let identity = loupe::store::Identity {
        image: "sha256:0".to_owned(),
        spec: String::new(),
        architecture: "x86_64".to_owned(),
        measuring: 1,
        kernel_series: "6.18".to_owned(),
        engine: "docker".to_owned(),
        settings: loupe::explore::Settings::default(),
    };
    let error = store.campaign("a", "benchmark-a", &identity, loupe::store::Freshness::Fresh).unwrap_err();
    assert!(error.to_string().contains("holds imported results"), "{error}");
    assert!(error.hint().unwrap().contains("--results"));
}

/// Numbers of used and required calls of a published table.
fn used_and_required(path: &Path) -> (usize, usize) {
    let text = fs::read_to_string(path).unwrap();
    let cells = cells(&text);
    let used = cells.values().filter(|cells| cells[0] == "Y").count();
    (used, cells.values().filter(|cells| ***cells == ["Y", "N", "N", "N"]).count())
}

#[test]
fn means_over_published_data_are_those_of_its_files() {
    let tree = published("head");
    let (_folder, _store, entries) = import(&tree, None);
    let chosen = entries.one_per_app(|entry| entry.workload().starts_with("benchmark"));
    assert_eq!(chosen.len(), 111);
    let comparison = loupe::report::AnalysisComparison::new(&chosen);
    let [source, binary, used, required] = comparison.means;
    assert_eq!(format!("{:.1} {:.1}", used.mean.unwrap(), required.mean.unwrap()), "41.2 16.8");
    // And the same from the files alone.
    let (mut all_used, mut all_required, mut analyses) = (0, 0, Vec::new());
    for entry in chosen.values() {
        let Origin::Imported(provenance) = &entry.origin else { panic!("{} was not imported", entry.name()) };
        let path = tree.join(&provenance.dynamic.path);
        let (used, required) = used_and_required(&path);
        all_used += used;
        all_required += required;
        if let Ok(text) = fs::read_to_string(path.with_file_name("static_binary.csv")) {
            analyses.push(cells(&text).values().filter(|cells| cells[0] == "Y").count());
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let close = |mean: Option<f64>, sum: usize, of: usize| (mean.unwrap() - sum as f64 / of as f64).abs() < 1e-9;
    assert!(close(used.mean, all_used, 111) && close(required.mean, all_required, 111));
    assert_eq!((used.apps, required.apps, binary.apps), (111, 111, analyses.len()));
    assert!(close(binary.mean, analyses.iter().sum(), analyses.len()) && binary.apps > 80);
    assert!(source.apps > 0 && source.apps <= 9);
    let [source_of_both, rest @ ..] = comparison.means_with_both.map(|mean| mean.mean.unwrap());
    assert!(rest[0] > source_of_both && source_of_both > rest[1] && rest[1] > rest[2], "{source_of_both} {rest:?}");
    let svg = loupe::report::analyses_svg(&comparison);
    let bars = svg.matches("<title>").count();
    assert_eq!(bars, 4 + 2 * 111 + binary.apps + source.apps, "a bar for every number there is");
}

#[test]
fn statistics_of_published_data_are_those_of_its_files() {
    let tree = published("head");
    let (_folder, _store, entries) = import(&tree, None);
    let chosen = entries.one_per_app(|entry| entry.workload().starts_with("benchmark"));
    let statistics = loupe::report::Statistics::new(&chosen, &entries.apps());
    assert_eq!((statistics.apps.len(), statistics.unknown.len()), (111, 5));
    assert_eq!(statistics.unknown, ["django", "flask", "memcached", "python", "ruby"]);
    let mut expected = BTreeMap::<u32, [usize; 4]>::new();
    for entry in chosen.values() {
        let Origin::Imported(provenance) = &entry.origin else { panic!("{} was not imported", entry.name()) };
        let text = fs::read_to_string(tree.join(&provenance.dynamic.path)).unwrap();
        for (number, cells) in cells(&text).into_iter().filter(|(_, cells)| cells[0] == "Y") {
            let [_, fake, stub, both] = cells[..] else { panic!("{cells:?}") };
            let (fake, stub) = (fake == "Y" || both == "Y", stub == "Y" || both == "Y");
            let counts = expected.entry(number).or_default();
            for (count, yes) in counts.iter_mut().zip([true, !fake && !stub, stub, fake]) {
                *count += usize::from(yes);
            }
        }
    }
    let found: BTreeMap<u32, [usize; 4]> = statistics
        .calls
        .iter()
        .map(|call| {
            let counts = call.counts;
            let number = call.syscall.number(loupe::syscalls::Architecture::X86_64).unwrap();
            (number, [counts.used, counts.required, counts.can_stub, counts.can_fake])
        })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(statistics.together.used_by_any.len(), expected.len());
    assert_eq!(statistics.doubtful, ["leveldb/benchmark-bench"]);
    for coverage in [&statistics.coverage, &statistics.coverage_without_stubs] {
        assert_eq!((coverage.of, coverage.steps.last().unwrap().apps), (111, 111));
        assert!(coverage.steps.is_sorted_by_key(|step| step.apps));
    }
    assert!(statistics.coverage.steps.len() < statistics.coverage_without_stubs.steps.len(), "stubs spare work");
}

/// Everything that is imported or measured, in one SQLite file.
fn sqlite(store: &Store, entries: &Entries) -> (tempfile::TempDir, rusqlite::Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loupe.sqlite");
    loupe::store::exchange::write_sqlite(store, entries, &path).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let broken: i64 = connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!((broken, sound.as_str()), (0, "ok"));
    (folder, connection)
}

fn number(connection: &rusqlite::Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Every cell of a result, as text.
fn answer(connection: &rusqlite::Connection, sql: &str) -> Vec<Vec<String>> {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let cell = |index| match row.get_ref(index).unwrap() {
            rusqlite::types::ValueRef::Null => String::new(),
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            rusqlite::types::ValueRef::Real(number) => number.to_string(),
            rusqlite::types::ValueRef::Text(text) | rusqlite::types::ValueRef::Blob(text) => {
                String::from_utf8(text.to_vec()).unwrap()
            }
        };
        all.push((0..columns).map(cell).collect());
    }
    all
}

#[test]
fn sqlite_has_every_verdict_of_the_published_data_and_its_views_agree_with_the_statistics() {
    let tree = published("head");
    let (_folder, store, entries) = import(&tree, Some("2023-08-14"));
    let (_file, connection) = sqlite(&store, &entries);
    assert_eq!(number(&connection, "SELECT count(*) FROM apps"), 116);
    assert_eq!(number(&connection, "SELECT count(*) FROM measurements WHERE origin = 'imported' AND date = '2023-08-14'"), 125);
    let mut rows = answer(
        &connection,
        "SELECT apps.name, folder, items.name, used, stub, fake, verdict, joint FROM verdicts \
         JOIN items ON items.id = item_id JOIN measurements ON measurements.id = measurement_id JOIN apps ON apps.id = app_id",
    );
    let letter = |yes: bool| if yes { "1" } else { "0" }.to_owned();
    let of_entry = |entry: &loupe::store::Entry| {
        let names = (entry.app.clone(), entry.folder.clone());
        let rows = entry.verdicts.iter().map(move |(call, row)| {
            let cells = [letter(row.used), letter(row.stub), letter(row.fake), row.verdict.unwrap().to_string(), String::new()];
            [names.0.clone(), names.1.clone(), call.to_string()].into_iter().chain(cells).collect::<Vec<_>>()
        });
        rows.collect::<Vec<_>>()
    };
    let mut expected: Vec<_> = entries.entries.iter().flat_map(of_entry).collect();
    rows.sort();
    expected.sort();
    assert_eq!(rows.len(), expected.len());
    assert_eq!(rows, expected);

    let statistics = loupe::report::Statistics::new(&entries.one_per_app(|_| true), &entries.apps());
    let shares = answer(
        &connection,
        "SELECT syscall, apps, used, required, can_stub, can_fake FROM call_shares ORDER BY required DESC, used DESC, syscall",
    );
    let of_statistics: Vec<Vec<String>> = statistics
        .calls
        .iter()
        .map(|call| {
            let numbers = [116, call.counts.used, call.counts.required, call.counts.can_stub, call.counts.can_fake];
            [call.syscall.to_string()].into_iter().chain(numbers.map(|number| number.to_string())).collect()
        })
        .collect();
    assert_eq!(shares, of_statistics);
    let totals = answer(&connection, "SELECT round(avg(static_binary), 6), count(static_source) FROM app_totals");
    let comparison = loupe::report::AnalysisComparison::new(&entries.one_per_app(|_| true));
    let mean = (comparison.means[1].mean.unwrap() * 1e6).round() / 1e6;
    assert_eq!(totals, [[mean.to_string(), comparison.means[0].apps.to_string()]]);
}

#[test]
fn flat_exports_have_every_cell() {
    let folder = tiny();
    loupe(folder.path(), &["db", "import", "tree", "--date", "2023-08-14"]);
    let (code, stdout, stderr) = loupe(folder.path(), &["db", "export", "--format", "csv"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(stdout, @r"
    app,workload,label,origin,date,architecture,kind,item,used,stub,fake,verdict,joint,caveat
    a,benchmark-a,,imported,2023-08-14,x86_64,syscall,close,Y,Y,Y,any,,
    a,benchmark-a,,imported,2023-08-14,x86_64,syscall,open,Y,Y,N,stub,,
    a,benchmark-a,,imported,2023-08-14,x86_64,syscall,read,Y,N,N,required,,
    a,benchmark-a,,imported,2023-08-14,x86_64,syscall,write,Y,N,Y,fake,,
    b,benchmark-b,x,imported,2023-08-14,x86_64,syscall,read,Y,N,N,required,,
    b,benchmark-b,y,imported,2023-08-14,x86_64,syscall,read,Y,Y,Y,any,,requires nothing
    ");
    let (code, _, stderr) = loupe(folder.path(), &["db", "export", "--format", "json", "--output", "all.json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let document: serde_json::Value = serde_json::from_str(&fs::read_to_string(folder.path().join("all.json")).unwrap()).unwrap();
    let results = document["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    assert_eq!(results[0]["calls"][3]["verdict"], "fake");
    assert_eq!(results[2]["provenance"]["dynamic"]["both"], "all");
    let (code, _, _) = loupe(folder.path(), &["db", "export", "--format", "loupedb", "--output", "out", "--only", "b"]);
    assert_eq!(code, Some(0));
    let (before, after) = (files(&folder.path().join("tree/b")), files(&folder.path().join("out/b")));
    assert_eq!(before, after);
    for format in ["loupedb", "sqlite"] {
        let (code, _, stderr) = loupe(folder.path(), &["db", "export", "--format", format]);
        assert_eq!(code, Some(2));
        assert!(stderr.contains("hint: name one with `--output PATH`"), "{stderr}");
    }
    let (code, _, stderr) = loupe(folder.path(), &["db", "export", "--format", "loupedb", "--output", "out"]);
    assert_eq!(code, Some(2), "an existing folder is left alone");
    assert!(stderr.contains("is there already"), "{stderr}");
}

#[test]
fn every_question_is_answered_by_the_measured_and_the_published_results() {
    let measured = Store::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("results"));
    let entries = measured.entries().unwrap();
    assert_eq!(entries.problems.len(), 0, "{:?}", entries.problems);
    let (_file, connection) = sqlite(&measured, &entries);
    let trials: usize = entries.measurements().map(|entry| measured.trials(&entry.app, &entry.folder).unwrap().len()).sum();
    assert_eq!(number(&connection, "SELECT count(*) FROM trials"), i64::try_from(trials).unwrap());
    for question in loupe::store::exchange::QUESTIONS {
        assert!(!answer(&connection, question.sql).is_empty(), "{}", question.text);
    }
    // Each treatment of a call alone that failed in every run is the reason of a verdict.
    let contradictions = "SELECT count(*) FROM verdicts JOIN items ON items.id = item_id WHERE verdict = 'required' AND EXISTS \
        (SELECT 1 FROM treatments JOIN trials ON trials.id = trial_id WHERE treatments.item_id = verdicts.item_id \
         AND trials.measurement_id = verdicts.measurement_id AND purpose = 'single' AND hits > 0 \
         GROUP BY treatment HAVING min(outcome) = 'pass' AND max(outcome) = 'pass')";
    assert_eq!(number(&connection, contradictions), 0);
}

#[test]
fn measured_results_are_exported_as_a_tree_that_can_be_imported_again() {
    let measured = Store::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("results"));
    let entries = measured.entries().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("tree");
    loupe::store::loupedb::write_tree(&Tree::new(&entries.entries).unwrap(), &to).unwrap();
    let (_folder, _store, imported) = import(&to, None);
    for entry in entries.measurements() {
        let again = imported.of(&entry.app).find(|other| other.folder == entry.folder).unwrap();
        assert_eq!(again.verdicts.keys().collect::<Vec<_>>(), entry.verdicts.keys().collect::<Vec<_>>());
        for (call, row) in &entry.verdicts {
            let other = again.verdicts[call];
            assert_eq!((other.used, other.stub, other.fake), (row.used, row.stub, row.fake), "{} {call}", entry.name());
        }
        for (analysis, table) in &entry.analyses {
            assert!(again.analyses[analysis].keys().eq(table.keys()), "{}", entry.name());
        }
    }
}

#[test]
fn why_tells_the_cause_and_the_last_lines_of_measured_apps_and_the_provenance_of_imported_ones() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    // One measured app of the repository beside imported ones.
    let of_repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/nginx");
    for (path, bytes) in files(&of_repository) {
        let to = results.join("nginx").join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    let tree = tiny();
    let (code, _, stderr) =
        loupe(folder.path(), &["db", "import", tree.path().join("tree").to_str().unwrap(), "--date", "2023-08-14"]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, stdout, stderr) = loupe(folder.path(), &["db", "why", "epoll_create"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.starts_with("epoll_create is used by 1 of 3 apps, and required by 1\n\nnginx/wrk: required, made "),
        "{stdout}"
    );
    assert!(stdout.contains("\n  stubbed: ") && stdout.contains("\n  faked: ") && stdout.contains("\n    | "), "{stdout}");
    let (_, stdout, _) = loupe(folder.path(), &["db", "why", "read"]);
    assert!(
        stdout.contains("\nb/benchmark-b@x: required, imported from b/benchmark-b/x/data/dyn.csv, as of 2023-08-14\n"),
        "{stdout}"
    );
    let (_, stdout, _) = loupe(folder.path(), &["db", "why", "read", "--format", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(answer["of"], 3);
    assert!(
        answer["apps"]
            .as_array()
            .unwrap()
            .iter()
            .any(|app| app["origin"] == "measured" && app["stubbed"][0]["hits"].as_u64() > Some(0))
    );
    let (_, stdout, _) = loupe(folder.path(), &["db", "why", "read", "--format", "csv", "--only", "a"]);
    insta::assert_snapshot!(stdout, @r#"
    syscall,app,workload,origin,verdict,treatment,outcome,trials,hits,last-lines,provenance
    read,a,benchmark-a,imported,required,,,,,,"imported from a/benchmark-a/imported/data/dyn.csv, as of 2023-08-14"
    "#);
    let (code, _, stderr) = loupe(folder.path(), &["db", "why", "raed"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("`raed` is not a Linux system call"), "{stderr}");
}

#[test]
fn broken_results_are_told_and_the_others_are_still_counted() {
    let folder = tiny();
    loupe(folder.path(), &["db", "import", "tree"]);
    fs::write(folder.path().join("results/b/benchmark-b@x/verdicts.csv"), "nonsense\n").unwrap();
    let (code, stdout, stderr) = loupe(folder.path(), &["db", "stats", "--format", "csv"]);
    assert_eq!(code, Some(3));
    assert!(stderr.contains("b/benchmark-b@x/verdicts.csv:1: "), "{stderr}");
    insta::assert_snapshot!(stdout, @r"
    syscall,apps,used,required,can-stub,can-fake,undecided
    read,2,2,1,1,1,0
    close,2,1,0,1,1,0
    open,2,1,0,1,0,0
    write,2,1,0,0,1,0
    ");
}

#[test]
fn analyses_are_compared_over_all_apps_or_those_named_in_every_form() {
    let folder = tiny();
    for (place, kind, rows) in [
        ("a/benchmark-a/imported", "static_binary.csv", "0,Y\n1,Y\n2,Y\n3,Y\n4,Y\n"),
        ("a/benchmark-a/imported", "static_sources.csv", "0,Y\n1,Y\n2,N\n"),
        ("b/benchmark-b/x", "static_binary.csv", "0,N\n"),
    ] {
        let path = folder.path().join("tree").join(place).join("data").join(kind);
        fs::write(path, format!("# syscall, used\n{rows}")).unwrap();
    }
    loupe(folder.path(), &["db", "import", "tree"]);
    let (code, stdout, stderr) = loupe(folder.path(), &["compare", "--analysis", "--svg", "bars.svg"]);
    assert_eq!(code, Some(0), "{stderr}");
    insta::assert_snapshot!(stdout, @r"
    app/workload     static source  static binary  used  required  missed by binary
    a/benchmark-a                2              5     4         1
    b/benchmark-b@x                             0     1         1                 1

    mean number of calls                     static source  static binary  used  required
    of 2 apps                                   2.0 (of 1)            2.5   2.5       1.0
    of the 2 with an analysis of the binary     2.0 (of 1)            2.5   2.5       1.0
    of the 1 with both analyses                        2.0            5.0   4.0       1.0

    analyses of binaries that miss calls which were used: 1 of 2
    analyses of binaries that report no call at all: 1 (b); without them the mean is 5.0
    ");
    let svg = fs::read_to_string(folder.path().join("bars.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("<title>a, static binary: 5</title>"), "{svg}");
    let (_, stdout, _) = loupe(folder.path(), &["compare", "--format", "csv", "a", "--analysis"]);
    insta::assert_snapshot!(stdout, @r"
    app,workload,static-source,static-binary,used,required,missed-by-binary,missed-by-source
    a,benchmark-a,2,5,4,1,0,2
    ");
    let (_, stdout, _) = loupe(folder.path(), &["compare", "--format", "json", "--analysis", "b/benchmark-b@y"]);
    let compared: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&compared["apps"][0]["folder"], &compared["apps"][0]["required"]), (&"benchmark-b@y".into(), &0.into()));
    let (_, stdout, _) = loupe(folder.path(), &["compare", "--format", "markdown", "--analysis", "a"]);
    assert!(stdout.contains("| **mean of 1 apps** | 2.0 | 5.0 | 4.0 | 1.0 |\n| a/benchmark-a | 2 | 5 | 4 | 1 |\n"), "{stdout}");
    for (arguments, words) in [
        (&["compare", "--analysis", "c"][..], "no verdicts of `c`"),
        (&["compare"], "two sides are compared, not 0 names"),
        (&["compare", "a"], "two sides are compared, not 1 name\n"),
        (&["compare", "a", "b", "c"], "two sides are compared, not 3 names"),
        (&["compare", "a", "b", "--format", "csv"], "`--format csv` needs `--analysis`"),
        (&["compare", "a", "b", "--svg", "x"], "`--svg` needs `--analysis`"),
    ] {
        let (code, stdout, stderr) = loupe(folder.path(), arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
}
