//! `chmod`: permission bits of a file were set.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
/// Payload. Kernel source: security_path_chmod, sys_exit_chmod, fchmod, fchmodat and fchmodat2.
pub struct Chmod {
    /// 0 or more on success, a negative errno, [`RESULT_UNKNOWN`] on a record that has only begun.
    pub result: i32,
    /// The new bits as the caller gave them (07777).
    pub mode: u32,
    /// The file.
    pub file: Target,
}
