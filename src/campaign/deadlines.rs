//! How long trials may take, as the baseline teaches. Pure.
//!
//! A first look is given little time: what hangs is found out soon, and what is merely slow gets much more in the run that
//! repeats it. A failure at the first deadline alone is no evidence ([`crate::trial::is_doubtful`]).
//!
//! An answer of the supervisor takes some hundred times as long as the call that it stands for. A call that an app makes very often is
//! therefore slow when it is treated, which is none of the app's doing. So the run that repeats a look gets the time that the answers
//! take: as many as a trace counted calls, at the price that the traces were slower than the fastest baseline, per call.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::Pace;
use crate::spec::Workload;
use crate::store::TrialRecord;
use crate::trial::{Care, Deadline, Item, Purpose, TrialRequest, Watch};

/// Deadline of runs without intervention, from which other deadlines are derived.
pub(super) const FIRST: Duration = Duration::from_secs(120);

/// Treated calls of a repetition that are answered at once: so many at least, and so many times more than a trace has.
const PROMPT_ANSWERS: u64 = 20_000;
const PROMPT_FACTOR: u64 = 10;

/// Times more than others that a run which is alone may take: the host was too busy for it before.
const ALONE_FACTOR: u32 = 3;

/// Times more than measured that an answer may take: trials run concurrently.
const ANSWER_FACTOR: u32 = 2;
/// Highest price of an answer; what is more is load on the host.
const DEAREST_ANSWER: Duration = Duration::from_micros(500);

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
    /// The most files that the app had open in the end, if that could be counted.
    most_open_files: Option<u64>,
    /// How often each item was used in a trace, the highest count of all.
    uses: BTreeMap<Item, u64>,
    /// Calls that the traces counted, and the time that their workloads took: of the trace with the dearest calls.
    traced: Option<(u64, Duration)>,
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
            most_open_files: None,
            uses: BTreeMap::new(),
            traced: None,
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
            self.most_open_files = self.most_open_files.max(record.app.open_files);
        }
        if record.purpose == Purpose::Trace {
            for (item, count) in record.uses() {
                let most = self.uses.entry(item).or_default();
                *most = count.max(*most);
            }
            let ready = record.durations.ready_ms.unwrap_or(0);
            let work = Duration::from_millis(record.durations.workload_ms.saturating_sub(ready));
            let calls = record.answers();
            let dearer =
                |(before, time): (u64, Duration)| work.as_nanos() * u128::from(before) > time.as_nanos() * u128::from(calls);
            if calls > 0 && self.traced.is_none_or(dearer) {
                self.traced = Some((calls, work));
            }
        }
    }

    /// The treated calls that are answered at once. All of them at first sight, as a pass may be dear and that is to be told; but what
    /// failed and tries for ever gets no processor time at the second.
    fn prompt_answers(&self, request: &TrialRequest) -> Option<u64> {
        let repeats = request.purpose == Purpose::Single && request.replica > 0 && request.care != Care::Alone;
        let uses = request.intervention.iter().map(|(item, _)| self.uses.get(&item).copied().unwrap_or(0)).sum::<u64>();
        repeats.then(|| PROMPT_ANSWERS.max(uses.saturating_mul(PROMPT_FACTOR)))
    }

    /// Time that one answer takes, as the traces showed in which every call got one.
    fn answer(&self) -> Duration {
        let Some((calls, time)) = self.traced else { return Duration::ZERO };
        let price = time.saturating_sub(self.fastest_work).as_nanos() / u128::from(calls);
        Duration::from_nanos(u64::try_from(price).unwrap_or(u64::MAX)).min(DEAREST_ANSWER)
    }

    /// Time that the answers to the notified calls of a trial take, if the app makes as many as in a trace.
    fn answers(&self, request: &TrialRequest) -> Duration {
        let count = match request.watch {
            Watch::Nothing => 0,
            Watch::Everything => self.traced.map_or(0, |(calls, _)| calls),
            Watch::Treated => request.intervention.iter().map(|(item, _)| self.uses.get(&item).copied().unwrap_or(0)).sum(),
        };
        self.answer().saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)).saturating_mul(ANSWER_FACTOR)
    }

    pub(super) fn of(&self, request: &TrialRequest) -> Deadline {
        // Runs that others are compared with, and those that are compared. Of the others, only a number that is higher matters.
        let compared = request.intervention.is_empty() || request.care == Care::Alone;
        let settle_above = if compared { Some(0) } else { self.most_open_files };
        Deadline { settle_above, ..self.limits(request) }
    }

    fn limits(&self, request: &TrialRequest) -> Deadline {
        let at_first = request.care == Care::Usual;
        let rules = self.rules;
        let patience = if request.care == Care::Alone { ALONE_FACTOR } else { 1 };
        let answers = if at_first { Duration::ZERO } else { self.answers(request) * patience };
        let ample = Some(rules.ample.of(self.most_processor) + answers).filter(|_| !self.most_processor.is_zero());
        let prompt_answers = self.prompt_answers(request);
        if let Some(fixed) = self.fixed {
            // A run that repeats one which was late gets twice the time: what fails then is not just slow.
            let fixed = if at_first || request.intervention.is_empty() { fixed } else { fixed * 2 * patience };
            return Deadline { ample, prompt_answers, ..Deadline::within(fixed + answers) };
        }
        if request.intervention.is_empty() {
            return Deadline::within(FIRST);
        }
        let (ready, work, processor) = if at_first {
            (rules.ready_at_first, rules.work_at_first, Some(rules.processor_at_first))
        } else {
            (rules.ready, rules.work, rules.processor)
        };
        let ready = ready.of(self.slowest_ready) * patience + answers;
        let work = work.of(self.slowest_work) * patience + answers;
        let processor = processor.map(|rule| self.most_processor + rule.of(self.most_processor).max(self.fastest_work) + answers);
        Deadline { ready, work, total: ready + work, processor, ample, prompt_answers, settle_above: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{CallStatistics, Observation, Outcome, Timings, TrialId};

    fn request(purpose: Purpose, intervention: &str, replica: u32, care: Care) -> TrialRequest {
        let watch = if purpose == Purpose::Trace { Watch::Everything } else { Watch::Treated };
        TrialRequest { id: TrialId(0), purpose, watch, intervention: intervention.parse().unwrap(), replica, care, traced: None }
    }

    /// After a baseline that took 100 ms and 50 ms of a processor, and a trace with 5,000 reads.
    fn taught() -> Deadlines {
        let workload = Workload::named("w");
        let mut deadlines = Deadlines::new(&workload, Pace::Containers);
        let mut observation = Observation {
            timings: Timings { workload: Duration::from_millis(100), ..Timings::default() },
            ..Observation::default()
        };
        observation.app.cpu_time = Duration::from_millis(50);
        observation.app.open_files = Some(17);
        let statistics = CallStatistics { count: 5000, ..CallStatistics::default() };
        observation.calls.calls.insert("read".parse().unwrap(), statistics);
        for purpose in [Purpose::Trace, Purpose::Baseline] {
            let request = request(purpose, "none", 0, Care::Patient);
            let record = TrialRecord::new(&workload, &request, &deadlines.of(&request), Outcome::Pass, &observation);
            deadlines.learn(&record);
        }
        deadlines
    }

    #[test]
    fn a_repetition_has_more_time_and_ample_processor_time_is_told() {
        let deadlines = taught();
        let first = deadlines.of(&request(Purpose::Single, "stub=read", 0, Care::Usual));
        assert_eq!((first.work, first.ample), (Duration::from_millis(1200), Some(Duration::from_millis(500))));
        assert_eq!(first.processor, Some(Duration::from_millis(550)));
        let again = deadlines.of(&request(Purpose::Single, "stub=read", 1, Care::Patient));
        assert_eq!((again.work, again.processor), (Duration::from_secs(3), None));
        let without = Deadlines::new(&Workload::named("w"), Pace::Containers);
        assert_eq!(without.of(&request(Purpose::Baseline, "none", 0, Care::Patient)).ample, None);
    }

    #[test]
    fn a_repetition_has_the_time_that_its_answers_take() {
        let mut deadlines = taught();
        // 100 ms without, and 600 ms with 5,000 answers: 100 us each.
        deadlines.traced = Some((5000, Duration::from_millis(600)));
        let of = |intervention, watch, care| {
            let request = TrialRequest { watch, ..request(Purpose::Single, intervention, 1, care) };
            deadlines.of(&request).work
        };
        assert_eq!(of("stub=read", Watch::Treated, Care::Patient), Duration::from_secs(4));
        assert_eq!(of("stub=close", Watch::Treated, Care::Patient), Duration::from_secs(3));
        assert_eq!(of("stub=close", Watch::Everything, Care::Patient), Duration::from_secs(4));
        assert_eq!(of("stub=read", Watch::Nothing, Care::Patient), Duration::from_secs(3));
        assert_eq!(of("stub=read", Watch::Treated, Care::Usual), Duration::from_millis(1200), "a look is short");
    }

    #[test]
    fn the_price_of_an_answer_is_that_of_the_slowest_trace_over_the_fastest_baseline() {
        let mut deadlines = taught();
        assert_eq!(deadlines.answer(), Duration::ZERO, "the trace took no longer than the baseline");
        deadlines.traced = Some((200_000, Duration::from_millis(2100)));
        assert_eq!(deadlines.answer(), Duration::from_micros(10));
        deadlines.traced = Some((10, Duration::from_secs(60)));
        assert_eq!(deadlines.answer(), DEAREST_ANSWER);
    }

    #[test]
    fn only_what_repeats_a_single_is_answered_slowly_after_many_more_calls_than_usual() {
        let deadlines = taught();
        let prompt =
            |purpose, intervention, replica, care| deadlines.of(&request(purpose, intervention, replica, care)).prompt_answers;
        assert_eq!(prompt(Purpose::Single, "stub=read", 1, Care::Patient), Some(50_000));
        assert_eq!(prompt(Purpose::Single, "stub=close", 1, Care::Usual), Some(20_000));
        assert_eq!(prompt(Purpose::Single, "stub=read", 0, Care::Usual), None);
        assert_eq!(prompt(Purpose::Single, "stub=read", 2, Care::Alone), None);
        assert_eq!(prompt(Purpose::Joint, "stub=read", 1, Care::Patient), None);
    }

    #[test]
    fn open_files_are_counted_once_they_settle_where_that_can_make_a_difference() {
        let deadlines = taught();
        let settle = |purpose, intervention, care| deadlines.of(&request(purpose, intervention, 0, care)).settle_above;
        assert_eq!(settle(Purpose::Baseline, "none", Care::Patient), Some(0));
        assert_eq!(settle(Purpose::Quiet, "stub=read", Care::Alone), Some(0));
        assert_eq!(settle(Purpose::Single, "stub=read", Care::Usual), Some(17));
        let without = Deadlines::new(&Workload::named("w"), Pace::Containers);
        assert_eq!(without.of(&request(Purpose::Single, "stub=read", 0, Care::Usual)).settle_above, None);
    }
}
