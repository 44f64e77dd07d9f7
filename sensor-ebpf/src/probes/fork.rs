//! `fork`: `sched_process_fork(struct task_struct *parent, struct task_struct *child)`, since 2.6.

use crate::{emit, kernel::o, task::Task};
use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use sensor_common::{Tier, events::fork::Fork};

/// A process (not a thread) was created by the current task.
#[btf_tracepoint(function = "sched_process_fork")]
pub fn fork_tp_btf(ctx: BtfTracePointContext) -> i32 {
    let (parent, child) = (Task::from_argument(ctx.arg(0)), Task::from_argument(ctx.arg(1)));
    let (pid, tgid): (u32, u32) = (child.get(o!(O_TASK_PID)), child.get(o!(O_TASK_TGID)));
    if pid == tgid {
        let payload = Fork { child_start_ns: child.start_ns(), child_tgid: tgid, child_ns_pid: child.pid_number().0 };
        emit::fixed(parent, Tier::BtfTracepoint, 0, payload);
    }
    0
}
