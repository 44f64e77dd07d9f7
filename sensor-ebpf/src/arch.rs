//! What depends on the processor: system call numbers and where the arguments of the current call are. x86-64 only, so far.

use crate::{emit, kernel::o, read, task::Task};
use sensor_common::EventKind;

/// Numbers of the calls that probes tell apart (arch/x86/entry/syscalls/syscall_64.tbl).
pub mod nr {
    #![allow(missing_docs)]
    pub const OPEN: u64 = 2;
    pub const RENAME: u64 = 82;
    pub const RMDIR: u64 = 84;
    pub const CREAT: u64 = 85;
    pub const LINK: u64 = 86;
    pub const UNLINK: u64 = 87;
    pub const SYMLINK: u64 = 88;
    pub const CHMOD: u64 = 90;
    pub const FCHMOD: u64 = 91;
    pub const CHOWN: u64 = 92;
    pub const FCHOWN: u64 = 93;
    pub const LCHOWN: u64 = 94;
    pub const RENAMEAT2: u64 = 316;
    pub const EXECVEAT: u64 = 322;
    pub const OPENAT2: u64 = 437;
}

/// Words of `struct pt_regs` from r10 on, as the entry code of the kernel leaves it (arch/x86/include/asm/ptrace.h; unchanged since 2.6):
/// r10, r9, r8, ax, cx, dx, si, di, orig_ax.
const REGS: usize = 9;
const ORIG_AX: usize = 8;

const THREAD_SIZE: u64 = 16384;
const PT_REGS_SIZE: u64 = 168;
const PT_REGS_R10: u64 = 56;
/// TOP_OF_KERNEL_STACK_PADDING of kernels built with CONFIG_X86_FRED (since 6.9), in words.
const FRED_PADDING: usize = 2;

/// A system call that has just returned: number, result, arguments as the caller passed them in registers.
#[derive(Clone, Copy)]
pub struct Call {
    /// Number.
    pub nr: u64,
    /// Result, or a negative errno.
    pub ret: i64,
    /// The six arguments.
    pub args: [u64; 6],
}

impl Call {
    /// The current task's call, from the registers at the bottom of its kernel stack; `None` if they do not belong to call `nr`.
    #[inline(always)]
    pub fn current(task: Task, nr: u64, ret: i64) -> Option<Self> {
        let r10 = task.get::<u64>(o!(O_TASK_STACK)) + THREAD_SIZE - PT_REGS_SIZE + PT_REGS_R10;
        // With padding or without: the same words, two places further on.
        let words: [u64; REGS + FRED_PADDING] = read::kernel(r10 - 8 * FRED_PADDING as u64);
        let args = |r: &[u64; REGS + FRED_PADDING], at: usize| [r[at + 7], r[at + 6], r[at + 5], r[at], r[at + 2], r[at + 1]];
        if words[ORIG_AX + FRED_PADDING] == nr {
            Some(Self { nr, ret, args: args(&words, FRED_PADDING) })
        } else if words[ORIG_AX] == nr {
            Some(Self { nr, ret, args: args(&words, 0) })
        } else {
            None
        }
    }
}

/// Work area of the tracepoint program of a call, by its number.
pub static AREA_OF_CALL: [u8; 512] = {
    let mut table = [0; 512];
    let calls: [(EventKind, &[usize]); 12] = [
        (EventKind::Open, &[2, 85, 257, 437]),
        (EventKind::Unlink, &[84, 87, 263]),
        (EventKind::Rename, &[82, 264, 316]),
        (EventKind::Chmod, &[90, 91, 268, 452]),
        (EventKind::Chown, &[92, 93, 94, 260]),
        (EventKind::Link, &[86, 265]),
        (EventKind::Symlink, &[88, 266]),
        (EventKind::Connect, &[42]),
        (EventKind::Accept, &[43, 288]),
        (EventKind::Bind, &[49]),
        (EventKind::Listen, &[50]),
        (EventKind::Exec, &[59, 322]),
    ];
    let mut i = 0;
    while i < calls.len() {
        let mut n = 0;
        while n < calls[i].1.len() {
            table[calls[i].1[n]] = emit::area(calls[i].0) as u8;
            n += 1;
        }
        i += 1;
    }
    table
};
