//! Rings, counters and the work areas: the only place that sends. Every early end is counted by kind and reason.

use crate::{
    kernel::o,
    read,
    task::{self, Task},
    walker::{self, WalkExec},
};
use aya_ebpf::{
    helpers::{bpf_get_smp_processor_id, generated::bpf_ringbuf_output},
    macros::map,
    maps::{Array, PerCpuArray, RingBuf},
};
use core::{ffi::c_void, mem::size_of};
use sensor_common::{
    EventKind, Header, RingClass, Tier, Wire,
    stats::{self, Counters, Reason},
};

/// The collector reads the map without a system call (since 5.5): a look-up by bpf(2) would make the kernel skip tracepoint programs on that
/// CPU for as long as the collector is interrupted there (`bpf_disable_instrumentation`).
const BPF_F_MMAPABLE: u32 = 1 << 10;

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
static COUNTERS: Array<Counters> = Array::with_max_entries(1, BPF_F_MMAPABLE); // as many as possible CPUs, set by the collector

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
    count_slot(stats::slot(kind, reason));
}

#[inline(always)]
fn count_slot(slot: u32) {
    // SAFETY: a helper without arguments. Programs do not change their CPU while they run.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    if let Some(counters) = COUNTERS.get_ptr_mut(cpu) {
        // SAFETY: a slot of this CPU, by the mask. A run that interrupts this one between load and store can lose an increment; both are
        // then runs on a CPU where `recursion_misses` is looked at as well.
        unsafe { *counters.cast::<u64>().add(mask!(slot as u64, 1023) as usize) += 1 }
    }
}

/// Sends a record without a tail, built in place in its ring.
#[inline(always)]
pub fn fixed<P: Wire>(task: Task, tier: Tier, flags: u8, payload: P) {
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
/// A work area belongs to one run at a time. The kernel skips a run of a program while another run of *the same* program is not over on
/// that CPU (`prog->active`, on older kernels `bpf_prog_active` for all of them together), so each tracepoint program has an area of its own;
/// since 6.13 tracepoint programs can be preempted, and one area for all mixed two tasks' paths there. Kprobes run with
/// preemption off and cannot meet on a CPU: one area for all. The price on preemptible kernels: skipped runs (`recursion_misses`).
#[repr(C)]
pub struct Work {
    /// Bytes of header and payload.
    pub front: u64,
    /// State of the tail.
    pub tail: Tail,
    /// Header, payload, tail. The last 4096 bytes are what the verifier believes a string could need behind the largest tail.
    pub rec: [u8; FRONT + TAIL + 4096],
}

/// What is known of a record's tail while it grows. Paths are walked last, see `path.rs`.
#[repr(C)]
pub struct Tail {
    /// Its length so far.
    pub len: u64,
    /// Number of paths to walk, at most [`WALKS`].
    pub wanted: u64,
    /// Which of them is walked now.
    pub walk: u64,
    /// Runs of the walker that have been used up.
    pub runs: u64,
    /// Where the walk is.
    pub mnt: u64,
    /// Where the walk is.
    pub dentry: u64,
    /// Root of `mnt`; 0 before the first step.
    pub mnt_root: u64,
    /// Where in the tail the path begins.
    pub begin: u64,
    /// Components of the path so far.
    pub parts: u64,
    /// [`sensor_common::span::path_flags`] of the path.
    pub flags: u32,
    pad: u32,
    /// What to walk, and where in the record the [`sensor_common::Path`] goes.
    pub walks: [Walk; WALKS],
}

/// Most paths in a record: `rename` with two relative names.
pub const WALKS: usize = 4;

/// A path to walk.
#[repr(C)]
pub struct Walk {
    /// `struct vfsmount *`
    pub mnt: u64,
    /// `struct dentry *`
    pub dentry: u64,
    /// Byte offset of the `Path` in the record.
    pub at: u64,
}

impl Tail {
    /// Empty.
    #[inline(always)]
    pub fn begin(&mut self) {
        set!(self.len, 0);
        set!(self.wanted, 0);
        set!(self.walk, 0);
        set!(self.runs, 0);
        set!(self.mnt_root, 0);
    }

    /// Asks for the path of `(mnt, dentry)`, to go into the `Path` at byte `at` of the record.
    #[inline(always)]
    pub fn want(&mut self, (mnt, dentry): (u64, u64), at: usize) {
        let n = mask!(get!(self.wanted), 3);
        // SAFETY: an element of `walks`, by the mask.
        unsafe { (&raw mut self.walks).cast::<Walk>().add(n as usize).write_volatile(Walk { mnt, dentry, at: at as u64 }) };
        set!(self.wanted, n + 1);
    }

    /// Asks for the path of an open file.
    #[inline(always)]
    pub fn want_file(&mut self, file: u64, at: usize) {
        self.want(read::path(file + o!(O_FILE_PATH)), at);
    }
}

#[map]
static WORK_KPROBE: PerCpuArray<Work> = PerCpuArray::with_max_entries(1, 0);
/// One area per tracepoint program, by the number of its event: see [`area`].
#[map]
static WORK_TP: PerCpuArray<Work> = PerCpuArray::with_max_entries(AREAS, 0);

const AREAS: u32 = 16;

/// Index of the area of an event's tracepoint program: file events count from 32 to 38, network events from 16 to 19, cgroup and exec have
/// the last two.
pub const fn area(kind: EventKind) -> u32 {
    match kind {
        EventKind::Exec => AREAS - 1,
        EventKind::Cgroup => AREAS - 2,
        _ => ((kind as u32 >> 4 & 1) << 3) | (kind as u32 & 7),
    }
}

const _: () = {
    // Kinds with a tracepoint program and a work area: exec 1, cgroup 4, network 16.., file 32..
    let mut taken = [false; AREAS as usize];
    let mut i = 0;
    while i < EventKind::ALL.len() {
        let kind = EventKind::ALL[i];
        if !matches!(kind, EventKind::Fork | EventKind::Exit | EventKind::Loss) {
            let at = area(kind) as usize;
            assert!(!taken[at], "two programs share a work area");
            taken[at] = true;
        }
        i += 1;
    }
};

impl Work {
    /// This CPU's area of an event's tracepoint program.
    #[inline(always)]
    pub fn tracepoint(kind: EventKind) -> Option<&'static mut Work> {
        Self::of(WORK_TP.get_ptr_mut(area(kind)), kind)
    }

    /// This CPU's area of all kprobes.
    #[inline(always)]
    pub fn kprobe(kind: EventKind) -> Option<&'static mut Work> {
        Self::of(WORK_KPROBE.get_ptr_mut(0), kind)
    }

    #[inline(always)]
    fn of(area: Option<*mut Work>, kind: EventKind) -> Option<&'static mut Work> {
        match area {
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
    pub fn begin<P: Wire>(&mut self, task: Task, tier: Tier, flags: u8) -> *mut P {
        const { assert!(size_of::<Header>() + size_of::<P>() <= FRONT) };
        let header = (&raw mut self.rec).cast::<Header>();
        // SAFETY: `rec` begins with room for FRONT bytes and is aligned to 8, as all that lies before it in the map value.
        let payload = unsafe { header.add(1).cast::<P>() };
        // SAFETY: as above; all-zero is a value of every payload (zerocopy::FromBytes).
        unsafe {
            task::header(header, task, P::KIND, tier, flags);
            core::ptr::write_bytes(payload, 0, 1);
        }
        self.tail.begin();
        payload
    }

    /// Where the tail of a `P` record begins, as an address, and its state.
    #[inline(always)]
    pub fn tail<P>(&mut self) -> (u64, &mut Tail) {
        ((&raw mut self.rec) as u64 + (size_of::<Header>() + size_of::<P>()) as u64, &mut self.tail)
    }

    /// The `Path` at byte `at` of the record.
    #[inline(always)]
    pub fn path(&mut self, at: usize) -> *mut sensor_common::Path {
        ((&raw mut self.rec) as u64 + at as u64) as *mut sensor_common::Path
    }

    /// Walks the wanted paths and sends the record: the end of every program that uses a work area.
    #[inline(always)]
    pub fn finish<P: Wire, C: walker::Walk>(&mut self, ctx: &C) {
        set!(self.front, (size_of::<Header>() + size_of::<P>()) as u64);
        walker::go_on(ctx, C::WALKER, P::KIND);
    }

    /// Sends a record that tells of no path that is still to be walked.
    #[inline(always)]
    pub fn finish_without_paths<P: Wire>(&mut self) {
        set!(self.front, (size_of::<Header>() + size_of::<P>()) as u64);
        self.send();
    }

    #[inline(always)]
    fn filled(area: Option<*mut Work>) -> Option<&'static mut Work> {
        // SAFETY: still the run that has filled it, see `Work`.
        area.map(|w| unsafe { &mut *w })
    }

    /// Area of all kprobes, as a probe has filled it.
    #[inline(always)]
    pub fn filled_kprobe() -> Option<&'static mut Work> {
        Self::filled(WORK_KPROBE.get_ptr_mut(0))
    }

    /// Area of a tracepoint program by its number, as a probe has filled it.
    #[inline(always)]
    pub fn filled_tracepoint(area: u32) -> Option<&'static mut Work> {
        Self::filled(WORK_TP.get_ptr_mut(area))
    }

    /// Sends the record, which has got its tail.
    #[inline(always)]
    pub fn send(&mut self) {
        let rec = (&raw mut self.rec) as u64;
        let len = mask!(get!(self.front), 511) + mask!(get!(self.tail.len), 16383);
        let header = rec as *mut Header;
        // SAFETY: `rec` begins with a header; the helper copies at most FRONT + TAIL bytes of it.
        let (kind, failed) = unsafe {
            (*header).len = len as u32;
            let kind = (&raw const (*header).kind).read_volatile();
            let ring = if kind < FIRST_NETWORK {
                &RING_CRITICAL
            } else if kind < FIRST_FILE {
                &RING_NETWORK
            } else {
                &RING_FILE
            };
            (kind, output(ring, rec, len))
        };
        count_slot(u32::from(kind) * Reason::ALL.len() as u32 + if failed { Reason::RingFull } else { Reason::Sent } as u32);
    }
}

// The registry numbers events by class, so that a number tells the ring; checked here.
const FIRST_NETWORK: u16 = 16;
const FIRST_FILE: u16 = 32;
const _: () = {
    let mut i = 0;
    while i < EventKind::ALL.len() {
        let kind = EventKind::ALL[i];
        let by_number = if (kind as u16) < FIRST_NETWORK || matches!(kind, EventKind::Loss) {
            RingClass::Critical
        } else if (kind as u16) < FIRST_FILE {
            RingClass::Network
        } else {
            RingClass::File
        };
        assert!(by_number as u8 == kind.class() as u8);
        i += 1;
    }
};

/// Copies `len` bytes at `rec` into a ring; true if it had no room.
///
/// # Safety
/// `rec` is a map value of at least `len` bytes.
#[inline(always)]
unsafe fn output(ring: &'static RingBuf, rec: u64, len: u64) -> bool {
    let ring = core::ptr::from_ref(ring).cast_mut().cast::<c_void>();
    // SAFETY: by the caller.
    unsafe { bpf_ringbuf_output(ring, rec as *mut c_void, len, BPF_RB_NO_WAKEUP) < 0 }
}

/// Largest exec record: front, argv, four paths; a power of two for the verifier, and more than what is ever used.
pub const EXEC_REC: usize = 131072;

/// Where an exec record is put together: more than a per-CPU array can hold (32 KiB), so a plain array with an element per possible CPU.
#[repr(C)]
pub struct ExecWork {
    /// How far argv has been read.
    pub argv: Argv,
    /// State of the tail: two strings, argv, the paths.
    pub tail: Tail,
    /// Header, payload, tail.
    pub rec: [u8; EXEC_REC + 8192],
}

/// argv on the stack of a new image, and what was read of it.
#[repr(C)]
pub struct Argv {
    /// Address of its first byte.
    pub start: u64,
    /// Address behind its last one.
    pub end: u64,
    /// Bytes to read from the start; the rest are the last ones.
    pub head: u64,
    /// Bytes to read.
    pub sent: u64,
    /// Bytes so far.
    pub done: u64,
    /// Pages that could not be read, a bit each.
    pub holes: u32,
    pad: u32,
}

#[map]
static EXEC_WORK: Array<ExecWork> = Array::with_max_entries(1, 0);

impl ExecWork {
    /// This CPU's area, for the one exec program that is loaded.
    #[inline(always)]
    pub fn own() -> Option<&'static mut ExecWork> {
        // SAFETY: a helper without arguments.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        match EXEC_WORK.get_ptr_mut(cpu) {
            // SAFETY: exclusive, see `Work`.
            Some(w) => Some(unsafe { &mut *w }),
            None => {
                count(EventKind::Exec, Reason::NoWorkArea);
                None
            }
        }
    }

    /// Walks the wanted paths and sends the record.
    #[inline(always)]
    pub fn finish<C: WalkExec>(&mut self, ctx: &C) {
        walker::go_on(ctx, C::WALKER, EventKind::Exec);
    }

    /// Sends the record, which has got its tail behind `front` bytes.
    #[inline(always)]
    pub fn send(&mut self, front: u64) {
        let rec = (&raw mut self.rec) as u64;
        let len = front + mask!(get!(self.tail.len), 131071);
        let len = mask!(len, 131071);
        // SAFETY: `rec` begins with a header; at most EXEC_REC bytes of a map value that is larger.
        let failed = unsafe {
            (*(rec as *mut Header)).len = len as u32;
            output(&RING_CRITICAL, rec, len)
        };
        count(EventKind::Exec, if failed { Reason::RingFull } else { Reason::Sent });
    }
}
