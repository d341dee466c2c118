//! What can be treated: a call, an argument feature of a call, a pseudo-file.

use std::fmt;
use std::str::FromStr;

use crate::syscalls::Sysno;
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;

/// One thing that an OS may lack; ordered by kind, then as its kind is.
///
/// Its text tells the kinds apart: `openat`, `openat(O_CLOEXEC)`, `/proc/self/status`. It never has a blank, comma, semicolon or
/// equals sign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A system call, whatever its arguments.
    Call(Sysno),
    /// A system call with this in its arguments.
    Feature(Feature),
    /// A path under `/proc`, `/sys` or `/dev`, by whichever call.
    File(PseudoFile),
}

impl Item {
    /// The call, if the item is a whole call.
    #[must_use]
    pub const fn call(self) -> Option<Sysno> {
        match self {
            Self::Call(call) => Some(call),
            Self::Feature(_) | Self::File(_) => None,
        }
    }
}

impl From<Sysno> for Item {
    fn from(call: Sysno) -> Self {
        Self::Call(call)
    }
}

impl From<Feature> for Item {
    fn from(feature: Feature) -> Self {
        Self::Feature(feature)
    }
}

impl From<PseudoFile> for Item {
    fn from(file: PseudoFile) -> Self {
        Self::File(file)
    }
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call) => call.fmt(formatter),
            Self::Feature(feature) => formatter.pad(&feature.to_string()),
            Self::File(file) => file.fmt(formatter),
        }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A text that names no item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownItem(pub String);

impl fmt::Display for UnknownItem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is no system call, argument feature or pseudo-file", self.0.escape_debug())
    }
}

impl std::error::Error for UnknownItem {}

impl Item {
    /// The item of a text that was written before; see [`PseudoFile::recorded`].
    ///
    /// # Errors
    /// If it names none.
    pub fn recorded(text: &str) -> Result<Self, UnknownItem> {
        if text.starts_with('/') {
            return PseudoFile::recorded(text).map(Self::File).map_err(|_| UnknownItem(text.to_owned()));
        }
        text.parse()
    }
}

impl FromStr for Item {
    type Err = UnknownItem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let item = if text.starts_with('/') {
            text.parse().ok().map(Self::File)
        } else if text.contains('(') {
            text.parse().ok().map(Self::Feature)
        } else {
            text.parse().ok().map(Self::Call)
        };
        item.ok_or_else(|| UnknownItem(text.to_owned()))
    }
}

#[cfg(feature = "cli")]
impl serde::Serialize for Item {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "cli")]
impl<'de> serde::Deserialize<'de> for Item {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::recorded(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_tells_the_kinds_apart_and_round_trips() {
        let kind = |text: &str| match text.parse::<Item>().unwrap() {
            Item::Call(_) => "call",
            Item::Feature(_) => "feature",
            Item::File(_) => "file",
        };
        for (text, expected) in [("openat", "call"), ("ioctl(TCGETS)", "feature"), ("/proc/self/status", "file")] {
            assert_eq!(kind(text), expected);
            assert_eq!(text.parse::<Item>().unwrap().to_string(), text);
        }
        for text in ["opanat", "ioctl(TCGET", "/etc/passwd", ""] {
            assert_eq!(text.parse::<Item>(), Err(UnknownItem(text.to_owned())));
        }
    }
}
