//! `connect`: a socket was connected to a peer, or an attempt at it failed.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload. Kernel source: security_socket_connect, cgroup/connect4 and 6, sys_exit_connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Connect {
    /// 0 or more on success, a negative errno, [`RESULT_UNKNOWN`] on a record that has only begun.
    pub result: i32,
    /// Zero.
    pub pad: u32,
    /// The socket.
    pub sock: Sock,
}
