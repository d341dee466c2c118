//! The imperative shell around the planner: has an engine run what [`crate::explore`] asks for, in parallel, stores every
//! outcome as it comes, and tells what happens.

mod event;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use event::{CampaignEnd, CampaignName, Event, ProgressView, Totals};
use tokio::sync::Notify;

use crate::engine::Engine;
use crate::explore::Settings;
use crate::spec::AppSpec;

/// How a batch is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Trials that run at the same time.
    pub jobs: usize,
    /// Whether to start over where an earlier run could be resumed, or its results still stand.
    pub fresh: bool,
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
    let _ = (engine, apps, options, emit, stop);
    Vec::new()
}
