//! Which file systems are mounted where, as `/proc/[pid]/mountinfo` tells it (proc(5)). Pure.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;

/// File systems that show the kernel's state and hold nobody's files.
const OF_THE_KERNEL: [&str; 20] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "sysfs",
    "tracefs",
];

/// One file system where it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::shim) struct Mount {
    pub(in crate::shim) point: PathBuf,
    /// Such as `ext4`.
    pub(in crate::shim) kind: String,
    /// Those of the mount itself, such as `nosuid`.
    options: Vec<String>,
}

impl Mount {
    /// Whether it holds no files of anybody.
    pub(in crate::shim) fn is_of_the_kernel(&self) -> bool {
        OF_THE_KERNEL.contains(&self.kind.as_str())
    }

    /// Whether it is likely to be the root of somebody's container, or comes and goes with some daemon.
    pub(in crate::shim) fn is_of_others(&self) -> bool {
        self.kind == "overlay" || self.kind.starts_with("fuse.")
    }

    /// Whether nothing can be written through it.
    pub(in crate::shim) fn is_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }

    /// What it does not allow; a copy of it has to forbid the same.
    pub(in crate::shim) fn restrictions(&self) -> MsFlags {
        let known = [("nosuid", MsFlags::MS_NOSUID), ("nodev", MsFlags::MS_NODEV), ("noexec", MsFlags::MS_NOEXEC)];
        let set = known.into_iter().filter(|(name, _)| self.options.iter().any(|option| option == name));
        set.map(|(_, flag)| flag).collect()
    }

    /// How it keeps times; a remount by whoever may not change that has to repeat it.
    pub(in crate::shim) fn times(&self) -> MsFlags {
        let known =
            [("noatime", MsFlags::MS_NOATIME), ("nodiratime", MsFlags::MS_NODIRATIME), ("relatime", MsFlags::MS_RELATIME)];
        let set = known.into_iter().filter(|(name, _)| self.options.iter().any(|option| option == name));
        set.map(|(_, flag)| flag).collect()
    }

    fn parse(line: &str) -> Option<Self> {
        let (of_mount, of_file_system) = line.split_once(" - ")?;
        let mut fields = of_mount.split(' ').skip(4);
        Some(Self {
            point: PathBuf::from(OsString::from_vec(unescaped(fields.next()?))),
            options: fields.next()?.split(',').map(str::to_owned).collect(),
            kind: of_file_system.split(' ').next()?.to_owned(),
        })
    }
}

/// The file systems of a `mountinfo` file, parents before what is mounted in them; of several at one place the one that is seen.
pub(in crate::shim) fn parse(text: &str) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for mount in text.lines().filter_map(Mount::parse) {
        mounts.retain(|other| other.point != mount.point);
        mounts.push(mount);
    }
    mounts.sort_by(|a, b| a.point.cmp(&b.point));
    mounts
}

/// The file system that holds `path`.
pub(in crate::shim) fn holding<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts.iter().filter(|mount| path.starts_with(&mount.point)).max_by_key(|mount| mount.point.components().count())
}

/// Blanks and the like are octal numbers there.
fn unescaped(field: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        if let (b'\\', Some(byte)) = (first, octal) {
            bytes.push(byte);
            rest = &tail[3..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 0:25 / /mnt/a\\040b ro,nosuid,nodev,noatime shared:7 - tmpfs tmpfs ro,size=4k
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw
29 27 0:26 / /mnt rw - xfs /dev/vdb rw
30 27 0:27 / /dev rw - tmpfs tmpfs rw
nonsense
";

    #[test]
    fn mounts_are_read_with_their_restrictions_and_the_last_at_a_place_counts() {
        let mounts = parse(TEXT);
        let seen: Vec<_> = mounts.iter().map(|mount| (mount.point.to_str().unwrap(), mount.kind.as_str())).collect();
        assert_eq!(seen, [("/", "ext4"), ("/dev", "tmpfs"), ("/mnt", "xfs"), ("/mnt/a b", "tmpfs")]);
        assert_eq!(mounts[3].restrictions(), MsFlags::MS_NOSUID | MsFlags::MS_NODEV);
        assert_eq!(mounts[3].times(), MsFlags::MS_NOATIME);
        assert_eq!(holding(&mounts, Path::new("/mnt/a b/c")), Some(&mounts[3]));
        assert_eq!(holding(&mounts, Path::new("/mnt/abc")), Some(&mounts[2]));
        assert_eq!(holding(&mounts, Path::new("/usr")), Some(&mounts[0]));
    }
}
