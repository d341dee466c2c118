//! What a static tool would say: which system calls an app may make, by reading its binaries or its sources instead of running
//! it.
//!
//! Beside the flow of measurements, whose results it is compared with. It uses the vocabulary alone. Pure, except for
//! [`folder`], which reads the files of this machine: everything else asks a [`root::Root`] for them.
//!
//! - [`binary`]: the program and every object it would load, as machine code;
//! - [`source`]: C, by the calls of libc functions and of `syscall`.

pub mod archive;
pub mod binary;
pub mod folder;
pub mod root;
pub mod source;
