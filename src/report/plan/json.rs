//! A plan for programs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Checked, listed, state_words};
use crate::support::{CallUse, Conflict, Correction, Extension, Need, Plan, Resolution, Step};
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;
use crate::syscalls::{Architecture, Sysno};

/// The whole of a plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlanJson<'a> {
    os: &'a str,
    version: &'a str,
    calls_now: usize,
    steps: Vec<StepJson<'a>>,
    totals: Totals,
    conflicts: Vec<ConflictJson<'a>>,
    left_out: Vec<LeftOut<'a>>,
    unknown: &'a [String],
    calls: BTreeMap<Sysno, CallJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    corrections: Option<Vec<CorrectionJson<'a>>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct StepJson<'a> {
    step: usize,
    implement: &'a [Sysno],
    stub: &'a [Sysno],
    fake: &'a [Sysno],
    unlocks: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extend: Vec<ExtensionJson<'a>>,
    /// Which features of the calls to implement are needed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    features: BTreeMap<Sysno, FeaturesJson<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pseudo_files: &'a [PseudoFile],
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<Vec<StateJson<'a>>>,
}

#[derive(Debug, Serialize)]
struct ExtensionJson<'a> {
    call: Sysno,
    /// `null` where all that is missing is needed, for all that is known.
    features: Option<&'a [Feature]>,
}

#[derive(Debug, Serialize)]
struct FeaturesJson<'a> {
    required: &'a [Feature],
    others: &'a [Feature],
}

#[derive(Debug, Serialize)]
struct StateJson<'a> {
    app: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Totals {
    implement: usize,
    stub: usize,
    fake: usize,
    apps: usize,
}

#[derive(Debug, Serialize)]
struct ConflictJson<'a> {
    call: Sysno,
    stub: &'a [String],
    fake: &'a [String],
    resolution: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
}

#[derive(Debug, Serialize)]
struct LeftOut<'a> {
    app: &'a str,
    missing: &'a [Sysno],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct CallJson<'a> {
    #[serde(rename = "x86_64")]
    x86_64: Option<u32>,
    aarch64: Option<u32>,
    required_by: &'a [String],
    avoided_by: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    in_place_of: BTreeMap<String, BTreeSet<Sysno>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    would_need_instead: BTreeMap<String, BTreeSet<Sysno>>,
}

#[derive(Debug, Serialize)]
struct CorrectionJson<'a> {
    step: usize,
    app: &'a str,
    call: Sysno,
    needs: &'static str,
    before: &'static str,
    reason: &'a str,
}

/// The plan as a value that serialises; with `checked`, what running it showed.
#[must_use]
pub fn plan_json<'a>(plan: &'a Plan, checked: Option<&'a Checked>) -> PlanJson<'a> {
    let (implement, stub, fake) = plan.totals();
    let call = |(call, CallUse { required, avoided, in_place_of, instead }): (&Sysno, &'a CallUse)| {
        let number = |architecture| call.number(architecture);
        let (x86_64, aarch64) = (number(Architecture::X86_64), number(Architecture::Aarch64));
        (
            *call,
            CallJson {
                x86_64,
                aarch64,
                required_by: required,
                avoided_by: avoided,
                in_place_of: in_place_of.iter().cloned().collect(),
                would_need_instead: instead.iter().cloned().collect(),
            },
        )
    };
    PlanJson {
        os: &plan.os.name,
        version: &plan.os.version,
        calls_now: plan.os.calls().len(),
        steps: plan.steps.iter().map(|step| step_json(step, checked)).collect(),
        totals: Totals { implement, stub, fake, apps: plan.unlocked() },
        conflicts: plan.conflicts.iter().map(conflict_json).collect(),
        left_out: plan.left_out.iter().map(|(app, missing)| LeftOut { app, missing }).collect(),
        unknown: &plan.unknown,
        calls: plan.uses.iter().map(call).collect(),
        corrections: checked.map(|checked| checked.corrections.iter().map(correction_json).collect()),
    }
}

fn step_json<'a>(step: &'a Step, checked: Option<&'a Checked>) -> StepJson<'a> {
    let state = |(app, state): (&'a str, &'a crate::support::StepState)| {
        let (state, reason) = state_words(state);
        StateJson { app, state, reason }
    };
    let extension = |extension: &'a Extension| ExtensionJson { call: extension.call, features: extension.features.as_deref() };
    let features =
        step.only.iter().map(|(call, needs)| (*call, FeaturesJson { required: &needs.required, others: &needs.others }));
    StepJson {
        step: step.number,
        implement: &step.implement,
        stub: &step.stub,
        fake: &step.fake,
        unlocks: &step.unlocks,
        extend: step.extend.iter().map(extension).collect(),
        features: features.collect(),
        pseudo_files: &step.files,
        verification: checked.map(|checked| checked.of(step.number).map(state).collect()),
    }
}

fn conflict_json(conflict: &Conflict) -> ConflictJson<'_> {
    let (resolution, step) = match conflict.resolution {
        Resolution::Implement(step) => ("implement", Some(step)),
        Resolution::Treat(treatment) => (treatment.name(), None),
    };
    ConflictJson { call: conflict.call, stub: &conflict.stub, fake: &conflict.fake, resolution, step }
}

fn correction_json(correction: &Correction) -> CorrectionJson<'_> {
    let (needs, before) = (needs_word(correction), before_word(correction.before));
    CorrectionJson { step: correction.step, app: &correction.app, call: correction.call, needs, before, reason: &correction.why }
}

fn needs_word(correction: &Correction) -> &'static str {
    correction.treatment.map_or("implement", crate::trial::Treatment::name)
}

fn before_word(need: Option<Need>) -> &'static str {
    match need {
        None => "not seen",
        Some(Need::Implement) => "implement",
        Some(Need::Avoid { stub: true, fake: true, .. }) => "any",
        Some(Need::Avoid { stub: true, .. }) => "stub",
        Some(Need::Avoid { .. }) => "fake",
    }
}

/// What was learnt, in a line.
pub(super) fn correction_words(correction: &Correction) -> String {
    let Correction { app, step, call, why, .. } = correction;
    let before = match before_word(correction.before) {
        "not seen" => "no trace shows that it makes the call".to_owned(),
        word => format!("its results say {word}"),
    };
    let needs = match correction.treatment {
        None => format!("needs `{call}`"),
        Some(treatment) => format!("runs with `{call}` as a {treatment}"),
    };
    format!("{app} (step {step}) {needs}; {before}. Seen: {why}")
}

/// A conflict in a line.
pub(super) fn conflict_words(conflict: &Conflict) -> String {
    let Conflict { call, stub, fake, resolution } = conflict;
    let (stub, fake) = (listed(stub, 4), listed(fake, 4));
    match resolution {
        Resolution::Implement(step) => {
            format!("`{call}`: only a stub works for {stub}, only a fake for {fake}; implemented in step {step}")
        }
        Resolution::Treat(treatment) => {
            format!("`{call}`: stubbed for {stub}, faked for {fake}; all of them accept the {treatment}")
        }
    }
}
