//! Trials on their way: each runs as a task of its own, and is judged and stored on threads that may block.
//!
//! Part of the imperative shell. An engine takes times and keeps deadlines in the task of the trial, so nothing that takes long may share
//! it: a pattern that is held against much output, or a disk that takes its time to write.

use std::sync::{Arc, Mutex, PoisonError};

use super::CampaignError;
use crate::engine::Session;
use crate::spec::Workload;
use crate::store::{Journal, TrialRecord};
use crate::trial::{Deadline, Observation, TrialRequest, judge, settle};

/// Runs trials of one app and workload.
#[derive(Debug)]
pub(super) struct Runner<S> {
    session: Arc<S>,
    workload: Arc<Workload>,
}

impl<S> Clone for Runner<S> {
    fn clone(&self) -> Self {
        Self { session: Arc::clone(&self.session), workload: Arc::clone(&self.workload) }
    }
}

impl<S: Session + 'static> Runner<S> {
    pub(super) fn new(session: &Arc<S>, workload: &Workload) -> Self {
        Self { session: Arc::clone(session), workload: Arc::new(workload.clone()) }
    }

    /// Runs a trial and judges it.
    pub(super) async fn run(self, request: TrialRequest, deadline: Deadline) -> (TrialRecord, Observation) {
        let Self { session, workload } = self;
        let observation = session.run(&request, deadline).await;
        blocking(move || {
            let subject = session.subject();
            let outcome = judge(&workload, subject.kind, subject.port, &observation);
            let outcome = settle(&request, &deadline, outcome, &observation);
            (TrialRecord::new(&workload, &request, &deadline, outcome, &observation), observation)
        })
        .await
    }
}

/// A journal that the tasks of trials share.
#[derive(Debug, Clone)]
pub(super) struct SharedJournal(Arc<Mutex<Journal>>);

impl SharedJournal {
    pub(super) fn new(journal: Journal) -> Self {
        Self(Arc::new(Mutex::new(journal)))
    }

    /// Stores a trial and returns it. It counts only after that, so that nothing was planned on what a crash loses.
    pub(super) async fn append(self, record: TrialRecord) -> Result<TrialRecord, CampaignError> {
        let append = move || {
            let mut journal = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            journal.append(&record).map(|()| record)
        };
        Ok(blocking(append).await?)
    }

    /// The journal, once no trial is left that could store something.
    pub(super) fn into_inner(self) -> Journal {
        let mutex = Arc::into_inner(self.0).expect("invariant: every trial has ended");
        mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has `work` done by a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // Work that was begun is never cancelled: it can only have panicked.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
