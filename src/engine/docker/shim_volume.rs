//! The shim's way into containers: a volume that is named after the shim's content, filled once, mounted read-only everywhere.
//!
//! No bind mount, so a remote engine works; no upload per trial; the app's image is not modified.

use std::path::Path;

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, VolumeCreateRequest};
use bollard::query_parameters::{ContainerArchiveInfoOptions, UploadToContainerOptions};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::super::{EngineError, SHIM};
use super::resources::SHARED;
use super::{DockerEngine, context, refused};
use crate::shim;

impl DockerEngine {
    /// Puts the shim into a volume that is named after its content, unless it is there already; its name.
    pub(super) async fn deliver_shim(&self) -> Result<String, EngineError> {
        let digest: String = Sha256::digest(SHIM).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("loupe-shim-{digest}");
        let request =
            VolumeCreateRequest { name: Some(name.clone()), labels: Some(self.labels(SHARED)), ..VolumeCreateRequest::default() };
        self.docker.create_volume(request).await.map_err(refused(format!("create the volume `{name}`")))?;
        let image = self.empty_image().await?;
        // Never started: it only makes the volume reachable.
        let body = ContainerCreateBody {
            image: Some(image.id),
            cmd: Some(vec![shim::PATH.to_owned()]),
            labels: Some(self.labels(SHARED)),
            host_config: Some(HostConfig {
                mounts: Some(vec![shim_mount(&name, false)]),
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let created = self.docker.create_container(Some(self.named(SHARED, "shim")), body).await;
        let carrier = created.map_err(refused("create a container that carries the shim"))?.id;
        let delivered = self.fill_shim_volume(&carrier).await;
        self.remove_container(&carrier).await?;
        delivered.map(|()| name)
    }

    async fn fill_shim_volume(&self, carrier: &str) -> Result<(), EngineError> {
        let options = ContainerArchiveInfoOptions { path: shim::PATH.to_owned() };
        let present = self.docker.get_container_archive_info(carrier, Some(options)).await;
        if present.is_ok_and(|status| usize::try_from(status.size).is_ok_and(|size| size == SHIM.len())) {
            return Ok(());
        }
        let path = Path::new(shim::PATH);
        let (directory, file) = (path.parent().unwrap_or(Path::new("/")), path.file_name().unwrap_or_default());
        let mut archive = tar::Builder::new(Vec::new());
        let archive = context::append(&mut archive, &file.to_string_lossy(), SHIM, 0o755).and_then(|()| archive.into_inner());
        let archive = archive.map_err(|error| EngineError::Unfit(format!("cannot pack the shim: {error}")))?;
        let options =
            UploadToContainerOptions { path: directory.to_string_lossy().into_owned(), ..UploadToContainerOptions::default() };
        let body = bollard::body_full(Bytes::from(archive));
        self.docker.upload_to_container(carrier, Some(options), body).await.map_err(refused("deliver the shim"))
    }
}

/// Mounts the volume of that name where the shim is looked for.
pub(super) fn shim_mount(volume: &str, read_only: bool) -> Mount {
    let directory = Path::new(shim::PATH).parent().unwrap_or(Path::new("/"));
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume.to_owned()),
        target: Some(directory.to_string_lossy().into_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}
