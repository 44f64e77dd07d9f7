//! `chmod`: the exit of chmod, fchmod, fchmodat and fchmodat2; before that `security_path_chmod(const struct path *, umode_t)`
//! (CONFIG_SECURITY_PATH).

use crate::{
    arch::nr,
    emit::Work,
    read,
    target::{self, at},
    task::Task,
};
use aya_ebpf::{
    macros::{kprobe, tracepoint},
    programs::{ProbeContext, TracePointContext},
};
use sensor_common::{EventKind, Tier, events::chmod::Chmod, header::header_flags, span::RESULT_UNKNOWN};

/// The call has returned.
#[tracepoint]
pub fn chmod_tp(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Chmod) else { return 0 };
    let a = call.args;
    let (dirfd, name, mode) = match call.nr {
        nr::CHMOD => (target::AT_FDCWD, a[0], a[1]),
        nr::FCHMOD => (a[0], 0, a[1]),
        _ => (a[0], a[1], a[2]),
    };
    let Some(w) = Work::tracepoint(EventKind::Chmod) else { return 0 };
    let chmod = w.begin::<Chmod>(task, Tier::Tracepoint, 0);
    if call.nr == nr::FCHMOD {
        target::of_fd(w, at!(Chmod, file), dirfd, task);
    } else {
        target::named::<Chmod>(w, at!(Chmod, file), dirfd, name, task);
    }
    // SAFETY: from `begin`.
    unsafe {
        (*chmod).result = call.ret as i32;
        (*chmod).mode = mode as u32 & 0o7777;
    }
    w.finish::<Chmod, _>(&ctx);
    0
}

/// Bits are about to be set.
#[kprobe]
pub fn chmod_kprobe(ctx: ProbeContext) -> u32 {
    let (Some(path), Some(mode)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1)) else { return 0 };
    let task = Task::current();
    let Some(w) = Work::kprobe(EventKind::Chmod) else { return 0 };
    let chmod = w.begin::<Chmod>(task, Tier::Kprobe, header_flags::BEGUN);
    w.tail.want(read::path(path), at!(Chmod, file.kernel));
    // SAFETY: from `begin`.
    unsafe {
        (*chmod).result = RESULT_UNKNOWN;
        (*chmod).mode = mode as u32 & 0o7777;
    }
    w.finish::<Chmod, _>(&ctx);
    0
}
