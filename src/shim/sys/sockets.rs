//! Descriptors that arrive over sockets: connections, and what the other side of one sends (unix(7), `SCM_RIGHTS`).

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockFlag, accept4, recvmsg};

/// A connection that somebody asked the listening socket for; `None` if nobody did, where it does not block.
pub(in crate::shim) fn accept(listener: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    match accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
        // SAFETY: the call just opened it for us.
        Ok(number) => Ok(Some(unsafe { OwnedFd::from_raw_fd(number) })),
        Err(Errno::EAGAIN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits for a message of one byte that brings one descriptor.
///
/// # Errors
/// When the other side is gone, or what arrives is something else.
pub(in crate::shim) fn receive_descriptor(connection: &OwnedFd) -> io::Result<OwnedFd> {
    let mut byte = [0];
    let mut buffers = [IoSliceMut::new(&mut byte)];
    let mut space = cmsg_space!([i32; 1]);
    let message = recvmsg::<()>(connection.as_raw_fd(), &mut buffers, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let number = message.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmRights(numbers) => numbers.first().copied(),
        _ => None,
    });
    let number = number.ok_or_else(|| io::Error::other("the other side is gone"))?;
    // SAFETY: the call just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
