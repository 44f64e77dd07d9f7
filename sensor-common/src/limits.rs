//! Sizes that both sides must agree on. Each limit has a flag or a counter that says when it was met.

/// Longest path on the wire in bytes, without a terminating NUL. The kernel's own PATH_MAX is 4096 with the NUL.
pub const PATH_MAX: usize = 4095;
/// Path components and mount crossings that a record's first path may have; beyond them it is flagged [`crate::span::path_flags::CUT`].
pub const PATH_STEPS: u32 = 880;
/// Bytes of argv that are sent in full, the NUL behind each argument included.
pub const ARGV_MAX: usize = 65536;
/// Of a longer argv: the first bytes that are sent ...
pub const ARGV_HEAD: usize = 49152;
/// ... and the last ones, directly behind them.
pub const ARGV_TAIL: usize = ARGV_MAX - ARGV_HEAD;
/// `comm` of a task, NUL padded (the kernel's TASK_COMM_LEN).
pub const COMM_LEN: usize = 16;
/// Bytes of a socket address that are sent (sockaddr_un is the longest in use, 110).
pub const SOCKADDR_MAX: usize = 128;
/// Bytes of a file name that the kernel-side read filter compares; longer names are never asked for by name.
pub const FILTER_NAME: usize = 32;
