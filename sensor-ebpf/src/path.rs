//! Absolute path of a `(vfsmount, dentry)` as the task's root sees it, without `bpf_d_path` (which most program types may not call).

use crate::{
    emit::{Tail, Walk},
    kernel::o,
    read,
};
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use core::ffi::c_void;
use sensor_common::{
    limits::PATH_STEPS,
    span::{Path, Span, path_flags::*},
};

const SIZE: u64 = 4096;

/// Steps (components, mount crossings, repetitions) for all paths of one record together, so that the first may have the promised
/// [`PATH_STEPS`] and the others the usual dozen. Each step costs the verifier some 600 instructions and the start 1 ms.
const STEPS: u32 = PATH_STEPS + 16;

/// Walks all wanted paths; appends them to the tail at `rec + front` and writes their `Path`s into the record.
///
/// One loop for all of them, with everything it carries in the work area: the verifier then sees the same state in every round. A name is
/// read between two looks at `d_seq`, so that a rename meanwhile is noticed and the step repeated. Not covered: a rename higher up
/// between two steps, as for any walk without `rename_lock`.
#[inline(always)]
pub fn walk(rec: u64, front: u64, t: &mut Tail, task: u64) {
    let fs = read::ptr(task + o!(O_TASK_FS));
    let (root_mnt, root_dentry) = (read::ptr(fs + o!(O_FS_ROOT_MNT)), read::ptr(fs + o!(O_FS_ROOT_DENTRY)));
    let back = (&raw mut t.back) as u64;
    let mut step = 0;
    loop {
        let i = mask!(get!(t.walk), 7);
        if i >= mask!(get!(t.wanted), 7) {
            break;
        }
        if get!(t.mnt_root) == 0 {
            start(t, i);
        }
        // The last round only finishes what there is.
        if step >= STEPS {
            set!(t.flags, get!(t.flags) | CUT);
            finish(rec, front, t, i);
            break;
        }
        step += 1;
        let (mnt, dentry) = (get!(t.mnt), get!(t.dentry));
        if dentry == root_dentry && mnt == root_mnt {
            finish(rec, front, t, i);
            continue;
        }
        if dentry == get!(t.mnt_root) {
            // Top of this mount: go on at its mount point. container_of(mnt, struct mount, mnt).
            let m = mnt - o!(O_MOUNT_MNT);
            let up = read::ptr(m + o!(O_MOUNT_PARENT));
            if up == m || up == 0 {
                set!(t.flags, get!(t.flags) | OUTSIDE);
                finish(rec, front, t, i);
                continue;
            }
            let mnt = up + o!(O_MOUNT_MNT);
            set!(t.dentry, read::ptr(m + o!(O_MOUNT_POINT)));
            set!(t.mnt, mnt);
            set!(t.mnt_root, read::ptr(mnt + o!(O_VFSMNT_ROOT)) | 1 << 63); // kernel addresses have this bit anyway: never 0
            continue;
        }
        let seq = read::word(dentry + o!(O_DENTRY_SEQ));
        let parent = read::ptr(dentry + o!(O_DENTRY_PARENT));
        let name: [u64; 2] = read::kernel([0; 2], dentry + o!(O_DENTRY_QSTR)); // struct qstr: hash u32, len u32, name *
        let len = mask!(name[0] >> 32, 255);
        let at = get!(t.cursor);
        if at < len + 2 {
            set!(t.flags, get!(t.flags) | CUT);
            finish(rec, front, t, i);
            continue;
        }
        let at = mask!(at - len - 1, 4095);
        // SAFETY: `at` is below 4096 and `back` has 256 bytes more. The second mask: 6.12 forgets len's bound at `at < len + 2`.
        unsafe {
            *((back + at) as *mut u8) = b'/';
            bpf_probe_read_kernel((back + at + 1) as *mut c_void, mask!(len, 255) as u32, name[1] as *const c_void);
        }
        if seq & 1 != 0 || seq != read::word(dentry + o!(O_DENTRY_SEQ)) {
            continue; // renamed or moved while it was read: once more
        }
        set!(t.cursor, at);
        if parent == dentry || parent == 0 {
            set!(t.flags, get!(t.flags) | OUTSIDE); // memfd, pipe, ...: a lone dentry
            finish(rec, front, t, i);
            continue;
        }
        set!(t.dentry, parent);
    }
}

#[inline(always)]
fn wanted(t: &mut Tail, i: u64) -> *mut Walk {
    // SAFETY: an element of `walks`, by the mask.
    unsafe { (&raw mut t.walks).cast::<Walk>().add(mask!(i, 3) as usize) }
}

#[inline(always)]
fn start(t: &mut Tail, i: u64) {
    let w = wanted(t, i);
    // SAFETY: from `wanted`.
    let (mnt, dentry) = unsafe { ((&raw const (*w).mnt).read_volatile(), (&raw const (*w).dentry).read_volatile()) };
    set!(t.mnt, mnt);
    set!(t.dentry, dentry);
    set!(t.mnt_root, read::ptr(mnt + o!(O_VFSMNT_ROOT)) | 1 << 63);
    set!(t.cursor, SIZE);
    // d_unlinked(): not hashed and not a root.
    let gone = read::ptr(dentry + o!(O_DENTRY_PPREV)) == 0 && read::ptr(dentry + o!(O_DENTRY_PARENT)) != dentry;
    set!(t.flags, if gone { DELETED } else { 0 });
}

/// Appends the path that is in `back` and goes on to the next walk.
#[inline(always)]
fn finish(rec: u64, front: u64, t: &mut Tail, i: u64) {
    if get!(t.cursor) == SIZE {
        set!(t.cursor, SIZE - 1);
        set!(t.back[SIZE as usize - 1], b'/');
    }
    let from = mask!(get!(t.cursor), 4095);
    let len = mask!(SIZE - from, 4095);
    let at = mask!(get!(t.len), 16383);
    let back = (&raw mut t.back) as u64;
    let w = wanted(t, i);
    // SAFETY: the tail has 4096 bytes behind its largest length; `at` of the walk is within the payload, by the mask within the record.
    unsafe {
        bpf_probe_read_kernel((rec + front + at) as *mut c_void, len as u32, (back + from) as *const c_void);
        let path = (rec + mask!((&raw const (*w).at).read_volatile(), 504)) as *mut Path;
        (&raw mut (*path).span).write_volatile(Span { off: at as u32, len: len as u32 });
        (&raw mut (*path).flags).write_volatile(get!(t.flags));
    }
    set!(t.len, at + len);
    set!(t.walk, i + 1);
    set!(t.mnt_root, 0);
}

/// The open file behind a descriptor of the task, 0 if there is none.
#[inline(always)]
pub fn file_of(task: u64, fd: u64) -> u64 {
    let fdt = read::ptr(read::ptr(task + o!(O_TASK_FILES)) + o!(O_FILES_FDT));
    if fd >= read::word(fdt + o!(O_FDT_MAX)) as u64 {
        return 0;
    }
    read::ptr(read::ptr(fdt + o!(O_FDT_FD)) + fd * 8)
}
