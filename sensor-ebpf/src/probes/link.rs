//! `link`: the exit of link and linkat; before that `security_path_link(struct dentry *old, const struct path *new_dir, struct dentry *new)`
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
use sensor_common::{EventKind, Tier, events::link::Link, header::header_flags, span::RESULT_UNKNOWN};

/// The call has returned.
#[tracepoint]
pub fn link_tp(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Link) else { return 0 };
    let a = call.args;
    let (old_dir, old, new_dir, new, flags) =
        if call.nr == nr::LINK { (target::AT_FDCWD, a[0], target::AT_FDCWD, a[1], 0) } else { (a[0], a[1], a[2], a[3], a[4] as u32) };
    let Some(w) = Work::tracepoint(EventKind::Link) else { return 0 };
    let link = w.begin::<Link>(task, Tier::Tracepoint, 0);
    target::named::<Link>(w, at!(Link, old), old_dir, old, task);
    target::named::<Link>(w, at!(Link, new), new_dir, new, task);
    // SAFETY: from `begin`.
    unsafe {
        (*link).result = call.ret as i32;
        (*link).flags = flags;
    }
    w.finish::<Link, _>(&ctx);
    0
}

/// A name is about to be added. Both names are in one mount (otherwise EXDEV came before), so the new one's serves for the old one.
#[kprobe]
pub fn link_kprobe(ctx: ProbeContext) -> u32 {
    let (Some(old), Some(new_dir), Some(new)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1), ctx.arg::<u64>(2)) else { return 0 };
    let task = Task::current();
    let Some(w) = Work::kprobe(EventKind::Link) else { return 0 };
    let link = w.begin::<Link>(task, Tier::Kprobe, header_flags::BEGUN);
    let mnt = read::ptr(new_dir);
    w.tail.want((mnt, old), at!(Link, old.kernel));
    w.tail.want((mnt, new), at!(Link, new.kernel));
    // SAFETY: from `begin`.
    unsafe {
        (*link).result = RESULT_UNKNOWN;
    }
    w.finish::<Link, _>(&ctx);
    0
}
