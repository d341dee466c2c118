//! What stored results teach a new campaign: which guesses are good, and what need not be found anew.

use std::collections::BTreeMap;

use super::{Finished, Identity, Store, StoreError, TrialRecord, family};
use crate::explore::{Known, Likelihoods, Report, Strategy, TreatmentResult};
use crate::trial::{Intervention, Item, Outcome, Purpose, Treatment};

/// An app's own earlier results, and those of its variants, teach as much as those of so many other apps.
const OWN_WEIGHT: u32 = 20;

/// Whether results can be verified by groups in a campaign with the identity: they have to rest on trials of each call alone, and
/// groups do not tell which fallbacks each of them has.
pub(super) fn can_be_verified(identity: &Identity, finished: &Finished) -> bool {
    identity.settings.strategy == Strategy::Exhaustive && finished.fallbacks.is_some()
}

/// What was found, in the form in which a new campaign verifies it.
pub(super) fn known(finished: &Finished, trials: &[TrialRecord]) -> Known {
    let settings = &finished.environment.identity.settings;
    let mut singles = BTreeMap::<(Item, Treatment), Vec<Report>>::new();
    let mut others = Vec::new();
    for record in trials {
        match (record.purpose, record.intervention.only()) {
            (Purpose::Single | Purpose::Quiet, Some(single)) => singles.entry(single).or_default().push(record.report()),
            (Purpose::Others, _) if record.result == Outcome::Pass => others.push(record.intervention.clone()),
            _ => {}
        }
    }
    let results = singles.into_iter().filter_map(|((item, treatment), reports)| {
        let result: TreatmentResult = Known::result(item, reports, settings)?;
        Some(((item, treatment), result))
    });
    let summary = &finished.summary;
    let whole = summary.everything.as_ref().unwrap_or(&summary.joint);
    let mut culprits = summary.joint.culprits.clone();
    culprits.extend(whole.culprits.iter().filter(|culprit| culprit.item.call().is_none()).cloned());
    Known {
        joint: whole.configuration(),
        others: distinct(others),
        results: results.collect(),
        culprits,
        fallbacks: finished.fallbacks.clone(),
        not_made: summary.not_made.as_ref().map(|items| items.iter().copied().collect()),
        degraded: summary.degraded.iter().map(|found| (found.item, found.treatment, found.degradation)).collect(),
    }
}

fn distinct(mut interventions: Vec<Intervention>) -> Vec<Intervention> {
    interventions.sort();
    interventions.dedup();
    interventions
}

impl Store {
    /// How every app with results fared without each call, for a campaign of `app`. Results that can't be read teach nothing: they
    /// order guesses, and no verdict rests on them.
    ///
    /// # Errors
    ///
    /// If the folder of the results can't be listed.
    pub fn likelihoods(&self, app: &str) -> Result<Likelihoods, StoreError> {
        let mut likelihoods = Likelihoods::default();
        for (other, workload) in self.list()? {
            let Ok(stored) = self.read(&other, &workload) else { continue };
            let weight = if family(&other) == family(app) { OWN_WEIGHT } else { 1 };
            for (&call, row) in stored.imported.iter().flat_map(|imported| &imported.verdicts) {
                if let Some(verdict) = row.verdict {
                    likelihoods.learn(call.into(), verdict, weight);
                }
            }
            let Some(finished) = stored.finished else { continue };
            let joint = finished.summary.joint.configuration();
            for (&call, row) in &finished.verdicts {
                if finished.summary.inferred.contains(&Item::Call(call)) {
                    // Only what it takes part in was shown of it.
                    if let Some(treatment) = joint.get(call) {
                        likelihoods.learn_working(call.into(), treatment, weight);
                    }
                } else if let Some(verdict) = row.verdict {
                    likelihoods.learn(call.into(), verdict, weight);
                }
            }
        }
        Ok(likelihoods)
    }
}
