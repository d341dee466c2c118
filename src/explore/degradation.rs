//! Did a pass differ from the baseline in more than its answer? Pure.
//!
//! The runs of a campaign share the machine, so they only raise *suspicion*: passes that stand out from the others and from the
//! baseline. Suspects are run again, three times, alone, and so is the baseline, in turn with them: load that begins in between
//! slows a baseline as well. A remark is made only if every one of the suspect's runs is beyond every one of the baseline's, by the
//! factor that a [`Claim`] names. Each suspect is given up with the first run in which no claim holds, so a wrong suspicion costs one
//! run.
//!
//! Speed beside other trials is mostly a matter of who got a processor. So the time that app and client waited for one is taken into
//! account there: a pass that is slow although it hardly waited stands out even where everything else is slow.
//!
//! All claims are asked of each suspect, whichever raised the suspicion: what is said does not depend on which one was noticed.
//!
//! Memory and open files hardly depend on what else the machine does. Of these, the runs that share it tell as well how much they
//! vary by themselves: a remark has to be beyond every run of the baseline, and where many passes stand out, none does.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::trial::{Degradation, Measure, Measures};

/// Runs alone in which a remark has to hold, and runs of the baseline alone that they are compared with.
pub(super) const QUIET_RUNS: u32 = 3;
/// Passes of one stage that are run again alone; those that stand out most come first.
pub(super) const MOST_SUSPECTS: usize = 8;

/// Passes that may stand out in what hardly depends on the machine: so many at least, and one in so many. Where there are more, it is
/// the app's habit and not the treatments'.
const MOST_OUTSTANDING: usize = 4;
const ONE_OUTSTANDING_IN: usize = 20;

/// One way in which a pass can stand out.
#[derive(Debug)]
struct Claim {
    measure: Measure,
    /// Whether a higher number is claimed, or a lower one.
    higher: bool,
    /// Factor to the usual number from which a pass is suspicious, in hundredths.
    suspicious: u64,
    /// Factor to the most extreme baseline that is remarked, in hundredths. Suspicion begins below it wherever the numbers of runs that
    /// share the machine are not much worse than those of runs alone.
    remarkable: u64,
    /// Difference that a remark takes besides: what is little grows to several times as much for no reason at all.
    slack: u64,
    /// Whether the measure hardly depends on what else the machine does.
    steady: bool,
}

const CLAIMS: [Claim; 6] = [
    Claim { measure: Measure::Throughput, higher: false, suspicious: 200, remarkable: 200, slack: 0, steady: false },
    // Of a run to completion, or of a client whose throughput is not known.
    Claim { measure: Measure::Time, higher: true, suspicious: 200, remarkable: 200, slack: 50_000, steady: false },
    // An app that does not wait, or leaves out what it should do.
    Claim { measure: Measure::Time, higher: false, suspicious: 200, remarkable: 200, slack: 50_000, steady: false },
    Claim { measure: Measure::CpuTime, higher: true, suspicious: 180, remarkable: 170, slack: 60_000, steady: false },
    Claim { measure: Measure::PeakRss, higher: true, suspicious: 140, remarkable: 150, slack: 1024, steady: true },
    Claim { measure: Measure::OpenFiles, higher: true, suspicious: 140, remarkable: 150, slack: 3, steady: true },
];

impl Claim {
    /// What the claim is about: microseconds, KiB, or a number. `None` where it can't be told of this run. What the supervisor's answers
    /// took is left out where it would speak for the claim.
    fn number(&self, Sample { measures, overhead }: &Sample) -> Option<u64> {
        match self.measure {
            Measure::Throughput => measures.throughput.map(|rate| {
                let (time, rest) = (micros(measures.time), micros(measures.time.saturating_sub(overhead.time)));
                u64::try_from(u128::from(rate) * u128::from(time) / u128::from(rest.max(1))).unwrap_or(u64::MAX).max(rate)
            }),
            // How long a client takes says nothing where it runs for a set time, and a server does not end.
            Measure::Time if !self.higher => measures.own_time.then(|| micros(measures.time)),
            Measure::Time => measures.throughput.is_none().then(|| micros(measures.time.saturating_sub(overhead.time))),
            Measure::CpuTime => Some(micros(measures.cpu_time.saturating_sub(overhead.processor))),
            Measure::PeakRss => Some(measures.peak_rss_kib),
            Measure::OpenFiles => measures.open_files,
        }
    }

    /// What the number would be of a run that did not have to wait for a processor. A request waits for the client and for the app.
    fn number_beside_others(&self, run: &Sample) -> Option<u64> {
        let number = self.number(run)?;
        let measures = &run.measures;
        let share = |waited: Duration| {
            let time = micros(measures.time).max(1);
            // The one thread that waited longest was not all there was to wait for.
            100 - (micros(waited) * 100 / time).min(90)
        };
        Some(match self.measure {
            Measure::Throughput => number.saturating_mul(10_000) / (share(measures.app_waited) * share(measures.client_waited)),
            Measure::Time if self.higher => number.saturating_sub(micros(measures.app_waited)),
            Measure::Time | Measure::CpuTime | Measure::PeakRss | Measure::OpenFiles => number,
        })
    }

    fn numbers(&self, runs: &[Sample]) -> Vec<u64> {
        runs.iter().filter_map(|run| self.number(run)).collect()
    }

    /// How many hundredths `number` is of `other`, or the other way round, whichever is claimed to be more.
    fn factor(&self, number: u64, other: u64) -> u64 {
        let (more, less) = if self.higher { (number, other) } else { (other, number) };
        more.saturating_mul(100) / less.max(self.least())
    }

    /// What a number counts as that rounds to nothing: a millisecond, or one.
    const fn least(&self) -> u64 {
        if matches!(self.measure, Measure::Time | Measure::CpuTime) { 1000 } else { 1 }
    }

    /// Whether `number` differs from `other` by enough to be worth a word.
    fn is_much(&self, number: u64, other: u64) -> bool {
        let (more, less) = if self.higher { (number, other) } else { (other, number) };
        more > less.saturating_add(self.slack)
    }

    /// How much each pass stands out that does, with its place. All runs shared the machine.
    fn suspicions(&self, passes: &[Sample], baselines: &[Sample]) -> Vec<(usize, u64)> {
        let beside = |runs: &[Sample]| runs.iter().filter_map(|run| self.number_beside_others(run)).collect::<Vec<_>>();
        let mut all = [beside(passes), beside(baselines)].concat();
        all.sort_unstable();
        let quartile = |number: usize| all.get(all.len() * number / 4).copied();
        // A machine that happens to have nothing else to do makes a run fast: it has to beat the fastest baseline.
        let haste = self.measure == Measure::Time && !self.higher;
        let usual = if haste { beside(baselines).into_iter().min() } else { quartile(2) };
        let (Some(low), Some(usual), Some(high)) = (quartile(1), usual, quartile(3)) else { return Vec::new() };
        // Tukey's fence: what lies above it is an outlier.
        let fence = self.steady.then(|| high + (high - low) * 3 / 2);
        let suspicion = |pass: &Sample| {
            let number = self.number_beside_others(pass)?;
            let factor = self.factor(number, usual);
            (factor >= self.suspicious && self.is_much(number, usual) && fence.is_none_or(|fence| number > fence))
                .then_some(factor)
        };
        let found: Vec<_> = (0..).zip(passes).filter_map(|(index, pass)| Some((index, suspicion(pass)?))).collect();
        let many = MOST_OUTSTANDING.max(passes.len() / ONE_OUTSTANDING_IN);
        if self.steady && found.len() > many { Vec::new() } else { found }
    }

    /// Whether it holds in each of `runs`, compared with each run of the baseline that tells.
    fn holds(&self, baselines: &Baselines, runs: &[Sample]) -> bool {
        let (mut of_baselines, of_runs) = (self.numbers(&baselines.alone), self.numbers(runs));
        if of_baselines.len() < baselines.alone.len() || of_runs.len() < runs.len() {
            return false;
        }
        if self.steady {
            of_baselines.extend(self.numbers(&baselines.others));
        }
        let is_beyond = |number: u64, other: u64| self.factor(number, other) >= self.remarkable && self.is_much(number, other);
        of_runs.iter().all(|number| of_baselines.iter().all(|other| is_beyond(*number, *other)))
    }
}

/// What the supervisor's answers took of a run, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Overhead {
    pub(super) time: Duration,
    /// Of the app's own processor time.
    pub(super) processor: Duration,
}

/// A run that passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) measures: Measures,
    pub(super) overhead: Overhead,
}

impl From<Measures> for Sample {
    fn from(measures: Measures) -> Self {
        Self { measures, overhead: Overhead::default() }
    }
}

/// Runs without any intervention that passed.
#[derive(Debug, Clone, Default)]
pub(super) struct Baselines {
    /// No other trial ran meanwhile.
    pub(super) alone: Vec<Sample>,
    /// The others.
    pub(super) others: Vec<Sample>,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn median(mut numbers: Vec<u64>) -> Option<u64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

/// The places of the passes that stand out, those that do so most first. All runs shared the machine.
pub(super) fn suspects(passes: &[Sample], baselines: &[Sample]) -> Vec<usize> {
    let mut factors = BTreeMap::<usize, u64>::new();
    for (index, factor) in CLAIMS.iter().flat_map(|claim| claim.suspicions(passes, baselines)) {
        let most = factors.entry(index).or_default();
        *most = factor.max(*most);
    }
    let mut suspects: Vec<_> = factors.into_iter().collect();
    suspects.sort_by_key(|(index, factor)| (Reverse(*factor), *index));
    suspects.into_iter().map(|(index, _)| index).collect()
}

/// Whether there may be something to say of a pass after these runs alone.
pub(super) fn is_open(baselines: &Baselines, runs: &[Sample]) -> bool {
    runs.is_empty() || baselines.alone.is_empty() || CLAIMS.iter().any(|claim| claim.holds(baselines, runs))
}

/// What is said of a pass after its runs alone; nothing before there were enough of them.
pub(super) fn degradations(baselines: &Baselines, runs: &[Sample]) -> Vec<Degradation> {
    let enough = |runs: &[Sample]| super::count(runs.len()) >= QUIET_RUNS;
    if !enough(&baselines.alone) || !enough(runs) {
        return Vec::new();
    }
    let remark = |claim: &Claim| {
        let (own, usual) = (median(claim.numbers(runs))?, median(claim.numbers(&baselines.alone))?);
        let percent = u32::try_from(own.saturating_mul(100) / usual.max(claim.least())).unwrap_or(u32::MAX);
        Some(Degradation { measure: claim.measure, percent })
    };
    CLAIMS.iter().filter(|claim| claim.holds(baselines, runs)).filter_map(remark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(throughput: u64, files: u64, rss: u64, cpu_ms: u64) -> Measures {
        Measures {
            throughput: Some(throughput),
            time: Duration::from_secs(1),
            peak_rss_kib: rss,
            cpu_time: Duration::from_millis(cpu_ms),
            open_files: Some(files),
            ..Measures::default()
        }
    }

    fn timed(milliseconds: u64) -> Measures {
        Measures { time: Duration::from_millis(milliseconds), own_time: true, ..Measures::default() }
    }

    fn samples(runs: &[Measures]) -> Vec<Sample> {
        runs.iter().copied().map(Sample::from).collect()
    }

    fn suspects(passes: &[Measures], baselines: &[Measures]) -> Vec<usize> {
        super::suspects(&samples(passes), &samples(baselines))
    }

    fn is_open(baselines: &Baselines, runs: &[Measures]) -> bool {
        super::is_open(baselines, &samples(runs))
    }

    fn words(alone: &[Measures], runs: &[Measures]) -> Vec<String> {
        words_beside(alone, &[], runs)
    }

    fn words_beside(alone: &[Measures], others: &[Measures], runs: &[Measures]) -> Vec<String> {
        degradations(&baselines(alone, others), &samples(runs)).iter().map(ToString::to_string).collect()
    }

    fn baselines(alone: &[Measures], others: &[Measures]) -> Baselines {
        Baselines { alone: samples(alone), others: samples(others) }
    }

    fn usual() -> [Measures; 3] {
        [run(1000, 8, 4000, 300), run(1100, 8, 4100, 310), run(900, 9, 4050, 290)]
    }

    #[test]
    fn a_run_of_no_time_at_all_is_suspected_of_haste() {
        assert_eq!(suspects(&[timed(400), timed(0)], &[timed(400)]), [1]);
    }

    #[test]
    fn a_remark_takes_three_runs_alone_in_which_it_holds() {
        let worse = run(340, 118, 9000, 900);
        let all = ["throughput ×0.3", "CPU time ×3", "peak memory ×2", "open files ×15"];
        assert_eq!(words(&usual(), &[worse; 3]), all);
        assert_eq!(words(&usual(), &[worse; 2]), [""; 0], "two runs are not enough");
        assert_eq!(words(&usual()[..2], &[worse; 3]), [""; 0], "nor are two baselines");
        for place in 0..3 {
            let mut runs = [worse; 3];
            runs[place] = usual()[0];
            assert_eq!(words(&usual(), &runs), [""; 0]);
        }
        let one_measure = Measures { open_files: Some(8), ..worse };
        assert_eq!(words(&usual(), &[worse, one_measure, worse]), all[..3], "what holds each time is said");
    }

    #[test]
    fn what_the_spread_of_the_baseline_explains_is_no_remark() {
        let mut spread = usual();
        spread[1].open_files = Some(30);
        assert_eq!(words(&spread, &[run(1000, 33, 4000, 300); 3]), [""; 0]);
        spread[1].throughput = Some(600);
        assert_eq!(words(&spread, &[run(340, 8, 4000, 300); 3]), [""; 0]);
        spread[2].open_files = None;
        assert_eq!(words(&spread, &[run(1000, 118, 4000, 300); 3]), [""; 0], "what could not be counted is not compared");
    }

    #[test]
    fn baselines_that_were_not_alone_tell_of_what_hardly_depends_on_the_machine() {
        let beside = [run(200, 80, 8000, 900); 3];
        let worse = run(340, 118, 9000, 900);
        assert_eq!(words_beside(&usual(), &beside, &[worse; 3]), ["throughput ×0.3", "CPU time ×3"]);
    }

    #[test]
    fn without_throughput_the_time_counts_in_both_directions_where_it_is_the_apps_own() {
        let usual = [timed(1000), timed(1020), timed(1004)];
        assert_eq!(words(&usual, &[timed(3300), timed(3000), timed(3100)]), ["time ×3"]);
        assert_eq!(words(&usual, &[timed(3), timed(2), timed(20)]), ["time ×0.01 or less"]);
        assert_eq!(words(&usual, &[timed(600), timed(2), timed(20)]), [""; 0]);
        let of_client = |milliseconds| Measures { own_time: false, ..timed(milliseconds) };
        assert_eq!(words(&usual.map(|_| of_client(1000)), &[of_client(2); 3]), [""; 0], "the client's time tells nothing");
        let brief = [timed(30); 3];
        assert_eq!(words(&brief, &[timed(1); 3]), [""; 0], "milliseconds are not worth a word");
        assert_eq!(words(&brief, &[timed(79); 3]), [""; 0]);
        let of_server = run(1000, 8, 1, 1);
        let longer = Measures { time: Duration::from_secs(9), ..of_server };
        assert_eq!(words(&[of_server; 3], &[longer; 3]), [""; 0], "throughput tells more than the client's time");
    }

    #[test]
    fn what_stands_out_is_suspicious_and_what_does_so_most_comes_first() {
        let passes: Vec<_> = [1000, 990, 300, 1010, 980, 200, 1020, 1000].map(|throughput| run(throughput, 8, 1, 1)).to_vec();
        assert_eq!(suspects(&passes, &[]), [5, 2]);
        let mut busy = passes.clone();
        busy[7].cpu_time = Duration::from_secs(1);
        assert_eq!(suspects(&busy, &[]), [7, 5, 2]);
        busy[0].open_files = Some(12);
        busy[3].peak_rss_kib = 1500;
        assert_eq!(suspects(&busy, &[]), [3, 7, 5, 2, 0]);
        busy[0].open_files = Some(11);
        assert_eq!(suspects(&busy, &[]), [3, 7, 5, 2]);
        assert!(suspects(&[], &[]).is_empty());
    }

    #[test]
    fn a_run_that_happened_to_be_alone_is_not_suspiciously_fast() {
        let crowded = [timed(2000), timed(1900), timed(2100), timed(900), timed(300)];
        assert_eq!(suspects(&crowded, &[timed(1000), timed(1200)]), [4]);
    }

    #[test]
    fn what_many_passes_show_is_no_suspicion_against_any() {
        let passes = |many: usize| {
            let mut passes = vec![run(1000, 8, 1, 1); 40];
            passes[..many].fill(run(1000, 80, 1, 1));
            passes
        };
        assert_eq!(suspects(&passes(4), &[]).len(), 4);
        assert_eq!(suspects(&passes(5), &[]).len(), 0, "one in eight is a habit of the app");
        let slow = |many: usize| {
            let mut passes = vec![run(1000, 8, 1, 1); 40];
            passes[..many].fill(run(100, 8, 1, 1));
            passes
        };
        assert_eq!(suspects(&slow(9), &[]).len(), 9, "speed depends on the machine, and that is what the runs alone are for");
    }

    #[test]
    fn a_suspect_is_given_up_as_soon_as_nothing_holds() {
        let worse = run(340, 118, 9000, 900);
        let one = baselines(&usual()[..1], &[]);
        assert!(is_open(&Baselines::default(), &[]));
        assert!(is_open(&one, &[worse]));
        assert!(!is_open(&one, &[run(980, 8, 4000, 300)]));
        let files = run(1000, 118, 4000, 300);
        let slow = run(300, 8, 4000, 300);
        assert!(!is_open(&baselines(&usual()[..2], &[]), &[files, slow]), "no claim holds in both");
    }

    #[test]
    fn what_the_answers_took_is_no_remark_and_makes_no_run_fast() {
        let treated = |measures, time: u64, processor: u64| Sample {
            measures,
            overhead: Overhead { time: Duration::from_millis(time), processor: Duration::from_millis(processor) },
        };
        let words = |baseline: Measures, run: Sample| {
            let found = degradations(&baselines(&[baseline; 3], &[]), &[run; 3]);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let hot = Measures { cpu_time: Duration::from_millis(500), ..timed(1800) };
        assert_eq!(words(timed(100), treated(hot, 0, 0)), ["time ×20", "CPU time ×500"]);
        assert_eq!(words(timed(100), treated(hot, 1750, 490)), [""; 0]);
        assert_eq!(words(timed(1000), treated(timed(1100), 1090, 0)), [""; 0], "it is as fast as it was");
        assert_eq!(words(run(1000, 8, 1, 1), treated(run(300, 8, 1, 1), 0, 0)), ["throughput ×0.3"]);
        assert_eq!(words(run(1000, 8, 1, 1), treated(run(300, 8, 1, 1), 600, 0)), [""; 0]);
        assert_eq!(words(run(1000, 8, 1, 1), treated(run(300, 8, 1, 1), 2000, 0)), [""; 0]);
    }

    #[test]
    fn a_pass_that_is_slow_without_having_waited_stands_out_where_everything_is_slow() {
        let waited = |rate, app: u64, client: u64| Measures {
            app_waited: Duration::from_millis(app),
            client_waited: Duration::from_millis(client),
            ..run(rate, 8, 1, 1)
        };
        let mut crowded = vec![waited(250, 600, 375); 9];
        crowded.push(waited(220, 190, 70));
        assert_eq!(suspects(&crowded, &[]), [9]);
        crowded.push(waited(90, 800, 500));
        assert_eq!(suspects(&crowded, &[]), [9], "it waited, too");
        let longer = |milliseconds, waited| Measures { app_waited: Duration::from_millis(waited), ..timed(milliseconds) };
        let mut crowded = vec![longer(1000, 700); 9];
        crowded.push(longer(1100, 100));
        crowded.push(longer(2300, 2000));
        assert_eq!(suspects(&crowded, &[]), [9]);
    }
}
