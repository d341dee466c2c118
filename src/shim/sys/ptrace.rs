//! ptrace(2), as far as an observer of system calls needs it.

use std::io;
use std::sync::atomic::Ordering;

use super::{GO, GONE, Program, SharedPage, Spawned, check};

/// `PTRACE_EVENT_STOP` of `linux/ptrace.h`.
const EVENT_STOP: i32 = 128;
/// What a system call's stop is marked with (`PTRACE_O_TRACESYSGOOD`).
const OF_CALL: i32 = 0x80;
const GET_SYSCALL_INFO: libc::c_uint = 0x420e;

/// `struct ptrace_syscall_info` of `linux/ptrace.h` (Linux 5.3).
#[repr(C)]
#[derive(Default)]
struct CallInfo {
    kind: u8,
    padding: [u8; 3],
    architecture: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    /// At the entry the number and the arguments; at the exit the result and whether it is an error.
    words: [u64; 8],
}

/// What became of an observed thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::shim) enum Change {
    /// It exited or died: its wait status.
    Ended(i32),
    /// It makes a call.
    Entry { architecture: u32, number: u64, arguments: [u64; 6] },
    /// Its call returns.
    Exit { result: i64 },
    /// It runs another program; before, it had this id.
    Executed { former: libc::pid_t },
    /// It is about to get this signal.
    Signal(i32),
    /// It was stopped by this signal, as by the keyboard, and waits to be continued.
    Stopped,
    /// It has just made this process or thread.
    Made { child: libc::pid_t },
    /// It has just come into being, or something of no interest happened.
    Other,
}

/// How an observed thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::shim) enum Onward {
    /// To its next call, with this signal or 0.
    Run(i32),
    /// It stays stopped until somebody continues it.
    Listen,
}

/// Starts `program` in a new process that is observed from its first instruction on, and that stands still there.
///
/// The process waits before `execve` until it is observed (`PTRACE_SEIZE`), so that it is in every way: what it makes is as well, and
/// all of it dies with the observer.
pub(in crate::shim) fn spawn_observed(program: &Program) -> io::Result<Spawned> {
    let page = SharedPage::new()?;
    let (arguments, environment) = (super::pointers(&program.arguments), super::pointers(&program.environment));
    // SAFETY: as fork(2): the new process has its own copy of memory, and runs `become_program` alone, which neither allocates nor
    // returns.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) })?;
    if pid == 0 {
        super::become_program(program, None, &arguments, &environment, page.progress());
    }
    let pid = libc::pid_t::try_from(pid).expect("invariant: a pid fits into pid_t");
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    let seized = request(libc::PTRACE_SEIZE, pid, 0, usize::try_from(options).unwrap_or(0));
    page.progress().go.store(if seized.is_ok() { GO } else { GONE }, Ordering::SeqCst);
    if let Err(error) = seized {
        super::reap(pid)?;
        return Err(error);
    }
    loop {
        match wait(pid)? {
            (_, Change::Executed { .. }) => return Ok(Spawned::Running { pid, listener: None }),
            (_, Change::Ended(_)) => {
                let error = page.progress().execute_error.load(Ordering::SeqCst);
                return Ok(Spawned::NotExecuted(io::Error::from_raw_os_error(error)));
            }
            (_, Change::Signal(signal)) => go_on(pid, Onward::Run(signal))?,
            (_, Change::Entry { .. } | Change::Exit { .. } | Change::Made { .. } | Change::Stopped | Change::Other) => {
                go_on(pid, Onward::Run(0))?;
            }
        }
    }
}

/// Waits for a change of `pid`, or of any child or observed thread if that is -1. `ECHILD` when there is none.
pub(in crate::shim) fn wait(pid: libc::pid_t) -> io::Result<(libc::pid_t, Change)> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a valid place to write to.
        let changed = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
        match check(changed.into()) {
            Ok(_) => return Ok((changed, change(changed, status))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn change(thread: libc::pid_t, status: i32) -> Change {
    if !libc::WIFSTOPPED(status) {
        return Change::Ended(status);
    }
    let signal = libc::WSTOPSIG(status);
    match (signal, status >> 16) {
        (signal, 0) if signal == libc::SIGTRAP | OF_CALL => call(thread).unwrap_or(Change::Other),
        (signal, 0) => Change::Signal(signal),
        (_, libc::PTRACE_EVENT_EXEC) => Change::Executed { former: announced(thread).unwrap_or(thread) },
        (_, libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE) => {
            announced(thread).map_or(Change::Other, |child| Change::Made { child })
        }
        (libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU, EVENT_STOP) => Change::Stopped,
        _ => Change::Other,
    }
}

/// What stands in a stop at a call; `None` if the thread is gone meanwhile.
fn call(thread: libc::pid_t) -> Option<Change> {
    let mut info = CallInfo::default();
    // SAFETY: the request writes at most as many bytes as it is told, to a plain C structure of that size.
    let written = unsafe {
        libc::ptrace(GET_SYSCALL_INFO, thread, std::mem::size_of::<CallInfo>(), (&raw mut info).cast::<libc::c_void>())
    };
    check(written).ok()?;
    let number = info.words[0];
    let mut arguments = [0; 6];
    arguments.copy_from_slice(&info.words[1..7]);
    match info.kind {
        libc::PTRACE_SYSCALL_INFO_ENTRY => Some(Change::Entry { architecture: info.architecture, number, arguments }),
        libc::PTRACE_SYSCALL_INFO_EXIT => Some(Change::Exit { result: number.cast_signed() }),
        _ => None,
    }
}

/// The id that an event comes with: the one that a thread had before it executed a program and took over that of its process, or that of
/// a new process or thread.
fn announced(thread: libc::pid_t) -> Option<libc::pid_t> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the request writes one number to `message`.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_GETEVENTMSG,
            thread,
            std::ptr::null_mut::<libc::c_void>(),
            (&raw mut message).cast::<libc::c_void>(),
        )
    };
    check(result).ok()?;
    libc::pid_t::try_from(message).ok()
}

/// Lets a thread go on that stands still. One that was killed meanwhile needs no leave.
pub(in crate::shim) fn go_on(thread: libc::pid_t, onward: Onward) -> io::Result<()> {
    let result = match onward {
        Onward::Run(signal) => request(libc::PTRACE_SYSCALL, thread, 0, usize::try_from(signal).unwrap_or(0)),
        Onward::Listen => request(libc::PTRACE_LISTEN, thread, 0, 0),
    };
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        result => result,
    }
}

/// Changes the first argument of a native call, or of one of i386, that a thread is in. At its exit that is the register alone.
#[cfg(target_arch = "x86_64")]
pub(in crate::shim) fn set_first_argument(thread: libc::pid_t, of_i386: bool, value: u64) -> io::Result<()> {
    // Offsets into `struct user` of `sys/user.h`, which begins with the registers.
    let register = if of_i386 { libc::RBX } else { libc::RDI };
    let offset = usize::try_from(register).unwrap_or(0) * size_of::<u64>();
    request(libc::PTRACE_POKEUSER, thread, offset, usize::try_from(value).unwrap_or(0))
}

/// Changes the first argument of a native call that a thread is at the entry of. The register holds the result at the exit.
#[cfg(target_arch = "aarch64")]
pub(in crate::shim) fn set_first_argument(thread: libc::pid_t, _: bool, value: u64) -> io::Result<()> {
    /// `NT_PRSTATUS` of `linux/elf.h`: the general registers.
    const GENERAL: usize = 1;
    // `struct user_pt_regs` of `asm/ptrace.h`: x0 to x30, sp, pc, pstate.
    let mut registers = [0_u64; 34];
    let mut part = libc::iovec { iov_base: registers.as_mut_ptr().cast(), iov_len: size_of_val(&registers) };
    let address = GENERAL as *mut libc::c_void;
    // SAFETY: the request writes at most as many bytes as `part` says to where it says.
    check(unsafe { libc::ptrace(libc::PTRACE_GETREGSET, thread, address, &raw mut part) })?;
    registers[0] = value;
    part.iov_base = registers.as_mut_ptr().cast();
    // SAFETY: as above, and this one reads.
    check(unsafe { libc::ptrace(libc::PTRACE_SETREGSET, thread, address, &raw mut part) }).map(drop)
}

/// Writes a word to a thread's memory, whether the thread may do so or not.
pub(in crate::shim) fn write_word(thread: libc::pid_t, address: u64, word: u64) -> io::Result<()> {
    let number = |value: u64| usize::try_from(value).unwrap_or(0);
    request(libc::PTRACE_POKEDATA, thread, number(address), number(word))
}

/// A request whose arguments are numbers in the guise of pointers.
fn request(request: libc::c_uint, thread: libc::pid_t, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: the requests made here touch no memory of the caller.
    check(unsafe { libc::ptrace(request, thread, address as *mut libc::c_void, data as *mut libc::c_void) }).map(drop)
}
