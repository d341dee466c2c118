//! What is likely of a call before this app was asked: how other apps fared without it. Pure.
//!
//! Orders the guesses of the strategy `joint`; no verdict rests on it.
//!
//! A call is of one of four kinds, which are the verdicts. Every app where its kind is known counts for that kind. So it can be told
//! what is likely of one treatment once the other is known to fail: hardly ever does the stub work then, and now and then the fake.

use std::collections::BTreeMap;

use super::verdict::Verdict;
use crate::trial::{Item, Treatment};

/// Thousandths.
const ONE: u64 = 1000;

/// What is likely of a call of which nothing is known, in thousandths, as long as little is known of others: about the share of each
/// verdict among the used calls of 113 published measurements (the database of Loupe, ASPLOS'24, as of 2023-08-14).
const BASE: Kinds = Kinds { any: 420, fake: 120, stub: 50, required: 410 };

/// What the mean of all calls counts for where a call is known from others, in thousandths of an app.
const DOUBT: u64 = 500;

/// What counts for each kind, in thousandths of an app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kinds {
    any: u64,
    fake: u64,
    stub: u64,
    required: u64,
}

impl Kinds {
    fn of(&mut self, verdict: Verdict) -> &mut u64 {
        match verdict {
            Verdict::Any => &mut self.any,
            Verdict::Fake => &mut self.fake,
            Verdict::Stub => &mut self.stub,
            Verdict::Required => &mut self.required,
        }
    }

    const fn all(self) -> u64 {
        self.any + self.fake + self.stub + self.required
    }

    /// What counts for kinds of which `treatment` works.
    const fn working(self, treatment: Treatment) -> u64 {
        match treatment {
            Treatment::Stub => self.any + self.stub,
            Treatment::Fake => self.any + self.fake,
        }
    }

    /// Those of which `treatment` fails.
    const fn without(self, treatment: Treatment) -> Self {
        match treatment {
            Treatment::Stub => Self { any: 0, stub: 0, ..self },
            Treatment::Fake => Self { any: 0, fake: 0, ..self },
        }
    }

    /// The same proportions, in all as many as `all`.
    fn scaled(self, all: u64) -> Self {
        let own = self.all().max(1);
        let scale = |count: u64| count * all / own;
        Self { any: scale(self.any), fake: scale(self.fake), stub: scale(self.stub), required: scale(self.required) }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            any: self.any + other.any,
            fake: self.fake + other.fake,
            stub: self.stub + other.stub,
            required: self.required + other.required,
        }
    }
}

/// How often each call was of which kind elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Likelihoods {
    known: BTreeMap<Item, Kinds>,
    all: Kinds,
}

impl Likelihoods {
    /// Takes into account what `item` was in one app; `weight` is 1, or more for an app that resembles the one that is asked for.
    pub fn learn(&mut self, item: Item, verdict: Verdict, weight: u32) {
        let weight = u64::from(weight) * ONE;
        for kinds in [self.known.entry(item).or_default(), &mut self.all] {
            *kinds.of(verdict) += weight;
        }
    }

    /// Takes into account that one treatment of `item` worked in one app, of which no more is known.
    pub fn learn_working(&mut self, item: Item, treatment: Treatment, weight: u32) {
        let other = match treatment {
            Treatment::Stub => Treatment::Fake,
            Treatment::Fake => Treatment::Stub,
        };
        let both = BASE.without(other).plus(Kinds { any: BASE.any, ..Kinds::default() });
        let working = Kinds { required: 0, ..both }.scaled(u64::from(weight) * ONE);
        for kinds in [self.known.entry(item).or_default(), &mut self.all] {
            *kinds = kinds.plus(working);
        }
    }

    /// What is likely of `item`: what was seen of it, and a bit of what was seen of all.
    fn kinds(&self, item: Item) -> Kinds {
        let mean = self.all.plus(BASE).scaled(DOUBT);
        self.known.get(&item).copied().unwrap_or_default().plus(mean)
    }

    /// How likely `treatment` of `item` works, in thousandths, never 0 and never 1000.
    #[must_use]
    pub fn of(&self, item: Item, treatment: Treatment) -> u64 {
        share(self.kinds(item), treatment)
    }

    /// The same where the other treatment is known to fail.
    #[must_use]
    pub fn of_last(&self, item: Item, treatment: Treatment) -> u64 {
        let other = match treatment {
            Treatment::Stub => Treatment::Fake,
            Treatment::Fake => Treatment::Stub,
        };
        share(self.kinds(item).without(other), treatment)
    }
}

fn share(kinds: Kinds, treatment: Treatment) -> u64 {
    (kinds.working(treatment) * ONE / kinds.all().max(1)).clamp(1, ONE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> Item {
        name.parse().unwrap()
    }

    #[test]
    fn what_was_seen_counts_the_more_the_oftener_it_was_seen() {
        let (read, brk) = (item("read"), item("brk"));
        let mut likely = Likelihoods::default();
        assert_eq!(likely.of(read, Treatment::Stub), 470);
        assert_eq!(likely.of(read, Treatment::Fake), 540);
        likely.learn(read, Verdict::Required, 1);
        likely.learn(brk, Verdict::Any, 5);
        let once = likely.of(read, Treatment::Stub);
        likely.learn(read, Verdict::Required, 3);
        assert!(likely.of(read, Treatment::Stub) < once);
        assert!(likely.of(brk, Treatment::Stub) > likely.of(item("futex"), Treatment::Fake));
    }

    #[test]
    fn where_one_treatment_fails_the_other_is_less_likely_too() {
        let mut likely = Likelihoods::default();
        likely.learn(item("brk"), Verdict::Any, 3);
        assert!(likely.of(item("brk"), Treatment::Stub) > 800);
        assert!(likely.of_last(item("brk"), Treatment::Stub) < 200);
        likely.learn(item("accept4"), Verdict::Stub, 3);
        assert!(likely.of_last(item("accept4"), Treatment::Stub) > 800);
        let nothing = Likelihoods::default();
        assert!(nothing.of_last(item("uname"), Treatment::Fake) > nothing.of_last(item("uname"), Treatment::Stub));
    }

    #[test]
    fn one_working_treatment_makes_both_likelier() {
        let mut likely = Likelihoods::default();
        likely.learn_working(item("read"), Treatment::Fake, 4);
        assert!(likely.of(item("read"), Treatment::Fake) > 900);
        assert!(likely.of(item("read"), Treatment::Stub) > 600);
        assert!(likely.of(item("read"), Treatment::Stub) < likely.of(item("read"), Treatment::Fake));
    }
}
