//! `exit`: the last thread of a process ended.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload. Kernel source: `taskstats_exit(task, group_dead)`, `sched_process_exit(task)` with `signal->live` 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Exit {
    /// As `wait(2)` gives it: exit code << 8, or the signal in the low 7 bits and 0x80 for a core dump.
    pub status: u32,
    /// Zero.
    pub pad: u32,
}
