//! `cgroup`: `cgroup_mkdir(struct cgroup *cgrp, const char *path)`, since 4.13. The kernel holds a lock with interrupts off meanwhile.

use crate::{emit::Work, kernel::o, read, target, task::Task};
use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use sensor_common::{EventKind, Tier, events::cgroup::Cgroup};

/// A cgroup was made. Those of v1 hierarchies have numbers of their own, which no other record carries.
#[btf_tracepoint(function = "cgroup_mkdir")]
pub fn cgroup_tp_btf(ctx: BtfTracePointContext) -> i32 {
    let (cgroup, path): (u64, u64) = (ctx.arg(0), ctx.arg(1));
    if read::word(read::ptr(cgroup + o!(O_CGROUP_ROOT)) + o!(O_CGROUP_HIERARCHY)) != 0 {
        return 0;
    }
    let Some(w) = Work::tracepoint(EventKind::Cgroup) else { return 0 };
    let payload = w.begin::<Cgroup>(Task::current(), Tier::BtfTracepoint, 0);
    let path = target::push_str(w.tail::<Cgroup>(), path, false);
    // SAFETY: from `begin`.
    unsafe {
        (*payload).id = read::ptr(read::ptr(cgroup + o!(O_CGROUP_NODE)) + o!(O_KERNFS_ID));
        (*payload).path = path;
    }
    w.finish_without_paths::<Cgroup>();
    0
}
