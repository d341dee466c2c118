//! What the arguments of each call are: their number, and how each is to be read.
//!
//! Pure data, from the manual page of each call and the kernel's own declarations (`SYSCALL_DEFINE`). Indexed when the program
//! is compiled; a call that no table has stops the compiler.

mod files;
mod memory;
mod network;
mod processes;
mod system;
mod waiting;

use crate::syscalls::features::names::Named;
use crate::syscalls::{COUNT, Sysno};

/// How an argument is read.
///
/// What a call fills in is readable only after it returned without an error; before, its address is all there is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A descriptor: 32 bits, signed.
    Fd,
    /// A descriptor of a directory, or `AT_FDCWD`.
    At,
    /// Decimal, 32 bits, signed.
    Int,
    /// Decimal, 32 bits.
    Unsigned,
    /// Decimal, 64 bits, signed.
    Long,
    /// Decimal, 64 bits.
    Size,
    /// Hexadecimal, except 0.
    Hex,
    /// A user or group: 32 bits, of which all set mean nobody.
    Id,
    /// A pointer that is not followed.
    Address,
    /// What the catalogue of features says about this argument.
    Named,
    /// The same, with permissions below.
    NamedMode,
    /// Flags that are no features.
    Flags(&'static [Named]),
    /// One of several values that are no features.
    OneOf(&'static [Named]),
    /// Permissions, in octal.
    Mode,
    /// What a node is, with its permissions.
    NodeMode,
    /// A signal.
    Signal,
    /// The flags of an `open`, where they are no features.
    OpenFlags,
    /// The protocol of a socket, which depends on its domain in the first argument.
    Protocol,
    /// Level and name of a socket option.
    Level,
    Option,

    /// A path, printed whole.
    Path,
    /// Text, of which the beginning is printed.
    Text,
    /// Text that the call fills in.
    TextOut,
    /// Bytes, whose number is in this argument.
    Bytes(u8),
    /// Bytes that the call fills in; their number is its result.
    BytesOut,
    /// A list of texts that a null pointer ends.
    Strings,
    /// The same, of which only the number is printed.
    Environment,
    /// A 32-bit or 64-bit number behind a pointer, which the call may change.
    IntAt,
    LongAt,
    /// The 32-bit number that the call fills in.
    IntOut,
    /// Two descriptors that the call fills in.
    PairOut,

    /// `struct timespec` and `struct timeval`, and what the call fills in of them.
    Timespec,
    TimespecOut,
    /// Two of them: of access and of change.
    FileTimes,
    Timeval,
    TimevalOut,
    /// `struct itimerspec` and `struct itimerval`: interval and value.
    Itimerspec,
    Itimerval,
    /// A set of signals.
    SignalSet,
    SignalSetOut,
    /// `struct sigaction` of the kernel.
    Sigaction,
    SigactionOut,
    /// `struct rlimit64`.
    Rlimit,
    RlimitOut,
    /// `struct stat`.
    StatOut,
    /// `struct flock`.
    Flock,
    FlockOut,
    /// How a child ended.
    StatusOut,
    /// `struct utsname`.
    UtsnameOut,
    /// `struct winsize`.
    WinsizeOut,
    /// `struct open_how` and `struct clone_args`.
    OpenHow,
    CloneArgs,
    /// `struct iovec`, whose number is in this argument.
    Vector(u8),
    /// The same, with content that the call fills in: as many bytes as its result says.
    VectorOut(u8),
    /// `struct pollfd`, whose number is in this argument; the call fills part of it in.
    Poll(u8),
    /// `struct epoll_event`.
    Event,
    /// The same, as many as the call's result says.
    EventsOut,
    /// The address of a socket, with its length in this argument.
    Socket(u8),
    /// The same, filled in by the call, with its length where this argument points.
    SocketOut(u8),
    /// The value of a socket option, with its length in this argument.
    Value(u8),
    /// The same, filled in by the call, with its length where this argument points.
    ValueOut(u8),
    /// `struct msghdr`.
    Message,
    MessageOut,
    /// The third arguments of `fcntl` and `ioctl`, which depend on the second.
    FcntlArgument,
    IoctlArgument,
}

/// A call with its arguments.
type Signature = (Sysno, &'static [Kind]);

static SUBJECTS: [&[Signature]; 6] =
    [files::SIGNATURES, memory::SIGNATURES, processes::SIGNATURES, waiting::SIGNATURES, network::SIGNATURES, system::SIGNATURES];

static BY_CALL: [&[Kind]; COUNT] = {
    let mut table: [&[Kind]; COUNT] = [&[]; COUNT];
    let mut seen = [false; COUNT];
    let mut subject = 0;
    while subject < SUBJECTS.len() {
        let mut row = 0;
        while row < SUBJECTS[subject].len() {
            let (call, kinds) = SUBJECTS[subject][row];
            assert!(!seen[call.index()], "invariant: no call has two signatures");
            assert!(kinds.len() <= 6, "invariant: no call has more than six arguments");
            seen[call.index()] = true;
            table[call.index()] = kinds;
            row += 1;
        }
        subject += 1;
    }
    let mut call = 0;
    while call < COUNT {
        assert!(seen[call], "invariant: every call has a signature");
        call += 1;
    }
    table
};

/// The arguments of `call`.
pub(super) fn of(call: Sysno) -> &'static [Kind] {
    BY_CALL[call.index()]
}

/// One row of a table.
macro_rules! signatures {
    ($($name:literal($($kind:expr),*);)+) => {
        pub(super) static SIGNATURES: &[super::Signature] =
            &[$((crate::syscalls::Sysno::known($name), &[$($kind),*]),)+];
    };
}
use signatures;
