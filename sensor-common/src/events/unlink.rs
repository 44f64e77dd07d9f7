//! `unlink`: a name of a file, or an empty folder, was removed.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload. Kernel source: security_path_unlink and security_path_rmdir, sys_exit_unlink, unlinkat and rmdir.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Unlink {
    /// 0 or more on success, a negative errno, [`RESULT_UNKNOWN`] on a record that has only begun.
    pub result: i32,
    /// AT_REMOVEDIR (0x200) if it was a folder.
    pub flags: u32,
    /// What was removed.
    pub file: Target,
}
