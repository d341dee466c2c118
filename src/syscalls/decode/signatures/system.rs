//! Calls for security, tracing, System V IPC and the machine as a whole, and those that Linux never had or has no more.
//!
//! Pure data.

use super::Kind::{
    Address, Bytes, BytesOut, Fd, Hex, Int, IntOut, Long, Mode, Named, NamedMode, Size, Text, Timespec, Unsigned, UtsnameOut,
};
use super::signatures;

signatures! {
    "_sysctl"(Address);
    "add_key"(Text, Text, Address, Size, Int);
    "afs_syscall"(Hex, Hex, Hex, Hex, Hex);
    "bpf"(Named, Address, Unsigned);
    "create_module"(Text, Size);
    "delete_module"(Text, Hex);
    "finit_module"(Fd, Text, Hex);
    "get_kernel_syms"(Address);
    "getcpu"(IntOut, IntOut, Address);
    "getpmsg"(Hex, Hex, Hex, Hex, Hex);
    "getrandom"(BytesOut, Size, Named);
    "init_module"(Address, Size, Text);
    "ioperm"(Hex, Hex, Int);
    "iopl"(Unsigned);
    "kexec_file_load"(Fd, Fd, Size, Text, Hex);
    "kexec_load"(Hex, Size, Address, Hex);
    "keyctl"(Named, Hex, Hex, Hex, Hex);
    "landlock_add_rule"(Fd, Named, Address, Hex);
    "landlock_create_ruleset"(Address, Size, Named);
    "landlock_restrict_self"(Fd, Hex);
    "lsm_get_self_attr"(Unsigned, Address, Address, Hex);
    "lsm_list_modules"(Address, Address, Hex);
    "lsm_set_self_attr"(Unsigned, Address, Unsigned, Hex);
    "mq_getsetattr"(Fd, Address, Address);
    "mq_notify"(Fd, Address);
    "mq_open"(Text, Named, Mode, Address);
    "mq_timedreceive"(Fd, Address, Size, Address, Timespec);
    "mq_timedsend"(Fd, Bytes(2), Size, Unsigned, Timespec);
    "mq_unlink"(Text);
    "msgctl"(Int, Named, Address);
    "msgget"(Hex, NamedMode);
    "msgrcv"(Int, Address, Size, Long, Named);
    "msgsnd"(Int, Address, Size, Named);
    "nfsservctl"(Int, Address, Address);
    "perf_event_open"(Address, Int, Int, Fd, Named);
    "putpmsg"(Hex, Hex, Hex, Hex, Hex);
    "query_module"(Text, Int, Address, Size, Address);
    "reboot"(Hex, Hex, Named, Address);
    "request_key"(Text, Text, Text, Int);
    "seccomp"(Named, Named, Address);
    "security"(Hex, Hex, Hex, Hex, Hex);
    "semctl"(Int, Int, Named, Hex);
    "semget"(Hex, Int, NamedMode);
    "semop"(Int, Address, Size);
    "semtimedop"(Int, Address, Size, Timespec);
    "setdomainname"(Bytes(1), Int);
    "sethostname"(Bytes(1), Int);
    "sysinfo"(Address);
    "syslog"(Named, Address, Int);
    "tuxcall"(Hex, Hex, Hex, Hex, Hex);
    "uname"(UtsnameOut);
    "vhangup"();
    "vserver"(Hex, Hex, Hex, Hex, Hex);
}
