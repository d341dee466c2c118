use super::*;

#[test]
fn the_app_with_the_fewest_missing_calls_is_next_and_ties_go_to_the_first() {
    let apps = [app("c", "read write mmap"), app("b", "read open"), app("a", "read close"), app("z", "read")];
    let plan = planned(&os("read"), &apps);
    assert_eq!(steps(&plan), ["|||z", "open|||b", "close|||a", "mmap write|||c"]);
    assert_eq!(plan.totals(), (4, 0, 0));
    assert_eq!(plan.unlocked(), 4);
}

#[test]
fn step_zero_lists_what_runs_now_and_what_that_needs() {
    let plan = planned(&os("read"), &[app("a", "read write? open+"), app("b", "read write-")]);
    assert_eq!(steps(&plan), ["|write|open|a b"]);
    assert_eq!(plan.uses[&call("write")].avoided, ["a", "b"]);
}

#[test]
fn an_app_that_needs_nothing_new_joins_the_step_after_which_it_runs() {
    let apps =
        [app("a", "read"), app("b", "read open?"), app("c", "read write"), app("d", "write open-"), app("e", "read write")];
    let plan = planned(&os("open"), &apps);
    // `b` needs nothing new, as `open` is there. `e` joins `c`, and not the last step.
    assert_eq!(steps(&plan), ["|||", "read|||a b", "write|||c d e"]);
}

#[test]
fn an_app_that_only_needs_something_stubbed_has_a_step_of_its_own() {
    let apps = [app("a", "read write"), app("b", "read mmap?"), app("c", "read mmap-")];
    let plan = planned(&os(""), &apps);
    assert_eq!(steps(&plan), ["|||", "read|mmap||b c", "write|||a"]);
    let apps = [app("a", "read"), app("b", "read mmap?"), app("c", "read")];
    assert_eq!(steps(&planned(&os(""), &apps)), ["|||", "read|||a c", "|mmap||b"]);
}

#[test]
fn a_treatment_that_all_accept_is_taken_and_told() {
    let plan = planned(&os("read"), &[app("a", "read uname?"), app("b", "read uname+ open")]);
    assert_eq!(steps(&plan), ["||uname|a", "open|||b"]);
    let [conflict] = &plan.conflicts[..] else { panic!("{:?}", plan.conflicts) };
    assert_eq!(
        (conflict.call, &conflict.stub[..], &conflict.fake[..]),
        (call("uname"), &["a".to_owned()][..], &["b".to_owned()][..])
    );
    assert_eq!(conflict.resolution, Resolution::Treat(Treatment::Fake));
}

#[test]
fn a_call_about_which_apps_contradict_each_other_is_implemented_and_told() {
    let apps = [app("a", "read uname-"), app("b", "read uname+"), app("c", "read uname?")];
    let plan = planned(&os("read"), &apps);
    assert_eq!(steps(&plan), ["|uname||a c", "uname|||b"]);
    let [conflict] = &plan.conflicts[..] else { panic!("{:?}", plan.conflicts) };
    assert_eq!(conflict.resolution, Resolution::Implement(1));
    assert_eq!((&conflict.stub[..], &conflict.fake[..]), (&["a".to_owned()][..], &["b".to_owned()][..]));
}

#[test]
fn who_is_unlocked_after_a_call_is_implemented_relies_on_no_treatment_of_it() {
    let plan = planned(&os("read"), &[app("a", "read uname-"), app("b", "read uname"), app("c", "read uname+ open mmap")]);
    assert_eq!(steps(&plan), ["|uname||a", "uname|||b", "mmap open|||c"]);
    assert!(plan.conflicts.is_empty(), "{:?}", plan.conflicts);
}

#[test]
fn unknown_apps_are_listed_and_never_run() {
    let plan = plan(&os("read"), &[app("a", "read")], vec!["b".to_owned()], Objective::NextApp, &Weights::default());
    assert_eq!((steps(&plan), plan.unknown.as_slice()), (vec!["|||a".to_owned()], &["b".to_owned()][..]));
}

#[test]
fn costs_decide_what_is_cheapest() {
    let weights = Weights { calls: BTreeMap::from([(call("open"), 5)]), ..Weights::default() };
    let apps = [app("a", "open"), app("b", "close mmap")];
    let plan = plan(&os("read"), &apps, Vec::new(), Objective::NextApp, &weights);
    assert_eq!(steps(&plan), ["|||", "close mmap|||b", "open|||a"]);
}

#[test]
fn value_goes_to_the_calls_that_bring_the_most() {
    // One call for one app, or two calls for three apps.
    let apps = [app("a", "open"), app("b", "close mmap"), app("c", "close mmap"), app("d", "close")];
    let order = |weights: &Weights| steps(&plan(&os("read"), &apps, Vec::new(), Objective::Value, weights));
    assert_eq!(order(&Weights::default()), ["|||", "close mmap|||b c d", "open|||a"]);
    let popular = Weights { apps: BTreeMap::from([("a".to_owned(), 9)]), ..Weights::default() };
    assert_eq!(order(&popular), ["|||", "open|||a", "close mmap|||b c d"]);
}

#[test]
fn a_budget_buys_as_many_apps_as_it_can() {
    // The cheapest app first would leave no calls for the four others.
    let apps =
        [app("a", "open"), app("b", "close mmap"), app("c", "close mmap"), app("d", "close mmap"), app("e", "close mmap brk")];
    let within = |budget| plan(&os("read"), &apps, Vec::new(), Objective::Budget(budget), &Weights::default());
    let two = within(2);
    assert_eq!(steps(&two), ["|||", "close mmap|||b c d"]);
    let left_out: Vec<_> = two.left_out.iter().map(|(app, missing)| (app.as_str(), missing.len())).collect();
    assert_eq!(left_out, [("a", 1), ("e", 1)]);
    assert_eq!(within(3).unlocked(), 4);
    assert_eq!(within(4).unlocked(), 5);
    assert_eq!(within(0).unlocked(), 0);
}

fn with_features(name: &str, needs: &str, features: &[(&str, bool)]) -> AppFacts {
    let facts = |required: bool| DetailFacts { stub: Some(!required), fake: Some(!required), joint: None };
    let features = features.iter().map(|(text, required)| (text.parse::<Feature>().unwrap(), facts(*required)));
    AppFacts { features: Some(features.collect()), files: Some(BTreeMap::new()), ..app(name, needs) }
}

#[test]
fn a_call_is_implemented_with_the_features_that_are_needed_and_extended_later() {
    let apps = [
        with_features("a", "ioctl", &[("ioctl(TIOCGWINSZ)", true), ("ioctl(TCGETS)", false)]),
        with_features("b", "ioctl mmap", &[("ioctl(FIONREAD)", true), ("ioctl(TIOCGWINSZ)", true)]),
        app("c", "ioctl mmap brk"),
    ];
    let plan = planned(&os("read"), &apps);
    assert_eq!(steps(&plan), ["|||", "ioctl|||a", "mmap|||b", "brk|||c"]);
    let names = |features: &[Feature]| features.iter().map(ToString::to_string).collect::<Vec<_>>();
    let only = &plan.steps[1].only[&call("ioctl")];
    assert_eq!(
        (names(&only.required), names(&only.others)),
        (vec!["ioctl(TIOCGWINSZ)".to_owned()], vec!["ioctl(TCGETS)".to_owned()])
    );
    let [extension] = &plan.steps[2].extend[..] else { panic!("{:?}", plan.steps[2]) };
    assert_eq!(names(extension.features.as_ref().unwrap()), ["ioctl(FIONREAD)"]);
    let extended: Vec<_> = plan.steps[3].extend.iter().map(|extension| (extension.call.name(), &extension.features)).collect();
    assert_eq!(extended, [("ioctl", &None), ("mmap", &None)], "nobody knows which features `c` needs");
}

#[test]
fn what_an_os_has_in_part_is_extended_before_an_app_runs() {
    let text = "read\nioctl(FIONREAD)\n/proc/self/maps\n";
    let os = Profile::parse("toy", text).unwrap();
    let apps = [
        with_features("a", "read ioctl", &[("ioctl(FIONREAD)", true)]),
        with_features("b", "read ioctl", &[("ioctl(TIOCGWINSZ)", true)]),
        app("c", "read ioctl"),
        with_features("d", "read ioctl?", &[]),
    ];
    let plan = planned(&os, &apps);
    assert_eq!(plan.steps[0].unlocks, ["a", "d"]);
    assert_eq!(plan.steps[1].unlocks, ["b"]);
    assert_eq!(plan.steps[1].extend[0].features.as_ref().unwrap().len(), 1);
    assert_eq!((plan.steps[2].unlocks[0].as_str(), &plan.steps[2].extend[0].features), ("c", &None));
}

#[test]
fn pseudo_files_are_listed_once_and_those_that_are_there_are_not() {
    let files = |names: &[&str]| {
        let facts = DetailFacts { stub: Some(false), fake: Some(false), joint: None };
        Some(names.iter().map(|name| (name.parse().unwrap(), facts)).collect())
    };
    let apps = [
        AppFacts { files: files(&["/proc/self/maps", "/dev/urandom"]), ..app("a", "read") },
        AppFacts { files: files(&["/proc/self/maps", "/proc/self/status"]), ..app("b", "read write") },
    ];
    let listed = |plan: &Plan| {
        plan.steps.iter().map(|step| step.files.iter().map(ToString::to_string).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let plan = planned(&os("read"), &apps);
    assert_eq!(listed(&plan), [vec!["/dev/urandom", "/proc/self/maps"], vec!["/proc/self/status"]]);
    let os = Profile::parse("toy", "read\n/proc/self/maps\n").unwrap();
    assert_eq!(listed(&planned(&os, &apps)), [vec!["/dev/urandom"], vec!["/proc/self/status"]]);
}

#[test]
fn the_way_to_one_app_is_what_it_needs_and_tells_who_else_runs_then() {
    let apps = [app("a", "read"), app("b", "read write"), app("c", "read write open uname+"), app("d", "mmap")];
    let answer = unlock(&os("read"), &apps, "c").unwrap();
    assert_eq!(steps(&answer.plan), ["|||", "open write||uname|c"]);
    assert_eq!((answer.now.as_slice(), answer.also.as_slice()), (&["a".to_owned()][..], &["b".to_owned()][..]));
    assert_eq!(steps(&unlock(&os("read"), &apps, "a").unwrap().plan), ["|||a"]);
    assert_eq!(unlock(&os("read"), &apps, "x"), None);
}

#[test]
fn calls_bring_apps_or_bring_them_closer_or_are_of_no_use() {
    let apps = [app("a", "read"), app("b", "read write"), app("c", "write open mmap"), app("d", "brk uname?")];
    let answer = what_if(&os("read"), &apps, &calls("write open read uname"));
    assert_eq!((answer.now.as_slice(), answer.gained.as_slice()), (&["a".to_owned()][..], &["b".to_owned()][..]));
    assert_eq!((answer.there, answer.useless), (calls("read"), calls("uname")));
    let [closer] = &answer.closer[..] else { panic!("{:?}", answer.closer) };
    assert_eq!((closer.app.as_str(), closer.before, &closer.missing), ("c", 3, &calls("mmap")));
}

/// Made-up facts of apps, of few calls so that they meet.
fn some_apps() -> impl Strategy<Value = Vec<AppFacts>> {
    let facts = (any::<bool>(), any::<bool>(), prop::option::of(prop::sample::select(explore::Plan::ALL)));
    let facts = facts.prop_map(|(stub, fake, joint)| CallFacts { stub, fake, joint });
    let pool: Vec<_> = Sysno::all().step_by(17).collect();
    let calls = prop::collection::btree_map(prop::sample::select(pool), facts, 1..12);
    prop::collection::vec(calls, 1..12).prop_map(|apps| {
        let app = |(index, calls)| AppFacts { name: format!("app{index}"), calls, ..AppFacts::default() };
        apps.into_iter().enumerate().map(app).collect()
    })
}

fn some_os() -> impl Strategy<Value = Profile> {
    let pool: Vec<_> = Sysno::all().step_by(17).collect();
    prop::collection::btree_set(prop::sample::select(pool), 0..15).prop_map(|calls| Profile::of("Toy", calls))
}

/// What has to be true of every plan.
fn check_plan(plan: &Plan, apps: &[AppFacts]) -> Result<(), TestCaseError> {
    let by_name: BTreeMap<_, _> = apps.iter().map(|app| (app.name.as_str(), app)).collect();
    let mut running = Vec::new();
    let mut implemented = BTreeSet::new();
    for step in &plan.steps {
        prop_assert!(step.number == 0 || !step.unlocks.is_empty(), "a step brings an app");
        for call in &step.implement {
            prop_assert!(!plan.os.calls().contains(*call) && implemented.insert(*call), "{} is implemented once", call);
        }
        running.extend(step.unlocks.iter().map(|name| by_name[name.as_str()]));
        let (there, faked) = (plan.calls_at(step.number), plan.faked_at(step.number));
        for app in &running {
            for (call, facts) in &app.calls {
                let treatment = if faked.contains(call) { Treatment::Fake } else { Treatment::Stub };
                prop_assert!(
                    there.contains(*call) || facts.need().accepts(treatment),
                    "{} cannot live with {} of {} after step {}",
                    app.name,
                    treatment,
                    call,
                    step.number
                );
            }
        }
    }
    let mut unlocked: Vec<_> = plan.steps.iter().flat_map(|step| step.unlocks.iter().cloned()).collect();
    unlocked.extend(plan.left_out.iter().map(|(name, _)| name.clone()));
    unlocked.sort();
    let mut names: Vec<_> = apps.iter().map(|app| app.name.clone()).collect();
    names.sort();
    prop_assert_eq!(unlocked, names, "every app is in the plan once");
    Ok(())
}

proptest! {
    #[test]
    fn after_each_step_all_apps_so_far_run_on_one_and_the_same_os(os in some_os(), apps in some_apps()) {
        let plan = planned(&os, &apps);
        check_plan(&plan, &apps)?;
        prop_assert!(plan.left_out.is_empty());
        let value = super::plan(&os, &apps, Vec::new(), Objective::Value, &Weights::default());
        check_plan(&value, &apps)?;
        prop_assert!(value.left_out.is_empty());
    }

    #[test]
    fn a_budget_is_kept_and_buys_no_less_than_the_cheapest_apps_would(os in some_os(), apps in some_apps(), budget in 0..12_u64) {
        // Without conflicts, so that what is bought can be counted by hand.
        let apps: Vec<_> = apps.into_iter().map(|app| AppFacts {
            calls: app.calls.into_iter().map(|(call, facts)| {
                let joint = if facts.need().is_required() { Some(explore::Plan::Implement) } else { None };
                (call, CallFacts { stub: joint.is_none(), fake: joint.is_none(), joint })
            }).collect(),
            ..app
        }).collect();
        let plan = super::plan(&os, &apps, Vec::new(), Objective::Budget(budget), &Weights::default());
        check_plan(&plan, &apps)?;
        prop_assert!(plan.totals().0 as u64 <= budget);
        let greedy = planned(&os, &apps);
        let affordable = (0..greedy.steps.len()).rev().find(|step| {
            (greedy.calls_at(*step).len() - os.calls().len()) as u64 <= budget
        }).unwrap();
        let bought: usize = greedy.steps[..=affordable].iter().map(|step| step.unlocks.len()).sum();
        prop_assert!(plan.unlocked() >= bought, "{} < {bought}", plan.unlocked());
    }

    #[test]
    fn the_surroundings_of_a_step_treat_all_that_is_missing_and_nothing_else(os in some_os(), apps in some_apps()) {
        let plan = planned(&os, &apps);
        for step in &plan.steps {
            let intervention = Surroundings::after(&plan, step.number).intervention(Architecture::X86_64, None);
            let (there, faked) = (plan.calls_at(step.number), plan.faked_at(step.number));
            for call in Sysno::all().filter(|call| call.number(Architecture::X86_64).is_some()) {
                let expected = match () {
                    () if there.contains(call) || call.name() == "restart_syscall" => None,
                    () if faked.contains(&call) => Some(Treatment::Fake),
                    () => Some(Treatment::Stub),
                };
                prop_assert_eq!(intervention.get(Item::Call(call)), expected, "{}", call);
            }
        }
    }
}

/// An app with needs, as [`app`] reads them, and with what it uses in place of calls.
fn with_fallbacks(name: &str, needs: &str, fallbacks: &[(&str, Treatment, &str)]) -> AppFacts {
    let mut table = crate::explore::FallbackTable::default();
    for (call, treatment, uses) in fallbacks {
        table.insert(call.parse().unwrap(), *treatment, uses.split_whitespace().map(|used| used.parse().unwrap()));
    }
    AppFacts { fallbacks: Some(table), ..app(name, needs) }
}

fn implemented(plan: &Plan) -> Vec<Vec<&'static str>> {
    plan.steps.iter().map(|step| step.implement.iter().map(|call| call.name()).collect()).collect()
}

#[test]
fn a_stub_costs_what_its_fallback_needs() {
    let waits = with_fallbacks("waits", "write pidfd_open-", &[("pidfd_open", Treatment::Stub, "wait4")]);
    let plan_on =
        |names: &str, weights: &Weights| plan(&os(names), std::slice::from_ref(&waits), Vec::new(), Objective::NextApp, weights);
    // Both cost as much: the call itself.
    let usual = Weights::default();
    assert_eq!(implemented(&plan_on("write", &usual)), [vec![], vec!["pidfd_open"]], "it does not run now");
    let dear = Weights { calls: [("pidfd_open".parse().unwrap(), 9)].into(), ..Weights::default() };
    let instead = plan_on("write", &dear);
    assert_eq!(implemented(&instead), [vec![], vec!["wait4"]]);
    assert_eq!(instead.steps[1].stub, [call("pidfd_open")]);
    assert_eq!(instead.uses[&call("wait4")].in_place_of, [("waits".to_owned(), [call("pidfd_open")].into())]);
    // What the fallback needs is there.
    let there = plan_on("write wait4", &usual);
    assert_eq!((implemented(&there), there.steps[0].unlocks.len()), (vec![Vec::<&str>::new()], 1));
    assert!(plan_on("write pidfd_open", &usual).steps[0].stub.is_empty());
}

#[test]
fn a_fallback_of_two_calls_is_dearer_than_the_call() {
    let one = with_fallbacks("one", "write getrandom-", &[("getrandom", Treatment::Stub, "open read")]);
    let alone = plan(&os("write"), std::slice::from_ref(&one), Vec::new(), Objective::NextApp, &Weights::default());
    assert_eq!(implemented(&alone), [vec![], vec!["getrandom"]]);
    let reader = app("reader", "open read");
    let both = plan(&os("write"), &[reader, one], Vec::new(), Objective::NextApp, &Weights::default());
    assert_eq!(implemented(&both), [vec![], vec!["getrandom"], vec!["open", "read"]]);
    assert_eq!(both.unlocked(), 2);
}

#[test]
fn a_treatment_without_a_fallback_is_preferred_to_one_with() {
    let flexible = with_fallbacks("flexible", "uname?", &[("uname", Treatment::Stub, "open read")]);
    let plan = plan(&os(""), &[flexible], Vec::new(), Objective::NextApp, &Weights::default());
    assert_eq!((implemented(&plan), &plan.steps[0].fake[..]), (vec![Vec::<&str>::new()], &[call("uname")][..]));
}

#[test]
fn questions_count_fallbacks() {
    let waits = with_fallbacks("waits", "write pidfd_open-", &[("pidfd_open", Treatment::Stub, "wait4")]);
    let apps = [waits];
    let answer = what_if(&os("write"), &apps, &[call("wait4")]);
    assert_eq!((answer.now.len(), answer.gained.len()), (0, 1));
    assert!(what_if(&os("write"), &apps, &[call("mmap")]).gained.is_empty());
}
