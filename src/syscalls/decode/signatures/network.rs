//! Calls on sockets.
//!
//! Pure data.

use super::Kind::{
    Address, Bytes, BytesOut, Fd, Int, IntAt, Level, Message, MessageOut, Named, Option, PairOut, Protocol, Size, Socket,
    SocketOut, Timespec, Unsigned, Value, ValueOut,
};
use super::signatures;

signatures! {
    "accept"(Fd, SocketOut(2), IntAt);
    "accept4"(Fd, SocketOut(2), IntAt, Named);
    "bind"(Fd, Socket(2), Int);
    "connect"(Fd, Socket(2), Int);
    "getpeername"(Fd, SocketOut(2), IntAt);
    "getsockname"(Fd, SocketOut(2), IntAt);
    "getsockopt"(Fd, Level, Option, ValueOut(4), IntAt);
    "listen"(Fd, Int);
    "recvfrom"(Fd, BytesOut, Size, Named, SocketOut(5), IntAt);
    "recvmmsg"(Fd, Address, Unsigned, Named, Timespec);
    "recvmsg"(Fd, MessageOut, Named);
    "sendmmsg"(Fd, Address, Unsigned, Named);
    "sendmsg"(Fd, Message, Named);
    "sendto"(Fd, Bytes(2), Size, Named, Socket(5), Int);
    "setsockopt"(Fd, Level, Option, Value(4), Int);
    "shutdown"(Fd, Named);
    "socket"(Named, Named, Protocol);
    "socketpair"(Named, Named, Protocol, PairOut);
}
