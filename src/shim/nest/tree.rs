//! A tree of file systems that looks like the one outside and in which nothing that is written stays.
//!
//! Everything is below overlays (`Documentation/filesystems/overlayfs.rst`) whose upper layers lie in one tmpfs of this mount
//! namespace, so they go away with it. Two ways lead there:
//!
//! - A process that may mount puts one overlay over the root file system, and one over each that is mounted in it.
//! - In a user namespace an overlay over a directory is refused if something is mounted below that directory, as what is
//!   under such a mount must not be uncovered (`mount_namespaces(7)`, *locked* mounts). There the tree is put together by hand:
//!   directories with mounts below are made anew, and each of their entries gets an overlay or, being no directory, is bound.
//!   It may mount an overlay at all since Linux 5.11, and keeps all of overlayfs's marks in `user.*` attributes, which tmpfs has since
//!   6.6: before that, a directory cannot be put in the place of one that was removed.
//!
//! What gets no overlay is read-only: single files, and directories with very many entries among which something is mounted. Left
//! out, with empty directories in their place, are file systems that hold nobody's files, those of others (containers' roots, file
//! systems in user space) unless the command runs in one, and what may not be looked into.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{AccessFlags, access, chdir, pivot_root};

use super::super::{Context, ShimError};
use super::devices;
use super::layers::{Layer, Layers};
use super::mounts::{self, Mount};

/// Directories one of which the tmpfs is mounted on at first; any that exists will do.
const FOOTHOLDS: [&str; 4] = ["/tmp", "/mnt", "/var", "/proc"];
/// Space for everything that the command writes, in bytes of memory.
const OPTIONS: &str = "mode=0755,size=1g";
/// Where the tree outside is seen while the new one is made, and where that is.
const OLD: &str = "/old";
const NEW: &str = "/new";
/// The directories of an overlay's layer.
const UPPER: &str = "upper";
const WORK: &str = "work";
/// Where the layers of the overlays lie.
const LAYERS: &str = "/layers";
/// What is made anew in every tree.
pub(in crate::shim) const OWN: [&str; 3] = ["/proc", "/sys", "/dev"];
/// A directory with more entries than these is not put together by hand, but read-only.
const WIDE: usize = 1024;
/// No more file systems than these get an overlay each.
const MOST_MOUNTS: usize = 100;

const NONE: Option<&str> = None;

/// What came of it.
#[derive(Debug)]
pub(super) struct Built {
    /// Whether there are overlays at all.
    pub(super) overlaid: bool,
    /// What is read-only although it might not be.
    pub(super) read_only: Vec<PathBuf>,
    /// What is not there.
    pub(super) left_out: Vec<PathBuf>,
    /// Where what is written goes.
    pub(super) layers: Layers,
}

/// Makes the tree and moves the calling process into it, to its root. `place` is where the command will run. `own_user` tells
/// that the process has a user namespace of its own.
pub(super) fn build(place: &Path, own_user: bool) -> Result<Built, ShimError> {
    let mounts = take_mounts()?;
    step_aside().context("cannot make a tmpfs the root")?;
    let mut tree = Tree { mounts, place, own_user, overlays: 0, layers: Vec::new(), read_only: Vec::new(), left_out: Vec::new() };
    if own_user {
        tree.assemble(Path::new("/"))?;
    } else {
        tree.cover_all()?;
    }
    let (overlaid, mut layers) = (tree.overlays > 0, tree.layers);
    devices::proc(Path::new(NEW), own_user)?;
    devices::sys(Path::new(OLD), Path::new(NEW), &tree.mounts)?;
    devices::dev(Path::new(OLD), Path::new(NEW))?;
    if !overlaid {
        for point in ["/tmp", "/var/tmp"].map(Path::new) {
            let directory = under(NEW, point);
            if directory.is_dir() {
                mount(Some("tmpfs"), &directory, Some("tmpfs"), MsFlags::empty(), Some("mode=1777,size=1g"))
                    .context("cannot mount a throw-away /tmp")?;
                layers.push(Layer::open(point, &directory, BTreeSet::new()).context("cannot look at the throw-away /tmp")?);
            }
        }
    }
    move_in(Path::new(NEW)).context("cannot move into the new file systems")?;
    Ok(Built { overlaid, read_only: tree.read_only, left_out: tree.left_out, layers })
}

/// Makes the mounts of this namespace its own affair, and tells what is mounted.
pub(in crate::shim) fn take_mounts() -> Result<Vec<Mount>, ShimError> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).context("cannot make mounts private")?;
    let text = fs::read("/proc/self/mountinfo").context("cannot read what is mounted")?;
    Ok(mounts::parse(&String::from_utf8_lossy(&text)))
}

/// Makes an empty tmpfs the root, with the tree outside in it.
fn step_aside() -> io::Result<()> {
    let foothold = FOOTHOLDS.iter().find(|path| Path::new(path).is_dir()).ok_or(io::ErrorKind::NotFound)?;
    mount(Some("loupe"), *foothold, Some("tmpfs"), MsFlags::MS_NOSUID, Some(OPTIONS))?;
    let old = format!("{foothold}{OLD}");
    fs::create_dir(&old)?;
    pivot_root(*foothold, old.as_str())?;
    chdir("/")?;
    fs::create_dir(NEW)?;
    // What is to be a root has to be a mount.
    mount(Some(NEW), NEW, NONE, MsFlags::MS_BIND, NONE)?;
    fs::create_dir(LAYERS)
}

/// Makes a tree the root, and lets go of everything else (`pivot_root(".", ".")` in `pivot_root(2)`).
pub(in crate::shim) fn move_in(tree: &Path) -> io::Result<()> {
    chdir(tree)?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(chdir("/")?)
}

/// `path` of the tree outside, below `base`.
fn under(base: &str, path: &Path) -> PathBuf {
    Path::new(base).join(path.strip_prefix("/").unwrap_or(path))
}

/// A tree in the making.
struct Tree<'a> {
    mounts: Vec<Mount>,
    place: &'a Path,
    own_user: bool,
    overlays: usize,
    layers: Layers,
    read_only: Vec<PathBuf>,
    left_out: Vec<PathBuf>,
}

impl Tree<'_> {
    /// One overlay over the root, and one over everything that is mounted in it.
    fn cover_all(&mut self) -> Result<(), ShimError> {
        self.cover(Path::new("/")).context("cannot overlay `/`")?;
        let mut covered = 0;
        for mount in self.mounts.clone() {
            let point = mount.point.as_path();
            if point == Path::new("/") || OWN.iter().any(|own| point.starts_with(own)) {
                continue;
            }
            let here = self.place.starts_with(point);
            if !here && (mount.is_of_the_kernel() || mount.is_of_others()) {
                continue;
            }
            if !here && covered >= MOST_MOUNTS {
                self.left_out.push(mount.point);
                continue;
            }
            let (old, new) = (under(OLD, point), under(NEW, point));
            // Something else may be mounted over the directory in which it is, or it may be gone meanwhile.
            let (Ok(old), Ok(target)) = (fs::metadata(&old), fs::metadata(&new)) else { continue };
            if old.is_dir() != target.is_dir() {
                continue;
            }
            covered += 1;
            match if old.is_dir() { self.cover(point) } else { self.bind(point) } {
                Err(_) if !here => self.left_out.push(mount.point),
                result => result.context(&format!("cannot make `{}` part of the tree", point.display()))?,
            }
        }
        Ok(())
    }

    /// Puts a directory together; what is mounted below stays out of the way of overlays.
    fn assemble(&mut self, path: &Path) -> Result<(), ShimError> {
        let failed = |path: &Path| format!("cannot make `{}` part of the tree", path.display());
        let (old, new) = (under(OLD, path), under(NEW, path));
        fs::create_dir_all(&new).context(&failed(path))?;
        let here = self.place.starts_with(path);
        let mounted = self.mounts.iter().find(|mount| mount.point == path && path != Path::new("/"));
        let of_nobody = mounted.is_some_and(|mount| mount.is_of_the_kernel() || mount.is_of_others());
        if OWN.iter().any(|own| path == Path::new(own)) || (of_nobody && !here) {
            return Ok(());
        }
        let below = |mount: &Mount| mount.point != path && mount.point.starts_with(path);
        if path != Path::new("/") && !self.mounts.iter().any(below) {
            return match self.cover(path) {
                // It may be gone meanwhile.
                Err(_) if !here => {
                    self.left_out.push(path.to_path_buf());
                    Ok(())
                }
                result => result.context(&failed(path)),
            };
        }
        let entries = match fs::read_dir(&old).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) if entries.len() <= WIDE => entries,
            Ok(_) => return self.bind_all(path).context(&failed(path)),
            Err(_) => {
                self.left_out.push(path.to_path_buf());
                return Ok(());
            }
        };
        let known = entries.iter().map(fs::DirEntry::file_name).collect();
        self.layers.push(Layer::open(path, &new, known).context(&failed(path))?);
        for entry in entries {
            let path = path.join(entry.file_name());
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                self.assemble(&path)?;
            } else if kind.is_symlink() {
                fs::read_link(entry.path()).and_then(|target| symlink(target, under(NEW, &path))).context(&failed(&path))?;
            } else {
                File::create(under(NEW, &path)).context(&failed(&path))?;
                if self.bind(&path).is_err() {
                    self.left_out.push(path);
                }
            }
        }
        self.dress(&old, &new).context(&failed(path))
    }

    /// Shows a directory with everything mounted below it as it is, read-only.
    fn bind_all(&mut self, path: &Path) -> io::Result<()> {
        mount(Some(&under(OLD, path)), &under(NEW, path), NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)?;
        read_only(&self.mounts, path, &under(NEW, path))?;
        for mount in self.mounts.iter().filter(|mount| mount.point != path && mount.point.starts_with(path)) {
            read_only(&self.mounts, &mount.point, &under(NEW, &mount.point))?;
        }
        self.read_only.push(path.to_path_buf());
        Ok(())
    }

    /// Puts an overlay over a directory, or what it can where the kernel refuses one.
    fn cover(&mut self, path: &Path) -> io::Result<()> {
        let (old, new) = (under(OLD, path), under(NEW, path));
        let layer = Path::new(LAYERS).join(self.overlays.to_string());
        let upper = make_upper(&layer)?;
        self.dress(&old, &upper)?;
        let restrictions = mounts::holding(&self.mounts, path).map_or_else(MsFlags::empty, Mount::restrictions);
        match overlay(&old, &layer, &new, restrictions, if self.own_user { b",userxattr" } else { b"" }) {
            Ok(()) => {
                self.overlays += 1;
                self.layers.push(Layer::open(path, &upper, BTreeSet::new())?);
                Ok(())
            }
            Err(_) => self.bind(path),
        }
    }

    /// Shows a file or directory as it is, read-only.
    fn bind(&mut self, path: &Path) -> io::Result<()> {
        let (old, new) = (under(OLD, path), under(NEW, path));
        let of_device = fs::metadata(&old).is_ok_and(|metadata| {
            let kind = metadata.file_type();
            kind.is_char_device() || kind.is_block_device() || kind.is_socket() || kind.is_fifo()
        });
        mount(Some(&old), &new, NONE, MsFlags::MS_BIND, NONE)?;
        read_only(&self.mounts, path, &new)?;
        if !of_device {
            self.read_only.push(path.to_path_buf());
        }
        Ok(())
    }

    /// Gives `new` the mode, times and, where it may, the owner of `old`. An owner's rights that its user does not have are taken
    /// away, as in a user namespace everything new belongs to that user.
    fn dress(&self, old: &Path, new: &Path) -> io::Result<()> {
        if !self.own_user {
            return dress(old, new);
        }
        let metadata = fs::metadata(old)?;
        let mut mode = metadata.permissions().mode() & 0o7777;
        for (right, bits) in [(AccessFlags::W_OK, 0o222), (AccessFlags::X_OK, 0o111), (AccessFlags::R_OK, 0o444)] {
            if access(old, right).is_err() {
                mode &= !bits;
            }
        }
        take_over_times(&metadata, new)?;
        fs::set_permissions(new, fs::Permissions::from_mode(mode))
    }
}

/// Gives the directory `new` the owner, mode and times of `old`.
pub(in crate::shim) fn dress(old: &Path, new: &Path) -> io::Result<()> {
    let metadata = fs::metadata(old)?;
    chown(new, Some(metadata.uid()), Some(metadata.gid()))?;
    take_over_times(&metadata, new)?;
    fs::set_permissions(new, fs::Permissions::from_mode(metadata.permissions().mode() & 0o7777))
}

fn take_over_times(metadata: &fs::Metadata, new: &Path) -> io::Result<()> {
    File::open(new)?.set_times(fs::FileTimes::new().set_accessed(metadata.accessed()?).set_modified(metadata.modified()?))
}

/// Makes what is bound at `new` read-only, without allowing anything that was forbidden at `path` outside.
pub(in crate::shim) fn read_only(mounts: &[Mount], path: &Path, new: &Path) -> io::Result<()> {
    let kept = mounts::holding(mounts, path).map_or_else(MsFlags::empty, |mount| mount.restrictions() | mount.times());
    Ok(mount(NONE, new, NONE, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | kept, NONE)?)
}

/// Makes the directories that an overlay needs in `layer`; the one that what is written goes to.
pub(in crate::shim) fn make_upper(layer: &Path) -> io::Result<PathBuf> {
    let upper = layer.join(UPPER);
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(layer.join(WORK))?;
    Ok(upper)
}

/// Mounts an overlay over `lower` at `place`, with the directories of [`make_upper`] and further options.
pub(in crate::shim) fn overlay(lower: &Path, layer: &Path, place: &Path, flags: MsFlags, more: &[u8]) -> io::Result<()> {
    let (upper, work) = (layer.join(UPPER), layer.join(WORK));
    let options = [
        b"lowerdir=".as_slice(),
        &escaped(lower.as_os_str().as_bytes()),
        b",upperdir=",
        upper.as_os_str().as_bytes(),
        b",workdir=",
        work.as_os_str().as_bytes(),
        more,
    ];
    let options = std::ffi::OsString::from_vec(options.concat());
    Ok(mount(Some("overlay"), place, Some("overlay"), flags, Some(options.as_os_str()))?)
}

/// A path as an option of a mount: commas end options, colons lower layers.
fn escaped(path: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.len());
    for byte in path {
        if matches!(byte, b',' | b':' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_below_another_root() {
        assert_eq!(under(OLD, Path::new("/")), Path::new("/old/"));
        assert_eq!(under(NEW, Path::new("/var/lib")), Path::new("/new/var/lib"));
    }

    #[test]
    fn marks_of_mount_options_are_escaped() {
        assert_eq!(escaped(b"/a:b,c\\d"), b"/a\\:b\\,c\\\\d");
    }
}
