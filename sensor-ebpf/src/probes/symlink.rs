//! `symlink`: the exit of symlink and symlinkat; before that `security_path_symlink(const struct path *dir, struct dentry *, const char
//! *old_name)` (CONFIG_SECURITY_PATH).

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
use sensor_common::{EventKind, Tier, events::symlink::Symlink, header::header_flags, span::RESULT_UNKNOWN};

/// The call has returned.
#[tracepoint]
pub fn symlink_tp(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Symlink) else { return 0 };
    let a = call.args;
    let (dirfd, name) = if call.nr == nr::SYMLINK { (target::AT_FDCWD, a[1]) } else { (a[1], a[2]) };
    let Some(w) = Work::tracepoint(EventKind::Symlink) else { return 0 };
    let symlink = w.begin::<Symlink>(task, Tier::Tracepoint, 0);
    let text = target::push_str(w.tail::<Symlink>(), a[0], true);
    target::named::<Symlink>(w, at!(Symlink, link), dirfd, name, task);
    // SAFETY: from `begin`.
    unsafe {
        (*symlink).result = call.ret as i32;
        (*symlink).text = text;
    }
    w.finish::<Symlink, _>(&ctx);
    0
}

/// A link is about to be made; its text is the kernel's copy.
#[kprobe]
pub fn symlink_kprobe(ctx: ProbeContext) -> u32 {
    let (Some(dir), Some(dentry), Some(text)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1), ctx.arg::<u64>(2)) else { return 0 };
    let task = Task::current();
    let Some(w) = Work::kprobe(EventKind::Symlink) else { return 0 };
    let symlink = w.begin::<Symlink>(task, Tier::Kprobe, header_flags::BEGUN);
    let text = target::push_str(w.tail::<Symlink>(), text, false);
    w.tail.want((read::ptr(dir), dentry), at!(Symlink, link.kernel));
    // SAFETY: from `begin`.
    unsafe {
        (*symlink).result = RESULT_UNKNOWN;
        (*symlink).text = text;
    }
    w.finish::<Symlink, _>(&ctx);
    0
}
