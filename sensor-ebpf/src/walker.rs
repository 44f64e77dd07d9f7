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

// Each holds one program, of the name of the array.
#[map]
static WALKER_TP: ProgramArray = ProgramArray::with_max_entries(1, 0);
#[map]
static WALKER_KPROBE: ProgramArray = ProgramArray::with_max_entries(1, 0);
#[map]
static WALKER_EXEC_TP_BTF: ProgramArray = ProgramArray::with_max_entries(1, 0);
#[map]
static WALKER_EXEC_KPROBE: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Contexts of programs that can end in the walker of all events but exec.
pub trait Walk: EbpfContext {
    /// Where it is.
    const WALKER: &'static ProgramArray;
}

/// Contexts of programs that can end in the walker of exec.
pub trait WalkExec: EbpfContext {
    /// Where it is.
    const WALKER: &'static ProgramArray;
}

impl Walk for TracePointContext {
    const WALKER: &'static ProgramArray = &WALKER_TP;
}

impl Walk for ProbeContext {
    const WALKER: &'static ProgramArray = &WALKER_KPROBE;
}

impl WalkExec for BtfTracePointContext {
    const WALKER: &'static ProgramArray = &WALKER_EXEC_TP_BTF;
}

impl WalkExec for ProbeContext {
    const WALKER: &'static ProgramArray = &WALKER_EXEC_KPROBE;
}

/// Jumps to a walker and does not come back, unless there is none.
#[inline(always)]
pub fn go_on(ctx: &impl EbpfContext, walker: &ProgramArray, kind: EventKind) {
    // SAFETY: the array holds a program of this context's type, or nothing.
    unsafe {
        walker.tail_call(ctx, 0);
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
fn any<C: Walk>(ctx: &C, area: Option<&'static mut Work>) {
    let Some(w) = area else { return };
    let front = mask!(get!(w.front), 511);
    match path::walk::<{ path::SHORT }>((&raw mut w.rec) as u64 + front, (&raw mut w.rec) as u64, &mut w.tail, Task::current()) {
        Progress::Done => {
            w.send();
            #[cfg(feature = "debug-probes")]
            aya_log_ebpf::debug!(ctx, "record of {} bytes behind its front", get!(w.tail.len));
        }
        // Only a walker that was jumped to gets here, so there is one to jump to.
        Progress::OutOfSteps => go_on(ctx, C::WALKER, EventKind::Loss),
    }
}

#[inline(always)]
fn exec<C: WalkExec>(ctx: &C) {
    let Some(w) = ExecWork::own() else { return };
    match path::walk::<{ path::LONG }>((&raw mut w.rec) as u64 + FRONT, (&raw mut w.rec) as u64, &mut w.tail, Task::current()) {
        Progress::Done => w.send(FRONT),
        Progress::OutOfSteps => go_on(ctx, C::WALKER, EventKind::Exec),
    }
}
