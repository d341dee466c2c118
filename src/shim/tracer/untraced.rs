//! Children that ask not to be traced (`CLONE_UNTRACED`, clone(2)): they are all the same.
//!
//! The bit is taken out of the flags while the kernel runs the call, and put back before parent and child go on, so that neither
//! finds anything changed. The flags of `clone` are in a register, those of `clone3` in memory.
//!
//! A child may stop for the first time before its parent says which child it made. It is held until then, as what is to be put back
//! depends on the parent.

use std::collections::{HashMap, HashSet};
use std::io;

use super::reader;
use crate::shim::notify::{NATIVE_ABI, is_foreign};
use crate::shim::sys::ptrace;
use crate::syscalls::{Architecture, Sysno, foreign, memory};

const CLONE_UNTRACED: u64 = 0x0080_0000;

/// Flags without the bit, for the time of a call.
#[derive(Debug, Clone, Copy)]
struct Changed {
    place: Place,
    /// As they were.
    flags: u64,
}

/// Where the flags of a call are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the first register.
    Register { of_i386: bool },
    /// At this address.
    Memory(u64),
}

impl Changed {
    fn write(self, thread: libc::pid_t, flags: u64) -> io::Result<()> {
        match self.place {
            Place::Register { of_i386 } => ptrace::set_first_argument(thread, of_i386, flags),
            Place::Memory(address) => ptrace::write_word(thread, address, flags),
        }
    }

    /// Makes the flags of a thread what they were. A thread that cannot be reached any more needs them no longer.
    fn put_back(self, thread: libc::pid_t) {
        // On aarch64, the register has the call's result by then.
        if Architecture::NATIVE == Architecture::X86_64 || matches!(self.place, Place::Memory(_)) {
            let _ = self.write(thread, self.flags);
        }
    }
}

/// The calls under way whose flags were changed, and their children.
#[derive(Debug)]
pub(super) struct Untraced {
    /// The numbers of the native calls.
    clone: Option<u32>,
    clone3: Option<u32>,
    /// By the calling thread.
    calls: HashMap<libc::pid_t, Changed>,
    /// Children that were made by such a call and were not seen yet.
    expected: HashMap<libc::pid_t, Changed>,
    /// Children that stand still, as it is not known yet which call made them.
    held: HashSet<libc::pid_t>,
}

impl Untraced {
    pub(super) fn new() -> Self {
        let number = |name| Sysno::from_name(name).and_then(|call| call.number(Architecture::NATIVE));
        Self {
            clone: number("clone"),
            clone3: number("clone3"),
            calls: HashMap::new(),
            expected: HashMap::new(),
            held: HashSet::new(),
        }
    }

    /// Where a call that makes a process has its flags; `None` for any other call.
    fn place(&self, architecture: u32, number: u64, first: u64) -> Option<Place> {
        let number = u32::try_from(number).ok()?;
        if is_foreign(architecture, number) {
            let of_i386 = architecture != NATIVE_ABI;
            return match foreign::name(architecture, number)? {
                "clone" => Some(Place::Register { of_i386 }),
                "clone3" => Some(Place::Memory(first)),
                _ => None,
            };
        }
        if self.clone == Some(number) {
            Some(Place::Register { of_i386: false })
        } else if self.clone3 == Some(number) {
            Some(Place::Memory(first))
        } else {
            None
        }
    }

    /// A thread makes a call. An error says that the call may make a process that is not traced.
    pub(super) fn enter(&mut self, thread: libc::pid_t, architecture: u32, number: u64, arguments: &[u64; 6]) -> io::Result<()> {
        let Some(place) = self.place(architecture, number, arguments[0]) else { return Ok(()) };
        let flags = match place {
            Place::Register { .. } => arguments[0],
            // What cannot be read is an error for the kernel as well.
            Place::Memory(address) => memory::number(&mut reader(thread), address, 8).unwrap_or(0),
        };
        if flags & CLONE_UNTRACED == 0 {
            return Ok(());
        }
        let changed = Changed { place, flags };
        match changed.write(thread, flags & !CLONE_UNTRACED) {
            Ok(()) => {
                self.calls.insert(thread, changed);
                Ok(())
            }
            // It was killed meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The call of a thread made this child. Returns the children that stand still and may go on.
    pub(super) fn made(&mut self, thread: libc::pid_t, child: libc::pid_t) -> Vec<libc::pid_t> {
        let is_held = self.held.remove(&child);
        let changed = self.calls.remove(&thread);
        if let Some(changed) = changed {
            changed.put_back(thread);
            if is_held {
                changed.put_back(child);
            } else {
                self.expected.insert(child, changed);
            }
        }
        let mut released = self.decided();
        released.extend(is_held.then_some(child));
        released
    }

    /// The children that stood still, if nothing is undecided any more.
    fn decided(&mut self) -> Vec<libc::pid_t> {
        if self.calls.is_empty() { self.held.drain().collect() } else { Vec::new() }
    }

    /// A child is seen for the first time: whether it has to stand still.
    pub(super) fn holds(&mut self, child: libc::pid_t) -> bool {
        if let Some(changed) = self.expected.remove(&child) {
            changed.put_back(child);
            return false;
        }
        let undecided = !self.calls.is_empty();
        if undecided {
            self.held.insert(child);
        }
        undecided
    }

    /// The call of a thread returns, or the thread is over. Returns the children that stand still and may go on.
    pub(super) fn leave(&mut self, thread: libc::pid_t) -> Vec<libc::pid_t> {
        self.held.remove(&thread);
        self.expected.remove(&thread);
        let Some(changed) = self.calls.remove(&thread) else { return Vec::new() };
        changed.put_back(thread);
        self.decided()
    }
}
