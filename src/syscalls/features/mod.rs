//! Argument features: what can be told apart within a call, such as `ioctl(TCGETS)`, `mmap(MAP_ANONYMOUS)` or
//! `rt_sigaction(SIGPIPE)`.
//!
//! First in the flow of data, beside the calls themselves: the shim asks [`seen`] what a call carries, the filter turns
//! [`Feature::condition`] into instructions, everything on the host speaks of [`Feature`]s. Pure.
//!
//! A [`Dimension`] is a place in a call (an argument, or something that an argument points to) and how its bits are read; the
//! `catalogue` lists all of them, and the tables of `names` say what the values are called. A [`Feature`] is one value of one
//! dimension in one call.
//!
//! # Text
//!
//! `CALL(NAME)`. A value without a name is written in hexadecimal, and where the call has several dimensions, with its label:
//! `ioctl(0x5499)`, `socket(domain:0x2d)`. Socket options are `LEVEL:OPTION`: `setsockopt(SOL_SOCKET:SO_REUSEADDR)`,
//! `setsockopt(IPPROTO_TCP:0x63)`. The text never has a blank, comma, semicolon or equals sign. A number that has a
//! name is understood as that name.
//!
//! # What is decided here
//!
//! - A feature is its name, not its number, so it is the same on every architecture (`openat(O_DIRECTORY)` has another bit on
//!   aarch64). Where an architecture does not have it, it has no condition.
//! - Where the kernel takes 32 bits of a register, the upper half is ignored.
//! - Of several names for one value, one was chosen (see `names.list`); the others are not understood.
//! - A query is not told from a change: `rt_sigaction(SIGPIPE)` is a feature of both.
//! - What depends on another argument, such as the flags that `fcntl(F_SETFL)` sets, is no feature.

mod catalogue;
mod dimension;
pub(super) mod names;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;

use self::dimension::Value;
pub use self::dimension::{Dimension, Kind, Place};
pub use self::text::UnknownFeature;
pub(super) use self::text::level_name;
use super::memory::Read;
use super::{Architecture, Sysno, memory};

/// One thing that can be told apart within a call; ordered by call, by dimension as in the catalogue, and by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feature {
    call: Sysno,
    /// Its place in the catalogue.
    dimension: u16,
    value: Value,
}

/// What a register has to hold: `arguments[argument] & mask == value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Test {
    /// Index of the argument.
    pub argument: u8,
    /// The bits that count.
    pub mask: u64,
    /// What they have to be; it has no bits outside the mask.
    pub value: u64,
}

impl Test {
    /// Whether a call with these arguments passes.
    #[must_use]
    pub fn holds(&self, arguments: &[u64; 6]) -> bool {
        arguments.get(usize::from(self.argument)).is_some_and(|argument| argument & self.mask == self.value)
    }
}

/// When a call has a feature.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Condition {
    /// All these tests hold. A filter can decide it.
    Register(Vec<Test>),
    /// The number behind a pointer is as given. Only a supervisor can decide it, and the process can change the memory after
    /// it was looked at.
    Memory {
        /// Index of the argument that points.
        argument: u8,
        /// Distance from there, in bytes.
        offset: u32,
        /// Size of the little-endian number in bytes, at most 8.
        width: u8,
        /// The bits that count.
        mask: u64,
        /// What they have to be.
        value: u64,
        /// What a register has to hold besides, where the kernel looks there only then. A filter can decide this part.
        given: Option<Test>,
    },
}

impl Condition {
    /// Whether a call with these arguments fulfils it. Memory that cannot be read fulfils nothing.
    pub fn holds(&self, arguments: &[u64; 6], read: &mut Read<'_>) -> bool {
        match self {
            Self::Register(tests) => tests.iter().all(|test| test.holds(arguments)),
            Self::Memory { argument, offset, width, mask, value, given } => {
                if given.is_some_and(|test| !test.holds(arguments)) {
                    return false;
                }
                let address = arguments.get(usize::from(*argument)).and_then(|base| base.checked_add(u64::from(*offset)));
                let number = address.and_then(|address| memory::number(read, address, usize::from(*width)));
                number.is_some_and(|number| number & mask == *value)
            }
        }
    }
}

impl Feature {
    /// The call it is a feature of.
    #[must_use]
    pub const fn call(self) -> Sysno {
        self.call
    }

    /// What tells it from the call's other features: the text between the parentheses.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        text::name(self)
    }

    /// Where in the call it is.
    #[must_use]
    pub fn dimension(self) -> &'static Dimension {
        catalogue::DIMENSIONS[usize::from(self.dimension)]
    }

    /// When a call has it on `architecture`; `None` if it never has, because the call or the value does not exist there.
    #[must_use]
    pub fn condition(self, architecture: Architecture) -> Option<Condition> {
        self.call.number(architecture)?;
        self.dimension().condition(architecture, self.value)
    }

    /// Whether a call (of its own [`Feature::call`]) with these arguments has it, on the native architecture.
    ///
    /// Whoever asks often keeps the [`Feature::condition`] instead.
    pub fn matches(self, arguments: &[u64; 6], read: &mut Read<'_>) -> bool {
        self.condition(Architecture::NATIVE).is_some_and(|condition| condition.holds(arguments, read))
    }
}

/// The dimensions of `call`, in the order of its features.
pub fn dimensions(call: Sysno) -> impl Iterator<Item = &'static Dimension> {
    catalogue::of(call).map(|(_, dimension)| dimension)
}

/// The features that `value` at this place of `call` stands for, joined as in C; `None` if the place has none.
pub(super) fn joined(architecture: Architecture, call: Sysno, place: Place, value: u64) -> Option<String> {
    let mut parts = Vec::new();
    let mut rest = 0;
    let mut known = false;
    for dimension in dimensions(call).filter(|dimension| dimension.place() == place) {
        known = true;
        dimension.values(architecture, value, &mut |value| match value {
            Value::Named(name) => parts.push(name.to_owned()),
            Value::Unnamed(number) => rest |= number,
        });
    }
    if rest != 0 {
        parts.push(format!("{rest:#x}"));
    }
    known.then(|| if parts.is_empty() { "0".to_owned() } else { parts.join("|") })
}

/// Whether some features of `call` are behind a pointer, so that two calls with the same arguments can have different ones.
#[must_use]
pub fn reads_memory(call: Sysno) -> bool {
    dimensions(call).any(|dimension| matches!(dimension.place(), Place::Memory { .. }))
}

/// Every feature of `call` that has a name on some architecture.
pub fn named(call: Sysno) -> impl Iterator<Item = Feature> {
    catalogue::of(call).flat_map(move |(index, dimension)| {
        let mut names: Vec<_> = dimension.all_names().collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(move |name| Feature { call, dimension: index, value: Value::Named(name) })
    })
}

/// Every feature that a call with these arguments has, on the native architecture, in their order. Memory that cannot be read
/// has none.
pub fn seen(call: Sysno, arguments: &[u64; 6], read: &mut Read<'_>) -> Vec<Feature> {
    seen_on(Architecture::NATIVE, call, arguments, read)
}

/// As [`seen`], on any architecture.
pub fn seen_on(architecture: Architecture, call: Sysno, arguments: &[u64; 6], read: &mut Read<'_>) -> Vec<Feature> {
    let mut features = Vec::new();
    for (index, dimension) in catalogue::of(call) {
        if let Some(raw) = dimension.raw(arguments, read) {
            dimension.values(architecture, raw, &mut |value| features.push(Feature { call, dimension: index, value }));
        }
    }
    features
}
