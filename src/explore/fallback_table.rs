//! Items that an app uses only while others are stubbed or faked. Pure data.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::trial::{Intervention, Item, Treatment};

/// One line of the table for programs.
#[derive(Debug, Serialize)]
struct FallbackLine {
    /// The treated item; `None` for what is used only together.
    item: Option<Item>,
    treatment: Option<Treatment>,
    uses: Item,
}

impl Serialize for FallbackTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = |(treated, uses): (Option<(Item, Treatment)>, Item)| FallbackLine {
            item: treated.map(|(item, _)| item),
            treatment: treated.map(|(_, treatment)| treatment),
            uses,
        };
        serializer.collect_seq(self.rows().map(line))
    }
}

/// Items that an app uses only while others are stubbed or faked: no run without an intervention shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FallbackTable {
    /// By the one treated item, from runs in which it alone was treated. No set is empty.
    pub alone: BTreeMap<(Item, Treatment), BTreeSet<Item>>,
    /// Used under the joint configuration, and under none of its treatments alone.
    pub together: BTreeSet<Item>,
}

impl FallbackTable {
    /// Adds items that are used while `item` alone is treated.
    pub fn insert(&mut self, item: Item, treatment: Treatment, uses: impl IntoIterator<Item = Item>) {
        let mut uses = uses.into_iter().peekable();
        if uses.peek().is_some() {
            self.alone.entry((item, treatment)).or_default().extend(uses);
        }
    }

    /// Items that are used while `item` alone is treated, in order.
    pub fn of(&self, item: Item, treatment: Treatment) -> impl Iterator<Item = Item> + '_ {
        self.alone.get(&(item, treatment)).into_iter().flatten().copied()
    }

    /// Items that are used while each treatment of `configuration` is in force, those used only together not included.
    #[must_use]
    pub fn of_each(&self, configuration: &Intervention) -> BTreeSet<Item> {
        configuration.iter().flat_map(|(item, treatment)| self.of(item, treatment)).collect()
    }

    /// Items that are used under `configuration`, if it is the joint one: while any of its treatments is in force, or only together.
    #[must_use]
    pub fn under(&self, configuration: &Intervention) -> BTreeSet<Item> {
        self.of_each(configuration).into_iter().chain(self.together.iter().copied()).collect()
    }

    /// Every line: the treated item with its treatment, `None` for what is used only together; and the item that is used.
    pub fn rows(&self) -> impl Iterator<Item = (Option<(Item, Treatment)>, Item)> + '_ {
        let alone = self.alone.iter().flat_map(|(treated, uses)| uses.iter().map(move |used| (Some(*treated), *used)));
        alone.chain(self.together.iter().map(|used| (None, *used)))
    }

    /// Whether the app uses nothing beyond what it uses without an intervention.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alone.is_empty() && self.together.is_empty()
    }
}
