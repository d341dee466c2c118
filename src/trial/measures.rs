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
    /// Highest resident set of any process of the app in KiB, 0 where unknown.
    pub peak_rss_kib: u64,
    /// User and system time of the app.
    pub cpu_time: Duration,
    /// Open files of all processes of the app at the end.
    pub open_files: Option<u64>,
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

/// A pass that did worse than every baseline run, by more than their spread explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Degradation {
    /// What was worse.
    pub measure: Measure,
    /// Hundredths of the baseline's median.
    pub percent: u32,
}

impl fmt::Display for Degradation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.percent / 100, self.percent % 100);
        match whole {
            0 => write!(formatter, "{} ×0.{rest:02}", self.measure.words()),
            1..10 => write!(formatter, "{} ×{whole}.{}", self.measure.words(), rest / 10),
            _ => write!(formatter, "{} ×{whole}", self.measure.words()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_have_two_digits_that_matter() {
        let shown = |percent| Degradation { measure: Measure::Throughput, percent }.to_string();
        assert_eq!([5, 34, 150, 1475].map(shown), ["throughput ×0.05", "throughput ×0.34", "throughput ×1.5", "throughput ×14"]);
    }
}
