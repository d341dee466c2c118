//! Features as text, and text as features.
//!
//! Pure. The only place that knows how a feature is written; see the module above for the format.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::dimension::{Dimension, Place, Value};
use super::{Feature, catalogue, names};
use crate::syscalls::{Architecture, Sysno};

/// Text that is no feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFeature {
    text: String,
    reason: String,
}

impl fmt::Display for UnknownFeature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is not an argument feature: {}", self.text, self.reason)
    }
}

impl std::error::Error for UnknownFeature {}

/// Whether numbers need the label of their dimension to be understood.
fn is_labelled(call: Sysno) -> bool {
    catalogue::of(call).nth(1).is_some()
}

/// The name of a level of socket options.
pub(in crate::syscalls) fn level_name(level: u64) -> Option<&'static str> {
    names::options::LEVELS.iter().find(|(_, value)| *value == level).map(|(name, _)| *name)
}

/// The text between the parentheses.
pub(super) fn name(feature: Feature) -> Cow<'static, str> {
    let number = match feature.value {
        Value::Named(name) => return Cow::Borrowed(name),
        Value::Unnamed(number) => number,
    };
    let dimension = feature.dimension();
    if let Place::Registers { .. } = dimension.place() {
        let (level, option) = (number >> 32, number & 0xffff_ffff);
        return Cow::Owned(match level_name(level) {
            Some(level) => format!("{level}:{option:#x}"),
            None => format!("{level:#x}:{option:#x}"),
        });
    }
    Cow::Owned(if is_labelled(feature.call) { format!("{}:{number:#x}", dimension.label()) } else { format!("{number:#x}") })
}

fn hexadecimal(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?;
    // The parser would take a sign as well.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// The number that `text` is in this dimension.
fn number(call: Sysno, dimension: &Dimension, text: &str) -> Option<u64> {
    if let Place::Registers { .. } = dimension.place() {
        let (level, option) = text.split_once(':')?;
        let known = names::options::LEVELS.iter().find(|(name, _)| *name == level).map(|(_, value)| *value);
        let (level, option) = (known.or_else(|| hexadecimal(level))?, hexadecimal(option)?);
        return (level >> 32 == 0 && option >> 32 == 0).then_some(level << 32 | option);
    }
    let text = if is_labelled(call) { text.strip_prefix(dimension.label())?.strip_prefix(':')? } else { text };
    hexadecimal(text)
}

/// The value that a number is, if it can be seen here at all: its name, where it has the same one on every architecture.
fn understood(dimension: &Dimension, number: u64) -> Result<Value, &'static str> {
    if !dimension.has_number(number) {
        return Err("the number cannot occur there");
    }
    let names = [Architecture::X86_64, Architecture::Aarch64].map(|architecture| dimension.name(architecture, number));
    match names {
        [Some(x86_64), Some(aarch64)] if x86_64 == aarch64 => Ok(Value::Named(x86_64)),
        [Some(_), Some(_)] => Err("the number has different names on different architectures"),
        _ => Ok(Value::Unnamed(number)),
    }
}

fn parse(text: &str) -> Result<Feature, String> {
    let (call, name) = text.strip_suffix(')').and_then(|text| text.split_once('(')).ok_or("it is not written `call(name)`")?;
    let call: Sysno = call.parse().map_err(|error: crate::syscalls::UnknownSyscall| error.to_string())?;
    for (index, dimension) in catalogue::of(call) {
        if let Some(name) = dimension.all_names().find(|candidate| *candidate == name) {
            return Ok(Feature { call, dimension: index, value: Value::Named(name) });
        }
    }
    for (index, dimension) in catalogue::of(call) {
        if let Some(number) = number(call, dimension, name) {
            let value = understood(dimension, number)?;
            return Ok(Feature { call, dimension: index, value });
        }
    }
    let labels: Vec<_> = catalogue::of(call).map(|(_, dimension)| dimension.label()).collect();
    Err(match labels[..] {
        [] => format!("nothing is told apart within `{call}`"),
        [_, _, ..] if hexadecimal(name).is_some() => {
            format!("a number of `{call}` needs one of the labels {}, as in `{}:{name}`", labels.join(", "), labels[0])
        }
        _ => format!("`{call}` has no `{name}`"),
    })
}

impl fmt::Display for Feature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}({})", self.call(), self.name()))
    }
}

impl FromStr for Feature {
    type Err = UnknownFeature;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| UnknownFeature { text: text.to_owned(), reason })
    }
}

#[cfg(feature = "cli")]
impl serde::Serialize for Feature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "cli")]
impl<'de> serde::Deserialize<'de> for Feature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
