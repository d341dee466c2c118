//! The planner as a whole, against models of apps.

mod remarks;

use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, prop, prop_assert, prop_assert_eq, proptest};
use proptest::strategy::Strategy as _;

use super::model::{AppModel, Driven, drive, fail, inconclusive};
use super::*;
use crate::trial::{Care, Intervention, Item, Purpose, Treatment, TrialId, Watch};

fn call(name: &str) -> Item {
    name.parse().unwrap()
}

fn intervention(text: &str) -> Intervention {
    text.parse().unwrap()
}

/// An app that uses the calls of `used` and is broken by each of `breaks`.
fn app(used: &str, breaks: &[&str]) -> AppModel {
    breaks.iter().fold(AppModel::new(used.split(' ').map(call)), |model, text| model.broken_by(intervention(text)))
}

fn explore(settings: Settings, run: impl FnMut(&TrialRequest) -> Report) -> Driven {
    drive(Explorer::new(settings), 4, |_| 0, run)
}

fn measured(driven: &Driven) -> &Measured {
    match &driven.findings {
        Findings::Measured(measured) => measured,
        Findings::Refused(refusals) => panic!("refused: {refusals:?}"),
    }
}

fn refused(driven: &Driven) -> &[Refusal] {
    match &driven.findings {
        Findings::Refused(refusals) => refusals,
        Findings::Measured(measured) => panic!("not refused: {measured:?}"),
    }
}

#[test]
fn each_verdict_follows_from_its_two_treatments() {
    let model = app("brk close futex read", &["stub=brk", "fake=brk", "fake=close", "stub=futex"]);
    let driven = explore(Settings::default(), |request| model.report(request));
    let rows = &measured(&driven).rows;
    let verdicts: Vec<_> = rows.values().map(|row| row.verdict.unwrap()).collect();
    assert_eq!(verdicts, [Verdict::Required, Verdict::Stub, Verdict::Fake, Verdict::Any]);
    let plans: Vec<_> = rows.values().map(|row| row.joint).collect();
    assert_eq!(plans, [Plan::Implement, Plan::Stub, Plan::Fake, Plan::Stub]);
    let joint = &measured(&driven).joint;
    assert_eq!(joint.configuration, intervention("stub=close,read;fake=futex"));
    assert_eq!((joint.verified, joint.of, joint.culprits.len()), (3, 3, 0));
    // 2 traces, 3 baselines, 1 control, 8 singles of which 4 fail and are run again, 3 joint runs, 1 with the other treatment of `read`,
    // both once more with every call watched.
    assert_eq!(driven.trials.len(), 2 + 3 + 1 + 8 + 4 + 3 + 1 + 2);
}

#[test]
fn used_calls_are_those_of_any_trace() {
    let model = app("read", &["stub=read", "fake=read"]);
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        if request.purpose == Purpose::Trace && request.replica == 1 {
            report.seen.insert(call("write"));
        }
        report
    });
    assert_eq!(measured(&driven).rows.keys().copied().collect::<Vec<_>>(), [call("read"), call("write")]);
}

#[test]
fn failing_baseline_is_refused_with_every_reason_and_nothing_else_runs() {
    let model = app("read", &["stub=read"]);
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        if request.purpose == Purpose::Baseline && request.replica != 1 {
            report.outcome = fail();
        }
        report
    });
    let outcome = fail();
    let expected = [0, 2].map(|replica| Refusal::Baseline { replica, outcome: outcome.clone() });
    assert_eq!(refused(&driven), expected);
    assert_eq!(driven.trials.len(), 5);
}

#[test]
fn failing_trace_is_refused() {
    let model = app("read", &[]);
    let driven = explore(Settings { traces: 1, ..Settings::default() }, |request| {
        let mut report = model.report(request);
        if request.watch == Watch::Everything {
            report.outcome = fail();
        }
        report
    });
    assert_eq!(refused(&driven), [Refusal::Trace { replica: 0, outcome: fail() }]);
}

#[test]
fn inconclusive_baseline_is_run_again() {
    let model = app("read write", &["stub=read"]);
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        if request.purpose == Purpose::Baseline && request.replica < 2 {
            report.outcome = inconclusive();
        }
        report
    });
    assert_eq!(measured(&driven).incomplete, [""; 0]);
    assert_eq!(driven.trials.iter().filter(|(request, _)| request.purpose == Purpose::Baseline).count(), 5);
}

#[test]
fn baseline_that_stays_inconclusive_is_refused_as_such() {
    let driven = explore(Settings::default(), |_| Report::new(inconclusive(), BTreeSet::new()));
    assert!(refused(&driven).iter().all(Refusal::inconclusive));
}

#[test]
fn app_without_calls_is_refused() {
    let driven = explore(Settings::default(), |_| Report::new(Outcome::Pass, BTreeSet::new()));
    assert_eq!(refused(&driven), [Refusal::NothingSeen]);
}

#[test]
fn workload_that_passes_whatever_happens_is_refused() {
    let model = app("read write", &[]);
    let driven = explore(Settings::default(), |request| model.report(request));
    assert_eq!(refused(&driven), [Refusal::ControlPassed]);
    assert_eq!(driven.trials.len(), 6);
}

#[test]
fn control_that_stays_inconclusive_is_refused_as_such() {
    let model = app("read write", &["stub=read"]);
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        if request.purpose == Purpose::Control {
            report.outcome = inconclusive();
        }
        report
    });
    assert_eq!(refused(&driven), [Refusal::ControlInconclusive { outcome: inconclusive() }]);
    assert!(refused(&driven)[0].inconclusive());
}

#[test]
fn call_without_a_hit_is_unexercised_and_counts_as_required() {
    let model = app("read write", &["stub=read", "fake=read"]).without_hits_of(call("write"));
    let driven = explore(Settings::default(), |request| model.report(request));
    let row = &measured(&driven).rows[&call("write")];
    assert_eq!(row.stub, TreatmentResult::Unexercised { runs: 3 });
    assert_eq!(row.verdict, Some(Verdict::Required));
    assert_eq!(row.joint, Plan::Implement);
}

#[test]
fn without_counted_hits_treated_trials_watch_nothing() {
    let model = app("read write", &["stub=read", "fake=read"]);
    let driven = explore(Settings { count_hits: false, ..Settings::default() }, |request| model.report(request));
    assert_eq!(measured(&driven).rows[&call("write")].verdict, Some(Verdict::Any));
    for (request, _) in &driven.trials {
        assert_eq!(request.watch == Watch::Nothing, !request.intervention.is_empty());
    }
}

#[test]
fn inconclusive_single_leaves_its_call_without_verdict_but_not_the_others() {
    let model = app("brk read write", &["stub=read", "fake=read"]);
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        if request.intervention == intervention("fake=brk") {
            report.outcome = inconclusive();
        }
        report
    });
    let measured = measured(&driven);
    assert_eq!(measured.rows[&call("brk")].verdict, None);
    assert_eq!(measured.rows[&call("brk")].joint, Plan::Implement);
    assert_eq!(measured.joint.configuration, intervention("stub=write"));
    assert_eq!(measured.incomplete, ["`brk` fake: inconclusive in 3 runs"]);
}

#[test]
fn culprit_names_the_trial_that_made_it_be_left_out() {
    let model = app("brk close read write", &["stub=read", "fake=read", "stub=close,write", "stub=close;fake=write"]);
    let driven = explore(Settings::default(), |request| model.report(request));
    let joint = &measured(&driven).joint;
    assert_eq!(joint.configuration, intervention("stub=brk,close"));
    assert_eq!(
        joint.culprits,
        [Culprit {
            item: call("write"),
            treatment: Treatment::Fake,
            together_with: intervention("stub=brk,close"),
            reason: fail().to_string(),
        }]
    );
}

#[test]
fn joint_configuration_that_passes_only_sometimes_is_not_taken() {
    let model = app("brk close read write", &["stub=read", "fake=read"]);
    let flaky = intervention("stub=brk,close,write");
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        if request.intervention == flaky && request.replica == 2 {
            report.outcome = fail();
        }
        report
    });
    let joint = &measured(&driven).joint;
    // `write` alone has another treatment, which passes every time.
    assert_eq!(joint.configuration, intervention("stub=brk,close;fake=write"));
    assert_eq!((joint.verified, joint.of), (3, 3));
}

#[test]
fn inconclusive_joint_configuration_is_not_taken_and_said() {
    let model = app("brk read write", &["stub=read", "fake=read", "fake=brk", "fake=write"]);
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        if request.intervention.len() == 2 {
            report.outcome = inconclusive();
        }
        report
    });
    let measured = measured(&driven);
    assert_eq!(measured.joint.configuration, intervention("stub=brk"));
    assert_eq!(measured.joint.culprits.len(), 1);
    assert_eq!(measured.incomplete, [format!("joint run of 2 items: {}", inconclusive())]);
}

#[test]
fn app_without_avoidable_calls_is_verified_by_its_baseline() {
    let model = app("read", &["stub=read", "fake=read"]);
    let driven = explore(Settings::default(), |request| model.report(request));
    let joint = &measured(&driven).joint;
    assert!(joint.configuration.is_empty());
    assert_eq!((joint.verified, joint.of), (3, 3));
}

#[test]
fn unstable_single_is_decided_by_majority_and_marked() {
    let model = app("read write", &["stub=read", "fake=read", "fake=write"]);
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        if request.intervention == intervention("stub=write") && request.replica % 3 == 0 {
            report.outcome = fail();
        }
        report
    });
    let row = &measured(&driven).rows[&call("write")];
    // Runs: fail, pass, pass, fail, pass.
    assert_eq!(row.stub, TreatmentResult::Works { passes: 3, runs: 5 });
    assert!(row.unstable());
    assert_eq!(row.verdict, Some(Verdict::Stub));
    // Its only joint configuration is the same trial, whose runs disagree.
    assert_eq!(row.joint, Plan::Implement);
    assert_eq!(measured(&driven).joint.culprits[0].reason, format!("{} (unstable: 3 of 5 passed)", fail()));
}

#[test]
fn as_many_trials_as_possible_are_given_out_at_once() {
    let model = app("brk close read write", &["stub=read", "fake=read"]);
    let batches = |settings| {
        let mut explorer = Explorer::new(settings);
        let mut batches = Vec::new();
        loop {
            let mut batch = Vec::new();
            while let Step::Run(request) = explorer.next() {
                batch.push(request);
            }
            if batch.is_empty() {
                return batches;
            }
            batches.push(batch.len());
            for request in batch {
                explorer.record(request.id, model.report(&request));
            }
        }
    };
    // Traces and baselines, control, singles, the failing ones again, joint, joint with the other treatments beside joint with every
    // call watched, the other treatments watched.
    assert_eq!(batches(Settings::default()), [5, 1, 8, 2, 3, 2, 1]);
    // Where no details follow, the other treatments are tried beside joint, and joint is watched as well.
    let calls = Settings { details: Details::None, ..Settings::default() };
    assert_eq!(batches(calls), [5, 1, 8, 2, 5, 1]);
}

#[test]
fn others_tried_beside_a_verification_that_fails_decide_nothing() {
    // Any two of three break it, whatever the treatments.
    let pairs = ["brk,close", "brk,futex", "close,futex"];
    let model = pairs.iter().fold(app("brk close futex read", &["stub=read", "fake=read"]), |model, pair| {
        let (one, other) = pair.split_once(',').unwrap();
        let treated = Treatment::ALL.iter().flat_map(|first| Treatment::ALL.map(|second| (*first, second)));
        treated.fold(model, |model, (first, second)| {
            model.broken_by([(call(one), first), (call(other), second)].into_iter().collect())
        })
    });
    let calls = Settings { details: Details::None, ..Settings::default() };
    let driven = explore(calls, |request| model.report(request));
    let joint = &measured(&driven).joint;
    assert_eq!((joint.configuration.len(), joint.verified, joint.culprits.len()), (1, 3, 2));
    let beside = intervention("fake=brk,close,futex");
    assert!(driven.trials.iter().any(|(request, _)| request.purpose == Purpose::Others && request.intervention == beside));
    assert!(measured(&driven).incomplete.is_empty());
}

/// The interventions that were run with every call watched.
fn watched(driven: &Driven) -> Vec<String> {
    let watched = driven.trials.iter().filter(|(request, _)| request.purpose == Purpose::Reasons);
    watched
        .map(|(request, _)| {
            assert_eq!(request.watch, Watch::Everything);
            request.intervention.to_string()
        })
        .collect()
}

#[test]
fn what_works_is_watched_at_the_end_together_or_each_by_itself() {
    let model = app("brk close futex read", &["stub=brk", "fake=brk", "fake=close", "stub=futex"]);
    let run = |reasons| explore(Settings { reasons, ..Settings::default() }, |request| model.report(request));
    let together = ["stub=close,read;fake=futex", "stub=close;fake=futex,read"];
    assert_eq!(watched(&run(Reasons::Together)), together);
    assert_eq!(watched(&run(Reasons::None)), [""; 0]);
    let each = watched(&run(Reasons::Each));
    assert_eq!(each[..2], together);
    assert_eq!(each[2..], ["stub=close", "fake=futex", "stub=read", "fake=read"]);
    // Too hot to be counted is too hot to be watched.
    let uncounted = Settings { count_hits: false, ..Settings::default() };
    assert_eq!(watched(&explore(uncounted, |request| model.report(request))), [""; 0]);
}

#[test]
fn where_the_other_treatments_do_not_work_together_those_groups_are_watched_that_do() {
    // `brk` and `umask` can both be faked, but not at once.
    let model = app("brk close read umask", &["stub=read", "fake=read", "fake=brk,umask"]);
    let driven = explore(Settings::default(), |request| model.report(request));
    let watched = watched(&driven);
    assert_eq!(watched[0], "stub=brk,close,umask");
    assert_eq!(watched.len(), 3, "{watched:?}");
    for call in ["brk", "close", "umask"] {
        let faked = |intervention: &str| {
            intervention.split_once("fake=").is_some_and(|(_, faked)| faked.split(',').any(|one| one == call))
        };
        assert!(watched[1..].iter().any(|intervention| faked(intervention)), "{call} in {watched:?}");
    }
}

#[test]
fn what_watched_runs_give_decides_nothing() {
    let model = app("brk close read", &["stub=brk", "fake=brk"]);
    let usual = explore(Settings::default(), |request| model.report(request));
    for outcome in [fail(), inconclusive()] {
        let driven = explore(Settings::default(), |request| {
            let mut report = model.report(request);
            if request.purpose == Purpose::Reasons {
                report.outcome = outcome.clone();
            }
            report
        });
        let (found, expected) = (measured(&driven), measured(&usual));
        assert_eq!((&found.rows, &found.joint, &found.everything), (&expected.rows, &expected.joint, &expected.everything));
        assert_eq!((&found.incomplete, &found.fallbacks), (&expected.incomplete, &expected.fallbacks));
        let runs = if outcome == fail() { 2 } else { 2 * 3 };
        assert_eq!(watched(&driven).len(), runs);
    }
}

#[test]
fn progress_ends_with_everything_done() {
    let model = app("brk close read write", &["stub=read", "fake=read"]);
    let mut explorer = Explorer::new(Settings::default());
    loop {
        let before = explorer.progress();
        assert!(before.done <= before.total);
        match explorer.next() {
            Step::Run(request) => explorer.record(request.id, model.report(&request)),
            Step::Wait => unreachable!("nothing runs"),
            Step::Finished(_) => break,
        }
    }
    let end = explorer.progress();
    assert_eq!((end.done, end.stage), (end.total, Stage::Done));
}

/// The outcomes of a campaign as a later one with another image knows them.
fn known(driven: &Driven) -> Known {
    let measured = measured(driven);
    let result = |(&call, row): (&Item, &Row)| Treatment::ALL.map(|treatment| ((call, treatment), row.result(treatment)));
    let others = driven
        .trials
        .iter()
        .filter(|(request, report)| request.purpose == Purpose::Others && matches!(report.outcome, Outcome::Pass));
    Known {
        joint: measured.everything.as_ref().unwrap_or(&measured.joint).configuration.clone(),
        others: others.map(|(request, _)| request.intervention.clone()).collect(),
        results: measured.rows.iter().flat_map(result).collect(),
        culprits: measured.joint.culprits.clone(),
        degraded: Vec::new(),
        fallbacks: measured.fallbacks.clone(),
        not_made: measured.not_made.clone(),
    }
}

fn recheck(before: &Driven, run: impl FnMut(&TrialRequest) -> Report) -> Driven {
    let knowledge = Knowledge { before: Some(known(before)), ..Knowledge::default() };
    drive(Explorer::with(Settings::default(), knowledge), 4, |_| 0, run)
}

fn verdicts(driven: &Driven) -> BTreeMap<Item, (Option<Verdict>, Plan)> {
    measured(driven).rows.iter().map(|(call, row)| (*call, (row.verdict, row.joint))).collect()
}

const CALLS: &str = "brk chown clone3 close fcntl futex ioctl mmap openat prctl read sendfile";
const BREAKS: [&str; 9] =
    ["stub=brk", "fake=brk", "stub=read", "fake=read", "fake=close", "stub=futex", "stub=mmap", "fake=mmap", "stub=openat"];

#[test]
fn unchanged_app_is_rechecked_with_at_most_eight_trials_and_the_same_verdicts() {
    let model = app(CALLS, &BREAKS);
    let first = explore(Settings::default(), |request| model.report(request));
    let second = recheck(&first, |request| model.report(request));
    assert_eq!(verdicts(&second), verdicts(&first));
    assert!(second.trials.len() <= 8, "{} trials", second.trials.len());
    assert!(measured(&second).rows.values().all(|row| row.origin == Origin::TakenOver));
}

#[test]
fn recheck_explores_what_broke_and_what_is_new_and_forgets_what_is_gone() {
    let old = app(CALLS, &BREAKS);
    let first = explore(Settings::default(), |request| old.report(request));
    // `chown` became required, `ioctl` can't be faked any more, `writev` is new, `sendfile` is gone.
    let breaks = BREAKS.iter().chain(&["stub=chown", "fake=chown", "fake=ioctl", "stub=writev"]).copied().collect::<Vec<_>>();
    let new = app(&CALLS.replace("sendfile", "writev"), &breaks);
    let anew = explore(Settings::default(), |request| new.report(request));
    let rechecked = recheck(&first, |request| new.report(request));
    assert_eq!(verdicts(&rechecked), verdicts(&anew));
    assert!(rechecked.trials.len() * 4 < anew.trials.len() * 3, "{} of {}", rechecked.trials.len(), anew.trials.len());
    let origin = |name: &str| measured(&rechecked).rows[&call(name)].origin;
    assert_eq!([origin("chown"), origin("writev"), origin("read")], [Origin::Measured, Origin::Measured, Origin::TakenOver]);
}

#[test]
fn strategy_joint_finds_as_large_a_configuration_and_says_that_verdicts_are_inferred() {
    let model = app(CALLS, &BREAKS);
    let exhaustive = explore(Settings::default(), |request| model.report(request));
    let settings = Settings { strategy: super::Strategy::Joint, ..Settings::default() };
    let guessed = explore(settings, |request| model.report(request));
    let joint = &measured(&guessed).joint;
    assert_eq!(joint.configuration.len(), measured(&exhaustive).joint.configuration.len());
    assert_eq!((joint.verified, joint.of), (3, 3));
    assert!(measured(&guessed).rows.values().all(|row| row.origin == Origin::Inferred));
    assert_eq!(measured(&guessed).rows[&call("read")].verdict, Some(Verdict::Required));
    assert_eq!(measured(&guessed).rows[&call("futex")].verdict, Some(Verdict::Fake));

    let mut likelihoods = Likelihoods::default();
    for (&call, row) in &measured(&exhaustive).rows {
        likelihoods.learn(call, row.verdict.unwrap(), 4);
    }
    let knowledge = Knowledge { likelihoods, before: None };
    let informed = drive(Explorer::with(settings, knowledge), 4, |_| 0, |request| model.report(request));
    assert_eq!(measured(&informed).joint.configuration.len(), joint.configuration.len());
    assert!(informed.trials.len() * 2 < exhaustive.trials.len(), "{} trials", informed.trials.len());
}

#[test]
fn details_are_tried_of_what_has_to_be_implemented_and_verified_together() {
    let used = "brk mmap mmap(MAP_ANONYMOUS) mmap(MAP_POPULATE) ioctl ioctl(TCGETS) /dev/urandom /proc/self/status";
    let breaks = [
        "stub=mmap",
        "fake=mmap",
        "stub=mmap(MAP_ANONYMOUS)",
        "fake=mmap(MAP_ANONYMOUS)",
        "fake=mmap(MAP_POPULATE)",
        "stub=/dev/urandom",
        "fake=/dev/urandom",
    ];
    let model = app(used, &breaks);
    let driven = explore(Settings::default(), |request| model.report(request));
    let verdict = |name: &str| measured(&driven).rows[&call(name)].verdict;
    assert_eq!(verdict("mmap(MAP_ANONYMOUS)"), Some(Verdict::Required));
    assert_eq!(verdict("mmap(MAP_POPULATE)"), Some(Verdict::Stub));
    assert_eq!(verdict("ioctl(TCGETS)"), None, "an OS that stubs `ioctl` needs none of its requests");
    assert_eq!(verdict("/dev/urandom"), Some(Verdict::Required));
    assert_eq!(verdict("/proc/self/status"), Some(Verdict::Any));
    assert_eq!(measured(&driven).joint.configuration, intervention("stub=brk,ioctl"));
    let everything = measured(&driven).everything.clone().unwrap();
    assert_eq!(everything.configuration, intervention("stub=brk,ioctl,mmap(MAP_POPULATE),/proc/self/status"));
    assert_eq!((everything.verified, everything.of), (3, 3));
    assert!(measured(&driven).incomplete.is_empty());

    let all = explore(Settings { details: Details::All, ..Settings::default() }, |request| model.report(request));
    assert_eq!(measured(&all).rows[&call("ioctl(TCGETS)")].verdict, Some(Verdict::Any));
    let none = explore(Settings { details: Details::None, ..Settings::default() }, |request| model.report(request));
    assert_eq!(measured(&none).rows[&call("/dev/urandom")].verdict, None);
    assert!(none.trials.iter().all(|(request, _)| request.intervention.iter().all(|(item, _)| item.call().is_some())));
}

#[test]
fn details_that_conflict_are_found() {
    let model = app(
        "mmap mmap(MAP_POPULATE) /proc/self/status /proc/self/maps",
        &["stub=mmap", "fake=mmap", "stub=/proc/self/maps,/proc/self/status", "fake=/proc/self/maps", "fake=/proc/self/status"],
    );
    let driven = explore(Settings::default(), |request| model.report(request));
    let everything = measured(&driven).everything.clone().unwrap();
    assert_eq!(everything.configuration.len(), 2);
    assert_eq!(everything.culprits.len(), 1);
    assert!(everything.culprits[0].item.to_string().starts_with("/proc/self/"));
}

#[test]
fn recheck_with_details_takes_no_more_trials() {
    let used = format!("{CALLS} mmap(MAP_POPULATE) /proc/self/status openat(O_CLOEXEC)");
    let mut breaks = BREAKS.to_vec();
    breaks.extend(["fake=openat", "stub=openat(O_CLOEXEC)", "fake=openat(O_CLOEXEC)"]);
    let model = app(&used, &breaks);
    let first = explore(Settings::default(), |request| model.report(request));
    assert!(measured(&first).everything.is_some());
    let second = recheck(&first, |request| model.report(request));
    assert_eq!(verdicts(&second), verdicts(&first));
    assert_eq!(
        measured(&second).everything.as_ref().unwrap().configuration,
        measured(&first).everything.as_ref().unwrap().configuration
    );
    assert_eq!(measured(&second).joint.configuration, measured(&first).joint.configuration);
    assert_eq!((measured(&second).joint.verified, measured(&second).joint.of), (3, 3), "as part of everything");
    assert!(second.trials.len() <= 8, "{} trials", second.trials.len());
}

#[test]
fn doubtful_failure_is_repeated_with_more_care_and_at_last_alone() {
    let model = app("brk close futex read", &["stub=read", "fake=read"]);
    let hasty = intervention("stub=futex");
    let mut cares = Vec::new();
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        if request.intervention == hasty {
            cares.push(request.care);
            if request.care != Care::Alone {
                report = Report { doubtful: true, ..Report::new(fail(), report.seen) };
            }
        }
        report
    });
    assert_eq!(cares, [Care::Usual, Care::Patient, Care::Alone]);
    assert_eq!(measured(&driven).rows[&call("futex")].verdict, Some(Verdict::Any));
}

#[test]
fn nothing_runs_beside_a_run_that_is_alone() {
    let model = app(CALLS, &BREAKS);
    let mut explorer = Explorer::new(Settings::default());
    let mut running: Vec<TrialRequest> = Vec::new();
    let mut alone = 0;
    loop {
        while running.len() < 4 {
            match explorer.next() {
                Step::Run(request) => running.push(request),
                Step::Wait | Step::Finished(_) => break,
            }
        }
        if running.iter().any(|request| request.care == Care::Alone) {
            assert_eq!(running.len(), 1);
            alone += 1;
        }
        if running.is_empty() {
            break;
        }
        let request = running.remove(0);
        let mut report = model.report(&request);
        report.doubtful = true;
        explorer.record(request.id, report);
    }
    assert!(alone > 5, "every failure was in doubt twice: {alone}");
}

#[test]
#[should_panic(expected = "invariant")]
fn recording_a_trial_that_was_not_asked_for_panics() {
    Explorer::new(Settings::default()).record(TrialId(7), Report::new(Outcome::Pass, BTreeSet::new()));
}

// ---- properties ----

const NAMES: [&str; 12] =
    ["brk", "chown", "clone3", "close", "fcntl", "futex", "ioctl", "mmap", "openat", "prctl", "read", "sendfile"];

fn treated_call() -> impl proptest::strategy::Strategy<Value = (Item, Treatment)> {
    (0..NAMES.len(), prop::bool::ANY)
        .prop_map(|(index, stub)| (call(NAMES[index]), if stub { Treatment::Stub } else { Treatment::Fake }))
}

/// An app with some calls that stubbing or faking breaks, some pairs and triples that conflict, and one required call (so
/// that its control fails).
fn any_app() -> impl proptest::strategy::Strategy<Value = AppModel> {
    let breaks = prop::collection::vec(prop::collection::vec(treated_call(), 1..=3), 0..12);
    (2..=NAMES.len(), breaks).prop_map(|(used, breaks)| {
        let model = app(&NAMES[..used].join(" "), &["stub=brk", "fake=brk"]);
        breaks.into_iter().fold(model, |model, part| model.broken_by(part.into_iter().collect()))
    })
}

/// Noise that depends on the trial's key alone, so that it is the same in whichever order trials end.
fn noise(seed: u64, request: &TrialRequest) -> u64 {
    // FNV-1a with a final mix.
    let hash = request
        .key()
        .bytes()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
}

/// The app, but some of its runs give something else than they should, or go without a hit.
fn noisy(model: &AppModel, seed: u64, percent: u64, request: &TrialRequest) -> Report {
    let mut report = model.report(request);
    let treats = !request.intervention.is_empty() && request.purpose != Purpose::Control;
    let draw = noise(seed, request);
    if treats && draw % 100 < percent {
        match draw / 100 % 4 {
            0 => report.outcome = fail(),
            1 => report.outcome = Outcome::Pass,
            2 => report.outcome = inconclusive(),
            _ => report.seen.clear(),
        }
    }
    report
}

fn most_trials(driven: &Driven) -> usize {
    let used = match &driven.findings {
        Findings::Measured(measured) => measured.rows.len(),
        Findings::Refused(_) => 0,
    };
    usize::try_from(Settings::default().most_trials(u32::try_from(used).unwrap())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn verdicts_are_those_of_the_model_and_the_joint_configuration_is_maximal(
        model in any_app(),
        order in prop::collection::vec(0_usize..64, 1..40),
        jobs in 1_usize..9,
    ) {
        let mut turn = order.iter().cycle();
        let driven = drive(Explorer::new(Settings::default()), jobs, |_| *turn.next().unwrap(), |request| model.report(request));
        let measured = measured(&driven);
        for (&call, row) in &measured.rows {
            let works = |treatment| model.passes(&Intervention::single(call, treatment));
            prop_assert_eq!(row.verdict, Some(Verdict::from_treatments(works(Treatment::Stub), works(Treatment::Fake))));
            prop_assert!(!row.unstable());
        }
        let joint = &measured.joint;
        prop_assert!(model.passes(&joint.configuration));
        prop_assert_eq!((joint.verified, joint.of), (3, 3));
        let mut culprits = Vec::new();
        for (&call, row) in &measured.rows {
            let planned = Plan::from(joint.configuration.get(call));
            prop_assert_eq!(row.joint, planned);
            if planned != Plan::Implement {
                prop_assert!(row.verdict.unwrap().treatments().iter().any(|treatment| Plan::from(Some(*treatment)) == planned));
                continue;
            }
            let treatments = row.verdict.unwrap().treatments();
            if !treatments.is_empty() {
                culprits.push(call);
            }
            for &treatment in treatments {
                prop_assert!(!model.passes(&joint.configuration.clone().with(call, treatment)), "{call} {treatment}");
            }
        }
        prop_assert_eq!(joint.culprits.iter().map(|culprit| culprit.item).collect::<Vec<_>>(), culprits);
        for culprit in &joint.culprits {
            prop_assert!(!model.passes(&culprit.together_with.clone().with(culprit.item, culprit.treatment)));
        }
        prop_assert!(measured.incomplete.is_empty());
        prop_assert!(driven.trials.len() <= most_trials(&driven));
    }

    #[test]
    fn findings_do_not_depend_on_the_order_in_which_trials_end(
        model in any_app(),
        seed: u64,
        percent in 0_u64..60,
        order in prop::collection::vec(0_usize..64, 1..40),
        jobs in 1_usize..9,
    ) {
        let run = |request: &TrialRequest| noisy(&model, seed, percent, request);
        let one_by_one = drive(Explorer::new(Settings::default()), 1, |_| 0, run);
        let mut turn = order.iter().cycle();
        let shuffled = drive(Explorer::new(Settings::default()), jobs, |_| *turn.next().unwrap(), run);
        prop_assert_eq!(&shuffled.findings, &one_by_one.findings);
        let keys = |driven: &Driven| driven.trials.iter().map(|(request, _)| request.key()).collect::<BTreeSet<_>>();
        prop_assert_eq!(keys(&shuffled), keys(&one_by_one));
        prop_assert_eq!(keys(&shuffled).len(), shuffled.trials.len(), "a key was given twice");
    }

    #[test]
    fn guesses_end_within_the_bound_whatever_was_treated_last_and_what_they_find_passes(
        model in any_app(),
        seed: u64,
        percent in 0_u64..=100,
        quiet: bool,
        jobs in 1_usize..9,
    ) {
        let percent = if quiet { 0 } else { percent };
        let settings = Settings { strategy: super::Strategy::Joint, ..Settings::default() };
        let driven = drive(Explorer::new(settings), jobs, |_| 0, |request| {
            let mut report = noisy(&model, seed, percent, request);
            report.latest = report.seen.iter().copied().collect();
            let middle = usize::try_from(seed % 64).unwrap() % report.latest.len().max(1);
            report.latest.rotate_left(middle);
            // Some runs end before the rest is treated.
            report.latest.truncate(usize::try_from(seed / 64 % 16).unwrap());
            report
        });
        prop_assert!(driven.trials.len() <= most_trials(&driven), "{} trials", driven.trials.len());
        if let Findings::Measured(measured) = &driven.findings {
            prop_assert_eq!(measured.joint.verified, measured.joint.of);
            prop_assert!(percent > 0 || model.passes(&measured.joint.configuration));
        }
    }

    #[test]
    fn any_noise_ends_within_the_bound_and_the_joint_configuration_passed_every_run(
        model in any_app(),
        seed: u64,
        percent in 0_u64..=100,
    ) {
        let driven = explore(Settings::default(), |request| noisy(&model, seed, percent, request));
        prop_assert!(driven.trials.len() <= most_trials(&driven), "{} trials", driven.trials.len());
        if let Findings::Measured(measured) = &driven.findings {
            let joint = &measured.joint;
            prop_assert_eq!(joint.verified, joint.of);
            prop_assert!(joint.verified >= 3);
            for (request, report) in &driven.trials {
                if request.intervention == joint.configuration && request.watch == Watch::Treated {
                    prop_assert!(!matches!(report.outcome, Outcome::Fail(_)));
                }
            }
        }
    }

    #[test]
    fn replaying_stored_outcomes_by_key_runs_nothing_again(
        model in any_app(),
        seed: u64,
        percent in 0_u64..60,
        kept in 0_usize..200,
    ) {
        let run = |request: &TrialRequest| noisy(&model, seed, percent, request);
        let first = explore(Settings::default(), run);
        // Killed after `kept` trials, then started again with another number of jobs.
        let stored: BTreeMap<_, _> =
            first.trials.iter().take(kept).map(|(request, report)| (request.key(), report.clone())).collect();
        let mut ran = 0;
        let second = drive(Explorer::new(Settings::default()), 2, |_| 1, |request| {
            stored.get(&request.key()).cloned().unwrap_or_else(|| {
                ran += 1;
                run(request)
            })
        });
        prop_assert_eq!(&second.findings, &first.findings);
        prop_assert_eq!(ran, first.trials.len() - stored.len());
    }

    #[test]
    fn calls_without_hits_never_work(model in any_app(), idle in 0..NAMES.len()) {
        let model = model.without_hits_of(call(NAMES[idle]));
        let driven = explore(Settings::default(), |request| model.report(request));
        if let Some(row) = measured(&driven).rows.get(&call(NAMES[idle])) {
            prop_assert_eq!(row.verdict, Some(Verdict::Required));
            prop_assert_eq!(row.joint, Plan::Implement);
        }
    }
}
