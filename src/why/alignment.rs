//! Where does what follows an answer meet again with what follows the same call in a trace? Pure.

use crate::syscalls::Sysno;

/// Calls in a row that have to be the same for two sequences to count as going on together. One alone is often chance: everything
/// writes, everything allocates.
const TOGETHER: usize = 2;

/// Calls that may be inserted and skipped in front of a single call in common that is treated itself.
const NEAR: usize = 3;

/// How two sequences differ before they go on together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alignment {
    /// Calls that only the second has in front.
    pub inserted: usize,
    /// Calls that only the first has in front.
    pub skipped: Vec<Sysno>,
    /// Calls that follow and that both have.
    pub common: usize,
    /// Whether they go on together at all; if not, everything is inserted and nothing can be said about what was skipped.
    pub meets: bool,
}

impl Alignment {
    fn cost(&self) -> (bool, usize, usize) {
        (!self.meets, self.inserted + self.skipped.len(), self.inserted)
    }
}

/// The alignment of `after` with the one of `uses` that it differs least from; `None` if there is nothing to compare: no use, or nothing
/// came after.
#[must_use]
pub fn best(uses: &[Vec<Sysno>], after: &[(Sysno, bool)]) -> Option<Alignment> {
    if after.is_empty() {
        return None;
    }
    uses.iter().map(|usual| align(usual, after)).min_by_key(Alignment::cost)
}

/// The alignment with the fewest differences. A call of `after` comes with whether it was treated itself: what follows that is the doing
/// of another answer, so it is enough if both go on together as far as there.
#[must_use]
pub fn align(usual: &[Sysno], after: &[(Sysno, bool)]) -> Alignment {
    // Where there is only one call to compare, one has to be enough.
    let together = TOGETHER.min(usual.len()).min(after.len()).max(1);
    let in_common = |skipped: usize, inserted: usize| {
        usual[skipped..].iter().zip(&after[inserted..]).take_while(|(one, (other, _))| *one == other).count()
    };
    let meets = |skipped: usize, inserted: usize| {
        let (same, after) = (in_common(skipped, inserted), &after[inserted..]);
        // The more has to be left out for it, the more often one call in common is chance.
        let is_near = skipped + inserted <= NEAR;
        same >= together || (is_near && after[..same].iter().any(|(_, treated)| *treated))
    };
    let pairs = (0..usual.len()).flat_map(|skipped| (0..after.len()).map(move |inserted| (skipped, inserted)));
    let best = pairs.filter(|(skipped, inserted)| meets(*skipped, *inserted));
    if let Some((skipped, inserted)) = best.min_by_key(|(skipped, inserted)| (skipped + inserted, *inserted)) {
        let common = in_common(skipped, inserted);
        Alignment { inserted, skipped: usual[..skipped].to_vec(), common, meets: true }
    } else {
        let meets = usual.is_empty() && after.is_empty();
        Alignment { inserted: after.len(), skipped: Vec::new(), common: 0, meets }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calls(names: &str) -> Vec<Sysno> {
        names.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    /// A call with a `!` behind it is treated.
    fn after(names: &str) -> Vec<(Sysno, bool)> {
        names.split_whitespace().map(|name| (name.trim_end_matches('!').parse().unwrap(), name.ends_with('!'))).collect()
    }

    fn aligned(usual: &str, next: &str) -> (usize, String) {
        let Alignment { inserted, skipped, .. } = align(&calls(usual), &after(next));
        (inserted, skipped.iter().map(|call| call.name()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_same_calls_have_nothing_inserted_and_nothing_skipped() {
        assert_eq!(aligned("read close mmap", "read close mmap"), (0, String::new()));
        assert_eq!(aligned("read close mmap", "read close"), (0, String::new()));
        assert_eq!(aligned("", ""), (0, String::new()));
    }

    #[test]
    fn inserted_and_skipped_calls_are_told_apart() {
        assert_eq!(aligned("openat read close mmap", "getrlimit openat read close"), (1, String::new()));
        assert_eq!(aligned("setsockopt bind listen openat read", "openat read close"), (0, "setsockopt bind listen".to_owned()));
        assert_eq!(aligned("prlimit64 openat read close", "write openat read close"), (1, "prlimit64".to_owned()));
    }

    #[test]
    fn one_call_in_common_is_no_meeting() {
        assert_eq!(aligned("mmap read futex", "openat read close"), (3, String::new()));
        assert!(!align(&calls("mmap read futex"), &after("openat read close")).meets);
        // Unless nothing more is known: the trial ended there.
        assert_eq!(aligned("write exit_group", "exit_group"), (0, "write".to_owned()));
    }

    #[test]
    fn what_follows_another_treated_call_is_its_own_doing() {
        assert_eq!(aligned("getrandom getppid gettid", "getrandom! openat read close getppid"), (0, String::new()));
        assert_eq!(aligned("getppid gettid read", "write getppid! openat mmap close"), (1, String::new()));
        assert!(!align(&calls("getrandom getppid gettid"), &after("getrandom openat read close mmap")).meets);
    }

    #[test]
    fn the_use_that_differs_least_is_the_one_to_compare_with() {
        let uses = [calls("mmap mmap mmap"), calls("read close mmap"), calls("openat read close")];
        assert_eq!(
            best(&uses, &after("read close mmap")),
            Some(Alignment { inserted: 0, skipped: Vec::new(), common: 3, meets: true })
        );
        assert_eq!((best(&[], &after("read")), best(&uses, &[])), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_left_after_the_alignment_goes_on_together(usual in sequence(), after in sequence()) {
            let next: Vec<_> = after.iter().map(|call| (*call, false)).collect();
            let Alignment { inserted, skipped, common, meets } = align(&usual, &next);
            prop_assert!(inserted <= after.len() && skipped.len() <= usual.len());
            prop_assert_eq!(&usual[..skipped.len()], skipped.as_slice());
            let (usual, after) = (&usual[skipped.len()..], &after[inserted..]);
            let same = usual.iter().zip(after).take_while(|(one, other)| one == other).count();
            prop_assert!(!meets || (usual.is_empty() && after.is_empty()) || (same >= 1 && same == common));
        }

        #[test]
        fn calls_put_in_front_are_found(usual in sequence(), front in sequence()) {
            let after: Vec<_> = front.iter().chain(&usual).map(|call| (*call, false)).collect();
            let found = align(&usual, &after);
            if !usual.is_empty() {
                prop_assert!(found.meets);
                prop_assert!(found.inserted + found.skipped.len() <= front.len());
            }
        }
    }

    fn sequence() -> impl Strategy<Value = Vec<Sysno>> {
        let names = prop::sample::select(vec!["read", "write", "openat", "close", "mmap"]);
        prop::collection::vec(names.prop_map(|name| name.parse().unwrap()), 0..9)
    }
}
