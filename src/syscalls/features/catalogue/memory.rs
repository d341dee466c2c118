//! Calls on memory.
//!
//! Pure data.

use crate::syscalls::calls;
use crate::syscalls::features::dimension::{Dimension, INT, Kind, LONG, Place};
use crate::syscalls::features::names::memory;

/// Every access to memory (`PROT_READ | PROT_WRITE | PROT_EXEC`).
const ACCESS: u64 = 7;
/// The bits of what a mapping is (`MAP_TYPE`).
const MAP_KIND: u64 = 0xf;
/// The bits of the size of huge pages: `HUGETLB_FLAG_ENCODE_MASK << HUGETLB_FLAG_ENCODE_SHIFT`.
const HUGE: u64 = 0x3f << 26;
/// The bits of flags beside a memory policy (`MPOL_MODE_FLAGS`).
const POLICY_FLAGS: u64 = 0xe000;
/// The permissions in the flags of `shmget`.
const PERMISSIONS: u64 = 0o777;

pub(super) static DIMENSIONS: &[Dimension] = &[
    Dimension::new(
        "access",
        calls!["mmap", "mprotect", "pkey_mprotect"],
        Place::Register(2),
        Kind::Zero { mask: ACCESS },
        &[memory::NO_ACCESS],
    ),
    Dimension::new(
        "protection",
        calls!["mmap", "mprotect", "pkey_mprotect"],
        Place::Register(2),
        Kind::Flags { mask: LONG },
        &[memory::PROTECTION],
    )
    .differing(&[], memory::PROTECTION_AARCH64),
    Dimension::new("kind", calls!["mmap"], Place::Register(3), Kind::Value { mask: MAP_KIND }, &[memory::MAP_KIND]),
    Dimension::new(
        "flags",
        calls!["mmap"],
        Place::Register(3),
        Kind::Flags { mask: LONG & !MAP_KIND & !HUGE },
        &[memory::MAP_FLAGS],
    )
    .differing(memory::MAP_FLAGS_X86_64, &[]),
    Dimension::new("huge", calls!["mmap"], Place::Register(3), Kind::Field { mask: HUGE }, &[memory::MAP_HUGE]),
    Dimension::new("flags", calls!["memfd_create"], Place::Register(1), Kind::Flags { mask: INT & !HUGE }, &[memory::MEMFD]),
    Dimension::new("huge", calls!["memfd_create"], Place::Register(1), Kind::Field { mask: HUGE }, &[memory::MEMFD_HUGE]),
    Dimension::new("advice", calls!["madvise"], Place::Register(2), Kind::Value { mask: INT }, &[memory::MEMORY_ADVICE]),
    Dimension::new("advice", calls!["process_madvise"], Place::Register(3), Kind::Value { mask: INT }, &[memory::MEMORY_ADVICE]),
    Dimension::new("flags", calls!["mremap"], Place::Register(3), Kind::Flags { mask: LONG }, &[memory::REMAP]),
    Dimension::new("flags", calls!["msync"], Place::Register(2), Kind::Flags { mask: INT }, &[memory::MEMORY_SYNC]),
    Dimension::new("flags", calls!["mlockall"], Place::Register(0), Kind::Flags { mask: INT }, &[memory::LOCK_ALL]),
    Dimension::new("flags", calls!["mlock2"], Place::Register(2), Kind::Flags { mask: INT }, &[memory::LOCK_FLAGS]),
    Dimension::new(
        "policy",
        calls!["set_mempolicy"],
        Place::Register(0),
        Kind::Value { mask: INT & !POLICY_FLAGS },
        &[memory::POLICY],
    ),
    Dimension::new(
        "flags",
        calls!["set_mempolicy"],
        Place::Register(0),
        Kind::Flags { mask: POLICY_FLAGS },
        &[memory::POLICY_FLAGS],
    ),
    Dimension::new("policy", calls!["mbind"], Place::Register(2), Kind::Value { mask: LONG & !POLICY_FLAGS }, &[memory::POLICY]),
    Dimension::new("flags", calls!["mbind"], Place::Register(2), Kind::Flags { mask: POLICY_FLAGS }, &[memory::POLICY_FLAGS]),
    Dimension::new(
        "flags",
        calls!["shmget"],
        Place::Register(2),
        Kind::Flags { mask: INT & !PERMISSIONS & !HUGE },
        &[memory::SHARED_GET],
    ),
    Dimension::new("flags", calls!["shmat"], Place::Register(2), Kind::Flags { mask: INT }, &[memory::SHARED_ATTACH]),
    Dimension::new("command", calls!["shmctl"], Place::Register(1), Kind::Value { mask: INT }, &[memory::SHARED_CONTROL]),
    Dimension::new("command", calls!["membarrier"], Place::Register(0), Kind::Value { mask: INT }, &[memory::BARRIER]),
    Dimension::new("flags", calls!["userfaultfd"], Place::Register(0), Kind::Flags { mask: INT }, &[memory::USERFAULT]),
];
