//! `unlink`: the exit of unlink, unlinkat and rmdir; before that `security_path_unlink` and `security_path_rmdir(const struct path *dir,
//! struct dentry *)` (CONFIG_SECURITY_PATH).

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
use sensor_common::{EventKind, Tier, events::unlink::Unlink, header::header_flags, span::RESULT_UNKNOWN};

const AT_REMOVEDIR: u32 = 0x200;

/// The call has returned.
#[tracepoint]
pub fn unlink_tp(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Unlink) else { return 0 };
    let (dirfd, name, flags) = match call.nr {
        nr::UNLINK => (target::AT_FDCWD, call.args[0], 0),
        nr::RMDIR => (target::AT_FDCWD, call.args[0], AT_REMOVEDIR),
        _ => (call.args[0], call.args[1], call.args[2] as u32),
    };
    let Some(w) = Work::tracepoint(EventKind::Unlink) else { return 0 };
    let unlink = w.begin::<Unlink>(task, Tier::Tracepoint, 0);
    target::named::<Unlink>(w, at!(Unlink, file), dirfd, name, task);
    // SAFETY: from `begin`.
    unsafe {
        (*unlink).result = call.ret as i32;
        (*unlink).flags = flags;
    }
    w.finish::<Unlink, _>(&ctx);
    0
}

/// A name is about to be removed.
#[kprobe]
pub fn unlink_kprobe(ctx: ProbeContext) -> u32 {
    begun(&ctx, 0);
    0
}

/// A folder is about to be removed.
#[kprobe]
pub fn rmdir_kprobe(ctx: ProbeContext) -> u32 {
    begun(&ctx, AT_REMOVEDIR);
    0
}

#[inline(always)]
fn begun(ctx: &ProbeContext, flags: u32) {
    let (Some(dir), Some(dentry)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1)) else { return };
    let task = Task::current();
    let Some(w) = Work::kprobe(EventKind::Unlink) else { return };
    let unlink = w.begin::<Unlink>(task, Tier::Kprobe, header_flags::BEGUN);
    w.tail.want((read::ptr(dir), dentry), at!(Unlink, file.kernel));
    // SAFETY: from `begin`.
    unsafe {
        (*unlink).result = RESULT_UNKNOWN;
        (*unlink).flags = flags;
    }
    w.finish::<Unlink, _>(ctx);
}
