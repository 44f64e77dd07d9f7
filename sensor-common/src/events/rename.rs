//! `rename`: a file or folder was given another name.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload. Kernel source: security_path_rename, sys_exit_rename, renameat and renameat2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Rename {
    /// 0 or more on success, a negative errno, [`RESULT_UNKNOWN`] on a record that has only begun.
    pub result: i32,
    /// RENAME_NOREPLACE 1, RENAME_EXCHANGE 2, RENAME_WHITEOUT 4.
    pub flags: u32,
    /// The old name.
    pub old: Target,
    /// The new name.
    pub new: Target,
}
