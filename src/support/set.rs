//! A set of system calls as bits: what a planner compares thousands of times. Pure.

use std::fmt;

use crate::syscalls::{COUNT, Sysno};

/// Words of 64 bits that hold all calls.
const WORDS: usize = COUNT.div_ceil(64);

/// Some system calls; the order of sets means nothing, but is always the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallSet([u64; WORDS]);

impl CallSet {
    /// No call.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Every call of every architecture.
    #[must_use]
    pub fn all() -> Self {
        Sysno::all().collect()
    }

    /// Whether `call` is one of them.
    #[must_use]
    pub const fn contains(&self, call: Sysno) -> bool {
        self.0[call.index() / 64] >> (call.index() % 64) & 1 == 1
    }

    /// Adds `call`.
    pub const fn insert(&mut self, call: Sysno) {
        self.0[call.index() / 64] |= 1 << (call.index() % 64);
    }

    /// Takes `call` out.
    pub const fn remove(&mut self, call: Sysno) {
        self.0[call.index() / 64] &= !(1 << (call.index() % 64));
    }

    fn combined(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word = combine(*word, other);
        }
        Self(words)
    }

    /// The calls in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        self.combined(other, |left, right| left | right)
    }

    /// The calls in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        self.combined(other, |left, right| left & right)
    }

    /// The calls that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        self.combined(other, |left, right| left & !right)
    }

    /// Number of calls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Whether every one of them is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(word, other)| word & !other == 0)
    }

    /// The calls in name order.
    pub fn iter(self) -> impl Iterator<Item = Sysno> {
        self.0.into_iter().enumerate().flat_map(|(index, word)| Bits(word).filter_map(move |bit| Sysno::at(index * 64 + bit)))
    }
}

/// The places of the bits that are set, from the lowest.
struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = self.0.trailing_zeros();
        // Without its lowest bit; nothing is left of nothing.
        self.0 &= self.0.wrapping_sub(1);
        (place < u64::BITS).then_some(place as usize)
    }
}

impl fmt::Debug for CallSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

impl Default for CallSet {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl FromIterator<Sysno> for CallSet {
    fn from_iter<I: IntoIterator<Item = Sysno>>(calls: I) -> Self {
        let mut set = Self::EMPTY;
        for call in calls {
            set.insert(call);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn calls() -> impl Strategy<Value = BTreeSet<Sysno>> {
        let all: Vec<_> = Sysno::all().collect();
        prop::collection::btree_set(prop::sample::select(all), 0..60)
    }

    proptest! {
        #[test]
        fn bits_behave_as_a_set(left in calls(), right in calls()) {
            let set = |calls: &BTreeSet<Sysno>| calls.iter().copied().collect::<CallSet>();
            let (a, b) = (set(&left), set(&right));
            prop_assert!(a.iter().eq(left.iter().copied()));
            prop_assert_eq!(a.len(), left.len());
            prop_assert_eq!(a.is_empty(), left.is_empty());
            prop_assert_eq!(a.union(b), set(&left.union(&right).copied().collect()));
            prop_assert_eq!(a.intersection(b), set(&left.intersection(&right).copied().collect()));
            prop_assert_eq!(a.without(b), set(&left.difference(&right).copied().collect()));
            prop_assert_eq!(a.is_subset(&b), left.is_subset(&right));
            for call in Sysno::all() {
                prop_assert_eq!(a.contains(call), left.contains(&call));
                let (mut with, mut without) = (a, a);
                with.insert(call);
                without.remove(call);
                prop_assert!(with.contains(call) && !without.contains(call));
            }
        }
    }
}
