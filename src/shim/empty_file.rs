//! A faked pseudo-file: an empty regular file in its place.
//!
//! Whoever opens it gets a descriptor of an empty file, whoever asks what it is hears of one, and it is no link. Calls that do
//! something else with the path go on as if nothing was.

use std::io;
use std::os::fd::OwnedFd;

use super::sys::{self, Answer, Listener, Notification};
use crate::syscalls::{Sysno, memory};

/// How a call learns of an empty file.
enum Reply {
    /// By a descriptor; flags of open(2).
    Open(u64),
    /// By a `struct stat` at this address.
    Stat(u64),
    /// By a `struct statx` at this address, of the fields in the mask.
    Statx(u64, u64),
    /// By hearing that it may be used.
    Access,
    /// By hearing that it is no link.
    ReadLink,
}

fn reply(call: Sysno, notification: &Notification) -> Option<Reply> {
    let arguments = &notification.arguments;
    let read = &mut |address, buffer: &mut [u8]| sys::read_memory(notification.thread, address, buffer);
    Some(match call.name() {
        "open" => Reply::Open(arguments[1]),
        "openat" => Reply::Open(arguments[2]),
        // The flags are the first field of `struct open_how` (openat2(2)).
        "openat2" => Reply::Open(memory::number(read, arguments[2], 8)?),
        "creat" => Reply::Open(0),
        "stat" | "lstat" => Reply::Stat(arguments[1]),
        "newfstatat" => Reply::Stat(arguments[2]),
        "statx" => Reply::Statx(arguments[4], arguments[3]),
        "access" | "faccessat" | "faccessat2" => Reply::Access,
        "readlink" | "readlinkat" => Reply::ReadLink,
        _ => return None,
    })
}

/// Answers a call that was made on a faked pseudo-file.
pub(super) fn answer(listener: &Listener, call: Sysno, notification: &Notification) -> io::Result<()> {
    let Some(reply) = reply(call, notification) else { return listener.answer(notification.id, Answer::Continue).map(drop) };
    let file: OwnedFd = sys::empty_file()?;
    let written = |address, bytes: &[u8]| {
        let written = sys::write_memory(notification.thread, address, bytes);
        if written { Answer::Zero } else { Answer::Error(libc::EFAULT) }
    };
    let answer = match reply {
        Reply::Open(flags) => {
            let close_on_execute = flags & u64::from(libc::O_CLOEXEC.cast_unsigned()) != 0;
            return listener.answer_with_file(notification.id, &file, close_on_execute);
        }
        Reply::Stat(address) => written(address, &sys::stat_bytes(&file)?),
        Reply::Statx(address, mask) => {
            // The kernel takes 32 bits of the mask.
            #[expect(clippy::cast_possible_truncation, reason = "the upper half of the register does not count")]
            let mask = mask as u32;
            written(address, &sys::statx_bytes(&file, mask)?)
        }
        Reply::Access => Answer::Zero,
        Reply::ReadLink => Answer::Error(libc::EINVAL),
    };
    listener.answer(notification.id, answer).map(drop)
}
