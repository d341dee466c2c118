//! When has a number stopped changing? Pure: who calls says how to read it and how to wait.
//!
//! When the client of a server ends, its connections are closed, but the server learns of that when it gets a processor. Until then
//! it has them open, and how many those are is chance. A server with news to come is runnable: once it sleeps, and the number stays,
//! it has done what it does about the client's end.

use std::time::Duration;

/// For how long a number is watched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settling {
    /// Time between two looks.
    pause: Duration,
    /// It has settled if it was the same for so long while the app slept …
    asleep: Duration,
    /// … or for so long whatever the app did: one that never sleeps has done what it will.
    awake: Duration,
    /// After this time it is taken as it is.
    limit: Duration,
}

/// For open files.
pub(super) const SETTLING: Settling = Settling {
    pause: Duration::from_millis(10),
    asleep: Duration::from_millis(30),
    awake: Duration::from_millis(200),
    limit: Duration::from_millis(500),
};

/// The number that `read` gives in the end. `read` also says whether the app runs or is about to.
pub(super) fn settled<T: PartialEq + Copy>(
    settling: Settling,
    mut read: impl FnMut() -> (T, bool),
    mut wait: impl FnMut(Duration),
) -> T {
    let (mut number, mut runs) = read();
    let (mut unchanged, mut slept, mut passed) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    while passed < settling.limit && slept < settling.asleep && unchanged < settling.awake {
        wait(settling.pause);
        passed += settling.pause;
        let before = (number, runs);
        (number, runs) = read();
        if number == before.0 {
            unchanged += settling.pause;
            slept = if runs || before.1 { Duration::ZERO } else { slept + settling.pause };
        } else {
            (unchanged, slept) = (Duration::ZERO, Duration::ZERO);
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read in the end of an app that has closed everything but 5 files after so many looks, and runs until another; and after
    /// how many milliseconds.
    fn after(closed: u32, asleep: u32) -> (u32, u128) {
        let (mut looks, mut waited) = (0, Duration::ZERO);
        let read = || {
            looks += 1;
            (5 + closed.saturating_sub(looks), looks <= asleep)
        };
        let number = settled(SETTLING, read, |pause| waited += pause);
        (number, waited.as_millis())
    }

    #[test]
    fn a_number_is_taken_when_it_has_stopped_changing_and_the_app_sleeps() {
        assert_eq!(after(0, 0), (5, 30));
        assert_eq!(after(7, 0), (5, 90), "the seventh look, and three more");
        assert_eq!(after(0, 4), (5, 70), "it may close more of them while it runs");
    }

    #[test]
    fn what_never_sleeps_or_never_settles_is_not_waited_for_longer_than_a_moment() {
        assert_eq!(after(0, u32::MAX), (5, 200));
        assert_eq!(after(7, u32::MAX), (5, 260));
        assert_eq!(after(1000, u32::MAX).1, 500);
    }
}
