//! Calls on memory.
//!
//! Pure data.

use super::Kind::{Address, Fd, Hex, Int, Named, NamedMode, Size, Vector};
use super::signatures;

signatures! {
    "brk"(Address);
    "get_mempolicy"(Address, Address, Size, Address, Hex);
    "madvise"(Address, Size, Named);
    "map_shadow_stack"(Address, Size, Hex);
    "mbind"(Address, Size, Named, Address, Size, Hex);
    "membarrier"(Named, Hex, Int);
    "migrate_pages"(Int, Size, Address, Address);
    "mincore"(Address, Size, Address);
    "mlock"(Address, Size);
    "mlock2"(Address, Size, Named);
    "mlockall"(Named);
    "mmap"(Address, Size, Named, Named, Fd, Hex);
    "modify_ldt"(Int, Address, Size);
    "move_pages"(Int, Size, Address, Address, Address, Hex);
    "mprotect"(Address, Size, Named);
    "mremap"(Address, Size, Size, Named, Address);
    "mseal"(Address, Size, Hex);
    "msync"(Address, Size, Named);
    "munlock"(Address, Size);
    "munlockall"();
    "munmap"(Address, Size);
    "pkey_alloc"(Hex, Hex);
    "pkey_free"(Int);
    "pkey_mprotect"(Address, Size, Named, Int);
    "process_madvise"(Fd, Vector(2), Size, Named, Hex);
    "process_mrelease"(Fd, Hex);
    "process_vm_readv"(Int, Address, Size, Address, Size, Hex);
    "process_vm_writev"(Int, Vector(2), Size, Address, Size, Hex);
    "remap_file_pages"(Address, Size, Hex, Size, Hex);
    "set_mempolicy"(Named, Address, Size);
    "set_mempolicy_home_node"(Address, Size, Int, Hex);
    "shmat"(Int, Address, Named);
    "shmctl"(Int, Named, Address);
    "shmdt"(Address);
    "shmget"(Hex, Size, NamedMode);
    "userfaultfd"(Named);
}
