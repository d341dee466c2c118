//! The search for the largest set of calls that can be avoided all at once. Pure.
//!
//! It is written as a plain function over an oracle that says whether a configuration passes. An oracle that does not know
//! yet answers with [`Unanswered`], which ends the search at once; the planner has the trials run and calls the search
//! again from its beginning. Since it is deterministic and every answer is remembered, it gets one question further each
//! time. So there is no state to keep, and resuming a campaign needs nothing special.
//!
//! 1. Everything at once, verified straight away. This is the usual end.
//! 2. Else grow: add groups to a configuration that passes, halve a group that fails, drop a single call that fails (after
//!    its other treatment, where both work alone). With more than one call dropped, grow again with the dropped ones first:
//!    one call that conflicts with many is then dropped instead of the many.
//! 3. Verify the largest. If that fails, passes seen on the way were luck: grow once more with every step verified.
//!
//! The result cannot be extended by any dropped call, provided that what fails also fails when more is treated.
//!
//! Bounded: `n` calls make at most `2n - 1` groups, and at most `n` second treatments are tried; so one growth asks fewer
//! than `3n` questions, and there are at most [`RESTARTS`] + 2 growths (the last one strict), two verifications, no loops.

use super::replicas::{Ask, Passing};

use crate::trial::{Intervention, Item, Treatment};

/// How often the search starts again with what it dropped in front.
pub(super) const RESTARTS: usize = 2;

/// A call that can be avoided alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Avoidable {
    pub(super) item: Item,
    /// The treatments that work alone, the preferred one first; never empty.
    pub(super) treatments: &'static [Treatment],
}

/// The list of one treatment.
pub(super) const fn only(treatment: Treatment) -> &'static [Treatment] {
    match treatment {
        Treatment::Stub => &[Treatment::Stub],
        Treatment::Fake => &[Treatment::Fake],
    }
}

/// How sure an answer has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sureness {
    /// One run, even if its failure is in doubt.
    Hunch,
    /// One run.
    Glance,
    /// A first look, at which a failure is seen twice.
    Probe,
    /// Passes every time.
    Verified,
}

/// A question that needs trials before it can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unanswered {
    pub(super) configuration: Intervention,
    pub(super) sureness: Sureness,
    /// The runs that it takes.
    pub(super) ask: Ask,
}

/// A call that was left out, and the trial that made it be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) item: Item,
    pub(super) treatment: Treatment,
    pub(super) together_with: Intervention,
}

impl Dropped {
    /// The configuration that did not pass.
    pub(super) fn configuration(&self) -> Intervention {
        self.together_with.clone().with(self.item, self.treatment)
    }
}

/// The end of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Verified, or empty.
    pub(super) configuration: Intervention,
    pub(super) dropped: Vec<Dropped>,
}

/// Finds the largest verified configuration that can be made of `avoidable` on top of `base`, which passes; ties go to the first found.
pub(super) fn search(
    base: &Intervention,
    avoidable: &[Avoidable],
    mut ask: impl FnMut(&Intervention, Sureness) -> Result<Passing, Unanswered>,
) -> Result<Found, Unanswered> {
    let everything = avoidable.iter().fold(base.clone(), |everything, item| everything.with(item.item, item.treatments[0]));
    if everything.is_empty() || ask(&everything, Sureness::Verified)? == Passing::Yes {
        return Ok(Found { configuration: everything, dropped: Vec::new() });
    }
    let mut order = avoidable.to_vec();
    let mut best = grow(base, &order, &mut |configuration| ask(configuration, Sureness::Probe))?;
    let mut best_order = order.clone();
    let mut latest = best.clone();
    for _ in 0..RESTARTS {
        // With one call dropped nothing larger exists: everything at once is known to fail.
        if best.dropped.len() <= 1 {
            break;
        }
        let is_dropped = |item: &Avoidable| latest.dropped.iter().any(|dropped| dropped.item == item.item);
        let (first, rest): (Vec<_>, Vec<_>) = order.iter().cloned().partition(is_dropped);
        order = [first, rest].concat();
        latest = grow(base, &order, &mut |configuration| ask(configuration, Sureness::Probe))?;
        if latest.configuration.len() > best.configuration.len() {
            best = latest.clone();
            best_order.clone_from(&order);
        }
    }
    if best.configuration.is_empty() || ask(&best.configuration, Sureness::Verified)? == Passing::Yes {
        return Ok(best);
    }
    grow(base, &best_order, &mut |configuration| ask(configuration, Sureness::Verified))
}

type Oracle<'a> = dyn FnMut(&Intervention) -> Result<Passing, Unanswered> + 'a;

/// Adds `order` to `base`, as much of it as passes.
fn grow(base: &Intervention, order: &[Avoidable], ask: &mut Oracle<'_>) -> Result<Found, Unanswered> {
    let mut found = Found { configuration: base.clone(), dropped: Vec::new() };
    add(&mut found, order, ask)?;
    Ok(found)
}

/// Adds `items` to what was found so far, which passes.
fn add(found: &mut Found, items: &[Avoidable], ask: &mut Oracle<'_>) -> Result<(), Unanswered> {
    if let [item] = items {
        for &treatment in item.treatments {
            let candidate = found.configuration.clone().with(item.item, treatment);
            if ask(&candidate)? == Passing::Yes {
                found.configuration = candidate;
                return Ok(());
            }
        }
        let treatment = item.treatments[item.treatments.len() - 1];
        found.dropped.push(Dropped { item: item.item, treatment, together_with: found.configuration.clone() });
        return Ok(());
    }
    let mut candidate = found.configuration.clone();
    for item in items {
        candidate.insert(item.item, item.treatments[0]);
    }
    if ask(&candidate)? == Passing::Yes {
        found.configuration = candidate;
        return Ok(());
    }
    let (left, right) = items.split_at(items.len() / 2);
    add(found, left, ask)?;
    add(found, right, ask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn avoidable(names: &str, treatments: &'static [Treatment]) -> Vec<Avoidable> {
        names.split(' ').map(|name| Avoidable { item: name.parse().unwrap(), treatments }).collect()
    }

    fn intervention(text: &str) -> Intervention {
        text.parse().unwrap()
    }

    /// Searches with an oracle that knows everything at once; returns the number of different questions too.
    fn run(avoidable: &[Avoidable], mut passes: impl FnMut(&Intervention, Sureness) -> bool) -> (Found, usize) {
        let mut asked = BTreeSet::new();
        let found = search(&Intervention::none(), avoidable, |configuration, sureness| {
            asked.insert(configuration.clone());
            Ok(if passes(configuration, sureness) { Passing::Yes } else { Passing::No })
        });
        (found.unwrap(), asked.len())
    }

    fn contains(configuration: &Intervention, part: &str) -> bool {
        intervention(part).iter().all(|(item, treatment)| configuration.get(item) == Some(treatment))
    }

    const STUB: &[Treatment] = &[Treatment::Stub];

    #[test]
    fn everything_at_once_needs_one_question() {
        let (found, asked) = run(&avoidable("brk close read write", &Treatment::ALL), |_, _| true);
        assert_eq!(found.configuration, intervention("stub=brk,close,read,write"));
        assert_eq!((found.dropped.len(), asked), (0, 1));
    }

    #[test]
    fn nothing_avoidable_needs_no_question() {
        assert_eq!(run(&[], |_, _| panic!("asked")).0, Found::default());
    }

    #[test]
    fn one_of_a_conflicting_pair_is_dropped() {
        let (found, _) = run(&avoidable("brk close read write", STUB), |tried, _| !contains(tried, "stub=close,write"));
        assert_eq!(found.configuration, intervention("stub=brk,close,read"));
        assert_eq!(found.dropped.len(), 1);
        assert_eq!(found.dropped[0].configuration(), intervention("stub=brk,close,read,write"));
    }

    #[test]
    fn conflict_of_one_treatment_is_solved_by_the_other() {
        let (found, _) = run(&avoidable("brk close write", &Treatment::ALL), |tried, _| !contains(tried, "stub=close,write"));
        assert_eq!(found.configuration, intervention("stub=brk,close;fake=write"));
        assert_eq!(found.dropped, []);
    }

    #[test]
    fn call_that_conflicts_with_many_is_dropped_instead_of_the_many() {
        let items = avoidable("brk close futex read write", STUB);
        let (found, _) = run(&items, |tried, _| {
            !["close", "futex", "read", "write"].iter().any(|other| contains(tried, &format!("stub=brk,{other}")))
        });
        assert_eq!(found.configuration, intervention("stub=close,futex,read,write"));
        assert_eq!(found.dropped.len(), 1);
    }

    #[test]
    fn largest_is_grown_again_with_every_step_verified_if_it_was_luck() {
        let items = avoidable("brk close futex read write", STUB);
        let (found, _) = run(&items, |tried, sureness| match sureness {
            Sureness::Hunch | Sureness::Glance | Sureness::Probe => tried.len() < 5,
            Sureness::Verified => !contains(tried, "stub=close"),
        });
        assert_eq!(found.configuration, intervention("stub=brk,futex,read,write"));
    }

    #[test]
    fn search_that_never_passes_ends_empty_and_bounded() {
        let items = avoidable("brk close futex read write", &Treatment::ALL);
        let (found, asked) = run(&items, |_, _| false);
        assert_eq!(found.configuration, Intervention::none());
        assert_eq!(found.dropped.len(), 5);
        assert!(asked <= 3 * 5 * (RESTARTS + 2), "{asked}");
    }
}
