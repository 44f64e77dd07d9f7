//! `exec`: `sched_process_exec(task, old_pid, bprm)` for what has succeeded, since 3.4; the exit of execve and execveat for what has not.

use crate::{
    emit::{ExecWork, Work},
    kernel::o,
    read,
    target::{self, at},
    task::{self, Task},
    walker::WalkExec,
};
use aya_ebpf::{
    helpers::generated::bpf_probe_read_user,
    macros::{btf_tracepoint, kprobe, tracepoint},
    programs::{BtfTracePointContext, ProbeContext, TracePointContext},
};
use core::ffi::c_void;
use sensor_common::{
    EventKind, Header, Tier,
    events::exec::{Exec, exec_flags::*},
    limits::{ARGV_HEAD, ARGV_MAX},
    span::Span,
};

const TMPFS_MAGIC: u64 = 0x0102_1994;
const HUGETLBFS_MAGIC: u64 = 0x9584_58f6;
/// Bytes before the tail of an exec record.
pub const FRONT: u64 = (size_of::<Header>() + size_of::<Exec>()) as u64;

/// The new image is in place, the caller's memory is gone: everything comes from the kernel's own objects and the new stack.
#[btf_tracepoint(function = "sched_process_exec")]
pub fn exec_tp_btf(ctx: BtfTracePointContext) -> i32 {
    succeeded(&ctx, Task::from_argument(ctx.arg(0)), ctx.arg(2), Tier::BtfTracepoint);
    0
}

/// `finalize_exec(struct linux_binprm *)`: the last thing a binary format does (since 4.19), with the stack and `mm` set up. A kprobe runs with
/// preemption off, so none is skipped; `sched_process_exec` lost 3 to 5 of 400 on a preemptible kernel under load.
#[kprobe]
pub fn exec_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(bprm) = ctx.arg::<u64>(0) {
        succeeded(&ctx, Task::current(), bprm, Tier::Kprobe);
    }
    0
}

#[inline(always)]
fn succeeded(ctx: &impl WalkExec, task: Task, bprm: u64, tier: Tier) {
    let Some(w) = ExecWork::own() else { return };
    let header = (&raw mut w.rec).cast::<Header>();
    // SAFETY: `rec` begins with room for header and payload and is aligned to 8; all-zero is an Exec.
    let exec = unsafe {
        task::header(header, task, EventKind::Exec, tier, 0);
        let exec = header.add(1).cast::<Exec>();
        core::ptr::write_bytes(exec, 0, 1);
        &mut *exec
    };
    let to = (&raw mut w.rec) as u64 + FRONT;
    w.tail.begin();

    let file = read::ptr(bprm + o!(O_BPRM_FILE));
    let (mnt, dentry) = read::path(file + o!(O_FILE_PATH));
    let mut inode = read::Inode::new();
    inode.load(read::ptr(file + o!(O_FILE_INODE)));
    let sb: u64 = inode.get(o!(O_INODE_SB));
    exec.inode = inode.get(o!(O_INODE_INO));
    exec.dev = read::word(sb + o!(O_SB_DEV));
    exec.mount_id = read::word(mnt - o!(O_MOUNT_MNT) + o!(O_MOUNT_ID));
    exec.mode = inode.get::<u16>(o!(O_INODE_MODE)) as u32;
    exec.owner = inode.get(o!(O_INODE_UID));
    exec.argc = read::word(bprm + o!(O_BPRM_ARGC));
    let mut flags = 0;
    if inode.get::<u32>(o!(O_INODE_NLINK)) == 0 {
        flags |= UNLINKED;
        // A lone dentry on tmpfs: memfd_create makes nothing else, and no name in a folder looks like that.
        let magic = read::ptr(sb + o!(O_SB_MAGIC));
        if (magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC) && read::ptr(dentry + o!(O_DENTRY_PARENT)) == dentry {
            flags |= MEMFD;
        }
    }
    w.tail.want((mnt, dentry), at!(Exec, file.kernel));
    let (filename, interp) = (read::ptr(bprm + o!(O_BPRM_FILENAME)), read::ptr(bprm + o!(O_BPRM_INTERP)));
    exec.file.user = target::push_str((to, &mut w.tail), filename, false); // a relative name starts from `cwd`
    if interp != filename {
        exec.interpreter = target::push_str((to, &mut w.tail), interp, false);
    }
    w.tail.want(task.folder(o!(O_FS_PWD)), at!(Exec, cwd));

    exec.flags = flags;
    arguments(w, exec, to, task);
    w.finish(ctx);
}

/// Appends argv: from the stack of the new image, which only the kernel has written so far.
///
/// What the loop looks at is in the work area and read anew in each round, so that the verifier follows one way through it, whatever came
/// before.
#[inline(always)]
fn arguments(w: &mut ExecWork, exec: &mut Exec, to: u64, task: Task) {
    let (start, end): (u64, u64) = match task.follow(o!(O_TASK_MM)) {
        Some(mm) => (read::direct(mm + o!(O_MM_ARG_START)), read::direct(mm + o!(O_MM_ARG_END))),
        None => (0, 0),
    };
    let total = end.saturating_sub(start);
    let (head, sent) = if total > ARGV_MAX as u64 { (ARGV_HEAD as u64, ARGV_MAX as u64) } else { (total, total) };
    if total > ARGV_MAX as u64 {
        exec.flags |= ARGV_CUT;
    }
    set!(w.argv.start, start);
    set!(w.argv.end, end);
    set!(w.argv.head, head);
    set!(w.argv.sent, sent);
    set!(w.argv.done, 0);
    set!(w.argv.holes, 0);
    let argv_at = mask!(get!(w.tail.len), 16383);
    let argv = to + argv_at;
    let mut i = 0;
    // Page by page, because a page that is not present fails the whole read: at most 13 + 5 pages.
    while i < 20 {
        let (done, sent, head) = (get!(w.argv.done), get!(w.argv.sent), get!(w.argv.head));
        if done >= sent {
            break;
        }
        let (src, limit) = if done < head { (get!(w.argv.start) + done, head) } else { (get!(w.argv.end) - (sent - done), sent) };
        let page = 4096 - (src & 4095);
        // Read again: with `done` 5.10 and 6.1 follow impossible branches (umin > umax) and then reject the sum.
        let at = mask!(get!(w.argv.done), 65535);
        let n = mask!(if page < limit - done { page } else { limit - done }, 8191); // 1 ..= 4096
        set!(w.argv.done, done + n);
        // SAFETY: FRONT + 16383 + 65535 + 8191 bytes lie within `rec`. The helper zeroes what it cannot read.
        if unsafe { bpf_probe_read_user((argv + at) as *mut c_void, n as u32, src as *const c_void) } < 0 {
            set!(w.argv.holes, get!(w.argv.holes) | 1 << i);
        }
        i += 1;
    }
    let sent = get!(w.argv.sent);
    exec.argv_total = get!(w.argv.end).saturating_sub(get!(w.argv.start));
    exec.argv_holes = get!(w.argv.holes);
    exec.argv = Span { off: argv_at as u32, len: sent as u32 };
    set!(w.tail.len, argv_at + sent);
}

/// Exit of execve and execveat: success was reported by the other programs; here the attempts that failed, with what the caller asked for.
#[tracepoint]
pub fn exec_tp(ctx: TracePointContext) -> u32 {
    if super::exit_args(&ctx).1 >= 0 {
        return 0;
    }
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Exec) else { return 0 };
    let Some(w) = Work::tracepoint(EventKind::Exec) else { return 0 };
    let exec = w.begin::<Exec>(task, Tier::Tracepoint, 0);
    let at = call.nr == crate::arch::nr::EXECVEAT;
    let (dirfd, name) = if at { (call.args[0], call.args[1]) } else { (target::AT_FDCWD, call.args[0]) };
    target::named::<Exec>(w, at!(Exec, file), dirfd, name, task);
    // SAFETY: from `begin`.
    unsafe {
        (*exec).result = call.ret as i32;
        (*exec).flags = NO_ARGV;
    }
    w.finish::<Exec, _>(&ctx);
    0
}
