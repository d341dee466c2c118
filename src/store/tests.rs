//! The store as a whole, on folders of its own.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::explore::model::{AppModel, drive, fail, inconclusive};
use crate::explore::{Explorer, Findings, Report, Settings};
use crate::spec::Workload;
use crate::trial::{
    Aftermath, AppEnd, CallLog, CallStatistics, Care, CheckEnd, ClientEnd, Deadline, Death, Ending, ForeignCall,
    InconclusiveCause, Intervention, Item, NewUse, NextCall, Observation, Output, Purpose, Timings, Treatment, TrialId,
    TrialRequest, Watch, Written,
};

fn call(name: &str) -> Item {
    name.parse().unwrap()
}

fn identity() -> Identity {
    Identity {
        image: "sha256:0123".to_owned(),
        spec: "4567".to_owned(),
        architecture: "x86_64".to_owned(),
        measuring: 1,
        kernel_series: "6.18".to_owned(),
        engine: "docker".to_owned(),
        settings: Settings::default(),
    }
}

fn environment() -> Environment {
    Environment::new(identity(), "6.18.0".to_owned(), "20.10".to_owned())
}

fn model() -> AppModel {
    ["stub=brk", "fake=brk", "fake=close", "stub=futex"]
        .iter()
        .fold(AppModel::new(["brk", "close", "futex", "read", "write"].map(call)), |model, text| {
            model.broken_by(text.parse().unwrap())
        })
        .without_hits_of(call("write"))
}

/// A record as it would come from an engine that saw what `report` says.
fn record_of(request: &TrialRequest, report: &Report) -> TrialRecord {
    let statistics = |name: &str| CallStatistics {
        count: 2,
        first: 0,
        last: 0,
        processes: BTreeMap::from([(name.to_owned(), 2)]),
        samples: vec![[u64::MAX, 0, 1, 2, 3, 4]],
    };
    let calls = report.seen.iter().filter_map(|item| Some((item.call()?, statistics("worker one")))).collect();
    let observation = Observation {
        not_started: None,
        calls: CallLog { calls, new_uses: report.new_uses.clone(), ..CallLog::default() },
        timings: Timings { total: Duration::from_millis(7), ..Timings::default() },
        ready: true,
        ..Observation::default()
    };
    TrialRecord::new(
        &Workload::named("wrk"),
        request,
        &Deadline::within(Duration::from_secs(3)),
        report.outcome.clone(),
        &observation,
    )
}

fn open(store: &Store, identity: &Identity, freshness: Freshness) -> (Box<Journal>, Vec<TrialRecord>) {
    match store.campaign("nginx", "wrk", identity, freshness).unwrap() {
        Opened::Open { journal, stored, .. } => (journal, stored),
        Opened::UpToDate(_) => panic!("up to date"),
    }
}

/// Runs a campaign the way the real one does; returns how it ended and how many trials had to be run.
fn measure(store: &Store, run: impl Fn(&TrialRequest) -> Report) -> (Conclusion, usize) {
    let (mut journal, _) = open(store, &identity(), Freshness::Resume);
    let (findings, ran) = run_trials(&mut journal, usize::MAX, run).unwrap();
    (journal.finish(&findings, &environment(), Duration::from_secs(2)).unwrap(), ran)
}

/// Runs trials until the campaign ends, or `None` if it is killed after `most` of them.
fn run_trials(journal: &mut Journal, most: usize, run: impl Fn(&TrialRequest) -> Report) -> Option<(Findings, usize)> {
    let mut ran = 0;
    let driven = drive(
        Explorer::new(Settings::default()),
        3,
        |_| 1,
        |request| {
            if let Some(record) = journal.records().get(&request.key()) {
                return record.report();
            }
            let report = run(request);
            if ran < most {
                journal.append(&record_of(request, &report)).unwrap();
            }
            ran += 1;
            report
        },
    );
    (ran <= most).then_some((driven.findings, ran))
}

fn texts(store: &Store) -> BTreeMap<String, String> {
    let folder = store.root().join("nginx/wrk");
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

fn temporary() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("results"));
    (folder, store)
}

/// Finishes a campaign whose fallbacks are these.
fn measure_with(store: &Store, fallbacks: Option<FallbackTable>) {
    let (mut journal, _) = open(store, &identity(), Freshness::Fresh);
    let (mut findings, _) = run_trials(&mut journal, usize::MAX, |request| model().report(request)).unwrap();
    let Findings::Measured(measured) = &mut findings else { panic!("refused") };
    measured.fallbacks = fallbacks;
    journal.finish(&findings, &environment(), Duration::ZERO).unwrap();
}

#[test]
fn fallbacks_are_known_only_where_they_were_looked_for() {
    let (_folder, store) = temporary();
    let mut table = FallbackTable::default();
    table.insert(call("close"), Treatment::Stub, ["read".parse().unwrap(), "/dev/urandom".parse().unwrap()]);
    table.together.insert(call("exit"));
    let stored = |fallbacks: Option<FallbackTable>| {
        measure_with(&store, fallbacks);
        let entry = store.entry("nginx", "wrk").unwrap().unwrap();
        assert_eq!(store.read("nginx", "wrk").unwrap().finished.unwrap().fallbacks, entry.fallbacks);
        let document: serde_json::Value = serde_json::from_str(&exchange::write_json([&entry])).unwrap();
        (entry.fallbacks, document["results"][0]["fallbacks"].clone(), texts(&store).remove("fallbacks.csv"))
    };
    let (read, json, file) = stored(Some(table.clone()));
    assert_eq!(read, Some(table));
    assert_eq!(file.unwrap().lines().count(), 4);
    assert_eq!(json[0], serde_json::json!({ "item": "close", "treatment": "stub", "uses": "read" }));
    assert_eq!(json[2], serde_json::json!({ "item": null, "treatment": null, "uses": "exit" }));

    let database = store.root().join("database.sqlite");
    exchange::write_sqlite(&store, &store.entries().unwrap(), &database).unwrap();
    let connection = rusqlite::Connection::open(&database).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM fallbacks WHERE treatment = 'stub'"), 2);
    assert_eq!(count("SELECT count(*) FROM fallbacks WHERE item_id IS NULL"), 1);
    assert_eq!(count("SELECT fallbacks_known FROM measurements"), 1);

    let (read, json, file) = stored(Some(FallbackTable::default()));
    assert_eq!((read, json), (Some(FallbackTable::default()), serde_json::json!([])));
    assert_eq!(file.unwrap(), "item,treatment,uses\n");
    // Those of an earlier campaign do not stay.
    assert_eq!(stored(None), (None, serde_json::Value::Null, None));
}

#[test]
fn finished_campaign_is_read_back_as_it_was_written() {
    let (_folder, store) = temporary();
    assert_eq!(store.list().unwrap(), []);
    let (conclusion, ran) = measure(&store, |request| model().report(request));
    let Conclusion::Finished(finished) = conclusion else { panic!("refused") };
    assert_eq!(store.list().unwrap(), [("nginx".to_owned(), "wrk".to_owned())]);
    let stored = store.read("nginx", "wrk").unwrap();
    assert_eq!(stored, Stored { finished: Some(*finished.clone()), imported: None, refused: None });
    let trials = store.trials("nginx", "wrk").unwrap();
    assert_eq!(trials.len(), ran);
    assert!(trials.is_sorted_by_key(TrialRecord::order));
    let texts = texts(&store);
    let names: Vec<_> = texts.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "environment.json",
            "fallbacks.csv",
            "features.csv",
            "pseudo-files.csv",
            "summary.json",
            "trace.csv",
            "trials.jsonl",
            "verdicts.csv"
        ]
    );
    assert_eq!(
        texts["verdicts.csv"],
        "syscall,used,stub,fake,verdict,joint\n\
         brk,Y,N,N,required,implement\n\
         close,Y,Y,N,stub,stub\n\
         futex,Y,N,Y,fake,fake\n\
         read,Y,Y,Y,any,stub\n\
         write,Y,N,N,required,implement\n"
    );
    assert!(texts["trace.csv"].starts_with("syscall,count,processes\nbrk,2,worker\\x20one\n"));
    let summary = &finished.summary;
    assert_eq!(summary.verdicts, Counts { required: 2, stub: 1, fake: 1, any: 1, undecided: 0 });
    assert_eq!((&summary.joint.stub, &summary.joint.fake), (&vec![call("close"), call("read")], &vec![call("futex")]));
    assert_eq!(summary.unexercised.len(), 2);
    assert_eq!((summary.trials_ms, summary.elapsed_ms), (7 * u64::from(summary.trials), 2000));
    assert!(!store.root().join("nginx/wrk/in-progress").exists());
}

#[test]
fn measuring_again_changes_no_byte() {
    let (_folder, store) = temporary();
    measure(&store, |request| model().report(request));
    let before = texts(&store);
    let (mut journal, stored) = open(&store, &identity(), Freshness::Fresh);
    assert_eq!(stored, []);
    let (findings, _) = run_trials(&mut journal, usize::MAX, |request| model().report(request)).unwrap();
    journal.finish(&findings, &environment(), Duration::from_secs(2)).unwrap();
    assert_eq!(texts(&store), before);
}

#[test]
fn unchanged_campaign_is_up_to_date_and_a_changed_one_is_not() {
    let (_folder, store) = temporary();
    measure(&store, |request| model().report(request));
    assert!(matches!(store.campaign("nginx", "wrk", &identity(), Freshness::Resume).unwrap(), Opened::UpToDate(_)));
    assert!(!store.root().join("nginx/wrk/in-progress").exists());
    let changed = Identity { image: "sha256:89ab".to_owned(), ..identity() };
    let (_journal, stored) = open(&store, &changed, Freshness::Resume);
    assert_eq!(stored, []);
    assert!(store.read("nginx", "wrk").unwrap().finished.is_some(), "old results stay until new ones are there");
}

#[test]
fn other_identity_starts_over_and_the_same_one_resumes() {
    let (_folder, store) = temporary();
    let (mut journal, _) = open(&store, &identity(), Freshness::Resume);
    assert!(run_trials(&mut journal, 4, |request| model().report(request)).is_none());
    drop(journal);
    let (journal, stored) = open(&store, &identity(), Freshness::Resume);
    assert_eq!(stored.len(), 4);
    drop(journal);
    let (journal, stored) = open(&store, &Identity { spec: "other".to_owned(), ..identity() }, Freshness::Resume);
    assert_eq!(stored, []);
    drop(journal);
    assert_eq!(open(&store, &identity(), Freshness::Resume).1, [], "the first one is gone");
}

#[test]
fn campaign_begun_afresh_is_resumed_even_if_older_results_are_up_to_date() {
    let (_folder, store) = temporary();
    measure(&store, |request| model().report(request));
    let (mut journal, _) = open(&store, &identity(), Freshness::Fresh);
    assert!(run_trials(&mut journal, 4, |request| model().report(request)).is_none());
    drop(journal);
    assert_eq!(open(&store, &identity(), Freshness::Resume).1.len(), 4);
}

#[test]
fn second_loupe_is_told_that_the_campaign_is_busy() {
    let (_folder, store) = temporary();
    let (_journal, _) = open(&store, &identity(), Freshness::Resume);
    for freshness in [Freshness::Resume, Freshness::Fresh] {
        let error = store.campaign("nginx", "wrk", &identity(), freshness).unwrap_err();
        assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    }
    store.campaign("nginx", "other", &identity(), Freshness::Resume).unwrap();
}

#[test]
fn refused_campaign_keeps_older_results_and_is_forgotten_when_one_succeeds() {
    let (_folder, store) = temporary();
    measure(&store, |request| model().report(request));
    let verdicts = texts(&store)["verdicts.csv"].clone();
    let (mut journal, _) = open(&store, &identity(), Freshness::Fresh);
    let (findings, _) =
        run_trials(&mut journal, usize::MAX, |request| Report { outcome: fail(), ..model().report(request) }).unwrap();
    let conclusion = journal.finish(&findings, &environment(), Duration::ZERO).unwrap();
    let Conclusion::Refused(refused) = conclusion else { panic!("not refused") };
    assert_eq!(refused.reasons[0], "traced run 1: exit code 1, expected 0");
    assert_eq!((refused.refusals.len(), refused.trials.len()), (5, 5));
    assert_eq!(texts(&store)["verdicts.csv"], verdicts);
    assert_eq!(store.read("nginx", "wrk").unwrap().refused, Some(*refused));
    let (mut journal, _) = open(&store, &identity(), Freshness::Fresh);
    let (findings, _) = run_trials(&mut journal, usize::MAX, |request| model().report(request)).unwrap();
    journal.finish(&findings, &environment(), Duration::ZERO).unwrap();
    assert_eq!(store.read("nginx", "wrk").unwrap().refused, None);
}

#[test]
fn incomplete_campaign_is_not_up_to_date_and_its_conclusive_trials_are_taken_over() {
    let (_folder, store) = temporary();
    let troubled = |request: &TrialRequest| {
        let mut report = model().report(request);
        if request.intervention == "stub=read".parse().unwrap() {
            report.outcome = inconclusive();
        }
        report
    };
    let (conclusion, first) = measure(&store, troubled);
    let Conclusion::Finished(finished) = conclusion else { panic!("refused") };
    assert_eq!(finished.summary.incomplete, ["`read` stub: inconclusive in 3 runs"]);
    assert!(texts(&store)["verdicts.csv"].contains("\nread,Y,N,Y,,implement\n"));
    let (conclusion, second) = measure(&store, |request| model().report(request));
    let Conclusion::Finished(finished) = conclusion else { panic!("refused") };
    assert_eq!(finished.summary.incomplete, [""; 0]);
    assert!(texts(&store)["verdicts.csv"].contains("\nread,Y,Y,Y,any,stub\n"));
    // The one trial, the larger joint configuration, that with the other treatments that work, and both once more, watched.
    assert_eq!((second, first > 20), (1 + 3 + 1 + 2, true));
}

#[test]
fn full_disk_is_said_and_loses_nothing() {
    let (_folder, store) = temporary();
    let (mut journal, _) = open(&store, &identity(), Freshness::Resume);
    assert!(run_trials(&mut journal, 3, |request| model().report(request)).is_none());
    let next = record_of(&request("stub=read", 0), &Report::new(fail(), BTreeSet::new()));
    journal.redirect(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let error = journal.append(&next).unwrap_err();
    assert!(error.hint().unwrap().contains("finished trials are kept"), "{error}");
    assert!(!journal.records().contains_key(&next.key));
    drop(journal);
    assert_eq!(open(&store, &identity(), Freshness::Resume).1.len(), 3);
}

#[test]
fn failed_append_leaves_no_half_line() {
    let (_folder, store) = temporary();
    let (mut journal, _) = open(&store, &identity(), Freshness::Resume);
    let report = Report::new(fail(), BTreeSet::new());
    let path = store.root().join("nginx/wrk/in-progress/trials.jsonl");
    let record = |replica| record_of(&request("stub=read", replica), &report);
    journal.append(&record(0)).unwrap();
    // A handle without the right to write fails like a full disk, but with the first half of a line already there.
    fs::write(&path, [record(0).line(), b"{\"half".to_vec()].concat()).unwrap();
    journal.redirect(File::open(&path).unwrap());
    journal.append(&record(1)).unwrap_err();
    drop(journal);
    let (mut journal, stored) = open(&store, &identity(), Freshness::Resume);
    assert_eq!(stored, [record(0)]);
    journal.append(&record(1)).unwrap();
    drop(journal);
    assert_eq!(open(&store, &identity(), Freshness::Resume).1, [record(0), record(1)]);
}

#[test]
fn results_below_a_file_are_refused_with_path_and_hint() {
    let (folder, _) = temporary();
    fs::write(folder.path().join("file"), "precious").unwrap();
    let store = Store::open(folder.path().join("file"));
    let error = store.campaign("nginx", "wrk", &identity(), Freshness::Resume).unwrap_err();
    assert!(error.to_string().contains("file/nginx/wrk/in-progress"), "{error}");
    assert!(error.hint().unwrap().contains("--results"), "{error:?}");
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "precious");
}

#[test]
fn failure_to_finish_keeps_the_campaign_in_progress() {
    let (_folder, store) = temporary();
    let (mut journal, _) = open(&store, &identity(), Freshness::Resume);
    let (findings, ran) = run_trials(&mut journal, usize::MAX, |request| model().report(request)).unwrap();
    // A folder in the way of the last file.
    let obstacle = store.root().join("nginx/wrk/verdicts.csv");
    fs::create_dir(&obstacle).unwrap();
    journal.finish(&findings, &environment(), Duration::ZERO).unwrap_err();
    fs::remove_dir(&obstacle).unwrap();
    let (mut journal, stored) = open(&store, &identity(), Freshness::Resume);
    assert_eq!(stored.len(), ran);
    let (again, ran) = run_trials(&mut journal, 0, |_| panic!("nothing is left to run")).unwrap();
    assert_eq!((&again, ran), (&findings, 0));
    journal.finish(&findings, &environment(), Duration::ZERO).unwrap();
}

#[test]
fn files_of_two_campaigns_are_not_taken_for_one() {
    let (_folder, store) = temporary();
    measure(&store, |request| model().report(request));
    let path = store.root().join("nginx/wrk/verdicts.csv");
    let text = fs::read_to_string(&path).unwrap().replace("close,Y,Y,N,stub,stub", "close,Y,Y,N,stub,implement");
    fs::write(&path, text).unwrap();
    let error = store.read("nginx", "wrk").unwrap_err();
    assert!(error.to_string().contains("summary.json:1: belongs to another `verdicts.csv`"), "{error}");
    assert!(matches!(store.campaign("nginx", "wrk", &identity(), Freshness::Resume).unwrap(), Opened::Open { .. }));
}

#[test]
fn interrupted_trial_is_not_stored() {
    let (_folder, store) = temporary();
    let (mut journal, _) = open(&store, &identity(), Freshness::Resume);
    let outcome = Outcome::Inconclusive(InconclusiveCause::Interrupted);
    journal.append(&record_of(&request("stub=read", 0), &Report::new(outcome, BTreeSet::new()))).unwrap();
    drop(journal);
    assert_eq!(open(&store, &identity(), Freshness::Resume).1, []);
}

#[test]
fn broken_line_in_the_middle_of_a_journal_is_an_error() {
    let (_folder, store) = temporary();
    let (mut journal, _) = open(&store, &identity(), Freshness::Resume);
    assert!(run_trials(&mut journal, 3, |request| model().report(request)).is_none());
    drop(journal);
    let path = store.root().join("nginx/wrk/in-progress/trials.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let second = text.lines().nth(1).unwrap();
    for damage in ["nonsense".to_owned(), second.replace("\"replica\":", "\"replica\":1")] {
        fs::write(&path, text.replace(second, &damage)).unwrap();
        let error = store.campaign("nginx", "wrk", &identity(), Freshness::Resume).unwrap_err();
        assert!(error.to_string().contains("in-progress/trials.jsonl:2: "), "{error}");
        assert!(error.hint().unwrap().contains("--fresh"));
    }
    assert_eq!(open(&store, &identity(), Freshness::Fresh).1, []);
}

#[test]
fn names_that_would_leave_the_results_are_refused() {
    let (_folder, store) = temporary();
    for name in ["", ".", "..", "a/b", "/etc", ".hidden"] {
        assert!(matches!(store.read(name, "wrk"), Err(StoreError::BadName { .. })), "{name}");
        assert!(
            matches!(store.campaign("nginx", name, &identity(), Freshness::Resume), Err(StoreError::BadName { .. })),
            "{name}"
        );
    }
}

fn request(intervention: &str, replica: u32) -> TrialRequest {
    TrialRequest {
        id: TrialId(0),
        purpose: Purpose::Single,
        watch: Watch::Treated,
        intervention: intervention.parse::<Intervention>().unwrap(),
        replica,
        care: Care::Usual,
        traced: None,
    }
}

#[test]
fn everything_in_a_record_survives_the_disk() {
    let output = |text: &str| Output { kept: text.as_bytes().to_vec(), dropped: 0 };
    let statistics = CallStatistics {
        count: 3,
        first: 1,
        last: 2,
        processes: BTreeMap::from([("nginx".to_owned(), 3)]),
        samples: vec![[u64::MAX, 1, 2, 3, 4, 5]],
    };
    let observation = Observation {
        not_started: None,
        deadline: Some(Duration::from_secs(10)),
        noticed_late: Duration::ZERO,
        exhausted: None,
        ready: false,
        app: AppEnd {
            main: Some(Ending::Signaled("SIGSEGV".to_owned())),
            deaths: vec![Death { process: "nginx".to_owned(), signal: "SIGSEGV".to_owned() }],
            stdout: output("one\n\ntwo\n"),
            stderr: output(&"é".repeat(2000)),
            peak_rss_kib: 42,
            cpu_time: Duration::from_micros(1500),
            open_files: Some(8),
            ..AppEnd::default()
        },
        client: Some(ClientEnd {
            ending: Some(Ending::Exited(1)),
            stdout: output("x"),
            stderr: output("refused"),
            starved: Duration::from_millis(7),
        }),
        check: Some(CheckEnd { ending: None, output: output("slow") }),
        files: BTreeMap::from([("/out".to_owned(), vec![1, 2])]),
        changes: crate::trial::FileChanges::default(),
        calls: CallLog {
            features: BTreeMap::from([("clone3(CLONE_VM)".parse().unwrap(), 3)]),
            files: BTreeMap::from([("/proc/[pid]/stat".parse().unwrap(), 4)]),
            calls: BTreeMap::from([("clone3".parse().unwrap(), statistics)]),
            unknown: BTreeMap::from([(999, 2)]),
            foreign: BTreeMap::from([(ForeignCall { architecture: 0x4000_0003, number: 4 }, 5)]),
            new_uses: Some(BTreeMap::from([(
                "/dev/urandom".parse().unwrap(),
                NewUse { count: 2, after: vec!["clone3".parse().unwrap()] },
            )])),
            aftermaths: vec![Aftermath {
                item: "clone3".parse().unwrap(),
                treatment: Treatment::Stub,
                process: "nginx".to_owned(),
                made: "clone3(0x7f, 88)".to_owned(),
                next: vec![NextCall {
                    call: "write".parse().unwrap(),
                    treatment: None,
                    made: "write(2, \"no\", 2)".to_owned(),
                    written: Some(Written { to: "stderr".to_owned(), text: "no".to_owned() }),
                }],
            }],
            sequences: BTreeMap::from([("clone3(CLONE_VM)".parse().unwrap(), vec![vec!["read".parse().unwrap()], Vec::new()])]),
        },
        timings: Timings { ready: Some(Duration::from_millis(3)), ..Timings::default() },
        trouble: None,
    };
    let outcomes = [
        Outcome::Pass,
        Outcome::Fail(crate::trial::FailCause::Died { process: "nginx".to_owned(), signal: "SIGSEGV".to_owned() }),
        inconclusive(),
    ];
    for outcome in outcomes {
        let deadline = Deadline { prompt_answers: Some(1), ..Deadline::within(Duration::from_secs(3)) };
        let record =
            TrialRecord::new(&Workload::named("wrk"), &request("stub=clone3;fake=read", 2), &deadline, outcome, &observation);
        let line = record.line();
        assert_eq!(line.split_inclusive(|byte| *byte == b'\n').count(), 1);
        assert_eq!(serde_json::from_slice::<TrialRecord>(&line).unwrap(), record);
        assert_eq!(record.report().seen, BTreeSet::from(["clone3", "clone3(CLONE_VM)", "/proc/[pid]/stat"].map(call)));
        assert_eq!(record.report().new_uses, observation.calls.new_uses);
        assert_eq!(record.hits[&"clone3".parse().unwrap()].samples[0][0], "0xffffffffffffffff");
        assert_eq!(record.app.stdout, ["one", "two"]);
        assert_eq!(record.app.stderr[0].chars().count(), 402);
        assert_eq!((record.foreign_calls[0].count, record.answered_slowly), (5, 2));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn journal_cut_off_anywhere_keeps_its_whole_records_and_completes(share in 0.0..1.0_f64, garbage in "[\\x00-\\x7f]{0,9}") {
        let (_folder, store) = temporary();
        let (mut journal, _) = open(&store, &identity(), Freshness::Resume);
        prop_assert!(run_trials(&mut journal, 5, |request| model().report(request)).is_none());
        drop(journal);
        let path = store.root().join("nginx/wrk/in-progress/trials.jsonl");
        let bytes = fs::read(&path).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let kept = &bytes[..(bytes.len() as f64 * share) as usize];
        let whole = kept.split(|byte| *byte == b'\n').count() - 1;
        fs::write(&path, [kept, garbage.replace('\n', "").as_bytes()].concat()).unwrap();
        let (mut journal, stored) = open(&store, &identity(), Freshness::Resume);
        prop_assert_eq!(stored.len(), whole);
        let (findings, ran) = run_trials(&mut journal, usize::MAX, |request| model().report(request)).unwrap();
        let conclusion = journal.finish(&findings, &environment(), Duration::ZERO).unwrap();
        let Conclusion::Finished(finished) = conclusion else { panic!("refused") };
        prop_assert_eq!(usize::try_from(finished.summary.trials).unwrap(), whole + ran);
    }
}
