//! How well an app did beside passing: what is compared with the baseline to tell a pass from a pass at a third of the speed.

use std::fmt;
use std::time::Duration;

/// What one run measured of the app's performance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measures {
    /// What the workload's `throughput` pattern found in the output, in thousandths of its unit; the geometric mean where it
    /// found several numbers.
    pub throughput: Option<u64>,
    /// Time from the port's listening (or the app's first instruction) to the end of app or client.
    pub time: Duration,
    /// Whether `time` is that of an app that ended by itself: how long a client takes is the client's affair.
    pub own_time: bool,
    /// Highest resident set of any process of the app in KiB, 0 where unknown.
    pub peak_rss_kib: u64,
    /// User and system time of the app.
    pub cpu_time: Duration,
    /// Open files of all processes of the app at the end.
    pub open_files: Option<u64>,
    /// Longest time that a thread of the app waited for a processor; zero where that was not seen.
    pub app_waited: Duration,
    /// The same of the client.
    pub client_waited: Duration,
    /// Number of calls that the supervisor answered, each of which takes some hundred times as long as a call that goes unnoticed.
    pub answers: u64,
}

/// One of the things that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Measure {
    /// What the client got done; more is better.
    Throughput,
    /// Time that the workload took.
    Time,
    /// Processor time of the app.
    CpuTime,
    /// Highest resident set.
    PeakRss,
    /// Open files at the end.
    OpenFiles,
}

impl Measure {
    /// What it is called in a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Time => "time",
            Self::CpuTime => "CPU time",
            Self::PeakRss => "peak memory",
            Self::OpenFiles => "open files",
        }
    }
}

/// A pass that differs from every baseline run, by more than their spread explains, each time that it is repeated alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Degradation {
    /// What differs.
    pub measure: Measure,
    /// Median of the pass in hundredths of the baseline's median. 0 where it is less than one of them.
    pub percent: u32,
}

/// Factors that are printed, in thousandths, up to a power of ten: runs of the same trial differ by less than their distance.
const STEPS: [u64; 5] = [1000, 1500, 2000, 3000, 5000];

impl fmt::Display for Degradation {
    /// The factor is rounded to the nearest step, on a scale of ratios: what is measured again reads the same, as a rule.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ×{}", self.measure.words(), Rounded(u64::from(self.percent)))
    }
}

/// Hundredths, rounded to a step and printed without zeros at the end.
struct Rounded(u64);

impl fmt::Display for Rounded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return formatter.write_str("0.01 or less");
        }
        // In millionths, so that a step of hundredths still is a whole number.
        let number = self.0 * 10_000;
        let mut power = 1;
        while number >= 10_000 * power {
            power *= 10;
        }
        let steps = STEPS.iter().map(|step| step * power).chain([10_000 * power]);
        // The nearest of two is the one whose ratio is smaller: below their geometric mean, the lower.
        let mut rounded = 1000 * power;
        for step in steps {
            if u128::from(number) * u128::from(number) >= u128::from(rounded) * u128::from(step) {
                rounded = step;
            }
        }
        let (whole, rest) = (rounded / 1_000_000, rounded % 1_000_000);
        if rest == 0 {
            return write!(formatter, "{whole}");
        }
        write!(formatter, "{whole}.{}", format!("{rest:06}").trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_rounded_to_steps_that_read_the_same_the_next_time() {
        let shown = |percent| Degradation { measure: Measure::Throughput, percent }.to_string();
        for (percent, factor) in [
            (5, "0.05"),
            (30, "0.3"),
            (34, "0.3"),
            (48, "0.5"),
            (110, "1"),
            (123, "1.5"),
            (150, "1.5"),
            (172, "1.5"),
            (174, "2"),
            (253, "3"),
            (846, "10"),
            (921, "10"),
            (1210, "10"),
            (1475, "15"),
            (8137, "100"),
            (0, "0.01 or less"),
            (1, "0.01"),
        ] {
            assert_eq!(shown(percent), format!("throughput ×{factor}"));
        }
        assert!(shown(u32::MAX).starts_with("throughput ×50000000"));
    }
}
