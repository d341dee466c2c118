//! Everything Loupe makes on an engine is labelled, and what a dead run left behind is found again by its label.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    CreateContainerOptions, ListContainersOptions, ListImagesOptions, ListVolumesOptions, RemoveContainerOptions,
    RemoveImageOptions, RemoveVolumeOptions,
};

use sha2::{Digest, Sha256};

use super::super::EngineError;
use super::owner::Owner;
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

/// A container that does not run, and whose owner cannot be asked, is left alone for this long after it was created: it may be about
/// to be started, or to be removed.
const SETTLED_AFTER: Duration = Duration::from_secs(10 * 60);
/// Longest part of a container's name that is taken from the campaign's.
const CAMPAIGN_IN_NAME: usize = 60;

/// Number of things that were removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Cleaned {
    /// Number of containers.
    pub containers: usize,
    /// Number of volumes.
    pub volumes: usize,
    /// Number of images.
    pub images: usize,
    /// Number of containers that were left, as another Loupe works with them.
    pub in_use: usize,
}

/// Things that `clean` removes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CleanOptions {
    /// Also the images that Loupe built.
    pub images: bool,
    /// Also the containers of a Loupe that is at work.
    pub live: bool,
}

/// Whether the Loupe that made a container still works with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It may; so the container is left alone.
    Live,
    /// It does not.
    Abandoned,
}

impl Use {
    /// `owner_is_alive` as far as it can be seen from here; `age` is the time since the container was created.
    fn of(owner_is_alive: Option<bool>, running: bool, age: Duration) -> Self {
        match owner_is_alive {
            None if running || age < SETTLED_AFTER => Self::Live,
            Some(true) => Self::Live,
            Some(false) | None => Self::Abandoned,
        }
    }

    fn of_container(container: &ContainerSummary) -> Self {
        let owner = container.labels.as_ref().and_then(|labels| labels.get(OWNER_LABEL)).and_then(|text| Owner::parse(text));
        let running = container.state.as_ref().is_some_and(|state| matches!(state.to_string().as_str(), "running" | "paused"));
        let created = UNIX_EPOCH + Duration::from_secs(container.created.and_then(|time| time.try_into().ok()).unwrap_or(0));
        // A clock that differs from the engine's makes a container look younger, never older than it is by more than that.
        let age = SystemTime::now().duration_since(created).unwrap_or_default();
        Self::of(owner.and_then(|owner| owner.is_alive()), running, age)
    }
}

/// A name for a container that says what it is: `loupe-nginx-wrk-app-0123456789`. The last part makes it unique.
fn container_name(owner: &Owner, campaign: &str, part: &str, count: u64) -> String {
    let fit = |character: char| if character.is_ascii_alphanumeric() || "_.-".contains(character) { character } else { '-' };
    let campaign: String = campaign.chars().map(fit).take(CAMPAIGN_IN_NAME).collect();
    let digest = Sha256::digest(format!("{owner} {count}"));
    let unique: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("loupe-{campaign}-{part}-{unique}")
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

    /// Options for a container of `campaign`, of which `part` names the role, such as `app` or `sidecar`.
    pub(super) fn named(&self, campaign: &str, part: &str) -> CreateContainerOptions {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = container_name(&self.owner, campaign, part, COUNT.fetch_add(1, Ordering::Relaxed));
        CreateContainerOptions { name: Some(name), ..CreateContainerOptions::default() }
    }

    async fn our_containers(&self) -> Result<Vec<ContainerSummary>, EngineError> {
        let options =
            ListContainersOptions { all: true, filters: Some(by_label(CAMPAIGN_LABEL)), ..ListContainersOptions::default() };
        self.docker.list_containers(Some(options)).await.map_err(refused("list containers"))
    }

    /// Removes the containers of runs that are dead, and returns their number. A container whose run may be alive is left alone, and one
    /// that can't be removed is left for the next time.
    ///
    /// # Errors
    /// When the engine can't list them.
    pub async fn reap(&self) -> Result<usize, EngineError> {
        let mut removed = 0;
        for container in self.our_containers().await? {
            if Use::of_container(&container) == Use::Live {
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

    /// Removes containers and volumes of Loupe's, whoever made them; those of a run that may be alive only if asked to. Volumes and
    /// images are kept while there is one: it needs them.
    ///
    /// # Errors
    /// When the engine can't list or remove them.
    pub async fn clean(&self, options: CleanOptions) -> Result<Cleaned, EngineError> {
        let mut cleaned = Cleaned::default();
        for container in self.our_containers().await? {
            if Use::of_container(&container) == Use::Live && !options.live {
                cleaned.in_use += 1;
                continue;
            }
            cleaned.containers += usize::from(self.remove_container(container.id.as_deref().unwrap_or_default()).await?);
        }
        if cleaned.in_use > 0 {
            return Ok(cleaned);
        }
        let images = options.images;
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
    fn only_what_nobody_works_with_is_abandoned() {
        let (young, old) = (Duration::from_secs(60), Duration::from_secs(3600));
        for running in [false, true] {
            for age in [young, old] {
                assert_eq!(Use::of(Some(true), running, age), Use::Live);
                assert_eq!(Use::of(Some(false), running, age), Use::Abandoned);
            }
        }
        // Of another machine, or another pid namespace.
        assert_eq!(Use::of(None, true, old), Use::Live);
        assert_eq!(Use::of(None, false, young), Use::Live, "it may be about to be started");
        assert_eq!(Use::of(None, false, old), Use::Abandoned);
    }

    #[test]
    fn names_say_what_a_container_is_and_are_unique() {
        let owner = Owner::current();
        let name = container_name(&owner, "nginx@trixie/wrk", "app", 1);
        assert!(name.starts_with("loupe-nginx-trixie-wrk-app-"), "{name}");
        assert_ne!(name, container_name(&owner, "nginx@trixie/wrk", "app", 2));
        assert!(container_name(&owner, &"x".repeat(500), "app", 1).len() < 100);
    }
}
