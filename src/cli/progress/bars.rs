//! Bars on a terminal: one per campaign that is under way, one for the batch, and one line that stays of each campaign that is
//! over.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar};

use super::tracker::{Course, Tracker, about};
use super::{Reporter, last_line, style};
use crate::campaign::{CampaignName, Event};
use crate::cli::printer::Printer;
use crate::report::counted;

/// Between two frames of a spinner, so that a long trial or build still shows life.
const FRAME: Duration = Duration::from_millis(120);

/// Draws on standard error.
pub(super) struct Bars {
    printer: Printer,
    tracker: Tracker,
    drawing: MultiProgress,
    whole: ProgressBar,
    campaigns: BTreeMap<CampaignName, ProgressBar>,
}

impl Bars {
    pub(super) fn new(printer: Printer) -> Self {
        let drawing = printer.draw();
        let whole = ProgressBar::new(1000).with_style(style("  {elapsed:20} [{bar:20}] {wide_msg}"));
        let whole = drawing.add(whole);
        Self { printer, tracker: Tracker::default(), drawing, whole, campaigns: BTreeMap::new() }
    }

    /// The campaign's bar; the bar of the batch stays below it.
    fn bar(&mut self, name: &CampaignName) -> ProgressBar {
        if let Some(bar) = self.campaigns.get(name) {
            return bar.clone();
        }
        let bar = ProgressBar::no_length().with_style(style("{spinner} {prefix:20} {wide_msg}")).with_prefix(name.to_string());
        let bar = self.drawing.insert_before(&self.whole, bar);
        bar.enable_steady_tick(FRAME);
        self.campaigns.insert(name.clone(), bar.clone());
        bar
    }

    fn draw_campaign(&mut self, name: &CampaignName) {
        let bar = self.bar(name);
        let Some(course) = self.tracker.under_way(name) else { return };
        bar.set_message(Course::describe(course));
        if let (Some(total), Some(progress)) = (course.total(), course.progress) {
            if bar.length() != Some(u64::from(total)) {
                bar.set_style(style("{spinner} {prefix:20} [{bar:20}] {wide_msg}"));
                bar.set_length(u64::from(total));
            }
            bar.set_position(u64::from(progress.done));
        }
    }

    fn draw_whole(&self, at: Duration) {
        let (over, all) = self.tracker.campaigns();
        let left = self.tracker.left(at).filter(|_| over < all).map(|left| format!(", {} left", about(left))).unwrap_or_default();
        self.whole.set_position(self.tracker.thousandths());
        self.whole.set_message(format!("{over} of {} done{left}", counted(all, "campaign")));
    }
}

impl Reporter for Bars {
    fn report(&mut self, event: &Event, at: Duration) {
        let took = self.tracker.record(event, at);
        match event {
            Event::BatchStarted { .. } => {
                self.whole.reset_elapsed();
                self.whole.enable_steady_tick(Duration::from_secs(1));
            }
            Event::Reaped { containers } => {
                self.printer.note(&format!("removed {} that an earlier run left behind", counted(*containers, "container")));
                return;
            }
            Event::Preparing { campaign, message } => self.bar(campaign).set_message(message.clone()),
            Event::Waiting { campaign, what, seconds } => {
                let course = self.tracker.under_way(campaign).map(Course::describe).unwrap_or_default();
                self.bar(campaign).set_message(format!("{course}, waiting for {what} ({seconds} s)"));
            }
            Event::Started { campaign, .. } | Event::TrialStarted { campaign, .. } | Event::TrialEnded { campaign, .. } => {
                self.draw_campaign(campaign);
            }
            Event::Ended { campaign, end } => {
                if let Some(bar) = self.campaigns.remove(campaign) {
                    bar.finish_and_clear();
                    self.drawing.remove(&bar);
                }
                self.printer.note(&last_line(campaign, end, took));
            }
        }
        self.draw_whole(at);
    }

    fn finish(&mut self) {
        for bar in self.campaigns.values().chain([&self.whole]) {
            bar.finish_and_clear();
        }
        self.printer.stop_drawing();
    }
}

#[cfg(test)]
mod tests {
    use super::super::plain::tests::course;
    use super::*;
    use crate::cli::printer::tests::captured;

    #[test]
    fn what_stays_of_finished_campaigns_is_one_line_each() {
        let (printer, output, error) = captured(false);
        let mut bars = Bars::new(printer);
        for (at, event) in course() {
            bars.report(&event, at);
            if matches!(event, Event::TrialEnded { .. }) {
                assert!(bars.campaigns.values().all(|bar| bar.message().contains(" trials")));
            }
        }
        assert!(bars.campaigns.is_empty());
        assert_eq!(bars.whole.message(), "3 of 3 campaigns done");
        bars.finish();
        let text = error.text();
        let lines: Vec<_> = text.lines().map(|line| line.split(';').next().unwrap()).collect();
        assert_eq!(
            lines,
            [
                "removed 1 container that an earlier run left behind",
                "nginx/default: measured, 15 trials in 24 s",
                "sort/default: up to date",
                "web/default: refused in 0.9 s: baseline run 1: exit code 1"
            ]
        );
        assert_eq!(output.text(), "");
    }
}
