use super::*;
use crate::trial::{CallLog, CallStatistics};

/// What an app really does: the calls that it makes, in order, and those that it makes only once another one fails.
#[derive(Debug, Clone, Default)]
struct Model {
    /// With what it accepts.
    calls: Vec<(Sysno, Vec<Treatment>)>,
    /// `(after, then)`: once `after` is stubbed, `then` is made, with what it accepts.
    fallbacks: Vec<(Sysno, Sysno, Vec<Treatment>)>,
}

impl Model {
    fn of(facts: &AppFacts) -> Self {
        let accepted =
            |call: &Sysno| Treatment::ALL.into_iter().filter(|each| facts.need(*call).unwrap().accepts(*each)).collect();
        Self { calls: facts.calls.keys().map(|call| (*call, accepted(call))).collect(), fallbacks: Vec::new() }
    }

    fn run(&self, intervention: &Intervention, facts: &AppFacts) -> Evidence {
        let mut log = CallLog::default();
        let mut passes = true;
        let mut make = |call: Sysno, accepted: &[Treatment]| {
            let treatment = intervention.get(Item::Call(call));
            let first = u32::try_from(log.calls.len()).unwrap();
            log.calls.insert(call, CallStatistics { count: 1, first, ..CallStatistics::default() });
            passes &= treatment.is_none_or(|treatment| accepted.contains(&treatment));
            treatment == Some(Treatment::Stub)
        };
        for (call, accepted) in &self.calls {
            if make(*call, accepted) {
                for (_, then, accepted) in self.fallbacks.iter().filter(|(after, _, _)| after == call) {
                    make(*then, accepted);
                }
            }
        }
        let absent = Absent::seen(intervention, &log, Some(facts));
        if passes {
            Evidence::Passed { runs: 3, passes: 3, absent }
        } else {
            Evidence::Failed { runs: 2, passes: 0, reason: "exit code 1".to_owned(), absent }
        }
    }
}

/// Verifies to the end, and tells how many probes that took.
fn verified(os: &Profile, apps: &[AppFacts], models: &BTreeMap<String, Model>) -> (Plan, Vec<Correction>, Vec<StepState>, usize) {
    let weights = Weights::default();
    let runnable = apps.iter().map(|app| (app.name.clone(), Ok(()))).collect();
    let mut verification = Verification::new(os, apps.to_vec(), Vec::new(), Objective::NextApp, &weights, runnable);
    let mut count = 0;
    loop {
        let probes = verification.due();
        if probes.is_empty() {
            break;
        }
        for probe in probes {
            let facts = verification.facts().iter().find(|facts| facts.name == probe.app).unwrap();
            let evidence = models[&probe.app].run(&probe.intervention, facts);
            verification.record(&probe, evidence);
            count += 1;
            assert!(count < 5000, "it does not come to an end");
        }
    }
    let states = verification.states().into_iter().map(|(_, _, state)| state).collect();
    (verification.plan().clone(), verification.corrections().to_vec(), states, count)
}

fn models(apps: &[AppFacts]) -> BTreeMap<String, Model> {
    apps.iter().map(|app| (app.name.clone(), Model::of(app))).collect()
}

#[test]
fn a_plan_that_holds_is_verified_in_three_runs_per_app_and_stays_as_it_is() {
    let apps = [app("a", "read write uname?"), app("b", "read open")];
    let os = os("read");
    let (plan, corrections, states, count) = verified(&os, &apps, &models(&apps));
    assert_eq!((&plan, corrections.len()), (&planned(&os, &apps), 0));
    assert!(states.iter().all(|state| *state == StepState::Verified));
    // Each after and before its step, and the first once more at the end.
    assert_eq!(count, 5);
}

#[test]
fn a_call_that_appears_once_another_is_stubbed_is_found_and_planned() {
    let apps = [app("a", "read exit_group?")];
    let mut models = models(&apps);
    models.get_mut("a").unwrap().fallbacks = vec![(call("exit_group"), call("exit"), Vec::new())];
    let (plan, corrections, states, _) = verified(&os("read"), &apps, &models);
    assert_eq!(steps(&plan), ["|||", "exit|exit_group||a"]);
    let [correction] = &corrections[..] else { panic!("{corrections:?}") };
    assert_eq!((correction.call, correction.treatment, correction.before), (call("exit"), None, None));
    assert_eq!(states, [StepState::Verified]);
}

#[test]
fn the_other_treatment_is_found_where_it_does() {
    let apps = [app("a", "read prlimit64?")];
    let mut models = models(&apps);
    models.get_mut("a").unwrap().fallbacks = vec![(call("prlimit64"), call("getrlimit"), vec![Treatment::Fake])];
    let (plan, corrections, states, _) = verified(&os("read"), &apps, &models);
    assert_eq!(steps(&plan), ["|prlimit64|getrlimit|a"]);
    assert_eq!(corrections[0].treatment, Some(Treatment::Fake));
    assert_eq!(states, [StepState::Verified]);
}

#[test]
fn what_the_results_wrongly_call_required_is_not_implemented_for_nothing() {
    let apps = [app("a", "read mmap")];
    let mut models = models(&apps);
    models.get_mut("a").unwrap().calls = vec![(call("read"), Vec::new()), (call("mmap"), vec![Treatment::Stub])];
    let (plan, corrections, states, _) = verified(&os("read"), &apps, &models);
    assert_eq!(steps(&plan), ["|mmap||a"]);
    assert_eq!((corrections[0].treatment, corrections[0].why.as_str()), (Some(Treatment::Stub), "it runs without"));
    assert_eq!(states, [StepState::Verified]);
}

#[test]
fn what_cannot_be_run_is_unverified_and_what_never_runs_is_refuted() {
    let apps = [app("a", "read"), app("b", "read")];
    let weights = Weights::default();
    let os = os("read");
    let runnable = BTreeMap::from([("a".to_owned(), Err("no folder".to_owned())), ("b".to_owned(), Ok(()))]);
    let mut verification = Verification::new(&os, apps.to_vec(), Vec::new(), Objective::NextApp, &weights, runnable);
    loop {
        let probes = verification.due();
        if probes.is_empty() {
            break;
        }
        for probe in probes {
            assert_eq!(probe.app, "b");
            let reason = "exit code 7".to_owned();
            verification.record(&probe, Evidence::Failed { runs: 2, passes: 0, reason, absent: Vec::new() });
        }
    }
    let states: Vec<_> = verification.states().into_iter().map(|(_, _, state)| state).collect();
    assert_eq!(states[0], StepState::Unverified("no folder".to_owned()));
    assert!(
        matches!(&states[1], StepState::Refuted(why) if why.starts_with("exit code 7; it fails even with every missing call"))
    );
    assert!(!verification.holds());
}

#[test]
fn trouble_is_no_evidence() {
    let apps = [app("a", "read write")];
    let weights = Weights::default();
    let os = os("read");
    let runnable = BTreeMap::from([("a".to_owned(), Ok(()))]);
    let mut verification = Verification::new(&os, apps.to_vec(), Vec::new(), Objective::NextApp, &weights, runnable);
    let [probe] = &verification.due()[..] else { panic!("one app, one probe") };
    let probe = probe.clone();
    verification.record(&probe, Evidence::Inconclusive { reason: "no space".to_owned() });
    assert!(verification.due().is_empty());
    assert_eq!(verification.states()[0].2, StepState::Unverified("no space".to_owned()));
    assert!(verification.corrections().is_empty());
}

/// Apps whose results are right as far as they go, with calls that no trace has shown.
fn surprising() -> impl Strategy<Value = (Profile, Vec<AppFacts>, BTreeMap<String, Model>)> {
    let pool: Vec<_> = Sysno::all().step_by(23).collect();
    let treatments = prop::sample::subsequence(Treatment::ALL.to_vec(), 0..=2);
    let calls = prop::collection::btree_map(prop::sample::select(pool.clone()), treatments.clone(), 1..8);
    let fallbacks = prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(pool.clone()), treatments), 0..3);
    let there = prop::collection::btree_set(prop::sample::select(pool), 0..8);
    (there, prop::collection::vec((calls, fallbacks), 1..4)).prop_map(|(there, apps)| {
        let os = Profile::of("Toy", there);
        let mut models = BTreeMap::new();
        let mut facts = Vec::new();
        for (index, (calls, fallbacks)) in apps.into_iter().enumerate() {
            let name = format!("app{index}");
            let used: Vec<_> = calls.keys().copied().collect();
            let fallback = |(index, then, accepted): (prop::sample::Index, Sysno, Vec<Treatment>)| {
                (!calls.contains_key(&then)).then(|| (*index.get(&used), then, accepted))
            };
            let fallbacks = fallbacks.into_iter().filter_map(fallback).collect();
            let of_call = |accepted: &Vec<Treatment>| CallFacts {
                stub: accepted.contains(&Treatment::Stub),
                fake: accepted.contains(&Treatment::Fake),
                joint: None,
            };
            let known = calls.iter().map(|(call, accepted)| (*call, of_call(accepted))).collect();
            facts.push(AppFacts { name: name.clone(), calls: known, ..AppFacts::default() });
            models.insert(name, Model { calls: calls.into_iter().collect(), fallbacks });
        }
        (os, facts, models)
    })
}

proptest! {
    #[test]
    fn in_the_end_every_step_holds_however_apps_surprise((os, apps, models) in surprising()) {
        let (plan, _, states, _) = verified(&os, &apps, &models);
        prop_assert!(states.iter().all(|state| *state == StepState::Verified), "{states:?}\n{plan:?}");
        // And that is no mere claim: the models run on the OS of each step.
        for step in &plan.steps {
            for name in &step.unlocks {
                let facts = apps.iter().find(|app| app.name == *name).unwrap();
                let intervention = Surroundings::after(&plan, step.number).intervention(Architecture::NATIVE, None);
                let passed = matches!(models[name].run(&intervention, facts), Evidence::Passed { .. });
                prop_assert!(passed, "{} in step {}", name, step.number);
            }
        }
    }
}
