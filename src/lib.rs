//! Loupe finds out, by experiment, which Linux system calls an application really needs.

#[cfg(feature = "cli")]
pub mod campaign;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod engine;
#[cfg(feature = "cli")]
pub mod explore;
pub mod filter;
#[cfg(feature = "cli")]
pub mod report;
pub mod shim;
#[cfg(feature = "cli")]
pub mod spec;
#[cfg(feature = "cli")]
pub mod store;
pub mod syscalls;
pub mod trial;
