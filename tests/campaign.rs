//! Campaigns on a simulated engine: parallelism, stopping and resuming, trouble, refusals and what makes results stale. The
//! same code as `loupe batch`, without any container.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loupe::campaign::{self, CampaignEnd, Event, Options, Stop};
use loupe::engine::simulated::{Simulated, SimulatedEngine, SimulatedSession};
use loupe::engine::{Engine, EngineError, Notice, Platform, Session, Subject};
use loupe::explore::Settings;
use loupe::spec::{AppSpec, Kind, Workload};
use loupe::store::Freshness;
use loupe::syscalls::Sysno;
use loupe::trial::{Deadline, Observation, Outcome, Treatment, TrialRequest};

/// The calls that every simulated app uses.
const USED: [&str; 8] = ["close", "getpid", "mmap", "openat", "read", "uname", "write", "exit_group"];
const WORKLOAD: &str = "default";

fn app(name: &str) -> AppSpec {
    AppSpec {
        name: name.to_owned(),
        directory: "/nowhere".into(),
        description: String::new(),
        image: None,
        build_arguments: BTreeMap::new(),
        workloads: vec![Workload { kind: Some(Kind::RunToCompletion), ..Workload::named(WORKLOAD) }],
    }
}

fn options(results: &Path) -> Options {
    Options { jobs: 4, freshness: Freshness::Resume, settings: Settings::default(), results: results.to_owned() }
}

fn treats(request: &TrialRequest, call: &str, treatment: Treatment) -> bool {
    request.intervention.get(Sysno::from_name(call).unwrap()) == Some(treatment)
}

/// An app that needs `read`, `write` and `exit_group`, and of which `close` can only be stubbed and `uname` only be faked.
fn behave(_: &str, request: &TrialRequest) -> Simulated {
    let stubbed = ["read", "write", "exit_group", "uname"].iter().any(|call| treats(request, call, Treatment::Stub));
    let faked = ["read", "write", "exit_group", "close"].iter().any(|call| treats(request, call, Treatment::Fake));
    Simulated::Exit(i32::from(stubbed || faked))
}

const VERDICTS: &str = "syscall,used,stub,fake,verdict,joint\n\
    close,Y,Y,N,stub,stub\n\
    exit_group,Y,N,N,required,implement\n\
    getpid,Y,Y,Y,any,stub\n\
    mmap,Y,Y,Y,any,stub\n\
    openat,Y,Y,Y,any,stub\n\
    read,Y,N,N,required,implement\n\
    uname,Y,N,Y,fake,fake\n\
    write,Y,N,N,required,implement\n";

/// What a batch told and how its campaigns ended.
struct Batch {
    events: Vec<Event>,
    ends: BTreeMap<String, CampaignEnd>,
}

impl Batch {
    /// Runs a batch; `watch` sees every event as it comes.
    fn watched(
        engine: &SimulatedEngine,
        apps: &[AppSpec],
        options: &Options,
        stop: &Stop,
        watch: &(dyn Fn(&Event) + Sync),
    ) -> Self {
        let events = Mutex::new(Vec::new());
        let emit = |event: Event| {
            watch(&event);
            events.lock().unwrap().push(event);
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let ends = runtime.block_on(campaign::batch(engine, apps, options, &emit, stop));
        let ends = ends.into_iter().map(|(name, end)| (name.app, end)).collect();
        Self { events: events.into_inner().unwrap(), ends }
    }

    fn of(engine: &SimulatedEngine, apps: &[AppSpec], options: &Options) -> Self {
        Self::watched(engine, apps, options, &Stop::default(), &|_| {})
    }

    /// How many trials were run, stored ones not counted.
    fn run(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::TrialStarted { .. })).count()
    }

    /// How many stored trials were taken instead of being run.
    fn replayed(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::TrialEnded { run: false, .. })).count()
    }

    fn end(&self, app: &str) -> &CampaignEnd {
        &self.ends[app]
    }
}

fn verdicts(results: &Path, app: &str) -> String {
    std::fs::read_to_string(results.join(app).join(WORKLOAD).join("verdicts.csv")).unwrap()
}

#[test]
fn verdicts_are_those_of_the_model() {
    let results = tempfile::tempdir().unwrap();
    let batch = Batch::of(&SimulatedEngine::new(USED, behave), &[app("one")], &options(results.path()));
    let CampaignEnd::Measured(totals) = batch.end("one") else { panic!("{:?}", batch.end("one")) };
    assert_eq!((totals.used, totals.required, totals.stub, totals.fake, totals.any), (8, 3, 1, 1, 3));
    assert_eq!((totals.joint_avoided, totals.joint_verified, totals.joint_of), (5, 3, 3));
    assert_eq!(totals.run, batch.run());
    assert_eq!(verdicts(results.path(), "one"), VERDICTS);
}

#[test]
fn trials_run_side_by_side_and_never_more_than_jobs() {
    for jobs in [1, 2, 5] {
        let results = tempfile::tempdir().unwrap();
        let mut engine = SimulatedEngine::new(USED, behave);
        engine.duration = Duration::from_millis(5);
        let options = Options { jobs, ..options(results.path()) };
        let batch = Batch::of(&engine, &[app("one"), app("two")], &options);
        assert_eq!(engine.most_running(), jobs, "as many as allowed, and no more");
        assert!(
            matches!(batch.events.first(), Some(Event::BatchStarted { jobs: told, campaigns }) if *told == jobs && campaigns.len() == 2)
        );
        assert_eq!(verdicts(results.path(), "one"), VERDICTS, "with {jobs} jobs");
    }
}

#[test]
fn stopped_batch_is_continued_and_finds_the_same() {
    let whole = tempfile::tempdir().unwrap();
    let mut engine = SimulatedEngine::new(USED, behave);
    engine.duration = Duration::from_millis(2);
    let uninterrupted = Batch::of(&engine, &[app("one")], &options(whole.path()));
    for trials in [1, 4, 11, 17] {
        let results = tempfile::tempdir().unwrap();
        let stop = Stop::default();
        let over = AtomicUsize::new(0);
        let stop_after = |event: &Event| {
            if matches!(event, Event::TrialEnded { .. }) && over.fetch_add(1, Ordering::SeqCst) + 1 == trials {
                stop.request();
            }
        };
        let first = Batch::watched(&engine, &[app("one"), app("two")], &options(results.path()), &stop, &stop_after);
        assert_eq!(*first.end("one"), CampaignEnd::Interrupted);
        assert_eq!(*first.end("two"), CampaignEnd::Interrupted, "later campaigns are not begun");
        assert!(!results.path().join("one").join(WORKLOAD).join("verdicts.csv").exists());

        let second = Batch::of(&engine, &[app("one")], &options(results.path()));
        assert!(matches!(second.end("one"), CampaignEnd::Measured(_)), "{:?}", second.end("one"));
        let stored: Vec<_> = second
            .events
            .iter()
            .filter_map(|event| if let Event::Started { stored, .. } = event { Some(*stored) } else { None })
            .collect();
        let [stored] = stored[..] else { panic!("started {} times", stored.len()) };
        // Those that ended at the same moment are stored, too, although nobody heard of them.
        let most = trials + options(results.path()).jobs - 1;
        assert!((trials..=most).contains(&stored), "{stored} trials are stored, and {trials} were over");
        assert_eq!(second.replayed(), stored);
        assert_eq!(second.run() + stored, uninterrupted.run(), "only the rest is run");
        assert_eq!(verdicts(results.path(), "one"), verdicts(whole.path(), "one"));
    }
}

#[test]
fn trouble_is_tried_again_and_leaves_no_trace_in_the_verdicts() {
    let results = tempfile::tempdir().unwrap();
    let troubles = AtomicUsize::new(0);
    // Two in a row are fewer than it takes to give up.
    let engine = SimulatedEngine::new(USED, move |name, request| {
        if treats(request, "mmap", Treatment::Fake)
            && request.intervention.len() == 1
            && troubles.fetch_add(1, Ordering::SeqCst) < 2
        {
            return Simulated::Trouble("the disk is full".to_owned());
        }
        behave(name, request)
    });
    let batch = Batch::of(&engine, &[app("one")], &options(results.path()));
    assert!(matches!(batch.end("one"), CampaignEnd::Measured(_)), "{:?}", batch.end("one"));
    let inconclusive = |event: &&Event| matches!(event, Event::TrialEnded { outcome: Outcome::Inconclusive(_), .. });
    assert_eq!(batch.events.iter().filter(inconclusive).count(), 2, "the trouble is told");
    assert_eq!(verdicts(results.path(), "one"), VERDICTS);
}

#[test]
fn lasting_trouble_leaves_a_campaign_incomplete_until_it_is_over() {
    let results = tempfile::tempdir().unwrap();
    let attempts = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let broken = SimulatedEngine::new(USED, move |name, request| {
        if treats(request, "mmap", Treatment::Fake) && request.intervention.len() == 1 {
            counted.fetch_add(1, Ordering::SeqCst);
            return Simulated::Trouble("the disk is full".to_owned());
        }
        behave(name, request)
    });
    let batch = Batch::of(&broken, &[app("one"), app("two")], &options(results.path()));
    let CampaignEnd::Incomplete { reasons } = batch.end("one") else { panic!("{:?}", batch.end("one")) };
    assert!(reasons.iter().any(|reason| reason.contains("mmap")), "{reasons:?}");
    assert!(matches!(batch.end("two"), CampaignEnd::Incomplete { .. }), "the other apps go on");
    let limit = usize::try_from(Settings::default().inconclusive_limit).unwrap();
    assert!(attempts.load(Ordering::SeqCst) >= 2 * limit, "tried {limit} times for each app");
    let undecided = verdicts(results.path(), "one");
    assert!(undecided.contains("mmap,Y,Y,N,,"), "no verdict without evidence: {undecided}");

    let repaired = Batch::of(&SimulatedEngine::new(USED, behave), &[app("one")], &options(results.path()));
    assert!(matches!(repaired.end("one"), CampaignEnd::Measured(_)), "{:?}", repaired.end("one"));
    assert!(repaired.run() < batch.run() / 2, "only what stayed inconclusive is run again, not {} trials", repaired.run());
    assert_eq!(verdicts(results.path(), "one"), VERDICTS);
}

#[test]
fn failing_baseline_is_refused_and_the_other_apps_go_on() {
    let results = tempfile::tempdir().unwrap();
    let engine =
        SimulatedEngine::new(USED, |name, request| if name == "broken" { Simulated::Exit(7) } else { behave(name, request) });
    let batch = Batch::of(&engine, &[app("broken"), app("fine")], &options(results.path()));
    let CampaignEnd::Refused { reasons, inconclusive } = batch.end("broken") else { panic!("{:?}", batch.end("broken")) };
    assert!(!inconclusive);
    assert!(reasons.iter().any(|reason| reason.contains("exit code 7")), "{reasons:?}");
    let folder = results.path().join("broken").join(WORKLOAD);
    assert!(folder.join("refused.json").exists() && !folder.join("verdicts.csv").exists());
    assert_eq!(verdicts(results.path(), "fine"), VERDICTS);
}

#[test]
fn workload_that_cannot_fail_is_refused() {
    let results = tempfile::tempdir().unwrap();
    let engine = SimulatedEngine::new(USED, |_, _| Simulated::Exit(0));
    let batch = Batch::of(&engine, &[app("one")], &options(results.path()));
    let CampaignEnd::Refused { reasons, inconclusive: false } = batch.end("one") else { panic!("{:?}", batch.end("one")) };
    assert!(reasons.iter().any(|reason| reason.contains("every call stubbed")), "{reasons:?}");
}

#[test]
fn app_that_hangs_when_treated_needs_the_call() {
    let results = tempfile::tempdir().unwrap();
    let engine = SimulatedEngine::new(USED, |name, request| {
        if treats(request, "getpid", Treatment::Fake) { Simulated::Hang } else { behave(name, request) }
    });
    let batch = Batch::of(&engine, &[app("one")], &options(results.path()));
    assert!(matches!(batch.end("one"), CampaignEnd::Measured(_)), "{:?}", batch.end("one"));
    assert!(verdicts(results.path(), "one").contains("\ngetpid,Y,Y,N,stub,stub\n"));
}

#[test]
fn second_run_is_up_to_date_and_runs_nothing() {
    let results = tempfile::tempdir().unwrap();
    let engine = SimulatedEngine::new(USED, behave);
    let first = Batch::of(&engine, &[app("one")], &options(results.path()));
    let CampaignEnd::Measured(measured) = first.end("one") else { panic!("{:?}", first.end("one")) };
    let second = Batch::of(&engine, &[app("one")], &options(results.path()));
    let CampaignEnd::UpToDate(known) = second.end("one") else { panic!("{:?}", second.end("one")) };
    assert_eq!(second.run() + second.replayed(), 0);
    assert_eq!((known.used, known.required, known.trials, known.run), (measured.used, measured.required, measured.trials, 0));
    assert_eq!(verdicts(results.path(), "one"), VERDICTS);
}

#[test]
fn fresh_measures_again() {
    let results = tempfile::tempdir().unwrap();
    let engine = SimulatedEngine::new(USED, behave);
    let first = Batch::of(&engine, &[app("one")], &options(results.path()));
    let fresh = Options { freshness: Freshness::Fresh, ..options(results.path()) };
    let second = Batch::of(&engine, &[app("one")], &fresh);
    assert!(matches!(second.end("one"), CampaignEnd::Measured(_)), "{:?}", second.end("one"));
    assert_eq!((second.run(), second.replayed()), (first.run(), 0));
}

#[test]
fn other_spec_or_settings_are_measured_again() {
    let results = tempfile::tempdir().unwrap();
    let engine = SimulatedEngine::new(USED, behave);
    let first = Batch::of(&engine, &[app("one")], &options(results.path()));
    let mut changed = app("one");
    changed.workloads[0].environment.insert("TZ".to_owned(), "UTC".to_owned());
    let other_spec = Batch::of(&engine, &[changed], &options(results.path()));
    assert_eq!((other_spec.run(), other_spec.replayed()), (first.run(), 0));
    let thorough = Options { settings: Settings { baselines: 5, ..Settings::default() }, ..options(results.path()) };
    let other_settings = Batch::of(&engine, &[app("one")], &thorough);
    assert!(other_settings.run() > 0, "other settings ask for other evidence");
}

#[test]
fn other_image_is_verified_by_group_trials_and_keeps_the_evidence() {
    let results = tempfile::tempdir().unwrap();
    let mut engine = SimulatedEngine::new(USED, behave);
    Batch::of(&engine, &[app("one")], &options(results.path()));
    let trials = results.path().join("one").join(WORKLOAD).join("trials.jsonl");
    let singles = |text: &str| text.lines().filter(|line| line.contains("\"purpose\":\"single\"")).count();
    let before = singles(&std::fs::read_to_string(&trials).unwrap());
    engine.image = "sha256:another".to_owned();
    let second = Batch::of(&engine, &[app("one")], &options(results.path()));
    let CampaignEnd::Measured(totals) = second.end("one") else { panic!("{:?}", second.end("one")) };
    assert!(second.run() <= 8, "{} trials", second.run());
    assert_eq!(totals.taken_over, USED.len());
    assert_eq!(verdicts(results.path(), "one"), VERDICTS);
    let evidence = std::fs::read_to_string(&trials).unwrap();
    assert_eq!(singles(&evidence), before, "the trials that verdicts rest on are kept");
    // Two runs that were watched tell why what works does.
    assert_eq!(evidence.matches("\"image\":\"sha256:simulated\"").count(), before + 2, "and say with which image they were run");
    assert!(matches!(Batch::of(&engine, &[app("one")], &options(results.path())).end("one"), CampaignEnd::UpToDate(_)));

    let forced = Options { freshness: Freshness::Recheck, ..options(results.path()) };
    let third = Batch::of(&engine, &[app("one")], &forced);
    assert!((1..=8).contains(&third.run()), "{} trials", third.run());
    assert_eq!(verdicts(results.path(), "one"), VERDICTS);
    let fresh = Options { freshness: Freshness::Fresh, ..options(results.path()) };
    let fourth = Batch::of(&engine, &[app("one")], &fresh);
    assert!(fourth.run() > 20);
    assert!(!std::fs::read_to_string(&trials).unwrap().contains("\"image\":"));
}

#[test]
fn results_of_which_no_fallbacks_are_known_are_not_taken_over() {
    let results = tempfile::tempdir().unwrap();
    let mut engine = SimulatedEngine::new(USED, behave);
    let first = Batch::of(&engine, &[app("one")], &options(results.path()));
    let fallbacks = results.path().join("one").join(WORKLOAD).join("fallbacks.csv");
    assert_eq!(std::fs::read_to_string(&fallbacks).unwrap(), "item,treatment,uses\n");
    std::fs::remove_file(&fallbacks).unwrap();
    engine.image = "sha256:another".to_owned();
    let second = Batch::of(&engine, &[app("one")], &options(results.path()));
    assert_eq!(second.run(), first.run());
    assert!(fallbacks.exists());
}

#[test]
fn interrupted_recheck_is_resumed_as_one() {
    let results = tempfile::tempdir().unwrap();
    let mut engine = SimulatedEngine::new(USED, behave);
    Batch::of(&engine, &[app("one")], &options(results.path()));
    engine.image = "sha256:another".to_owned();
    let stop = Stop::default();
    let stop_at_once = |event: &Event| {
        if matches!(event, Event::TrialEnded { .. }) {
            stop.request();
        }
    };
    let first = Batch::watched(&engine, &[app("one")], &options(results.path()), &stop, &stop_at_once);
    assert_eq!(*first.end("one"), CampaignEnd::Interrupted);
    let second = Batch::of(&engine, &[app("one")], &options(results.path()));
    assert!(matches!(second.end("one"), CampaignEnd::Measured(_)), "{:?}", second.end("one"));
    let replayed = second.replayed();
    assert!((1..=options(results.path()).jobs).contains(&replayed), "{replayed} trials");
    assert!(second.run() + replayed <= 8, "{} trials", second.run());
    assert_eq!(verdicts(results.path(), "one"), VERDICTS);
}

#[test]
fn strategy_joint_is_answered_by_thorough_results_and_not_the_other_way_round() {
    let results = tempfile::tempdir().unwrap();
    let engine = SimulatedEngine::new(USED, behave);
    let settings = Settings { strategy: loupe::explore::Strategy::Joint, ..Settings::default() };
    let quick = Options { settings, ..options(results.path()) };
    let first = Batch::of(&engine, &[app("one")], &quick);
    let CampaignEnd::Measured(totals) = first.end("one") else { panic!("{:?}", first.end("one")) };
    assert_eq!((totals.joint_avoided, totals.joint_verified, totals.inferred), (5, 3, USED.len()));
    let thorough = Batch::of(&engine, &[app("one")], &options(results.path()));
    assert!(thorough.run() > first.run());
    assert_eq!(verdicts(results.path(), "one"), VERDICTS);
    assert!(matches!(Batch::of(&engine, &[app("one")], &quick).end("one"), CampaignEnd::UpToDate(_)));
}

#[test]
fn results_below_a_file_fail_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder\n").unwrap();
    let batch = Batch::of(&SimulatedEngine::new(USED, behave), &[app("one"), app("two")], &options(&file.join("results")));
    for name in ["one", "two"] {
        let CampaignEnd::Failed { message, environment: true } = batch.end(name) else { panic!("{:?}", batch.end(name)) };
        assert!(message.contains("cannot write") && message.contains("results"), "{message}");
        assert!(message.contains("\nhint: ") && message.contains("--results"), "{message}");
    }
    assert_eq!(batch.run(), 0, "nothing is run whose outcome can't be stored");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a folder\n");
}

/// A simulated engine that notes in which task each trial runs.
struct TaskEngine {
    simulated: SimulatedEngine,
    tasks: Arc<Mutex<Vec<tokio::task::Id>>>,
}

struct TaskSession {
    simulated: SimulatedSession,
    tasks: Arc<Mutex<Vec<tokio::task::Id>>>,
}

impl Engine for TaskEngine {
    type Session = TaskSession;

    async fn platform(&self) -> Result<Platform, EngineError> {
        self.simulated.platform().await
    }

    async fn prepare(&self, app: &AppSpec, workload: &Workload, name: &str, notice: Notice) -> Result<TaskSession, EngineError> {
        let simulated = self.simulated.prepare(app, workload, name, notice).await?;
        Ok(TaskSession { simulated, tasks: Arc::clone(&self.tasks) })
    }
}

impl Session for TaskSession {
    fn subject(&self) -> &Subject {
        self.simulated.subject()
    }

    fn expect(&self, trials: usize, at_once: usize) {
        self.simulated.expect(trials, at_once);
    }

    async fn run(&self, request: &TrialRequest, deadline: Deadline) -> Observation {
        self.tasks.lock().unwrap().push(tokio::task::id());
        self.simulated.run(request, deadline).await
    }

    async fn close(&self) {
        self.simulated.close().await;
    }
}

/// What holds one task up, such as a disk that takes its time, delays the times and deadlines of no other.
#[test]
fn every_trial_runs_in_a_task_of_its_own() {
    let results = tempfile::tempdir().unwrap();
    let tasks = Arc::default();
    let engine = TaskEngine { simulated: SimulatedEngine::new(USED, behave), tasks: Arc::clone(&tasks) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let apps = [app("a")];
    let ends = runtime.block_on(campaign::batch(&engine, &apps, &options(results.path()), &|_| (), &Stop::default()));
    assert!(matches!(ends[0].1, CampaignEnd::Measured(_)), "{ends:?}");
    let tasks = tasks.lock().unwrap();
    let distinct: std::collections::BTreeSet<_> = tasks.iter().map(ToString::to_string).collect();
    assert!(tasks.len() > 20 && distinct.len() == tasks.len(), "{} trials in {} tasks", tasks.len(), distinct.len());
}

/// Why the results that were there did not stand.
fn outdated(batch: &Batch) -> Option<String> {
    batch.events.iter().find_map(|event| if let Event::Started { outdated, .. } = event { outdated.clone() } else { None })
}

#[test]
fn results_with_a_broken_or_missing_file_are_measured_anew() {
    let results = tempfile::tempdir().unwrap();
    let engine = SimulatedEngine::new(USED, behave);
    Batch::of(&engine, &[app("one")], &options(results.path()));
    let folder = results.path().join("one").join(WORKLOAD);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for name in
        ["trials.jsonl", "summary.json", "environment.json", "trace.csv", "features.csv", "pseudo-files.csv", "verdicts.csv"]
    {
        assert!(files.contains(&folder.join(name)), "{name}");
    }
    for path in files.iter().filter(|path| !path.ends_with("fallbacks.csv")) {
        let whole = std::fs::read(path).unwrap();
        // Missing, empty, cut in the middle, and cut at the end of a line.
        let last_line = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        for length in [None, Some(0), Some(whole.len() / 2), Some(last_line)] {
            match length {
                None => std::fs::remove_file(path).unwrap(),
                Some(length) => std::fs::write(path, &whole[..length]).unwrap(),
            }
            let again = Batch::of(&engine, &[app("one")], &options(results.path()));
            let what = format!("{} cut to {length:?}", path.display());
            assert!(matches!(again.end("one"), CampaignEnd::Measured(_)), "{what}: {:?}", again.end("one"));
            assert!(again.run() > 20, "{what}: {} trials", again.run());
            // Without verdicts there are no results.
            let why = outdated(&again);
            assert!(why.is_some() || path.ends_with("verdicts.csv") && length.is_none(), "{what}");
            assert_eq!(verdicts(results.path(), "one"), VERDICTS, "{what}");
            assert!(matches!(Batch::of(&engine, &[app("one")], &options(results.path())).end("one"), CampaignEnd::UpToDate(_)));
        }
    }
}

#[test]
fn results_of_another_version_are_measured_anew_and_those_of_another_kernel_are_verified() {
    let results = tempfile::tempdir().unwrap();
    let engine = SimulatedEngine::new(USED, behave);
    Batch::of(&engine, &[app("one")], &options(results.path()));
    let environment = results.path().join("one").join(WORKLOAD).join("environment.json");
    let change = |key: &str, value: serde_json::Value| {
        let mut json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&environment).unwrap()).unwrap();
        json[key] = value;
        std::fs::write(&environment, serde_json::to_string_pretty(&json).unwrap() + "\n").unwrap();
    };
    // The version of the package does not decide.
    change("loupe", "9.9.9".into());
    assert!(matches!(Batch::of(&engine, &[app("one")], &options(results.path())).end("one"), CampaignEnd::UpToDate(_)));

    change("measuring", 0.into());
    let anew = Batch::of(&engine, &[app("one")], &options(results.path()));
    assert!(anew.run() > 20, "{} trials", anew.run());
    let why = outdated(&anew).unwrap();
    assert!(why.starts_with("measured by version 0 of the measuring code, and this is "), "{why}");

    change("kernel-series", "4.0".into());
    let verified = Batch::of(&engine, &[app("one")], &options(results.path()));
    assert!((1..20).contains(&verified.run()), "{} trials", verified.run());
    assert!(outdated(&verified).unwrap().starts_with("measured on Linux 4.0, and this is "));
    assert_eq!(verdicts(results.path(), "one"), VERDICTS);
    assert!(matches!(Batch::of(&engine, &[app("one")], &options(results.path())).end("one"), CampaignEnd::UpToDate(_)));
}

#[test]
fn a_trial_that_takes_longer_than_two_seconds_is_said_to_be_waited_for() {
    let results = tempfile::tempdir().unwrap();
    let mut engine = SimulatedEngine::new(USED, behave);
    engine.duration = Duration::from_secs(60);
    let stop = Stop::default();
    let stop_when_told = |event: &Event| {
        if let Event::Waiting { campaign, what, seconds: 2.. } = event {
            assert_eq!((campaign.to_string().as_str(), what.as_str()), ("app/default", "a traced run"));
            stop.request();
        }
    };
    let batch = Batch::watched(&engine, &[app("app")], &options(results.path()), &stop, &stop_when_told);
    assert_eq!(batch.end("app"), &CampaignEnd::Interrupted);
}
