//! The ends of all programs that tell of paths: they walk them, one component a step, and send the record.
//!
//! Probes only note which paths they want and jump here, so that the verifier looks at a walk once for each type of program and not once
//! for each probe; and a walk takes at most [`STEPS`] steps before it jumps here again, because the verifier looks at each step anew.

use crate::{
    arch,
    emit::{ExecWork, Work, count},
    path::{self, Progress},
    probes::exec::FRONT,
    task::Task,
};
use aya_ebpf::{
    EbpfContext,
    macros::{btf_tracepoint, kprobe, map, tracepoint},
    maps::ProgramArray,
    programs::{BtfTracePointContext, ProbeContext, TracePointContext},
};
use sensor_common::{EventKind, limits::PATH_STEPS, stats::Reason};

/// Steps of one run.
pub const STEPS: u32 = 32;
/// Runs for all paths of a record: the first may have the promised [`PATH_STEPS`], the others the usual dozen. The kernel allows 33 jumps.
pub const RUNS: u64 = PATH_STEPS as u64 / STEPS as u64 + 2;
const _: () = assert!(RUNS <= 30);

/// Index of the walker of all events but exec.
pub const ANY: u32 = 0;
/// Index of the walker of exec.
pub const EXEC: u32 = 1;

#[map]
static WALKERS_TP: ProgramArray = ProgramArray::with_max_entries(2, 0);
#[map]
static WALKERS_KPROBE: ProgramArray = ProgramArray::with_max_entries(2, 0);
#[map]
static WALKERS_EXEC: ProgramArray = ProgramArray::with_max_entries(2, 0);

/// Contexts of programs that can end here.
pub trait Walkers: EbpfContext {
    /// The walkers of this type of program.
    fn walkers() -> &'static ProgramArray;
}

impl Walkers for TracePointContext {
    #[inline(always)]
    fn walkers() -> &'static ProgramArray {
        &WALKERS_TP
    }
}

impl Walkers for ProbeContext {
    #[inline(always)]
    fn walkers() -> &'static ProgramArray {
        &WALKERS_KPROBE
    }
}

impl Walkers for BtfTracePointContext {
    #[inline(always)]
    fn walkers() -> &'static ProgramArray {
        &WALKERS_EXEC
    }
}

/// Jumps to a walker and does not come back, unless there is none.
#[inline(always)]
pub fn go_on<C: Walkers>(ctx: &C, walker: u32, kind: EventKind) {
    // SAFETY: the array holds programs of this context's type, or nothing.
    unsafe {
        C::walkers().tail_call(ctx, walker);
    }
    count(kind, Reason::NoWorkArea);
}

/// Of all tracepoint programs.
#[tracepoint]
pub fn walker_tp(ctx: TracePointContext) -> u32 {
    let nr = (ctx.as_ptr() as u64 + 8) as *const u32; // __syscall_nr
    // SAFETY: within the context; the table has an entry for each masked number. It is read and not matched upon: the verifier then
    // follows one walk with an unknown area and not one for each.
    let area = unsafe { (&raw const arch::AREA_OF_CALL).cast::<u8>().add(mask!(nr.read_volatile() as u64, 511) as usize).read_volatile() };
    any(&ctx, Work::filled_tracepoint(area as u32));
    0
}

/// Of all kprobe programs.
#[kprobe]
pub fn walker_kprobe(ctx: ProbeContext) -> u32 {
    any(&ctx, Work::filled_kprobe());
    0
}

/// Of exec, as a BTF tracepoint.
#[btf_tracepoint(function = "sched_process_exec")]
pub fn walker_exec_tp_btf(ctx: BtfTracePointContext) -> i32 {
    exec(&ctx);
    0
}

/// Of exec, as a kprobe.
#[kprobe]
pub fn walker_exec_kprobe(ctx: ProbeContext) -> u32 {
    exec(&ctx);
    0
}

#[inline(always)]
fn any(ctx: &impl Walkers, area: Option<&'static mut Work>) {
    let Some(w) = area else { return };
    let front = mask!(get!(w.front), 511);
    match path::walk::<{ path::SHORT }>((&raw mut w.rec) as u64 + front, (&raw mut w.rec) as u64, &mut w.tail, Task::current()) {
        Progress::Done => {
            w.send();
            #[cfg(feature = "debug-probes")]
            aya_log_ebpf::debug!(ctx, "record of {} bytes behind its front", get!(w.tail.len));
        }
        // Only a walker that was jumped to gets here, so there is one to jump to.
        Progress::OutOfSteps => go_on(ctx, ANY, EventKind::Loss),
    }
}

#[inline(always)]
fn exec(ctx: &impl Walkers) {
    let Some(w) = ExecWork::own() else { return };
    match path::walk::<{ path::LONG }>((&raw mut w.rec) as u64 + FRONT, (&raw mut w.rec) as u64, &mut w.tail, Task::current()) {
        Progress::Done => w.send(FRONT),
        Progress::OutOfSteps => go_on(ctx, EXEC, EventKind::Exec),
    }
}
