//! `listen`: the exit of listen. Everything it says comes from the kernel's socket and from registers, which the caller cannot change.

use crate::{emit::Work, sock, task::Task};
use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use sensor_common::{EventKind, Tier, events::listen::Listen};

/// The call has returned.
#[tracepoint]
pub fn listen_tp(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Listen) else { return 0 };
    let Some(w) = Work::tracepoint(EventKind::Listen) else { return 0 };
    let listen = w.begin::<Listen>(task, Tier::Tracepoint, 0);
    // SAFETY: from `begin`.
    unsafe {
        (*listen).result = call.ret as i32;
        (*listen).backlog = call.args[1] as i32;
        sock::describe(&raw mut (*listen).sock, sock::of(task, call.args[0]), call.args[0]);
    }
    w.finish::<Listen, _>(&ctx);
    0
}
