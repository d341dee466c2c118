//! The time that processes have which live on when the main process of a command ends.
//!
//! As in a container, the command is over with its main process. What it leaves is given a moment all the same: a child may be about to
//! end, and what it writes belongs to the output. A child that still works is given longer than one that waits for something, as on a busy
//! machine it may only wait for a processor.

use std::time::{Duration, Instant};

use super::processes;

/// How long processes are given that do nothing.
const GRACE: Duration = Duration::from_millis(200);
/// How long processes are given that are busy.
const LONGEST: Duration = Duration::from_secs(1);

/// What a main process left.
#[derive(Debug)]
pub(super) struct Lingering {
    began: Instant,
    /// When it was seen to work last.
    busy: Instant,
}

impl Lingering {
    /// The main process ends now.
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self { began: now, busy: now }
    }

    /// Whether these processes, which live, had their time.
    pub(super) fn is_over(&mut self, living: &[i32]) -> bool {
        self.is_over_at(Instant::now(), processes::are_busy(living))
    }

    fn is_over_at(&mut self, now: Instant, busy: bool) -> bool {
        if busy {
            self.busy = now;
        }
        now.saturating_duration_since(self.busy) >= GRACE || now.saturating_duration_since(self.began) >= LONGEST
    }

    /// Time since the main process ended.
    pub(super) fn milliseconds(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_is_given_longer_than_what_waits() {
        let mut lingering = Lingering::begin();
        let at = |milliseconds| lingering.began + Duration::from_millis(milliseconds);
        let times = [at(150), at(250), at(340), at(350), at(900), at(1000)];
        let mut over = |index: usize, busy| lingering.is_over_at(times[index], busy);
        assert!(!over(0, true), "it works");
        assert!(!over(1, false) && !over(2, false), "a moment ago it did");
        assert!(over(3, false));
        assert!(!over(4, true));
        assert!(over(5, true), "nothing is given longer than that");
    }
}
