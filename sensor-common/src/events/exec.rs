//! `exec`: a process image was replaced, or an attempt at it failed.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload. Kernel source: `struct linux_binprm`, `mm_struct` (arg_start, exe_file) at `sched_process_exec` or `finalize_exec`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Exec {
    /// 0 or more on success, a negative errno, [`RESULT_UNKNOWN`] on a record that has only begun.
    pub result: i32,
    /// [`exec_flags`].
    pub flags: u32,
    /// Inode number of the executed file.
    pub inode: u64,
    /// Device of its file system (`s_dev`: major << 20 | minor).
    pub dev: u32,
    /// Id of the mount it was reached through (as in /proc/PID/mountinfo).
    pub mount_id: u32,
    /// Mode bits and type of the file.
    pub mode: u32,
    /// Owner of the file.
    pub owner: u32,
    /// Bytes of argv in the process, the NUL behind each argument included; more than `argv.len` if `flags` says ARGV_CUT.
    pub argv_total: u64,
    /// Bit n: page n of argv was not readable and is zero here.
    pub argv_holes: u32,
    /// Number of arguments that the kernel counted.
    pub argc: u32,
    /// Resolved path of the executed file (`kernel`), the caller's string (`user`, the kernel's copy: `bprm->filename`) and where it starts.
    pub file: Target,
    /// What runs it: `bprm->interp` when it differs from the file name (the `#!` line), otherwise empty.
    pub interpreter: Path,
    /// Working directory.
    pub cwd: Path,
    /// Arguments, a NUL behind each; of more than 64 KiB the first 48 KiB and the last 16 KiB.
    pub argv: Span,
}

/// Flags of [`Exec`].
pub mod exec_flags {
    /// argv was longer than 64 KiB: head and tail are there.
    pub const ARGV_CUT: u32 = 1;
    /// The file is a memfd.
    pub const MEMFD: u32 = 2;
    /// The file has no name any more (nlink 0).
    pub const UNLINKED: u32 = 4;
    /// argv is missing because the new image was never set up (a failed attempt).
    pub const NO_ARGV: u32 = 8;
}
