//! `cgroup`: a control group was made: the name of a container, before the first process is in it.

use crate::span::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload; the header's task is whoever made it (a container runtime, systemd). Kernel source: `cgroup_mkdir(struct cgroup *, const char *path)`,
/// since 4.13, of the v2 hierarchy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Cgroup {
    /// Its id: the inode number of its folder.
    pub id: u64,
    /// Its path from the root of the hierarchy on, as the kernel gives it (at most 1023 bytes).
    pub path: Path,
}
