//! Addresses, options and messages of sockets.
//!
//! Pure. Structures are those of `linux/un.h`, `linux/in.h`, `linux/in6.h`, `linux/netlink.h` and `linux/socket.h`.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::print::{Printer, flags, one_of, signed};
use super::signatures::Kind;
use super::structures::{field, timeval};
use super::text;
use crate::syscalls::features::names::sockets;

/// The largest address that the kernel takes (`struct sockaddr_storage`).
const ADDRESS_LIMIT: usize = 128;

/// A number in the order of bytes of the network.
fn big_endian(structure: &[u8], offset: usize) -> u16 {
    let bytes = structure.get(offset..offset + 2).unwrap_or(&[0, 0]);
    u16::from(bytes[0]) << 8 | u16::from(bytes[1])
}

/// The address of a socket, of which this much was given; `None` if that is not even its family.
fn address(structure: &[u8]) -> Option<String> {
    let (family, rest) = structure.split_at_checked(2)?;
    let family = one_of(sockets::FAMILIES, field(family, 0, 2));
    let parts = match (family.as_str(), rest.len()) {
        ("AF_UNIX", 0) => String::new(),
        ("AF_UNIX", _) if rest[0] == 0 => format!(", sun_path=@{}", text::quoted(&rest[1..], false)),
        ("AF_UNIX", _) => {
            let path = rest.split(|byte| *byte == 0).next().unwrap_or_default();
            format!(", sun_path={}", text::quoted(path, false))
        }
        ("AF_INET", 6..) => {
            let [a, b, c, d] = [2, 3, 4, 5].map(|index| rest[index]);
            let host = Ipv4Addr::new(a, b, c, d);
            format!(", sin_port=htons({}), sin_addr=inet_addr(\"{host}\")", big_endian(rest, 0))
        }
        ("AF_INET6", 26..) => {
            let groups: [u16; 8] = std::array::from_fn(|index| big_endian(rest, 6 + 2 * index));
            let (port, host, scope) = (big_endian(rest, 0), Ipv6Addr::from(groups), field(rest, 22, 4));
            format!(", sin6_port=htons({port}), inet_pton(AF_INET6, \"{host}\", &sin6_addr), sin6_scope_id={scope}")
        }
        ("AF_NETLINK", 10..) => format!(", nl_pid={}, nl_groups={:#010x}", field(rest, 2, 4), field(rest, 6, 4)),
        _ => format!(", sa_data={}", text::quoted(rest.get(..text::DATA_LIMIT).unwrap_or(rest), rest.len() > text::DATA_LIMIT)),
    };
    Some(format!("{{sa_family={family}{parts}}}"))
}

impl Printer<'_, '_> {
    /// Something of sockets behind a pointer; `None` if it is something else or cannot be read.
    pub(super) fn socket(&mut self, value: u64, kind: Kind) -> Option<String> {
        match kind {
            Kind::Socket(length) => self.socket_address(value, self.value(length)),
            Kind::SocketOut(length) => {
                self.succeeded()?;
                let length = self.block(self.value(length), 4)?;
                self.socket_address(value, field(&length, 0, 4))
            }
            Kind::Value(length) => self.option_value(value, self.value(length) & 0xffff_ffff),
            Kind::ValueOut(length) => {
                self.succeeded()?;
                let length = self.block(self.value(length), 4)?;
                self.option_value(value, field(&length, 0, 4))
            }
            Kind::Message => self.message(value, u64::MAX),
            Kind::MessageOut => {
                let received = self.succeeded()?;
                self.message(value, received)
            }
            _ => None,
        }
    }

    /// `length` is an `int` of the caller's: what is more than an address can have is cut off.
    fn socket_address(&mut self, at: u64, length: u64) -> Option<String> {
        let length = usize::try_from(signed(length)).ok()?.min(ADDRESS_LIMIT);
        self.block(at, length).and_then(|structure| address(&structure))
    }

    /// The value of a socket option: a number, a time where the option has one, or bytes.
    fn option_value(&mut self, at: u64, length: u64) -> Option<String> {
        const TIMES: [u64; 2] = [20, 21]; // SO_RCVTIMEO and SO_SNDTIMEO of `asm-generic/socket.h`
        if at == 0 {
            return None;
        }
        match length {
            4 => Some(format!("[{}]", signed(field(&self.block(at, 4)?, 0, 4)))),
            16 if self.value(1) == 1 && TIMES.contains(&self.value(2)) => Some(timeval(&self.block(at, 16)?, 0)),
            _ => self.bytes(at, length),
        }
    }

    /// `struct msghdr`, of whose data `filled` bytes have content.
    fn message(&mut self, at: u64, filled: u64) -> Option<String> {
        let header = self.block(at, 56)?;
        let (name, name_length) = (field(&header, 0, 8), field(&header, 8, 4));
        let name_text = self.socket_address(name, name_length).unwrap_or_else(|| text::address(name));
        let (vector, count) = (field(&header, 16, 8), field(&header, 24, 8));
        let vector_text = self.vector(vector, count, filled).unwrap_or_else(|| text::address(vector));
        let control = match (field(&header, 32, 8), field(&header, 40, 8)) {
            (0, length) | (_, length @ 0) => format!("msg_controllen={length}"),
            (pointer, length) => format!("msg_control={}, msg_controllen={length}", text::address(pointer)),
        };
        let set = flags(sockets::MESSAGE_FLAGS, field(&header, 48, 4));
        Some(format!(
            "{{msg_name={name_text}, msg_namelen={}, msg_iov={vector_text}, msg_iovlen={count}, {control}, msg_flags={set}}}",
            signed(name_length)
        ))
    }
}
