//! The files of an image, without running anything of it: for those who read programs instead of measuring them.

use std::collections::BTreeMap;
use std::io::Write;

use bollard::models::{ContainerCreateBody, HostConfig};
use futures_util::StreamExt;

use super::super::{EngineError, Notice};
use super::images::Image;
use super::resources::SHARED;
use super::{DockerEngine, refused};
use crate::spec::AppSpec;

/// What an image says of how it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exportable {
    /// What identifies its content.
    pub image: String,
    /// ENTRYPOINT and CMD, as they would be run.
    pub command: Vec<String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// The folder it is run in.
    pub folder: String,
}

impl Exportable {
    fn new(image: &Image) -> Self {
        let pairs = image.config.env.iter().flatten().filter_map(|pair| pair.split_once('='));
        let folder = image.config.working_dir.clone().filter(|folder| !folder.is_empty());
        Self {
            image: image.id.clone(),
            command: image.command(),
            environment: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            folder: folder.unwrap_or_else(|| "/".to_owned()),
        }
    }
}

impl DockerEngine {
    /// Makes an app's image, unless it was made before, as for its trials.
    ///
    /// # Errors
    /// When it can't be made.
    pub async fn exportable_app(&self, app: &AppSpec, notice: &Notice) -> Result<Exportable, EngineError> {
        let image = self.build(&app.name, &app.directory, &app.build_arguments, notice).await?;
        Ok(Exportable::new(&image))
    }

    /// The image of that name or identity; `None` if the engine doesn't have it.
    ///
    /// # Errors
    /// When the engine can't say.
    pub async fn exportable_image(&self, name: &str) -> Result<Option<Exportable>, EngineError> {
        Ok(self.inspect_image(name).await?.as_ref().map(Exportable::new))
    }

    /// Writes all files of an image to `archive`, as a tar archive. They are those of a container that is never started.
    ///
    /// # Errors
    /// When the engine can't give them, or they can't be written.
    pub async fn export(&self, image: &str, archive: &mut (impl Write + Send)) -> Result<(), EngineError> {
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            // An image need not have a command, but a container has to.
            entrypoint: Some(vec!["/".to_owned()]),
            cmd: Some(Vec::new()),
            labels: Some(self.labels(SHARED)),
            host_config: Some(HostConfig { network_mode: Some("none".to_owned()), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        let created = self.docker.create_container(Some(self.named(SHARED, "export")), body).await;
        let container = created.map_err(refused(format!("create a container of the image `{image}`")))?.id;
        let exported = self.write_files(&container, image, archive).await;
        self.remove_container(&container).await?;
        exported
    }

    async fn write_files(&self, container: &str, image: &str, archive: &mut (impl Write + Send)) -> Result<(), EngineError> {
        let what = format!("export the files of the image `{image}`");
        let mut parts = self.docker.export_container(container);
        while let Some(part) = parts.next().await {
            let part = part.map_err(refused(what.clone()))?;
            archive.write_all(&part).map_err(|source| EngineError::Refused { what: what.clone(), source: Box::new(source) })?;
        }
        Ok(())
    }
}
