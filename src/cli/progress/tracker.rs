//! What reporters have to remember: which campaign is how far, and how long the rest may take. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::item;
use crate::campaign::{CampaignName, Event, ProgressView};

/// Trials after which a pace is taken for one.
const FEW: u32 = 3;
/// The newest interval weighs one in so many.
const MEMORY: u32 = 16;

/// How fast something repeats: an average of the intervals, in which old ones fade.
#[derive(Debug, Clone, Default)]
struct Pace {
    last: Duration,
    intervals: u32,
    average: Duration,
}

impl Pace {
    fn begin(at: Duration) -> Self {
        Self { last: at, ..Self::default() }
    }

    fn record(&mut self, at: Duration) {
        let interval = at.saturating_sub(self.last);
        self.last = at;
        self.intervals = self.intervals.saturating_add(1);
        let weight = self.intervals.min(MEMORY);
        self.average = (self.average * (weight - 1) + interval) / weight;
    }

    /// The time for `count` more.
    fn time_for(&self, count: u32) -> Option<Duration> {
        (self.intervals >= FEW).then(|| self.average.saturating_mul(count))
    }
}

/// A campaign that is under way.
#[derive(Debug, Clone)]
pub(super) struct Course {
    began: Duration,
    pace: Pace,
    /// How far it is; `None` before its first trial.
    pub(super) progress: Option<ProgressView>,
    /// The trial that began last.
    pub(super) item: String,
}

impl Course {
    /// Trials there will have been. Unknown until a trace has told which calls there are.
    pub(super) fn total(&self) -> Option<u32> {
        self.progress.filter(|progress| progress.stage != "baseline").map(|progress| progress.total)
    }

    /// How long the rest may take, if that can be told.
    pub(super) fn left(&self) -> Option<Duration> {
        let progress = self.progress?;
        self.pace.time_for(self.total()?.saturating_sub(progress.done))
    }

    /// Trials done and left, what is being tried, and how long the rest may take.
    pub(super) fn describe(&self) -> String {
        let done = self.progress.map_or(0, |progress| progress.done);
        let total = self.total().map_or("?".to_owned(), |total| total.to_string());
        let left = self.left().map(|left| format!(", {} left", about(left))).unwrap_or_default();
        let item = if self.item.is_empty() { String::new() } else { format!(", {}", self.item) };
        format!("{done}/{total} trials{item}{left}")
    }
}

/// The course of a batch.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    campaigns: Vec<CampaignName>,
    under_way: BTreeMap<CampaignName, Course>,
    /// How long each finished campaign took.
    finished: Vec<Duration>,
}

impl Tracker {
    /// Takes note of an event. Of the end of a campaign it tells how long that took.
    pub(super) fn record(&mut self, event: &Event, at: Duration) -> Option<Duration> {
        match event {
            Event::BatchStarted { campaigns, .. } => self.campaigns.clone_from(campaigns),
            Event::Reaped { .. } => {}
            Event::Waiting { campaign, .. } | Event::Preparing { campaign, .. } => drop(self.course(campaign, at)),
            Event::Started { campaign, .. } => self.course(campaign, at).pace = Pace::begin(at),
            Event::TrialStarted { campaign, purpose, intervention } => {
                self.course(campaign, at).item = item(*purpose, intervention);
            }
            Event::TrialEnded { campaign, run, progress, .. } => {
                let course = self.course(campaign, at);
                course.progress = Some(*progress);
                if *run {
                    course.pace.record(at);
                }
            }
            Event::Ended { campaign, .. } => {
                let course = self.under_way.remove(campaign);
                self.finished.push(course.as_ref().map_or(Duration::ZERO, |course| at.saturating_sub(course.began)));
                return course.map(|course| at.saturating_sub(course.began));
            }
        }
        None
    }

    fn course(&mut self, name: &CampaignName, at: Duration) -> &mut Course {
        self.under_way.entry(name.clone()).or_insert_with(|| Course {
            began: at,
            pace: Pace::begin(at),
            progress: None,
            item: String::new(),
        })
    }

    /// A campaign that is under way.
    pub(super) fn under_way(&self, name: &CampaignName) -> Option<&Course> {
        self.under_way.get(name)
    }

    /// The campaign's place in the batch, such as `[2/5]`.
    pub(super) fn place(&self, name: &CampaignName) -> String {
        match self.campaigns.iter().position(|candidate| candidate == name) {
            Some(index) => format!("[{}/{}]", index + 1, self.campaigns.len()),
            None => "[?]".to_owned(),
        }
    }

    /// Number of campaigns that are over, and of all.
    pub(super) fn campaigns(&self) -> (usize, usize) {
        (self.finished.len(), self.campaigns.len())
    }

    /// How much of the batch is done, in thousandths; campaigns count the same.
    pub(super) fn thousandths(&self) -> u64 {
        let of_course = |course: &Course| match (course.progress, course.total()) {
            (Some(progress), Some(total)) if total > 0 => u64::from(progress.done.min(total)) * 1000 / u64::from(total),
            _ => 0,
        };
        let done = self.finished.len() as u64 * 1000 + self.under_way.values().map(of_course).sum::<u64>();
        done / (self.campaigns.len() as u64).max(1)
    }

    /// How long the rest of the batch may take: what is under way, and for each campaign that has not begun the mean of the
    /// others. `None` as long as something under way can't be told.
    pub(super) fn left(&self, at: Duration) -> Option<Duration> {
        let mut left = Duration::ZERO;
        let mut known = self.finished.clone();
        for course in self.under_way.values() {
            let rest = course.left()?;
            left += rest;
            known.push(at.saturating_sub(course.began) + rest);
        }
        let waiting = self.campaigns.len().saturating_sub(known.len());
        if waiting == 0 {
            return Some(left);
        }
        let count = u32::try_from(known.len()).ok().filter(|count| *count > 0)?;
        let mean = known.iter().sum::<Duration>() / count;
        Some(left + mean.saturating_mul(u32::try_from(waiting).ok()?))
    }
}

/// A time that is a guess.
pub(super) fn about(time: Duration) -> String {
    match time.as_secs() {
        0..10 => "a few seconds".to_owned(),
        seconds @ 10..55 => format!("about {} s", seconds.next_multiple_of(5)),
        seconds @ 55..3570 => format!("about {} min", seconds.div_ceil(60)),
        seconds => format!("about {} h {:02} min", (seconds + 30) / 3600, (seconds + 30) % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::plain::tests::{ended, name, started, trial};
    use super::*;
    use crate::campaign::{CampaignEnd, Totals};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn batch(campaigns: &[&str]) -> Tracker {
        let mut tracker = Tracker::default();
        let campaigns = campaigns.iter().map(|app| name(app)).collect();
        tracker.record(&Event::BatchStarted { campaigns, jobs: 1 }, seconds(0));
        tracker
    }

    #[test]
    fn the_total_is_unknown_until_the_traces_are_done() {
        let mut tracker = batch(&["a"]);
        tracker.record(&started("a"), seconds(0));
        for second in 1..=5 {
            tracker.record(&trial("a", "baseline", u32::try_from(second).unwrap(), 107), seconds(second));
        }
        let course = tracker.under_way(&name("a")).unwrap();
        assert_eq!((course.total(), course.left()), (None, None));
        assert_eq!(tracker.left(seconds(5)), None);
        tracker.record(&trial("a", "singles", 6, 96), seconds(6));
        let course = tracker.under_way(&name("a")).unwrap();
        assert_eq!((course.total(), course.left()), (Some(96), Some(seconds(90))));
    }

    #[test]
    fn the_pace_forgets_slowly_and_ignores_what_was_stored_before() {
        let mut tracker = batch(&["a"]);
        tracker.record(&started("a"), seconds(0));
        for _ in 0..50 {
            let mut stored = trial("a", "singles", 50, 150);
            if let Event::TrialEnded { run, .. } = &mut stored {
                *run = false;
            }
            tracker.record(&stored, seconds(0));
        }
        assert_eq!(tracker.under_way(&name("a")).unwrap().left(), None);
        for second in 1..=20 {
            tracker.record(&trial("a", "singles", 50, 150), seconds(second));
        }
        assert_eq!(tracker.under_way(&name("a")).unwrap().left(), Some(seconds(100)));
        // One trial that takes 17 s instead of 1 s doubles the guess and no more.
        tracker.record(&trial("a", "singles", 50, 150), seconds(37));
        assert_eq!(tracker.under_way(&name("a")).unwrap().left(), Some(seconds(200)));
    }

    #[test]
    fn campaigns_that_have_not_begun_are_taken_to_be_like_the_others() {
        let mut tracker = batch(&["a", "b", "c", "d"]);
        tracker.record(&started("a"), seconds(0));
        tracker.record(&ended("a", CampaignEnd::Measured(Totals::default())), seconds(40));
        assert_eq!(tracker.left(seconds(40)), Some(seconds(120)));
        tracker.record(&started("b"), seconds(40));
        assert_eq!(tracker.left(seconds(40)), None);
        for second in 1..=10 {
            tracker.record(&trial("b", "singles", u32::try_from(second).unwrap(), 20), seconds(40 + second));
        }
        // b takes 20 s, of which 10 are left; c and d as long as the mean of 40 s and 20 s.
        assert_eq!(tracker.left(seconds(50)), Some(seconds(10 + 2 * 30)));
        assert_eq!((tracker.campaigns(), tracker.thousandths()), ((1, 4), 375));
    }

    #[test]
    fn guesses_look_like_guesses() {
        let shown = [0, 12, 54, 55, 61, 3569, 3570, 5400].map(|time| about(seconds(time)));
        let wanted = [
            "a few seconds",
            "about 15 s",
            "about 55 s",
            "about 1 min",
            "about 2 min",
            "about 60 min",
            "about 1 h 00 min",
            "about 1 h 30 min",
        ];
        assert_eq!(shown, wanted);
    }
}
