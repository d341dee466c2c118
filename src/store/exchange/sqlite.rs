//! The database as one SQLite file, trials included.
//!
//! The file is written beside its place and moved there when it is whole.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use super::schema::{SCHEMA, VERSION};
use crate::explore::{Plan, Verdict};
use crate::store::{DetailRow, Entries, Entry, Origin, Store, StoreError, TrialRecord};
use crate::syscalls::{Architecture, Sysno};
use crate::trial::{Item, Outcome};

/// A question that the file answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// In words.
    pub text: &'static str,
    /// In SQL.
    pub sql: &'static str,
}

/// Questions that users of such a database have, with how the file answers them.
pub const QUESTIONS: [Question; 5] = [
    Question {
        text: "Which calls do most apps require?",
        sql: "SELECT syscall, used, required, required_percent FROM call_shares ORDER BY required DESC, syscall LIMIT 10;",
    },
    Question {
        text: "Which calls do many apps use although none of them needs it?",
        sql: "SELECT syscall, used, can_stub, can_fake FROM call_shares WHERE required = 0 ORDER BY used DESC, syscall LIMIT 10;",
    },
    Question {
        text: "Which apps are nearest to an OS that has these calls only, and what do they lack?",
        sql: "SELECT app, count(*) FILTER (WHERE lacks) AS missing, group_concat(syscall, ' ') FILTER (WHERE lacks) AS calls \
              FROM (SELECT app, syscall, verdict = 'required' AND syscall NOT IN ('read', 'write', 'close', 'mmap', 'brk', 'execve', \
              'open', 'openat', 'fstat', 'newfstatat', 'writev', 'arch_prctl', 'pread64', 'exit_group') AS lacks FROM app_calls) \
              GROUP BY app ORDER BY missing, app LIMIT 10;",
    },
    Question {
        text: "How far off are static analyses of binaries, and how many report nothing at all?",
        sql: "SELECT count(*) AS apps, sum(static_binary = 0) AS report_nothing, round(avg(static_binary), 1) AS static_binary, \
              round(avg(used), 1) AS used, round(avg(required), 1) AS required FROM app_totals WHERE static_binary IS NOT NULL;",
    },
    Question {
        text: "What becomes of nginx when a call is stubbed or faked?",
        sql: "SELECT item, treatment, cause, max(hits) AS hits FROM evidence WHERE app = 'nginx' AND kind = 'syscall' \
              AND outcome = 'fail' GROUP BY item, treatment ORDER BY item, treatment LIMIT 10;",
    },
];

/// Writes all results that `entries` has, with the trials that `store` has of them, to the file `to`.
///
/// # Errors
///
/// If trials cannot be read, or the file cannot be written.
pub fn write_sqlite(store: &Store, entries: &Entries, to: &Path) -> Result<(), StoreError> {
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new().prefix(".loupe-export-").tempdir_in(parent).map_err(StoreError::write(parent))?;
    let path = temporary.path().join("database.sqlite");
    let sqlite = |source: rusqlite::Error| StoreError::Sqlite { path: to.to_owned(), source };
    let mut connection = Connection::open(&path).map_err(sqlite)?;
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA foreign_keys = ON;").map_err(sqlite)?;
    connection.pragma_update(None, "user_version", VERSION).map_err(sqlite)?;
    connection.execute_batch(SCHEMA).map_err(sqlite)?;
    let chosen = entries.one_per_app(|_| true);
    let transaction = connection.transaction().map_err(sqlite)?;
    let mut writer = Writer { transaction: &transaction, items: HashMap::new() };
    let mut apps = BTreeMap::<&str, i64>::new();
    for entry in &entries.entries {
        let app = match apps.get(entry.app.as_str()) {
            Some(app) => *app,
            None => *apps.entry(&entry.app).or_insert(writer.app(&entry.app).map_err(sqlite)?),
        };
        let is_chosen = chosen.get(entry.app.as_str()).is_some_and(|chosen| chosen.folder == entry.folder);
        let measurement = writer.measurement(entry, app, is_chosen).map_err(sqlite)?;
        if matches!(entry.origin, Origin::Measured(_)) {
            for trial in store.trials(&entry.app, &entry.folder)? {
                writer.trial(&trial, measurement).map_err(sqlite)?;
            }
        }
    }
    transaction.commit().map_err(sqlite)?;
    connection.execute_batch("PRAGMA optimize;").map_err(sqlite)?;
    connection.close().map_err(|(_, error)| sqlite(error))?;
    std::fs::File::open(&path).and_then(|file| file.sync_all()).map_err(StoreError::write(to))?;
    std::fs::rename(&path, to).map_err(StoreError::write(to))
}

/// SQLite has signed numbers only.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    items: HashMap<Item, i64>,
}

impl Writer<'_> {
    fn insert(&self, sql: &str, values: impl rusqlite::Params) -> Result<i64, rusqlite::Error> {
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(self.transaction.last_insert_rowid())
    }

    fn app(&self, name: &str) -> Result<i64, rusqlite::Error> {
        self.insert("INSERT INTO apps (name) VALUES (?)", [name])
    }

    fn item(&mut self, item: Item) -> Result<i64, rusqlite::Error> {
        if let Some(id) = self.items.get(&item) {
            return Ok(*id);
        }
        let (kind, call) = match item {
            Item::Call(call) => ("syscall", Some(call)),
            Item::Feature(feature) => ("feature", Some(feature.call())),
            Item::File(_) => ("pseudo-file", None),
        };
        let number = |architecture| item.call().and_then(|call| call.number(architecture));
        let id = self.insert(
            "INSERT INTO items (kind, name, syscall, number_x86_64, number_aarch64) VALUES (?, ?, ?, ?, ?)",
            params![kind, item.to_string(), call.map(Sysno::name), number(Architecture::X86_64), number(Architecture::Aarch64)],
        )?;
        self.items.insert(item, id);
        Ok(id)
    }

    fn measurement(&mut self, entry: &Entry, app: i64, chosen: bool) -> Result<i64, rusqlite::Error> {
        let refused = (!entry.refused.is_empty()).then(|| entry.refused.join("; "));
        let id = self.insert(
            "INSERT INTO measurements (app_id, workload, label, folder, origin, date, architecture, chosen, refused, fallbacks_known) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                app,
                entry.workload(),
                entry.label(),
                entry.folder,
                entry.origin.name(),
                entry.date().map(|date| date.to_string()),
                entry.architecture(),
                chosen,
                refused,
                entry.fallbacks.is_some()
            ],
        )?;
        let caveat = entry.caveat().map(|caveat| ("caveat", caveat.name().to_owned()));
        for (key, value) in conditions(entry).into_iter().chain(caveat) {
            self.insert("INSERT INTO environment (measurement_id, key, value) VALUES (?, ?, ?)", params![id, key, value])?;
        }
        let trace = match &entry.origin {
            Origin::Measured(measurement) => Some(&measurement.trace),
            Origin::Imported(_) | Origin::Nothing => None,
        };
        for (call, row) in &entry.verdicts {
            let calls = trace.map(|trace| signed(trace.get(call).map_or(0, |seen| seen.count)));
            let columns = (row.used, Some(row.stub), Some(row.fake), row.verdict, row.joint, calls);
            self.verdict(id, Item::Call(*call), columns)?;
        }
        let detail = |row: &DetailRow| (row.used, row.stub, row.fake, row.verdict, None, None);
        for (feature, row) in &entry.features {
            self.verdict(id, Item::Feature(*feature), detail(row))?;
        }
        for (file, row) in &entry.pseudo_files {
            self.verdict(id, Item::File(*file), detail(row))?;
        }
        if let Some(table) = &entry.fallbacks {
            for (treated, used) in table.rows() {
                let item = treated.map(|(item, _)| self.item(item)).transpose()?;
                let uses = self.item(used)?;
                let treatment = treated.map(|(_, treatment)| treatment.name());
                self.insert(
                    "INSERT INTO fallbacks (measurement_id, item_id, treatment, uses_id) VALUES (?, ?, ?, ?)",
                    params![id, item, treatment, uses],
                )?;
            }
        }
        for (analysis, table) in &entry.analyses {
            let made =
                self.insert("INSERT INTO analyses (measurement_id, analysis) VALUES (?, ?)", params![id, analysis.name()])?;
            for (call, sites) in table {
                let item = self.item(Item::Call(*call))?;
                self.insert(
                    "INSERT INTO analysis_calls (analysis_id, item_id, sites) VALUES (?, ?, ?)",
                    params![made, item, signed(*sites)],
                )?;
            }
        }
        Ok(id)
    }

    fn verdict(&mut self, measurement: i64, item: Item, columns: Columns) -> Result<(), rusqlite::Error> {
        let item = self.item(item)?;
        let (used, stub, fake, verdict, joint, calls) = columns;
        self.insert(
            "INSERT INTO verdicts (measurement_id, item_id, used, stub, fake, verdict, joint, calls) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![measurement, item, used, stub, fake, verdict.map(Verdict::name), joint.map(Plan::name), calls],
        )?;
        Ok(())
    }

    fn trial(&mut self, trial: &TrialRecord, measurement: i64) -> Result<(), rusqlite::Error> {
        let (outcome, cause) = match &trial.result {
            Outcome::Pass => ("pass", None),
            Outcome::Fail(cause) => ("fail", Some(cause.to_string())),
            Outcome::Inconclusive(cause) => ("inconclusive", Some(cause.to_string())),
        };
        let record = serde_json::to_value(trial).expect("invariant: the store's types have string keys only");
        let id = self.insert(
            "INSERT INTO trials (measurement_id, key, purpose, replica, outcome, cause, total_ms, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                measurement,
                trial.key,
                record["purpose"].as_str(),
                trial.replica,
                outcome,
                cause,
                signed(trial.durations.total_ms),
                record.to_string()
            ],
        )?;
        for (item, treatment) in trial.intervention.iter() {
            let hits = signed(trial.count(item));
            let item = self.item(item)?;
            self.insert(
                "INSERT INTO treatments (trial_id, item_id, treatment, hits) VALUES (?, ?, ?, ?)",
                params![id, item, treatment.name(), hits],
            )?;
        }
        Ok(())
    }
}

/// Used, stub, fake, verdict, joint, number of calls.
type Columns = (bool, Option<bool>, Option<bool>, Option<Verdict>, Option<Plan>, Option<i64>);

/// What is recorded of where a measurement comes from.
fn conditions(entry: &Entry) -> Vec<(&'static str, String)> {
    match &entry.origin {
        Origin::Measured(measurement) => {
            let environment = &measurement.environment;
            let identity = &environment.identity;
            let settings = serde_json::to_string(&identity.settings).expect("invariant: settings have string keys only");
            vec![
                ("engine", identity.engine.clone()),
                ("engine-version", environment.engine_version.clone()),
                ("image", identity.image.clone()),
                ("kernel", environment.kernel.clone()),
                ("kernel-series", identity.kernel_series.clone()),
                ("loupe", environment.loupe.clone().unwrap_or_default()),
                ("measuring", identity.measuring.to_string()),
                ("settings", settings),
                ("spec", identity.spec.clone()),
            ]
        }
        Origin::Imported(provenance) => {
            let mut conditions = vec![
                ("path", provenance.dynamic.path.clone()),
                ("sha256", provenance.dynamic.sha256.clone()),
                ("variant", provenance.variant.clone()),
            ];
            conditions.extend(provenance.source.clone().map(|source| ("source", source)));
            conditions
        }
        Origin::Nothing => Vec::new(),
    }
}
