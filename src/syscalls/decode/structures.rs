//! Structures behind pointers, as the manual page of their call describes them.
//!
//! Pure. Offsets are those of 64-bit Linux; where x86_64 and aarch64 differ, it is said.

use super::print::{LIST_LIMIT, Printer, file_mode, flags, one_of, open_flags, signal, signed};
use super::signatures::Kind;
use super::{names, text};
use crate::syscalls::features::names::{events, files, processes};
use crate::syscalls::features::{Place, joined};
use crate::syscalls::{Architecture, Sysno, memory};

/// The little-endian number of so many bytes at an offset of a structure that was read.
pub(super) fn field(structure: &[u8], offset: usize, width: usize) -> u64 {
    let bytes = structure.get(offset..).and_then(|rest| rest.get(..width)).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn timespec(structure: &[u8], offset: usize) -> String {
    let [seconds, nanoseconds] = [offset, offset + 8].map(|offset| field(structure, offset, 8).cast_signed());
    format!("{{tv_sec={seconds}, tv_nsec={nanoseconds}}}")
}

pub(super) fn timeval(structure: &[u8], offset: usize) -> String {
    let [seconds, microseconds] = [offset, offset + 8].map(|offset| field(structure, offset, 8).cast_signed());
    format!("{{tv_sec={seconds}, tv_usec={microseconds}}}")
}

/// A time of `utimensat`, where two numbers of nanoseconds have names (utimensat(2)).
fn file_time(structure: &[u8], offset: usize) -> String {
    match field(structure, offset + 8, 8) {
        0x3fff_ffff => "UTIME_NOW".to_owned(),
        0x3fff_fffe => "UTIME_OMIT".to_owned(),
        _ => timespec(structure, offset),
    }
}

/// Signals without their prefix; of more than half of all, those that are missing.
fn signal_set(set: u64) -> String {
    let (mark, shown) = if set.count_ones() > 32 { ("~", !set) } else { ("", set) };
    let names = (1..=64).filter(|number| shown >> (number - 1) & 1 != 0).map(signal);
    let names: Vec<_> = names.map(|name| name.trim_start_matches("SIG").to_owned()).collect();
    format!("{mark}[{}]", names.join(" "))
}

/// `struct sigaction` as the kernel has it (`asm/signal.h`).
fn action(structure: &[u8]) -> String {
    const WITH_INFORMATION: u64 = 0x4;
    const RESTORER: u64 = 0x0400_0000;
    let [handler, set_flags, restorer, mask] = [0, 8, 16, 24].map(|offset| field(structure, offset, 8));
    let handler = match handler {
        0 => "SIG_DFL".to_owned(),
        1 => "SIG_IGN".to_owned(),
        address => text::address(address),
    };
    let name = if set_flags & WITH_INFORMATION == 0 { "sa_handler" } else { "sa_sigaction" };
    let restorer = if set_flags & RESTORER == 0 { String::new() } else { format!(", sa_restorer={}", text::address(restorer)) };
    let (mask, set_flags) = (signal_set(mask), flags(names::ACTION_FLAGS, set_flags));
    format!("{{{name}={handler}, sa_mask={mask}, sa_flags={set_flags}{restorer}}}")
}

fn limit(value: u64) -> String {
    match value {
        u64::MAX => "RLIM64_INFINITY".to_owned(),
        _ if value > 1024 && value.is_multiple_of(1024) => format!("{}*1024", value / 1024),
        _ => value.to_string(),
    }
}

/// `struct stat`: mode and device of special files stand elsewhere on aarch64 (`asm/stat.h`, `asm-generic/stat.h`).
fn status_of_file(architecture: Architecture, structure: &[u8]) -> String {
    let (mode, device) = match architecture {
        Architecture::X86_64 => (24, 40),
        Architecture::Aarch64 => (16, 32),
    };
    let (mode, device, size) = (field(structure, mode, 4), field(structure, device, 8), field(structure, 48, 8));
    let what = match mode & 0o170_000 {
        0o020_000 | 0o060_000 => {
            // makedev(3)
            let major = device >> 8 & 0xfff | device >> 32 & 0xffff_f000;
            let minor = device & 0xff | device >> 12 & 0xffff_ff00;
            format!("st_rdev=makedev({major:#x}, {minor:#x})")
        }
        _ => format!("st_size={}", size.cast_signed()),
    };
    format!("{{st_mode={}, {what}, ...}}", file_mode(mode))
}

/// How a child ended (wait(2)).
fn end_of_child(status: u64) -> String {
    let (low, high) = (status & 0xff, status >> 8 & 0xff);
    let what = match low {
        0 => format!("WIFEXITED(s) && WEXITSTATUS(s) == {high}"),
        0x7f => format!("WIFSTOPPED(s) && WSTOPSIG(s) == {}", signal(high)),
        0xff if high == 0xff => "WIFCONTINUED(s)".to_owned(),
        _ => {
            let core = if low & 0x80 == 0 { "" } else { " && WCOREDUMP(s)" };
            format!("WIFSIGNALED(s) && WTERMSIG(s) == {}{core}", signal(low & 0x7f))
        }
    };
    format!("[{{{what}}}]")
}

fn lock(structure: &[u8]) -> String {
    let [kind, whence] = [0, 2].map(|offset| field(structure, offset, 2));
    let [start, length] = [8, 16].map(|offset| field(structure, offset, 8).cast_signed());
    let (kind, whence) = (one_of(names::LOCK_KINDS, kind), one_of(files::WHENCE, whence));
    format!("{{l_type={kind}, l_whence={whence}, l_start={start}, l_len={length}}}")
}

impl Printer<'_, '_> {
    /// So many bytes at an address that is not null.
    pub(super) fn block(&mut self, address: u64, size: usize) -> Option<Vec<u8>> {
        (address != 0).then(|| memory::bytes(self.read, address, size)).flatten()
    }

    /// As [`Self::block`], for what the call fills in.
    fn filled(&mut self, address: u64, size: usize) -> Option<Vec<u8>> {
        self.succeeded()?;
        self.block(address, size)
    }

    /// A structure behind a pointer; `None` if it is something else or cannot be read.
    pub(super) fn structure(&mut self, address: u64, kind: Kind) -> Option<String> {
        Some(match kind {
            Kind::IntAt => format!("[{}]", signed(field(&self.block(address, 4)?, 0, 4))),
            Kind::IntOut => format!("[{}]", signed(field(&self.filled(address, 4)?, 0, 4))),
            Kind::LongAt => format!("[{}]", field(&self.block(address, 8)?, 0, 8).cast_signed()),
            Kind::PairOut => {
                let pair = self.filled(address, 8)?;
                format!("[{}, {}]", signed(field(&pair, 0, 4)), signed(field(&pair, 4, 4)))
            }
            Kind::Timespec => timespec(&self.block(address, 16)?, 0),
            Kind::TimespecOut => timespec(&self.filled(address, 16)?, 0),
            Kind::Timeval => timeval(&self.block(address, 16)?, 0),
            Kind::TimevalOut => timeval(&self.filled(address, 16)?, 0),
            Kind::FileTimes => {
                let times = self.block(address, 32)?;
                format!("[{}, {}]", file_time(&times, 0), file_time(&times, 16))
            }
            Kind::Itimerspec => {
                let both = self.block(address, 32)?;
                format!("{{it_interval={}, it_value={}}}", timespec(&both, 0), timespec(&both, 16))
            }
            Kind::Itimerval => {
                let both = self.block(address, 32)?;
                format!("{{it_interval={}, it_value={}}}", timeval(&both, 0), timeval(&both, 16))
            }
            Kind::SignalSet => signal_set(field(&self.block(address, 8)?, 0, 8)),
            Kind::SignalSetOut => signal_set(field(&self.filled(address, 8)?, 0, 8)),
            Kind::Sigaction => action(&self.block(address, 32)?),
            Kind::SigactionOut => action(&self.filled(address, 32)?),
            Kind::Rlimit => limits(&self.block(address, 16)?),
            Kind::RlimitOut => limits(&self.filled(address, 16)?),
            Kind::StatOut => status_of_file(self.architecture, &self.filled(address, 56)?),
            Kind::Flock => lock(&self.block(address, 32)?),
            Kind::FlockOut => lock(&self.filled(address, 32)?),
            // Without a child to tell of, the result is 0 and nothing is filled in.
            Kind::StatusOut => {
                end_of_child(field(&self.succeeded().filter(|pid| *pid != 0).and_then(|_| self.block(address, 4))?, 0, 4))
            }
            Kind::UtsnameOut => {
                const FIELD: usize = 65;
                let names = self.filled(address, 5 * FIELD)?;
                let text = |index: usize| {
                    let bytes = &names[index * FIELD..(index + 1) * FIELD];
                    text::quoted(bytes.split(|byte| *byte == 0).next().unwrap_or_default(), false)
                };
                format!("{{sysname={}, nodename={}, release={}, ...}}", text(0), text(1), text(2))
            }
            Kind::WinsizeOut => {
                let size = self.filled(address, 8)?;
                let [rows, columns, width, height] = [0, 2, 4, 6].map(|offset| field(&size, offset, 2));
                format!("{{ws_row={rows}, ws_col={columns}, ws_xpixel={width}, ws_ypixel={height}}}")
            }
            Kind::OpenHow => self.open_how(address)?,
            Kind::CloneArgs => self.clone_args(address)?,
            Kind::Vector(count) => self.vector(address, self.value(count), u64::MAX)?,
            Kind::VectorOut(count) => {
                let filled = self.succeeded()?;
                self.vector(address, self.value(count), filled)?
            }
            Kind::Poll(count) => self.polled(address, self.value(count) & 0xffff_ffff)?,
            Kind::Event => event(self.architecture, &self.block(address, event_size(self.architecture))?),
            Kind::EventsOut => {
                let count = self.succeeded()?;
                let size = event_size(self.architecture);
                let architecture = self.architecture;
                self.elements(address, count, size, &mut |_, structure| event(architecture, structure))?
            }
            _ => return None,
        })
    }

    /// The first of `count` structures of `size` bytes each.
    fn elements(
        &mut self,
        address: u64,
        count: u64,
        size: usize,
        element: &mut dyn FnMut(&mut Self, &[u8]) -> String,
    ) -> Option<String> {
        if address == 0 {
            return None;
        }
        let shown = usize::try_from(count).unwrap_or(usize::MAX).min(LIST_LIMIT);
        let mut texts = Vec::with_capacity(shown);
        let mut at = address;
        for _ in 0..shown {
            let structure = self.block(at, size)?;
            texts.push(element(self, &structure));
            at = at.checked_add(u64::try_from(size).ok()?)?;
        }
        Some(text::list(texts, u64::try_from(shown) != Ok(count)))
    }

    /// `struct iovec`, of which `filled` bytes have content.
    pub(super) fn vector(&mut self, address: u64, count: u64, filled: u64) -> Option<String> {
        let mut left = filled;
        self.elements(address, count, 16, &mut |printer, structure| {
            let (base, length) = (field(structure, 0, 8), field(structure, 8, 8));
            let content = length.min(left);
            left -= content;
            let content = (base != 0).then(|| printer.bytes(base, content)).flatten();
            format!("{{iov_base={}, iov_len={length}}}", content.unwrap_or_else(|| text::address(base)))
        })
    }

    /// `struct pollfd`.
    fn polled(&mut self, address: u64, count: u64) -> Option<String> {
        let returned = self.succeeded().is_some_and(|ready| ready > 0);
        self.elements(address, count, 8, &mut |_, structure| {
            let descriptor = signed(field(structure, 0, 4));
            let [asked, found] = [4, 6].map(|offset| flags(names::POLL_EVENTS, field(structure, offset, 2)));
            let found = if returned { format!(", revents={found}") } else { String::new() };
            format!("{{fd={descriptor}, events={asked}{found}}}")
        })
    }

    /// `struct open_how` of `linux/openat2.h`.
    fn open_how(&mut self, address: u64) -> Option<String> {
        let how = self.block(address, 24)?;
        let (mode, place) = (field(&how, 8, 8), Place::Memory { argument: 2, offset: 16, width: 8 });
        let resolve = joined(self.architecture, const { Sysno::known("openat2") }, place, field(&how, 16, 8)).unwrap_or_default();
        let mode = if mode == 0 { String::new() } else { format!(", mode={}", text::octal(mode)) };
        Some(format!("{{flags={}{mode}, resolve={resolve}}}", open_flags(self.architecture, field(&how, 0, 8))))
    }

    /// `struct clone_args` of `linux/sched.h`, as far as its first version goes.
    fn clone_args(&mut self, address: u64) -> Option<String> {
        let structure = self.block(address, 64)?;
        let place = Place::Memory { argument: 0, offset: 0, width: 8 };
        let flags =
            joined(self.architecture, const { Sysno::known("clone3") }, place, field(&structure, 0, 8)).unwrap_or_default();
        let mut text = format!("{{flags={flags}");
        for (name, offset) in [("pidfd", 8), ("child_tid", 16), ("parent_tid", 24)] {
            if field(&structure, offset, 8) != 0 {
                text.push_str(&format!(", {name}={}", text::address(field(&structure, offset, 8))));
            }
        }
        let end = match field(&structure, 32, 8) {
            0 => "0".to_owned(),
            number => one_of(processes::SIGNALS, number),
        };
        let [stack, size, storage] = [40, 48, 56].map(|offset| field(&structure, offset, 8));
        text.push_str(&format!(", exit_signal={end}, stack={}, stack_size={}", text::address(stack), text::hexadecimal(size)));
        if storage != 0 {
            text.push_str(&format!(", tls={}", text::address(storage)));
        }
        text.push('}');
        Some(text)
    }
}

fn limits(structure: &[u8]) -> String {
    format!("{{rlim_cur={}, rlim_max={}}}", limit(field(structure, 0, 8)), limit(field(structure, 8, 8)))
}

/// The size of `struct epoll_event`, which x86_64 packs (`linux/eventpoll.h`).
const fn event_size(architecture: Architecture) -> usize {
    match architecture {
        Architecture::X86_64 => 12,
        Architecture::Aarch64 => 16,
    }
}

fn event(architecture: Architecture, structure: &[u8]) -> String {
    let data = field(structure, event_size(architecture) - 8, 8);
    format!("{{events={}, data={data:#x}}}", flags(events::EPOLL_EVENTS, field(structure, 0, 4)))
}
