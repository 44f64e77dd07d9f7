//! Slices into the tail of a record, always checked against its real length.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `off..off + len` in bytes of a record's tail. 8 bytes: off u32, len u32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Span {
    /// First byte, from the start of the tail.
    pub off: u32,
    /// Number of bytes.
    pub len: u32,
}

impl Span {
    /// The bytes, or `None` if the span does not lie within `tail`.
    pub fn get(self, tail: &[u8]) -> Option<&[u8]> {
        let start = usize::try_from(self.off).ok()?;
        let end = start.checked_add(usize::try_from(self.len).ok()?)?;
        tail.get(start..end)
    }
}

/// A path on the wire and what is known of it. 16 bytes: span 8, flags u32, pad u32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Path {
    /// Where it is; an empty span means that there is none.
    pub span: Span,
    /// [`path_flags`].
    pub flags: u32,
    /// Zero.
    pub pad: u32,
}

/// Flags of a [`Path`].
pub mod path_flags {
    /// Too deep or too long: the bytes are the end of the real path.
    pub const CUT: u32 = 1;
    /// The task's root was not met: a detached mount, outside a chroot, or a pseudo file such as a memfd or a pipe.
    pub const OUTSIDE: u32 = 2;
    /// The file is unlinked; the name is its last one.
    pub const DELETED: u32 = 4;
    /// The bytes could not be read (a page was not present).
    pub const FAULT: u32 = 8;
    /// The components stand in the order in which the kernel walks, from the file up to the root, each with a `/` before it:
    /// `/passwd/etc` is `/etc/passwd`. Only on paths of more than one component.
    pub const LEAF_FIRST: u32 = 16;
}

/// The file that an operation names: what the kernel resolved, where a hook could see it, and what the caller wrote. 48 bytes.
///
/// An absolute path is, in this order: `kernel`; `user` if it starts with `/`; `base` + `/` + `user`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Target {
    /// From the kernel's own objects (`struct path`, `struct file`), absolute as the task's mount namespace and root see it.
    pub kernel: Path,
    /// The string in user memory, read when the call returned: an attacker may have changed it meanwhile. May be relative.
    pub user: Path,
    /// The directory that a relative `user` starts from (the working directory, or the one behind the `dirfd`).
    pub base: Path,
}

/// `result` of a record whose operation has begun and not ended ([`crate::header::header_flags::BEGUN`]).
pub const RESULT_UNKNOWN: i32 = i32::MIN;

/// A socket address: 24 bytes. IPv4 addresses are in the first four bytes of `ip`; ports in host order; zero for other families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Addr {
    /// Address in network order.
    pub ip: [u8; 16],
    /// Port in host order.
    pub port: u16,
    /// AF_INET, AF_INET6, or 0 for none.
    pub family: u16,
    /// Zero.
    pub pad: u32,
}

/// A socket as the kernel has it when the call returns. 72 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Sock {
    /// From the kernel's `struct sock`: the own end.
    pub local: Addr,
    /// From the kernel's `struct sock`, or the kernel's copy of the caller's address where a hook could see it: the other end.
    pub remote: Addr,
    /// The address that the caller passed, as `struct sockaddr` (at most [`crate::limits::SOCKADDR_MAX`] bytes), read when the call
    /// returned; from the kernel's copy on a record that has only begun. Holds the path of AF_UNIX.
    pub user: Span,
    /// AF_*.
    pub family: u16,
    /// SOCK_STREAM 1, SOCK_DGRAM 2, SOCK_RAW 3, ...
    pub kind: u16,
    /// IPPROTO_*.
    pub protocol: u16,
    /// Zero.
    pub pad: u16,
    /// Descriptor in the caller, u32::MAX if not known.
    pub fd: u32,
    /// Zero.
    pub pad2: u32,
}
