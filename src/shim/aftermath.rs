//! Follows threads for a few calls after one that was treated, or, in a trace, after any: what does an app do with the answer?
//!
//! Used by the recorder while every call is notified. A thread is followed after the first few answers to each item only, so the cost is
//! bounded however often a call is made. Results are not known, as a notified call that goes on does not come back here.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::sys::{self, Notification};
use crate::syscalls::{Sysno, decode, memory};
use crate::trial::text::lossless;
use crate::trial::{Aftermath, CALLS_AFTER, Item, NextCall, Treatment, Written, answers_followed};

/// Characters kept of a call.
const CALL_LIMIT: usize = 120;
/// Bytes kept of what is written.
const WRITTEN_LIMIT: usize = 240;
/// Pieces looked at of a `writev`.
const PIECES: u64 = 8;

/// What is being followed.
#[derive(Debug, Clone, Copy)]
enum Followed {
    /// An answer, by its place among the aftermaths.
    Answer(usize),
    /// A use in a trace, by its place among the sequences.
    Use(usize),
}

/// What threads did after calls.
#[derive(Debug, Default)]
pub(super) struct Aftermaths {
    /// By thread.
    followed: HashMap<u32, Vec<Followed>>,
    begun: HashMap<Item, usize>,
    answers: Vec<Aftermath>,
    uses: Vec<(Item, Vec<Sysno>)>,
}

impl Aftermaths {
    /// Notes the call as the next one of its thread, wherever that is followed.
    pub(super) fn follow(&mut self, call: Sysno, treatment: Option<Treatment>, notification: &Notification) {
        let Some(followed) = self.followed.get_mut(&notification.thread) else { return };
        let mut next = None;
        followed.retain(|followed| match *followed {
            Followed::Use(place) => {
                let calls = &mut self.uses[place].1;
                calls.push(call);
                calls.len() < CALLS_AFTER
            }
            Followed::Answer(place) => {
                let next = next.get_or_insert_with(|| NextCall {
                    call,
                    treatment,
                    made: made(call, notification),
                    written: written(call, notification),
                });
                let calls = &mut self.answers[place].next;
                calls.push(next.clone());
                calls.len() < CALLS_AFTER
            }
        });
        if followed.is_empty() {
            self.followed.remove(&notification.thread);
        }
    }

    /// An answer is given to `item`, which `call` is or carries; `process` names the thread.
    pub(super) fn answered(
        &mut self,
        (item, treatment): (Item, Treatment),
        call: Sysno,
        process: &str,
        notification: &Notification,
    ) {
        if self.begins(item) {
            let made = made(call, notification);
            self.followed.entry(notification.thread).or_default().push(Followed::Answer(self.answers.len()));
            self.answers.push(Aftermath { item, treatment, process: process.to_owned(), made, next: Vec::new() });
        }
    }

    /// The kernel runs a call that is or carries `item`.
    pub(super) fn used(&mut self, item: Item, thread: u32) {
        if self.begins(item) {
            self.followed.entry(thread).or_default().push(Followed::Use(self.uses.len()));
            self.uses.push((item, Vec::new()));
        }
    }

    /// Whether the item has not been followed often enough.
    fn begins(&mut self, item: Item) -> bool {
        let begun = self.begun.entry(item).or_default();
        *begun += 1;
        *begun <= answers_followed(item)
    }

    /// The thread ends: another one may get its number.
    pub(super) fn forget_thread(&mut self, thread: u32) {
        self.followed.remove(&thread);
    }

    /// What followed the answers.
    pub(super) fn answers(&self) -> Vec<Aftermath> {
        self.answers.clone()
    }

    /// What followed each item in a trace.
    pub(super) fn sequences(&self) -> BTreeMap<Item, Vec<Vec<Sysno>>> {
        let mut sequences = BTreeMap::<_, Vec<_>>::new();
        for (item, calls) in &self.uses {
            sequences.entry(*item).or_default().push(calls.clone());
        }
        sequences
    }
}

fn made(call: Sysno, notification: &Notification) -> String {
    let read = &mut |address, buffer: &mut [u8]| sys::read_memory(notification.thread, address, buffer);
    let text = decode::made(call, &notification.arguments, None, read);
    match text.char_indices().nth(CALL_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What a `write` or `writev` writes, and where to.
fn written(call: Sysno, notification: &Notification) -> Option<Written> {
    let [descriptor, address, count, ..] = notification.arguments;
    let read = &mut |address, buffer: &mut [u8]| sys::read_memory(notification.thread, address, buffer);
    let piece = |read: &mut memory::Read<'_>, address: u64, length: u64, room: usize| {
        memory::bytes(read, address, usize::try_from(length).unwrap_or(usize::MAX).min(room))
    };
    let bytes = match call.name() {
        "write" => piece(read, address, count, WRITTEN_LIMIT)?,
        "writev" => {
            let mut bytes = Vec::new();
            // `struct iovec`: where, and how much (readv(2)).
            for index in 0..count.min(PIECES) {
                let place = address.checked_add(16 * index)?;
                let begin = memory::number(read, place, 8)?;
                let length = memory::number(read, place.checked_add(8)?, 8)?;
                bytes.extend(piece(read, begin, length, WRITTEN_LIMIT - bytes.len())?);
                if bytes.len() >= WRITTEN_LIMIT {
                    break;
                }
            }
            bytes
        }
        _ => return None,
    };
    let to = match descriptor {
        1 => "stdout".to_owned(),
        2 => "stderr".to_owned(),
        other => {
            let link = fs::read_link(format!("/proc/{}/fd/{other}", notification.thread)).ok()?;
            Some(lossless(link.as_os_str().as_bytes())).filter(|path| path.starts_with('/'))?
        }
    };
    Some(Written { to, text: String::from_utf8_lossy(&bytes).into_owned() })
}
