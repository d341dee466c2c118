//! The supervisor's other half: a thread that receives every notified call, records it, and answers it.
//!
//! It blocks in the kernel while nothing happens; two system calls are its whole cost per notified call, as reading
//! `/proc` for the caller's name is done once per thread and program.

use std::cell::Cell;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::empty_file;
use super::processes::{self, Processes};
use super::recorder::Recorder;
use super::sys::{self, Answer, Listener, Notification};
use super::treatments::{self, Treatments};
use crate::filter;
use crate::syscalls::{Architecture, Sysno, is_x32, memory};
use crate::trial::wire::Launch;
use crate::trial::{ForeignCall, Item, Treatment, Watch};

/// `AUDIT_ARCH_*` of the native ABI (`linux/audit.h`).
pub(super) const NATIVE_ABI: u32 = match Architecture::NATIVE {
    Architecture::X86_64 => 0xc000_003e,
    Architecture::Aarch64 => 0xc000_00b7,
};

/// Whether a call goes through another ABI than the native one.
pub(super) fn is_foreign(architecture: u32, number: u32) -> bool {
    architecture != NATIVE_ABI || Architecture::NATIVE == Architecture::X86_64 && is_x32(number)
}

/// What a notified call means beside being counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Ordinary,
    /// Makes a process (or a thread).
    Birth,
    /// Changes the program, and so the name, of the caller.
    Execute,
    /// May change the name of the caller.
    Rename,
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
    role: Role,
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

/// Treated ends of threads and processes that are answered at once: an app has only so many threads.
const PROMPT_ENDINGS: u64 = 1000;
/// How long any further answer takes.
const SLOW_ANSWER: Duration = Duration::from_millis(1);

/// Answers the app's notified calls until there are none left.
#[derive(Debug)]
pub(super) struct Notifier {
    listener: Listener,
    watch: Watch,
    treatments: Treatments,
    /// Indexed by call number.
    known: Vec<Option<Known>>,
    shared: Arc<Shared>,
    /// Treated calls, and those of them that would have ended a thread or process.
    treated: Cell<u64>,
    endings: Cell<u64>,
    /// Treated calls that are answered at once.
    prompt_answers: u64,
}

impl Notifier {
    pub(super) fn new(listener: Listener, launch: &Launch, shared: Arc<Shared>) -> Self {
        let mut known = Vec::new();
        let lifecycle = filter::lifecycle(Architecture::NATIVE);
        for call in Sysno::all() {
            let Some(number) = call.number(Architecture::NATIVE) else { continue };
            let index = usize::try_from(number).expect("invariant: call numbers are small");
            if known.len() <= index {
                known.resize(index + 1, None);
            }
            let role = if lifecycle.contains(&call) || call.name() == "prctl" { role(call) } else { Role::Ordinary };
            known[index] = Some(Known { call, role });
        }
        if let Some(traced) = &launch.traced {
            shared.recorder().note_new_uses(traced.iter().copied());
        }
        Self {
            listener,
            watch: launch.watch,
            treatments: Treatments::new(&launch.intervention),
            known,
            shared,
            treated: Cell::new(0),
            endings: Cell::new(0),
            prompt_answers: launch.prompt_answers.unwrap_or(u64::MAX),
        }
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
        let foreign = is_foreign(notification.architecture, notification.number);
        let index = usize::try_from(notification.number).unwrap_or(usize::MAX);
        let known = if foreign { None } else { self.known.get(index).copied().flatten() };
        let Some(Known { call, role }) = known else {
            if foreign {
                let call = ForeignCall { architecture: notification.architecture, number: notification.number };
                self.shared.recorder().count_foreign(call);
            } else {
                self.shared.recorder().count_unknown(notification.number);
            }
            return self.listener.answer(notification.id, Answer::Continue).map(drop);
        };
        let treated = self.treatments.of(call, notification);
        if treated.is_some() || self.watch == Watch::Everything {
            self.meet(notification.thread);
        }
        if self.watch == Watch::Everything {
            let carried = treatments::carried(call, notification);
            let untreatable: Vec<_> = treatments::untreatable(call, notification).collect();
            let mut recorder = self.shared.recorder();
            recorder.count(call, notification);
            for item in &carried {
                recorder.count_item(*item);
            }
            recorder.follow(call, treated, &carried, !self.treatments.is_empty(), notification);
            if treated.is_none()
                && let Some(new_uses) = recorder.new_uses()
            {
                new_uses.ran(std::iter::once(Item::Call(call)).chain(carried).chain(untreatable), notification.thread);
            }
        } else if let Some((item, _)) = treated {
            let mut recorder = self.shared.recorder();
            recorder.count(call, notification);
            recorder.count_item(item);
        } else {
            self.note_new_call(call, notification);
        }
        if let Some((item, _)) = treated {
            if let Some(new_uses) = self.shared.recorder().new_uses() {
                new_uses.answered(item, notification.thread);
            }
            self.slow_down(role);
        }
        match treated {
            Some((Item::Call(_) | Item::Feature(_), Treatment::Stub)) => self.answer(notification, Answer::Error(libc::ENOSYS)),
            Some((Item::Call(_) | Item::Feature(_), Treatment::Fake)) => self.answer(notification, Answer::Zero),
            Some((Item::File(_), Treatment::Stub)) => self.answer(notification, Answer::Error(libc::ENOENT)),
            Some((Item::File(_), Treatment::Fake)) => empty_file::answer(&self.listener, call, notification),
            None => {
                self.prepare(role, notification);
                if role == Role::Birth && !makes_a_thread(notification) {
                    return self.attend_birth(notification);
                }
                self.answer(notification, Answer::Continue)
            }
        }
    }

    /// Notes a call that goes on although not every call is watched: it may be one that no trace saw.
    fn note_new_call(&self, call: Sysno, notification: &Notification) {
        let looks_into = match self.shared.recorder().new_uses() {
            Some(new_uses) if new_uses.is_new(call) => new_uses.looks_into(call),
            Some(_) | None => return,
        };
        // The caller's memory is read without the lock.
        let mut carried = Vec::new();
        if looks_into {
            carried = treatments::carried(call, notification);
            carried.extend(treatments::untreatable(call, notification));
        }
        if let Some(new_uses) = self.shared.recorder().new_uses() {
            new_uses.ran(std::iter::once(Item::Call(call)).chain(carried), notification.thread);
        }
    }

    /// Takes note of the process of a thread that was never heard of, while it waits for its answer and so is surely there. Its birth
    /// may have been missed where the parent was long without a processor; and what its answer does to it must not be.
    fn meet(&self, thread: u32) {
        if self.shared.recorder().is_new(thread)
            && let Some((process, _)) = processes::process_of_thread(thread)
        {
            self.shared.processes().add(process);
        }
    }

    /// Has who asks for the same again and again wait, as it gets nowhere and takes the processor from the trials beside it: past the
    /// number of answers that the host allows, and always a thread that was not let go (glibc's loop around `exit`). Two of those
    /// stopped a machine with two processors for a minute and a half (fio with `exit` stubbed and faked, Linux 6.18).
    fn slow_down(&self, role: Role) {
        self.treated.set(self.treated.get() + 1);
        let ends = matches!(role, Role::EndProcess | Role::EndThread);
        self.endings.set(self.endings.get() + u64::from(ends));
        if self.treated.get() > self.prompt_answers || ends && self.endings.get() > PROMPT_ENDINGS {
            std::thread::sleep(SLOW_ANSWER);
        }
    }

    fn answer(&self, notification: &Notification, answer: Answer) -> io::Result<()> {
        self.listener.answer(notification.id, answer).map(drop)
    }

    /// What has to be noted before the kernel runs the call.
    fn prepare(&self, role: Role, notification: &Notification) {
        match role {
            Role::Ordinary | Role::Birth => {}
            Role::Rename => self.shared.recorder().forget_thread(notification.thread),
            Role::Execute => {
                self.shared.recorder().forget_thread(notification.thread);
            }
            Role::Collect => {
                // A zombie that this call is going to reap can still be looked at now.
                let _ = self.shared.processes().look_at_ended();
            }
            Role::EndProcess => {
                if let Some((process, _)) = processes::process_of_thread(notification.thread) {
                    self.shared.processes().ends_itself(process);
                }
                self.shared.recorder().end_thread(notification.thread);
            }
            Role::EndThread => {
                if let Some((process, 1)) = processes::process_of_thread(notification.thread) {
                    self.shared.processes().ends_itself(process);
                }
                self.shared.recorder().end_thread(notification.thread);
            }
        }
    }

    /// Has a process made, and takes note of it right then: one that dies soon and that nobody collects is seen only now.
    fn attend_birth(&self, notification: &Notification) -> io::Result<()> {
        let parent = processes::process_of_thread(notification.thread);
        self.listener.wake_up_synchronously(false);
        let alive = self.listener.answer(notification.id, Answer::Continue)?;
        if alive && !parent.is_some_and(|(process, _)| self.find_child(process, notification.thread)) {
            self.shared.processes().overlooked();
        }
        self.listener.wake_up_synchronously(true);
        Ok(())
    }

    /// Whether the child was there.
    fn find_child(&self, process: i32, thread: u32) -> bool {
        let path = format!("/proc/{process}/task/{thread}/children");
        let begin = Instant::now();
        while begin.elapsed() < BIRTH_LIMIT {
            let Ok(children) = fs::read_to_string(&path) else { return false };
            let mut processes = self.shared.processes();
            let before = processes.count();
            children.split_whitespace().filter_map(|pid| pid.parse().ok()).for_each(|pid| processes.add(pid));
            if processes.count() > before {
                return true;
            }
            drop(processes);
            // The parent may need this very processor to get on with its call.
            std::thread::yield_now();
        }
        false
    }
}

/// How long to look for the child of a call that makes one. It takes a few dozen microseconds once the parent gets a processor,
/// and the call may fail. A child that dies of a signal before it is seen or makes a treated call, and whose parent ignores
/// `SIGCHLD`, is overlooked.
const BIRTH_LIMIT: Duration = Duration::from_millis(5);

/// Whether a `clone` or `clone3` makes a thread of the same process: `CLONE_THREAD` in its flags (clone(2)).
fn makes_a_thread(notification: &Notification) -> bool {
    const CLONE_THREAD: u64 = 0x0001_0000;
    let is = |name: &str| Sysno::from_name(name).and_then(|call| call.number(Architecture::NATIVE)) == Some(notification.number);
    let flags = if is("clone") {
        notification.arguments[0]
    } else if is("clone3") {
        // The flags are the first field of `struct clone_args`, behind a pointer.
        memory::number(
            &mut |address, buffer| sys::read_memory(notification.thread, address, buffer),
            notification.arguments[0],
            8,
        )
        .unwrap_or(0)
    } else {
        0
    };
    flags & CLONE_THREAD != 0
}

fn role(call: Sysno) -> Role {
    match call.name() {
        "clone" | "clone3" | "fork" | "vfork" => Role::Birth,
        "execve" | "execveat" => Role::Execute,
        "prctl" => Role::Rename,
        "wait4" | "waitid" => Role::Collect,
        "exit_group" => Role::EndProcess,
        "exit" => Role::EndThread,
        _ => Role::Ordinary,
    }
}
