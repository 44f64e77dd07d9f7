//! Absolute path of a `(vfsmount, dentry)` as the task's root sees it, without `bpf_d_path` (which most program types may not call).

use crate::{
    emit::{Tail, Walk},
    kernel::o,
    read,
    task::Task,
    walker::{RUNS, STEPS},
};
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use core::ffi::c_void;
use sensor_common::{
    limits::PATH_MAX,
    offsets::INLINE_NAME,
    span::{Path, Span, path_flags::*},
};

/// Where the walks of a run have come to.
pub enum Progress {
    /// All paths are there.
    Done,
    /// Another run goes on from here.
    OutOfSteps,
}

/// Tails of up to 16383 bytes.
pub const SHORT: bool = false;
/// Tails of up to 131071 bytes.
pub const LONG: bool = true;

/// A position in the tail, within what the verifier knows of its area.
#[inline(always)]
fn within<const TAIL: bool>(at: u64) -> u64 {
    if TAIL == LONG { mask!(at, 131071) } else { mask!(at, 16383) }
}

/// Walks wanted paths for a run's steps (components, mount crossings, repetitions); appends them to the tail and writes their `Path`s into
/// the record at `rec`.
///
/// The components are appended in the order of the walk, from the file up ([`LEAF_FIRST`]): turning them round is the collector's work, which
/// has more time. One loop for all paths, with everything it carries in the work area: the verifier then sees the same state in every round.
/// A name is copied between two looks at `d_seq`, so that a rename meanwhile is noticed and the step repeated. Not covered: a rename higher
/// up between two steps, as for any walk without `rename_lock`.
#[inline(always)]
pub fn walk<const TAIL: bool>(tail: u64, rec: u64, t: &mut Tail, task: Task) -> Progress {
    let root = task.folder(o!(O_FS_ROOT));
    let mut block = read::Dentry::new();
    let mut step = 0;
    loop {
        let i = mask!(get!(t.walk), 7);
        if i >= mask!(get!(t.wanted), 7) {
            return Progress::Done;
        }
        if get!(t.mnt_root) == 0 {
            start(t, i);
        }
        if step >= STEPS {
            let runs = get!(t.runs) + 1;
            set!(t.runs, runs);
            if runs < RUNS {
                return Progress::OutOfSteps;
            }
            set!(t.flags, get!(t.flags) | CUT);
            finish::<TAIL>(tail, rec, t, i);
            return Progress::Done;
        }
        step += 1;
        let (mnt, dentry) = (get!(t.mnt), get!(t.dentry));
        if (mnt, dentry) == root {
            finish::<TAIL>(tail, rec, t, i);
            continue;
        }
        if dentry == get!(t.mnt_root) {
            // Top of this mount: go on at its mount point. container_of(mnt, struct mount, mnt).
            let m = mnt - o!(O_MOUNT_MNT);
            let up = read::ptr(m + o!(O_MOUNT_PARENT));
            if up == m || up == 0 {
                set!(t.flags, get!(t.flags) | OUTSIDE);
                finish::<TAIL>(tail, rec, t, i);
                continue;
            }
            if get!(t.parts) == 0 {
                // What was asked for is itself mounted: a folder, or a single file, which may be gone where it came from.
                block.load(dentry);
                note_deleted(t, &block, dentry);
            }
            let mnt = up + o!(O_MOUNT_MNT);
            set!(t.dentry, read::ptr(m + o!(O_MOUNT_POINT)));
            set!(t.mnt, mnt);
            set!(t.mnt_root, root_of(mnt));
            continue;
        }
        block.load(dentry);
        let parent: u64 = block.get(o!(O_DENTRY_PARENT));
        let at = within::<TAIL>(get!(t.len));
        let len = name_len(&block);
        if at - get!(t.begin) + len + 1 > PATH_MAX as u64 {
            set!(t.flags, get!(t.flags) | CUT);
            finish::<TAIL>(tail, rec, t, i);
            continue;
        }
        put_name(tail + at, &block, dentry, len);
        let seq: u32 = block.get(o!(O_DENTRY_SEQ));
        if seq & 1 != 0 || seq != read::word(dentry + o!(O_DENTRY_SEQ)) {
            continue; // renamed or moved while it was read: once more
        }
        set!(t.len, at + len + 1);
        let parts = get!(t.parts);
        set!(t.parts, parts + 1);
        if parent == dentry || parent == 0 {
            set!(t.flags, get!(t.flags) | OUTSIDE); // memfd, pipe, ...: a lone dentry
            finish::<TAIL>(tail, rec, t, i);
            continue;
        }
        if parts == 0 {
            note_deleted(t, &block, dentry);
        }
        set!(t.dentry, parent);
    }
}

/// d_unlinked(): not hashed and not a root.
#[inline(always)]
fn note_deleted(t: &mut Tail, block: &read::Dentry, dentry: u64) {
    if block.get::<u64>(o!(O_DENTRY_PPREV)) == 0 && block.get::<u64>(o!(O_DENTRY_PARENT)) != dentry {
        set!(t.flags, get!(t.flags) | DELETED);
    }
}

/// `struct qstr { u32 hash, len; const unsigned char *name; }`: the length, at most 255 (NAME_MAX).
#[inline(always)]
fn name_len(block: &read::Dentry) -> u64 {
    mask!(block.get::<u64>(o!(O_DENTRY_QSTR)) >> 32, 255)
}

/// Writes `/` and the name of a dentry to `to`, which has room for more than 256 bytes.
#[inline(always)]
fn put_name(to: u64, block: &read::Dentry, dentry: u64, len: u64) {
    let name: u64 = block.get(o!(O_DENTRY_QSTR) + 8);
    // SAFETY: by the caller; the helper checks where it reads from.
    unsafe {
        *(to as *mut u8) = b'/';
        if name == dentry + o!(O_DENTRY_INLINE) {
            // In the block already. What is behind the name is written over or never looked at.
            let mut n = 0;
            while n < INLINE_NAME as u64 {
                store(to + 1 + n, block.get(o!(O_DENTRY_INLINE) + n));
                n += 8;
            }
        } else {
            bpf_probe_read_kernel((to + 1) as *mut c_void, mask!(len, 255) as u32, name as *const c_void);
        }
    }
}

/// Stores eight bytes at any address: the compiler would make eight stores of it, while the processors that we run on need one.
///
/// # Safety
/// `to` has room for them.
#[inline(always)]
unsafe fn store(to: u64, v: u64) {
    // SAFETY: by the caller.
    unsafe { core::arch::asm!("*(u64 *)({0} + 0) = {1}", in(reg) to, in(reg) v) };
}

#[inline(always)]
fn wanted(t: &mut Tail, i: u64) -> *mut Walk {
    // SAFETY: an element of `walks`, by the mask.
    unsafe { (&raw mut t.walks).cast::<Walk>().add(mask!(i, 3) as usize) }
}

/// Root dentry of a mount; kernel addresses have the highest bit anyway, so that this is never 0.
#[inline(always)]
fn root_of(mnt: u64) -> u64 {
    read::ptr(mnt + o!(O_VFSMNT_ROOT)) | 1 << 63
}

#[inline(always)]
fn start(t: &mut Tail, i: u64) {
    let w = wanted(t, i);
    // SAFETY: from `wanted`.
    let (mnt, dentry) = unsafe { ((&raw const (*w).mnt).read_volatile(), (&raw const (*w).dentry).read_volatile()) };
    set!(t.mnt, mnt);
    set!(t.dentry, dentry);
    set!(t.mnt_root, root_of(mnt));
    set!(t.begin, get!(t.len));
    set!(t.parts, 0);
    set!(t.flags, 0);
}

/// Writes down the path that was appended and goes on to the next walk.
#[inline(always)]
fn finish<const TAIL: bool>(tail: u64, rec: u64, t: &mut Tail, i: u64) {
    let parts = get!(t.parts);
    if parts == 0 {
        let at = within::<TAIL>(get!(t.len));
        // SAFETY: the tail has 4096 bytes behind its largest length.
        unsafe { *((tail + at) as *mut u8) = b'/' };
        set!(t.len, at + 1);
    }
    let (begin, end) = (get!(t.begin), get!(t.len));
    let flags = get!(t.flags) | if parts > 1 { LEAF_FIRST } else { 0 };
    let w = wanted(t, i);
    // SAFETY: `at` of the walk is within the payload, by the mask within the record.
    unsafe {
        let path = (rec + mask!((&raw const (*w).at).read_volatile(), 504)) as *mut Path;
        (&raw mut (*path).span).write_volatile(Span { off: begin as u32, len: (end - begin) as u32 });
        (&raw mut (*path).flags).write_volatile(flags);
    }
    set!(t.walk, i + 1);
    set!(t.mnt_root, 0);
}

/// The open file behind a descriptor of the task, 0 if there is none.
#[inline(always)]
pub fn file_of(task: Task, fd: u64) -> u64 {
    let Some(fdt) = task.follow(o!(O_TASK_FILES)).and_then(|files| read::direct_ptr(files + o!(O_FILES_FDT))) else { return 0 };
    if fd >= read::direct::<u32>(fdt + o!(O_FDT_MAX)) as u64 {
        return 0;
    }
    read::ptr(read::direct::<u64>(fdt + o!(O_FDT_FD)) + fd * 8)
}
