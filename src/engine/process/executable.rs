//! Bytes as a file that nobody else can see and that is gone with this process: it can be executed, or be somebody's input.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// `MFD_EXEC` of `linux/memfd.h` (Linux 6.3): the file may be executed, whatever the machine's default for such files is.
const EXECUTABLE: MFdFlags = MFdFlags::from_bits_retain(0x10);

/// An open file. Its descriptor is closed when another program is executed.
#[derive(Debug)]
pub(super) struct Executable(File);

impl Executable {
    /// A file in memory, or where the kernel forbids that one to be executed, a temporary file without a name.
    pub(super) fn new(name: &str, bytes: &[u8]) -> io::Result<Self> {
        Self::in_memory(name, bytes).or_else(|_| Self::on_disk(bytes))
    }

    fn in_memory(name: &str, bytes: &[u8]) -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC;
        // A kernel that does not know the flag has no such default either.
        let file = memfd_create(name, flags | EXECUTABLE).or_else(|error| match error {
            nix::errno::Errno::EINVAL => memfd_create(name, flags),
            error => Err(error),
        });
        let mut file = File::from(file?);
        file.write_all(bytes)?;
        Ok(Self(file))
    }

    fn on_disk(bytes: &[u8]) -> io::Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(bytes)?;
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o700))?;
        // What is open for writing cannot be executed (execve(2), ETXTBSY).
        File::open(file.path()).map(Self)
    }

    /// Its path for this process, and for a child of it up to its `execve`.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// Its path for other processes of the same user.
    pub(super) fn path_for_others(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn both_kinds_can_be_executed_and_read_from_the_beginning_again_and_again() {
        // Some program that is a single static file would do; the shim is one, and refuses to do anything here.
        for file in
            [Executable::in_memory("test", crate::engine::SHIM).unwrap(), Executable::on_disk(crate::engine::SHIM).unwrap()]
        {
            let output = Command::new(file.path()).output().unwrap();
            assert!(String::from_utf8_lossy(&output.stderr).starts_with("usage: loupe-shim"), "{output:?}");
            for _ in 0..2 {
                assert_eq!(fs::read(file.path_for_others()).unwrap(), crate::engine::SHIM);
            }
        }
    }
}
