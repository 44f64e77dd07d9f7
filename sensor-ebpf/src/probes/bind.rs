//! `bind`: the exit of bind; before that `security_socket_bind(struct socket *, struct sockaddr *, int)` with the kernel's copy of the address.

use crate::{emit::Work, sock, task::Task};
use aya_ebpf::{
    macros::{kprobe, tracepoint},
    programs::{ProbeContext, TracePointContext},
};
use sensor_common::{
    EventKind, Tier,
    events::bind::Bind,
    header::header_flags,
    span::{Addr, RESULT_UNKNOWN},
};

/// The call has returned.
#[tracepoint]
pub fn bind_tp(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Bind) else { return 0 };
    let Some(w) = Work::tracepoint(EventKind::Bind) else { return 0 };
    let bind = w.begin::<Bind>(task, Tier::Tracepoint, 0);
    let user = sock::push_sockaddr(w.tail::<Bind>(), call.args[1], call.args[2] as u32 as u64, true);
    // SAFETY: from `begin`.
    unsafe {
        (*bind).result = call.ret as i32;
        sock::describe(&raw mut (*bind).sock, sock::of(task, call.args[0]), call.args[0]);
        (*bind).sock.user = user;
        if call.ret < 0 {
            (*bind).sock.local = Addr::default(); // that of an earlier bind, if any
        }
    }
    w.finish::<Bind, _>(&ctx);
    0
}

/// An address is about to be given.
#[kprobe]
pub fn bind_kprobe(ctx: ProbeContext) -> u32 {
    let (Some(socket), Some(addr), Some(len)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1), ctx.arg::<u64>(2)) else { return 0 };
    let task = Task::current();
    let Some(w) = Work::kprobe(EventKind::Bind) else { return 0 };
    let bind = w.begin::<Bind>(task, Tier::Kprobe, header_flags::BEGUN);
    let user = sock::push_sockaddr(w.tail::<Bind>(), addr, len as u32 as u64, false);
    // SAFETY: from `begin`.
    unsafe {
        (*bind).result = RESULT_UNKNOWN;
        sock::describe(&raw mut (*bind).sock, socket, u32::MAX as u64);
        (*bind).sock.user = user;
    }
    w.finish::<Bind, _>(&ctx);
    0
}
