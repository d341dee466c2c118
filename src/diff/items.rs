//! The changes of single items: what each is, and how bad. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::Severity;
use super::evidence::{Evidence, ItemSide, configuration};
use crate::explore::{Plan, Verdict};
use crate::store::Finished;
use crate::trial::Item;

/// What changed about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It could be avoided, and has to be implemented now.
    BecameRequired,
    /// It was not used, and has to be implemented now.
    NewlyRequired,
    /// It could be avoided, and now nobody knows: its runs stayed inconclusive.
    BecameUndecided,
    /// It was not used, and now nobody knows whether it can be avoided.
    NewlyUndecided,
    /// It had to be implemented, and can be avoided now.
    BecameAvoidable,
    /// It had to be implemented, and is not used any more.
    NoLongerRequired,
    /// It was not used, and can be avoided.
    NewlyAvoidable,
    /// It was used and could be avoided, or was not tried, and is not used any more.
    NoLongerUsed,
    /// It can be avoided on both sides, but not in the same ways.
    OtherTreatments,
    /// It was not tried on the first side, or nothing was learnt there.
    Decided,
    /// It was tried on the first side only, as the call no longer has to be implemented.
    NoLongerTried,
    /// It was not used, and was not tried either.
    NewlySeen,
}

impl Change {
    /// Every change, the worst first.
    pub const ALL: [Self; 12] = [
        Self::BecameRequired,
        Self::NewlyRequired,
        Self::BecameUndecided,
        Self::NewlyUndecided,
        Self::BecameAvoidable,
        Self::NoLongerRequired,
        Self::NewlyAvoidable,
        Self::NoLongerUsed,
        Self::OtherTreatments,
        Self::Decided,
        Self::NoLongerTried,
        Self::NewlySeen,
    ];

    /// The change in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::BecameRequired => "became required",
            Self::NewlyRequired => "newly used, required",
            Self::BecameUndecided => "became inconclusive",
            Self::NewlyUndecided => "newly used, inconclusive",
            Self::BecameAvoidable => "became avoidable",
            Self::NoLongerRequired => "no longer used, was required",
            Self::NewlyAvoidable => "newly used, avoidable",
            Self::NoLongerUsed => "no longer used",
            Self::OtherTreatments => "avoidable in other ways",
            Self::Decided => "decided for the first time",
            Self::NoLongerTried => "no longer tried",
            Self::NewlySeen => "newly seen, not tried",
        }
    }

    /// How bad it is if it holds.
    const fn severity(self) -> Severity {
        match self {
            Self::BecameRequired | Self::NewlyRequired => Severity::Worse,
            Self::BecameUndecided | Self::NewlyUndecided => Severity::Doubtful,
            Self::BecameAvoidable | Self::NoLongerRequired => Severity::Better,
            Self::NewlyAvoidable
            | Self::NoLongerUsed
            | Self::OtherTreatments
            | Self::Decided
            | Self::NoLongerTried
            | Self::NewlySeen => Severity::Neutral,
        }
    }

    /// What changed between two sides; `None` of a side that does not use the item.
    fn between(before: Option<&ItemSide>, after: Option<&ItemSide>) -> Option<Self> {
        match (before, after) {
            (None, None) => None,
            (None, Some(after)) => Some(match after.verdict {
                Some(Verdict::Required) => Self::NewlyRequired,
                Some(Verdict::Stub | Verdict::Fake | Verdict::Any) => Self::NewlyAvoidable,
                None if after.tried => Self::NewlyUndecided,
                None => Self::NewlySeen,
            }),
            (Some(before), None) => Some(match before.verdict {
                Some(Verdict::Required) => Self::NoLongerRequired,
                Some(Verdict::Stub | Verdict::Fake | Verdict::Any) | None => Self::NoLongerUsed,
            }),
            (Some(before), Some(after)) => match (before.verdict, after.verdict) {
                (None, Some(_)) => Some(Self::Decided),
                (Some(_), None) if !after.tried => Some(Self::NoLongerTried),
                // What had to be implemented cannot become worse.
                (None | Some(Verdict::Required), None) => None,
                (Some(_), None) => Some(Self::BecameUndecided),
                (Some(before), Some(after)) if before == after => None,
                (Some(Verdict::Required), Some(_)) => Some(Self::BecameAvoidable),
                (Some(_), Some(Verdict::Required)) => Some(Self::BecameRequired),
                (Some(_), Some(_)) => Some(Self::OtherTreatments),
            },
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.words())
    }
}

/// An item that changed, with the evidence of both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemChange {
    /// Which one.
    pub item: Item,
    /// What changed.
    pub change: Change,
    /// How bad that is: a change for the worse whose verdict is not firm is only doubtful.
    pub severity: Severity,
    /// What the first side knows; `None` if it does not use the item.
    pub before: Option<ItemSide>,
    /// What the second side knows; `None` if it does not use the item.
    pub after: Option<ItemSide>,
}

/// The changes between two sides, the worst first.
pub(super) fn changes(before: &Evidence, after: &Evidence, with_details: bool) -> Vec<ItemChange> {
    let mut changes = between(&before.calls, &after.calls);
    if with_details {
        changes.extend(between(&before.details, &after.details));
    }
    changes.sort_by_key(|change| (std::cmp::Reverse(change.severity == Severity::Worse), change.change, change.item));
    changes
}

fn between(before: &BTreeMap<Item, ItemSide>, after: &BTreeMap<Item, ItemSide>) -> Vec<ItemChange> {
    let items: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    let changes = items.into_iter().filter_map(|item| {
        let (before, after) = (before.get(&item), after.get(&item));
        let change = Change::between(before, after)?;
        let severity = match change.severity() {
            Severity::Worse if after.is_some_and(|side| side.remark.is_some()) => Severity::Doubtful,
            severity => severity,
        };
        Some(ItemChange { item, change, severity, before: before.cloned(), after: after.cloned() })
    });
    changes.collect()
}

/// An item that both sides use and about which their joint configurations do different things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JointChange {
    /// Which one.
    pub item: Item,
    /// What the first side's configuration does about it.
    pub before: Plan,
    /// What the second side's does.
    pub after: Plan,
    /// Why it is not avoided on the second side although it can be alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The items that the joint configurations treat differently.
pub(super) fn joint_changes(before: &Finished, after: &Finished, with_details: bool) -> Vec<JointChange> {
    let (first, second) = (configuration(before), configuration(after));
    let items = |finished: &Finished| -> BTreeSet<Item> {
        let calls = finished.verdicts.iter().filter(|(_, row)| row.used).map(|(call, _)| Item::Call(*call));
        let features = finished.features.iter().filter(|(_, row)| row.used).map(|(feature, _)| Item::Feature(*feature));
        let files = finished.pseudo_files.iter().filter(|(_, row)| row.used).map(|(file, _)| Item::File(*file));
        if with_details { calls.chain(features).chain(files).collect() } else { calls.collect() }
    };
    let summary = &after.summary;
    let culprits = summary.joint.culprits.iter().chain(summary.everything.iter().flat_map(|everything| &everything.culprits));
    let reasons: BTreeMap<_, _> = culprits.map(|culprit| (culprit.item, culprit.reason.clone())).collect();
    let both: BTreeSet<_> = items(before).intersection(&items(after)).copied().collect();
    let changes = both.into_iter().filter_map(|item| {
        let (before, after) = (Plan::from(first.get(item)), Plan::from(second.get(item)));
        (before != after).then(|| JointChange { item, before, after, reason: reasons.get(&item).cloned() })
    });
    changes.collect()
}
