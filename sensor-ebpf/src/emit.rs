//! Rings, counters and the work area: the only place that sends. Every early end is counted by kind and reason.

use crate::task;
use aya_ebpf::{
    helpers::generated::bpf_ringbuf_output,
    macros::map,
    maps::{Array, PerCpuArray, RingBuf},
};
use core::{ffi::c_void, mem::size_of};
use sensor_common::{
    EventKind, Header, RingClass, Tier, Wire,
    stats::{self, Reason},
};

/// The reader is not woken for each record (that costs 2 to 14 µs): it looks by itself every few milliseconds.
const BPF_RB_NO_WAKEUP: u64 = 1;

// Sizes are set by the collector from the configuration.
#[map]
static RING_CRITICAL: RingBuf = RingBuf::with_byte_size(1 << 20, 0);
#[map]
static RING_NETWORK: RingBuf = RingBuf::with_byte_size(1 << 20, 0);
#[map]
static RING_FILE: RingBuf = RingBuf::with_byte_size(1 << 20, 0);
#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(stats::SLOTS, 0);

#[inline(always)]
fn ring(kind: EventKind) -> &'static RingBuf {
    match kind.class() {
        RingClass::Critical => &RING_CRITICAL,
        RingClass::Network => &RING_NETWORK,
        RingClass::File => &RING_FILE,
    }
}

/// Adds one to a counter of this CPU.
#[inline(always)]
pub fn count(kind: EventKind, reason: Reason) {
    if let Some(slot) = COUNTERS.get_ptr_mut(stats::slot(kind, reason)) {
        // SAFETY: a slot of this CPU. A run that interrupts this one between load and store can lose an increment; both are then
        // runs on a CPU where `recursion_misses` is looked at as well.
        unsafe { *slot += 1 }
    }
}

/// Sends a record without a tail, built in place in its ring.
#[inline(always)]
pub fn fixed<P: Wire>(task: u64, tier: Tier, flags: u8, payload: P) {
    #[repr(C)]
    struct Fixed<P> {
        header: Header,
        payload: P,
    }
    let Some(mut slot) = ring(P::KIND).reserve::<Fixed<P>>(0) else { return count(P::KIND, Reason::RingFull) };
    let rec = slot.as_mut_ptr();
    // SAFETY: `rec` points to a reservation of exactly this type; every byte of it is written before it is submitted.
    unsafe {
        task::header(&raw mut (*rec).header, task, P::KIND, tier, flags);
        (*rec).header.len = size_of::<Fixed<P>>() as u32;
        (&raw mut (*rec).payload).write(payload);
    }
    slot.submit(BPF_RB_NO_WAKEUP);
    count(P::KIND, Reason::Sent);
}

/// Bytes before the tail: header and the largest payload.
pub const FRONT: usize = 512;
/// Largest tail but for argv: four paths.
pub const TAIL: usize = 16384;

/// Where a record with a tail is put together.
///
/// A work area belongs to one run at a time. Programs called from `trace_call_bpf` (perf tracepoints and kprobes) exclude each other on a
/// CPU by the kernel's `bpf_prog_active`, so all of them share one area per CPU; a `tp_btf` program excludes only itself
/// (`prog->active`) and needs one of its own. The price on preemptible kernels: the excluded run does not happen (`recursion_misses`).
#[repr(C)]
pub struct Work {
    /// State of the tail.
    pub tail: Tail,
    /// Header, payload, tail. The last 4096 bytes are what the verifier believes a string could need behind the largest tail.
    pub rec: [u8; FRONT + TAIL + 4096],
}

/// What is known of a record's tail while it grows.
#[repr(C)]
pub struct Tail {
    /// Its length so far.
    pub len: u64,
    /// Cursor of the path walk in `back`.
    pub cursor: u64,
    /// Flags of the path walk.
    pub flags: u32,
    pad: u32,
    /// A path is built here from its end: from byte 4096 downwards; the rest is room for a last name of 255 bytes as the verifier sees it.
    pub back: [u8; 4096 + 256],
}

#[map]
static WORK: PerCpuArray<Work> = PerCpuArray::with_max_entries(1, 0);

impl Work {
    /// This CPU's area, for programs called from `trace_call_bpf` only.
    #[inline(always)]
    pub fn shared(kind: EventKind) -> Option<&'static mut Work> {
        match WORK.get_ptr_mut(0) {
            // SAFETY: exclusive, see `Work`.
            Some(w) => Some(unsafe { &mut *w }),
            None => {
                count(kind, Reason::NoWorkArea);
                None
            }
        }
    }

    /// Begins a record: header and an all-zero payload, which is returned.
    #[inline(always)]
    pub fn begin<P: Wire>(&mut self, task: u64, tier: Tier, flags: u8) -> *mut P {
        const { assert!(size_of::<Header>() + size_of::<P>() <= FRONT) };
        let header = (&raw mut self.rec).cast::<Header>();
        // SAFETY: `rec` begins with room for FRONT bytes and is aligned to 8 (three u64 before it in a map value).
        let payload = unsafe { header.add(1).cast::<P>() };
        // SAFETY: as above; all-zero is a value of every payload (zerocopy::FromBytes).
        unsafe {
            task::header(header, task, P::KIND, tier, flags);
            core::ptr::write_bytes(payload, 0, 1);
        }
        set!(self.tail.len, 0);
        payload
    }

    /// Sends the record at its own length.
    #[inline(always)]
    pub fn send<P: Wire>(&mut self) {
        let front = (size_of::<Header>() + size_of::<P>()) as u64;
        let len = front + mask!(get!(self.tail.len), 16383);
        let header = (&raw mut self.rec).cast::<Header>();
        // SAFETY: `header` as in `begin`; the helper copies `len` bytes, at most FRONT + TAIL, from a map value that is larger.
        let failed = unsafe {
            (*header).len = len as u32;
            let ring = core::ptr::from_ref(ring(P::KIND)).cast_mut().cast::<c_void>();
            bpf_ringbuf_output(ring, (&raw mut self.rec).cast::<c_void>(), len, BPF_RB_NO_WAKEUP) < 0
        };
        count(P::KIND, if failed { Reason::RingFull } else { Reason::Sent });
    }

    /// Where the tail of a `P` record begins, as an address, and its state.
    #[inline(always)]
    pub fn tail<P>(&mut self) -> (u64, &mut Tail) {
        ((&raw mut self.rec) as u64 + (size_of::<Header>() + size_of::<P>()) as u64, &mut self.tail)
    }
}

/// Largest exec record: front, four paths, argv; a power of two for the verifier, and twice as large as what is ever used.
pub const EXEC_REC: usize = 131072;

/// Where an exec record is put together: more than a per-CPU array can hold (32 KiB), so a plain array with an element per possible CPU.
#[repr(C)]
pub struct ExecWork {
    /// argv bytes so far.
    pub done: u64,
    /// Pages of argv that could not be read.
    pub holes: u32,
    pad: u32,
    /// State of the tail: the paths; argv comes last.
    pub tail: Tail,
    /// Header, payload, tail.
    pub rec: [u8; EXEC_REC + 8192],
}

#[map]
static EXEC_WORK: Array<ExecWork> = Array::with_max_entries(1, 0);

impl ExecWork {
    /// This CPU's area, for the one exec program that is loaded.
    #[inline(always)]
    pub fn own() -> Option<&'static mut ExecWork> {
        // SAFETY: a helper without arguments.
        let cpu = unsafe { aya_ebpf::helpers::bpf_get_smp_processor_id() };
        match EXEC_WORK.get_ptr_mut(cpu) {
            // SAFETY: exclusive, see `Work`.
            Some(w) => Some(unsafe { &mut *w }),
            None => {
                count(EventKind::Exec, Reason::NoWorkArea);
                None
            }
        }
    }

    /// Sends `len` bytes of `rec`.
    #[inline(always)]
    pub fn send(&mut self, len: u64) {
        let len = mask!(len, 131071);
        let ring = core::ptr::from_ref(ring(EventKind::Exec)).cast_mut().cast::<c_void>();
        // SAFETY: at most EXEC_REC bytes of a map value that is larger.
        let failed = unsafe { bpf_ringbuf_output(ring, (&raw mut self.rec).cast::<c_void>(), len, BPF_RB_NO_WAKEUP) < 0 };
        count(EventKind::Exec, if failed { Reason::RingFull } else { Reason::Sent });
    }
}
