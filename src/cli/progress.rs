//! What happens, told while it happens: bars on a terminal, lines elsewhere, JSON objects for programs. All three are pure
//! consumers of [`Event`]s.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::arguments::Format;
use super::printer::Printer;
use crate::campaign::{CampaignEnd, CampaignName, Event, ProgressView};
use crate::report::{counted, seconds};
use crate::trial::{Intervention, Outcome, Purpose};

/// How often a line says how far a campaign is, where there are no bars.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Told of everything that happens.
pub(super) trait Reporter: Sync {
    fn report(&self, event: &Event);

    /// Nothing more will happen.
    fn finish(&self) {}
}

/// The reporter for this format and these standard streams.
pub(super) fn reporter<'a>(format: Format, printer: &'a Printer) -> Box<dyn Reporter + 'a> {
    match (format, printer.bars()) {
        (Format::Json, _) => Box::new(Json { printer }),
        (Format::Text, Some(bars)) => Box::new(Bars::new(printer, bars)),
        (Format::Text, None) => Box::new(Lines { printer, state: Mutex::default() }),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A trial in a few words: `stub openat`, `baseline`, `12 calls avoided`.
fn item(purpose: Purpose, intervention: &Intervention) -> String {
    match purpose {
        Purpose::Trace => "trace".to_owned(),
        Purpose::Baseline => "baseline".to_owned(),
        Purpose::Control => "everything stubbed".to_owned(),
        Purpose::Single => match intervention.iter().next() {
            Some((call, treatment)) => format!("{treatment} {call}"),
            None => "nothing treated".to_owned(),
        },
        Purpose::Search | Purpose::Joint => format!("{} calls avoided", intervention.len()),
    }
}

fn reaped(containers: usize) -> String {
    format!("removed {} that an earlier run had left behind", counted(containers, "container"))
}

/// How a campaign ended, on one line.
fn ended(campaign: &CampaignName, end: &CampaignEnd) -> String {
    match end {
        CampaignEnd::Measured(totals) => format!(
            "{campaign}: {} calls used, {} required, {} avoided together ({} of {} runs passed); {} trials in {}",
            totals.used,
            totals.required,
            totals.joint_avoided,
            totals.joint_verified,
            totals.joint_of,
            totals.trials,
            seconds(totals.milliseconds)
        ),
        CampaignEnd::UpToDate(totals) => {
            format!("{campaign}: up to date ({} calls used, {} required)", totals.used, totals.required)
        }
        CampaignEnd::Incomplete { reasons } => {
            format!("{campaign}: incomplete, {} stayed inconclusive", counted(reasons.len(), "trial"))
        }
        CampaignEnd::Refused { reasons, .. } => {
            format!("{campaign}: refused: {}", reasons.first().map_or("", String::as_str))
        }
        CampaignEnd::Failed { message } => format!("{campaign}: failed: {}", message.lines().next().unwrap_or_default()),
        CampaignEnd::Interrupted => format!("{campaign}: interrupted"),
    }
}

/// One JSON object per event and line.
struct Json<'a> {
    printer: &'a Printer,
}

impl Reporter for Json<'_> {
    fn report(&self, event: &Event) {
        // Events hold nothing that JSON could not: maps with other keys than text, or numbers that are none.
        let line = serde_json::to_string(event).expect("invariant: every event can be written as JSON");
        self.printer.data(&format!("{line}\n"));
    }
}

/// Lines for logs.
struct Lines<'a> {
    printer: &'a Printer,
    state: Mutex<LineState>,
}

#[derive(Default)]
struct LineState {
    stage: &'static str,
    last: Option<Instant>,
}

impl Lines<'_> {
    /// The line for an event, if it is worth one at this moment.
    fn text(state: &mut LineState, event: &Event, now: Instant) -> Option<String> {
        match event {
            Event::BatchStarted { campaigns, jobs } => {
                Some(format!("{}, {} at a time", counted(campaigns.len(), "campaign"), counted(*jobs, "trial")))
            }
            Event::Reaped { containers } => Some(reaped(*containers)),
            Event::Preparing { campaign, message } => Some(format!("{campaign}: {message}")),
            Event::Started { campaign, kind, stored } => {
                *state = LineState { stage: "baseline", last: Some(now) };
                let resumed = if *stored > 0 {
                    format!(", with {} stored by an earlier run", counted(*stored, "trial"))
                } else {
                    String::new()
                };
                Some(format!("{campaign}: started as {kind}{resumed}"))
            }
            Event::TrialStarted { .. } => None,
            Event::TrialEnded { campaign, purpose, intervention, outcome, progress, .. } => {
                if let Outcome::Inconclusive(cause) = outcome {
                    return Some(format!("{campaign}: {} was inconclusive: {cause}", item(*purpose, intervention)));
                }
                let due = state.last.is_none_or(|last| now.duration_since(last) >= LINE_INTERVAL);
                if progress.stage == state.stage && !due {
                    return None;
                }
                *state = LineState { stage: progress.stage, last: Some(now) };
                let ProgressView { done, total, stage } = progress;
                Some(format!("{campaign}: {done} of about {total} trials, {stage}"))
            }
            Event::Ended { campaign, end } => Some(ended(campaign, end)),
        }
    }
}

impl Reporter for Lines<'_> {
    fn report(&self, event: &Event) {
        let line = Self::text(&mut lock(&self.state), event, Instant::now());
        if let Some(line) = line {
            self.printer.line(&line);
        }
    }
}

/// Bars on a terminal: one for the campaign that runs, one for the whole batch.
struct Bars<'a> {
    printer: &'a Printer,
    total: ProgressBar,
    campaign: ProgressBar,
    state: Mutex<BarState>,
}

#[derive(Default)]
struct BarState {
    campaigns: usize,
    over: usize,
    /// How long the campaigns so far took that ran anything.
    durations: Vec<Duration>,
    started: Option<Instant>,
    /// Trials under way, with how often the same one runs.
    running: BTreeMap<String, usize>,
    /// Trials that were run, not replayed.
    run: u32,
    replayed: u32,
}

impl<'a> Bars<'a> {
    fn new(printer: &'a Printer, bars: &MultiProgress) -> Self {
        let style = |template: &str| ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let campaign = bars.add(ProgressBar::new(0));
        campaign.set_style(style("{prefix:<22} [{bar:28}] {pos:>4}/{len:<4} {wide_msg}"));
        let total = bars.add(ProgressBar::new(0));
        total.set_style(style("{prefix:<22} [{bar:28}] {pos:>4}/{len:<4} {wide_msg}"));
        total.set_prefix("all campaigns");
        total.enable_steady_tick(Duration::from_millis(500));
        Self { printer, total, campaign, state: Mutex::default() }
    }
}

impl BarState {
    /// Time left for the campaign, from the pace of the trials that were run.
    fn left(&self, progress: &ProgressView, now: Instant) -> Option<Duration> {
        let pace = now.duration_since(self.started?).checked_div(self.run)?;
        (self.run >= 5).then(|| pace * progress.total.saturating_sub(progress.done))
    }

    /// Time left for the batch: campaigns to come are taken to need as much as the others did.
    fn left_in_total(&self, campaign: Option<Duration>, now: Instant) -> Option<Duration> {
        let campaign = campaign?;
        let current = now.duration_since(self.started?) + campaign;
        let known = self.durations.iter().sum::<Duration>() + current;
        let usual = known / u32::try_from(self.durations.len() + 1).ok()?;
        let to_come = u32::try_from(self.campaigns.saturating_sub(self.over + 1)).ok()?;
        Some(campaign + usual * to_come)
    }
}

fn left(time: Option<Duration>) -> String {
    match time {
        Some(time) => format!("about {} left", seconds(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))),
        None => "time left unknown".to_owned(),
    }
}

impl Reporter for Bars<'_> {
    fn report(&self, event: &Event) {
        let mut state = lock(&self.state);
        let now = Instant::now();
        match event {
            Event::BatchStarted { campaigns, .. } => {
                state.campaigns = campaigns.len();
                self.total.set_length(u64::try_from(campaigns.len()).unwrap_or(u64::MAX));
            }
            Event::Reaped { containers } => {
                self.printer.line(&reaped(*containers));
            }
            Event::Preparing { campaign, message } => {
                self.campaign.set_prefix(campaign.to_string());
                self.campaign.set_message(message.clone());
            }
            Event::Started { campaign, .. } => {
                state.started = Some(now);
                (state.run, state.replayed) = (0, 0);
                state.running.clear();
                self.campaign.reset();
                self.campaign.set_prefix(campaign.to_string());
            }
            Event::TrialStarted { purpose, intervention, .. } => {
                *state.running.entry(item(*purpose, intervention)).or_default() += 1;
            }
            Event::TrialEnded { purpose, intervention, run, progress, .. } => {
                if *run {
                    state.run += 1;
                    let item = item(*purpose, intervention);
                    if let Some(count) = state.running.get_mut(&item) {
                        *count -= 1;
                        if *count == 0 {
                            state.running.remove(&item);
                        }
                    }
                } else {
                    state.replayed += 1;
                }
                let time = state.left(progress, now);
                let current = state.running.keys().next().cloned().unwrap_or_default();
                self.campaign.set_length(u64::from(progress.total));
                self.campaign.set_position(u64::from(progress.done));
                self.campaign.set_message(format!("{}, {}: {current}", left(time), progress.stage));
                self.total.set_message(left(state.left_in_total(time, now)));
            }
            Event::Ended { campaign, end } => {
                state.over += 1;
                if let (CampaignEnd::Measured(_), Some(started)) = (end, state.started) {
                    state.durations.push(now.duration_since(started));
                }
                state.started = None;
                self.total.set_position(u64::try_from(state.over).unwrap_or(u64::MAX));
                self.printer.line(&ended(campaign, end));
            }
        }
    }

    fn finish(&self) {
        self.campaign.finish_and_clear();
        self.total.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Totals;
    use crate::trial::{FailCause, InconclusiveCause, Treatment};

    fn campaign() -> CampaignName {
        CampaignName { app: "nginx".into(), workload: "wrk".into() }
    }

    fn trial(outcome: Outcome, done: u32, stage: &'static str) -> Event {
        Event::TrialEnded {
            campaign: campaign(),
            purpose: Purpose::Single,
            intervention: Intervention::single("openat".parse().unwrap(), Treatment::Stub),
            replica: 0,
            outcome,
            milliseconds: 1234,
            run: true,
            progress: ProgressView { done, total: 110, stage },
        }
    }

    #[test]
    fn lines_tell_stages_trouble_and_now_and_then_the_progress() {
        let begin = Instant::now();
        let trouble = Outcome::Inconclusive(InconclusiveCause::Engine { message: "no space left".into() });
        let events = [
            (0, Event::BatchStarted { campaigns: vec![campaign()], jobs: 4 }),
            (0, Event::Preparing { campaign: campaign(), message: "building the image of nginx".into() }),
            (1, Event::Started { campaign: campaign(), kind: "server", stored: 3 }),
            (2, trial(Outcome::Pass, 4, "baseline")),
            (3, trial(Outcome::Pass, 7, "singles")),
            (4, trial(Outcome::Fail(FailCause::ExitedEarly { code: 1 }), 8, "singles")),
            (5, trial(trouble, 9, "singles")),
            (9, trial(Outcome::Pass, 20, "singles")),
            (
                10,
                Event::Ended {
                    campaign: campaign(),
                    end: CampaignEnd::Measured(Totals { used: 50, trials: 120, ..Totals::default() }),
                },
            ),
        ];
        let mut state = LineState::default();
        let lines =
            events.iter().filter_map(|(second, event)| Lines::text(&mut state, event, begin + Duration::from_secs(*second)));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn an_event_is_one_json_object() {
        let event = trial(Outcome::Fail(FailCause::Died { process: "nginx".into(), signal: "SIGSEGV".into() }), 8, "singles");
        insta::assert_snapshot!(serde_json::to_string(&event).unwrap());
    }

    #[test]
    fn time_left_follows_the_pace_of_trials_that_were_run() {
        let now = Instant::now();
        let state = BarState {
            started: now.checked_sub(Duration::from_secs(10)),
            run: 10,
            replayed: 50,
            campaigns: 3,
            ..BarState::default()
        };
        let progress = ProgressView { done: 60, total: 80, stage: "singles" };
        let campaign = state.left(&progress, now);
        assert_eq!(campaign, Some(Duration::from_secs(20)));
        assert_eq!(state.left_in_total(campaign, now), Some(Duration::from_secs(20 + 2 * 30)));
        assert_eq!(BarState { run: 2, ..state }.left(&progress, now), None);
    }
}
