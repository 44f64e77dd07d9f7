//! `accept`: the exit of accept and accept4. The address comes from the new descriptor's socket, so the caller cannot change it.

use crate::{emit::Work, sock, task::Task};
use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use sensor_common::{EventKind, Tier, events::accept::Accept};

const EAGAIN: i64 = 11;

/// The call has returned. A non-blocking accept that found nobody is no event.
#[tracepoint]
pub fn accept_tp(ctx: TracePointContext) -> u32 {
    let (_, ret) = super::exit_args(&ctx);
    if ret == -EAGAIN {
        return 0;
    }
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Accept) else { return 0 };
    let Some(w) = Work::tracepoint(EventKind::Accept) else { return 0 };
    let accept = w.begin::<Accept>(task, Tier::Tracepoint, 0);
    let fd = if ret >= 0 { ret as u64 } else { call.args[0] };
    // SAFETY: from `begin`.
    unsafe {
        (*accept).result = call.ret as i32;
        sock::describe(&raw mut (*accept).sock, sock::of(task, fd), fd);
    }
    w.finish::<Accept, _>(&ctx);
    0
}
