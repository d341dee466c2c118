//! The vocabulary of system calls: every name Linux has, with its number on each architecture, and what is known of the
//! arguments.
//!
//! First in the flow of data: everything else speaks of [`Sysno`], never of bare numbers. Pure, and part of the shim as well
//! as of the host: it depends on nothing but the standard library. It does not know what a call does.
//!
//! The table comes from the kernel's own headers (`generate.sh` beside this file) and holds the calls up to Linux 6.18,
//! those above 334 included.
//!
//! - [`features`]: what can be told apart within a call, such as `ioctl(TCGETS)`;
//! - [`paths`]: which arguments are paths, and which paths are pseudo-files;
//! - [`decode`]: a call as a line that a person reads;
//! - [`foreign`]: the calls of other ABIs, which are named and no more;
//! - [`errno`]: the names of errors; [`memory`]: how all of them look at the caller's memory.

pub mod decode;
pub mod errno;
pub mod features;
pub mod foreign;
pub mod memory;
pub mod paths;
mod table;

use std::fmt;
use std::str::FromStr;

use table::TABLE;

/// Bit that the x32 ABI sets in the number of a call (`__X32_SYSCALL_BIT` of `asm/unistd.h`).
pub const X32_BIT: u32 = 0x4000_0000;

/// Whether a number that comes with the ABI of x86_64 is one of x32. Those from `0x8000_0000` on, such as -1, are of no ABI.
#[must_use]
pub const fn is_x32(number: u32) -> bool {
    number & X32_BIT != 0 && number < 2 * X32_BIT
}

/// How many calls there are.
pub(crate) const COUNT: usize = TABLE.len();

/// Compares as `Ord` does, which cannot be asked while the program is compiled.
const fn compare(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    let mut at = 0;
    while at < left.len() && at < right.len() {
        if left[at] != right[at] {
            return if left[at] < right[at] { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
        }
        at += 1;
    }
    if left.len() == right.len() {
        std::cmp::Ordering::Equal
    } else if left.len() < right.len() {
        std::cmp::Ordering::Less
    } else {
        std::cmp::Ordering::Greater
    }
}

/// The calls of these names, as a table wants them.
macro_rules! calls {
    ($($name:literal),+ $(,)?) => {
        &const { [$(crate::syscalls::Sysno::known($name)),+] }
    };
}
use calls;

/// A processor architecture whose system calls Loupe knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// 64-bit x86 (the native ABI, not i386 and not x32).
    X86_64,
    /// 64-bit ARM.
    Aarch64,
}

impl Architecture {
    /// The architecture this program was built for, which is also that of the embedded shim.
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Self = Self::X86_64;
    /// The architecture this program was built for, which is also that of the embedded shim.
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Self = Self::Aarch64;

    /// Its name as `uname -m` prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One Linux system call, identified by its name; ordered by name.
///
/// The same value on every architecture: numbers are looked up with [`Sysno::number`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sysno(u16);

impl Sysno {
    /// The call of that name, or `None` if Linux has none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let index = TABLE.binary_search_by(|(candidate, _, _)| (*candidate).cmp(name)).ok()?;
        u16::try_from(index).ok().map(Self)
    }

    /// The call of that name, for tables: a name that Linux does not have stops the compiler, not the program.
    const fn known(name: &str) -> Self {
        let (mut low, mut high) = (0, TABLE.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match compare(TABLE[middle].0.as_bytes(), name.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                #[expect(clippy::cast_possible_truncation, reason = "the table has fewer than 65536 calls")]
                std::cmp::Ordering::Equal => return Self(middle as u16),
            }
        }
        panic!("invariant: a table of this module names a call that Linux does not have")
    }

    /// Its place among all calls, below [`COUNT`].
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The call at a place below [`COUNT`].
    pub(crate) fn at(index: usize) -> Option<Self> {
        u16::try_from(index).ok().filter(|_| index < COUNT).map(Self)
    }

    /// The call with that number on `architecture`, or `None` if the table has none.
    #[must_use]
    pub fn from_number(architecture: Architecture, number: u32) -> Option<Self> {
        Self::all().find(|call| call.number(architecture) == Some(number))
    }

    /// The kernel's name of the call, as in `man 2`.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE[usize::from(self.0)].0
    }

    /// Its number on `architecture`, or `None` where it does not exist (`open` on aarch64).
    #[must_use]
    pub fn number(self, architecture: Architecture) -> Option<u32> {
        let (_, x86_64, aarch64) = TABLE[usize::from(self.0)];
        match architecture {
            Architecture::X86_64 => x86_64,
            Architecture::Aarch64 => aarch64,
        }
        .map(u32::from)
    }

    /// Every call of every architecture, in name order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).filter_map(Self::at)
    }
}

impl fmt::Debug for Sysno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for Sysno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that Linux has no system call for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSyscall(pub String);

impl fmt::Display for UnknownSyscall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is not a Linux system call", self.0)
    }
}

impl std::error::Error for UnknownSyscall {}

impl FromStr for Sysno {
    type Err = UnknownSyscall;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::from_name(name).ok_or_else(|| UnknownSyscall(name.to_owned()))
    }
}

#[cfg(feature = "cli")]
impl serde::Serialize for Sysno {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(feature = "cli")]
impl<'de> serde::Deserialize<'de> for Sysno {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_by_name_without_duplicates() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn numbers_are_unique_on_each_architecture() {
        for architecture in [Architecture::X86_64, Architecture::Aarch64] {
            let mut numbers: Vec<_> = Sysno::all().filter_map(|call| call.number(architecture)).collect();
            let count = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), count, "{architecture}");
        }
    }

    #[test]
    fn calls_above_334_are_known() {
        for (name, number) in
            [("clone3", 435), ("openat2", 437), ("faccessat2", 439), ("io_uring_setup", 425), ("file_setattr", 469)]
        {
            let call = Sysno::from_name(name).unwrap();
            for architecture in [Architecture::X86_64, Architecture::Aarch64] {
                assert_eq!(call.number(architecture), Some(number));
                assert_eq!(Sysno::from_number(architecture, number), Some(call));
            }
        }
    }

    #[test]
    fn table_agrees_with_the_numbers_libc_knows() {
        for (name, number) in [
            ("read", libc::SYS_read),
            ("execve", libc::SYS_execve),
            ("rt_sigsuspend", libc::SYS_rt_sigsuspend),
            ("newfstatat", libc::SYS_newfstatat),
            ("exit_group", libc::SYS_exit_group),
            ("seccomp", libc::SYS_seccomp),
            ("clone3", libc::SYS_clone3),
            ("futex_waitv", libc::SYS_futex_waitv),
        ] {
            let expected = u32::try_from(number).unwrap();
            assert_eq!(Sysno::from_name(name).unwrap().number(Architecture::NATIVE), Some(expected), "{name}");
        }
    }

    #[test]
    fn unknown_names_are_refused_with_the_name() {
        assert_eq!("futimensat".parse::<Sysno>().unwrap_err().to_string(), "`futimensat` is not a Linux system call");
    }
}
