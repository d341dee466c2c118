//! Which runs it takes to tell why what can be avoided can be. Pure.
//!
//! The configurations that passed are run once more with every call watched. Such a run decides nothing: if it does not pass, because
//! watching made the app too slow or for whatever other reason, that is part of its evidence.

use std::collections::BTreeSet;

use super::{Explorer, Reasons};
use crate::trial::{Intervention, Outcome, Watch};

/// How many configurations with other treatments are watched beside the one that was verified: all of them fit into one as a rule, and
/// where they do not, each further one costs a trial.
pub(super) const OTHERS: usize = 2;

impl Explorer {
    /// The runs that are missing at the end.
    pub(super) fn reasons_missing(&self) -> Vec<Intervention> {
        let joint = self.everything.as_ref().or(self.joint.as_ref());
        let whole = joint.map(|found| found.configuration.clone()).unwrap_or_default();
        let mut wanted = self.reasons_missing_of(&whole);
        if self.looks_together() {
            wanted.extend(self.with_other_treatments(&whole));
        }
        if self.settings.reasons == Reasons::Each {
            let works = self.singles.iter().filter(|(single, result)| result.works() && !self.taken_over.contains_key(single));
            wanted.extend(works.map(|((item, treatment), _)| Intervention::single(*item, *treatment)));
        }
        wanted.retain(|intervention| !intervention.is_empty() && !self.was_watched(intervention));
        wanted.dedup();
        wanted
    }

    /// The run of the whole configuration, if it is wanted and missing.
    pub(super) fn reasons_missing_of(&self, whole: &Intervention) -> Vec<Intervention> {
        let missing = self.looks_together() && !whole.is_empty() && !self.was_watched(whole);
        if missing { vec![whole.clone()] } else { Vec::new() }
    }

    /// Whether what is avoided at once is looked at. Where another image of the app was watched, that evidence stays; and what is too hot
    /// to be counted is too hot to be watched.
    fn looks_together(&self) -> bool {
        match self.settings.reasons {
            Reasons::None => false,
            Reasons::Together => self.knowledge.before.is_none() && self.settings.count_hits,
            Reasons::Each => true,
        }
    }

    /// Configurations of the same items that passed with other treatments of some: those that add most, at most [`OTHERS`].
    fn with_other_treatments(&self, whole: &Intervention) -> Vec<Intervention> {
        let is_other = |candidate: &Intervention| {
            candidate.len() == whole.len() && candidate.iter().all(|(item, _)| whole.get(item).is_some()) && candidate != whole
        };
        let mut passed: Vec<_> = self.ledger.passed(self.treated()).filter(|candidate| is_other(candidate)).collect();
        let mut covered: BTreeSet<_> = whole.iter().collect();
        let mut chosen = Vec::new();
        while chosen.len() < OTHERS {
            let adds = |candidate: &Intervention| candidate.iter().filter(|single| !covered.contains(single)).count();
            // Of those that add as much, the first in order.
            let best = passed.iter().enumerate().rev().max_by_key(|(_, candidate)| adds(candidate));
            let Some(index) = best.filter(|(_, candidate)| adds(candidate) > 0).map(|(index, _)| index) else { break };
            let best = passed.swap_remove(index);
            covered.extend(best.iter());
            chosen.push(best.clone());
            passed.sort();
        }
        chosen
    }

    /// Whether there was a run that ended one way or the other, or as many inconclusive ones as are made of anything.
    fn was_watched(&self, intervention: &Intervention) -> bool {
        let runs = self.ledger.runs(Watch::Everything, intervention);
        let conclusive = runs.reports().any(|report| !matches!(report.outcome, Outcome::Inconclusive(_)));
        conclusive || super::count(runs.reports().count()) >= self.settings.inconclusive_limit
    }
}
