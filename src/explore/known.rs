//! What was found of another image of the same app, and how little it takes to see whether it still holds. Pure.
//!
//! A group trial that passes confirms every treatment in it: the joint configuration is run as often as in any campaign, and the
//! treatments that work alone but were not chosen for it are run in groups. Where a group fails, `joint` finds the calls that broke;
//! they and what no group confirms are explored anew. That a call is *required* can't be confirmed in a group, which fails by its
//! first required call: such verdicts are taken over as they are, and err on the safe side. So are calls that were avoidable alone
//! and not together with the others.

use std::collections::{BTreeMap, BTreeSet};

use super::fallback_table::FallbackTable;
use super::findings::Culprit;
use super::joint::{self, Avoidable, Found, Sureness, Unanswered};
use super::replicas::{Answer, Passing, Runs};
use super::verdict::TreatmentResult;
use super::{Report, Settings};

use crate::trial::{Degradation, Intervention, Item, Treatment};

/// How often a group of other treatments that fails is halved.
const HALVINGS: u32 = 2;

/// What was found of another image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The joint configuration, of calls and details.
    pub joint: Intervention,
    /// Groups that passed, of treatments that the joint configuration did not choose, each with the rest of the configuration.
    pub others: Vec<Intervention>,
    /// What each treatment alone did.
    pub results: BTreeMap<(Item, Treatment), TreatmentResult>,
    /// Calls that can be avoided alone, but not together with the rest.
    pub culprits: Vec<Culprit>,
    /// Passes that did worse than the baseline.
    pub degraded: Vec<(Item, Treatment, Degradation)>,
    /// Items that the app used only while others were avoided, if that was looked at.
    pub fallbacks: Option<FallbackTable>,
    /// Items that the joint configuration implements and does not use, if that was looked at.
    pub not_made: Option<BTreeSet<Item>>,
}

impl Known {
    /// What the runs of a call alone said, if they said enough.
    #[must_use]
    pub fn result(item: Item, reports: Vec<Report>, settings: &Settings) -> Option<TreatmentResult> {
        match reports.into_iter().collect::<Runs>().single(item, settings) {
            Answer::Known(result) => Some(result),
            Answer::More(_) => None,
        }
    }
}

/// What of it still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) results: BTreeMap<(Item, Treatment), TreatmentResult>,
    pub(super) left_out: Vec<Culprit>,
    /// What is verified anew.
    pub(super) found: Found,
}

/// Finds out what of `before` still holds for an app that uses these calls.
pub(super) fn verify(
    before: &Known,
    used: &BTreeSet<Item>,
    mut ask: impl FnMut(&Intervention, Sureness) -> Result<Passing, Unanswered>,
) -> Result<Verified, Vec<Unanswered>> {
    let still: Vec<_> = before
        .joint
        .iter()
        .filter(|(item, _)| used.contains(item))
        .map(|(item, treatment)| Avoidable { item, treatments: joint::only(treatment) })
        .collect();
    let found = joint::search(&Intervention::none(), &still, &mut ask).map_err(|missing| vec![missing])?;
    let broken: BTreeSet<_> = found.dropped.iter().map(|dropped| dropped.item).collect();
    let mut confirmed: BTreeSet<_> = found.configuration.iter().collect();
    let mut missing = Vec::new();
    for others in &before.others {
        let of_group = |(item, treatment): &(Item, Treatment)| {
            found.configuration.get(*item).is_some_and(|chosen| chosen != *treatment) && !confirmed.contains(&(*item, *treatment))
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
    let left_out: Vec<_> = before.culprits.iter().filter(|culprit| used.contains(&culprit.item)).cloned().collect();
    let is_left_out = |item: &Item| left_out.iter().any(|culprit| culprit.item == *item);
    let holds = |(item, treatment): &(Item, Treatment), result: &TreatmentResult| {
        let settled = !result.works() || confirmed.contains(&(*item, *treatment)) || is_left_out(item);
        used.contains(item) && !broken.contains(item) && !result.inconclusive() && settled
    };
    let results = before.results.iter().filter(|(single, result)| holds(single, result));
    let results = results.map(|(single, result)| (*single, *result)).collect();
    Ok(Verified { results, left_out, found })
}

/// The configuration with other treatments of some of its calls.
fn with_others(configuration: &Intervention, others: &Intervention) -> Intervention {
    others.iter().fold(configuration.clone(), |configuration, (item, treatment)| configuration.with(item, treatment))
}

/// Runs the treatments that `configuration` did not choose although they work alone, in groups as large as pass.
pub(super) fn try_others(
    configuration: &Intervention,
    works: impl Fn(Item, Treatment) -> bool,
    mut ask: impl FnMut(&Intervention, Sureness) -> Result<Passing, Unanswered>,
) -> Result<(), Vec<Unanswered>> {
    let other = configuration.iter().map(|(item, treatment)| (item, treatment.other()));
    let mut groups: Vec<Vec<_>> = vec![other.filter(|(item, treatment)| works(*item, *treatment)).collect()];
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
