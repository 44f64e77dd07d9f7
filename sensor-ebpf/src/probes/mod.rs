//! One file per event: a thin entry for each hook tier and one shared body.
//!
//! Names of the programs are `<event>_<tier>` (`open_tp`, `open_kprobe`): the collector finds them by that.

use crate::{arch::Call, task::Task};
use aya_ebpf::{EbpfContext, programs::TracePointContext};

pub mod accept;
pub mod bind;
pub mod cgroup;
pub mod chmod;
pub mod chown;
pub mod connect;
pub mod exec;
pub mod exit;
pub mod fork;
pub mod link;
pub mod listen;
pub mod open;
pub mod rename;
pub mod symlink;
pub mod unlink;

/// Number and result of a `syscalls:sys_exit_*` tracepoint: int __syscall_nr at 8, long ret at 16 (the format file, since 3.x).
#[inline(always)]
fn exit_args(ctx: &TracePointContext) -> (u64, i64) {
    let p = ctx.as_ptr().cast::<u8>();
    // SAFETY: within the context of this tracepoint; volatile, so that these stay two plain context loads.
    unsafe { (p.add(8).cast::<i32>().read_volatile() as u32 as u64, p.add(16).cast::<i64>().read_volatile()) }
}

/// The whole call; `None` is counted as a loss of `kind`.
#[inline(always)]
fn call(ctx: &TracePointContext, task: Task, kind: sensor_common::EventKind) -> Option<Call> {
    let (nr, ret) = exit_args(ctx);
    let call = Call::current(task, nr, ret);
    if call.is_none() {
        crate::emit::count(kind, sensor_common::stats::Reason::BadContext);
    }
    call
}
