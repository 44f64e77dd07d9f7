//! `loss`: records were lost. Made by the collector from the kernel's counters, and kept in recordings so that a replay knows too.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Loss {
    /// How many since the last report.
    pub count: u64,
    /// [`crate::EventKind`] of the lost records.
    pub kind: u32,
    /// [`crate::stats::Reason`].
    pub reason: u32,
}
