//! `link`: a further name (hard link) was given to a file.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload. Kernel source: security_path_link, sys_exit_link and linkat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Link {
    /// 0 or more on success, a negative errno, [`RESULT_UNKNOWN`] on a record that has only begun.
    pub result: i32,
    /// AT_SYMLINK_FOLLOW 0x400, AT_EMPTY_PATH 0x1000.
    pub flags: u32,
    /// The file that exists.
    pub old: Target,
    /// Its further name.
    pub new: Target,
}
