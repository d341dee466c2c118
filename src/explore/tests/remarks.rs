//! What is said of the cost of passes, against models of apps whose measures vary.

use std::time::Duration;

use super::*;
use crate::explore::degradation::{MOST_SUSPECTS, QUIET_RUNS};
use crate::trial::Measures;

/// An app of which stubbing or faking `read` breaks everything, and nothing else does anything.
fn model() -> AppModel {
    app(CALLS, &["stub=read", "fake=read"])
}

/// The remarks of a campaign: `futex fake: time ×3`.
fn remarks(driven: &Driven) -> Vec<String> {
    let rows = measured(driven).rows.iter();
    let remarks = rows.flat_map(|(item, row)| row.degraded.iter().map(move |(by, what)| format!("{item} {by}: {what}")));
    remarks.collect()
}

fn quiet(driven: &Driven) -> Vec<String> {
    let quiet = driven.trials.iter().filter(|(request, _)| request.purpose == Purpose::Quiet);
    quiet
        .map(|(request, _)| {
            assert_eq!(request.care, Care::Alone);
            request.intervention.to_string()
        })
        .collect()
}

/// A campaign whose runs measure what `measures` says.
fn campaign(mut measures: impl FnMut(&TrialRequest) -> Measures) -> Driven {
    let model = model();
    let settings = Settings { details: Details::None, reasons: Reasons::None, joint_runs: 1, ..Settings::default() };
    explore(settings, |request| Report { measures: measures(request), ..model.report(request) })
}

fn timed(milliseconds: u64) -> Measures {
    Measures { time: Duration::from_millis(milliseconds), own_time: true, ..Measures::default() }
}

fn files(open: u64) -> Measures {
    Measures { open_files: Some(open), throughput: Some(1000), ..Measures::default() }
}

#[test]
fn what_stands_out_is_run_again_three_times_alone_in_turn_with_the_baseline() {
    let slow = intervention("fake=futex");
    let driven = campaign(|request| timed(if request.intervention == slow { 300 } else { 100 }));
    assert_eq!(quiet(&driven), ["none", "fake=futex"].repeat(3));
    assert_eq!(remarks(&driven), ["futex fake: time ×3"]);
    assert_eq!(measured(&driven).rows[&call("futex")].verdict, Some(Verdict::Any));
    assert!(measured(&driven).unrepeated.is_empty());
}

#[test]
fn what_does_not_hold_each_time_is_no_remark_and_is_given_up_at_once() {
    let slow = intervention("fake=futex");
    for held in 0..QUIET_RUNS {
        let mut alone = 0;
        let driven = campaign(|request| {
            if request.intervention != slow {
                return timed(100);
            }
            alone += u32::from(request.care == Care::Alone);
            timed(if alone <= held { 300 } else { 100 })
        });
        assert_eq!(remarks(&driven), [""; 0]);
        assert_eq!(quiet(&driven).len(), 2 * (held as usize + 1));
    }
}

#[test]
fn load_that_begins_while_suspects_are_repeated_is_no_remark() {
    let slow = intervention("fake=futex");
    for begins in 0..8 {
        let mut alone = 0;
        let driven = campaign(|request| {
            alone += u32::from(request.care == Care::Alone);
            let loaded = request.care == Care::Alone && alone > begins;
            timed(if loaded || (request.care != Care::Alone && request.intervention == slow) { 300 } else { 100 })
        });
        assert_eq!(remarks(&driven), [""; 0], "load that begins before run {begins}");
    }
}

#[test]
fn a_suspect_that_fails_alone_is_decided_again_and_not_remarked() {
    let slow = intervention("fake=futex");
    let model = model();
    let driven = explore(Settings::default(), |request| {
        let mut report = model.report(request);
        report.measures = timed(if request.intervention == slow { 300 } else { 100 });
        if request.intervention == slow && request.purpose == Purpose::Quiet {
            report.outcome = fail();
        }
        report
    });
    let row = &measured(&driven).rows[&call("futex")];
    assert_eq!(row.fake, TreatmentResult::Works { passes: 3, runs: 4 });
    assert_eq!(remarks(&driven), [""; 0]);
    assert_eq!(quiet(&driven), ["none", "fake=futex"]);
}

#[test]
fn a_baseline_that_cannot_be_had_alone_leaves_passes_without_remark() {
    let slow = intervention("fake=futex");
    let model = model();
    for outcome in [fail(), inconclusive()] {
        let driven = explore(Settings::default(), |request| {
            let mut report = model.report(request);
            report.measures = timed(if request.intervention == slow { 300 } else { 100 });
            if request.intervention.is_empty() && request.purpose == Purpose::Quiet {
                report.outcome = outcome.clone();
            }
            report
        });
        assert_eq!(remarks(&driven), [""; 0]);
        assert_eq!(measured(&driven).incomplete.is_empty(), outcome == inconclusive(), "a baseline that fails is told");
    }
}

#[test]
fn no_more_than_so_many_are_repeated_and_the_others_are_named() {
    let driven = campaign(|request| match request.intervention.only() {
        Some((_, Treatment::Fake)) => timed(400),
        Some((item, Treatment::Stub)) if item == call("futex") => timed(900),
        _ => timed(100),
    });
    let measured = measured(&driven);
    let fakes = measured.rows.values().filter(|row| row.fake.works()).count();
    assert!(fakes > MOST_SUSPECTS);
    let slow = measured.rows.values().flat_map(|row| &row.degraded).count();
    assert_eq!((slow, measured.unrepeated.len()), (MOST_SUSPECTS, fakes + 1 - MOST_SUSPECTS));
    assert!(remarks(&driven).contains(&"futex stub: time ×10".to_owned()), "what stands out most comes first");
}

#[test]
fn a_fake_after_which_the_app_does_not_wait_is_remarked() {
    let hasty = intervention("fake=futex");
    let driven = campaign(|request| timed(if request.intervention == hasty { 21 } else { 1002 }));
    assert_eq!(remarks(&driven), ["futex fake: time ×0.02"]);
}

#[test]
fn details_are_looked_at_as_calls_are_beside_baselines_of_their_own() {
    let used = "brk mmap mmap(MAP_POPULATE) read /proc/self/maps";
    let breaks = ["stub=mmap", "fake=mmap", "stub=read", "fake=read", "fake=mmap(MAP_POPULATE)"];
    let model = app(used, &breaks);
    let slow = [intervention("fake=brk"), intervention("stub=mmap(MAP_POPULATE)")];
    let driven = explore(Settings::default(), |request| {
        let measures = timed(if slow.contains(&request.intervention) { 300 } else { 100 });
        Report { measures, ..model.report(request) }
    });
    assert_eq!(remarks(&driven), ["brk fake: time ×3", "mmap(MAP_POPULATE) stub: time ×3"]);
    let rounds = [["none", "fake=brk"].repeat(3), ["none", "stub=mmap(MAP_POPULATE)"].repeat(3)].concat();
    assert_eq!(quiet(&driven), rounds);
}

#[test]
fn answers_to_calls_that_the_app_makes_anyway_are_no_cost_of_the_treatment() {
    // 20,000 calls, whose answers take a trace 20 us each more than the baseline; `futex` is made once, and again and again when faked.
    let model = model();
    let run = |request: &TrialRequest| {
        let mut report = model.report(request);
        let trace = request.watch == Watch::Everything && request.intervention.is_empty();
        report.uses = if trace { BTreeMap::from([(call("close"), 20_000), (call("futex"), 1)]) } else { BTreeMap::new() };
        let answers = match request.intervention.only() {
            None if trace => 20_001,
            Some((item, _)) if item == call("close") => 20_000,
            Some((item, Treatment::Fake)) if item == call("futex") => 20_000,
            _ => 0,
        };
        let time = Duration::from_millis(100) + Duration::from_micros(20) * u32::try_from(answers).unwrap();
        report.measures = Measures { time, own_time: true, cpu_time: time / 2, answers, ..Measures::default() };
        report
    };
    assert_eq!(remarks(&explore(Settings::default(), run)), ["futex fake: time ×5", "futex fake: CPU time ×5"]);
}

/// Numbers from 0 to 99 that depend on the campaign and the trial alone.
fn percentile(seed: u64, request: &TrialRequest) -> u64 {
    noise(seed, request) % 100
}

/// The remarks of so many campaigns, each of which measures what `measures` says for its number.
fn remarks_of(campaigns: u64, measures: impl Fn(u64, &TrialRequest) -> Measures) -> Vec<String> {
    (0..campaigns).flat_map(|seed| remarks(&campaign(|request| measures(seed, request)))).collect()
}

#[test]
fn open_files_that_vary_by_themselves_are_never_remarked() {
    // Of ten connections, any number is closed yet when stock is taken.
    let any = |seed, request: &TrialRequest| files(8 + percentile(seed, request) / 10);
    assert_eq!(remarks_of(1000, any), [""; 0]);
}

#[test]
fn open_files_of_two_kinds_of_runs_are_hardly_ever_remarked() {
    // Nothing that looks at a few runs can rule it out: three baselines of one kind, and three runs of the other.
    let remarked = |percent| {
        remarks_of(200, |seed, request: &TrialRequest| files(if percentile(seed, request) < percent { 18 } else { 8 })).len()
    };
    for percent in [5, 10, 20, 30, 50] {
        assert!(remarked(percent) <= 1, "{percent} %");
    }
}

#[test]
fn what_costs_twice_as_much_is_always_remarked() {
    let leaks = intervention("fake=close");
    let spins = intervention("stub=futex");
    let remarked = remarks_of(1000, |seed, request| {
        let vary = |number: u64| number + number * percentile(seed, request) / 1000;
        let (open, cpu) = if request.intervention == leaks {
            (18, 200)
        } else if request.intervention == spins {
            (8, 450)
        } else {
            (8, 200)
        };
        Measures { cpu_time: Duration::from_millis(vary(cpu)), ..files(vary(open)) }
    });
    assert_eq!(remarked.len(), 2000);
    assert!(remarked.iter().all(|remark| ["close fake: open files ×2", "futex stub: CPU time ×2"].contains(&remark.as_str())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn remarks_do_not_depend_on_the_order_in_which_trials_end_and_cost_a_bounded_number(
        seed: u64,
        percent in 0_u64..40,
        order in prop::collection::vec(0_usize..64, 1..40),
        jobs in 1_usize..9,
    ) {
        let model = model();
        let run = |request: &TrialRequest| {
            let number = noise(seed, request);
            let measures = Measures { open_files: Some(number % 40), ..timed(number / 40 % 400) };
            Report { measures, ..noisy(&model, seed, percent, request) }
        };
        let one_by_one = drive(Explorer::new(Settings::default()), 1, |_| 0, run);
        let mut turn = order.iter().cycle();
        let shuffled = drive(Explorer::new(Settings::default()), jobs, |_| *turn.next().unwrap(), run);
        prop_assert_eq!(&shuffled.findings, &one_by_one.findings);
        prop_assert!(shuffled.trials.len() <= most_trials(&shuffled));
        prop_assert!(quiet(&shuffled).len() <= (MOST_SUSPECTS + 1) * (QUIET_RUNS as usize + 2));
    }
}
