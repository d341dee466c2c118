//! What the kernel's headers call the values of arguments.
//!
//! The files beside this one are made by `generate.sh`, which says how; each is a subject, each constant in it what one
//! argument can be. Pure data: where in a call a value stands is the catalogue's to say.

pub(super) mod block;
pub(in crate::syscalls) mod device;
pub(in crate::syscalls) mod events;
pub(in crate::syscalls) mod files;
pub(super) mod filesystem;
pub(super) mod memory;
pub(super) mod network;
pub(super) mod options;
pub(in crate::syscalls) mod processes;
pub(super) mod protocols;
pub(in crate::syscalls) mod sockets;
pub(super) mod system;
pub(super) mod terminal;

/// A name and its value; tables of them are in the order of values.
pub(in crate::syscalls) type Named = (&'static str, u64);
