//! The imperative shell around the planner: has an engine run what [`crate::explore`] asks for, in parallel, stores every
//! outcome as it comes, and tells what happens.
//!
//! One campaign is one app and workload; a batch runs campaigns one after the other, each with as many trials at a time as there
//! are jobs. Resuming is replaying: a trial whose outcome is stored is not run but recorded.

mod checks;
mod criterion;
mod deadlines;
mod event;
pub mod measuring;
mod rehearsal;
mod runner;
mod waiting;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use checks::{Checks, Settled};
pub use criterion::{Criterion, FilesCriterion, OutputCriterion};
use deadlines::{Deadlines, FIRST as FIRST_DEADLINE};
pub use event::{CampaignEnd, CampaignName, Event, ProgressView, Totals};
pub use rehearsal::{Phase, Rehearsal, Tell, Watched, rehearse, watch_once};
use runner::{Runner, SharedJournal};
use tokio::sync::Notify;
use tokio::task::JoinSet;
pub use waiting::Patience;

use crate::engine::{Engine, EngineError, Platform, Session, Subject};
use crate::explore::{Explorer, Findings, Knowledge, Likelihoods, Settings, Step, Strategy};
use crate::spec::{self, AppSpec, Workload};
use crate::store::{
    Conclusion, Date, Environment, Finished, Freshness, Identity, Journal, Opened, Store, StoreError, TrialRecord,
};
use crate::trial::{InconclusiveCause, Item, Outcome, TrialId};

/// How a batch is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Trials that run at the same time.
    pub jobs: usize,
    /// What earlier results are good for.
    pub freshness: Freshness,
    /// How thorough to be.
    pub settings: Settings,
    /// The folder of the results database.
    pub results: PathBuf,
}

/// Asks a batch to stop; shared by everyone who may ask.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    /// Asks. Running trials are given up, everything finished is already stored.
    pub fn request(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Waits until somebody asks.
    pub async fn wait(&self) {
        let notified = self.0.1.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.requested() {
            notified.await;
        }
    }
}

/// Why a campaign could not be carried out.
#[derive(Debug, thiserror::Error)]
enum CampaignError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CampaignError {
    /// Whether another app would have fared no better.
    fn is_of_the_environment(&self) -> bool {
        match self {
            Self::Engine(error) => error.is_fatal(),
            Self::Store(StoreError::Write { .. }) => true,
            Self::Store(
                StoreError::Read { .. }
                | StoreError::Broken { .. }
                | StoreError::Wrong { .. }
                | StoreError::Several { .. }
                | StoreError::Sqlite { .. }
                | StoreError::Busy { .. }
                | StoreError::Imported { .. }
                | StoreError::BadName { .. },
            ) => false,
        }
    }

    /// The message with its causes and what to do.
    fn describe(&self) -> String {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message.push_str(&format!(": {text}"));
            }
            cause = error.source();
        }
        if let Self::Store(error) = self
            && let Some(hint) = error.hint()
        {
            message.push_str(&format!("\nhint: {hint}"));
        }
        message
    }
}

/// Runs every workload of every app, one campaign after the other, and tells how each ended, in the same order.
///
/// Never fails as a whole: what goes wrong with one app does not stop the others.
pub async fn batch<E: Engine>(
    engine: &E,
    apps: &[AppSpec],
    options: &Options,
    emit: &(dyn Fn(Event) + Sync),
    stop: &Stop,
) -> Vec<(CampaignName, CampaignEnd)> {
    let campaigns: Vec<_> = apps.iter().flat_map(|app| app.workloads.iter().map(move |workload| (app, workload))).collect();
    let name = |app: &AppSpec, workload: &Workload| CampaignName { app: app.name.clone(), workload: workload.name.clone() };
    let names = campaigns.iter().map(|(app, workload)| name(app, workload)).collect();
    emit(Event::BatchStarted { campaigns: names, jobs: options.jobs });
    let mut ends = Vec::new();
    for (app, workload) in campaigns {
        let campaign = Campaign { engine, app, workload, options, emit, stop, name: name(app, workload) };
        let end = if stop.requested() {
            CampaignEnd::Interrupted
        } else {
            campaign.run().await.unwrap_or_else(|error| CampaignEnd::Failed {
                message: error.describe(),
                environment: error.is_of_the_environment(),
            })
        };
        emit(Event::Ended { campaign: campaign.name.clone(), end: end.clone() });
        ends.push((campaign.name, end));
    }
    ends
}

/// Of so many jobs, one runs guesses.
const JOBS_PER_GUESS: usize = 6;

/// One campaign with everything it needs.
struct Campaign<'a, E> {
    engine: &'a E,
    app: &'a AppSpec,
    workload: &'a Workload,
    options: &'a Options,
    emit: &'a (dyn Fn(Event) + Sync),
    stop: &'a Stop,
    name: CampaignName,
}

impl<E: Engine> Campaign<'_, E> {
    async fn run(&self) -> Result<CampaignEnd, CampaignError> {
        let begin = Instant::now();
        let platform = self.saying("the container engine", self.engine.platform()).await?;
        let Some(session) = self.prepare().await else { return Ok(CampaignEnd::Interrupted) };
        let session = Arc::new(session?);
        let platform = Platform { isolation: session.isolation().or(platform.isolation), ..platform };
        let result = self.measure(&session, &platform, begin).await;
        self.saying("what was made for the trials to be removed", session.close()).await;
        result
    }

    /// Does `work`, and says `what` is waited for if that takes long.
    async fn saying<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut patience = Patience::begin();
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                waited = patience.run_out() => self.waits(what.to_owned(), waited),
            }
        }
    }

    /// Says what has been waited for so long.
    fn waits(&self, what: String, waited: Duration) {
        (self.emit)(Event::Waiting { campaign: self.name.clone(), what, seconds: waited.as_secs() });
    }

    /// Makes the app ready, passing on what the engine says meanwhile; `None` if asked to stop.
    async fn prepare(&self) -> Option<Result<E::Session, EngineError>> {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let notice: crate::engine::Notice = Arc::new(move |message| {
            // Nobody listens any more once the session is there.
            let _ = sender.send(message);
        });
        let label = self.name.to_string();
        let mut preparing = std::pin::pin!(self.engine.prepare(self.app, self.workload, &label, notice));
        let (mut what, mut patience) = ("the app to be made ready".to_owned(), Patience::begin());
        loop {
            tokio::select! {
                biased;
                () = self.stop.wait() => return None,
                Some(message) = receiver.recv() => {
                    (what, patience) = (message.clone(), Patience::begin());
                    (self.emit)(Event::Preparing { campaign: self.name.clone(), message });
                }
                session = &mut preparing => return Some(session),
                waited = patience.run_out() => self.waits(what.clone(), waited),
            }
        }
    }

    /// Trials that run at the same time. A guess treats many calls at once, which takes processor time, and has to be told from a late
    /// run at first sight: a repetition would cost more than running side by side saves.
    fn jobs(&self) -> usize {
        let jobs = self.options.jobs.max(1);
        match self.options.settings.strategy {
            Strategy::Exhaustive => jobs,
            Strategy::Joint => jobs.div_ceil(JOBS_PER_GUESS),
        }
    }

    fn identity(&self, subject: &Subject, platform: &Platform) -> Identity {
        // The client's image is as much part of a trial as the app's.
        let image = match &subject.client_image {
            Some(client) => format!("{} client {client}", subject.image),
            None => subject.image.clone(),
        };
        Identity {
            image,
            spec: spec::fingerprint(self.app, self.workload),
            architecture: platform.architecture.clone(),
            measuring: measuring::VERSION,
            kernel_series: kernel_series(&platform.kernel).to_owned(),
            engine: platform.engine.clone(),
            settings: self.options.settings,
        }
    }

    async fn measure(
        &self,
        session: &Arc<E::Session>,
        platform: &Platform,
        begin: Instant,
    ) -> Result<CampaignEnd, CampaignError> {
        let subject = session.subject();
        let identity = self.identity(subject, platform);
        let store = Store::open(&self.options.results);
        let opened = store.campaign(&self.name.app, &self.name.workload, &identity, self.options.freshness)?;
        let (journal, stored, before) = match opened {
            Opened::UpToDate(finished) => return Ok(CampaignEnd::UpToDate(totals(&finished, 0, Duration::ZERO))),
            Opened::Open { journal, stored, before, outdated } => {
                (self.emit)(Event::Started {
                    campaign: self.name.clone(),
                    kind: subject.kind.name(),
                    stored: stored.len(),
                    recheck: before.is_some(),
                    outdated,
                    isolation: platform.isolation.clone(),
                });
                (journal, stored, before)
            }
        };
        let likelihoods = match self.options.settings.strategy {
            Strategy::Joint => store.likelihoods(&self.name.app)?,
            Strategy::Exhaustive => Likelihoods::default(),
        };
        let knowledge = Knowledge { likelihoods, before: before.map(|before| *before) };
        let mut stored: BTreeMap<String, TrialRecord> =
            stored.into_iter().filter(is_conclusive).map(|record| (record.key.clone(), record)).collect();
        let mut explorer = Explorer::with(self.options.settings, knowledge);
        let mut deadlines = Deadlines::new(self.workload, self.engine.pace());
        let (runner, journal) = (Runner::new(session, self.workload), SharedJournal::new(*journal));
        let mut running = JoinSet::new();
        // The one that began first is in front.
        let mut under_way: Vec<(TrialId, String, Patience)> = Vec::new();
        let mut run = 0;
        let findings = loop {
            while running.len() < self.jobs() {
                match explorer.next() {
                    Step::Run(request) => {
                        if let Some(record) = stored.remove(&request.key()) {
                            deadlines.learn(&record);
                            explorer.record(request.id, record.report());
                            self.tell(&record, false, &explorer);
                            continue;
                        }
                        (self.emit)(Event::TrialStarted {
                            campaign: self.name.clone(),
                            purpose: request.purpose,
                            intervention: request.intervention.clone(),
                        });
                        let progress = explorer.progress();
                        let left = usize::try_from(progress.total - progress.done).unwrap_or(usize::MAX);
                        session.expect(left, self.jobs());
                        let deadline = deadlines.of(&request);
                        let words = waiting::trial(request.purpose, &request.intervention);
                        under_way.push((request.id, words, Patience::begin()));
                        let (runner, journal) = (runner.clone(), journal.clone());
                        running.spawn(async move {
                            let id = request.id;
                            let (record, _) = runner.run(request, deadline).await;
                            journal.append(record).await.map(|record| (id, record))
                        });
                    }
                    Step::Wait | Step::Finished(_) => break,
                }
            }
            tokio::select! {
                biased;
                () = self.stop.wait() => {
                    running.shutdown().await;
                    return Ok(CampaignEnd::Interrupted);
                }
                ended = running.join_next() => match ended {
                    Some(Ok(ended)) => {
                        let (id, record) = ended?;
                        under_way.retain(|(running, ..)| *running != id);
                        run += 1;
                        deadlines.learn(&record);
                        explorer.record(id, record.report());
                        self.tell(&record, true, &explorer);
                    }
                    // No trial is cancelled before the campaign stops: it can only have panicked.
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                    None => {
                        if let Step::Finished(findings) = explorer.next() {
                            break findings;
                        }
                    }
                },
                (what, waited) = oldest(&mut under_way) => {
                    let left = if session.lingers() { ", whose main process has ended, and for those that it left" } else { "" };
                    self.waits(format!("{what}{left}"), waited);
                }
            }
        };
        conclude(journal.into_inner(), &findings, identity, platform, run, begin)
    }

    fn tell(&self, record: &TrialRecord, run: bool, explorer: &Explorer) {
        (self.emit)(Event::TrialEnded {
            campaign: self.name.clone(),
            purpose: record.purpose,
            intervention: record.intervention.clone(),
            replica: record.replica,
            outcome: record.result.clone(),
            milliseconds: record.durations.total_ms,
            run,
            progress: explorer.progress().into(),
        });
    }
}

/// Returns when it is time to say that the trial that began first is waited for: its words, and how long.
async fn oldest(under_way: &mut [(TrialId, String, Patience)]) -> (String, Duration) {
    match under_way.first_mut() {
        Some((_, words, patience)) => {
            let waited = patience.run_out().await;
            (words.clone(), waited)
        }
        None => std::future::pending().await,
    }
}

/// The series of a kernel's release: `6.18` of `6.18.5-generic`.
fn kernel_series(release: &str) -> &str {
    let end =
        release.match_indices(|character: char| !character.is_ascii_digit()).nth(1).map_or(release.len(), |(place, _)| place);
    &release[..end]
}

/// The day, in UTC; `None` if the clock is far off.
fn today() -> Option<Date> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Date::from_days(since.as_secs() / (24 * 60 * 60))
}

/// Stores what came out, and says how the campaign ended.
fn conclude(
    journal: Journal,
    findings: &Findings,
    identity: Identity,
    platform: &Platform,
    run: usize,
    begin: Instant,
) -> Result<CampaignEnd, CampaignError> {
    let elapsed = begin.elapsed();
    let environment = Environment {
        isolation: platform.isolation.clone(),
        loupe: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..Environment::new(identity, platform.kernel.clone(), platform.engine_version.clone())
    }
    .on(today());
    let conclusion = journal.finish(findings, &environment, elapsed)?;
    Ok(match (conclusion, findings) {
        (Conclusion::Finished(finished), _) if finished.summary.incomplete.is_empty() => {
            CampaignEnd::Measured(totals(&finished, run, elapsed))
        }
        (Conclusion::Finished(finished), _) => CampaignEnd::Incomplete { reasons: finished.summary.incomplete.clone() },
        (Conclusion::Refused(refused), Findings::Refused(refusals)) => CampaignEnd::Refused {
            reasons: refused.reasons.clone(),
            inconclusive: refusals.iter().all(crate::explore::Refusal::inconclusive),
        },
        (Conclusion::Refused(refused), Findings::Measured(_)) => {
            unreachable!("invariant: measured findings are never stored as refused: {refused:?}")
        }
    })
}

/// Trouble of the engine is worth another try; everything else that was stored is not run again.
fn is_conclusive(record: &TrialRecord) -> bool {
    match &record.result {
        Outcome::Pass | Outcome::Fail(_) => true,
        Outcome::Inconclusive(
            InconclusiveCause::Engine { .. }
            | InconclusiveCause::Shim { .. }
            | InconclusiveCause::Sidecar { .. }
            | InconclusiveCause::Interrupted,
        ) => false,
    }
}

fn totals(finished: &Finished, run: usize, elapsed: Duration) -> Totals {
    let summary = &finished.summary;
    let size = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let calls = |treatments: &[crate::store::TreatmentSummary]| {
        treatments.iter().map(|treatment| treatment.item).collect::<std::collections::BTreeSet<_>>().len()
    };
    Totals {
        caveat: summary.caveat(),
        used: size(summary.used),
        required: size(summary.verdicts.required),
        stub: size(summary.verdicts.stub),
        fake: size(summary.verdicts.fake),
        any: size(summary.verdicts.any),
        joint_avoided: summary.joint.stub.len() + summary.joint.fake.len(),
        joint_verified: summary.joint.verified,
        joint_of: summary.joint.of,
        fallbacks: finished.fallbacks.as_ref().map(|table| {
            let whole = summary.everything.as_ref().unwrap_or(&summary.joint).configuration();
            table.under(&whole).iter().filter(|item| !matches!(item, Item::Feature(_))).count()
        }),
        unstable: calls(&summary.unstable),
        unexercised: calls(&summary.unexercised),
        degraded: summary.degraded.iter().map(|found| found.item).collect::<std::collections::BTreeSet<_>>().len(),
        taken_over: summary.taken_over.len(),
        inferred: summary.inferred.len(),
        trials: size(summary.trials),
        run,
        milliseconds: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::kernel_series;

    #[test]
    fn a_series_is_the_first_two_numbers() {
        for (release, series) in [("6.18.5", "6.18"), ("5.4.0-42-generic", "5.4"), ("6.1-rc3", "6.1"), ("7.0", "7.0"), ("", "")] {
            assert_eq!(kernel_series(release), series);
        }
    }
}
