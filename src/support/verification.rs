//! Which runs prove a plan, and how it is corrected where they refute it. A pure state machine: it asks for [`Probe`]s and is told
//! their [`Evidence`], and somebody else runs the apps.
//!
//! For each step and each app that it unlocks, three things have to hold, each shown by running the app:
//!
//! 1. it runs on the OS as it is after the step;
//! 2. it does not run before the step, even with everything stubbed and faked that the step stubs and fakes, if the step implements
//!    something;
//! 3. it still runs on the OS as it is after the last step.
//!
//! Where 1 or 3 fails, the calls are looked for that have to be there for the app to run: first among those that its results do not
//! allow to be missing, as an app may make calls that no trace shows once others are stubbed. The smallest set that can be found by
//! halving is taken, and of each call in it is tried whether the other treatment does as well. Where 2 fails, the app needs less
//! than its results say. What was learnt replaces what was known of the app, the plan is made anew, and everything that has changed is
//! run again. A call about which runs contradict each other is implemented, so this comes to an end.
//!
//! Only calls are tried: which of their features are needed is taken from the measurements.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Absent, Surroundings};
use super::facts::AppFacts;
use super::objective::{Objective, Weights};
use super::plan::{Plan, plan};
use super::profile::Profile;
use crate::syscalls::{Architecture, Sysno};
use crate::trial::{Intervention, Item, Treatment};

mod diagnosis;

use diagnosis::{Diagnosis, diagnose};

/// Runs to find out what an app lacks; beyond these nobody would wait.
const MOST_PROBES: usize = 150;

/// A run that is asked for: the app under the intervention, as often as it takes to be sure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    /// The app's name.
    pub app: String,
    /// The step that it is about.
    pub step: usize,
    /// What is treated.
    pub intervention: Intervention,
    /// What it is for.
    pub aim: Aim,
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aim {
    /// To see the app run after its step.
    Runs,
    /// To see that it does not run before its step.
    NotBefore,
    /// To see it run after the last step.
    RunsAtTheEnd,
    /// To find out what it lacks.
    Search,
}

/// What a probe showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The app passed as often as was asked for.
    Passed {
        /// How often it was run.
        runs: u32,
        /// How often it passed: less where a single failure was not repeated.
        passes: u32,
        /// The calls that it made although they are not there, in their order.
        absent: Vec<Absent>,
    },
    /// It failed at least once, and not for the host's sake.
    Failed {
        /// How often it was run, and how often it passed.
        runs: u32,
        /// How often it passed.
        passes: u32,
        /// Why it failed.
        reason: String,
        /// The calls that it made although they are not there, in their order.
        absent: Vec<Absent>,
    },
    /// Nothing was learnt, although it was tried repeatedly.
    Inconclusive {
        /// Why.
        reason: String,
    },
}

/// How an app of a step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// It was seen to run after its step and at the end, and not to run before.
    Verified,
    /// It cannot be run here, or nothing was learnt.
    Unverified(String),
    /// It was run, and does not do what the plan says.
    Refuted(String),
}

/// A correction of what was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The app.
    pub app: String,
    /// The step of the plan of that time.
    pub step: usize,
    /// The call.
    pub call: Sysno,
    /// What the app needs of it: `None` means that it has to be there.
    pub treatment: Option<Treatment>,
    /// What the results said; `None` if they didn't know the call.
    pub before: Option<super::Need>,
    /// What was seen.
    pub why: String,
}

/// The verification of a plan.
#[derive(Debug)]
pub struct Verification<'a> {
    os: &'a Profile,
    architecture: Architecture,
    objective: Objective,
    weights: &'a Weights,
    unknown: Vec<String>,
    facts: Vec<AppFacts>,
    /// The apps that can be run here; why others can't be.
    runnable: BTreeMap<String, Result<(), String>>,
    evidence: BTreeMap<(String, Intervention), Evidence>,
    /// How often each call of an app was corrected.
    corrected: BTreeMap<(String, Sysno), u32>,
    corrections: Vec<Correction>,
    plan: Plan,
}

impl<'a> Verification<'a> {
    /// Begins to verify the plan for `facts` on `os`. `runnable` says of each app whether it can be run here, and if not, why.
    #[must_use]
    pub fn new(
        os: &'a Profile,
        facts: Vec<AppFacts>,
        unknown: Vec<String>,
        objective: Objective,
        weights: &'a Weights,
        runnable: BTreeMap<String, Result<(), String>>,
    ) -> Self {
        let plan = plan(os, &facts, unknown.clone(), objective, weights);
        Self {
            os,
            architecture: Architecture::NATIVE,
            objective,
            weights,
            unknown,
            facts,
            runnable,
            evidence: BTreeMap::new(),
            corrected: BTreeMap::new(),
            corrections: Vec::new(),
            plan,
        }
    }

    /// The plan as it stands.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What was learnt, in order.
    #[must_use]
    pub fn corrections(&self) -> &[Correction] {
        &self.corrections
    }

    /// What is known of the apps by now.
    #[must_use]
    pub fn facts(&self) -> &[AppFacts] {
        &self.facts
    }

    /// The runs that are needed next, all about the same step; none if the plan is as good as it gets.
    pub fn due(&mut self) -> Vec<Probe> {
        loop {
            let mut probes = Vec::new();
            let mut corrected = false;
            for (step, app) in self.order() {
                if probes.first().is_some_and(|probe: &Probe| probe.step != step) {
                    break;
                }
                match self.examine(step, &app) {
                    Examined::Holds | Examined::Stuck(_) => {}
                    Examined::Needs(probe) => probes.push(*probe),
                    Examined::Learnt(lessons) => {
                        self.learn(lessons);
                        corrected = true;
                        break;
                    }
                }
            }
            if !corrected {
                return probes;
            }
            self.plan = plan(self.os, &self.facts, self.unknown.clone(), self.objective, self.weights);
        }
    }

    /// Takes in what a probe showed.
    pub fn record(&mut self, probe: &Probe, evidence: Evidence) {
        self.evidence.insert((probe.app.clone(), probe.intervention.clone()), evidence);
    }

    /// What was seen of the app under an intervention.
    #[must_use]
    pub fn evidence(&self, app: &str, intervention: &Intervention) -> Option<&Evidence> {
        self.evidence.get(&(app.to_owned(), intervention.clone()))
    }

    /// How each app of the plan stands, by step.
    #[must_use]
    pub fn states(&self) -> Vec<(usize, String, StepState)> {
        let state = |(step, app): (usize, String)| {
            let state = match (self.runnable.get(&app), self.examine(step, &app)) {
                (Some(Err(why)), _) => StepState::Unverified(why.clone()),
                (None, _) => StepState::Unverified("nobody knows how to run it".to_owned()),
                (_, Examined::Holds) => StepState::Verified,
                (_, Examined::Stuck(state)) => state,
                (_, Examined::Needs(_) | Examined::Learnt(_)) => {
                    StepState::Unverified("the verification was not finished".to_owned())
                }
            };
            (step, app, state)
        };
        self.order().into_iter().map(state).collect()
    }

    /// Whether every app of the plan was seen to do what the plan says.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.states().iter().all(|(_, _, state)| *state == StepState::Verified)
    }

    /// The apps of the plan with their steps.
    fn order(&self) -> Vec<(usize, String)> {
        let of_step = |step: &super::Step| step.unlocks.iter().map(|app| (step.number, app.clone())).collect::<Vec<_>>();
        self.plan.steps.iter().flat_map(of_step).collect()
    }

    fn facts_of(&self, app: &str) -> Option<&AppFacts> {
        self.facts.iter().find(|facts| facts.name == app)
    }

    /// How far the app of a step has come.
    fn examine(&self, step: usize, app: &str) -> Examined {
        if !matches!(self.runnable.get(app), Some(Ok(()))) {
            return Examined::Holds;
        }
        let facts = self.facts_of(app);
        let last = self.plan.steps.len() - 1;
        let intervention = |surroundings: Surroundings| surroundings.intervention(self.architecture, facts);
        for (aim, at) in [(Aim::Runs, step), (Aim::RunsAtTheEnd, last)] {
            let asked = intervention(Surroundings::after(&self.plan, at));
            match self.should_run(step, app, asked, aim) {
                Examined::Holds => {}
                other => return other,
            }
            if aim == Aim::Runs
                && let Some(before) = Surroundings::before(&self.plan, step)
                && !self.plan.steps[step].implement.is_empty()
            {
                match self.should_not_run(step, app, intervention(before)) {
                    Examined::Holds => {}
                    other => return other,
                }
            }
        }
        Examined::Holds
    }

    fn should_run(&self, step: usize, app: &str, intervention: Intervention, aim: Aim) -> Examined {
        let probe = |intervention, aim| Examined::Needs(Box::new(Probe { app: app.to_owned(), step, intervention, aim }));
        let (reason, runs, passes) = match self.evidence(app, &intervention) {
            None => return probe(intervention, aim),
            Some(Evidence::Passed { .. }) => return Examined::Holds,
            Some(Evidence::Inconclusive { reason }) => return Examined::Stuck(StepState::Unverified(reason.clone())),
            Some(Evidence::Failed { reason, runs, passes, .. }) => (reason, *runs, *passes),
        };
        let known = |candidate: &Intervention| self.evidence(app, candidate);
        match diagnose(&intervention, known) {
            Diagnosis::Run(_) if self.probes(app) >= MOST_PROBES => {
                let why = format!("{reason}; what it lacks was not found in {MOST_PROBES} runs");
                Examined::Stuck(StepState::Refuted(why))
            }
            Diagnosis::Run(candidate) => probe(candidate, Aim::Search),
            Diagnosis::Found(found) => {
                let seen = if passes > 0 { format!("{reason} ({passes} of {runs} runs passed)") } else { reason.clone() };
                let lesson = |(call, treatment)| Lesson { app: app.to_owned(), step, call, treatment, why: seen.clone() };
                Examined::Learnt(found.into_iter().map(lesson).collect())
            }
            Diagnosis::Nothing(why) => Examined::Stuck(StepState::Refuted(format!("{reason}; {why}"))),
            Diagnosis::Inconclusive(why) => Examined::Stuck(StepState::Unverified(why)),
        }
    }

    fn should_not_run(&self, step: usize, app: &str, intervention: Intervention) -> Examined {
        match self.evidence(app, &intervention) {
            None => Examined::Needs(Box::new(Probe { app: app.to_owned(), step, intervention, aim: Aim::NotBefore })),
            Some(Evidence::Failed { .. }) => Examined::Holds,
            Some(Evidence::Inconclusive { reason }) => Examined::Stuck(StepState::Unverified(reason.clone())),
            Some(Evidence::Passed { .. }) => {
                let facts = self.facts_of(app);
                let needed = |call: &&Sysno| facts.is_some_and(|facts| facts.need(**call).is_some_and(super::Need::is_required));
                let superfluous: Vec<_> = self.plan.steps[step].implement.iter().filter(needed).copied().collect();
                let open = |call: &Sysno| !self.corrected.contains_key(&(app.to_owned(), *call));
                // What was corrected to be needed stays needed. And where the step is there for a conflict, nothing was wrong with the facts.
                if superfluous.is_empty() || !superfluous.iter().all(open) {
                    return Examined::Holds;
                }
                let lesson = |call| Lesson {
                    app: app.to_owned(),
                    step,
                    call,
                    treatment: Some(intervention.get(Item::Call(call)).unwrap_or(Treatment::Stub)),
                    why: "it runs without".to_owned(),
                };
                Examined::Learnt(superfluous.into_iter().map(lesson).collect())
            }
        }
    }

    /// Number of probes of the app so far.
    fn probes(&self, app: &str) -> usize {
        self.evidence.keys().filter(|(name, _)| name == app).count()
    }

    fn learn(&mut self, lessons: Vec<Lesson>) {
        for Lesson { app, step, call, treatment, why } in lessons {
            let times = self.corrected.entry((app.clone(), call)).or_default();
            *times += 1;
            // The first correction is believed; a second one says that it depends, and then only implementing it is safe.
            let treatment = treatment.filter(|_| *times == 1);
            if let Some(facts) = self.facts.iter_mut().find(|facts| facts.name == app) {
                let before = facts.need(call);
                facts.learn(call, treatment);
                self.corrections.push(Correction { app, step, call, treatment, before, why });
            }
        }
    }
}

/// What became of looking at an app of a step.
enum Examined {
    /// All that has to hold was seen, or cannot be seen here.
    Holds,
    /// A run is needed.
    Needs(Box<Probe>),
    /// Something is to be corrected.
    Learnt(Vec<Lesson>),
    /// It will not get any further.
    Stuck(StepState),
}

/// What the app needs of a call.
struct Lesson {
    app: String,
    step: usize,
    call: Sysno,
    treatment: Option<Treatment>,
    why: String,
}

/// The calls among `absent`.
fn calls(absent: &[Absent]) -> BTreeSet<Sysno> {
    absent.iter().map(|absent| absent.call).collect()
}
