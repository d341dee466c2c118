//! How long trials may take, as the baseline teaches. Pure.
//!
//! A first look is given little time: what hangs is found out soon, and what is merely slow gets much more in the run that
//! repeats it. A failure at the first deadline alone is no evidence ([`crate::trial::is_doubtful`]).

use std::time::Duration;

use crate::engine::Pace;
use crate::spec::Workload;
use crate::store::TrialRecord;
use crate::trial::{Care, Deadline, Purpose, TrialRequest};

/// Deadline of runs without intervention, from which other deadlines are derived.
pub(super) const FIRST: Duration = Duration::from_secs(120);

/// How a deadline follows from the slowest baseline run.
#[derive(Debug, Clone, Copy)]
struct Rule {
    factor: u32,
    /// A machine that pauses for a moment is no reason for a verdict.
    shortest: Duration,
}

/// The rules of one pace.
#[derive(Debug)]
struct Rules {
    /// At a first look, a server may listen so much later …
    ready_at_first: Rule,
    /// … and the workload may take so long.
    work_at_first: Rule,
    /// Processor time beyond the baseline's at a first look.
    processor_at_first: Rule,
    /// A run that repeats one that failed may take so long to listen (one that had to wait for a processor is repeated alone) …
    ready: Rule,
    /// … and so long for the workload: a pass at a sixth of the speed is still seen as one.
    work: Rule,
    /// Processor time beyond the baseline's of such a run, if that is limited at all.
    processor: Option<Rule>,
    /// Processor time with which a run that is late was not late for want of it: as much as it could have had in the time for its
    /// work if it were alone and as busy as the baseline.
    ample: Rule,
}

const CONTAINERS: Rules = Rules {
    ready_at_first: Rule { factor: 5, shortest: Duration::from_millis(800) },
    work_at_first: Rule { factor: 3, shortest: Duration::from_millis(1200) },
    processor_at_first: Rule { factor: 2, shortest: Duration::from_millis(500) },
    ready: Rule { factor: 12, shortest: Duration::from_secs(3) },
    work: Rule { factor: 6, shortest: Duration::from_secs(3) },
    // An app may well pass although some of its threads do nothing but look again and again.
    processor: None,
    ample: Rule { factor: 6, shortest: Duration::from_millis(500) },
};

/// Commands that take milliseconds: a hundred times as much is enough to tell hanging from slow, and somebody waits for the answer.
const PROCESSES: Rules = Rules {
    ready_at_first: Rule { factor: 5, shortest: Duration::from_millis(250) },
    work_at_first: Rule { factor: 4, shortest: Duration::from_millis(250) },
    processor_at_first: Rule { factor: 2, shortest: Duration::from_millis(100) },
    ready: Rule { factor: 12, shortest: Duration::from_millis(750) },
    work: Rule { factor: 8, shortest: Duration::from_millis(750) },
    // Whatever spins takes a processor from the others.
    processor: Some(Rule { factor: 8, shortest: Duration::from_millis(400) }),
    ample: Rule { factor: 8, shortest: Duration::from_millis(400) },
};

impl Rule {
    fn of(self, baseline: Duration) -> Duration {
        self.shortest.max(baseline * self.factor)
    }
}

/// What the baseline taught.
#[derive(Debug)]
pub(super) struct Deadlines {
    rules: &'static Rules,
    /// What the spec says instead.
    fixed: Option<Duration>,
    slowest_ready: Duration,
    slowest_work: Duration,
    /// The fastest, and the most processor time; zero before the first.
    fastest_work: Duration,
    most_processor: Duration,
}

impl Deadlines {
    pub(super) fn new(workload: &Workload, pace: Pace) -> Self {
        let rules = match pace {
            Pace::Containers => &CONTAINERS,
            Pace::Processes => &PROCESSES,
        };
        Self {
            rules,
            fixed: workload.timeout,
            slowest_ready: Duration::ZERO,
            slowest_work: Duration::ZERO,
            fastest_work: Duration::ZERO,
            most_processor: Duration::ZERO,
        }
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
        let rules = self.rules;
        let ample = Some(rules.ample.of(self.most_processor)).filter(|_| !self.most_processor.is_zero());
        if let Some(fixed) = self.fixed {
            // A run that repeats one which was late gets twice the time: what fails then is not just slow.
            let fixed = if at_first || request.intervention.is_empty() { fixed } else { fixed * 2 };
            return Deadline { ample, ..Deadline::within(fixed) };
        }
        if request.intervention.is_empty() {
            return Deadline::within(FIRST);
        }
        let (ready, work, processor) = if at_first {
            (rules.ready_at_first, rules.work_at_first, Some(rules.processor_at_first))
        } else {
            (rules.ready, rules.work, rules.processor)
        };
        let (ready, work) = (ready.of(self.slowest_ready), work.of(self.slowest_work));
        let processor = processor.map(|rule| self.most_processor + rule.of(self.most_processor).max(self.fastest_work));
        Deadline { ready, work, total: ready + work, processor, ample }
    }
}
