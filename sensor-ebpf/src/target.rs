//! The file that a call names: the caller's string, where a relative one starts, and what the kernel made of it.

use crate::{
    emit::{Tail, Work},
    kernel::o,
    path,
    task::Task,
};
use aya_ebpf::helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user_str};
use core::{ffi::c_void, mem::offset_of};
use sensor_common::span::{Path, Span, Target, path_flags::*};

/// The working directory as a `dirfd` argument.
pub const AT_FDCWD: u64 = -100i32 as u32 as u64;

/// Appends a NUL-terminated string of at most 4095 bytes; `user` says in which memory it is.
#[inline(always)]
pub fn push_str((to, t): (u64, &mut Tail), addr: u64, user: bool) -> Path {
    let at = mask!(get!(t.len), 16383);
    let to = (to + at) as *mut c_void;
    // SAFETY: the tail has 4096 bytes behind its largest length; the helpers check `addr`.
    let n = unsafe {
        if user {
            bpf_probe_read_user_str(to, 4096, addr as *const c_void)
        } else {
            bpf_probe_read_kernel_str(to, 4096, addr as *const c_void)
        }
    };
    if n <= 0 {
        return Path { span: Span { off: at as u32, len: 0 }, flags: FAULT, pad: 0 };
    }
    let len = mask!(n as u64 - 1, 4095);
    set!(t.len, at + len);
    Path { span: Span { off: at as u32, len: len as u32 }, flags: if n == 4096 { CUT } else { 0 }, pad: 0 }
}

/// The caller's string, and if it is relative the folder that it starts from, into the `Target` at byte `at` of a `P` record.
#[inline(always)]
pub fn named<P>(w: &mut Work, at: usize, dirfd: u64, addr: u64, task: Task) {
    let to = w.tail::<P>().0;
    let user = push_str(w.tail::<P>(), addr, true);
    // SAFETY: a `Target` of the payload.
    unsafe { w.path(at + offset_of!(Target, user)).write_volatile(user) };
    let first = (to + mask!(user.span.off as u64, 16383)) as *const u8;
    // SAFETY: a byte of the tail: the string's first, or one of earlier use if the string is empty: then the length decides.
    if user.span.len == 0 || unsafe { first.read_volatile() } != b'/' {
        let base = at + offset_of!(Target, base);
        let dirfd = dirfd & 0xffff_ffff;
        if dirfd == AT_FDCWD {
            w.tail.want(task.folder(o!(O_FS_PWD)), base);
        } else {
            let file = path::file_of(task, dirfd);
            if file != 0 {
                w.tail.want_file(file, base);
            }
        }
    }
}

/// The file behind a descriptor into the `Target` at byte `at` of the record.
#[inline(always)]
pub fn of_fd(w: &mut Work, at: usize, fd: u64, task: Task) {
    let file = path::file_of(task, fd & 0xffff_ffff);
    if file != 0 {
        w.tail.want_file(file, at + offset_of!(Target, kernel));
    }
}

/// Byte offset of a payload's field in the record.
macro_rules! at {
    ($payload:ty, $($field:tt)+) => {
        size_of::<sensor_common::Header>() + core::mem::offset_of!($payload, $($field)+)
    };
}
pub(crate) use at;
