//! Plain lines on standard error, for logs: where there is no terminal to draw on.

use std::time::Duration;

use super::tracker::{Tracker, about};
use super::{Reporter, item, last_line};
use crate::campaign::{CampaignName, Event};
use crate::cli::printer::Printer;
use crate::report::counted;
use crate::trial::Outcome;

/// Between two lines that say no more than that it goes on.
const PAUSE: Duration = Duration::from_secs(5);
/// After so long without a line it is said for the first time what is waited for.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// One line for everything that matters, and now and then one to show that it goes on.
pub(super) struct PlainLines {
    printer: Printer,
    tracker: Tracker,
    stage: Option<(CampaignName, &'static str)>,
    last: Duration,
    /// Whether it was said of this campaign that something is waited for.
    waited: bool,
}

impl PlainLines {
    pub(super) fn new(printer: Printer) -> Self {
        Self { printer, tracker: Tracker::default(), stage: None, last: Duration::ZERO, waited: false }
    }

    fn line(&mut self, at: Duration, text: &str) {
        self.last = at;
        self.printer.note(text);
    }

    fn about_campaign(&mut self, at: Duration, name: &CampaignName, text: &str) {
        let line = format!("{} {name}: {text}", self.tracker.place(name));
        self.line(at, &line);
    }
}

impl Reporter for PlainLines {
    fn report(&mut self, event: &Event, at: Duration) {
        let took = self.tracker.record(event, at);
        match event {
            Event::BatchStarted { campaigns, jobs } => {
                self.line(at, &format!("{}, {} at a time", counted(campaigns.len(), "campaign"), counted(*jobs, "trial")));
            }
            Event::Reaped { containers } => {
                self.line(at, &format!("removed {} that an earlier run left behind", counted(*containers, "container")));
            }
            Event::Preparing { campaign, message } => self.about_campaign(at, campaign, message),
            Event::Started { campaign, kind, stored, recheck, outdated, isolation: _ } => {
                let outdated = outdated.as_ref().map(|why| format!("; the results that are there do not stand: {why}"));
                let outdated = outdated.unwrap_or_default();
                let recheck = if *recheck { ", verifies what was found before" } else { "" };
                let stored = match stored {
                    0 => String::new(),
                    stored => format!(", goes on after {} of an earlier run", counted(*stored, "trial")),
                };
                self.about_campaign(at, campaign, &format!("started ({kind}){stored}{recheck}{outdated}"));
            }
            Event::TrialStarted { .. } => {}
            // Where every trial takes long, that is as much as is said of mere progress.
            Event::Waiting { campaign, what, seconds } => {
                let pause = if self.waited { PAUSE } else { FIRST_PAUSE };
                if at.saturating_sub(self.last) >= pause {
                    self.waited = true;
                    self.about_campaign(at, campaign, &format!("waiting for {what} ({seconds} s)"));
                }
            }
            Event::TrialEnded { campaign, purpose, intervention, outcome, progress, .. } => {
                if let Outcome::Inconclusive(cause) = outcome {
                    self.about_campaign(at, campaign, &format!("{} was inconclusive: {cause}", item(*purpose, intervention)));
                }
                let stage = (campaign.clone(), progress.stage);
                let begun = if self.stage.as_ref() == Some(&stage) { None } else { beginning(progress.stage) };
                self.stage = Some(stage);
                let course = self.tracker.under_way(campaign).map(super::tracker::Course::describe).unwrap_or_default();
                if let Some(begun) = begun {
                    let total = self.tracker.under_way(campaign).and_then(super::tracker::Course::total);
                    let total = total.map_or("?".to_owned(), |total| total.to_string());
                    self.about_campaign(at, campaign, &format!("{begun}, {}/{total} trials", progress.done));
                } else if at.saturating_sub(self.last) >= PAUSE {
                    let (over, all) = self.tracker.campaigns();
                    let rest = if all > over + 1 { self.tracker.left(at) } else { None };
                    let rest = rest.map(|rest| format!(" ({} for the whole batch)", about(rest))).unwrap_or_default();
                    self.about_campaign(at, campaign, &format!("{course}{rest}"));
                }
            }
            Event::Ended { campaign, end } => {
                self.waited = false;
                let line = format!("{} {}", self.tracker.place(campaign), last_line(campaign, end, took));
                self.line(at, &line);
            }
        }
    }
}

/// What is told when a stage begins. Each stage begins only when the one before came out as it has to.
fn beginning(stage: &str) -> Option<&'static str> {
    match stage {
        "control" => Some("baseline done"),
        "known" => Some("control done, now what was found before, in groups"),
        "singles" => Some("now each call alone"),
        "quiet" => Some("each call done, now what looked slow once more"),
        "joint" => Some("now every avoidable call at once"),
        "details" => Some("now argument features and pseudo-files, each alone"),
        "everything" => Some("now everything avoidable at once"),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::campaign::{CampaignEnd, ProgressView, Totals};
    use crate::cli::printer::tests::captured;
    use crate::trial::{FailCause, InconclusiveCause, Intervention, Purpose};

    pub(in crate::cli::progress) fn name(app: &str) -> CampaignName {
        CampaignName { app: app.to_owned(), workload: "default".to_owned() }
    }

    pub(in crate::cli::progress) fn started(app: &str) -> Event {
        Event::Started { campaign: name(app), kind: "server", stored: 0, recheck: false, outdated: None, isolation: None }
    }

    pub(in crate::cli::progress) fn trial(app: &str, stage: &'static str, done: u32, total: u32) -> Event {
        let progress = ProgressView { done, total, stage };
        Event::TrialEnded {
            campaign: name(app),
            purpose: Purpose::Single,
            intervention: stub_openat(),
            replica: 0,
            outcome: Outcome::Pass,
            milliseconds: 100,
            run: true,
            progress,
        }
    }

    pub(in crate::cli::progress) fn ended(app: &str, end: CampaignEnd) -> Event {
        Event::Ended { campaign: name(app), end }
    }

    fn stub_openat() -> Intervention {
        "stub=openat".parse().unwrap()
    }

    fn at(tenths: u64, event: Event) -> (Duration, Event) {
        (Duration::from_millis(tenths * 100), event)
    }

    fn with_outcome(mut event: Event, other: Outcome) -> Event {
        if let Event::TrialEnded { outcome, .. } = &mut event {
            *outcome = other;
        }
        event
    }

    /// A batch of three campaigns with everything that can happen in one.
    pub(in crate::cli::progress) fn course() -> Vec<(Duration, Event)> {
        let campaigns = ["nginx", "sort", "web"].iter().map(|app| name(app)).collect();
        let begun = |purpose, intervention| Event::TrialStarted { campaign: name("nginx"), purpose, intervention };
        let waiting = |what: &str, seconds| Event::Waiting { campaign: name("nginx"), what: what.to_owned(), seconds };
        let exit_code = Outcome::Fail(FailCause::ExitCode { code: 1, expected: 0 });
        let trouble = Outcome::Inconclusive(InconclusiveCause::Engine { message: "no space left".to_owned() });
        let totals =
            Totals { used: 9, required: 4, any: 5, joint_avoided: 5, joint_verified: 3, joint_of: 3, ..Totals::default() };
        let mut course = vec![
            at(0, Event::Reaped { containers: 1 }),
            at(0, Event::BatchStarted { campaigns, jobs: 4 }),
            at(1, Event::Preparing { campaign: name("nginx"), message: "building the image of nginx".to_owned() }),
            at(21, waiting("building the image of nginx", 2)),
            at(41, waiting("building the image of nginx", 4)),
            at(
                70,
                Event::Started {
                    campaign: name("nginx"),
                    kind: "server",
                    stored: 12,
                    recheck: false,
                    outdated: None,
                    isolation: None,
                },
            ),
            at(71, begun(Purpose::Trace, Intervention::none())),
            at(80, trial("nginx", "baseline", 1, 107)),
            at(82, trial("nginx", "control", 5, 26)),
            at(90, with_outcome(trial("nginx", "singles", 6, 26), exit_code.clone())),
            at(91, begun(Purpose::Single, stub_openat())),
            // Something was said a moment ago.
            at(94, waiting("a run that stubs `openat`", 2)),
            at(95, with_outcome(trial("nginx", "singles", 7, 26), trouble)),
        ];
        course.extend((8..20).map(|done| at(100 + 10 * u64::from(done - 8), trial("nginx", "singles", done, 26))));
        course.extend([
            at(230, trial("nginx", "joint", 24, 27)),
            at(240, ended("nginx", CampaignEnd::Measured(Totals { trials: 27, run: 15, ..totals.clone() }))),
            at(241, ended("sort", CampaignEnd::UpToDate(totals))),
            at(
                242,
                Event::Started {
                    campaign: name("web"),
                    kind: "run-to-completion",
                    stored: 0,
                    recheck: false,
                    outdated: None,
                    isolation: None,
                },
            ),
            at(250, with_outcome(trial("web", "done", 1, 1), exit_code)),
            at(
                251,
                ended(
                    "web",
                    CampaignEnd::Refused { reasons: vec!["baseline run 1: exit code 1".to_owned()], inconclusive: false },
                ),
            ),
        ]);
        course
    }

    #[test]
    fn what_matters_gets_a_line_and_mere_progress_one_every_five_seconds() {
        let (printer, output, error) = captured(false);
        let mut reporter = PlainLines::new(printer);
        for (at, event) in course() {
            reporter.report(&event, at);
        }
        assert_eq!(output.text(), "");
        insta::assert_snapshot!(error.text());
    }

    #[test]
    fn quiet_is_quiet() {
        let (printer, output, error) = captured(true);
        let mut reporter = PlainLines::new(printer);
        for (at, event) in course() {
            reporter.report(&event, at);
        }
        assert_eq!((output.text(), error.text()), (String::new(), String::new()));
    }
}
