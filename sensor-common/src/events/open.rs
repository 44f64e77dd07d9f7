//! `open`: a file was opened or created. Opens for reading are sent only for names that a rule asks for.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload. Kernel source: security_file_open, and `struct file` behind the descriptor at the exit of open, openat, openat2 and creat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Open {
    /// The descriptor (0 or more), a negative errno, [`RESULT_UNKNOWN`] on a record that has only begun.
    pub result: i32,
    /// O_* flags (`file->f_flags`; the caller's if it failed).
    pub flags: u32,
    /// Permission bits for a new file as the caller gave them.
    pub mode: u32,
    /// [`open_flags`].
    pub state: u32,
    /// Inode number.
    pub inode: u64,
    /// Device of the file system.
    pub dev: u32,
    /// Owner of the file.
    pub owner: u32,
    /// Type and permission bits of the file.
    pub file_mode: u32,
    /// Zero.
    pub pad: u32,
    /// The file.
    pub file: Target,
}

/// Flags of [`Open`].
pub mod open_flags {
    /// This open created the file (FMODE_CREATED, since 4.19).
    pub const CREATED: u32 = 1;
}
