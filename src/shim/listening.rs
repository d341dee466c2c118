//! Whether a TCP port of this network namespace is listened on, without connecting to it.
//!
//! Asked through `sock_diag(7)`, which walks the listening sockets alone: some microseconds. Reading `/proc/net/tcp` walks the hash
//! table of all connections as well, which takes milliseconds of processor time on a machine with much memory, each time; so that
//! is only for kernels without `CONFIG_INET_DIAG`.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// How often the port is looked at, at first and after [`PATIENCE`].
const FAST: Duration = Duration::from_millis(1);
const SLOW: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_millis(200);
/// How often `/proc/net/tcp` is read where there is no better way.
const SLOWEST: Duration = Duration::from_millis(50);

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`, `NLMSG_ERROR`, `NLMSG_DONE` of `linux/netlink.h`.
const REQUEST_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `TCP_LISTEN` of `net/tcp_states.h`.
const LISTEN: u32 = 10;
/// Size of `struct nlmsghdr`, and of `struct inet_diag_req_v2` (`linux/inet_diag.h`).
const HEADER: usize = 16;
const REQUEST: usize = 56;

/// Waits until a socket listens on the port.
pub(super) fn wait_for(port: u16) -> io::Result<()> {
    let begin = Instant::now();
    let mut diagnosis = Diagnosis::open().ok();
    loop {
        let asked = diagnosis.as_ref().map(|diagnosis| diagnosis.listens(port));
        let listens = match asked {
            Some(Ok(listens)) => listens,
            Some(Err(_)) => {
                diagnosis = None;
                continue;
            }
            None => in_proc(port)?,
        };
        if listens {
            return Ok(());
        }
        let pause = if diagnosis.is_none() {
            SLOWEST
        } else if begin.elapsed() < PATIENCE {
            FAST
        } else {
            SLOW
        };
        std::thread::sleep(pause);
    }
}

/// A socket to ask the kernel about sockets.
struct Diagnosis(OwnedFd);

impl Diagnosis {
    fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        Ok(Self(socket(AddressFamily::Netlink, SockType::Datagram, flags, SockProtocol::NetlinkSockDiag)?))
    }

    fn listens(&self, port: u16) -> io::Result<bool> {
        let mut found = false;
        for family in [libc::AF_INET, libc::AF_INET6] {
            send(self.0.as_raw_fd(), &request(family), MsgFlags::empty())?;
            // Read to its end, also when the port was found: the kernel takes no other question before.
            loop {
                let mut buffer = [0; 16 * 1024];
                let length = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
                match answer(&buffer[..length], port) {
                    Answer::More { listens } => found |= listens,
                    Answer::Done { listens } => {
                        found |= listens;
                        break;
                    }
                    // A kernel without IPv6.
                    Answer::Refused if family == libc::AF_INET6 => break,
                    Answer::Refused => return Err(io::ErrorKind::Unsupported.into()),
                }
            }
        }
        Ok(found)
    }
}

/// A request for all listening TCP sockets of a family: `struct nlmsghdr`, `struct inet_diag_req_v2`.
fn request(family: libc::c_int) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + REQUEST);
    let length = u32::try_from(HEADER + REQUEST).expect("invariant: a request is short");
    bytes.extend(length.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    let number = |value: libc::c_int| u8::try_from(value).expect("invariant: families and protocols are small");
    bytes.extend([number(family), number(libc::IPPROTO_TCP), 0, 0]);
    bytes.extend((1_u32 << LISTEN).to_ne_bytes());
    bytes.resize(HEADER + REQUEST, 0);
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// The dump goes on.
    More {
        listens: bool,
    },
    Done {
        listens: bool,
    },
    Refused,
}

/// Reads one datagram of the kernel's answer: messages of a header and `struct inet_diag_msg`, whose local port stands at
/// offset 4, in network order.
fn answer(mut bytes: &[u8], port: u16) -> Answer {
    let mut listens = false;
    while let Some((header, rest)) = bytes.split_at_checked(HEADER) {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX).max(HEADER);
        let body = &rest[..rest.len().min(length - HEADER)];
        match u16::from_ne_bytes([header[4], header[5]]) {
            DONE => return Answer::Done { listens },
            ERROR => return Answer::Refused,
            BY_FAMILY => listens |= body.get(4..6) == Some(&port.to_be_bytes()),
            _ => {}
        }
        // Messages are aligned to four bytes.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Answer::More { listens }
}

fn in_proc(port: u16) -> io::Result<bool> {
    for path in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        match fs::read_to_string(path) {
            Ok(table) if listed(&table, port) => return Ok(true),
            Ok(_) => {}
            // A kernel without IPv6 has no such table.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Whether `/proc/net/tcp` or `tcp6` (proc(5)) has the port in state `TCP_LISTEN`.
fn listed(table: &str, port: u16) -> bool {
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(local), Some(_remote), Some(state)) = (fields.next(), fields.next(), fields.next()) else { return false };
        let local_port = local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        u32::from_str_radix(state, 16) == Ok(LISTEN) && local_port == Some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listening_socket_on_the_port_counts() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
                     1: 0100007F:0050 0100007F:D431 01 00000000:00000000\n";
        assert!(listed(table, 8080));
        assert!(!listed(table, 80));
        let table = "header\n 0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A\n";
        assert!(listed(table, 80));
    }

    #[test]
    fn the_kernel_knows_of_a_socket_that_listens_and_of_one_that_is_closed() {
        let diagnosis = Diagnosis::open().unwrap();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has nothing to listen on.
            let Ok(listener) = std::net::TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            assert!(diagnosis.listens(port).unwrap() && in_proc(port).unwrap(), "{address}");
            wait_for(port).unwrap();
            let connected = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            drop(listener);
            assert!(!diagnosis.listens(port).unwrap() && !in_proc(port).unwrap(), "{address}");
            drop(connected);
        }
    }

    #[test]
    fn an_answer_is_read_to_its_end_and_no_further() {
        let message = |kind: u16, body: &[u8]| {
            let mut bytes = u32::try_from(HEADER + body.len()).unwrap().to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(body);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let socket = message(BY_FAMILY, &[2, 10, 0, 0, 0x1f, 0x90, 0, 0, 7]);
        assert_eq!(answer(&socket, 8080), Answer::More { listens: true });
        assert_eq!(answer(&socket, 80), Answer::More { listens: false });
        assert_eq!(answer(&[socket, message(DONE, &[0; 4])].concat(), 8080), Answer::Done { listens: true });
        assert_eq!(answer(&message(ERROR, &[0xf0; 4]), 80), Answer::Refused);
        for length in 0..20 {
            answer(&vec![0xff; length], 80);
        }
    }
}
