//! `accept`: a connection was accepted from a peer.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload. Kernel source: sys_exit_accept and accept4: the socket of the new descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Accept {
    /// 0 or more on success, a negative errno, [`RESULT_UNKNOWN`] on a record that has only begun.
    pub result: i32,
    /// Zero.
    pub pad: u32,
    /// The socket.
    pub sock: Sock,
}
