//! Items that no trace saw, used by calls that the kernel runs: what does an app do instead of what is stubbed or faked? Pure.
//!
//! A call that no trace saw is notified in every trial that asks for it. It is rare by its nature, so that costs nothing as a rule; where it
//! turns out to be frequent, its arguments are looked at only for its first uses.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::syscalls::Sysno;
use crate::trial::{ANSWERS_BEFORE, Item, NewUse};

/// Uses of a new call whose arguments are looked at.
const LOOKED_INTO: u64 = 256;

/// Uses of items that no trace saw.
#[derive(Debug)]
pub(super) struct NewUses {
    traced: HashSet<Item>,
    uses: BTreeMap<Item, NewUse>,
    /// Treated items that were answered, by thread and of all threads, the latest first.
    answered: HashMap<u32, Vec<Item>>,
    answered_last: Vec<Item>,
    answers: HashMap<Item, u64>,
}

impl NewUses {
    pub(super) fn new(traced: impl IntoIterator<Item = Item>) -> Self {
        let traced = traced.into_iter().collect();
        Self { traced, uses: BTreeMap::new(), answered: HashMap::new(), answered_last: Vec::new(), answers: HashMap::new() }
    }

    /// Whether a call that is not treated, and need not be notified, is notified because no trace saw it.
    pub(super) fn is_new(&self, call: Sysno) -> bool {
        !self.traced.contains(&Item::Call(call))
    }

    /// Whether the arguments of one more use of the call are worth a look.
    pub(super) fn looks_into(&self, call: Sysno) -> bool {
        self.uses.get(&Item::Call(call)).is_none_or(|new| new.count < LOOKED_INTO)
    }

    /// An item was treated in a call of the thread.
    pub(super) fn answered(&mut self, item: Item, thread: u32) {
        *self.answers.entry(item).or_default() += 1;
        for answered in [self.answered.entry(thread).or_default(), &mut self.answered_last] {
            if answered.first() == Some(&item) {
                continue;
            }
            answered.retain(|earlier| *earlier != item);
            answered.insert(0, item);
            answered.truncate(ANSWERS_BEFORE);
        }
    }

    /// The kernel runs a call of the thread that is or carries these items.
    pub(super) fn ran(&mut self, items: impl IntoIterator<Item = Item>, thread: u32) {
        for item in items {
            if self.traced.contains(&item) {
                continue;
            }
            let new = self.uses.entry(item).or_insert_with(|| {
                // A thread that got no answer itself was made by one that did, or waited for it.
                let answered = self.answered.get(&thread).unwrap_or(&self.answered_last);
                let mut after = answered.clone();
                // What is answered all the time is hardly the reason.
                after.sort_by_key(|item| self.answers.get(item).copied().unwrap_or(0));
                NewUse { count: 0, after }
            });
            new.count += 1;
        }
    }

    /// The thread ends: another one may get its number.
    pub(super) fn forget_thread(&mut self, thread: u32) {
        self.answered.remove(&thread);
    }

    /// What was seen.
    pub(super) fn uses(&self) -> BTreeMap<Item, NewUse> {
        self.uses.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> Item {
        text.parse().unwrap()
    }

    #[test]
    fn first_use_of_a_new_item_is_kept_with_the_latest_answers_before_it() {
        let mut new = NewUses::new([item("read"), item("openat")]);
        for answered in ["brk", "close", "brk", "umask", "getpid", "prlimit64"] {
            new.answered(item(answered), 1);
        }
        new.answered(item("getrandom"), 2);
        new.ran([item("openat"), item("/dev/urandom")], 2);
        new.ran([item("getrlimit")], 1);
        new.answered(item("chown"), 1);
        new.ran([item("getrlimit"), item("read")], 1);
        new.forget_thread(2);
        new.ran([item("exit")], 2);
        let after = |text: &str| {
            let new = &new.uses()[&item(text)];
            (new.count, new.after.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(new.uses().len(), 3);
        assert_eq!(after("/dev/urandom"), (1, "getrandom".to_owned()));
        assert_eq!(after("getrlimit"), (2, "prlimit64 getpid umask brk".to_owned()), "`brk` was answered twice");
        assert_eq!(after("exit"), (1, "chown getrandom prlimit64 getpid".to_owned()));
    }

    #[test]
    fn arguments_of_a_frequent_new_call_are_not_looked_at_for_ever() {
        let mut new = NewUses::new([item("read")]);
        let call = item("poll").call().unwrap();
        assert!(new.is_new(call) && !new.is_new(item("read").call().unwrap()));
        for _ in 0..LOOKED_INTO {
            assert!(new.looks_into(call));
            new.ran([Item::Call(call)], 1);
        }
        assert!(!new.looks_into(call));
    }
}
