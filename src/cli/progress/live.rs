//! A table that fills while one command is measured: what was tried last, and how it ended. Goes away when everything is over, as
//! the whole table is printed then.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar};

use super::tracker::{Course, Tracker};
use super::{Reporter, first_line, style};
use crate::campaign::{CampaignName, Event};
use crate::cli::printer::Printer;
use crate::trial::{Item, Outcome, Treatment};

/// Rows that are shown at once.
const ROWS: usize = 12;
/// Width of the column of items, and of each treatment.
const ITEM_WIDTH: usize = 28;
const OUTCOME_WIDTH: usize = 24;

/// What is known of one item so far.
#[derive(Debug, Clone)]
struct Row {
    item: Item,
    /// By treatment, in the order of [`Treatment::ALL`].
    outcomes: [Option<String>; 2],
}

impl Row {
    fn text(&self) -> String {
        let [stub, fake] = self.outcomes.each_ref().map(|outcome| cut(outcome.as_deref().unwrap_or("…"), OUTCOME_WIDTH));
        format!("{:<ITEM_WIDTH$}  {stub:<OUTCOME_WIDTH$}  {fake}", cut(&self.item.to_string(), ITEM_WIDTH)).trim_end().to_owned()
    }
}

/// The first `width` characters.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width { text.to_owned() } else { text.chars().take(width - 1).chain(['…']).collect() }
}

/// Draws on standard error.
pub(super) struct LiveTable {
    printer: Printer,
    tracker: Tracker,
    drawing: MultiProgress,
    header: ProgressBar,
    lines: Vec<ProgressBar>,
    whole: ProgressBar,
    /// The one that changed last at the end.
    rows: Vec<Row>,
}

impl LiveTable {
    pub(super) fn new(printer: Printer) -> Self {
        let drawing = printer.draw();
        let header = drawing.add(ProgressBar::no_length().with_style(style("{msg}")));
        let whole = drawing.add(ProgressBar::new(1000).with_style(style("[{bar:20}] {wide_msg}")));
        Self { printer, tracker: Tracker::default(), drawing, header, lines: Vec::new(), whole, rows: Vec::new() }
    }

    fn take(&mut self, item: Item, treatment: Treatment, outcome: &Outcome) {
        let row = match self.rows.iter().position(|row| row.item == item) {
            Some(index) => self.rows.remove(index),
            None => Row { item, outcomes: [None, None] },
        };
        let mut row = row;
        let words = match outcome {
            Outcome::Pass => "passes".to_owned(),
            Outcome::Fail(cause) => first_line(&cause.to_string()).to_owned(),
            Outcome::Inconclusive(_) => "inconclusive".to_owned(),
        };
        let index = Treatment::ALL.iter().position(|candidate| *candidate == treatment).unwrap_or(0);
        row.outcomes[index] = Some(words);
        self.rows.push(row);
    }

    fn draw_rows(&mut self) {
        let shown: Vec<String> = self.rows.iter().rev().take(ROWS).rev().map(Row::text).collect();
        if self.lines.is_empty() && !shown.is_empty() {
            self.header.set_message(format!("{:<ITEM_WIDTH$}  {:<OUTCOME_WIDTH$}  faked", "tried", "stubbed"));
        }
        while self.lines.len() < shown.len() {
            let line = ProgressBar::no_length().with_style(style("{wide_msg}"));
            self.lines.push(self.drawing.insert_before(&self.whole, line));
        }
        for (line, text) in self.lines.iter().zip(shown) {
            line.set_message(text);
        }
    }

    fn draw_whole(&self, campaign: &CampaignName) {
        let Some(course) = self.tracker.under_way(campaign) else { return };
        if let (Some(total), Some(progress)) = (course.total(), course.progress) {
            self.whole.set_length(u64::from(total));
            self.whole.set_position(u64::from(progress.done));
        }
        self.whole.set_message(Course::describe(course));
    }
}

impl Reporter for LiveTable {
    fn report(&mut self, event: &Event, at: Duration) {
        self.tracker.record(event, at);
        match event {
            Event::Preparing { message, .. } => self.whole.set_message(message.clone()),
            Event::Waiting { campaign, what, seconds } => {
                let course = self.tracker.under_way(campaign).map(Course::describe).unwrap_or_default();
                self.whole.set_message(format!("{course}, waiting for {what} ({seconds} s)"));
            }
            Event::TrialStarted { campaign, .. } => self.draw_whole(campaign),
            Event::TrialEnded { campaign, intervention, outcome, .. } => {
                if let Some((item, treatment)) = intervention.only() {
                    self.take(item, treatment, outcome);
                    self.draw_rows();
                }
                self.draw_whole(campaign);
            }
            Event::BatchStarted { .. } | Event::Reaped { .. } | Event::Started { .. } | Event::Ended { .. } => {}
        }
    }

    fn finish(&mut self) {
        for bar in self.lines.iter().chain([&self.header, &self.whole]) {
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
    use crate::trial::{FailCause, Intervention};

    #[test]
    fn the_newest_rows_are_shown_with_what_both_treatments_gave() {
        let (printer, output, error) = captured(false);
        let mut table = LiveTable::new(printer);
        let fail = Outcome::Fail(FailCause::ExitCode { code: 1, expected: 0 });
        for name in ["read", "write", "close"] {
            table.take(name.parse().unwrap(), Treatment::Stub, &fail);
        }
        table.take("read".parse().unwrap(), Treatment::Fake, &Outcome::Pass);
        let shown: Vec<_> = table.rows.iter().map(|row| row.text().split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            shown,
            ["write exit code 1, expected 0 …", "close exit code 1, expected 0 …", "read exit code 1, expected 0 passes"]
        );
        for (at, event) in course() {
            table.report(&event, at);
        }
        let single = "stub=openat".parse::<Intervention>().unwrap().only().unwrap().0;
        assert_eq!(table.rows.last().map(|row| row.item), Some(single));
        assert!(table.lines.len() <= ROWS);
        table.finish();
        assert_eq!((output.text(), error.text()), (String::new(), String::new()));
    }

    #[test]
    fn long_names_do_not_move_the_columns() {
        let row = Row { item: "read".parse().unwrap(), outcomes: [Some("x".repeat(100)), None] };
        assert_eq!(row.text().chars().count(), ITEM_WIDTH + 2 + OUTCOME_WIDTH + 2 + 1);
    }
}
