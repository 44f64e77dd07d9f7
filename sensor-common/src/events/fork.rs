//! `fork`: a process was created (threads are not reported: they share their process's identity).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload; the header's task is the parent. Kernel source: `wake_up_new_task(child)`, `sched_process_fork(parent, child)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Fork {
    /// `start_boottime` of the child.
    pub child_start_ns: u64,
    /// Process id of the child in the initial pid namespace.
    pub child_tgid: u32,
    /// Process id of the child in its own pid namespace.
    pub child_ns_pid: u32,
}
