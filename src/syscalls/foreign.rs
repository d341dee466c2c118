//! Calls through another ABI of the same kernel, such as those of 32-bit programs: their names. Pure.
//!
//! Loupe sees these calls and leaves them alone: no verdict is about them.

use std::sync::LazyLock;

use super::{Architecture, Sysno, X32_BIT, is_x32};

/// `AUDIT_ARCH_*` values of `linux/audit.h`.
const I386: u32 = 0x4000_0003;
const X86_64: u32 = 0xc000_003e;
const ARM: u32 = 0x4000_0028;

/// From this number on, all architectures have the same calls.
const UNIFIED: u32 = 424;

/// The names of the i386 calls below [`UNIFIED`], by number.
static I386_NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let lines = include_str!("i386.list").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
});

/// The names of the calls that x32 has for itself (`asm/unistd_x32.h`), from number 512 on.
const X32_NAMES: [&str; 36] = [
    "rt_sigaction",
    "rt_sigreturn",
    "ioctl",
    "readv",
    "writev",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "execve",
    "ptrace",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "sigaltstack",
    "timer_create",
    "mq_notify",
    "kexec_load",
    "waitid",
    "set_robust_list",
    "get_robust_list",
    "vmsplice",
    "move_pages",
    "preadv",
    "pwritev",
    "rt_tgsigqueueinfo",
    "recvmmsg",
    "sendmmsg",
    "process_vm_readv",
    "process_vm_writev",
    "setsockopt",
    "getsockopt",
    "io_setup",
    "io_submit",
    "execveat",
    "preadv2",
    "pwritev2",
];

/// The name of an ABI, by its `AUDIT_ARCH_*` value and, as x32 has none of its own, the number of a call.
#[must_use]
pub fn abi(architecture: u32, number: u32) -> String {
    match architecture {
        I386 => "i386".to_owned(),
        X86_64 if is_x32(number) => "x32".to_owned(),
        ARM => "arm".to_owned(),
        other => format!("ABI {other:#x}"),
    }
}

/// The name of a call through a foreign ABI; `None` where no table has it.
#[must_use]
pub fn name(architecture: u32, number: u32) -> Option<&'static str> {
    let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let of_architecture = |number| Sysno::from_number(Architecture::X86_64, number).map(Sysno::name);
    match architecture {
        I386 if number < UNIFIED => I386_NAMES.get(place(number)).copied().filter(|name| *name != "-"),
        I386 | ARM if number >= UNIFIED => of_architecture(number),
        X86_64 if is_x32(number) => match number & !X32_BIT {
            own @ 512.. => X32_NAMES.get(place(own - 512)).copied(),
            shared => of_architecture(shared),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_other_abis_have_their_own_numbers() {
        assert_eq!(I386_NAMES.len(), usize::try_from(UNIFIED).unwrap());
        for (number, expected) in [
            (0, Some("restart_syscall")),
            (4, Some("write")),
            (20, Some("getpid")),
            (120, Some("clone")),
            (222, None),
            (423, Some("sched_rr_get_interval_time64")),
            (435, Some("clone3")),
            (9999, None),
        ] {
            assert_eq!(name(I386, number), expected, "i386 number {number}");
        }
        for (number, expected) in [(39, Some("getpid")), (520, Some("execve")), (547, Some("pwritev2")), (548, None)] {
            assert_eq!(name(X86_64, X32_BIT | number), expected, "x32 number {number}");
        }
        assert_eq!(name(X86_64, 39), None, "native calls are none of these");
        assert_eq!((name(ARM, 4), name(ARM, 435)), (None, Some("clone3")));
    }

    #[test]
    fn abis_are_named_as_the_kernel_names_them() {
        assert_eq!(abi(I386, 4), "i386");
        assert_eq!(abi(X86_64, X32_BIT | 4), "x32");
        assert_eq!(abi(0x1234, 4), "ABI 0x1234");
    }
}
