//! Everything Loupe makes on an engine is labelled, and what a dead run left behind is found again by its label.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    ListContainersOptions, ListImagesOptions, ListVolumesOptions, RemoveContainerOptions, RemoveImageOptions, RemoveVolumeOptions,
};

use super::super::EngineError;
use super::{DockerEngine, refused};

/// Carried by every container and volume that Loupe makes; its value is the campaign.
pub(super) const CAMPAIGN_LABEL: &str = "io.loupe.campaign";
/// Carried by every image that Loupe builds. Not the same label: containers inherit those of their image, and one that somebody
/// makes from such an image is none of Loupe's.
const IMAGE_LABEL: &str = "io.loupe.image";
/// Names the process that made it.
pub(super) const OWNER_LABEL: &str = "io.loupe.owner";
/// The campaign of things that all campaigns share, such as the shim's volume.
pub(super) const SHARED: &str = "shared";

/// Longest wait for the removal of what a dead run left: the engine may be unable to remove it at all.
const REAP_LIMIT: Duration = Duration::from_secs(20);

/// A process on this machine, named so that no other process ever has the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// Host name and boot id: two machines, or one before and after a restart, differ.
    machine: String,
    pid: u32,
    /// In clock ticks since boot.
    start: String,
}

impl Owner {
    pub(super) fn current() -> Self {
        let pid = std::process::id();
        Self { machine: machine(), pid, start: start_of(pid).unwrap_or_default() }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, '/');
        let (start, pid, machine) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { machine: machine.to_owned(), pid: pid.parse().ok()?, start: start.to_owned() })
    }

    /// `None` where it can't be told from here: the owner ran on another machine.
    fn is_alive(&self) -> Option<bool> {
        (self.machine == machine()).then(|| start_of(self.pid).is_some_and(|start| start == self.start))
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}/{}", self.machine, self.pid, self.start)
    }
}

fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    format!("{}:{}", read("/proc/sys/kernel/hostname"), read("/proc/sys/kernel/random/boot_id"))
}

/// The 22nd field of `/proc/[pid]/stat` (proc(5)).
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Cleaned {
    /// Number of containers.
    pub containers: usize,
    /// Number of volumes.
    pub volumes: usize,
    /// Number of images.
    pub images: usize,
}

impl DockerEngine {
    /// The labels of something made for `campaign`.
    pub(super) fn labels(&self, campaign: &str) -> HashMap<String, String> {
        HashMap::from([(CAMPAIGN_LABEL.to_owned(), campaign.to_owned()), (OWNER_LABEL.to_owned(), self.owner.to_string())])
    }

    /// The labels of an image.
    pub(super) fn image_labels(&self) -> HashMap<String, String> {
        HashMap::from([(IMAGE_LABEL.to_owned(), self.owner.to_string())])
    }

    async fn our_containers(&self) -> Result<Vec<ContainerSummary>, EngineError> {
        let options =
            ListContainersOptions { all: true, filters: Some(by_label(CAMPAIGN_LABEL)), ..ListContainersOptions::default() };
        self.docker.list_containers(Some(options)).await.map_err(refused("list containers"))
    }

    /// Removes the containers of runs that are dead; how many. Those of a run on another machine are left alone while they run, and
    /// one that can't be removed is left for the next time.
    ///
    /// # Errors
    /// When the engine can't list them.
    pub async fn reap(&self) -> Result<usize, EngineError> {
        let mut removed = 0;
        for container in self.our_containers().await? {
            let owner = container.labels.as_ref().and_then(|labels| labels.get(OWNER_LABEL)).and_then(|text| Owner::parse(text));
            let running = container.state.as_ref().is_some_and(|state| state.to_string() == "running");
            let dead = match owner.and_then(|owner| owner.is_alive()) {
                Some(alive) => !alive,
                None => !running,
            };
            if !dead {
                continue;
            }
            let id = container.id.as_deref().unwrap_or_default();
            match tokio::time::timeout(REAP_LIMIT, self.remove_container(id)).await {
                Ok(Ok(true)) => removed += 1,
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::warn!(container = id, %error, "cannot remove what a dead run left"),
                Err(_) => tracing::warn!(container = id, "what a dead run left is not removed within {REAP_LIMIT:?}"),
            }
        }
        Ok(removed)
    }

    /// Removes every container and volume of Loupe's, whoever made it; with `images`, also the images it built.
    ///
    /// # Errors
    /// When the engine can't list or remove them.
    pub async fn clean(&self, images: bool) -> Result<Cleaned, EngineError> {
        let mut cleaned = Cleaned::default();
        for container in self.our_containers().await? {
            cleaned.containers += usize::from(self.remove_container(container.id.as_deref().unwrap_or_default()).await?);
        }
        let options = ListVolumesOptions { filters: Some(by_label(CAMPAIGN_LABEL)) };
        let volumes = self.docker.list_volumes(Some(options)).await.map_err(refused("list volumes"))?;
        for volume in volumes.volumes.unwrap_or_default() {
            let removal = self.docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await;
            cleaned.volumes += usize::from(was_there(removal).map_err(refused(format!("remove the volume `{}`", volume.name)))?);
        }
        if images {
            let options = ListImagesOptions { all: false, filters: Some(by_label(IMAGE_LABEL)), ..ListImagesOptions::default() };
            let found = self.docker.list_images(Some(options)).await.map_err(refused("list images"))?;
            for image in found {
                let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
                let removal = self.docker.remove_image(&image.id, Some(options), None).await.map(drop);
                cleaned.images += usize::from(was_there(removal).map_err(refused(format!("remove the image `{}`", image.id)))?);
            }
        }
        Ok(cleaned)
    }

    /// Kills and removes a container with its anonymous volumes; `false` if it was gone already.
    pub(super) async fn remove_container(&self, id: &str) -> Result<bool, EngineError> {
        let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
        let removal = self.docker.remove_container(id, Some(options)).await;
        was_there(removal).map_err(refused(format!("remove the container `{id}`")))
    }
}

fn by_label(label: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![label.to_owned()])])
}

/// 404: gone already. 409: its removal is under way.
fn was_there(removal: Result<(), bollard::errors::Error>) -> Result<bool, bollard::errors::Error> {
    match removal {
        Ok(()) => Ok(true),
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, message })
            if message.contains("in progress") =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_another_with_its_pid_is_not() {
        let owner = Owner::current();
        assert_eq!(owner.is_alive(), Some(true));
        assert_eq!(Owner::parse(&owner.to_string()), Some(owner.clone()));
        assert_eq!(Owner { start: "1".into(), ..owner.clone() }.is_alive(), Some(false));
        assert_eq!(Owner { machine: "elsewhere:1".into(), ..owner }.is_alive(), None);
    }
}
