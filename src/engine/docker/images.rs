//! Images: built from a folder and cached by its content, or taken by reference.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use bollard::models::{ImageConfig, ImageInspect};
use bollard::query_parameters::{BuildImageOptions, CreateImageOptions};
use bytes::Bytes;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::super::{EngineError, Notice};
use super::{DockerEngine, refused};
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
        let unreadable = |error: io::Error| EngineError::Image {
            image: name.to_owned(),
            message: format!("cannot read its folder `{}`: {error}", directory.display()),
            output: Vec::new(),
        };
        let context = context(directory).map_err(unreadable)?;
        let dockerfile = fs::read_to_string(directory.join("Dockerfile")).map_err(unreadable)?;
        let mut hash = Sha256::new();
        hash.update(&context);
        for (key, value) in arguments {
            hash.update(format!("\n{key}={value}"));
        }
        // What the base images are now is part of the content.
        for base in base_images(&dockerfile, arguments) {
            let image = self.present(&base, notice).await?;
            hash.update(format!("\n{base}={}", image.id));
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
        let body = bollard::body_full(Bytes::from(context));
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
        append(&mut dockerfile, "Dockerfile", b"FROM scratch\nLABEL io.loupe.content=nothing\n", 0o644)
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

/// The images that a Dockerfile builds upon, build arguments filled in; stages of its own and `scratch` left out.
fn base_images(dockerfile: &str, arguments: &BTreeMap<String, String>) -> Vec<String> {
    let mut values = BTreeMap::new();
    let mut stages = Vec::new();
    let mut bases = Vec::new();
    for line in dockerfile.lines() {
        let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with("--")).collect();
        match words.as_slice() {
            [keyword, definition, ..] if keyword.eq_ignore_ascii_case("ARG") => {
                let (name, default) = definition.split_once('=').unwrap_or((definition, ""));
                let value = arguments.get(name).map_or(default, String::as_str);
                values.insert(name.to_owned(), value.trim_matches('"').to_owned());
            }
            [keyword, image, rest @ ..] if keyword.eq_ignore_ascii_case("FROM") => {
                let image = substitute(image, &values);
                if image != "scratch" && !stages.contains(&image) && !bases.contains(&image) {
                    bases.push(image);
                }
                if let [keyword, stage] = rest
                    && keyword.eq_ignore_ascii_case("AS")
                {
                    stages.push((*stage).to_owned());
                }
            }
            _ => {}
        }
    }
    bases
}

fn substitute(text: &str, values: &BTreeMap<String, String>) -> String {
    // Longest names first, or `$NAME` would be taken for `$NAM` and an `E`.
    let mut names: Vec<_> = values.iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names.into_iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    })
}

/// The build context as a tar archive that is the same for the same content: names in order, no owners, no times.
///
/// `.dockerignore` is honoured; `app.yaml` is Loupe's own and never part of an image.
fn context(directory: &Path) -> io::Result<Vec<u8>> {
    let ignored = dockerignore(directory)?;
    let mut entries = Vec::new();
    collect(directory, Path::new(""), &ignored, &mut entries)?;
    entries.sort();
    let mut archive = tar::Builder::new(Vec::new());
    for relative in entries {
        let path = directory.join(&relative);
        let metadata = fs::symlink_metadata(&path)?;
        let name = relative.to_string_lossy().into_owned();
        if metadata.is_symlink() {
            let mut header = header(0, 0o777);
            header.set_entry_type(tar::EntryType::Symlink);
            archive.append_link(&mut header, &name, fs::read_link(&path)?)?;
        } else {
            use std::os::unix::fs::PermissionsExt;
            append(&mut archive, &name, &fs::read(&path)?, metadata.permissions().mode() & 0o777)?;
        }
    }
    archive.into_inner()
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

pub(super) fn append<W: Write>(archive: &mut tar::Builder<W>, name: &str, content: &[u8], mode: u32) -> io::Result<()> {
    archive.append_data(&mut header(content.len() as u64, mode), name, content)
}

/// `.dockerignore` has the patterns of `.gitignore`, but anchored at the folder.
fn dockerignore(directory: &Path) -> io::Result<ignore::gitignore::Gitignore> {
    let mut builder = ignore::gitignore::GitignoreBuilder::new("");
    let text = match fs::read_to_string(directory.join(".dockerignore")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (sign, pattern) = line.strip_prefix('!').map_or(("", line), |pattern| ("!", pattern));
        builder.add_line(None, &format!("{sign}/{}", pattern.trim_start_matches('/'))).map_err(io::Error::other)?;
    }
    builder.build().map_err(io::Error::other)
}

fn collect(
    root: &Path,
    relative: &Path,
    ignored: &ignore::gitignore::Gitignore,
    entries: &mut Vec<std::path::PathBuf>,
) -> io::Result<()> {
    for entry in fs::read_dir(root.join(relative))? {
        let entry = entry?;
        let path = relative.join(entry.file_name());
        let directory = entry.file_type()?.is_dir();
        if path == Path::new("app.yaml") {
            continue;
        }
        if directory {
            // An ignored folder may hold files that a later `!` pattern takes back, so it is walked all the same.
            collect(root, &path, ignored, entries)?;
        } else if path == Path::new("Dockerfile") || !ignored.matched_path_or_any_parents(&path, false).is_ignore() {
            entries.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_images_are_found_with_arguments_and_without_stages() {
        let dockerfile = "ARG SUITE=bookworm\nFROM --platform=linux/amd64 debian:${SUITE}-slim AS build\nfrom build\nFROM scratch\n\
                          FROM debian:$SUITE-slim\n";
        assert_eq!(base_images(dockerfile, &BTreeMap::new()), ["debian:bookworm-slim"]);
        let arguments = BTreeMap::from([("SUITE".to_owned(), "trixie".to_owned())]);
        assert_eq!(base_images(dockerfile, &arguments), ["debian:trixie-slim"]);
    }

    #[test]
    fn context_depends_on_content_alone_and_honours_dockerignore() {
        let names = |archive: &[u8]| -> Vec<String> {
            let mut archive = tar::Archive::new(archive);
            let entries = archive.entries().unwrap();
            entries.map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned()).collect()
        };
        let fill = |directory: &Path| {
            fs::create_dir_all(directory.join("data/deep")).unwrap();
            for name in ["Dockerfile", "app.yaml", "data/keep.txt", "data/drop.log", "data/deep/drop.log", "z"] {
                fs::write(directory.join(name), name).unwrap();
            }
            fs::write(directory.join(".dockerignore"), "# logs\n**/*.log\n!data/deep/drop.log\nz\n").unwrap();
        };
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fill(first.path());
        fill(second.path());
        let archive = context(first.path()).unwrap();
        assert_eq!(names(&archive), [".dockerignore", "Dockerfile", "data/deep/drop.log", "data/keep.txt"]);
        assert_eq!(archive, context(second.path()).unwrap());
        fs::write(second.path().join("data/keep.txt"), "changed").unwrap();
        assert_ne!(archive, context(second.path()).unwrap());
    }

    #[test]
    fn references_without_tag_mean_latest() {
        assert_eq!(with_tag("debian"), "debian:latest");
        assert_eq!(with_tag("localhost:5000/debian"), "localhost:5000/debian:latest");
        assert_eq!(with_tag("debian:bookworm-slim"), "debian:bookworm-slim");
        assert_eq!(offline_suite("debian:bookworm-slim"), Some("bookworm"));
    }
}
