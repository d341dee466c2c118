//! What an observer remembers: which call each thread is in, and how all of them ended.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use super::reader;
use crate::shim::notify::is_foreign;
use crate::syscalls::{Architecture, Sysno, decode, errno};
use crate::trial::{Ending, ForeignCall, ObservedCall, Trace};

/// A call under way.
#[derive(Debug)]
struct Entry {
    call: Sysno,
    arguments: [u64; 6],
    /// The call as text, where its arguments cannot be looked at any more when it is over.
    made: Option<String>,
    began: Instant,
}

/// Everything recorded so far.
#[derive(Debug)]
pub(super) struct Record {
    /// Whether every call becomes a line.
    lines: bool,
    /// The calls that threads are in.
    entries: HashMap<libc::pid_t, Entry>,
    /// The threads that live.
    living: HashSet<libc::pid_t>,
    threads: u64,
    /// Indexed by number.
    table: HashMap<u64, Sysno>,
    calls: BTreeMap<Sysno, ObservedCall>,
    unknown: BTreeMap<u32, u64>,
    foreign: BTreeMap<ForeignCall, u64>,
    escaped: u64,
}

impl Record {
    pub(super) fn new(lines: bool) -> Self {
        let number = |call: Sysno| Some((u64::from(call.number(Architecture::NATIVE)?), call));
        Self {
            lines,
            entries: HashMap::new(),
            living: HashSet::new(),
            threads: 0,
            table: Sysno::all().filter_map(number).collect(),
            calls: BTreeMap::new(),
            unknown: BTreeMap::new(),
            foreign: BTreeMap::new(),
            escaped: 0,
        }
    }

    /// A process may have been made whose calls are not seen.
    pub(super) fn escaped(&mut self) {
        self.escaped += 1;
    }

    /// Whether the thread was seen, and lives.
    pub(super) fn knows(&self, thread: libc::pid_t) -> bool {
        self.living.contains(&thread)
    }

    fn line(&self, thread: libc::pid_t, text: &str) -> Option<String> {
        self.lines.then(|| format!("[{thread}] {text}"))
    }

    /// A thread was seen, for whatever reason.
    pub(super) fn seen(&mut self, thread: libc::pid_t) -> Option<String> {
        if self.living.insert(thread) {
            self.threads += 1;
        }
        None
    }

    /// A thread makes a call.
    pub(super) fn entry(&mut self, thread: libc::pid_t, architecture: u32, number: u64, arguments: [u64; 6]) -> Option<String> {
        self.seen(thread);
        let small = u32::try_from(number).unwrap_or(u32::MAX);
        if is_foreign(architecture, small) {
            let call = ForeignCall { architecture, number: small };
            *self.foreign.entry(call).or_default() += 1;
            return self.line(thread, &format!("foreign call: {call}"));
        }
        let Some(call) = self.table.get(&number).copied() else {
            *self.unknown.entry(small).or_default() += 1;
            return self.line(thread, &format!("unknown call {small}"));
        };
        let observed = self.calls.entry(call).or_default();
        observed.count += 1;
        // These exchange the memory in which their arguments are, or never return.
        let now = matches!(call.name(), "execve" | "execveat" | "exit" | "exit_group");
        let wanted = self.lines || observed.count == 1;
        let made = (now && wanted).then(|| decode::made(call, &arguments, None, &mut reader(thread)));
        self.entries.insert(thread, Entry { call, arguments, made, began: Instant::now() });
        None
    }

    /// The thread goes on from here: what was done in between is no part of its call's time.
    pub(super) fn released(&mut self, thread: libc::pid_t) {
        if let Some(entry) = self.entries.get_mut(&thread) {
            entry.began = Instant::now();
        }
    }

    /// Its call returns.
    pub(super) fn exit(&mut self, thread: libc::pid_t, result: i64) -> Option<String> {
        let entry = self.entries.remove(&thread)?;
        let took = entry.began.elapsed();
        let text = self.over(thread, &entry, Some(result));
        let observed = self.calls.entry(entry.call).or_default();
        observed.time += took;
        // Restarts are the kernel's own business: the caller never sees them.
        if let Some(number) = errno::error_number(result)
            && !errno::Errno::from_number(number).is_some_and(errno::Errno::is_restart)
        {
            *observed.errors.entry(number).or_default() += 1;
        }
        self.line(thread, &text?)
    }

    /// The text of a call that is over, if anybody wants it; without a result it never returned.
    fn over(&mut self, thread: libc::pid_t, entry: &Entry, result: Option<i64>) -> Option<String> {
        let observed = self.calls.entry(entry.call).or_default();
        if !self.lines && !observed.first.is_empty() {
            return None;
        }
        let made = match &entry.made {
            Some(made) => made.clone(),
            None => decode::made(entry.call, &entry.arguments, result, &mut reader(thread)),
        };
        let text = format!("{made} = {}", decode::outcome(entry.call, &entry.arguments, result));
        if observed.first.is_empty() {
            observed.first.clone_from(&text);
        }
        Some(text)
    }

    /// The thread runs another program, under the id of its process.
    pub(super) fn executed(&mut self, thread: libc::pid_t, former: libc::pid_t) -> Option<String> {
        self.seen(thread);
        if former != thread {
            self.living.remove(&former);
            if let Some(entry) = self.entries.remove(&former) {
                self.entries.insert(thread, entry);
            }
        }
        None
    }

    /// A signal is about to be delivered.
    pub(super) fn signal(&mut self, thread: libc::pid_t, signal: i32) -> Option<String> {
        self.seen(thread);
        self.line(thread, &format!("--- {} ---", signal_name(signal)))
    }

    /// The thread is over, and with the last one its process.
    pub(super) fn ended(&mut self, thread: libc::pid_t, end: &Ending) -> Option<String> {
        self.living.remove(&thread);
        let unfinished = self.entries.remove(&thread).and_then(|entry| self.over(thread, &entry, None));
        let end = match end {
            Ending::Exited(code) => format!("+++ exited with {code} +++"),
            Ending::Signaled(signal) => format!("+++ killed by {signal} +++"),
        };
        let lines: Vec<_> = unfinished.iter().chain([&end]).filter_map(|text| self.line(thread, text)).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// What was recorded; how the main process ended and what it wrote are added by whoever knows.
    pub(super) fn finish(self) -> Trace {
        let Self { threads, escaped, calls, unknown, foreign, .. } = self;
        Trace { threads, escaped, calls, unknown, foreign, ..Trace::default() }
    }
}

fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shim::notify::NATIVE_ABI;

    fn call(name: &str) -> (Sysno, u64) {
        let call: Sysno = name.parse().unwrap();
        (call, u64::from(call.number(Architecture::NATIVE).unwrap()))
    }

    /// The id of no process: nothing can be read of its memory.
    const THREAD: libc::pid_t = 2_000_000_000;

    #[test]
    fn calls_are_counted_with_their_errors_and_the_first_is_kept() {
        let mut record = Record::new(false);
        let (close, number) = call("close");
        for (descriptor, result) in [(3, 0), (4, -9), (5, -9), (6, -512)] {
            assert_eq!(record.entry(THREAD, NATIVE_ABI, number, [descriptor, 0, 0, 0, 0, 0]), None);
            assert_eq!(record.exit(THREAD, result), None);
        }
        let trace = record.finish();
        let observed = &trace.calls[&close];
        assert_eq!((observed.count, observed.first.as_str()), (4, "close(3) = 0"));
        assert_eq!(observed.errors, BTreeMap::from([(9, 2)]), "a restart is no error");
    }

    #[test]
    fn every_call_is_a_line_and_one_that_never_returns_has_no_result() {
        let mut record = Record::new(true);
        let (_, close) = call("close");
        let (_, exit_group) = call("exit_group");
        record.entry(THREAD, NATIVE_ABI, close, [3, 0, 0, 0, 0, 0]);
        assert_eq!(record.exit(THREAD, -9).unwrap(), format!("[{THREAD}] close(3) = -1 EBADF (Bad file descriptor)"));
        record.entry(THREAD, NATIVE_ABI, exit_group, [7, 0, 0, 0, 0, 0]);
        assert_eq!(
            record.ended(THREAD, &Ending::Exited(7)).unwrap(),
            format!("[{THREAD}] exit_group(7) = ?\n[{THREAD}] +++ exited with 7 +++")
        );
        assert_eq!(record.finish().threads, 1);
    }

    #[test]
    fn a_thread_that_executes_a_program_takes_its_call_along() {
        let mut record = Record::new(true);
        let (_, execve) = call("execve");
        record.entry(THREAD, NATIVE_ABI, execve, [0; 6]);
        record.executed(THREAD - 1, THREAD);
        assert!(record.exit(THREAD - 1, 0).unwrap().ends_with(") = 0"));
        assert_eq!(record.exit(THREAD, 0), None);
    }

    #[test]
    fn numbers_of_no_call_and_foreign_ones_are_told_apart() {
        let mut record = Record::new(false);
        record.entry(THREAD, NATIVE_ABI, 999_999, [0; 6]);
        record.entry(THREAD, 0x4000_0003, 20, [0; 6]);
        record.exit(THREAD, 0);
        let trace = record.finish();
        assert_eq!(trace.unknown, BTreeMap::from([(999_999, 1)]));
        assert_eq!(trace.foreign, BTreeMap::from([(ForeignCall { architecture: 0x4000_0003, number: 20 }, 1)]));
        assert!(trace.calls.is_empty());
    }
}
