//! Files that belong to a container's network, as they were at first.
//!
//! An engine mounts the same `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` into a sidecar and into every container that joins
//! its network. What an app writes there would be found by the next one, so the sidecar puts it right before it makes the network of
//! each trial. It takes what was there when the sidecar began for right, and neither makes nor judges it. On a stage an app has copies
//! (`super::stage`), and there is nothing to put right.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::time::SystemTime;

use nix::mount::{MsFlags, mount};

use super::{Context, ShimError};

const PATHS: [&str; 3] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/// One file with all that an app can change of it.
#[derive(Debug, PartialEq, Eq)]
struct SharedFile {
    path: &'static Path,
    content: Vec<u8>,
    mode: u32,
    owner: (u32, u32),
    modified: SystemTime,
}

impl SharedFile {
    fn read(path: &'static Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            path,
            content: fs::read(path)?,
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
            modified: metadata.modified()?,
        })
    }

    /// Writes all of it again, through a mount that is read-only otherwise.
    fn write(&self) -> io::Result<()> {
        let remount =
            |flags| mount(None::<&str>, self.path, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags, None::<&str>);
        remount(MsFlags::empty())?;
        let mut file = File::create(self.path)?;
        file.write_all(&self.content)?;
        chown(self.path, Some(self.owner.0), Some(self.owner.1))?;
        // After the owner, whose change takes set-user-id bits away (chown(2)).
        fs::set_permissions(self.path, fs::Permissions::from_mode(self.mode))?;
        file.set_modified(self.modified)?;
        drop(file);
        remount(MsFlags::MS_RDONLY)?;
        Ok(())
    }
}

/// The files of a sidecar's network.
#[derive(Debug)]
pub(super) struct SharedFiles(Vec<SharedFile>);

impl SharedFiles {
    /// The files as they are; one that an engine does not make is left out.
    pub(super) fn read() -> Result<Self, ShimError> {
        let mut files = Vec::new();
        for path in PATHS.map(Path::new) {
            match SharedFile::read(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => files.push(file.context(&format!("cannot read {}", path.display()))?),
            }
        }
        Ok(Self(files))
    }

    /// Makes them what they were, where somebody changed them.
    pub(super) fn restore(&self) -> Result<(), ShimError> {
        for file in &self.0 {
            let now = SharedFile::read(file.path).context(&format!("cannot read {}", file.path.display()))?;
            if now != *file {
                file.write().context(&format!("cannot restore {}", file.path.display()))?;
            }
        }
        Ok(())
    }
}
