//! `chown`: the exit of chown, lchown, fchown and fchownat; before that `security_path_chown(const struct path *, kuid_t, kgid_t)`
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
use sensor_common::{EventKind, Tier, events::chown::Chown, header::header_flags, span::RESULT_UNKNOWN};

/// The call has returned.
#[tracepoint]
pub fn chown_tp(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Chown) else { return 0 };
    let a = call.args;
    let (dirfd, name, owner, group) = match call.nr {
        nr::CHOWN | nr::LCHOWN => (target::AT_FDCWD, a[0], a[1], a[2]),
        nr::FCHOWN => (a[0], 0, a[1], a[2]),
        _ => (a[0], a[1], a[2], a[3]),
    };
    let Some(w) = Work::tracepoint(EventKind::Chown) else { return 0 };
    let chown = w.begin::<Chown>(task, Tier::Tracepoint, 0);
    if call.nr == nr::FCHOWN {
        target::of_fd(w, at!(Chown, file), dirfd, task);
    } else {
        target::named::<Chown>(w, at!(Chown, file), dirfd, name, task);
    }
    // SAFETY: from `begin`.
    unsafe {
        (*chown).result = call.ret as i32;
        (*chown).owner = owner as u32;
        (*chown).group = group as u32;
    }
    w.finish::<Chown, _>(&ctx);
    0
}

/// The owner is about to be set; ids here are those of the initial user namespace.
#[kprobe]
pub fn chown_kprobe(ctx: ProbeContext) -> u32 {
    let (Some(path), Some(owner), Some(group)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1), ctx.arg::<u64>(2)) else { return 0 };
    let task = Task::current();
    let Some(w) = Work::kprobe(EventKind::Chown) else { return 0 };
    let chown = w.begin::<Chown>(task, Tier::Kprobe, header_flags::BEGUN);
    w.tail.want(read::path(path), at!(Chown, file.kernel));
    // SAFETY: from `begin`.
    unsafe {
        (*chown).result = RESULT_UNKNOWN;
        (*chown).owner = owner as u32;
        (*chown).group = group as u32;
    }
    w.finish::<Chown, _>(&ctx);
    0
}
