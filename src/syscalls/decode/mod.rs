//! A call with its arguments and result as a line that a person reads, in the manner of strace(1):
//!
//! ```text
//! openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
//! read(3, "root:x:0:0:root:/root:/bin/bash\n"..., 4096) = 1013
//! mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f5a1c9b2000
//! access("/etc/ld.so.preload", R_OK) = -1 ENOENT (No such file or directory)
//! ```
//!
//! First in the flow of data, beside the calls themselves, for whoever prints a trace. Pure, and for the native architecture: it
//! reads the caller's memory through the function that it is given, and believes nothing of what is there.
//!
//! `signatures` says for each call how many arguments it has and how each is read, `layout` which of them a particular call uses,
//! `print` and its siblings turn them into text.
//!
//! What is decided here:
//!
//! - Names of values are those of the catalogue of [`super::features`]; what is no feature there has its names in `names`.
//! - Bytes that are not printable ASCII are `\xNN`, two digits always (strace has octal numbers of varying length). Of data the
//!   first 32 bytes are shown, of lists the first 16 elements, and `...` stands for the rest; paths are shown whole.
//! - Memory that cannot be read is shown as its address, and so is what the call fills in, until it has returned.
//! - What `poll` found is shown as `revents` within its argument, where strace adds it behind the result.

mod layout;
mod names;
mod print;
mod signatures;
mod sockets;
mod structures;
#[cfg(test)]
mod tests;
mod text;

use self::print::Printer;
use super::errno::{self, Errno};
use super::features::{Place, joined};
use super::memory::Read;
use super::{Architecture, Sysno};

/// How many arguments `call` takes.
#[must_use]
pub fn argument_count(call: Sysno) -> usize {
    signatures::of(call).len()
}

/// The whole line: [`made`], ` = ` and [`outcome`]. The memory is that after the call; without a result it has not returned yet.
///
/// A call that exchanges the memory, such as an `execve` that succeeds, has to be looked at before: see [`made`].
pub fn line(call: Sysno, arguments: &[u64; 6], result: Option<i64>, read: &mut Read<'_>) -> String {
    format!("{} = {}", made(call, arguments, result, read), outcome(call, arguments, result))
}

/// The call with its arguments. What it fills in is shown if its result says that it did so, which is when the memory is to be
/// that after the call.
pub fn made(call: Sysno, arguments: &[u64; 6], result: Option<i64>, read: &mut Read<'_>) -> String {
    let mut printer = Printer { architecture: Architecture::NATIVE, call, arguments, result, read };
    let shown: Vec<_> = layout::of(printer.architecture, call, arguments)
        .into_iter()
        .map(|item| {
            let label = item.label.map(|label| format!("{label}=")).unwrap_or_default();
            format!("{label}{}", printer.argument(item.argument, item.kind))
        })
        .collect();
    format!("{call}({})", shown.join(", "))
}

/// The result: a number, an address where the call gives one, an error with its name and text, or `?` as long as there is none.
#[must_use]
pub fn outcome(call: Sysno, arguments: &[u64; 6], result: Option<i64>) -> String {
    let Some(result) = result else { return "?".to_owned() };
    if let Some(number) = errno::error_number(result) {
        return match Errno::from_number(number) {
            Some(error) if error.is_restart() => format!("? {} ({})", error.name, error.message),
            Some(error) => format!("-1 {} ({})", error.name, error.message),
            None => format!("-1 (error {number})"),
        };
    }
    match call.name() {
        "exit" | "exit_group" => "?".to_owned(),
        "brk" | "mmap" | "mremap" | "shmat" => format!("{result:#x}"),
        "umask" => text::octal(result.cast_unsigned()),
        "fcntl" => flags_of_descriptor(arguments[1], result).unwrap_or_else(|| result.to_string()),
        _ => result.to_string(),
    }
}

/// What `fcntl` answers to the questions for flags.
fn flags_of_descriptor(command: u64, result: i64) -> Option<String> {
    let value = result.cast_unsigned();
    let command = joined(Architecture::NATIVE, const { Sysno::known("fcntl") }, Place::Register(1), command)?;
    let flags = match command.as_str() {
        "F_GETFD" if value != 0 => print::flags(names::DESCRIPTOR_FLAGS, value),
        "F_GETFL" => print::open_flags(Architecture::NATIVE, value),
        _ => return None,
    };
    Some(format!("{value:#x} (flags {flags})"))
}
