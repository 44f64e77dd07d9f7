//! The kernel programs' counters, read from memory that both sides share.
//!
//! Not by bpf(2): while a task is in such a call and is interrupted there, the kernel skips all tracepoint and kprobe programs on that CPU
//! (`bpf_disable_instrumentation`), so that looking for losses would cause some.

use super::{AttachError, chain};
use aya::maps::MapData;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use sensor_common::stats::Counters;
use std::{
    ffi::c_void,
    ptr::{self, NonNull},
    sync::atomic::{AtomicU64, Ordering},
};

/// A mapping of the map `COUNTERS`: an element for each possible CPU.
pub(super) struct KernelCounters {
    first: NonNull<c_void>,
    bytes: usize,
    /// The mapping does not need it; whoever lists the maps of this process finds it.
    _map: MapData,
}

// SAFETY: memory that belongs to no thread, and that only the kernel writes.
unsafe impl Send for KernelCounters {}

impl KernelCounters {
    /// Maps it.
    pub(super) fn new(map: MapData) -> Result<Self, AttachError> {
        let info = map.info().map_err(|e| AttachError::Load(chain(&e)))?;
        let (elements, size) = (info.max_entries() as usize, info.value_size() as usize);
        if size != size_of::<Counters>() {
            return Err(AttachError::Load("the embedded object is not of this version".to_owned()));
        }
        let bytes = elements * size;
        // SAFETY: a new mapping at an address that the kernel chooses.
        let first = unsafe { mmap(ptr::null_mut(), bytes, ProtFlags::READ, MapFlags::SHARED, map.fd(), 0) };
        let first = first.map_err(|e| AttachError::Load(format!("the kernel's counters cannot be mapped: {e}")))?;
        let first = NonNull::new(first).ok_or_else(|| AttachError::Load("the kernel's counters are mapped at 0".to_owned()))?;
        Ok(Self { first, bytes, _map: map })
    }

    /// A counter, summed over CPUs.
    pub(super) fn sum(&self, slot: u32) -> u64 {
        let cpus = (0..self.bytes).step_by(size_of::<Counters>());
        cpus.filter_map(|cpu| {
            let at = cpu + 8 * slot as usize;
            // SAFETY: within the mapping and aligned to 8; the kernel writes whole words.
            (at < self.bytes).then(|| unsafe { AtomicU64::from_ptr(self.first.as_ptr().byte_add(at).cast()) }.load(Ordering::Relaxed))
        })
        .sum()
    }
}

impl Drop for KernelCounters {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and nobody has a pointer into it. It cannot fail with the arguments of a mapping.
        let _ = unsafe { munmap(self.first.as_ptr(), self.bytes) };
    }
}
