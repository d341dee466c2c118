//! The kernel interfaces that have no safe wrapper elsewhere: seccomp, its notifications, `clone`, pidfds.
//!
//! The only module of the shim with `unsafe` code, that below it included. What to do with these is decided by its callers.
#![expect(unsafe_code, reason = "raw system calls; each block says why it is sound")]

pub(super) mod ptrace;
pub(super) mod sockets;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use seccompiler::sock_filter;

/// Answers as `io::Error` when a call returned -1.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// `ioctl` numbers, as `linux/seccomp.h` and `linux/pidfd.h` make them.
const fn ioctl_number(direction: u64, kind: u64, number: u64, size: usize) -> u64 {
    (direction << 30) | ((size as u64) << 16) | (kind << 8) | number
}

const WRITE: u64 = 1;
const READ: u64 = 2;
const NOTIFICATION_RECEIVE: u64 = ioctl_number(READ | WRITE, b'!' as u64, 0, size_of::<libc::seccomp_notif>());
const NOTIFICATION_SEND: u64 = ioctl_number(READ | WRITE, b'!' as u64, 1, size_of::<libc::seccomp_notif_resp>());
const NOTIFICATION_ADD_FILE: u64 = ioctl_number(WRITE, b'!' as u64, 3, size_of::<AddFile>());
const NOTIFICATION_SET_FLAGS: u64 = ioctl_number(WRITE, b'!' as u64, 4, size_of::<u64>());
/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` (Linux 6.6): the answer wakes the app on the supervisor's own processor.
const SYNC_WAKE_UP: u64 = 1;
/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE` of `linux/seccomp.h`.
const CONTINUE: u32 = 1;
const PIDFD_GET_INFO: u64 = ioctl_number(READ | WRITE, 0xff, 11, size_of::<PidfdInfo>());
/// `PIDFD_INFO_EXIT` (Linux 6.15): the exit status stays readable after the process was reaped.
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// `SECCOMP_ADDFD_FLAG_SEND` of `linux/seccomp.h` (Linux 5.14): the new descriptor is the call's answer.
const ADD_AND_SEND: u32 = 2;

/// `struct seccomp_notif_addfd` of `linux/seccomp.h`.
#[repr(C)]
struct AddFile {
    id: u64,
    flags: u32,
    source: u32,
    new: u32,
    new_flags: u32,
}

/// A system call of the app that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notification {
    /// Names the call when it is answered.
    pub(super) id: u64,
    /// The calling thread, as the supervisor's pid namespace numbers it.
    pub(super) thread: u32,
    /// `AUDIT_ARCH_*` of the ABI.
    pub(super) architecture: u32,
    pub(super) number: u32,
    pub(super) arguments: [u64; 6],
}

/// What the app gets for its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The kernel runs the call.
    Continue,
    /// The kernel doesn't; the call returns 0.
    Zero,
    /// The kernel doesn't; the call returns this.
    Value(i64),
    /// The kernel doesn't; the call fails with this error number.
    Error(i32),
}

/// The supervisor's end of a filter whose calls are notified.
#[derive(Debug)]
pub(super) struct Listener(OwnedFd);

impl Listener {
    /// Whether an answer wakes the app on the supervisor's own processor, which is twice as fast but makes the supervisor wait
    /// until the app pauses. A kernel without it goes its usual way.
    pub(super) fn wake_up_synchronously(&self, synchronously: bool) {
        let flags = if synchronously { SYNC_WAKE_UP } else { 0 };
        // SAFETY: the descriptor is open, and the request takes its argument by value.
        unsafe { libc::ioctl(self.0.as_raw_fd(), NOTIFICATION_SET_FLAGS as _, flags) };
    }

    /// Waits for the next call. `Ok(None)`: the caller died or was interrupted before it could be told.
    pub(super) fn receive(&self) -> io::Result<Option<Notification>> {
        // SAFETY: all-zero is a valid value of this plain C structure, and the kernel demands zeroes.
        let mut raw: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open and `raw` is the structure that the request writes to.
        match check(unsafe { libc::ioctl(self.0.as_raw_fd(), NOTIFICATION_RECEIVE as _, &raw mut raw) }.into()) {
            Ok(_) => Ok(Some(Notification {
                id: raw.id,
                thread: raw.pid,
                architecture: raw.data.arch,
                number: raw.data.nr.cast_unsigned(),
                arguments: raw.data.args,
            })),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Answers a call. `Ok(false)`: the caller is gone and needs no answer.
    pub(super) fn answer(&self, id: u64, answer: Answer) -> io::Result<bool> {
        let (val, error, flags) = match answer {
            Answer::Continue => (0, 0, CONTINUE),
            Answer::Zero => (0, 0, 0),
            Answer::Value(value) => (value, 0, 0),
            Answer::Error(number) => (0, -number, 0),
        };
        let mut raw = libc::seccomp_notif_resp { id, val, error, flags };
        // SAFETY: the descriptor is open and `raw` is the structure that the request reads.
        match check(unsafe { libc::ioctl(self.0.as_raw_fd(), NOTIFICATION_SEND as _, &raw mut raw) }.into()) {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Listener {
    /// Gives the caller a descriptor of `file`, with `O_CLOEXEC` or without, as the answer to its call.
    pub(super) fn answer_with_file(&self, id: u64, file: &OwnedFd, close_on_execute: bool) -> io::Result<()> {
        let source = u32::try_from(file.as_raw_fd()).expect("invariant: an open descriptor is not negative");
        let new_flags = if close_on_execute { libc::O_CLOEXEC.cast_unsigned() } else { 0 };
        let add = |flags| {
            let request = AddFile { id, flags, source, new: 0, new_flags };
            // SAFETY: the descriptors are open and `request` is the structure that the request reads.
            check(unsafe { libc::ioctl(self.0.as_raw_fd(), NOTIFICATION_ADD_FILE as _, &raw const request) }.into())
        };
        match add(ADD_AND_SEND) {
            Ok(_) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            // A kernel before 5.14 does it in two steps.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                let number = add(0)?;
                self.answer(id, Answer::Value(number)).map(drop)
            }
            Err(error) => Err(error),
        }
    }
}

/// Everything the new process needs, made before it exists: between `clone` and `execve` it must not allocate.
#[derive(Debug)]
pub(super) struct Program {
    /// The executable.
    pub(super) path: CString,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    /// The filter; `None` starts the program without one.
    pub(super) filter: Option<Vec<sock_filter>>,
    /// Passed as the sixth argument of `execve`, see `crate::filter`.
    pub(super) nonce: u64,
    /// Capabilities the program must not have although the shim has them (`linux/capability.h`).
    pub(super) dropped_capabilities: Vec<libc::c_ulong>,
    /// Whether it waits until it is observed, see [`ptrace`].
    pub(super) observed: bool,
}

/// How far the new process came.
#[derive(Debug)]
pub(super) enum Spawned {
    /// The program runs; with a filter, this is its listener.
    Running { pid: libc::pid_t, listener: Option<Listener> },
    /// The filter was not installed.
    NoFilter(io::Error),
    /// The filter stands, but the executable could not be executed.
    NotExecuted(io::Error),
}

/// What the new process writes into the page it shares with the shim.
#[repr(C)]
struct Progress {
    listener: AtomicI32,
    filter_error: AtomicI32,
    execute_error: AtomicI32,
    /// Whether a process that waits to be observed may go on.
    go: AtomicI32,
}

/// It is observed, and may go on.
const GO: i32 = 1;
/// It cannot be observed, and has to end.
const GONE: i32 = 2;

/// A page that stays shared across `clone`.
struct SharedPage(*mut Progress);

impl SharedPage {
    fn new() -> io::Result<Self> {
        // SAFETY: a fresh anonymous mapping; nothing else can point into it.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Progress>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let page = address.cast::<Progress>();
        // SAFETY: the mapping is writable, page-aligned and large enough.
        unsafe {
            page.write(Progress {
                listener: AtomicI32::new(-1),
                filter_error: AtomicI32::new(0),
                execute_error: AtomicI32::new(0),
                go: AtomicI32::new(0),
            });
        }
        Ok(Self(page))
    }

    fn progress(&self) -> &Progress {
        // SAFETY: the mapping lives until drop, was initialised, and holds only atomics.
        unsafe { &*self.0 }
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this address and length, and no reference outlives `self`.
        unsafe { libc::munmap(self.0.cast(), size_of::<Progress>()) };
    }
}

/// Starts `program` in a new process with the caller's standard streams, in a session of its own.
///
/// The new process shares the caller's table of open files (`CLONE_FILES`) until its `execve`, which unshares it
/// (`execve(2)`). So the listener that seccomp(2) opens there is open here too, at the same number: nothing has to be
/// passed, which a filter that notifies everything would block. `CLONE_VFORK` suspends the caller until then. Every other
/// descriptor of the caller has to be close-on-exec.
pub(super) fn spawn(program: &Program) -> io::Result<Spawned> {
    let page = SharedPage::new()?;
    let arguments = pointers(&program.arguments);
    let environment = pointers(&program.environment);
    let filter = program.filter.as_ref().map(|filter| libc::sock_fprog {
        len: u16::try_from(filter.len()).expect("invariant: a program has at most 4096 instructions"),
        filter: filter.as_ptr().cast_mut().cast(),
    });

    let flags = libc::CLONE_FILES | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: without CLONE_VM the new process has its own copy of memory, as after fork(2). It runs `become_program`
    // alone, which neither allocates nor returns.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
    if pid == 0 {
        become_program(program, filter.as_ref(), &arguments, &environment, page.progress());
    }
    let pid = libc::pid_t::try_from(pid).expect("invariant: a pid fits into pid_t");
    let progress = page.progress();
    let listener = match progress.listener.load(Ordering::SeqCst) {
        -1 => None,
        // SAFETY: the new process opened it in the table of open files that it shared with us; nobody else owns it.
        number => Some(Listener(unsafe { OwnedFd::from_raw_fd(number) })),
    };
    let reap = || {
        let mut status = 0;
        // SAFETY: `status` is a valid place; the process is a child of ours that is about to exit.
        unsafe { libc::waitpid(pid, &raw mut status, 0) };
    };
    match (progress.filter_error.load(Ordering::SeqCst), progress.execute_error.load(Ordering::SeqCst)) {
        (0, 0) => Ok(Spawned::Running { pid, listener }),
        (0, error) => {
            reap();
            Ok(Spawned::NotExecuted(io::Error::from_raw_os_error(error)))
        }
        (error, _) => {
            reap();
            Ok(Spawned::NoFilter(io::Error::from_raw_os_error(error)))
        }
    }
}

/// Strings as the kernel takes them; valid as long as they are.
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// In the new process: gives up what the program must not have, installs the filter, executes. Never returns.
///
/// The order matters. Nothing may be called between the filter and `execve`: the filter may answer any call in any way, and
/// its supervisor is suspended until `execve`. That is why a failed `execve` ends in an `exit_group` that carries the nonce too.
fn become_program(
    program: &Program,
    filter: Option<&libc::sock_fprog>,
    arguments: &[*const libc::c_char],
    environment: &[*const libc::c_char],
    progress: &Progress,
) -> ! {
    let errno = || io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    // SAFETY: plain system calls on values that live in this process's copy of memory; the pointer arrays end in a null
    // pointer and point to C strings that `program` owns.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::setsid();
        for capability in &program.dropped_capabilities {
            drop_capability(*capability);
        }
        if program.observed {
            // As under a filter, so that set-user-id programs are the same.
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            loop {
                match progress.go.load(Ordering::SeqCst) {
                    GO => break,
                    GONE => libc::_exit(127),
                    _ => libc::sched_yield(),
                };
            }
        }
        if let Some(filter) = filter {
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
                progress.filter_error.store(errno(), Ordering::SeqCst);
                libc::_exit(127);
            }
            let listener = install(filter);
            if listener < 0 {
                progress.filter_error.store(errno(), Ordering::SeqCst);
                libc::_exit(127);
            }
            progress.listener.store(listener, Ordering::SeqCst);
        }
        libc::syscall(libc::SYS_execve, program.path.as_ptr(), arguments.as_ptr(), environment.as_ptr(), 0, 0, program.nonce);
        progress.execute_error.store(errno(), Ordering::SeqCst);
        loop {
            libc::syscall(libc::SYS_exit_group, 127, 0, 0, 0, 0, program.nonce);
        }
    }
}

/// Installs the filter on the calling thread and opens its listener; -1 on failure.
///
/// Asks first for `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV` (Linux 5.19), so that a signal does not interrupt a call that was
/// already received, which would make it appear twice.
fn install(filter: &libc::sock_fprog) -> RawFd {
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let flags = [listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, listener];
    for flags in flags {
        // SAFETY: `filter` points to as many instructions as it says.
        let result =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, std::ptr::from_ref(filter)) };
        if let Ok(number) = RawFd::try_from(result)
            && number >= 0
        {
            return number;
        }
    }
    -1
}

/// Copies the caller into a new process with new namespaces (`CLONE_NEW*` flags); `None` in the copy.
///
/// The caller must be single-threaded: the copy has only this thread, and locks that others hold would stay locked.
pub(super) fn fork_into_namespaces(namespaces: libc::c_int) -> io::Result<Option<libc::pid_t>> {
    // SAFETY: as fork(2) with namespaces; the caller is single-threaded, so the copy's memory is consistent.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, namespaces | libc::SIGCHLD, 0, 0, 0, 0) })?;
    Ok(libc::pid_t::try_from(pid).ok().filter(|pid| *pid != 0))
}

/// `struct pidfd_info` of `linux/pidfd.h` in its first version (64 bytes).
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    control_group: u64,
    identities: [u32; 11],
    exit_code: i32,
}

/// Names a process even after it was reaped.
#[derive(Debug)]
pub(super) struct ProcessHandle(OwnedFd);

impl ProcessHandle {
    /// `None` if the process is gone, or the kernel has no pidfds (before Linux 5.3).
    pub(super) fn open(pid: libc::pid_t) -> Option<Self> {
        // SAFETY: takes its arguments by value.
        let number = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }).ok()?;
        // SAFETY: the call just opened it for us.
        Some(Self(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(number).ok()?) }))
    }

    /// What poll(2) is to wait for: the descriptor is readable once the process is over, reaped or not (`pidfd_open`(2)).
    fn end(&self) -> libc::pollfd {
        libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 }
    }

    /// The wait status (wait(2)) of a process that is over; `None` if it is not, or the kernel can't say.
    pub(super) fn exit_status(&self) -> Option<i32> {
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: the descriptor is open and `info` is the structure that the request reads and writes.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) }.into()).ok()?;
        (info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
    }
}

/// Which of the processes are over, by their place.
pub(super) fn ended(handles: &[&ProcessHandle]) -> io::Result<Vec<usize>> {
    let mut ends: Vec<_> = handles.iter().map(|handle| handle.end()).collect();
    let count = libc::nfds_t::try_from(ends.len()).expect("invariant: a process has at most as many descriptors as fit");
    // SAFETY: `ends` is a valid place of this length.
    check(unsafe { libc::poll(ends.as_mut_ptr(), count, 0) }.into())?;
    Ok((0..).zip(&ends).filter(|(_, end)| end.revents != 0).map(|(place, _)| place).collect())
}

/// Fills `buffer` from another process's memory; `false` if it may not be read, or is not there as a whole.
pub(super) fn read_memory(thread: u32, address: u64, buffer: &mut [u8]) -> bool {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let (Some(remote), Ok(pid)) = (remote(address, buffer.len()), libc::pid_t::try_from(thread)) else { return false };
    // SAFETY: `local` is a valid place of this length; the kernel checks `remote`, which is not memory of ours.
    let count = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(count) == Ok(buffer.len())
}

/// Writes `bytes` into another process's memory; `false` if it may not be written, or is not there as a whole.
pub(super) fn write_memory(thread: u32, address: u64, bytes: &[u8]) -> bool {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let (Some(remote), Ok(pid)) = (remote(address, bytes.len()), libc::pid_t::try_from(thread)) else { return false };
    // SAFETY: `local` is only read from; the kernel checks `remote`, which is not memory of ours.
    let count = unsafe { libc::process_vm_writev(pid, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(count) == Ok(bytes.len())
}

fn remote(address: u64, length: usize) -> Option<libc::iovec> {
    Some(libc::iovec { iov_base: usize::try_from(address).ok()? as *mut libc::c_void, iov_len: length })
}

/// An empty regular file that nobody else has.
pub(super) fn empty_file() -> io::Result<OwnedFd> {
    // SAFETY: the name is a C string; the call takes the rest by value.
    let number = check(unsafe { libc::memfd_create(c"empty".as_ptr(), libc::MFD_CLOEXEC) }.into())?;
    let number = RawFd::try_from(number).expect("invariant: a descriptor fits");
    // SAFETY: the call just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// What stat(2) says of an open file, as the bytes that the kernel writes for it.
pub(super) fn stat_bytes(file: &OwnedFd) -> io::Result<Vec<u8>> {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and `stat` is a valid place to write to.
    check(unsafe { libc::fstat(file.as_raw_fd(), &raw mut stat) }.into())?;
    // SAFETY: a plain C structure is as many initialised bytes as it is large: it was zeroed, padding included.
    Ok(unsafe { std::slice::from_raw_parts((&raw const stat).cast::<u8>(), size_of::<libc::stat>()) }.to_vec())
}

/// The same for statx(2).
pub(super) fn statx_bytes(file: &OwnedFd, mask: u32) -> io::Result<Vec<u8>> {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut stat: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, the path is a C string, and `stat` is a valid place to write to.
    let result = unsafe { libc::statx(file.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, mask, &raw mut stat) };
    check(result.into())?;
    // SAFETY: a plain C structure is as many initialised bytes as it is large: it was zeroed, padding included.
    Ok(unsafe { std::slice::from_raw_parts((&raw const stat).cast::<u8>(), size_of::<libc::statx>()) }.to_vec())
}

/// Moves the calling thread into a new network namespace whose loopback interface is up.
pub(super) fn new_network_namespace() -> io::Result<()> {
    // SAFETY: takes its argument by value.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }.into())?;
    bring_loopback_up()
}

/// Moves the calling thread into a network namespace.
pub(super) fn join_network_namespace(namespace: &OwnedFd) -> io::Result<()> {
    // SAFETY: the descriptor is open for the duration of the call.
    check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) }.into()).map(drop)
}

/// Switches the loopback interface of the caller's network namespace on.
pub(super) fn bring_loopback_up() -> io::Result<()> {
    // SAFETY: takes its arguments by value.
    let socket = check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }.into())?;
    let number = RawFd::try_from(socket).expect("invariant: a descriptor fits");
    // SAFETY: the call just opened it for us.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).expect("invariant: IFF_UP is 1");
    // SAFETY: the descriptor is open and `request` is the structure that the request reads.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) }.into())?;
    Ok(())
}

/// Processor time of this process, children left out.
pub(super) fn own_processor_time() -> std::time::Duration {
    usage(libc::RUSAGE_SELF).1
}

/// Resource use of all children that were waited for, and of theirs: highest resident set in KiB, processor time.
pub(super) fn usage_of_children() -> (u64, std::time::Duration) {
    usage(libc::RUSAGE_CHILDREN)
}

fn usage(whose: libc::c_int) -> (u64, std::time::Duration) {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid place to write to.
    unsafe { libc::getrusage(whose, &raw mut usage) };
    let duration = |time: libc::timeval| {
        let microseconds = time.tv_sec * 1_000_000 + time.tv_usec;
        std::time::Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
    };
    (u64::try_from(usage.ru_maxrss).unwrap_or(0), duration(usage.ru_utime) + duration(usage.ru_stime))
}

/// Reaps one dead child: its pid and wait status; `None` while all of them live, `ECHILD` when there is none.
///
/// A child that asked to be traced by its parent (`PTRACE_TRACEME`) stops at signals and would wait for ever, as the shim is no
/// debugger: it is let go, and gets its signal.
pub(super) fn reap_any() -> io::Result<Option<(libc::pid_t, i32)>> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a valid place to write to.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) };
        match pid {
            -1 => return Err(io::Error::last_os_error()),
            0 => return Ok(None),
            pid if libc::WIFSTOPPED(status) => {
                let signal = libc::c_long::from(libc::WSTOPSIG(status));
                // SAFETY: detaching touches no memory of ours; the fourth argument is a number in the guise of a pointer.
                unsafe { libc::ptrace(libc::PTRACE_DETACH, pid, std::ptr::null_mut::<libc::c_void>(), signal) };
            }
            pid => return Ok(Some((pid, status))),
        }
    }
}

/// Waits until any child is dead, and leaves it as it is; its pid.
pub(super) fn wait_for_dead() -> io::Result<libc::pid_t> {
    loop {
        // SAFETY: all-zero is a valid value of this plain C structure.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is a valid place to write to.
        let result = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED | libc::WNOWAIT | libc::__WALL) };
        match check(result.into()) {
            // SAFETY: waitid(2) has filled in the fields of a dead child.
            Ok(_) => return Ok(unsafe { info.si_pid() }),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reaps a dead child: its wait status.
pub(super) fn reap(pid: libc::pid_t) -> io::Result<i32> {
    let mut status = 0;
    // SAFETY: `status` is a valid place to write to.
    check(unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) }.into())?;
    Ok(status)
}

/// A capability that what makes surroundings needs and what runs in them must not have (`linux/capability.h`).
pub(super) const CAP_SYS_ADMIN: libc::c_ulong = 21;

/// Gives up a capability (`linux/capability.h`) for every program that will be executed (capabilities(7), *bounding set*).
pub(super) fn drop_capability(capability: libc::c_ulong) {
    // SAFETY: takes its arguments by value. It can fail only for a number that is no capability here.
    unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
}

/// Sets group, supplementary groups and user of the calling process, in this order (credentials(7)).
pub(super) fn become_user(user: libc::uid_t, group: libc::gid_t, supplementary: &[libc::gid_t]) -> io::Result<()> {
    // SAFETY: the slice is valid for its length; the others take their arguments by value.
    unsafe {
        check(libc::setgroups(supplementary.len(), supplementary.as_ptr()).into())?;
        check(libc::setgid(group).into())?;
        check(libc::setuid(user).into())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ioctl_numbers_are_those_of_the_kernel_headers() {
        assert_eq!(NOTIFICATION_RECEIVE, 0xc050_2100);
        assert_eq!(NOTIFICATION_SEND, 0xc018_2101);
        assert_eq!(NOTIFICATION_ADD_FILE, 0x4018_2103);
        assert_eq!(NOTIFICATION_SET_FLAGS, 0x4008_2104);
        assert_eq!(PIDFD_GET_INFO, 0xc040_ff0b);
    }
}
