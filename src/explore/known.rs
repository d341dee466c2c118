//! What was found of another image of the same app, and how little it takes to see whether it still holds. Pure.
//!
//! A group trial that passes confirms every treatment in it: the joint configuration is run as often as in any campaign, and the
//! treatments that work alone but were not chosen for it are run in groups. Where a group fails, `joint` finds the calls that broke;
//! they and what no group confirms are explored anew. That a call is *required* can't be confirmed in a group, which fails by its
//! first required call: such verdicts are taken over as they are, and err on the safe side. So are calls that were avoidable alone
//! and not together with the others.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Culprit;
use super::joint::{self, Avoidable, Sureness, Unanswered};
use super::replicas::{Answer, Passing, Runs};
use super::verdict::TreatmentResult;
use super::{Report, Settings};
use crate::syscalls::Sysno;
use crate::trial::{Degradation, Intervention, Treatment};

/// How often a group of other treatments that fails is halved.
const HALVINGS: u32 = 2;

/// What was found of another image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The joint configuration.
    pub joint: Intervention,
    /// Groups that passed, of treatments that the joint configuration did not choose, each with the rest of the configuration.
    pub others: Vec<Intervention>,
    /// What each treatment alone did.
    pub results: BTreeMap<(Sysno, Treatment), TreatmentResult>,
    /// Calls that can be avoided alone, but not together with the rest.
    pub culprits: Vec<Culprit>,
    /// Passes that did worse than the baseline.
    pub degraded: Vec<(Sysno, Treatment, Degradation)>,
}

impl Known {
    /// What the runs of a call alone said, if they said enough.
    #[must_use]
    pub fn result(call: Sysno, reports: Vec<Report>, settings: &Settings) -> Option<TreatmentResult> {
        match reports.into_iter().collect::<Runs>().single(call, settings) {
            Answer::Known(result) => Some(result),
            Answer::More(_) => None,
        }
    }
}

/// What of it still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) results: BTreeMap<(Sysno, Treatment), TreatmentResult>,
    pub(super) left_out: Vec<Culprit>,
}

/// Finds out what of `before` still holds for an app that uses these calls.
pub(super) fn verify(
    before: &Known,
    used: &BTreeSet<Sysno>,
    mut ask: impl FnMut(&Intervention, Sureness) -> Result<Passing, Unanswered>,
) -> Result<Verified, Vec<Unanswered>> {
    let still: Vec<_> = before
        .joint
        .iter()
        .filter(|(call, _)| used.contains(call))
        .map(|(call, treatment)| Avoidable { call, treatments: joint::only(treatment) })
        .collect();
    let found = joint::search(&still, &mut ask).map_err(|missing| vec![missing])?;
    let broken: BTreeSet<_> = found.dropped.iter().map(|dropped| dropped.call).collect();
    let mut confirmed: BTreeSet<_> = found.configuration.iter().collect();
    let mut missing = Vec::new();
    for others in &before.others {
        let of_group = |(call, treatment): &(Sysno, Treatment)| {
            found.configuration.get(*call).is_some_and(|chosen| chosen != *treatment) && !confirmed.contains(&(*call, *treatment))
        };
        let group: Intervention = others.iter().filter(of_group).collect();
        if group.is_empty() {
            continue;
        }
        match ask(&with_others(&found.configuration, &group), Sureness::Glance) {
            Ok(Passing::Yes) => confirmed.extend(group.iter()),
            Ok(Passing::No | Passing::Unknown) => {}
            Err(unanswered) => missing.push(unanswered),
        }
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    let left_out: Vec<_> = before.culprits.iter().filter(|culprit| used.contains(&culprit.call)).cloned().collect();
    let is_left_out = |call: &Sysno| left_out.iter().any(|culprit| culprit.call == *call);
    let holds = |(call, treatment): &(Sysno, Treatment), result: &TreatmentResult| {
        let settled = !result.works() || confirmed.contains(&(*call, *treatment)) || is_left_out(call);
        used.contains(call) && !broken.contains(call) && !result.inconclusive() && settled
    };
    let results = before.results.iter().filter(|(single, result)| holds(single, result));
    let results = results.map(|(single, result)| (*single, *result)).collect();
    Ok(Verified { results, left_out })
}

/// The configuration with other treatments of some of its calls.
fn with_others(configuration: &Intervention, others: &Intervention) -> Intervention {
    others.iter().fold(configuration.clone(), |configuration, (call, treatment)| configuration.with(call, treatment))
}

/// Runs the treatments that `configuration` did not choose although they work alone, in groups as large as pass.
pub(super) fn try_others(
    configuration: &Intervention,
    works: impl Fn(Sysno, Treatment) -> bool,
    mut ask: impl FnMut(&Intervention, Sureness) -> Result<Passing, Unanswered>,
) -> Result<(), Vec<Unanswered>> {
    let other = configuration.iter().map(|(call, treatment)| (call, treatment.other()));
    let mut groups: Vec<Vec<_>> = vec![other.filter(|(call, treatment)| works(*call, *treatment)).collect()];
    for _ in 0..=HALVINGS {
        let mut failed = Vec::new();
        let mut missing = Vec::new();
        for mut group in groups.into_iter().filter(|group| !group.is_empty()) {
            match ask(&with_others(configuration, &group.iter().copied().collect()), Sureness::Glance) {
                Ok(Passing::Yes) => {}
                Ok(Passing::No | Passing::Unknown) => {
                    let right = group.split_off(group.len() / 2);
                    failed.extend([group, right]);
                }
                Err(unanswered) => missing.push(unanswered),
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        groups = failed;
    }
    Ok(())
}
