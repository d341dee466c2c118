//! The tables and views of the SQLite file, and questions that they answer. Pure text.
//!
//! Names in the file are those of the CSV and JSON files; `Y` and `N` are 1 and 0, empty cells are NULL. Views that are about apps,
//! not measurements, take the measurement that stands for its app (`measurements.chosen`).

/// Version of the schema, as `PRAGMA user_version`.
pub(super) const VERSION: u32 = 2;

pub(super) const SCHEMA: &str = "
CREATE TABLE apps (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- A folder of results. Those of origin 'nothing' have no verdicts: nothing is known of the app. One that is `chosen` stands for its
-- app; variants of an app (nginx@trixie) are not chosen beside it. `fallbacks_known`: 0 where nobody looked for fallbacks.
CREATE TABLE measurements (
    id INTEGER PRIMARY KEY,
    app_id INTEGER NOT NULL REFERENCES apps (id),
    workload TEXT NOT NULL,
    label TEXT,
    folder TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('measured', 'imported', 'nothing')),
    date TEXT,
    architecture TEXT,
    chosen INTEGER NOT NULL CHECK (chosen IN (0, 1)),
    refused TEXT,
    fallbacks_known INTEGER NOT NULL CHECK (fallbacks_known IN (0, 1)),
    UNIQUE (app_id, folder)
) STRICT;
CREATE UNIQUE INDEX one_chosen_per_app ON measurements (app_id) WHERE chosen = 1;

-- Under which conditions it was measured, or where it was imported from.
CREATE TABLE environment (
    measurement_id INTEGER NOT NULL REFERENCES measurements (id),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (measurement_id, key)
) STRICT, WITHOUT ROWID;

-- What can be stubbed or faked. Of an argument feature, `syscall` is the call it belongs to.
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('syscall', 'feature', 'pseudo-file')),
    name TEXT NOT NULL UNIQUE,
    syscall TEXT,
    number_x86_64 INTEGER,
    number_aarch64 INTEGER
) STRICT;

-- NULL: not tried, or open; `joint` NULL: never tried together with all others. `calls`: how often traces saw it.
CREATE TABLE verdicts (
    measurement_id INTEGER NOT NULL REFERENCES measurements (id),
    item_id INTEGER NOT NULL REFERENCES items (id),
    used INTEGER NOT NULL CHECK (used IN (0, 1)),
    stub INTEGER CHECK (stub IN (0, 1)),
    fake INTEGER CHECK (fake IN (0, 1)),
    verdict TEXT CHECK (verdict IN ('required', 'stub', 'fake', 'any')),
    joint TEXT CHECK (joint IN ('implement', 'stub', 'fake')),
    calls INTEGER,
    PRIMARY KEY (measurement_id, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX verdicts_by_item ON verdicts (item_id, verdict);

-- Items that the app uses only while `item_id` is stubbed or faked; NULL: while everything that can be avoided is, and for no item
-- alone. See `measurements.fallbacks_known`.
CREATE TABLE fallbacks (
    measurement_id INTEGER NOT NULL REFERENCES measurements (id),
    item_id INTEGER REFERENCES items (id),
    treatment TEXT CHECK (treatment IN ('stub', 'fake')),
    uses_id INTEGER NOT NULL REFERENCES items (id),
    CHECK ((item_id IS NULL) = (treatment IS NULL)),
    UNIQUE (measurement_id, item_id, treatment, uses_id)
) STRICT;

-- `record` is the whole trial, as in trials.jsonl.
CREATE TABLE trials (
    id INTEGER PRIMARY KEY,
    measurement_id INTEGER NOT NULL REFERENCES measurements (id),
    key TEXT NOT NULL,
    purpose TEXT NOT NULL,
    replica INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('pass', 'fail', 'inconclusive')),
    cause TEXT,
    total_ms INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX trials_by_measurement ON trials (measurement_id, key);

-- What a trial treated, and how often that was hit.
CREATE TABLE treatments (
    trial_id INTEGER NOT NULL REFERENCES trials (id),
    item_id INTEGER NOT NULL REFERENCES items (id),
    treatment TEXT NOT NULL CHECK (treatment IN ('stub', 'fake')),
    hits INTEGER NOT NULL,
    PRIMARY KEY (trial_id, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX treatments_by_item ON treatments (item_id);

-- A static analysis that was made, even if it reports nothing.
CREATE TABLE analyses (
    id INTEGER PRIMARY KEY,
    measurement_id INTEGER NOT NULL REFERENCES measurements (id),
    analysis TEXT NOT NULL CHECK (analysis IN ('static-binary', 'static-source')),
    UNIQUE (measurement_id, analysis)
) STRICT;

-- What it reports; `sites` 0: their number is not known.
CREATE TABLE analysis_calls (
    analysis_id INTEGER NOT NULL REFERENCES analyses (id),
    item_id INTEGER NOT NULL REFERENCES items (id),
    sites INTEGER NOT NULL,
    PRIMARY KEY (analysis_id, item_id)
) STRICT, WITHOUT ROWID;

-- The calls of every app that has verdicts, by the measurement that stands for it.
CREATE VIEW app_calls AS
SELECT apps.name AS app, measurements.folder AS workload, measurements.origin, items.name AS syscall,
       verdicts.stub, verdicts.fake, verdicts.verdict, verdicts.joint, verdicts.calls
FROM measurements
JOIN apps ON apps.id = measurements.app_id
JOIN verdicts ON verdicts.measurement_id = measurements.id
JOIN items ON items.id = verdicts.item_id
WHERE measurements.chosen = 1 AND items.kind = 'syscall' AND verdicts.used = 1;

-- How many apps use, require, can stub, can fake each call, and which share of all apps with verdicts that is.
CREATE VIEW call_shares AS
WITH known AS (SELECT count(*) AS apps FROM measurements WHERE chosen = 1)
SELECT syscall, known.apps,
       count(*) AS used,
       count(*) FILTER (WHERE verdict = 'required') AS required,
       sum(stub) AS can_stub,
       sum(fake) AS can_fake,
       round(100.0 * count(*) / known.apps, 1) AS used_percent,
       round(100.0 * count(*) FILTER (WHERE verdict = 'required') / known.apps, 1) AS required_percent
FROM app_calls, known
GROUP BY syscall;

-- Number of calls that each static analysis reports.
CREATE VIEW analysis_totals AS
SELECT measurement_id, analysis, count(item_id) AS calls
FROM analyses
LEFT JOIN analysis_calls ON analysis_calls.analysis_id = analyses.id
GROUP BY analyses.id;

-- Numbers of calls of each app, with those of static analyses. NULL: there was none.
CREATE VIEW app_totals AS
SELECT apps.name AS app, measurements.folder AS workload, measurements.origin,
       (SELECT calls FROM analysis_totals WHERE measurement_id = measurements.id AND analysis = 'static-source') AS static_source,
       (SELECT calls FROM analysis_totals WHERE measurement_id = measurements.id AND analysis = 'static-binary') AS static_binary,
       count(items.id) AS used,
       count(items.id) FILTER (WHERE verdicts.verdict = 'required') AS required,
       count(items.id) FILTER (WHERE verdicts.verdict = 'stub') AS stub_only,
       count(items.id) FILTER (WHERE verdicts.verdict = 'fake') AS fake_only,
       count(items.id) FILTER (WHERE verdicts.verdict = 'any') AS any_works
FROM measurements
JOIN apps ON apps.id = measurements.app_id
LEFT JOIN verdicts ON verdicts.measurement_id = measurements.id AND verdicts.used = 1
LEFT JOIN items ON items.id = verdicts.item_id AND items.kind = 'syscall'
WHERE measurements.chosen = 1
GROUP BY measurements.id;

-- What rests on which trial: everything that was tried alone.
CREATE VIEW evidence AS
SELECT apps.name AS app, measurements.folder AS workload, items.kind, items.name AS item, treatments.treatment, trials.outcome,
       trials.cause, treatments.hits, trials.total_ms
FROM trials
JOIN treatments ON treatments.trial_id = trials.id
JOIN items ON items.id = treatments.item_id
JOIN measurements ON measurements.id = trials.measurement_id
JOIN apps ON apps.id = measurements.app_id
WHERE trials.purpose IN ('single', 'quiet');

-- Argument features that were tried, beside what was found of the whole call.
CREATE VIEW feature_verdicts AS
SELECT apps.name AS app, measurements.folder AS workload, feature.syscall, feature.name AS feature,
       of_feature.verdict, of_call.verdict AS verdict_of_call
FROM verdicts AS of_feature
JOIN items AS feature ON feature.id = of_feature.item_id AND feature.kind = 'feature'
JOIN measurements ON measurements.id = of_feature.measurement_id
JOIN apps ON apps.id = measurements.app_id
LEFT JOIN items AS call ON call.name = feature.syscall
LEFT JOIN verdicts AS of_call ON of_call.measurement_id = measurements.id AND of_call.item_id = call.id
WHERE of_feature.verdict IS NOT NULL;

-- Apps of which nothing is known.
CREATE VIEW unknown_apps AS
SELECT apps.name AS app, group_concat(measurements.refused, '; ') AS refused
FROM apps
JOIN measurements ON measurements.app_id = apps.id
GROUP BY apps.id
HAVING max(measurements.origin <> 'nothing') = 0;
";
