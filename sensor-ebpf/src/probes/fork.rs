//! `fork`: `wake_up_new_task(struct task_struct *child)`, the last step of every clone (since 2.6, not part of any interface); where there are no
//! kprobes `sched_process_fork(struct task_struct *parent, struct task_struct *child)`, since 2.6.

use crate::{emit, kernel::o, task::Task};
use aya_ebpf::{
    macros::{btf_tracepoint, kprobe},
    programs::{BtfTracePointContext, ProbeContext},
};
use sensor_common::{Tier, events::fork::Fork};

/// A process (not a thread) was created by the current task. Kprobes run with preemption off, so that the kernel skips none.
#[kprobe]
pub fn fork_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(child) = ctx.arg::<u64>(0) {
        created(Task::current(), Task::at(child), Tier::Kprobe);
    }
    0
}

/// The same.
#[btf_tracepoint(function = "sched_process_fork")]
pub fn fork_tp_btf(ctx: BtfTracePointContext) -> i32 {
    created(Task::from_argument(ctx.arg(0)), Task::from_argument(ctx.arg(1)), Tier::BtfTracepoint);
    0
}

#[inline(always)]
fn created<const TYPED: bool>(parent: Task, child: Task<TYPED>, tier: Tier) {
    let (pid, tgid): (u32, u32) = (child.get(o!(O_TASK_PID)), child.get(o!(O_TASK_TGID)));
    if pid == tgid {
        emit::fixed(parent, tier, 0, Fork { child_start_ns: child.start_ns(), child_tgid: tgid, child_ns_pid: child.pid_number().0 });
    }
}
