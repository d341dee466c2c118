//! Reporters: what a user sees of a batch while it goes on. Pure consumers of [`Event`]s; none of them decides anything.
//!
//! [`bars`] draws on a terminal, [`live`] does so for a single command, with a table that fills; [`plain`] writes lines where there
//! is no terminal, [`json`] writes every event for programs.
//! Time comes in from outside, as the time since the batch began, so what they write follows from events and times alone.

mod bars;
mod json;
mod live;
mod plain;
mod tracker;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressStyle;

use super::arguments::Format;
use super::printer::Printer;
use crate::campaign::{CampaignEnd, CampaignName, Event};
use crate::report::counts;
use crate::trial::{Intervention, Purpose};

/// Consumes the events of one batch.
pub(super) trait Reporter: Send {
    /// Something happened, `at` after the beginning.
    fn report(&mut self, event: &Event, at: Duration);

    /// The batch is over: whatever still stands on the terminal goes away.
    fn finish(&mut self) {}
}

/// How a line on the terminal is laid out; `template` is one of this folder's.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("invariant: the templates in this folder are valid").progress_chars("=> ")
}

/// The reporters of one batch. Events come from several tasks, so they queue here.
pub(super) struct Reporters {
    began: Instant,
    reporters: Mutex<Vec<Box<dyn Reporter>>>,
}

impl Reporters {
    /// Those that suit where the output goes. JSON on standard output leaves standard error to the bars, unless both are
    /// the same terminal.
    pub(super) fn for_output(format: Format, printer: &Printer) -> Self {
        let mut reporters: Vec<Box<dyn Reporter>> = Vec::new();
        match format {
            Format::Json => {
                if printer.can_draw() && !printer.data_is_seen() {
                    reporters.push(Box::new(bars::Bars::new(printer.clone())));
                }
                reporters.push(Box::new(json::JsonLines::new(printer.clone())));
            }
            Format::Text if printer.can_draw() => reporters.push(Box::new(bars::Bars::new(printer.clone()))),
            Format::Text => reporters.push(Box::new(plain::PlainLines::new(printer.clone()))),
        }
        Self { began: Instant::now(), reporters: Mutex::new(reporters) }
    }

    /// The same where one command is measured and waited for: a table that fills instead of bars.
    pub(super) fn for_output_of_one(format: Format, printer: &Printer) -> Self {
        if format == Format::Text && printer.can_draw() {
            let table: Box<dyn Reporter> = Box::new(live::LiveTable::new(printer.clone()));
            return Self { began: Instant::now(), reporters: Mutex::new(vec![table]) };
        }
        Self::for_output(format, printer)
    }

    /// Hands an event to every reporter.
    pub(super) fn emit(&self, event: &Event) {
        self.each(|reporter| reporter.report(event, self.began.elapsed()));
    }

    /// The batch is over.
    pub(super) fn finish(&self) {
        self.each(|reporter| reporter.finish());
    }

    fn each(&self, mut act: impl FnMut(&mut dyn Reporter)) {
        let mut reporters = self.reporters.lock().unwrap_or_else(PoisonError::into_inner);
        for reporter in reporters.iter_mut() {
            act(reporter.as_mut());
        }
    }
}

/// What a trial is about, in few words.
fn item(purpose: Purpose, intervention: &Intervention) -> String {
    let mut treated = intervention.iter();
    match purpose {
        Purpose::Trace => "trace".to_owned(),
        Purpose::Baseline => "baseline".to_owned(),
        Purpose::Control => "control".to_owned(),
        Purpose::Single
        | Purpose::Quiet
        | Purpose::Search
        | Purpose::Joint
        | Purpose::Others
        | Purpose::Reasons
        | Purpose::Fallback => match (treated.next(), treated.len()) {
            (Some((call, treatment)), 0) => format!("{treatment} {call}"),
            (None, _) => "baseline".to_owned(),
            _ => format!("{} calls at once", intervention.len()),
        },
    }
}

/// The one line that stays of a campaign that is over.
fn last_line(name: &CampaignName, end: &CampaignEnd, took: Option<Duration>) -> String {
    let time = took.map(|took| format!(" in {}", crate::report::duration(milliseconds(took)))).unwrap_or_default();
    match end {
        CampaignEnd::Measured(totals) => {
            let run = crate::report::counted(totals.run, "trial");
            format!("{name}: measured, {run}{time}; {}", counts(totals))
        }
        CampaignEnd::UpToDate(totals) => format!("{name}: up to date; {}", counts(totals)),
        CampaignEnd::Incomplete { reasons } => format!("{name}: incomplete{time}: {}", first(reasons)),
        CampaignEnd::Refused { reasons, .. } => format!("{name}: refused{time}: {}", first(reasons)),
        CampaignEnd::Failed { message, .. } => format!("{name}: failed{time}: {}", first_line(message)),
        CampaignEnd::Interrupted => format!("{name}: interrupted{time}"),
    }
}

/// The first reason; the closing words have them all.
fn first(reasons: &[String]) -> String {
    let reason = reasons.first().map(|reason| first_line(reason)).unwrap_or_default();
    match reasons.len() {
        0 | 1 => reason.to_owned(),
        more => format!("{reason} (and {} more)", more - 1),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_treatment_is_named_and_a_group_is_counted() {
        let single = "stub=openat".parse::<Intervention>().unwrap();
        assert_eq!(item(Purpose::Single, &single), "stub openat");
        let group = "stub=openat;fake=close".parse().unwrap();
        assert_eq!(item(Purpose::Joint, &group), "2 calls at once");
        assert_eq!(item(Purpose::Control, &group), "control");
        assert_eq!(item(Purpose::Baseline, &Intervention::none()), "baseline");
    }

    #[test]
    fn only_the_first_of_several_reasons_is_told_while_the_batch_goes_on() {
        let name = CampaignName { app: "a".to_owned(), workload: "b".to_owned() };
        let end = CampaignEnd::Incomplete { reasons: vec!["one\nmore of it".to_owned(), "two".to_owned()] };
        assert_eq!(last_line(&name, &end, Some(Duration::from_secs(12))), "a/b: incomplete in 12 s: one (and 1 more)");
    }
}
