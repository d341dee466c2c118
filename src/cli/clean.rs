//! `loupe clean`: remove what Loupe left on the engine.

use super::arguments::{CleanArguments, Format};
use super::printer::Printer;
use super::settings::Settings;
use super::{Failure, Status};
use crate::engine::EngineError;
use crate::engine::docker::DockerEngine;

pub(super) async fn clean(arguments: &CleanArguments, settings: &Settings, printer: &Printer) -> Result<Status, Failure> {
    let environment = |error: EngineError| Failure::new(Status::Environment, error);
    let engine = DockerEngine::connect(settings.docker_host.as_deref()).await.map_err(environment)?;
    let cleaned = engine.clean(arguments.images).await.map_err(environment)?;
    match arguments.format {
        Format::Text => printer.data(&format!(
            "removed {} containers, {} volumes, {} images\n",
            cleaned.containers, cleaned.volumes, cleaned.images
        )),
        Format::Json => printer.data(&format!("{}\n", serde_json::json!(cleaned))),
    }
    Ok(Status::Done)
}
