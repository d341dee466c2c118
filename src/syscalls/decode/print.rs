//! Arguments as text: what every kind of argument looks like.
//!
//! Pure. Numbers and text are here; structures and addresses of sockets have files of their own.

use super::signatures::Kind;
use super::{names, text};
use crate::syscalls::features::names::Named;
use crate::syscalls::features::names::{files, processes};
use crate::syscalls::features::{Place, joined, level_name};
use crate::syscalls::memory::{self, PATH_LIMIT, Read};
use crate::syscalls::{Architecture, Sysno, errno};

/// How many elements of a list are shown.
pub(super) const LIST_LIMIT: usize = 16;
/// How many variables of an environment are counted.
const ENVIRONMENT_LIMIT: usize = 1024;
/// The lower half of a register.
const INT: u64 = 0xffff_ffff;

/// One call that is being printed.
pub(super) struct Printer<'a, 'r> {
    pub(super) architecture: Architecture,
    pub(super) call: Sysno,
    pub(super) arguments: &'a [u64; 6],
    /// None before the call has returned.
    pub(super) result: Option<i64>,
    pub(super) read: &'a mut Read<'r>,
}

/// The flags of `table` that are set, and what is left.
pub(super) fn flags(table: &[Named], value: u64) -> String {
    if let Some((name, _)) = table.iter().find(|(_, flag)| *flag == value) {
        return (*name).to_owned();
    }
    let mut parts = Vec::new();
    let mut rest = value;
    for (name, flag) in table {
        if *flag != 0 && value & flag == *flag {
            parts.push((*name).to_owned());
            rest &= !flag;
        }
    }
    if rest != 0 || parts.is_empty() {
        parts.push(text::hexadecimal(rest));
    }
    parts.join("|")
}

/// The name that `table` has for the value.
pub(super) fn one_of(table: &[Named], value: u64) -> String {
    table.iter().find(|(_, candidate)| *candidate == value).map_or_else(|| value.to_string(), |(name, _)| (*name).to_owned())
}

/// Flags as `open` takes them.
pub(super) fn open_flags(architecture: Architecture, value: u64) -> String {
    let flags = joined(architecture, const { Sysno::known("openat") }, Place::Register(2), value);
    flags.expect("invariant: the catalogue has the flags of openat")
}

/// The name of a signal.
pub(super) fn signal(number: u64) -> String {
    one_of(processes::SIGNALS, number)
}

/// Type and permissions of a file.
pub(super) fn file_mode(mode: u64) -> String {
    const KIND: u64 = 0o170_000;
    let kind = match mode & KIND {
        0 => return text::octal(mode),
        0o120_000 => "S_IFLNK".to_owned(),
        kind => files::NODE_KIND
            .iter()
            .find(|(_, value)| *value == kind)
            .map_or_else(|| text::octal(kind), |(name, _)| (*name).to_owned()),
    };
    format!("{kind}|{}", text::octal(mode & !KIND))
}

/// The lower half of a register as a signed number.
pub(super) fn signed(value: u64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "the kernel takes it as an `int`")]
    let value = value as i32;
    value
}

impl Printer<'_, '_> {
    /// The result, if the call has returned without an error.
    pub(super) fn succeeded(&self) -> Option<u64> {
        self.result.filter(|result| errno::error_number(*result).is_none()).map(i64::cast_unsigned)
    }

    /// The argument of this index.
    pub(super) fn value(&self, argument: u8) -> u64 {
        self.arguments[usize::from(argument)]
    }

    /// The text of one argument. What cannot be read is an address.
    pub(super) fn argument(&mut self, argument: u8, kind: Kind) -> String {
        let value = self.value(argument);
        self.number(argument, kind)
            .or_else(|| self.content(argument, kind))
            .or_else(|| self.structure(value, kind))
            .or_else(|| self.socket(value, kind))
            .unwrap_or_else(|| text::address(value))
    }

    fn features(&self, argument: u8) -> Option<String> {
        joined(self.architecture, self.call, Place::Register(argument), self.value(argument))
    }

    /// What is in the register itself.
    fn number(&self, argument: u8, kind: Kind) -> Option<String> {
        let value = self.value(argument);
        Some(match kind {
            Kind::At if signed(value) == -100 => "AT_FDCWD".to_owned(),
            Kind::Id if value & INT == INT => "-1".to_owned(),
            Kind::Fd | Kind::At | Kind::Int => signed(value).to_string(),
            Kind::Unsigned | Kind::Id => (value & INT).to_string(),
            Kind::Long => value.cast_signed().to_string(),
            Kind::Size => value.to_string(),
            Kind::Hex | Kind::FcntlArgument | Kind::IoctlArgument => text::hexadecimal(value),
            Kind::Named if self.call == const { Sysno::known("futex") } => futex_operation(&self.features(argument)?),
            Kind::Named => self.features(argument)?,
            Kind::NamedMode => match (self.features(argument)?.as_str(), text::octal(value & 0o777)) {
                ("0", mode) => mode,
                (flags, mode) => format!("{flags}|{mode}"),
            },
            Kind::Flags(table) => flags(table, value & INT),
            Kind::OneOf(table) => one_of(table, value & INT),
            Kind::Mode => text::octal(value & 0xffff),
            Kind::NodeMode => file_mode(value & 0xffff),
            Kind::Signal => signal(value & INT),
            Kind::OpenFlags => open_flags(self.architecture, value),
            Kind::Protocol => match joined(self.architecture, self.call, Place::Register(0), self.value(0))?.as_str() {
                "AF_INET" | "AF_INET6" => one_of(names::INTERNET_PROTOCOLS, value & INT),
                "AF_NETLINK" => one_of(names::NETLINK_PROTOCOLS, value & INT),
                _ => signed(value).to_string(),
            },
            Kind::Level => level_name(value & INT).map_or_else(|| signed(value).to_string(), str::to_owned),
            Kind::Option => self.option(value & INT),
            _ => return None,
        })
    }

    /// The name of an option at the level that the argument before it gives.
    fn option(&self, value: u64) -> String {
        let place = Place::Registers { high: 1, low: 2 };
        let both = (self.value(1) & INT) << 32 | value;
        let name = joined(self.architecture, self.call, place, both).unwrap_or_default();
        name.split_once(':').map_or_else(|| text::hexadecimal(value), |(_, option)| option.to_owned())
    }

    /// Text and bytes behind a pointer; `None` if it is something else or cannot be read.
    fn content(&mut self, argument: u8, kind: Kind) -> Option<String> {
        let value = self.value(argument);
        if value == 0 {
            return None;
        }
        match kind {
            Kind::Path => self.text(value, PATH_LIMIT),
            Kind::Text => self.text(value, text::DATA_LIMIT),
            Kind::TextOut => {
                self.succeeded()?;
                self.text(value, PATH_LIMIT)
            }
            Kind::Bytes(count) => self.bytes(value, self.value(count)),
            Kind::BytesOut => {
                // The size of the buffer comes next. If it is 0, the result is how much there would be.
                let size = self.value(argument + 1);
                let count = self.succeeded()?.min(size);
                (size > 0).then(|| self.bytes(value, count)).flatten()
            }
            Kind::Strings => {
                let (pointers, more) = self.pointers(value, LIST_LIMIT)?;
                let texts = pointers
                    .into_iter()
                    .map(|pointer| self.text(pointer, text::DATA_LIMIT).unwrap_or_else(|| text::address(pointer)));
                let texts = texts.collect();
                Some(text::list(texts, more))
            }
            Kind::Environment => {
                let (pointers, more) = self.pointers(value, ENVIRONMENT_LIMIT)?;
                let least = if more { "at least " } else { "" };
                Some(format!("{} /* {least}{} vars */", text::address(value), pointers.len()))
            }
            _ => None,
        }
    }

    /// A C string.
    pub(super) fn text(&mut self, address: u64, limit: usize) -> Option<String> {
        let text = memory::text(self.read, address, limit)?;
        Some(text::quoted(&text.bytes, !text.whole))
    }

    /// The first of `count` bytes.
    pub(super) fn bytes(&mut self, address: u64, count: u64) -> Option<String> {
        let shown = usize::try_from(count).unwrap_or(usize::MAX).min(text::DATA_LIMIT);
        let bytes = memory::bytes(self.read, address, shown)?;
        Some(text::quoted(&bytes, u64::try_from(shown) != Ok(count)))
    }

    /// The pointers at `address` up to a null pointer, and whether there are more than `limit`.
    fn pointers(&mut self, address: u64, limit: usize) -> Option<(Vec<u64>, bool)> {
        let mut pointers = Vec::new();
        let mut at = address;
        loop {
            match memory::number(self.read, at, 8)? {
                0 => return Some((pointers, false)),
                _ if pointers.len() == limit => return Some((pointers, true)),
                pointer => pointers.push(pointer),
            }
            at = at.checked_add(8)?;
        }
    }
}

/// The operation of `futex` as its header names it: with a suffix in place of the flag.
fn futex_operation(joined: &str) -> String {
    let mut parts: Vec<_> = joined.split('|').map(str::to_owned).collect();
    if parts[0].starts_with("FUTEX_") && parts.len() > 1 && parts[1] == "FUTEX_PRIVATE_FLAG" {
        parts.remove(1);
        parts[0].push_str("_PRIVATE");
    }
    parts.join("|")
}
