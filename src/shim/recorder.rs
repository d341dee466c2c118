//! What the supervisor counts of notified calls, in the form that is cheap to count in. Pure but for reading a thread's name now and then.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::time::{Duration, Instant};

use super::aftermath::Aftermaths;
use super::new_uses::NewUses;
use super::sys::Notification;
use crate::syscalls::Sysno;
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;
use crate::trial::text::lossless;
use crate::trial::{CallLog, CallStatistics, ForeignCall, Item, SAMPLES_PER_CALL, Treatment};

/// How long a name that was read stands for its thread.
const NAME_LIFE: Duration = Duration::from_millis(20);

/// How often one call was made.
#[derive(Debug, Default)]
struct Counter {
    /// Indexed by interned process name.
    by_process: Vec<u64>,
    /// How many calls were counted before the last of these.
    last: u64,
    samples: Vec<[u64; 6]>,
}

/// Everything recorded so far.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    names: Vec<String>,
    /// The name of each thread, as an index, and when it was read: threads may be renamed (`PR_SET_NAME`, prctl(2)).
    threads: HashMap<u32, (usize, Instant)>,
    /// The calls in the order in which they were first made.
    order: Vec<Sysno>,
    calls: HashMap<Sysno, Counter>,
    /// The number of calls counted.
    counted: u64,
    features: HashMap<Feature, u64>,
    files: HashMap<PseudoFile, u64>,
    unknown: BTreeMap<u32, u64>,
    foreign: BTreeMap<ForeignCall, u64>,
    aftermaths: Aftermaths,
    new_uses: Option<NewUses>,
}

impl Recorder {
    fn name_index(&mut self, thread: u32) -> usize {
        if let Some((index, read)) = self.threads.get(&thread)
            && read.elapsed() < NAME_LIFE
        {
            return *index;
        }
        let name = fs::read(format!("/proc/{thread}/comm"));
        let name = name.map_or_else(|_| format!("thread {thread}"), |name| lossless(name.strip_suffix(b"\n").unwrap_or(&name)));
        let index = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        self.threads.insert(thread, (index, Instant::now()));
        index
    }

    /// A thread's name is no longer known: it ends, or becomes another program.
    pub(super) fn forget_thread(&mut self, thread: u32) {
        self.threads.remove(&thread);
    }

    /// A thread ends, and its number may be given to another.
    pub(super) fn end_thread(&mut self, thread: u32) {
        self.forget_thread(thread);
        self.aftermaths.forget_thread(thread);
        if let Some(new_uses) = &mut self.new_uses {
            new_uses.forget_thread(thread);
        }
    }

    /// Notes a call of a run in which every call is notified, after [`Recorder::count`]: as what follows earlier ones, and as what is
    /// followed itself. `carried` is what stands in its arguments.
    pub(super) fn follow(
        &mut self,
        call: Sysno,
        treated: Option<(Item, Treatment)>,
        carried: &[Item],
        has_treatments: bool,
        notification: &Notification,
    ) {
        self.aftermaths.follow(call, treated.map(|(_, treatment)| treatment), notification);
        if let Some(treated) = treated {
            let index = self.name_index(notification.thread);
            self.aftermaths.answered(treated, call, &self.names[index], notification);
        } else if !has_treatments {
            self.aftermaths.used(Item::Call(call), notification.thread);
            for item in carried {
                self.aftermaths.used(*item, notification.thread);
            }
        }
    }

    /// Has the uses of everything noted that is not among `traced`.
    pub(super) fn note_new_uses(&mut self, traced: impl IntoIterator<Item = Item>) {
        self.new_uses = Some(NewUses::new(traced));
    }

    /// What new uses are noted with, if they are.
    pub(super) fn new_uses(&mut self) -> Option<&mut NewUses> {
        self.new_uses.as_mut()
    }

    /// Whether nothing was counted of this thread yet.
    pub(super) fn is_new(&self, thread: u32) -> bool {
        !self.threads.contains_key(&thread)
    }

    pub(super) fn count(&mut self, call: Sysno, notification: &Notification) {
        let index = self.name_index(notification.thread);
        let counter = self.calls.entry(call).or_insert_with(|| {
            self.order.push(call);
            Counter::default()
        });
        if counter.by_process.len() <= index {
            counter.by_process.resize(index + 1, 0);
        }
        counter.by_process[index] += 1;
        counter.last = self.counted;
        self.counted += 1;
        if counter.samples.len() < SAMPLES_PER_CALL && !counter.samples.contains(&notification.arguments) {
            counter.samples.push(notification.arguments);
        }
    }

    /// Counts what stands in the arguments of a call; a call itself is counted with [`Recorder::count`].
    pub(super) fn count_item(&mut self, item: Item) {
        match item {
            Item::Call(_) => {}
            Item::Feature(feature) => *self.features.entry(feature).or_default() += 1,
            Item::File(file) => *self.files.entry(file).or_default() += 1,
        }
    }

    pub(super) fn count_foreign(&mut self, call: ForeignCall) {
        *self.foreign.entry(call).or_default() += 1;
    }

    pub(super) fn count_unknown(&mut self, number: u32) {
        *self.unknown.entry(number).or_default() += 1;
    }

    /// What was recorded, in the form that is reported.
    pub(super) fn log(&self) -> CallLog {
        let mut lasts: Vec<_> = self.calls.values().map(|counter| counter.last).collect();
        lasts.sort_unstable();
        let statistics = |counter: &Counter, first: usize| {
            let later = lasts.iter().rev().take_while(|last| **last > counter.last).count();
            let named = self.names.iter().cloned().zip(counter.by_process.iter().copied());
            CallStatistics {
                count: counter.by_process.iter().sum(),
                first: u32::try_from(first).unwrap_or(u32::MAX),
                last: u32::try_from(later).unwrap_or(u32::MAX),
                processes: named.filter(|(_, count)| *count > 0).collect(),
                samples: counter.samples.clone(),
            }
        };
        let calls =
            self.order.iter().enumerate().filter_map(|(first, call)| Some((*call, statistics(self.calls.get(call)?, first))));
        CallLog {
            calls: calls.collect(),
            features: self.features.iter().map(|(feature, count)| (*feature, *count)).collect(),
            files: self.files.iter().map(|(file, count)| (*file, *count)).collect(),
            unknown: self.unknown.clone(),
            foreign: self.foreign.clone(),
            new_uses: self.new_uses.as_ref().map(NewUses::uses),
            aftermaths: self.aftermaths.answers(),
            sequences: self.aftermaths.sequences(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_ranked_by_their_first_and_by_their_last_use() {
        let mut recorder = Recorder::default();
        for name in ["read", "write", "read", "close"] {
            let call = Sysno::from_name(name).unwrap();
            let thread = std::process::id();
            let notification = Notification { id: 0, thread, architecture: 0, number: 0, arguments: [0; 6] };
            recorder.count(call, &notification);
        }
        let log = recorder.log();
        let of = |name: &str| {
            let statistics = &log.calls[&Sysno::from_name(name).unwrap()];
            (statistics.count, statistics.first, statistics.last)
        };
        assert_eq!((of("read"), of("write"), of("close")), ((2, 0, 1), (1, 1, 2), (1, 2, 0)));
    }
}
