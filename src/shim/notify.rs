//! The supervisor's other half: a thread that receives every notified call, records it, and answers it.
//!
//! It blocks in the kernel while nothing happens; two system calls are its whole cost per notified call, as reading
//! `/proc` for the caller's name is done once per thread and program.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::processes::{self, Processes};
use super::sys::{self, Answer, Listener, Notification};
use crate::filter;
use crate::syscalls::{Architecture, Sysno};
use crate::trial::{CallLog, CallStatistics, ForeignCall, Intervention, SAMPLES_PER_CALL, Treatment, Watch};

/// `AUDIT_ARCH_*` of the native ABI (`linux/audit.h`).
const NATIVE_ABI: u32 = match Architecture::NATIVE {
    Architecture::X86_64 => 0xc000_003e,
    Architecture::Aarch64 => 0xc000_00b7,
};

/// Numbers from here on are another ABI (x32) or none.
const NUMBER_LIMIT: u32 = 0x4000_0000;

/// What a notified call means beside being counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Ordinary,
    /// Makes a process (or a thread).
    Birth,
    /// Changes the program, and so the name, of the caller.
    Execute,
    /// Collects a child: the last look at it.
    Collect,
    /// Ends the process.
    EndProcess,
    /// Ends the thread; with the last thread the process.
    EndThread,
}

/// What is known of a call number.
#[derive(Debug, Clone, Copy)]
struct Known {
    call: Sysno,
    treatment: Option<Treatment>,
    role: Role,
}

/// How often one call was made, in the form that is cheap to count in.
#[derive(Debug, Default)]
struct Counter {
    /// Indexed by interned process name.
    by_process: Vec<u64>,
    samples: Vec<[u64; 6]>,
}

/// Everything recorded so far.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    names: Vec<String>,
    /// Which name the thread's process has.
    threads: HashMap<u32, usize>,
    calls: HashMap<Sysno, Counter>,
    unknown: BTreeMap<u32, u64>,
    foreign: BTreeMap<ForeignCall, u64>,
}

impl Recorder {
    fn name_index(&mut self, thread: u32) -> usize {
        if let Some(index) = self.threads.get(&thread) {
            return *index;
        }
        let name = fs::read_to_string(format!("/proc/{thread}/comm"));
        let name = name.map_or_else(|_| format!("thread {thread}"), |name| name.trim_end_matches('\n').to_owned());
        let index = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        self.threads.insert(thread, index);
        index
    }

    fn count(&mut self, call: Sysno, notification: &Notification) {
        let index = self.name_index(notification.thread);
        let counter = self.calls.entry(call).or_default();
        if counter.by_process.len() <= index {
            counter.by_process.resize(index + 1, 0);
        }
        counter.by_process[index] += 1;
        if counter.samples.len() < SAMPLES_PER_CALL && !counter.samples.contains(&notification.arguments) {
            counter.samples.push(notification.arguments);
        }
    }

    /// What was recorded, in the form that is reported.
    pub(super) fn log(&self) -> CallLog {
        let statistics = |counter: &Counter| {
            let named = self.names.iter().cloned().zip(counter.by_process.iter().copied());
            CallStatistics {
                count: counter.by_process.iter().sum(),
                processes: named.filter(|(_, count)| *count > 0).collect(),
                samples: counter.samples.clone(),
            }
        };
        CallLog {
            calls: self.calls.iter().map(|(call, counter)| (*call, statistics(counter))).collect(),
            unknown: self.unknown.clone(),
            foreign: self.foreign.clone(),
        }
    }
}

/// What both halves of the supervisor share.
#[derive(Debug)]
pub(super) struct Shared {
    recorder: Mutex<Recorder>,
    processes: Mutex<Processes>,
    failure: Mutex<Option<io::Error>>,
}

/// A poisoned lock means that the other half panicked, which is reported by the panic hook; the data is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(processes: Processes) -> Self {
        Self { recorder: Mutex::default(), processes: Mutex::new(processes), failure: Mutex::new(None) }
    }

    pub(super) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        lock(&self.recorder)
    }

    pub(super) fn processes(&self) -> MutexGuard<'_, Processes> {
        lock(&self.processes)
    }

    /// Why the notifier gave up, if it did.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        lock(&self.failure).take()
    }
}

/// Answers the app's notified calls until there are none left.
#[derive(Debug)]
pub(super) struct Notifier {
    listener: Listener,
    watch: Watch,
    /// Indexed by call number.
    known: Vec<Option<Known>>,
    shared: Arc<Shared>,
}

impl Notifier {
    pub(super) fn new(listener: Listener, intervention: &Intervention, watch: Watch, shared: Arc<Shared>) -> Self {
        let mut known = Vec::new();
        let lifecycle = filter::lifecycle(Architecture::NATIVE);
        for call in Sysno::all() {
            let Some(number) = call.number(Architecture::NATIVE) else { continue };
            let index = usize::try_from(number).expect("invariant: call numbers are small");
            if known.len() <= index {
                known.resize(index + 1, None);
            }
            let role = if lifecycle.contains(&call) { role(call) } else { Role::Ordinary };
            known[index] = Some(Known { call, treatment: intervention.get(call), role });
        }
        Self { listener, watch, known, shared }
    }

    /// Serves until the listener fails, which it does when the last process of the app is gone.
    pub(super) fn run(&self) {
        self.listener.wake_up_synchronously(true);
        loop {
            let served = match self.listener.receive() {
                Ok(Some(notification)) => self.serve(&notification),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                *lock(&self.shared.failure) = Some(error);
                return;
            }
        }
    }

    fn serve(&self, notification: &Notification) -> io::Result<()> {
        let foreign = notification.architecture != NATIVE_ABI || notification.number >= NUMBER_LIMIT;
        let index = usize::try_from(notification.number).unwrap_or(usize::MAX);
        let known = if foreign { None } else { self.known.get(index).copied().flatten() };
        let Some(Known { call, treatment, role }) = known else {
            let mut recorder = self.shared.recorder();
            if foreign {
                let call = ForeignCall { architecture: notification.architecture, number: notification.number };
                *recorder.foreign.entry(call).or_default() += 1;
            } else {
                *recorder.unknown.entry(notification.number).or_default() += 1;
            }
            drop(recorder);
            return self.listener.answer(notification.id, Answer::Continue).map(drop);
        };
        if self.watch == Watch::Everything || treatment.is_some() {
            self.shared.recorder().count(call, notification);
        }
        let answer = match treatment {
            Some(Treatment::Stub) => Answer::Error(libc::ENOSYS),
            Some(Treatment::Fake) => Answer::Zero,
            None => {
                self.prepare(role, notification);
                Answer::Continue
            }
        };
        if treatment.is_none() && role == Role::Birth && !makes_a_thread(notification) {
            return self.attend_birth(notification);
        }
        self.listener.answer(notification.id, answer).map(drop)
    }

    /// What has to be noted before the kernel runs the call.
    fn prepare(&self, role: Role, notification: &Notification) {
        match role {
            Role::Ordinary | Role::Birth => {}
            Role::Execute => {
                self.shared.recorder().threads.remove(&notification.thread);
            }
            Role::Collect => {
                // A zombie that this call is going to reap can still be looked at now.
                let _ = self.shared.processes().scan();
            }
            Role::EndProcess => {
                if let Some((process, _)) = processes::process_of_thread(notification.thread) {
                    self.shared.processes().ends_itself(process);
                }
                self.shared.recorder().threads.remove(&notification.thread);
            }
            Role::EndThread => {
                if let Some((process, 1)) = processes::process_of_thread(notification.thread) {
                    self.shared.processes().ends_itself(process);
                }
                self.shared.recorder().threads.remove(&notification.thread);
            }
        }
    }

    /// Has a process made, and takes note of it right then: one that dies soon and that nobody collects is seen only now.
    fn attend_birth(&self, notification: &Notification) -> io::Result<()> {
        let parent = processes::process_of_thread(notification.thread);
        self.listener.wake_up_synchronously(false);
        let alive = self.listener.answer(notification.id, Answer::Continue)?;
        if alive && let Some((process, _)) = parent {
            self.find_child(process, notification.thread);
        }
        self.listener.wake_up_synchronously(true);
        Ok(())
    }

    fn find_child(&self, process: i32, thread: u32) {
        let path = format!("/proc/{process}/task/{thread}/children");
        let begin = Instant::now();
        while begin.elapsed() < BIRTH_LIMIT {
            let Ok(children) = fs::read_to_string(&path) else { return };
            let mut processes = self.shared.processes();
            let before = processes.count();
            children.split_whitespace().filter_map(|pid| pid.parse().ok()).for_each(|pid| processes.add(pid));
            if processes.count() > before {
                return;
            }
            drop(processes);
            // The parent may need this very processor to get on with its call.
            std::thread::yield_now();
        }
    }
}

/// How long to look for the child of a call that makes one. It takes a few dozen microseconds once the parent gets a processor,
/// and the call may fail. A child that dies of a signal before it is seen, and whose parent ignores `SIGCHLD`, is overlooked.
const BIRTH_LIMIT: Duration = Duration::from_millis(5);

/// Whether a `clone` or `clone3` makes a thread of the same process: `CLONE_THREAD` in its flags (clone(2)).
fn makes_a_thread(notification: &Notification) -> bool {
    const CLONE_THREAD: u64 = 0x0001_0000;
    let is = |name: &str| Sysno::from_name(name).and_then(|call| call.number(Architecture::NATIVE)) == Some(notification.number);
    let flags = if is("clone") {
        notification.arguments[0]
    } else if is("clone3") {
        // The flags are the first field of `struct clone_args`, behind a pointer.
        sys::read_u64(notification.thread, notification.arguments[0]).unwrap_or(0)
    } else {
        0
    };
    flags & CLONE_THREAD != 0
}

fn role(call: Sysno) -> Role {
    match call.name() {
        "clone" | "clone3" | "fork" | "vfork" => Role::Birth,
        "execve" | "execveat" => Role::Execute,
        "wait4" | "waitid" => Role::Collect,
        "exit_group" => Role::EndProcess,
        "exit" => Role::EndThread,
        _ => Role::Ordinary,
    }
}
