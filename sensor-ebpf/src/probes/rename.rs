//! `rename`: the exit of rename, renameat and renameat2; before that `security_path_rename(const struct path *old_dir, struct dentry *old,
//! const struct path *new_dir, struct dentry *new, unsigned int flags)` (CONFIG_SECURITY_PATH).

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
use sensor_common::{EventKind, Tier, events::rename::Rename, header::header_flags, span::RESULT_UNKNOWN};

/// The call has returned.
#[tracepoint]
pub fn rename_tp(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Rename) else { return 0 };
    let a = call.args;
    let (old_dir, old, new_dir, new) =
        if call.nr == nr::RENAME { (target::AT_FDCWD, a[0], target::AT_FDCWD, a[1]) } else { (a[0], a[1], a[2], a[3]) };
    let Some(w) = Work::tracepoint(EventKind::Rename) else { return 0 };
    let rename = w.begin::<Rename>(task, Tier::Tracepoint, 0);
    target::named::<Rename>(w, at!(Rename, old), old_dir, old, task);
    target::named::<Rename>(w, at!(Rename, new), new_dir, new, task);
    // SAFETY: from `begin`.
    unsafe {
        (*rename).result = call.ret as i32;
        (*rename).flags = if call.nr == nr::RENAMEAT2 { a[4] as u32 } else { 0 };
    }
    w.finish::<Rename, _>(&ctx);
    0
}

/// A name is about to change.
#[kprobe]
pub fn rename_kprobe(ctx: ProbeContext) -> u32 {
    let (Some(old_dir), Some(old)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1)) else { return 0 };
    let (Some(new_dir), Some(new)) = (ctx.arg::<u64>(2), ctx.arg::<u64>(3)) else { return 0 };
    let task = Task::current();
    let Some(w) = Work::kprobe(EventKind::Rename) else { return 0 };
    let rename = w.begin::<Rename>(task, Tier::Kprobe, header_flags::BEGUN);
    w.tail.want((read::ptr(old_dir), old), at!(Rename, old.kernel));
    w.tail.want((read::ptr(new_dir), new), at!(Rename, new.kernel));
    // SAFETY: from `begin`.
    unsafe {
        (*rename).result = RESULT_UNKNOWN;
        (*rename).flags = ctx.arg::<u32>(4).unwrap_or(0);
    }
    w.finish::<Rename, _>(&ctx);
    0
}
