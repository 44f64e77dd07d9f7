//! `exit`: `taskstats_exit(struct task_struct *, int group_dead)`, which do_exit() calls for every thread (CONFIG_TASKSTATS; since 2.6.17, not part
//! of any interface); where there are no kprobes `sched_process_exit(struct task_struct *task, ...)`, since 2.6. By the last thread of a process.

use crate::{emit, kernel::o, read, task::Task};
use aya_ebpf::{
    macros::{btf_tracepoint, kprobe},
    programs::{BtfTracePointContext, ProbeContext},
};
use sensor_common::{Tier, events::exit::Exit};

/// The current task ends; `group_dead` tells whether it is the last one. Kprobes run with preemption off, so that the kernel skips none.
#[kprobe]
pub fn exit_kprobe(ctx: ProbeContext) -> u32 {
    if ctx.arg::<u32>(1).is_some_and(|group_dead| group_dead != 0) {
        ended(Task::current(), Tier::Kprobe);
    }
    0
}

/// The current task ends; a record if no other thread of its process is left (`signal->live`, counted down before this tracepoint).
///
/// Two threads that end together can both find it at 0: the collector tells the first of the two records.
#[btf_tracepoint(function = "sched_process_exit")]
pub fn exit_tp_btf(ctx: BtfTracePointContext) -> i32 {
    let task = Task::from_argument(ctx.arg(0));
    let Some(signal) = task.follow(o!(O_TASK_SIGNAL)) else { return 0 };
    if read::direct::<u32>(signal + o!(O_SIGNAL_LIVE)) == 0 {
        ended(task, Tier::BtfTracepoint);
    }
    0
}

#[inline(always)]
fn ended(task: Task, tier: Tier) {
    // exit_group and fatal signals put the status of the whole group into signal_struct; a plain exit of the only thread does not.
    let group: u32 = match task.follow(o!(O_TASK_SIGNAL)) {
        Some(signal) => read::direct(signal + o!(O_SIGNAL_EXIT_CODE)),
        None => 0,
    };
    let status = if group != 0 { group } else { task.get(o!(O_TASK_EXIT_CODE)) };
    emit::fixed(task, tier, 0, Exit { status, pad: 0 });
}
