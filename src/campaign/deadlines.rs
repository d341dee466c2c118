//! How long trials may take, as the baseline teaches. Pure.
//!
//! A first look is given little time: what hangs is found out soon, and what is merely slow gets much more in the run that
//! repeats it. A failure at the first deadline alone is no evidence ([`crate::trial::is_doubtful`]).

use std::time::Duration;

use crate::spec::Workload;
use crate::store::TrialRecord;
use crate::trial::{Care, Deadline, Purpose, TrialRequest};

/// Deadline of runs without intervention, from which other deadlines are derived.
const FIRST: Duration = Duration::from_secs(120);

/// How a deadline follows from the slowest baseline run.
#[derive(Debug, Clone, Copy)]
struct Rule {
    factor: u32,
    /// A machine that pauses for a moment is no reason for a verdict.
    shortest: Duration,
}

const READY_AT_FIRST: Rule = Rule { factor: 5, shortest: Duration::from_millis(800) };
const WORK_AT_FIRST: Rule = Rule { factor: 3, shortest: Duration::from_millis(1200) };
/// Processor time beyond the baseline's at a first look, as a multiple of it and at least. An app may well pass although some of its
/// threads do nothing but look again and again, so a run that repeats one that failed may take as much as it likes.
const PROCESSOR_AT_FIRST: Rule = Rule { factor: 2, shortest: Duration::from_millis(500) };
/// A server may listen so much later (and a run that had to wait for a processor meanwhile is repeated alone) …
const READY: Rule = Rule { factor: 12, shortest: Duration::from_secs(2) };
/// … and a pass at a sixth of the speed is still seen as one.
const WORK: Rule = Rule { factor: 6, shortest: Duration::from_secs(2) };

impl Rule {
    fn of(self, baseline: Duration) -> Duration {
        self.shortest.max(baseline * self.factor)
    }
}

/// What the baseline taught.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// What the spec says instead.
    fixed: Option<Duration>,
    slowest_ready: Duration,
    slowest_work: Duration,
    /// The fastest, and the most processor time; zero before the first.
    fastest_work: Duration,
    most_processor: Duration,
}

impl Deadlines {
    pub(super) fn new(workload: &Workload) -> Self {
        Self { fixed: workload.timeout, ..Self::default() }
    }

    pub(super) fn learn(&mut self, record: &TrialRecord) {
        if record.purpose == Purpose::Baseline {
            let ready = record.durations.ready_ms.unwrap_or(0);
            self.slowest_ready = self.slowest_ready.max(Duration::from_millis(ready));
            let work = Duration::from_millis(record.durations.workload_ms.saturating_sub(ready));
            self.slowest_work = self.slowest_work.max(work);
            self.fastest_work = if self.fastest_work.is_zero() { work } else { self.fastest_work.min(work) };
            self.most_processor = self.most_processor.max(Duration::from_millis(record.app.cpu_ms));
        }
    }

    pub(super) fn of(&self, request: &TrialRequest) -> Deadline {
        let at_first = request.care == Care::Usual;
        if let Some(fixed) = self.fixed {
            // A run that repeats one which was late gets twice the time: what fails then is not just slow.
            let fixed = if at_first || request.intervention.is_empty() { fixed } else { fixed * 2 };
            return Deadline { ready: fixed, work: fixed, total: fixed, processor: None };
        }
        if request.intervention.is_empty() {
            return Deadline { ready: FIRST, work: FIRST, total: FIRST, processor: None };
        }
        let (ready, work) = if at_first { (READY_AT_FIRST, WORK_AT_FIRST) } else { (READY, WORK) };
        let (ready, work) = (ready.of(self.slowest_ready), work.of(self.slowest_work));
        let beyond = PROCESSOR_AT_FIRST.of(self.most_processor).max(self.fastest_work);
        let processor = at_first.then_some(self.most_processor + beyond);
        Deadline { ready, work, total: ready + work, processor }
    }
}
