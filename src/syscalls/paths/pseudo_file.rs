//! Paths under `/proc`, `/sys` and `/dev`, without what differs from run to run.
//!
//! Pure text: nothing is looked up, links are not followed. That is exact for what programs ask for, and differs from the kernel
//! only where `..` follows a link (`/sys/class/net/eth0/..`).
//!
//! # What is replaced
//!
//! | where | what | by |
//! |---|---|---|
//! | `/proc` | a number | `[pid]`; `self` and `thread-self` stay |
//! | `/proc/*/task` | a number | `[tid]` |
//! | `fd` and `fdinfo` of a process or thread, `/dev/fd` | a number | `[fd]` |
//! | `map_files` of a process | a range of addresses | `[range]` |
//! | `/dev/pts`, `/dev/cpu`, `/dev/vfio`, `/dev/bus/usb`, `/proc/irq`, `/proc/bus/pci`; anywhere in `/sys` | a number | `[n]` |
//! | `/dev/block`, `/dev/char`, `/sys/dev/*`, `/sys/class/*` | numbers such as `8:0` | `[device]` |
//! | `/sys/block`, `/sys/class/block`, `holders` and `slaves` of a disk | the name of a disk | `[disk]` |
//! | `/sys/block/[disk]` | a name such as `sda1` | `[partition]` |
//! | `/sys/class/net`, `conf` and `neigh` of `/proc/sys/net/*`, `/proc/net/dev_snmp6` | the name of an interface | `[interface]`; `lo`, `all` and `default` stay |
//! | anywhere in `/sys` except `/sys/fs` and `/sys/module` | an address on the PCI bus, such as `0000:00:1f.2` | `[pci]` |
//! | `/sys/bus/*/devices` | any other name | `[device]` |
//! | there and in `/dev` | a device's number behind one of the words of `NUMBERED`, such as `cpu0`, `loop7`, `nvme0n1p2` | `cpu[n]` … |
//! | `/dev` | the letters of a disk, and its partition's number | `sd[x]`, `sd[x][n]` |
//! | `/dev/snd`, below `hwmon[n]` and `thermal_zone[n]` | every number in a name | `pcmC[n]D[n]p`, `temp[n]_input` |
//! | `/dev/shm`, `/dev/mqueue`, `/dev/hugepages`, `/dev/mapper`, `/dev/disk/*` | a name that somebody gave | `[name]` |
//!
//! Other numbers stay, as they may mean something (`spectre_v2`, `ipv4`, `hugepages-2048kB`). Disks and interfaces lose their whole
//! name where the kernel lists all there are: an app that goes through the list reads the same file of each, and which there are is
//! the machine's affair. For the same reason, `/sys/devices/…/block/sda`, to which `/sys/block/sda` leads and which holds the
//! disk's way through the machine's buses, becomes `/sys/block/[disk]`, and likewise that of an interface `/sys/class/net/[interface]`.
//!
//! A path ends where it leaves the pseudo-file systems: at the links `root`, `cwd`, `exe`, `fd/[fd]` and `map_files/[range]` of a
//! process, and at what is replaced by `[name]`, except below `/dev/disk` and `/dev/mapper`, where nothing is further down.
//!
//! Characters that would need quotes in a table or a list (blanks, commas, semicolons, equals signs, quotes, backslashes, percent
//! signs, and all but ASCII) are written as `%` and two hexadecimal digits per byte.

mod placeholders;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use self::placeholders::{listed, replaced};

/// A path under `/proc`, `/sys` or `/dev`, normalised; ordered as text.
///
/// As small as a pointer: each text exists once, for as long as the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PseudoFile(&'static str);

impl PseudoFile {
    /// The one copy of a normalised text.
    fn of(text: String) -> Self {
        static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        // A set that another thread left while it panicked is whole all the same: it only ever grows.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(text.as_str()) {
            return Self(known);
        }
        let text: &'static str = Box::leak(text.into_boxed_str());
        known.insert(text);
        Self(text)
    }
}

/// The pseudo-file at an absolute path; `None` if there can be none, as elsewhere in the file system.
#[must_use]
pub fn normalise(path: &str) -> Option<PseudoFile> {
    path.starts_with('/').then(|| clean(path.split('/'), &|component| encode(component))).flatten()
}

/// The pseudo-file at a path that is relative to `directory` unless it begins with a slash.
#[must_use]
pub fn normalise_at(directory: &str, path: &str) -> Option<PseudoFile> {
    if path.is_empty() {
        // The kernel refuses it, or takes it for the descriptor itself.
        None
    } else if path.starts_with('/') {
        normalise(path)
    } else {
        normalise(&format!("{directory}/{path}"))
    }
}

impl PseudoFile {
    /// Its text: the path with placeholders.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The pseudo-file of a text that was written before, as it stands there: whoever wrote it may have known fewer placeholders, and
    /// two files that are one by now were two in what was recorded of them.
    ///
    /// # Errors
    /// If it is no text that [`fmt::Display`] could have written.
    pub fn recorded(text: &str) -> Result<Self, NotAPseudoFile> {
        let whole =
            text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|component| !matches!(component, "" | "." | "..")));
        text.parse::<Self>()
            .ok()
            .filter(|_| whole)
            .map(|_| Self::of(text.to_owned()))
            .ok_or_else(|| NotAPseudoFile(text.to_owned()))
    }

    /// Whether an absolute path leads to it.
    #[must_use]
    pub fn matches(self, path: &str) -> bool {
        normalise(path) == Some(self)
    }
}

/// Cleans `.` and `..` lexically and replaces what differs from run to run.
fn clean<'a>(components: impl Iterator<Item = &'a str>, written: &dyn Fn(&str) -> String) -> Option<PseudoFile> {
    let mut kept: Vec<String> = Vec::new();
    for component in components {
        match component {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => {
                let parents: Vec<_> = kept.iter().map(String::as_str).collect();
                let component = replaced(&parents, component).unwrap_or_else(|| written(component));
                kept.push(component);
                let whole: Vec<_> = kept.iter().map(String::as_str).collect();
                if leaves(&whole) {
                    break;
                }
            }
        }
    }
    let whole: Vec<_> = kept.iter().map(String::as_str).collect();
    matches!(whole.first(), Some(&("proc" | "sys" | "dev"))).then(|| PseudoFile::of(format!("/{}", listed(&whole).join("/"))))
}

/// Whether what is further down belongs to another file system.
fn leaves(path: &[&str]) -> bool {
    let of_process = match path {
        ["proc", "self" | "thread-self" | "[pid]", "task", "[tid]", rest @ ..]
        | ["proc", "self" | "thread-self" | "[pid]", rest @ ..] => rest,
        _ => &[],
    };
    matches!(of_process, ["root" | "cwd" | "exe"] | ["fd", "[fd]"] | ["map_files", "[range]"])
        || matches!(path, ["dev", "fd", "[fd]"] | ["dev", "shm" | "mqueue" | "hugepages", "[name]"])
}

/// Whether a byte of a path stands for itself.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b",;=%\"'`\\".contains(&byte)
}

fn encode(component: &str) -> String {
    let mut text = String::with_capacity(component.len());
    for byte in component.bytes() {
        if is_plain(byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text
}

/// Text that names no pseudo-file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAPseudoFile(String);

impl fmt::Display for NotAPseudoFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is not a path under /proc, /sys or /dev", self.0.escape_debug())
    }
}

impl std::error::Error for NotAPseudoFile {}

impl fmt::Display for PseudoFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.0)
    }
}

impl FromStr for PseudoFile {
    type Err = NotAPseudoFile;

    /// Understands what [`fmt::Display`] writes; a path without placeholders is normalised.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.starts_with('/') && text.bytes().all(|byte| is_plain(byte) || byte == b'%');
        let file = plain.then(|| clean(text.split('/'), &str::to_owned)).flatten();
        file.ok_or_else(|| NotAPseudoFile(text.to_owned()))
    }
}

#[cfg(feature = "cli")]
impl serde::Serialize for PseudoFile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

#[cfg(feature = "cli")]
impl<'de> serde::Deserialize<'de> for PseudoFile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::recorded(&text).map_err(serde::de::Error::custom)
    }
}
