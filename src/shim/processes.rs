//! Which processes of the app live, and which died of a signal: also those that their own parent reaps.
//!
//! The supervisor is the init of its pid namespace (or, where there is none of its own, at least the subreaper of its
//! descendants), so it reaps orphans itself and learns their wait status. A worker's status goes to the worker's parent. Three
//! sources tell of it, the best first:
//!
//! 1. a zombie that has not been reaped yet (`exit_code`, the 52nd field of `/proc/[pid]/stat`, proc(5)): its parent's
//!    `wait4` is notified, so there is a look at it before it is gone;
//! 2. its pidfd, which on Linux 6.15 and later still tells the status after the reaping;
//! 3. the notified `exit_group` that every process makes which ends by itself: one that vanished without died of a signal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use super::sys::{self, ProcessHandle};
use crate::trial::text::lossless;
use crate::trial::{Death, Ending};

/// What a death is called whose signal the kernel did not tell.
const UNKNOWN_SIGNAL: &str = "unknown signal";

/// One process of the app.
#[derive(Debug)]
struct Process {
    name: String,
    /// In clock ticks since boot: tells two processes with the same pid apart.
    start: u64,
    handle: Option<ProcessHandle>,
    /// Whether it was seen asking for its own end.
    ending_itself: bool,
    /// Whether its end is already accounted for.
    over: bool,
    /// How long it was seen in uninterruptible sleep: as a rule it waits for a disk then.
    blocked: Duration,
    /// How long its main thread had waited for a processor when it was seen last.
    starved: Duration,
}

/// Which of the processes in `/proc` are the app's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Realm {
    /// All of them: the supervisor has a pid namespace of its own.
    Namespace,
    /// Those that descend from the supervisor, which is their subreaper (prctl(2)).
    Descendants,
}

/// The processes of the app, as far as they were seen.
#[derive(Debug)]
pub(super) struct Processes {
    own_pid: i32,
    realm: Realm,
    known: BTreeMap<i32, Process>,
    deaths: Vec<Death>,
    /// When processes were last looked through.
    scanned: Instant,
    /// Whether there may be processes that were never seen.
    incomplete: bool,
    /// Longest wait, for a processor or a disk, of a process that is gone.
    wait_of_gone: Duration,
}

/// The fields of `/proc/[pid]/stat` that matter here.
struct Stat {
    name: String,
    zombie: bool,
    /// In uninterruptible sleep.
    blocked: bool,
    /// Running, able to, in uninterruptible sleep, or stopped by an observer.
    busy: bool,
    parent: i32,
    start: u64,
    /// User and system time, that of collected children included.
    ticks: u64,
    /// Wait status; 0 if the process lives, ended well, or we may not know.
    exit_code: i32,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name stands in parentheses and may itself hold parentheses, blanks and bytes that are no UTF-8: the last parenthesis closes
    /// it (proc(5)).
    fn parse(content: &[u8]) -> Option<Self> {
        let begin = content.iter().position(|byte| *byte == b'(')?;
        let end = content.iter().rposition(|byte| *byte == b')')?;
        let name = content.get(begin + 1..end)?;
        let fields: Vec<&str> = std::str::from_utf8(&content[end + 1..]).ok()?.split_whitespace().collect();
        // `fields[0]` is the third field of the file.
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            name: lossless(name),
            zombie: matches!(field(3)?, "Z" | "X"),
            blocked: field(3)? == "D",
            busy: matches!(field(3)?, "R" | "D" | "t"),
            parent: field(4)?.parse().ok()?,
            start: field(22)?.parse().ok()?,
            ticks: (14..=17).filter_map(|number| field(number)?.parse::<u64>().ok()).sum(),
            exit_code: field(52).and_then(|code| code.parse().ok()).unwrap_or(0),
        })
    }
}

impl Processes {
    /// `own_pid` is the supervisor, which is no part of the app.
    pub(super) fn new(own_pid: i32, realm: Realm) -> Self {
        Self {
            own_pid,
            realm,
            known: BTreeMap::new(),
            deaths: Vec::new(),
            scanned: Instant::now(),
            incomplete: false,
            wait_of_gone: Duration::ZERO,
        }
    }

    /// Takes note of a process that is known to exist.
    pub(super) fn add(&mut self, pid: i32) {
        if let Some(stat) = Stat::read(pid) {
            self.observe(pid, &stat);
        }
    }

    fn observe(&mut self, pid: i32, stat: &Stat) {
        if self.known.get(&pid).is_some_and(|known| known.start != stat.start) {
            self.vanished(pid);
        }
        let known = self.known.entry(pid).or_insert_with(|| Process {
            name: stat.name.clone(),
            start: stat.start,
            handle: ProcessHandle::open(pid),
            ending_itself: false,
            over: false,
            blocked: Duration::ZERO,
            starved: Duration::ZERO,
        });
        // Of a zombie, too: it is the last chance.
        known.starved = wait_of_thread(format!("/proc/{pid}/schedstat")).unwrap_or(known.starved);
        if !stat.zombie {
            known.name.clone_from(&stat.name);
        } else if !known.over && stat.parent != self.own_pid && stat.exit_code != 0 {
            // Our own zombies are left to `reaped`, which has the status for certain.
            known.over = true;
            let name = known.name.clone();
            self.account(name, Some(stat.exit_code), false);
        }
    }

    /// Looks through `/proc` for processes that came, became zombies, or vanished.
    pub(super) fn scan(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let passed = now - std::mem::replace(&mut self.scanned, now);
        let mut present = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            if let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok())
                && pid != self.own_pid
            {
                present.push(pid);
            }
        }
        if self.realm == Realm::Descendants {
            let descendants = descendants(self.own_pid, &present);
            present.retain(|pid| descendants.contains(pid));
        }
        for pid in &present {
            let Some(stat) = Stat::read(*pid) else { continue };
            self.observe(*pid, &stat);
            if let Some(known) = self.known.get_mut(pid).filter(|_| stat.blocked) {
                known.blocked += passed;
            }
        }
        let gone: Vec<i32> = self.known.keys().copied().filter(|pid| !present.contains(pid)).collect();
        for pid in gone {
            self.vanished(pid);
        }
        Ok(())
    }

    /// Says that a process may have been made that was not seen.
    pub(super) const fn overlooked(&mut self) {
        self.incomplete = true;
    }

    /// Looks at those processes that are over, if all are known and the kernel can say which ones; else at all. For the moment before one of them is
    /// collected: a parent may ask every few microseconds whether there is anything to collect, and as a rule there is nothing.
    pub(super) fn look_at_ended(&mut self) -> io::Result<()> {
        let open = self.known.iter().filter(|(_, process)| !process.over);
        let handles: Option<Vec<_>> = open.map(|(pid, process)| Some((*pid, process.handle.as_ref()?))).collect();
        let Some(handles) = handles.filter(|_| !self.incomplete) else { return self.scan() };
        let ended = sys::ended(&handles.iter().map(|(_, handle)| *handle).collect::<Vec<_>>())?;
        let ended: Vec<_> = ended.into_iter().map(|place| handles[place].0).collect();
        for pid in ended {
            self.add(pid);
        }
        Ok(())
    }

    fn vanished(&mut self, pid: i32) {
        if let Some(process) = self.remove(pid)
            && !process.over
        {
            let status = process.handle.as_ref().and_then(ProcessHandle::exit_status);
            self.account(process.name, status, process.ending_itself);
        }
    }

    fn remove(&mut self, pid: i32) -> Option<Process> {
        let process = self.known.remove(&pid)?;
        self.wait_of_gone = self.wait_of_gone.max(process.starved).max(process.blocked);
        Some(process)
    }

    /// The process asked for its own end.
    pub(super) fn ends_itself(&mut self, pid: i32) {
        if !self.known.contains_key(&pid) {
            self.add(pid);
        }
        if let Some(process) = self.known.get_mut(&pid) {
            process.ending_itself = true;
        }
    }

    /// The supervisor reaped the process, with this wait status.
    pub(super) fn reaped(&mut self, pid: i32, status: i32) -> Ending {
        let process = self.remove(pid);
        if process.as_ref().is_none_or(|process| !process.over) {
            let name = process.map_or_else(|| format!("pid {pid}"), |process| process.name);
            self.account(name, Some(status), false);
        }
        ending(status)
    }

    fn account(&mut self, process: String, status: Option<i32>, ended_itself: bool) {
        let signal = match status.map(ending) {
            Some(Ending::Exited(_)) => return,
            Some(Ending::Signaled(signal)) => signal,
            None if ended_itself => return,
            None => UNKNOWN_SIGNAL.to_owned(),
        };
        self.deaths.push(Death { process, signal });
    }

    /// The processes that live, zombies left out.
    pub(super) fn living(&self) -> Vec<i32> {
        self.known.keys().copied().filter(|pid| Stat::read(*pid).is_some_and(|stat| !stat.zombie)).collect()
    }

    /// The names of the processes, as far as they are known.
    pub(super) fn names(&self, pids: &[i32]) -> Vec<String> {
        let mut names: Vec<_> = pids.iter().filter_map(|pid| Some(self.known.get(pid)?.name.clone())).collect();
        names.sort();
        names
    }

    /// Longest time that one of the processes, also of those that are gone, waited for a disk or for a processor, as far as its main
    /// thread tells.
    pub(super) fn longest_wait(&self) -> Duration {
        let waits = self.known.values().map(|process| process.blocked.max(process.starved));
        waits.fold(self.wait_of_gone, Duration::max)
    }

    /// How many processes are known, zombies included.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// The deaths by signal so far.
    pub(super) fn deaths(&self) -> &[Death] {
        &self.deaths
    }
}

/// Those of the processes that descend from `ancestor`.
fn descendants(ancestor: i32, pids: &[i32]) -> BTreeSet<i32> {
    let parents: Vec<_> = pids.iter().filter_map(|pid| Some((*pid, Stat::read(*pid)?.parent))).collect();
    let mut found = BTreeSet::from([ancestor]);
    loop {
        let before = found.len();
        found.extend(parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(pid, _)| *pid).collect::<Vec<_>>());
        if found.len() == before {
            found.remove(&ancestor);
            return found;
        }
    }
}

/// Open files of the processes, of which some may be gone; `None` if one of them may not be looked into.
pub(super) fn open_files(pids: &[i32]) -> Option<u64> {
    let of_process = |pid: &i32| match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(files) => Some(files.count() as u64),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(0),
        Err(_) => None,
    };
    pids.iter().map(of_process).sum()
}

/// Whether a thread of the processes runs, waits for a processor or, as a rule, for a disk.
pub(super) fn run(pids: &[i32]) -> bool {
    let threads = pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok()).flatten().flatten();
    let mut states = threads.filter_map(|thread| {
        let stat = fs::read(thread.path().join("stat")).ok()?;
        // The state stands behind the name, which may hold parentheses and blanks itself (proc(5)).
        stat.get(stat.iter().rposition(|byte| *byte == b')')? + 2).copied()
    });
    states.any(|state| matches!(state, b'R' | b'D'))
}

/// Every process that can be seen but this one; none where `/proc` can't be read.
pub(super) fn others() -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|pid| *pid != own).collect()
}

/// Longest time that a thread of the processes waited for a processor while it could have run: the second field of
/// `/proc/[pid]/task/[tid]/schedstat`, in nanoseconds (`Documentation/scheduler/sched-stats.rst`). Zero where the kernel doesn't tell.
pub(super) fn starved(pids: &[i32]) -> Duration {
    let threads = pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok()).flatten().flatten();
    threads.filter_map(|thread| wait_of_thread(thread.path().join("schedstat"))).max().unwrap_or_default()
}

/// Time that the threads of this process have waited for a processor, added up.
pub(super) fn own_wait() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads.filter_map(|thread| wait_of_thread(thread.path().join("schedstat"))).sum()
}

/// Whether a thread of the processes runs, or would if it got a processor or what it waits for on a disk; or stands still for an observer.
pub(super) fn are_busy(pids: &[i32]) -> bool {
    let threads = pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok()).flatten().flatten();
    threads.filter_map(|thread| Stat::parse(&fs::read(thread.path().join("stat")).ok()?)).any(|stat| stat.busy)
}

fn wait_of_thread(schedstat: impl AsRef<std::path::Path>) -> Option<Duration> {
    let nanoseconds = fs::read_to_string(schedstat).ok()?.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// Processor time of the processes and of those of their children that they have collected: the 14th to 17th field of
/// `/proc/[pid]/stat` (proc(5)).
pub(super) fn processor_time(pids: &[i32]) -> Duration {
    let ticks = pids.iter().filter_map(|pid| Stat::read(*pid)).map(|stat| stat.ticks).sum::<u64>();
    // USER_HZ, which is 100 on every architecture that Loupe knows (`asm-generic/param.h`).
    Duration::from_millis(ticks * 10)
}

/// Highest resident set of any of the processes in KiB (`VmHWM` of `/proc/[pid]/status`).
pub(super) fn peak_rss_kib(pids: &[i32]) -> u64 {
    pids.iter().filter_map(|pid| status_field(*pid, "VmHWM:")).max().unwrap_or(0)
}

/// The process a thread belongs to, and how many threads that has.
pub(super) fn process_of_thread(thread: u32) -> Option<(i32, u64)> {
    let thread = i32::try_from(thread).ok()?;
    Some((i32::try_from(status_field(thread, "Tgid:")?).ok()?, status_field(thread, "Threads:")?))
}

fn status_field(pid: i32, field: &str) -> Option<u64> {
    // The name in its first line may be no UTF-8.
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A wait status (wait(2)) in words.
pub(super) fn ending(status: i32) -> Ending {
    match status & 0x7f {
        0 => Ending::Exited((status >> 8) & 0xff),
        number => Ending::Signaled(signal_name(number)),
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

    #[test]
    fn stat_of_a_process_with_an_unkind_name_is_read() {
        let mut fields = vec!["0"; 49];
        fields[0] = "1"; // ppid
        fields[18] = "4242"; // starttime, field 22
        fields[48] = "139"; // exit_code, field 52
        let parse = |text: &str| Stat::parse(text.as_bytes());
        let stat = parse(&format!("7 (a) Z (b) Z {}\n", fields.join(" "))).unwrap();
        assert_eq!(stat.name, "a) Z (b");
        assert_eq!((stat.zombie, stat.blocked, stat.parent, stat.start, stat.exit_code), (true, false, 1, 4242, 139));
        let blocked = parse(&format!("7 (fio) D {}\n", fields.join(" "))).unwrap();
        assert!(blocked.blocked && !blocked.zombie);
        let latin = [b"7 (caf\xe9) Z ".as_slice(), fields.join(" ").as_bytes()].concat();
        let latin = Stat::parse(&latin).unwrap();
        assert_eq!((latin.name.as_str(), latin.zombie, latin.exit_code), ("caf\\xE9", true, 139));
    }

    #[test]
    fn wait_status_is_put_into_words() {
        assert_eq!(ending(3 << 8), Ending::Exited(3));
        assert_eq!(ending(11), Ending::Signaled("SIGSEGV".into()));
        assert_eq!(ending(0x80 | 6), Ending::Signaled("SIGABRT".into()));
        assert_eq!(ending(40), Ending::Signaled("signal 40".into()));
    }

    #[test]
    fn a_process_that_vanished_without_asking_for_its_end_died_of_a_signal() {
        let process = |ending_itself| Process {
            name: "worker".into(),
            start: 1,
            handle: None,
            ending_itself,
            over: false,
            blocked: Duration::ZERO,
            starved: Duration::ZERO,
        };
        let mut processes = Processes::new(1, Realm::Namespace);
        processes.known.insert(1_000_001, process(true));
        processes.known.insert(1_000_002, process(false));
        processes.scan().unwrap();
        assert_eq!(processes.deaths(), [Death { process: "worker".into(), signal: UNKNOWN_SIGNAL.into() }]);
    }

    #[test]
    fn the_wait_of_a_process_that_is_gone_is_remembered() {
        let waited = |starved, blocked| Process {
            name: "worker".into(),
            start: 1,
            handle: None,
            ending_itself: true,
            over: false,
            blocked: Duration::from_millis(blocked),
            starved: Duration::from_millis(starved),
        };
        let mut processes = Processes::new(1, Realm::Namespace);
        processes.known.insert(1_000_001, waited(700, 0));
        processes.known.insert(1_000_002, waited(0, 900));
        processes.vanished(1_000_001);
        processes.vanished(1_000_002);
        assert_eq!(processes.longest_wait(), Duration::from_millis(900));
        processes.known.insert(1_000_003, waited(1200, 0));
        processes.reaped(1_000_003, 0);
        assert_eq!((processes.longest_wait(), processes.count()), (Duration::from_millis(1200), 0));
    }
}
