//! One command made ready to be run.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::task::JoinSet;

use super::super::{EngineError, Session, Subject};
use super::conversation::Conversation;
use super::{ProcessEngine, subject, trial};
use crate::spec::{AppSpec, Kind, Success, Workload};
use crate::trial::{Deadline, Observation, TrialRequest};

/// A command made ready to be run.
#[derive(Debug)]
pub struct ProcessSession {
    pub(super) engine: ProcessEngine,
    subject: Subject,
    pub(super) workload: Workload,
    /// Shims that said their last word and are about to end.
    ending: Mutex<JoinSet<()>>,
    /// Trials whose main process has ended, and that wait for those that it left.
    pub(super) lingering: AtomicUsize,
}

/// A poisoned lock only says that another trial panicked; the data is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ProcessSession {
    /// Resolves what the spec leaves open.
    pub(super) async fn open(engine: ProcessEngine, app: &AppSpec, workload: &Workload) -> Result<Self, EngineError> {
        let command = fitting(app, workload)?;
        let options = engine.0.options.clone();
        let name = command.first().cloned().unwrap_or_default();
        let unreadable = |error: std::io::Error| EngineError::Refused {
            what: format!("read the program or the input of `{}`", app.name),
            source: Box::new(error),
        };
        let identity = tokio::task::spawn_blocking(move || subject::identity(&name, &options)).await;
        let image = identity.map_err(std::io::Error::other).and_then(|identity| identity).map_err(unreadable)?;
        let subject = Subject { kind: Kind::RunToCompletion, port: None, image, client_image: None, command };
        Ok(Self { engine, subject, workload: workload.clone(), ending: Mutex::default(), lingering: AtomicUsize::new(0) })
    }

    /// Lets a shim end while others go on.
    pub(super) fn end(&self, conversation: Conversation) {
        let mut ending = lock(&self.ending);
        while ending.try_join_next().is_some() {}
        ending.spawn(conversation.end());
    }
}

/// The command line of a workload that needs no more than a command, as nothing else can be run here.
fn fitting(app: &AppSpec, workload: &Workload) -> Result<Vec<String>, EngineError> {
    let Success { files, check, .. } = &workload.success;
    let wants = [
        (app.image.is_some(), "an image"),
        (workload.kind == Some(Kind::Server) || workload.port.is_some(), "a server"),
        (workload.client.is_some(), "a client"),
        (check.is_some(), "a check script"),
        (!files.is_empty(), "files to look for"),
    ];
    let name = format!("`{}`, workload `{}`", app.name, workload.name);
    if let Some((_, what)) = wants.iter().find(|(wanted, _)| *wanted) {
        return Err(EngineError::Unfit(format!(
            "{name} has {what}, which processes of this machine cannot provide\nhint: measure it in containers, with `loupe run APP_DIR`"
        )));
    }
    workload
        .command
        .clone()
        .filter(|command| !command.is_empty())
        .ok_or_else(|| EngineError::Unfit(format!("{name} has no command")))
}

impl Session for ProcessSession {
    fn subject(&self) -> &Subject {
        &self.subject
    }

    fn expect(&self, _: usize, _: usize) {}

    async fn run(&self, request: &TrialRequest, deadline: Deadline) -> Observation {
        let begin = Instant::now();
        let mut observation = match trial::run(self, request, deadline, begin).await {
            Ok(observation) => observation,
            Err(trouble) => Observation { trouble: Some(trouble), ..Observation::default() },
        };
        observation.timings.total = begin.elapsed();
        observation
    }

    fn lingers(&self) -> bool {
        self.lingering.load(Ordering::Relaxed) > 0
    }

    async fn close(&self) {
        let ending = std::mem::take(&mut *lock(&self.ending));
        ending.join_all().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ImageSource;

    fn app() -> AppSpec {
        AppSpec {
            name: "true".to_owned(),
            directory: std::path::PathBuf::new(),
            description: String::new(),
            image: None,
            build_arguments: std::collections::BTreeMap::new(),
            workloads: Vec::new(),
        }
    }

    #[test]
    fn only_commands_that_run_to_completion_fit() {
        let plain = Workload { command: Some(vec!["true".to_owned()]), ..Workload::named("test") };
        assert_eq!(fitting(&app(), &plain).unwrap(), ["true"]);
        let refused = |app: &AppSpec, workload: &Workload| fitting(app, workload).unwrap_err().to_string();
        let server = Workload { kind: Some(Kind::Server), ..plain.clone() };
        assert!(
            refused(&app(), &server).starts_with("`true`, workload `test` has a server, which"),
            "{}",
            refused(&app(), &server)
        );
        let mut files = plain.clone();
        files.success.files = vec!["/x".to_owned()];
        assert!(refused(&app(), &files).contains("files to look for"));
        let image = AppSpec { image: Some(ImageSource::Reference("x:1".to_owned())), ..app() };
        assert!(refused(&image, &plain).contains("an image"));
        assert!(refused(&app(), &Workload { command: Some(Vec::new()), ..plain }).ends_with("has no command"));
    }
}
