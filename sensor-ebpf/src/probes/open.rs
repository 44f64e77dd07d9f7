//! `open`: the exit of open, openat, openat2 and creat; and before that, where kprobes exist, `security_file_open(struct file *)`.

use crate::{
    arch::nr,
    emit::{self, Work},
    filter,
    kernel::o,
    path, read,
    target::{self, at},
    task::Task,
};
use aya_ebpf::{
    macros::{kprobe, tracepoint},
    programs::{ProbeContext, TracePointContext},
};
use sensor_common::{
    EventKind, Tier,
    events::open::{Open, open_flags::CREATED},
    header::header_flags,
    span::RESULT_UNKNOWN,
    stats::Reason,
};

const FMODE_CREATED: u32 = 0x10_0000;
/// Opened by a file system for itself (overlayfs opens the file below its own), not counted as the task's (since 4.19).
const FMODE_NOACCOUNT: u32 = 0x2000_0000;
/// In `f_flags` of files that are opened to be executed.
const FMODE_EXEC: u32 = 0x20;
const ENOENT: i64 = 2;

/// The call has returned: the descriptor leads to the kernel's own file.
#[tracepoint]
pub fn open_tp(ctx: TracePointContext) -> u32 {
    let (_, ret) = super::exit_args(&ctx);
    let task = Task::current();
    if ret >= 0 {
        let file = path::file_of(task, ret as u64);
        if file == 0 {
            emit::count(EventKind::Open, Reason::BadContext);
            return 0;
        }
        let flags = read::word(file + o!(O_FILE_FLAGS)) as u64;
        if let Some(reason) = filter::open(read::path(file + o!(O_FILE_PATH)).1, flags) {
            emit::count(EventKind::Open, reason);
            return 0;
        }
        returned(&ctx, task, file, flags);
    } else {
        returned(&ctx, task, 0, 0);
    }
    0
}

#[inline(always)]
fn returned(ctx: &TracePointContext, task: Task, file: u64, flags: u64) {
    let Some(call) = super::call(ctx, task, EventKind::Open) else { return };
    let a = call.args;
    let (dirfd, name, mut asked, mut mode) = match call.nr {
        nr::OPEN => (target::AT_FDCWD, a[0], a[1], a[2]),
        nr::CREAT => (target::AT_FDCWD, a[0], 0o1101, a[1]), // O_CREAT | O_WRONLY | O_TRUNC
        _ => (a[0], a[1], a[2], a[3]),
    };
    if call.nr == nr::OPENAT2 {
        // struct open_how { u64 flags, mode, resolve }, since 5.6
        let how: [u64; 2] = read::user(a[2]).unwrap_or([0; 2]);
        (asked, mode) = (how[0], how[1]);
    }
    if file == 0 && call.ret == -ENOENT && asked & filter::WRITE_FLAGS == 0 {
        return emit::count(EventKind::Open, Reason::NotFoundFiltered);
    }
    let Some(w) = Work::tracepoint(EventKind::Open) else { return };
    let open = w.begin::<Open>(task, Tier::Tracepoint, 0);
    if file != 0 {
        w.tail.want_file(file, at!(Open, file.kernel));
    }
    target::named::<Open>(w, at!(Open, file), dirfd, name, task);
    // SAFETY: from `begin`.
    let open = unsafe { &mut *open };
    open.result = call.ret as i32;
    open.flags = if file == 0 { asked as u32 } else { flags as u32 | (asked as u32 & 0o1700) }; // O_CREAT, O_EXCL, O_NOCTTY and O_TRUNC are not kept in f_flags
    open.mode = mode as u32 & 0o7777;
    if file != 0 {
        describe(open, file);
    }
    w.finish::<Open, _>(ctx);
}

#[inline(always)]
fn describe(open: &mut Open, file: u64) {
    let mut inode = read::Inode::new();
    inode.load(read::ptr(file + o!(O_FILE_INODE)));
    open.inode = inode.get(o!(O_INODE_INO));
    open.dev = read::word(inode.get::<u64>(o!(O_INODE_SB)) + o!(O_SB_DEV));
    open.owner = inode.get(o!(O_INODE_UID));
    open.file_mode = inode.get::<u16>(o!(O_INODE_MODE)) as u32;
    if read::word(file + o!(O_FILE_MODE)) & FMODE_CREATED != 0 {
        open.state |= CREATED;
    }
}

/// `security_file_open(struct file *)`, since 2.6: whoever opens, io_uring included. Has not been carried out yet.
#[kprobe]
pub fn open_kprobe(ctx: ProbeContext) -> u32 {
    let Some(file) = ctx.arg::<u64>(0) else { return 0 };
    let flags = read::word(file + o!(O_FILE_FLAGS));
    if flags & FMODE_EXEC != 0 || read::word(file + o!(O_FILE_MODE)) & FMODE_NOACCOUNT != 0 {
        return 0;
    }
    // What is held back here is counted when the call returns.
    if filter::open(read::path(file + o!(O_FILE_PATH)).1, flags as u64).is_some() {
        return 0;
    }
    let task = Task::current();
    let Some(w) = Work::kprobe(EventKind::Open) else { return 0 };
    let open = w.begin::<Open>(task, Tier::Kprobe, header_flags::BEGUN);
    w.tail.want_file(file, at!(Open, file.kernel));
    // SAFETY: from `begin`.
    let open = unsafe { &mut *open };
    open.result = RESULT_UNKNOWN;
    open.flags = flags;
    describe(open, file);
    w.finish::<Open, _>(&ctx);
    0
}
