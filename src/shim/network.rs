//! How a network namespace gets from the sidecar that made it to the stage whose next trial is to live in it: over a socket whose
//! name is known only in the network namespace in which both of them started, and in which no app ever is.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, listen, sendmsg, socket,
};

use super::sys::sockets;

/// Known in one network namespace only (unix(7), *abstract*).
const NAME: &[u8] = b"loupe-network";

fn new_socket(flags: SockFlag) -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC | flags, None)?)
}

/// The sidecar's side.
#[derive(Debug)]
pub(super) struct Server {
    listener: OwnedFd,
    client: Option<OwnedFd>,
}

impl Server {
    pub(super) fn new() -> io::Result<Self> {
        let listener = new_socket(SockFlag::SOCK_NONBLOCK)?;
        bind(listener.as_raw_fd(), &UnixAddr::new_abstract(NAME)?)?;
        listen(&listener, Backlog::new(1)?)?;
        Ok(Self { listener, client: None })
    }

    /// Tells the stage, if there is one, of the network namespace that the caller is in.
    pub(super) fn pass_on(&mut self) -> io::Result<()> {
        if self.client.is_none() {
            self.client = sockets::accept(&self.listener)?;
        }
        let Some(client) = &self.client else { return Ok(()) };
        let network = File::open("/proc/self/ns/net")?;
        let descriptors = [network.as_raw_fd()];
        let message = [ControlMessage::ScmRights(&descriptors)];
        sendmsg::<()>(client.as_raw_fd(), &[IoSlice::new(b"n")], &message, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }
}

/// The stage's side.
#[derive(Debug)]
pub(super) struct Client(OwnedFd);

impl Client {
    pub(super) fn connect() -> io::Result<Self> {
        let connection = new_socket(SockFlag::empty())?;
        connect(connection.as_raw_fd(), &UnixAddr::new_abstract(NAME)?)?;
        Ok(Self(connection))
    }

    /// Waits for the next network namespace.
    pub(super) fn next(&self) -> io::Result<OwnedFd> {
        sockets::receive_descriptor(&self.0)
    }
}
