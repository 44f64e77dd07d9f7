//! `symlink`: a symbolic link was made.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload. Kernel source: security_path_symlink, sys_exit_symlink and symlinkat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Symlink {
    /// 0 or more on success, a negative errno, [`RESULT_UNKNOWN`] on a record that has only begun.
    pub result: i32,
    /// Zero.
    pub pad: u32,
    /// What it points to, as it is written into the link.
    pub text: Path,
    /// The link itself.
    pub link: Target,
}
