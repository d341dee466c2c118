//! File systems like those of the container around, to which nothing was ever written.
//!
//! - The image's files, and every volume, are the lower layer of an overlay (`Documentation/filesystems/overlayfs.rst`); what is
//!   written lies in the stage's own volume, so on a disk, as in a container of the engine's own.
//! - Files that the engine mounts (`/etc/hosts` and the like) are copied.
//! - `/proc` and `/sys` are mounted anew, for the new namespaces, and what the engine hides or protects there is hidden or protected
//!   again. `/dev` is made anew with the same devices.
//!
//! Called in new namespaces, which it does not make. Unlike in the tree of a command of the machine (`crate::shim::nest`), nothing is
//! left out or read-only that is not so outside, and what cannot be made is trouble.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::chdir;

use super::super::nest::mounts::{self, Mount};
use super::super::nest::tree::{OWN, dress, make_upper, move_in, overlay, read_only, take_mounts};
use super::super::{Context, STAGE_DIRECTORY, ShimError};

const NONE: Option<&str> = None;

/// What nothing in `/proc` and `/sys` may be used for.
const HARMLESS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

/// Makes the tree and moves the calling process into it, to `place`. What is written goes to the empty directory `layers`.
pub(super) fn build(layers: &Path, place: &Path) -> Result<(), ShimError> {
    let mounts = take_mounts()?;
    let mut tree = Tree { root: layers.join("root"), layers, mounts: &mounts, covered: 0 };
    fs::create_dir(&tree.root).context("cannot make a directory to mount on")?;
    tree.cover(Path::new("/")).context("cannot overlay the image's files")?;
    for mount in &mounts {
        let point = mount.point.as_path();
        let made_otherwise = [Path::new("/"), Path::new(STAGE_DIRECTORY)].contains(&point);
        if made_otherwise || OWN.iter().any(|own| point.starts_with(own)) {
            continue;
        }
        tree.take_over(mount).context(&format!("cannot make `{}` part of the container", point.display()))?;
    }
    tree.proc().context("cannot mount /proc")?;
    tree.sys().context("cannot mount /sys")?;
    tree.dev().context("cannot make a /dev")?;
    move_in(&tree.root).context("cannot move into the new file systems")?;
    chdir(place).context(&format!("cannot go to the working directory `{}`", place.display()))
}

/// A tree in the making.
struct Tree<'a> {
    root: PathBuf,
    layers: &'a Path,
    /// What is mounted in the container around.
    mounts: &'a [Mount],
    covered: usize,
}

impl Tree<'_> {
    /// Where a path of the container around is in the new tree.
    fn under(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Puts an overlay over a directory.
    fn cover(&mut self, path: &Path) -> io::Result<()> {
        let layer = self.layers.join(self.covered.to_string());
        let upper = make_upper(&layer)?;
        if path == Path::new("/") {
            // A character device 0/0 hides what has its name in the layer below.
            let name = Path::new(STAGE_DIRECTORY).file_name().unwrap_or_default();
            mknod(&upper.join(name), SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?;
        }
        dress(path, &upper)?;
        let restrictions = mounts::holding(self.mounts, path).map_or_else(MsFlags::empty, Mount::restrictions);
        // As engines mount theirs: a directory of the image cannot be renamed but has to be copied (EXDEV).
        overlay(path, &layer, &self.under(path), restrictions, b",redirect_dir=off")?;
        self.covered += 1;
        Ok(())
    }

    /// Shows something as it is, with the rights that its mount has.
    fn bind(&self, path: &Path) -> io::Result<()> {
        Ok(mount(Some(path), &self.under(path), NONE, MsFlags::MS_BIND, NONE)?)
    }

    /// What the engine has mounted beside the image's files: volumes, and single files of its own.
    fn take_over(&mut self, mount: &Mount) -> io::Result<()> {
        let path = mount.point.as_path();
        let metadata = fs::symlink_metadata(path)?;
        if mount.is_read_only() {
            self.bind(path)
        } else if metadata.is_dir() {
            self.cover(path)
        } else {
            fs::copy(path, self.under(path)).map(drop)
        }
    }

    fn proc(&self) -> io::Result<()> {
        let place = self.under(Path::new("/proc"));
        mount(Some("proc"), &place, Some("proc"), HARMLESS, NONE)?;
        for mounted in self.mounts.iter().filter(|mount| mount.point.starts_with("/proc") && mount.point != Path::new("/proc")) {
            let path = self.under(&mounted.point);
            if mounted.kind == "proc" {
                // A part of it that may only be read.
                mount(Some(&path), &path, NONE, MsFlags::MS_BIND, NONE)?;
                read_only(self.mounts, &mounted.point, &path)?;
            } else {
                self.bind(&mounted.point)?;
            }
        }
        Ok(())
    }

    fn sys(&mut self) -> io::Result<()> {
        let sys = Path::new("/sys");
        let Some(mounted) = self.mounts.iter().find(|mount| mount.point == sys) else { return Ok(()) };
        let flags = if mounted.is_read_only() { HARMLESS | MsFlags::MS_RDONLY } else { HARMLESS };
        mount(Some("sysfs"), &self.under(sys), Some("sysfs"), flags, NONE)?;
        for mounted in self.mounts.iter().filter(|mount| mount.point.starts_with(sys) && mount.point != sys) {
            // The directory that the control groups are mounted in can be written to.
            if mounted.kind == "tmpfs" && !mounted.is_read_only() {
                self.cover(&mounted.point)?;
            } else {
                self.bind(&mounted.point)?;
            }
        }
        Ok(())
    }

    fn dev(&self) -> io::Result<()> {
        let old = Path::new("/dev");
        let new = self.under(old);
        mount(Some("tmpfs"), &new, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755,size=65536k"))?;
        for entry in fs::read_dir(old)? {
            let entry = entry?;
            let (from, to) = (entry.path(), new.join(entry.file_name()));
            let metadata = fs::symlink_metadata(&from)?;
            let kind = metadata.file_type();
            if kind.is_symlink() {
                symlink(fs::read_link(&from)?, &to)?;
            } else if kind.is_char_device() {
                mknod(&to, SFlag::S_IFCHR, Mode::empty(), metadata.rdev())?;
                fs::set_permissions(&to, fs::Permissions::from_mode(metadata.permissions().mode() & 0o7777))?;
            } else if kind.is_dir() {
                fs::create_dir(&to)?;
            }
        }
        for mounted in self.mounts.iter().filter(|mount| mount.point.parent() == Some(old)) {
            let place = self.under(&mounted.point);
            let flags = mounted.restrictions();
            match mounted.kind.as_str() {
                "devpts" => {
                    mount(Some("devpts"), &place, Some("devpts"), flags, Some("newinstance,ptmxmode=0666,mode=0620,gid=5"))?;
                }
                "mqueue" => mount(Some("mqueue"), &place, Some("mqueue"), flags, NONE)?,
                "tmpfs" => mount(Some("shm"), &place, Some("tmpfs"), flags, Some("mode=1777,size=65536k"))?,
                _ => self.bind(&mounted.point)?,
            }
        }
        Ok(())
    }
}
