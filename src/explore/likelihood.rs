//! What is likely of a call before this app was asked: how other apps fared without it. Pure.
//!
//! Orders the guesses of the strategy `joint`; no verdict rests on it.

use std::collections::BTreeMap;

use crate::trial::{Item, Treatment};

/// What counts as likely where nothing at all is known, in thousandths: about half of the treatments of used calls work.
const BASE: u64 = 550;

/// How often a treatment worked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    works: u64,
    tried: u64,
}

/// How often each call was avoidable elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Likelihoods {
    tallies: BTreeMap<(Item, Treatment), Tally>,
    all: Tally,
}

impl Likelihoods {
    /// Takes into account that `treatment` of `call` worked or did not, in one app; `weight` is 1, or more for an app that resembles
    /// the one that is asked for.
    pub fn learn(&mut self, item: Item, treatment: Treatment, works: bool, weight: u32) {
        let weight = u64::from(weight);
        for tally in [self.tallies.entry((item, treatment)).or_default(), &mut self.all] {
            tally.tried += weight;
            tally.works += if works { weight } else { 0 };
        }
    }

    /// How likely `treatment` of `call` works, in thousandths, never 0 and never 1000: what was seen, and one more app that is like
    /// the mean of all calls.
    #[must_use]
    pub fn of(&self, item: Item, treatment: Treatment) -> u64 {
        let base = (self.all.works * 1000 + BASE) / (self.all.tried + 1);
        let tally = self.tallies.get(&(item, treatment)).copied().unwrap_or_default();
        ((tally.works * 1000 + base) / (tally.tried + 1)).clamp(1, 999)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_counts_the_more_the_oftener_it_was_seen() {
        let (read, brk) = ("read".parse().unwrap(), "brk".parse().unwrap());
        let mut likely = Likelihoods::default();
        assert_eq!(likely.of(read, Treatment::Stub), BASE);
        likely.learn(read, Treatment::Stub, false, 1);
        likely.learn(brk, Treatment::Stub, true, 5);
        let once = likely.of(read, Treatment::Stub);
        likely.learn(read, Treatment::Stub, false, 3);
        assert!(likely.of(read, Treatment::Stub) < once && once < likely.of(read, Treatment::Fake));
        assert!(likely.of(brk, Treatment::Stub) > likely.of(read, Treatment::Fake));
    }
}
