//! `fork`: `sched_process_fork(struct task_struct *parent, struct task_struct *child)`, since 2.6.

use crate::{emit, kernel::o, read, task};
use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use sensor_common::{Tier, events::fork::Fork};

/// A process (not a thread) was created by the current task.
#[btf_tracepoint(function = "sched_process_fork")]
pub fn fork_tp_btf(ctx: BtfTracePointContext) -> i32 {
    let (parent, child): (u64, u64) = (ctx.arg(0), ctx.arg(1));
    let (pid, tgid) = (read::word(child + o!(O_TASK_PID)), read::word(child + o!(O_TASK_TGID)));
    if pid == tgid {
        let payload = Fork { child_start_ns: task::start_ns(child), child_tgid: tgid, child_ns_pid: task::pid_number(child).0 };
        emit::fixed(parent, Tier::BtfTracepoint, 0, payload);
    }
    0
}
