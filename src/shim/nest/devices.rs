//! `/proc`, `/sys` and `/dev` of a tree: what shows the machine's state, made so that it cannot be changed through them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::super::{Context, ShimError};
use super::mounts::Mount;
use super::tree::read_only;

/// Devices that no process can do harm with; every container has them as well.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Links of `/dev` into `/proc` (null(4), fd(4)).
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
/// What of `/proc` changes the machine for everybody.
const SWITCHES: [&str; 3] = ["sys", "sysrq-trigger", "irq"];

const NONE: Option<&str> = None;

/// Mounts the proc file system of the caller's pid namespace. Where the caller is the machine's root, its switches are read-only.
pub(super) fn proc(root: &Path, own_user: bool) -> Result<(), ShimError> {
    let place = root.join("proc");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &place, Some("proc"), flags, NONE).context("cannot mount a /proc of the command's own")?;
    if own_user {
        return Ok(());
    }
    for path in SWITCHES.map(|name| place.join(name)).iter().filter(|path| path.exists()) {
        mount(Some(path), path, NONE, MsFlags::MS_BIND, NONE).context("cannot protect the settings in /proc")?;
        let flags = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(NONE, path, NONE, flags, NONE).context("cannot protect the settings in /proc")?;
    }
    Ok(())
}

/// Shows `/sys` with everything mounted in it, read-only.
pub(super) fn sys(old: &Path, new: &Path, mounts: &[Mount]) -> Result<(), ShimError> {
    let (from, to) = (old.join("sys"), new.join("sys"));
    if !from.is_dir() || !to.is_dir() {
        return Ok(());
    }
    mount(Some(&from), &to, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE).context("cannot show /sys")?;
    for mount in mounts.iter().filter(|mount| mount.point.starts_with("/sys")) {
        let place = new.join(mount.point.strip_prefix("/").unwrap_or(&mount.point));
        match read_only(mounts, &mount.point, &place) {
            // Hidden below another one.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => {}
            result => result.context("cannot make /sys read-only")?,
        }
    }
    Ok(())
}

/// Makes a `/dev` with the devices that every program may expect.
pub(super) fn dev(old: &Path, new: &Path) -> Result<(), ShimError> {
    let (from, to) = (old.join("dev"), new.join("dev"));
    if !to.is_dir() {
        return Ok(());
    }
    let make = || -> io::Result<()> {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        mount(Some("dev"), &to, Some("tmpfs"), flags, Some("mode=0755,size=64k"))?;
        for name in DEVICES.iter().filter(|name| from.join(name).exists()) {
            File::create(to.join(name))?;
            mount(Some(&from.join(name)), &to.join(name), NONE, MsFlags::MS_BIND, NONE)?;
        }
        for (name, target) in LINKS {
            symlink(target, to.join(name))?;
        }
        fs::create_dir(to.join("shm"))?;
        fs::create_dir(to.join("pts"))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755))?;
        mount(Some("shm"), &to.join("shm"), Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=1777,size=1g"))?;
        Ok(())
    };
    make().context("cannot make a /dev of the command's own")?;
    // Without pseudo-terminals most commands are none the worse.
    let _ =
        mount(Some("devpts"), &to.join("pts"), Some("devpts"), MsFlags::MS_NOSUID, Some("newinstance,ptmxmode=0666,mode=620"));
    Ok(())
}
