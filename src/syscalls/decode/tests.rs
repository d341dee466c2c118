//! Lines as they are printed, and what must hold for the line of any call.

use proptest::prelude::*;

use super::signatures::Kind;
use super::*;
use crate::syscalls::features;

/// Memory of a process: some stretches, each at an address of its own.
#[derive(Default)]
struct Memory(Vec<(u64, Vec<u8>)>);

impl Memory {
    fn with(mut self, address: u64, content: impl Into<Vec<u8>>) -> Self {
        self.0.push((address, content.into()));
        self
    }

    /// The line of a call that sees this memory. What stands behind a stretch reads as zeros up to the next page.
    fn line(&self, name: &str, arguments: &[u64], result: impl Into<Option<i64>>) -> String {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        line(name.parse().unwrap(), &all, result.into(), &mut |address, buffer| {
            let stretch = self.0.iter().find(|(begin, _)| begin / 4096 == address / 4096);
            let Some((begin, content)) = stretch else { return false };
            let Some(offset) = address.checked_sub(*begin) else { return false };
            if (address % 4096) + u64::try_from(buffer.len()).unwrap() > 4096 {
                return false;
            }
            let rest = content.iter().copied().skip(usize::try_from(offset).unwrap()).chain(std::iter::repeat(0));
            buffer.iter_mut().zip(rest).for_each(|(place, byte)| *place = byte);
            true
        })
    }
}

fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The line of a call without any readable memory.
fn bare(name: &str, arguments: &[u64], result: impl Into<Option<i64>>) -> String {
    Memory::default().line(name, arguments, result)
}

const HERE: u64 = 0x5000_0000;
const THERE: u64 = 0x6000_0000;
const CURRENT: u64 = 0xffff_ff9c;
const NO_DESCRIPTOR: u64 = 0xffff_ffff;

#[test]
fn calls_on_files_read_as_strace_prints_them() {
    let path = || Memory::default().with(HERE, "/etc/passwd\0");
    assert_eq!(
        path().line("openat", &[CURRENT, HERE, 0x8_0000, 0xdead], 3),
        r#"openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3"#
    );
    assert_eq!(
        path().line("openat", &[5, HERE, 0o102, 0o644], -13),
        r#"openat(5, "/etc/passwd", O_RDWR|O_CREAT, 0644) = -1 EACCES (Permission denied)"#
    );
    assert_eq!(path().line("access", &[HERE, 4], -2), r#"access("/etc/passwd", R_OK) = -1 ENOENT (No such file or directory)"#);
    assert_eq!(path().line("faccessat", &[CURRENT, HERE, 0], 0), r#"faccessat(AT_FDCWD, "/etc/passwd", F_OK) = 0"#);
    assert_eq!(path().line("unlinkat", &[CURRENT, HERE, 0x200], 0), r#"unlinkat(AT_FDCWD, "/etc/passwd", AT_REMOVEDIR) = 0"#);
    assert_eq!(bare("lseek", &[3, 0xffff_ffff_ffff_fff0, 2], 84), "lseek(3, -16, SEEK_END) = 84");
    assert_eq!(bare("close", &[3], 0), "close(3) = 0");
    assert_eq!(bare("umask", &[0o22], 0), "umask(022) = 000");
    assert_eq!(path().line("mknod", &[HERE, 0o010_644, 0], 0), r#"mknod("/etc/passwd", S_IFIFO|0644) = 0"#);
    assert_eq!(bare("fchown", &[3, NO_DESCRIPTOR, 1000], 0), "fchown(3, -1, 1000) = 0");
}

#[test]
fn data_is_shown_once_it_is_there() {
    let elf = Memory::default().with(HERE, [&b"\x7fELF\x02\x01\x01\0"[..], &[0; 100]].concat());
    assert_eq!(
        elf.line("read", &[3, HERE, 832], 832),
        concat!(
            r#"read(3, "\x7fELF\x02\x01\x01"#,
            r"\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            r"\x00\x00\x00\x00\x00\x00\x00\x00",
            r#"\x00\x00\x00\x00\x00\x00\x00\x00"..., 832) = 832"#
        )
    );
    assert_eq!(elf.line("read", &[3, HERE, 832], 4), r#"read(3, "\x7fELF", 832) = 4"#);
    assert_eq!(elf.line("read", &[3, HERE, 832], 0), r#"read(3, "", 832) = 0"#);
    assert_eq!(elf.line("read", &[3, HERE, 832], -11), "read(3, 0x50000000, 832) = -1 EAGAIN (Resource temporarily unavailable)");
    assert_eq!(elf.line("read", &[3, HERE, 832], None), "read(3, 0x50000000, 832) = ?");
    let text = Memory::default().with(HERE, "a \"quoted\\\"\tline\r\n");
    assert_eq!(text.line("write", &[1, HERE, 18], None), r#"write(1, "a \"quoted\\\"\tline\r\n", 18) = ?"#);
    assert_eq!(bare("write", &[1, 0, 17], -14), "write(1, NULL, 17) = -1 EFAULT (Bad address)");
    let name = Memory::default().with(HERE, "/root\0");
    assert_eq!(name.line("getcwd", &[HERE, 4096], 6), r#"getcwd("/root", 4096) = 6"#);
    // Asked with no room: the result is how much there would be.
    assert_eq!(name.line("listxattr", &[HERE, THERE, 0], 20), r#"listxattr("/root", 0x60000000, 0) = 20"#);
}

#[test]
fn calls_on_memory_name_their_flags() {
    assert_eq!(
        bare("mmap", &[0, 8192, 3, 0x22, NO_DESCRIPTOR, 0], 0x7f5a_1c9b_2000),
        "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f5a1c9b2000"
    );
    assert_eq!(
        bare("mmap", &[0x1000, 4096, 0, 0x1000_0012, 3, 0x2000], -12),
        "mmap(0x1000, 4096, PROT_NONE, MAP_PRIVATE|MAP_FIXED|0x10000000, 3, 0x2000) = -1 ENOMEM (Cannot allocate memory)"
    );
    assert_eq!(bare("brk", &[0], 0x5555_0000), "brk(NULL) = 0x55550000");
    assert_eq!(bare("mprotect", &[0x1000, 4096, 1], 0), "mprotect(0x1000, 4096, PROT_READ) = 0");
    assert_eq!(bare("mremap", &[0x1000, 4096, 8192, 1, 7], 0x9000), "mremap(0x1000, 4096, 8192, MREMAP_MAYMOVE) = 0x9000");
    assert_eq!(bare("madvise", &[0x1000, 4096, 4], 0), "madvise(0x1000, 4096, MADV_DONTNEED) = 0");
    assert_eq!(bare("shmget", &[0, 4096, 0o1600], 7), "shmget(0, 4096, IPC_CREAT|0600) = 7");
}

#[test]
fn arguments_that_a_call_does_not_use_are_left_out() {
    assert_eq!(bare("fcntl", &[3, 1, 9], 1), "fcntl(3, F_GETFD) = 0x1 (flags FD_CLOEXEC)");
    assert_eq!(bare("fcntl", &[3, 1, 9], 0), "fcntl(3, F_GETFD) = 0");
    assert_eq!(bare("fcntl", &[3, 3], 0x802), "fcntl(3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)");
    assert_eq!(bare("fcntl", &[3, 2, 1], 0), "fcntl(3, F_SETFD, FD_CLOEXEC) = 0");
    assert_eq!(bare("fcntl", &[3, 4, 0x800], 0), "fcntl(3, F_SETFL, O_RDONLY|O_NONBLOCK) = 0");
    assert_eq!(bare("fcntl", &[3, 1030, 10], 10), "fcntl(3, F_DUPFD_CLOEXEC, 10) = 10");
    assert_eq!(bare("futex", &[HERE, 0x81, 1, 7, 7, 7], 1), "futex(0x50000000, FUTEX_WAKE_PRIVATE, 1) = 1");
    assert_eq!(bare("futex", &[HERE, 0x80, 2, 0], None), "futex(0x50000000, FUTEX_WAIT_PRIVATE, 2, NULL) = ?");
    assert_eq!(
        bare("futex", &[HERE, 0x189, 0, 0, 0, 0xffff_ffff], -512),
        "futex(0x50000000, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 0, NULL, 0xffffffff) = \
         ? ERESTARTSYS (restarted if the signal's handler allows it)"
    );
    assert_eq!(bare("prctl", &[38, 1, 0, 0, 0], 0), "prctl(PR_SET_NO_NEW_PRIVS, 0x1, 0, 0, 0) = 0");
    let name = Memory::default().with(HERE, "worker\0");
    assert_eq!(name.line("prctl", &[15, HERE], 0), r#"prctl(PR_SET_NAME, "worker") = 0"#);
    assert_eq!(bare("ioctl", &[3, 0x5451, 9], 0), "ioctl(3, FIOCLEX) = 0");
    assert_eq!(bare("epoll_ctl", &[4, 2, 5, HERE], 0), "epoll_ctl(4, EPOLL_CTL_DEL, 5, 0x50000000) = 0");
    assert_eq!(bare("preadv", &[3, 0, 0, 100, 7], 0), "preadv(3, NULL, 0, 100) = 0");
    assert_eq!(bare("exit_group", &[0], None), "exit_group(0) = ?");
    assert_eq!(bare("getpid", &[9, 9], 42), "getpid() = 42");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn processes_are_made_with_named_flags() {
    assert_eq!(
        bare("clone", &[0x0120_0011, 0, 9, HERE, 9], 4711),
        "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x50000000) = 4711"
    );
    let mut structure = numbers(&[0x100, 0, 0, THERE, 17, 0x1000, 0x8000, 0]);
    let memory = Memory::default().with(HERE, structure.clone());
    assert_eq!(
        memory.line("clone3", &[HERE, 88], 7),
        "clone3({flags=CLONE_VM, parent_tid=0x60000000, exit_signal=SIGCHLD, stack=0x1000, stack_size=0x8000}, 88) = 7"
    );
    structure[32] = 0;
    let memory = Memory::default().with(HERE, structure);
    assert!(memory.line("clone3", &[HERE, 88], 7).contains("exit_signal=0,"));
}

#[test]
fn programs_are_executed_with_their_arguments() {
    let memory =
        Memory::default().with(HERE, "/bin/ls\0ls\0-l\0").with(THERE, numbers(&[HERE + 8, HERE + 11, 0, HERE, HERE, HERE, 0]));
    assert_eq!(
        memory.line("execve", &[HERE, THERE, THERE + 24], 0),
        r#"execve("/bin/ls", ["ls", "-l"], 0x60000018 /* 3 vars */) = 0"#
    );
    let many = Memory::default().with(HERE, "x\0").with(THERE, numbers(&[HERE; 30]));
    let line = many.line("execve", &[HERE, THERE, 0], 0);
    assert_eq!(line.matches("\"x\"").count(), 17);
    assert!(line.contains(r#""x", ...], NULL)"#), "{line}");
}

#[test]
fn signals_are_named() {
    let action = Memory::default().with(HERE, numbers(&[1, 0x1400_0000, 0x7000, 0]));
    assert_eq!(
        action.line("rt_sigaction", &[13, HERE, 0, 8], 0),
        "rt_sigaction(SIGPIPE, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7000}, NULL, 8) = 0"
    );
    let set = Memory::default().with(HERE, numbers(&[0x1_0000 | 1 << 32])).with(THERE, numbers(&[!2]));
    assert_eq!(set.line("rt_sigprocmask", &[0, HERE, THERE, 8], 0), "rt_sigprocmask(SIG_BLOCK, [CHLD RT_1], ~[INT], 8) = 0");
    assert_eq!(bare("kill", &[0xffff_ffff, 0], 0), "kill(-1, 0) = 0");
    assert_eq!(bare("tgkill", &[5, 6, 6], 0), "tgkill(5, 6, SIGABRT) = 0");
    let status = Memory::default().with(HERE, vec![9]);
    assert_eq!(
        status.line("wait4", &[0xffff_ffff, HERE, 1, 0], 77),
        "wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], WNOHANG, NULL) = 77"
    );
    assert_eq!(status.line("wait4", &[0xffff_ffff, HERE, 1, 0], 0), "wait4(-1, 0x50000000, WNOHANG, NULL) = 0");
}

#[test]
fn sockets_show_addresses_and_options() {
    assert_eq!(bare("socket", &[2, 0x8_0001, 0], 3), "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3");
    assert_eq!(bare("socket", &[16, 3, 0], 3), "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) = 3");
    assert_eq!(bare("socket", &[1, 1, 0], 3), "socket(AF_UNIX, SOCK_STREAM, 0) = 3");
    let inet = Memory::default().with(HERE, [2, 0, 0, 80, 127, 0, 0, 1]);
    assert_eq!(
        inet.line("connect", &[3, HERE, 16], -111),
        "connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = \
         -1 ECONNREFUSED (Connection refused)"
    );
    let mut six = vec![10, 0, 0x1f, 0x90, 0, 0, 0, 0];
    six.extend([[0; 15].as_slice(), &[1], &[0; 4]].concat());
    assert_eq!(
        Memory::default().with(HERE, six).line("bind", &[3, HERE, 28], 0),
        "bind(3, {sa_family=AF_INET6, sin6_port=htons(8080), inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, 28) = 0"
    );
    let unix = Memory::default().with(HERE, "\x01\0/dev/log\0");
    assert_eq!(unix.line("connect", &[3, HERE, 110], 0), r#"connect(3, {sa_family=AF_UNIX, sun_path="/dev/log"}, 110) = 0"#);
    let hidden = Memory::default().with(HERE, "\x01\0\0name");
    assert_eq!(hidden.line("connect", &[3, HERE, 7], 0), r#"connect(3, {sa_family=AF_UNIX, sun_path=@"name"}, 7) = 0"#);
    let one = Memory::default().with(HERE, [1, 0, 0, 0]);
    assert_eq!(one.line("setsockopt", &[3, 1, 2, HERE, 4], 0), "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0");
    assert_eq!(one.line("setsockopt", &[3, 6, 99, HERE, 4], 0), "setsockopt(3, IPPROTO_TCP, 0x63, [1], 4) = 0");
    let accepted = Memory::default().with(HERE, [2, 0, 0, 80, 127, 0, 0, 1]).with(THERE, [16]);
    assert_eq!(
        accepted.line("accept4", &[3, HERE, THERE, 0x800], 4),
        "accept4(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, [16], SOCK_NONBLOCK) = 4"
    );
    assert_eq!(accepted.line("accept4", &[3, HERE, THERE, 0x800], -11).split(", ").nth(1), Some("0x50000000"));
}

#[test]
fn vectors_and_messages_show_their_data() {
    let memory = Memory::default().with(HERE, "hello world").with(THERE, numbers(&[HERE, 5, HERE + 6, 5, 0, 0]));
    assert_eq!(
        memory.line("writev", &[1, THERE, 3], 10),
        r#"writev(1, [{iov_base="hello", iov_len=5}, {iov_base="world", iov_len=5}, {iov_base=NULL, iov_len=0}], 3) = 10"#
    );
    assert_eq!(
        memory.line("readv", &[1, THERE, 2], 7),
        r#"readv(1, [{iov_base="hello", iov_len=5}, {iov_base="wo", iov_len=5}], 2) = 7"#
    );
    let header = numbers(&[0, 0, THERE + 0x100, 1, 0, 0, 0]);
    let mut page = numbers(&[HERE, 5]);
    page.splice(0..0, [0; 0x100]);
    page[..56].copy_from_slice(&header);
    let memory = Memory::default().with(HERE, "hello world").with(THERE, page);
    assert_eq!(
        memory.line("sendmsg", &[3, THERE, 0x4000], 5),
        "sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"hello\", iov_len=5}], msg_iovlen=1, msg_controllen=0, \
         msg_flags=0}, MSG_NOSIGNAL) = 5"
    );
}

#[test]
fn structures_are_shown_field_by_field() {
    let time = Memory::default().with(HERE, numbers(&[1, 500]));
    assert_eq!(time.line("nanosleep", &[HERE, 0], 0), "nanosleep({tv_sec=1, tv_nsec=500}, NULL) = 0");
    assert_eq!(time.line("clock_gettime", &[1, HERE], 0), "clock_gettime(CLOCK_MONOTONIC, {tv_sec=1, tv_nsec=500}) = 0");
    assert_eq!(time.line("clock_gettime", &[1, HERE], None), "clock_gettime(CLOCK_MONOTONIC, 0x50000000) = ?");
    let limits = Memory::default().with(HERE, numbers(&[8192 * 1024, u64::MAX]));
    assert_eq!(
        limits.line("prlimit64", &[0, 3, 0, HERE], 0),
        "prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0"
    );
    let pair = Memory::default().with(HERE, [3, 0, 0, 0, 4, 0, 0, 0]);
    assert_eq!(pair.line("pipe2", &[HERE, 0x8_0000], 0), "pipe2([3, 4], O_CLOEXEC) = 0");
    let polled = Memory::default().with(HERE, [5, 0, 0, 0, 1, 0, 17, 0]);
    assert_eq!(polled.line("poll", &[HERE, 1, 0xffff_ffff], None), "poll([{fd=5, events=POLLIN}], 1, -1) = ?");
    assert_eq!(polled.line("poll", &[HERE, 1, 1000], 1), "poll([{fd=5, events=POLLIN, revents=POLLIN|POLLHUP}], 1, 1000) = 1");
    let event = Memory::default().with(HERE, [&[1, 0, 0, 0x80][..], &[0; 12]].concat());
    assert_eq!(
        event.line("epoll_ctl", &[4, 1, 5, HERE], 0),
        "epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLIN|EPOLLET, data=0x0}) = 0"
    );
    let how = Memory::default().with(HERE, "x\0").with(THERE, numbers(&[0x8_0000, 0, 8]));
    assert_eq!(
        how.line("openat2", &[CURRENT, HERE, THERE, 24], 3),
        r#"openat2(AT_FDCWD, "x", {flags=O_RDONLY|O_CLOEXEC, resolve=RESOLVE_BENEATH}, 24) = 3"#
    );
    let lock = Memory::default().with(HERE, numbers(&[1, 0, 10]));
    assert_eq!(
        lock.line("fcntl", &[3, 6, HERE], 0),
        "fcntl(3, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=0, l_len=10}) = 0"
    );
    let size = Memory::default().with(HERE, [24, 0, 80, 0, 0, 0, 0, 0]);
    assert_eq!(
        size.line("ioctl", &[1, 0x5413, HERE], 0),
        "ioctl(1, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}) = 0"
    );
    assert_eq!(bare("ioctl", &[1, 0x5499, 5], -25), "ioctl(1, 0x5499, 0x5) = -1 ENOTTY (Inappropriate ioctl for device)");
}

#[test]
fn files_show_kind_and_size() {
    let (mode, device) = if cfg!(target_arch = "x86_64") { (24, 40) } else { (16, 32) };
    let mut status = vec![0; 144];
    status[mode..mode + 4].copy_from_slice(&0o100_644_u32.to_le_bytes());
    status[48..56].copy_from_slice(&1234_u64.to_le_bytes());
    let memory = |status: &[u8]| Memory::default().with(HERE, status).with(THERE, "/x\0");
    assert_eq!(
        memory(&status).line("newfstatat", &[CURRENT, THERE, HERE, 0], 0),
        r#"newfstatat(AT_FDCWD, "/x", {st_mode=S_IFREG|0644, st_size=1234, ...}, 0) = 0"#
    );
    status[mode..mode + 4].copy_from_slice(&0o020_620_u32.to_le_bytes());
    status[device..device + 8].copy_from_slice(&0x8801_u64.to_le_bytes());
    assert_eq!(
        memory(&status).line("fstat", &[1, HERE], 0),
        "fstat(1, {st_mode=S_IFCHR|0620, st_rdev=makedev(0x88, 0x1), ...}) = 0"
    );
}

#[test]
fn what_cannot_be_read_is_an_address() {
    for (line, expected) in [
        (bare("openat", &[CURRENT, HERE, 0], None), "openat(AT_FDCWD, 0x50000000, O_RDONLY) = ?"),
        (bare("execve", &[0, HERE, 0], -14), "execve(NULL, 0x50000000, NULL) = -1 EFAULT (Bad address)"),
        (bare("connect", &[3, HERE, 16], 0), "connect(3, 0x50000000, 16) = 0"),
        (bare("sendmsg", &[3, HERE, 0], 0), "sendmsg(3, 0x50000000, 0) = 0"),
        (bare("rt_sigaction", &[2, HERE, 0, 8], 0), "rt_sigaction(SIGINT, 0x50000000, NULL, 8) = 0"),
    ] {
        assert_eq!(line, expected);
    }
    // The list can be read, one of its elements cannot.
    let list = Memory::default().with(HERE, "ls\0").with(THERE, numbers(&[HERE, 0x666_0000, 0]));
    assert_eq!(list.line("execve", &[HERE, THERE, 0], 0), r#"execve("ls", ["ls", 0x6660000], NULL) = 0"#);
}

#[test]
fn numbers_of_arguments_are_those_of_the_kernel() {
    for (name, count) in [("getpid", 0), ("close", 1), ("munmap", 2), ("openat", 4), ("statx", 5), ("mmap", 6), ("futex", 6)] {
        assert_eq!(argument_count(name.parse().unwrap()), count, "{name}");
    }
}

#[test]
fn signatures_and_the_catalogue_know_the_same_arguments() {
    for call in Sysno::all() {
        let kinds = signatures::of(call);
        let has_features = |argument| features::dimensions(call).any(|dimension| dimension.place() == Place::Register(argument));
        for (argument, kind) in (0..).zip(kinds) {
            match kind {
                Kind::Named | Kind::NamedMode | Kind::NodeMode => assert!(has_features(argument), "{call}, argument {argument}"),
                _ => assert!(!has_features(argument), "{call}, argument {argument}: {kind:?}"),
            }
            if let Kind::BytesOut = kind {
                let next = kinds.get(usize::from(argument) + 1);
                assert!(matches!(next, Some(Kind::Size)), "{call}: the size of a buffer comes next");
            }
        }
        for dimension in features::dimensions(call) {
            if let Place::Register(argument) = dimension.place() {
                assert!(usize::from(argument) < kinds.len(), "{call}: {}", dimension.label());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn nothing_makes_a_line_panic_or_endless(
        call in proptest::sample::select(Sysno::all().collect::<Vec<_>>()),
        arguments in proptest::array::uniform6(prop_oneof![any::<u64>(), 0..200_u64, 0x1000..0x1200_u64, Just(u64::MAX)]),
        result in proptest::option::of(prop_oneof![any::<i64>(), -600..200_i64]),
        memory in proptest::collection::vec(prop_oneof![2 => any::<u8>(), 3 => Just(0)], 64),
        readable in 0..4_u8,
    ) {
        let mut reads = 0;
        let text = line(call, &arguments, result, &mut |address, buffer| {
            reads += 1;
            if readable == 0 || readable == 1 && reads % 3 == 0 {
                return false;
            }
            for (offset, byte) in (0..).zip(buffer.iter_mut()) {
                // Pointers in this memory lead back into it, or to anywhere.
                *byte = memory[usize::try_from(address.wrapping_add(offset) % 64).unwrap()];
            }
            true
        });
        prop_assert!(text.starts_with(call.name()), "{}", text);
        prop_assert!(text.is_ascii() && !text.chars().any(|character| character.is_ascii_control()), "{}", text);
        // The longest is a path of escaped bytes.
        prop_assert!(text.len() < 6 * 4 * 4096 + 1000, "{}", text.len());
        prop_assert!(reads < 3000, "{}", reads);
    }
}
