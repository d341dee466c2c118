//! When to say what is waited for: nobody shall wonder why nothing happens.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::trial::{Intervention, Purpose};

/// What is waited for longer is named.
const FIRST: Duration = Duration::from_secs(2);

/// One wait. Its cause is named after two seconds, and again whenever the time has doubled.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    began: Instant,
    next: Duration,
}

impl Patience {
    /// The wait begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self { began: Instant::now(), next: FIRST }
    }

    /// A shorter one, for tests.
    #[cfg(test)]
    #[must_use]
    pub fn short(first: Duration) -> Self {
        Self { began: Instant::now(), next: first }
    }

    /// Returns when it is time to name the cause, with the time waited so far. Can be dropped and called again without losing anything.
    pub async fn run_out(&mut self) -> Duration {
        sleep_until(self.began + self.next).await;
        self.next *= 2;
        self.began.elapsed()
    }
}

/// A trial in words, as what somebody waits for.
pub(super) fn trial(purpose: Purpose, intervention: &Intervention) -> String {
    match (purpose, intervention.only()) {
        (Purpose::Trace, _) => "a traced run".to_owned(),
        (Purpose::Control, _) => "the run with everything stubbed".to_owned(),
        (_, Some((item, treatment))) => format!("a run that {treatment}s `{item}`"),
        (_, None) if intervention.is_empty() => "a run without any intervention".to_owned(),
        (_, None) => format!("a run that treats {} items", intervention.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_are_named_by_what_they_treat() {
        let words = |purpose, text: &str| trial(purpose, &text.parse().unwrap());
        assert_eq!(words(Purpose::Trace, "none"), "a traced run");
        assert_eq!(words(Purpose::Baseline, "none"), "a run without any intervention");
        assert_eq!(words(Purpose::Control, "stub=read"), "the run with everything stubbed");
        assert_eq!(words(Purpose::Single, "fake=openat"), "a run that fakes `openat`");
        assert_eq!(words(Purpose::Joint, "stub=read;fake=openat"), "a run that treats 2 items");
    }
}
