//! Did a pass do worse than the baseline? Pure.
//!
//! Open files, memory and, where it is much, processor time hardly depend on what else the machine does: any run tells. Speed
//! does, so the runs of a campaign only say which passes are *suspicious*, compared with each other: the slow ones, and those that
//! took much processor time. These are run again alone, and so is the baseline, before a word is said about their speed.

use crate::trial::{Degradation, Measure, Measures};

/// A pass at less than this share of the usual speed is suspicious, in hundredths.
const SUSPICIOUS: u64 = 50;
/// Alone, it has to be below this share of the slowest baseline run, in hundredths.
const SLOWER: u64 = 70;
/// Most passes that are run again alone in one campaign.
const MOST_SUSPECTS: usize = 3;
/// Processor time that is more than this is worse, in hundredths of the most that a baseline run took; beside other trials, and
/// alone.
const MUCH_TIME: u64 = 200;
const MUCH_TIME_ALONE: u64 = 150;
/// Memory that a process may need more without a word, in KiB.
const SOME_MEMORY: u64 = 1024;
/// Processor time that a run may take more without a word, in microseconds.
const SOME_TIME: u64 = 100_000;
/// Time that a run may take longer without a word, where speed is told by time, in microseconds: what takes milliseconds takes
/// several times as many for no reason at all.
const SOME_DELAY: u64 = 50_000;

/// How fast a run was, in thousandths of some unit; 0 where it can't be told.
fn speed(measures: &Measures) -> u64 {
    measures.throughput.unwrap_or_else(|| 1_000_000_000 / micros(measures).max(1))
}

fn micros(measures: &Measures) -> u64 {
    u64::try_from(measures.time.as_micros()).unwrap_or(u64::MAX)
}

fn processor_time(measures: &Measures) -> u64 {
    u64::try_from(measures.cpu_time.as_micros()).unwrap_or(u64::MAX)
}

fn median(mut numbers: Vec<u64>) -> Option<u64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

/// Which of the passes have to be run again alone: their places in `passes`, those that took much processor time first and then the
/// slow ones, the slowest first.
pub(super) fn suspects(passes: &[Measures]) -> Vec<usize> {
    let usual_speed = median(passes.iter().map(speed).collect()).unwrap_or(0);
    let usual_time = median(passes.iter().map(processor_time).collect()).unwrap_or(0);
    let busy = |pass: &Measures| {
        let time = processor_time(pass);
        time * 100 > usual_time * MUCH_TIME && time > usual_time + SOME_TIME
    };
    let usual_delay = 1_000_000_000 / usual_speed.max(1);
    let noticed = |pass: &Measures| pass.throughput.is_some() || micros(pass) > usual_delay + SOME_DELAY;
    let slow = |pass: &Measures| speed(pass) * 100 < usual_speed * SUSPICIOUS && noticed(pass);
    let mut suspects: Vec<_> = (0..passes.len()).filter(|index| busy(&passes[*index]) || slow(&passes[*index])).collect();
    suspects.sort_by_key(|index| (!busy(&passes[*index]), speed(&passes[*index]), *index));
    suspects.truncate(MOST_SUSPECTS);
    suspects
}

/// In what a pass did worse than every one of `baselines`. `alone` are the baseline's and the pass's runs that were alone, if
/// there were any: they alone tell of speed.
pub(super) fn degradations(
    baselines: &[Measures],
    pass: &Measures,
    alone: Option<(&[Measures], &[Measures])>,
) -> Vec<Degradation> {
    let mut found: Vec<Degradation> = Vec::new();
    let mut worse = |measure, value: u64, of_baselines: Vec<u64>, factor: u64, slack: u64| {
        let (Some(most), Some(usual)) = (of_baselines.iter().copied().max(), median(of_baselines)) else { return };
        if usual > 0 && value * 100 > most * factor && value > most + slack {
            found.push(Degradation { measure, percent: hundredths(value, usual) });
        }
    };
    if let Some(open) = pass.open_files {
        let files = baselines.iter().filter_map(|baseline| baseline.open_files).collect();
        worse(Measure::OpenFiles, open, files, 150, 3);
    }
    let memory = baselines.iter().map(|baseline| baseline.peak_rss_kib).collect();
    worse(Measure::PeakRss, pass.peak_rss_kib, memory, 150, SOME_MEMORY);
    // Alone is the better comparison, where it can be made.
    let (compared, own, factor) = match alone.and_then(|(of_baseline, of_pass)| Some((of_baseline, of_pass.first()?))) {
        Some((of_baseline, of_pass)) => (of_baseline, of_pass, MUCH_TIME_ALONE),
        None => (baselines, pass, MUCH_TIME),
    };
    worse(Measure::CpuTime, processor_time(own), compared.iter().map(processor_time).collect(), factor, SOME_TIME);
    if let Some((of_baseline, of_pass)) = alone {
        found.extend(slower(of_baseline, of_pass));
    }
    found.sort_by_key(|degradation| degradation.measure);
    found
}

fn slower(of_baseline: &[Measures], of_pass: &[Measures]) -> Option<Degradation> {
    let slowest = of_baseline.iter().map(speed).min()?;
    let usual = median(of_baseline.iter().map(speed).collect())?;
    let fastest = of_pass.iter().map(speed).max()?;
    if usual == 0 || fastest * 100 >= slowest * SLOWER {
        return None;
    }
    let measured = of_pass.iter().all(|pass| pass.throughput.is_some());
    let longest = of_baseline.iter().map(micros).max().unwrap_or(0);
    if !measured && of_pass.iter().any(|pass| micros(pass) <= longest + SOME_DELAY) {
        return None;
    }
    Some(if measured {
        Degradation { measure: Measure::Throughput, percent: hundredths(fastest, usual) }
    } else {
        Degradation { measure: Measure::Time, percent: hundredths(usual, fastest.max(1)) }
    })
}

fn hundredths(value: u64, of: u64) -> u32 {
    u32::try_from(value.saturating_mul(100) / of).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn run(throughput: u64, files: u64, rss: u64, cpu_ms: u64) -> Measures {
        Measures {
            throughput: Some(throughput),
            time: Duration::from_secs(1),
            peak_rss_kib: rss,
            cpu_time: Duration::from_millis(cpu_ms),
            open_files: Some(files),
            answers: 0,
        }
    }

    fn timed(milliseconds: u64) -> Measures {
        Measures { time: Duration::from_millis(milliseconds), ..Measures::default() }
    }

    fn words(found: &[Degradation]) -> Vec<String> {
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_memory_and_processor_time_are_told_by_any_run() {
        let baselines = [run(1000, 8, 4000, 300), run(1100, 8, 4100, 310), run(900, 9, 4050, 290)];
        assert_eq!(
            words(&degradations(&baselines, &run(1000, 118, 9000, 900), None)),
            ["CPU time ×3.0", "peak memory ×2.2", "open files ×14"]
        );
        assert!(degradations(&baselines, &run(800, 10, 4500, 500), None).is_empty());
    }

    #[test]
    fn speed_is_told_by_runs_that_were_alone() {
        let baselines = [run(1000, 8, 4000, 300)];
        let (of_baseline, of_pass) = ([run(1000, 8, 4000, 300), run(950, 8, 4000, 300)], [run(340, 8, 4000, 110)]);
        let pass = run(300, 8, 4000, 100);
        assert!(degradations(&baselines, &pass, None).is_empty());
        assert_eq!(words(&degradations(&baselines, &pass, Some((&of_baseline, &of_pass)))), ["throughput ×0.34"]);
        let innocent = [run(900, 8, 4000, 300)];
        assert!(degradations(&baselines, &pass, Some((&of_baseline, &innocent))).is_empty());
    }

    #[test]
    fn without_throughput_the_time_counts() {
        let (of_baseline, of_pass) = ([timed(100), timed(120)], [timed(330)]);
        assert_eq!(words(&degradations(&[timed(100)], &timed(400), Some((&of_baseline, &of_pass)))), ["time ×3.3"]);
    }

    #[test]
    fn busy_and_slow_passes_are_suspicious_and_only_so_many() {
        let passes: Vec<_> = [1000, 990, 300, 1010, 980, 400, 1020, 1000].map(|throughput| run(throughput, 8, 1, 1)).to_vec();
        assert_eq!(suspects(&passes), [2, 5]);
        let mut busy = passes.clone();
        busy[7].cpu_time = Duration::from_secs(1);
        assert_eq!(suspects(&busy), [7, 2, 5]);
        assert!(suspects(&[]).is_empty());
        let many: Vec<_> = (0..40).map(|index| run(if index % 3 == 0 { 100 } else { 1000 }, 8, 1, 1)).collect();
        assert_eq!(suspects(&many).len(), MOST_SUSPECTS);
    }
}
