//! What an app uses only while others are avoided, as text.

use std::collections::BTreeSet;

use super::table::{Align, Table};
use crate::explore::FallbackTable;
use crate::store::{Finished, TOGETHER};
use crate::trial::{Intervention, Item, Treatment};

/// Used items that are named in one line.
const NAMED: usize = 8;

/// Avoided items that are named in one row.
const AVOIDED: usize = 3;

/// The whole configuration that was verified, of calls and details.
fn whole(finished: &Finished) -> Intervention {
    let summary = &finished.summary;
    summary.everything.as_ref().unwrap_or(&summary.joint).configuration()
}

/// Lines about what the app uses under the joint configuration and not before, and the other way round.
pub(super) fn beside_joint(finished: &Finished) -> String {
    let mut text = String::new();
    let used = finished.fallbacks.as_ref().map(|table| table.under(&whole(finished))).unwrap_or_default();
    if !used.is_empty() {
        text.push_str(&format!("  used then, and in no trace: {}\n", named(&used)));
    }
    let not_made: BTreeSet<Item> = finished.summary.not_made.iter().flatten().copied().collect();
    if !not_made.is_empty() {
        text.push_str(&format!("  implemented, but not used then: {}\n", named(&not_made)));
    }
    text
}

/// The table of what is used while each item is avoided; empty where there is nothing.
pub(super) fn table_text(finished: &Finished) -> String {
    let Some(fallbacks) = &finished.fallbacks else {
        return "\nused only while others are avoided: not known, as an earlier version measured this; `--fresh` measures it again\n".to_owned();
    };
    if fallbacks.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(&[("avoided", Align::Left), ("how", Align::Left), ("used only then, and in no trace", Align::Left)]);
    // Items with the same fallback stand in one row, in the order of the first of them.
    let mut rows: Vec<(&str, BTreeSet<Item>, BTreeSet<Item>)> = Vec::new();
    let mut add = |item: Item, how: &'static str, used: BTreeSet<Item>| {
        if let Some((_, items, _)) = rows.iter_mut().find(|(other, _, same)| *other == how && *same == used) {
            items.insert(item);
        } else if !used.is_empty() {
            rows.push((how, BTreeSet::from([item]), used));
        }
    };
    for item in fallbacks.alone.keys().map(|(item, _)| *item).collect::<BTreeSet<_>>() {
        let [stubbed, faked] = Treatment::ALL.map(|treatment| fallbacks.of(item, treatment).collect::<BTreeSet<_>>());
        if stubbed == faked {
            add(item, "stubbed or faked", stubbed);
        } else {
            add(item, "stubbed", stubbed);
            add(item, "faked", faked);
        }
    }
    for (how, items, used) in rows {
        table.row([listed(items.iter(), AVOIDED), how.to_owned(), named(&used)]);
    }
    if !fallbacks.together.is_empty() {
        table.row([TOGETHER.to_owned(), "all at once".to_owned(), named(&fallbacks.together)]);
    }
    let mut text = format!("\n{}", table.render());
    if !finished.environment.identity.settings.watches_treatments() {
        text.push_str(
            "no run with treatments was watched, so new pseudo-files and features of calls in traces are not among these\n",
        );
    }
    text
}

/// What is said of a call of the joint configuration that is implemented and never made there.
pub(super) fn joint_remark(finished: &Finished, item: Item) -> &'static str {
    if is_not_made(finished, item) { " (not made)" } else { "" }
}

/// Whether the joint configuration implements the item and was not seen to use it.
pub(super) fn is_not_made(finished: &Finished, item: Item) -> bool {
    finished.summary.not_made.as_ref().is_some_and(|items| items.contains(&item))
}

/// Names of items, the features of a named call left out.
pub(super) fn named(items: &BTreeSet<Item>) -> String {
    let is_told = |item: &&Item| match item {
        Item::Feature(feature) => !items.contains(&Item::Call(feature.call())),
        Item::Call(_) | Item::File(_) => true,
    };
    listed(items.iter().filter(is_told), NAMED)
}

/// The first items by name, and the number of the others.
fn listed<'a>(items: impl Iterator<Item = &'a Item>, most: usize) -> String {
    let names: Vec<_> = items.map(ToString::to_string).collect();
    if names.len() <= most + 1 {
        return names.join(", ");
    }
    format!("{} and {} others", names[..most].join(", "), names.len() - most)
}

/// Where an item that no trace shows is used: in place of which others.
#[must_use]
pub(super) fn in_place_of(table: &FallbackTable, item: Item) -> Vec<String> {
    let rows = table.rows().filter(|(_, used)| *used == item);
    rows.map(|(treated, _)| match treated {
        Some((treated, Treatment::Stub)) => format!("`{treated}` is stubbed"),
        Some((treated, Treatment::Fake)) => format!("`{treated}` is faked"),
        None => "everything avoidable is avoided at once".to_owned(),
    })
    .collect()
}
