//! From what the planner knows at its end to its findings. Pure.

use std::collections::BTreeMap;

use super::fallback_table::FallbackTable;
use super::findings::{Culprit, Joint, Measured, Origin, Row};
use super::joint::{Dropped, Found};
use super::verdict::{Plan, TreatmentResult};
use super::{Explorer, Strategy};
use crate::trial::{Degradation, Intervention, Item, Outcome, Treatment, Watch};

impl Explorer {
    /// The findings of a campaign; `everything` is what can be avoided of calls and details, if that is more than of calls.
    pub(super) fn measured(&self, everything: Option<&Found>, fallbacks: FallbackTable) -> Measured {
        let joint = self.joint.clone().unwrap_or_default();
        let whole = everything.map_or(&joint.configuration, |found| &found.configuration);
        let mut rows = BTreeMap::new();
        let mut incomplete = Vec::new();
        for &item in &self.used {
            let (stub, fake, verdict) = self.alone(item);
            for (treatment, result) in Treatment::ALL.into_iter().zip([stub, fake]) {
                if result.inconclusive() {
                    incomplete.push(format!("`{item}` {treatment}: {result}"));
                }
            }
            let row = Row {
                stub,
                fake,
                verdict,
                joint: Plan::from(whole.get(item)),
                origin: self.origin(item, stub),
                degraded: Treatment::ALL.into_iter().flat_map(|treatment| self.degraded(item, treatment)).collect(),
            };
            rows.insert(item, row);
        }
        let watch = self.treated();
        incomplete.extend(self.unknown.iter().map(|configuration| {
            let last = self.ledger.runs(watch, configuration).troubles().last().map(|(_, outcome)| outcome.to_string());
            format!("joint run of {} items: {}", configuration.len(), last.unwrap_or_default())
        }));
        // The baseline ran again, alone, to be compared with: it has to pass then, too.
        let again = self.ledger.runs(Watch::Treated, &Intervention::none());
        incomplete.extend(again.failures().map(|(replica, outcome)| format!("baseline run {}: {outcome}", replica + 1)));
        Measured {
            rows,
            joint: self.configuration(&joint, everything),
            everything: everything.map(|found| self.configuration(found, None)),
            fallbacks: Some(fallbacks),
            not_made: self.not_made(),
            unrepeated: self.unrepeated.iter().copied().collect(),
            incomplete,
        }
    }

    /// A configuration with how often it was verified. What is part of a larger one that was verified, and was not run itself, is as
    /// sure as that.
    fn configuration(&self, found: &Found, larger: Option<&Found>) -> Joint {
        let runs = |configuration: &Intervention| {
            let watch = if configuration.is_empty() { Watch::Treated } else { self.treated() };
            let runs = self.ledger.runs(watch, configuration);
            (runs.passes(), runs.passes() + runs.fails())
        };
        let (mut verified, mut of) = runs(&found.configuration);
        if let Some(larger) = larger.filter(|_| of == 0) {
            (verified, of) = runs(&larger.configuration);
        }
        let mut culprits: Vec<_> = found.dropped.iter().map(|dropped| self.culprit(dropped)).collect();
        if self.settings.strategy == Strategy::Joint {
            // Nothing is known of what they would do alone.
            culprits.clear();
        }
        culprits.extend(self.left_out.iter().filter(|culprit| culprit.item.call().is_some() || larger.is_none()).cloned());
        culprits.sort_by_key(|culprit| culprit.item);
        Joint { configuration: found.configuration.clone(), verified, of, culprits }
    }

    fn origin(&self, item: Item, stub: TreatmentResult) -> Origin {
        if matches!(stub, TreatmentResult::Inferred { .. }) {
            Origin::Inferred
        } else if Treatment::ALL.iter().any(|treatment| self.taken_over.contains_key(&(item, *treatment))) {
            Origin::TakenOver
        } else {
            Origin::Measured
        }
    }

    /// In what the passes of a single differ from the baseline.
    fn degraded(&self, item: Item, treatment: Treatment) -> Vec<(Treatment, Degradation)> {
        if self.taken_over.contains_key(&(item, treatment)) {
            let before = self.knowledge.before.iter().flat_map(|before| before.degraded.iter());
            return before.filter(|(of, by, _)| *of == item && *by == treatment).map(|(_, by, what)| (*by, *what)).collect();
        }
        self.remarks(item, treatment).into_iter().map(|what| (treatment, what)).collect()
    }

    fn culprit(&self, dropped: &Dropped) -> Culprit {
        let runs = self.ledger.runs(self.treated(), &dropped.configuration());
        let (passes, fails) = (runs.passes(), runs.fails());
        let trouble = runs.troubles().find(|(_, outcome)| fails == 0 || matches!(outcome, Outcome::Fail(_)));
        let mut reason = trouble.map(|(_, outcome)| outcome.to_string()).unwrap_or_default();
        if passes > 0 {
            reason = format!("{reason} (unstable: {passes} of {} passed)", passes + fails);
        }
        Culprit { item: dropped.item, treatment: dropped.treatment, together_with: dropped.together_with.clone(), reason }
    }
}
