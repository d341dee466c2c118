//! Fallbacks, against models of apps.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{AppModel, Driven, drive};
use super::super::{Details, Explorer, FallbackTable, Findings, Knowledge, Known, Measured, Reasons, Report, Settings, Strategy};
use super::{SPEAKERS, UNDISTURBED};
use crate::trial::{COSTLY_NEW_USES, Intervention, Item, NewUse, Outcome, Purpose, Treatment, TrialRequest, Watch};

fn item(text: &str) -> Item {
    text.parse().unwrap()
}

fn items(text: &str) -> Vec<Item> {
    text.split(' ').map(item).collect()
}

fn intervention(text: &str) -> Intervention {
    text.parse().unwrap()
}

/// An app that uses these items and is broken by each of `breaks`.
fn app(used: &str, breaks: &[&str]) -> AppModel {
    breaks.iter().fold(AppModel::new(items(used)), |model, text| model.broken_by(intervention(text)))
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

/// The table, a line of text per item.
fn fallbacks(driven: &Driven) -> Vec<String> {
    let table = measured(driven).fallbacks.as_ref().unwrap();
    let names = |uses: &BTreeSet<Item>| uses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let alone = table.alone.iter().map(|((item, treatment), uses)| format!("{treatment} {item}: {}", names(uses)));
    let together = (!table.together.is_empty()).then(|| format!("together: {}", names(&table.together)));
    alone.chain(together).collect()
}

/// The trials that were made for nothing else, as text.
fn extra(driven: &Driven) -> Vec<String> {
    let requests = driven.trials.iter().map(|(request, _)| request);
    let extra = requests.filter(|request| request.purpose == Purpose::Fallback);
    extra.map(|request| format!("{} {}", request.watch.name(), request.intervention)).collect()
}

/// The app of the case: it waits for a child by pidfd or, without, by `wait4`.
fn waiter() -> AppModel {
    app("brk pidfd_open poll waitid write", &["stub=write", "fake=write", "stub=poll", "fake=poll", "fake=pidfd_open"])
        .broken_by(intervention("stub=waitid"))
        .broken_by(intervention("fake=waitid"))
        .falls_back(intervention("stub=pidfd_open"), items("wait4 wait4(WNOHANG)"))
        .without_use_under(intervention("stub=pidfd_open"), items("poll waitid"))
}

#[test]
fn app_without_fallbacks_needs_no_further_trial_and_has_an_empty_table() {
    let driven = explore(Settings::default(), |request| app("brk close read", &["stub=read", "fake=read"]).report(request));
    assert_eq!(measured(&driven).fallbacks, Some(FallbackTable::default()));
    assert_eq!(measured(&driven).not_made, Some(BTreeSet::new()));
    assert_eq!(extra(&driven), Vec::<String>::new());
}

#[test]
fn calls_in_place_of_a_stubbed_one_are_found_in_the_trials_that_are_made_anyway() {
    let driven = explore(Settings::default(), |request| waiter().report(request));
    assert_eq!(fallbacks(&driven), ["stub pidfd_open: wait4 wait4(WNOHANG)"]);
    // Whether undisturbed runs make them as well, and nothing else, has to be found out.
    assert_eq!(extra(&driven), vec!["treated none"; UNDISTURBED]);
    assert_eq!(measured(&driven).not_made, Some(items("poll waitid").into_iter().collect()));
}

#[test]
fn pseudo_file_behind_a_familiar_call_is_found_in_the_watched_run_and_attributed_to_the_item_before_it() {
    let model = app("brk getrandom openat read", &["stub=openat", "fake=openat", "stub=read", "fake=read", "fake=getrandom"])
        .falls_back(intervention("stub=getrandom"), items("/dev/urandom"));
    let driven = explore(Settings::default(), |request| model.report(request));
    assert_eq!(fallbacks(&driven), ["stub getrandom: /dev/urandom"]);
    assert_eq!(
        extra(&driven).iter().filter(|text| text.starts_with("everything")).collect::<Vec<_>>(),
        ["everything stub=getrandom"]
    );
}

#[test]
fn fallback_of_an_item_that_the_others_switch_off_is_found_by_watching_it_in_a_smaller_group() {
    let model = app("brk getrandom openat read", &["stub=openat", "fake=openat", "stub=read", "fake=read", "fake=getrandom"])
        .falls_back(intervention("stub=getrandom"), items("/dev/urandom"))
        .without_use_under(intervention("stub=brk"), items("getrandom /dev/urandom"))
        .without_use_under(intervention("fake=brk"), items("getrandom /dev/urandom"));
    let driven = explore(Settings::default(), |request| model.report(request));
    assert_eq!(fallbacks(&driven), ["stub getrandom: /dev/urandom"]);
    assert!(extra(&driven).contains(&"everything stub=getrandom".to_owned()));
}

#[test]
fn fallback_of_a_treatment_that_the_joint_configuration_does_not_choose_is_found_as_well() {
    let model = app("brk prlimit64 read", &["stub=read", "fake=read"])
        .falls_back(intervention("fake=prlimit64"), items("getrlimit /proc/self/limits"))
        .falls_back(intervention("stub=prlimit64"), items("getrlimit"));
    let driven = explore(Settings::default(), |request| model.report(request));
    assert_eq!(fallbacks(&driven), ["stub prlimit64: getrlimit", "fake prlimit64: getrlimit /proc/self/limits"]);
}

#[test]
fn what_only_several_treatments_lead_to_is_used_together() {
    let model = app("brk close read umask", &["stub=read", "fake=read"])
        .falls_back(intervention("stub=brk,umask"), items("mmap /proc/self/maps"));
    let driven = explore(Settings::default(), |request| model.report(request));
    assert_eq!(fallbacks(&driven), ["together: mmap /proc/self/maps"]);
}

#[test]
fn what_undisturbed_runs_use_now_and_then_is_no_fallback() {
    let model = app("brk close read umask", &["stub=read", "fake=read"]);
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        // A call that every run makes but for the traces.
        if let Some(new_uses) = &mut report.new_uses {
            new_uses.insert(item("sched_yield"), NewUse::default());
        }
        report
    });
    assert_eq!(fallbacks(&driven), Vec::<String>::new());
}

#[test]
fn what_one_run_of_an_item_shows_and_the_next_one_does_not_is_chance() {
    let model = app("brk close read umask", &["stub=read", "fake=read"]);
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        let first = request.purpose == Purpose::Single && request.replica == 0;
        if let Some(new_uses) = report.new_uses.as_mut().filter(|_| first) {
            new_uses.insert(item("sched_yield"), NewUse::default());
        }
        report
    });
    assert_eq!(fallbacks(&driven), Vec::<String>::new());
    // It was noted of six treatments; a few speak for all of them.
    assert_eq!(extra(&driven).iter().filter(|text| text.starts_with("everything")).count(), SPEAKERS);
}

#[test]
fn a_new_call_of_many_items_is_run_again_for_a_few_of_them() {
    let used = "brk close dup fsync getpid umask read";
    let model = items(used).into_iter().filter(|used| *used != item("read")).fold(
        app(used, &["stub=read", "fake=read"]),
        // One after the other, so that no group shows which of them it was.
        |model, used| model.falls_back(Intervention::single(used, Treatment::Stub), items("write")),
    );
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        for new in report.new_uses.iter_mut().flat_map(BTreeMap::values_mut) {
            new.after.clear();
        }
        report
    });
    assert_eq!(fallbacks(&driven).len(), 6);
    assert_eq!(extra(&driven).iter().filter(|text| text.starts_with("everything")).count(), SPEAKERS);
}

#[test]
fn without_watched_runs_new_calls_are_found_and_confirmed() {
    for settings in [
        Settings { reasons: Reasons::None, ..Settings::default() },
        Settings { count_hits: false, ..Settings::default() },
        Settings { reasons: Reasons::None, details: Details::None, ..Settings::default() },
    ] {
        let driven = explore(settings, |request| waiter().report(request));
        assert_eq!(fallbacks(&driven), ["stub pidfd_open: wait4 wait4(WNOHANG)"], "{settings:?}");
        assert_eq!(measured(&driven).not_made, None);
        assert!(driven.trials.iter().all(|(request, _)| request.purpose == Purpose::Trace || request.watch != Watch::Everything));
    }
}

#[test]
fn campaign_of_guesses_finds_uses_of_everything_together() {
    let driven = explore(Settings { strategy: Strategy::Joint, ..Settings::default() }, |request| waiter().report(request));
    assert_eq!(fallbacks(&driven), ["together: wait4 wait4(WNOHANG)"]);
    assert_eq!(measured(&driven).not_made, Some(items("poll waitid").into_iter().collect()));
}

/// What a campaign knows of the image before.
fn before(driven: &Driven) -> Known {
    let measured = measured(driven);
    let settings = Settings::default();
    let mut singles = BTreeMap::<(Item, Treatment), Vec<Report>>::new();
    for (request, report) in driven.trials.iter().filter(|(request, _)| request.purpose == Purpose::Single) {
        singles.entry(request.intervention.only().unwrap()).or_default().push(report.clone());
    }
    let passed =
        driven.trials.iter().filter(|(request, report)| request.purpose == Purpose::Others && report.outcome == Outcome::Pass);
    Known {
        joint: measured.everything.as_ref().unwrap_or(&measured.joint).configuration.clone(),
        others: passed.map(|(request, _)| request.intervention.clone()).collect(),
        results: singles
            .into_iter()
            .filter_map(|(single, reports)| Some((single, Known::result(single.0, reports, &settings)?)))
            .collect(),
        fallbacks: measured.fallbacks.clone(),
        not_made: measured.not_made.clone(),
        ..Known::default()
    }
}

fn recheck(before: Known, run: impl FnMut(&TrialRequest) -> Report) -> Driven {
    let knowledge = Knowledge { before: Some(before), ..Knowledge::default() };
    drive(Explorer::with(Settings::default(), knowledge), 4, |_| 0, run)
}

#[test]
fn fallbacks_of_verdicts_that_are_taken_over_stay_and_cost_nothing() {
    let model = waiter().falls_back(intervention("stub=brk,pidfd_open"), items("/proc/self/maps"));
    let first = explore(Settings::default(), |request| model.report(request));
    let again = recheck(before(&first), |request| model.report(request));
    assert_eq!(fallbacks(&first), ["stub pidfd_open: wait4 wait4(WNOHANG)", "together: /proc/self/maps"]);
    assert_eq!(fallbacks(&again), fallbacks(&first));
    assert_eq!(measured(&again).not_made, measured(&first).not_made);
    assert!(extra(&again).iter().all(|text| text == "treated none"), "{:?}", extra(&again));
}

#[test]
fn fallback_that_an_image_gained_is_found_when_it_is_verified() {
    let first = explore(Settings::default(), |request| waiter().report(request));
    let model = waiter().falls_back(intervention("stub=brk"), items("mmap"));
    let again = recheck(before(&first), |request| model.report(request));
    assert_eq!(fallbacks(&again), ["stub brk: mmap", "stub pidfd_open: wait4 wait4(WNOHANG)"]);
    // What the new image does anyway is no fallback any more.
    let model = AppModel::new(items("brk pidfd_open poll waitid wait4 wait4(WNOHANG) write"));
    let model = ["write", "poll", "wait4", "wait4(WNOHANG)", "waitid"].into_iter().fold(model, |model, used| {
        Treatment::ALL.into_iter().fold(model, |model, treatment| model.broken_by(Intervention::single(item(used), treatment)))
    });
    let again = recheck(before(&first), |request| model.report(request));
    assert_eq!(fallbacks(&again), Vec::<String>::new());
}

#[test]
fn frequent_new_calls_are_not_noted_again_where_the_first_run_failed() {
    let model =
        app("brk close epoll_wait read", &["stub=read", "fake=read"]).falls_back(intervention("stub=epoll_wait"), items("poll"));
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        let costly = request.traced.is_some() && request.watch == Watch::Treated;
        if let Some(new) = report.new_uses.as_mut().and_then(|uses| uses.get_mut(&item("poll"))).filter(|_| costly) {
            // Noting takes so long that the run is late.
            new.count = COSTLY_NEW_USES;
            report.outcome = super::super::model::fail();
            report.doubtful = true;
        }
        report
    });
    assert_eq!(measured(&driven).rows[&item("epoll_wait")].verdict, Some(super::super::Verdict::Any));
    assert_eq!(fallbacks(&driven), ["stub epoll_wait: poll"]);
}

#[test]
fn item_that_not_every_trace_saw_is_not_said_to_be_left_out() {
    let model = app("brk read", &["stub=read", "fake=read"]);
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        if request.purpose == Purpose::Trace && request.replica == 1 {
            report.seen.insert(item("restart_syscall"));
        }
        report
    });
    let left_out = measured(&driven).not_made.clone().unwrap();
    assert!(!left_out.contains(&item("restart_syscall")));
}
