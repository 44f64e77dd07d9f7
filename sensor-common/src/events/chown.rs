//! `chown`: owner or group of a file was set.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload. Kernel source: security_path_chown, sys_exit_chown, lchown, fchown and fchownat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Chown {
    /// 0 or more on success, a negative errno, [`RESULT_UNKNOWN`] on a record that has only begun.
    pub result: i32,
    /// The new owner as the caller gave it, u32::MAX to leave it.
    pub owner: u32,
    /// The new group as the caller gave it, u32::MAX to leave it.
    pub group: u32,
    /// Zero.
    pub pad: u32,
    /// The file.
    pub file: Target,
}
