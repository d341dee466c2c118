//! Images: built from a folder and cached by its content, or taken by reference.

use std::collections::BTreeMap;
use std::path::Path;

use bollard::models::{ImageConfig, ImageInspect};
use bollard::query_parameters::{BuildImageOptions, CreateImageOptions};
use bytes::Bytes;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::super::{EngineError, Notice};
use super::{DockerEngine, context, dockerfile, refused};
use crate::spec::ImageSource;

/// How many lines of a failed build are shown.
const SHOWN_LINES: usize = 25;
/// The image of sidecars that run nothing but the shim.
const EMPTY_IMAGE: &str = "loupe/empty:1";

/// An image on the engine.
#[derive(Debug, Clone)]
pub(super) struct Image {
    /// What containers are made from, and what identifies its content.
    pub(super) id: String,
    pub(super) config: ImageConfig,
}

impl Image {
    fn from_inspect(name: &str, inspect: ImageInspect) -> Result<Self, EngineError> {
        let id = inspect.id.ok_or_else(|| EngineError::Unfit(format!("the engine tells no id of the image `{name}`")))?;
        Ok(Self { id, config: inspect.config.unwrap_or_default() })
    }

    /// ENTRYPOINT and CMD, as they would be run.
    pub(super) fn command(&self) -> Vec<String> {
        let entrypoint = self.config.entrypoint.iter().flatten();
        entrypoint.chain(self.config.cmd.iter().flatten()).cloned().collect()
    }

    /// The exposed TCP ports in order.
    pub(super) fn tcp_ports(&self) -> Vec<u16> {
        let exposed = self.config.exposed_ports.iter().flatten();
        let mut ports: Vec<_> = exposed.filter_map(|port| port.strip_suffix("/tcp").unwrap_or(port).parse().ok()).collect();
        ports.sort_unstable();
        ports
    }
}

impl DockerEngine {
    pub(super) async fn inspect_image(&self, name: &str) -> Result<Option<Image>, EngineError> {
        match self.docker.inspect_image(name).await {
            Ok(inspect) => Image::from_inspect(name, inspect).map(Some),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(refused(format!("look at the image `{name}`"))(error)),
        }
    }

    /// Whether the engine has an image of that name.
    ///
    /// # Errors
    /// When the engine can't say.
    pub async fn has_image(&self, name: &str) -> Result<bool, EngineError> {
        self.inspect_image(name).await.map(|image| image.is_some())
    }

    /// An image that is not the app's own.
    pub(super) async fn image(&self, source: &ImageSource, notice: &Notice) -> Result<Image, EngineError> {
        match source {
            ImageSource::Folder { name, directory } => {
                self.build(&format!("client-{name}"), directory, &BTreeMap::new(), notice).await
            }
            ImageSource::Reference(reference) => self.present(reference, notice).await,
        }
    }

    /// An image by reference, pulled if the engine doesn't have it.
    async fn present(&self, reference: &str, notice: &Notice) -> Result<Image, EngineError> {
        if let Some(image) = self.inspect_image(reference).await? {
            return Ok(image);
        }
        notice(format!("pulling {reference}"));
        let options = CreateImageOptions { from_image: Some(with_tag(reference)), ..CreateImageOptions::default() };
        let mut pull = self.docker.create_image(Some(options), None, None);
        while let Some(progress) = pull.next().await {
            progress.map_err(|error| {
                let mut message = format!("it is not present and cannot be pulled: {error}");
                if let Some(suite) = offline_suite(reference) {
                    message.push_str(&format!(
                        "\nhint: without network, `Dockerfiles/base-image.sh {suite}` makes it from Debian packages"
                    ));
                }
                EngineError::Image { image: reference.to_owned(), message, output: Vec::new() }
            })?;
        }
        let missing = || EngineError::Image {
            image: reference.to_owned(),
            message: "it is not present after it was pulled".to_owned(),
            output: Vec::new(),
        };
        self.inspect_image(reference).await?.ok_or_else(missing)
    }

    /// Builds the folder's image, unless one was built from the same content before.
    pub(super) async fn build(
        &self,
        name: &str,
        directory: &Path,
        arguments: &BTreeMap<String, String>,
        notice: &Notice,
    ) -> Result<Image, EngineError> {
        let failed = |message: String| EngineError::Image { image: name.to_owned(), message, output: Vec::new() };
        let context = context::read(directory).await.map_err(|error| failed(error.to_string()))?;
        let mut hash = Sha256::new();
        hash.update(&context.archive);
        for (key, value) in arguments {
            hash.update(format!("\n{key}={value}"));
        }
        // The content of the images that are built upon or copied from is part of the content.
        let images = dockerfile::images(&context.dockerfile, arguments);
        for base in images.needed {
            let image = self.present(&base, notice).await?;
            hash.update(format!("\n{base}={}", image.id));
        }
        if let Some(frontend) = images.frontend
            && let Some(image) = self.inspect_image(&frontend).await?
        {
            hash.update(format!("\nsyntax {frontend}={}", image.id));
        }
        let digest: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        // A variant's name has a character that the name of an image can't have; the digest tells variants apart.
        let tag = format!("loupe/{}:{digest}", name.replace('@', "-"));
        if let Some(image) = self.inspect_image(&tag).await? {
            return Ok(image);
        }
        notice(format!("building the image of {name}"));
        let options = BuildImageOptions {
            dockerfile: "Dockerfile".to_owned(),
            t: Some(tag.clone()),
            rm: true,
            forcerm: true,
            buildargs: (!arguments.is_empty()).then(|| arguments.clone().into_iter().collect()),
            labels: Some(self.image_labels()),
            ..BuildImageOptions::default()
        };
        let body = bollard::body_full(Bytes::from(context.archive));
        let mut build = self.docker.build_image(options, None, Some(body));
        let mut lines: Vec<String> = Vec::new();
        let mut failure = None;
        while let Some(progress) = build.next().await {
            match progress {
                Ok(info) => {
                    lines.extend(
                        info.stream.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty()).map(str::to_owned),
                    );
                    lines.drain(..lines.len().saturating_sub(SHOWN_LINES));
                    if let Some(detail) = info.error_detail {
                        failure = Some(detail.message.unwrap_or_else(|| "the build failed".to_owned()));
                    }
                }
                Err(error) => failure = Some(error.to_string()),
            }
        }
        let failed = |message: String| EngineError::Image { image: tag.clone(), message, output: lines };
        if let Some(message) = failure {
            return Err(failed(message));
        }
        match self.inspect_image(&tag).await? {
            Some(image) => Ok(image),
            None => Err(failed("the build ended without an image".to_owned())),
        }
    }

    /// An image with nothing in it, for sidecars that run nothing but the shim.
    pub(super) async fn empty_image(&self) -> Result<Image, EngineError> {
        if let Some(image) = self.inspect_image(EMPTY_IMAGE).await? {
            return Ok(image);
        }
        let name = EMPTY_IMAGE.split_once(':').map_or(EMPTY_IMAGE, |(name, _)| name);
        let failed = |message: String| EngineError::Image { image: EMPTY_IMAGE.to_owned(), message, output: Vec::new() };
        let mut dockerfile = tar::Builder::new(Vec::new());
        context::append(&mut dockerfile, "Dockerfile", b"FROM scratch\nLABEL io.loupe.content=nothing\n", 0o644)
            .map_err(|error| failed(error.to_string()))?;
        let archive = dockerfile.into_inner().map_err(|error| failed(error.to_string()))?;
        let options = BuildImageOptions {
            dockerfile: "Dockerfile".to_owned(),
            t: Some(format!("{name}:1")),
            rm: true,
            forcerm: true,
            labels: Some(self.image_labels()),
            ..BuildImageOptions::default()
        };
        let mut build = self.docker.build_image(options, None, Some(bollard::body_full(Bytes::from(archive))));
        while let Some(progress) = build.next().await {
            progress.map_err(|error| failed(error.to_string()))?;
        }
        self.inspect_image(EMPTY_IMAGE).await?.ok_or_else(|| failed("the build ended without an image".to_owned()))
    }
}

/// The engine pulls all tags of a name without one.
fn with_tag(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains(':') || last.contains('@') { reference.to_owned() } else { format!("{reference}:latest") }
}

/// The Debian suite of a base image that the project can make itself.
fn offline_suite(reference: &str) -> Option<&str> {
    reference.strip_prefix("debian:")?.strip_suffix("-slim")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_without_tag_mean_latest() {
        assert_eq!(with_tag("debian"), "debian:latest");
        assert_eq!(with_tag("localhost:5000/debian"), "localhost:5000/debian:latest");
        assert_eq!(with_tag("debian:bookworm-slim"), "debian:bookworm-slim");
        assert_eq!(offline_suite("debian:bookworm-slim"), Some("bookworm"));
    }
}
