//! Comparisons of results that came about as real ones do: a planner, a model of an app, and a store.

use std::time::Duration;

use super::*;
use crate::explore::model::{AppModel, drive};
use crate::explore::{Explorer, Settings};
use crate::spec::Workload;
use crate::store::Environment;
use crate::store::{Freshness, Identity, Opened, Store};
use crate::trial::{CallLog, CallStatistics, Deadline, Item, Observation};

fn app(used: &[&str], broken_by: &[&str]) -> AppModel {
    let model = AppModel::new(used.iter().map(|name| name.parse().unwrap()));
    broken_by.iter().fold(model, |model, text| model.broken_by(text.parse().unwrap()))
}

fn required(call: &str) -> [String; 2] {
    [format!("stub={call}"), format!("fake={call}")]
}

/// What a campaign of `model` leaves behind.
fn side(model: &AppModel, image: &str) -> Side {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path());
    let identity = Identity {
        image: image.to_owned(),
        spec: "4567".to_owned(),
        architecture: "x86_64".to_owned(),
        measuring: 1,
        kernel_series: "6.18".to_owned(),
        engine: "docker".to_owned(),
        settings: Settings::default(),
    };
    let Opened::Open { mut journal, .. } = store.campaign("nginx", "wrk", &identity, Freshness::Resume).unwrap() else {
        panic!("up to date");
    };
    let workload = Workload::named("wrk");
    let driven = drive(
        Explorer::new(Settings::default()),
        2,
        |_| 1,
        |request| {
            let report = model.report(request);
            let statistics = || CallStatistics { count: 2, ..CallStatistics::default() };
            let mut calls = CallLog::default();
            for item in &report.seen {
                match item {
                    Item::Call(call) => drop(calls.calls.insert(*call, statistics())),
                    Item::Feature(feature) => drop(calls.features.insert(*feature, 1)),
                    Item::File(file) => drop(calls.files.insert(*file, 1)),
                }
            }
            let observation = Observation { calls, ready: true, ..Observation::default() };
            let record = TrialRecord::new(
                &workload,
                request,
                &Deadline::within(std::time::Duration::from_secs(3)),
                report.outcome.clone(),
                &observation,
            );
            journal.append(&record).unwrap();
            report
        },
    );
    let environment = Environment::new(identity, "6.18.0".to_owned(), "20.10".to_owned());
    journal.finish(&driven.findings, &environment, Duration::from_secs(1)).unwrap();
    let stored = store.read("nginx", "wrk").unwrap();
    let trials = if stored.finished.is_some() { store.trials("nginx", "wrk").unwrap() } else { Vec::new() };
    Side { name: "nginx/wrk".to_owned(), stored, trials }
}

fn measured(used: &[&str], broken_by: &[&str]) -> Side {
    side(&app(used, broken_by), "sha256:1")
}

fn changes(before: &Side, after: &Side) -> Vec<(String, Change, Severity)> {
    match compare(Some(before), Some(after)).comparison {
        Comparison::Compared(difference) => {
            difference.items.iter().map(|change| (change.item.to_string(), change.change, change.severity)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn change(item: &str, change: Change, severity: Severity) -> (String, Change, Severity) {
    (item.to_owned(), change, severity)
}

/// A call that keeps the control from passing.
const NEEDED: &str = "read";

fn with_needed<'a>(used: &[&'a str], broken_by: &[&'a str]) -> Side {
    let mut all = vec![NEEDED];
    all.extend(used);
    let needed = required(NEEDED);
    let mut breaks: Vec<&str> = needed.iter().map(String::as_str).collect();
    breaks.extend(broken_by);
    measured(&all, &breaks)
}

#[test]
fn results_of_the_same_app_do_not_differ() {
    let side = with_needed(&["brk", "close"], &["stub=close"]);
    let compared = compare(Some(&side), Some(&side));
    assert_eq!(compared.severity(), Severity::Neutral);
    let Comparison::Compared(difference) = compared.comparison else { panic!() };
    assert!(difference.is_empty());
    assert!(difference.conditions.is_empty());
}

#[test]
fn each_change_is_told_by_its_kind_the_worst_first() {
    let before = with_needed(&["brk", "close", "futex", "getpid", "umask"], &["stub=futex", "fake=futex"]);
    let after = with_needed(
        &["brk", "close", "futex", "openat", "uname"],
        &["stub=brk", "fake=brk", "stub=close", "stub=openat", "fake=openat"],
    );
    assert_eq!(
        changes(&before, &after),
        [
            change("brk", Change::BecameRequired, Severity::Worse),
            change("openat", Change::NewlyRequired, Severity::Worse),
            change("futex", Change::BecameAvoidable, Severity::Better),
            change("uname", Change::NewlyAvoidable, Severity::Neutral),
            change("getpid", Change::NoLongerUsed, Severity::Neutral),
            change("umask", Change::NoLongerUsed, Severity::Neutral),
            change("close", Change::OtherTreatments, Severity::Neutral),
        ]
    );
    assert_eq!(compare(Some(&before), Some(&after)).severity(), Severity::Worse);
    // The other way round, what was required and is not used any more is no regression, and neither is what became avoidable.
    let back = changes(&after, &before);
    assert!(back.contains(&change("openat", Change::NoLongerRequired, Severity::Better)));
    assert!(back.contains(&change("futex", Change::BecameRequired, Severity::Worse)));
}

#[test]
fn what_is_better_is_no_regression() {
    let before = with_needed(&["brk"], &["stub=brk", "fake=brk"]);
    let after = with_needed(&["brk"], &[]);
    assert_eq!(compare(Some(&before), Some(&after)).severity(), Severity::Better);
}

#[test]
fn evidence_of_both_sides_says_how_often_and_why() {
    let before = with_needed(&["brk"], &[]);
    let after = with_needed(&["brk"], &["stub=brk", "fake=brk"]);
    let Comparison::Compared(difference) = compare(Some(&before), Some(&after)).comparison else { panic!() };
    let [change] = &difference.items[..] else { panic!("{:?}", difference.items) };
    let (before, after) = (change.before.as_ref().unwrap(), change.after.as_ref().unwrap());
    assert_eq!((before.stub.passes, before.stub.fails, before.stub.hits), (1, 0, 2));
    assert_eq!((before.stub.cause.as_deref(), before.calls), (None, Some(2)));
    assert_eq!((after.stub.passes, after.stub.cause.as_deref()), (0, Some("exit code 1, expected 0")));
    assert!(after.stub.fails > 0 && after.fake.fails > 0);
    assert_eq!((before.joint, after.joint), (Some(crate::explore::Plan::Stub), Some(crate::explore::Plan::Implement)));
}

#[test]
fn a_pass_that_proves_nothing_makes_a_regression_doubtful() {
    let before = with_needed(&["brk"], &[]);
    let needed = required(NEEDED);
    let breaks: Vec<&str> = needed.iter().map(String::as_str).collect();
    let model = app(&[NEEDED, "brk"], &breaks).without_hits_of("brk".parse().unwrap());
    let after = side(&model, "sha256:2");
    assert_eq!(changes(&before, &after), [change("brk", Change::BecameRequired, Severity::Doubtful)]);
    assert_eq!(compare(Some(&before), Some(&after)).severity(), Severity::Doubtful);
}

#[test]
fn details_are_compared_and_what_was_not_tried_is_no_regression() {
    let before = with_needed(&["ioctl", "ioctl(TCGETS)", "/dev/null"], &[]);
    let after = with_needed(
        &["ioctl", "ioctl(TCGETS)", "ioctl(FIONREAD)", "/dev/null"],
        &["stub=ioctl", "fake=ioctl", "stub=ioctl(FIONREAD)", "fake=ioctl(FIONREAD)", "stub=/dev/null"],
    );
    assert_eq!(
        changes(&before, &after),
        [
            change("ioctl", Change::BecameRequired, Severity::Worse),
            change("ioctl(FIONREAD)", Change::NewlyRequired, Severity::Worse),
            change("/dev/null", Change::OtherTreatments, Severity::Neutral),
            // It was not tried as long as the whole call could be avoided.
            change("ioctl(TCGETS)", Change::Decided, Severity::Neutral),
        ]
    );
    assert!(changes(&after, &before).contains(&change("ioctl(TCGETS)", Change::NoLongerTried, Severity::Neutral)));
}

#[test]
fn a_side_without_details_is_compared_by_its_calls_alone() {
    let before = with_needed(&["ioctl"], &[]);
    let after =
        with_needed(&["ioctl", "ioctl(TCGETS)"], &["stub=ioctl", "fake=ioctl", "stub=ioctl(TCGETS)", "fake=ioctl(TCGETS)"]);
    assert_eq!(changes(&before, &after), [change("ioctl", Change::BecameRequired, Severity::Worse)]);
    let Comparison::Compared(difference) = compare(Some(&before), Some(&after)).comparison else { panic!() };
    assert_eq!(difference.details_left_out.as_deref(), Some("the first side has none"));
}

#[test]
fn another_choice_of_the_joint_configuration_is_told_and_no_regression() {
    let before = with_needed(&["brk", "close"], &[]);
    let after =
        with_needed(&["brk", "close"], &["stub=brk,close", "stub=brk;fake=close", "stub=close;fake=brk", "fake=brk,close"]);
    let compared = compare(Some(&before), Some(&after));
    assert_eq!(compared.severity(), Severity::Neutral);
    let Comparison::Compared(difference) = compared.comparison else { panic!() };
    assert!(difference.items.is_empty());
    let [joint] = &difference.joint[..] else { panic!("{:?}", difference.joint) };
    assert_eq!((joint.before, joint.after), (crate::explore::Plan::Stub, crate::explore::Plan::Implement));
    assert_eq!(joint.reason.as_deref(), Some("exit code 1, expected 0"));
}

#[test]
fn what_cannot_be_measured_any_more_is_worse_and_what_is_missing_doubtful() {
    let fine = with_needed(&["brk"], &[]);
    // Passes whatever is stubbed: its control refuses it.
    let refused = measured(&["brk"], &[]);
    let severity = |before, after| compare(before, after).severity();
    assert_eq!(severity(Some(&fine), Some(&refused)), Severity::Worse);
    assert_eq!(severity(Some(&refused), Some(&fine)), Severity::Better);
    assert_eq!(severity(Some(&refused), Some(&refused)), Severity::Neutral);
    assert_eq!(severity(Some(&fine), None), Severity::Doubtful);
    assert_eq!(severity(None, Some(&fine)), Severity::Neutral);
    let Comparison::NoLongerMeasurable { reasons } = compare(Some(&fine), Some(&refused)).comparison else { panic!() };
    assert!(reasons[0].contains("cannot tell a working app from a broken one"), "{reasons:?}");
}

#[test]
fn conditions_that_differ_are_named() {
    let model = app(&[NEEDED], &["stub=read", "fake=read"]);
    let (mut before, mut after) = (side(&model, "sha256:1 client sha256:c"), side(&model, "sha256:2 client sha256:c"));
    let environment =
        |side: &mut Side, change: &dyn Fn(&mut Environment)| change(&mut side.stored.finished.as_mut().unwrap().environment);
    environment(&mut before, &|environment| environment.kernel = "6.1".to_owned());
    environment(&mut after, &|environment| environment.identity.settings.baselines = 9);
    let Comparison::Compared(difference) = compare(Some(&before), Some(&after)).comparison else { panic!() };
    let shown: Vec<_> = difference
        .conditions
        .iter()
        .map(|condition| format!("{}: {} {}", condition.what, condition.before, condition.after))
        .collect();
    assert_eq!(shown, ["image: sha256:1 sha256:2", "kernel: 6.1 6.18.0", "setting baselines: 3 9"]);
}

#[test]
fn differences_are_written_as_json_with_their_severity() {
    let before = with_needed(&["brk"], &[]);
    let after = with_needed(&["brk"], &["stub=brk", "fake=brk"]);
    let json = serde_json::to_value(compare(Some(&before), Some(&after))).unwrap();
    assert_eq!(json["state"], "compared");
    assert_eq!(json["items"][0]["change"], "became-required");
    assert_eq!(json["items"][0]["severity"], "worse");
    assert_eq!(json["items"][0]["after"]["verdict"], "required");
    assert_eq!(json["items"][0]["after"]["stub"]["cause"], "exit code 1, expected 0");
}
