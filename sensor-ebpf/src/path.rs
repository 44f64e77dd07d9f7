//! Absolute path of a `(vfsmount, dentry)` as the task's root sees it, without `bpf_d_path` (which most program types may not call).

use crate::{emit::Tail, kernel::o, read};
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use core::ffi::c_void;
use sensor_common::{
    limits::PATH_STEPS,
    span::{Path, Span, path_flags::*},
};

const SIZE: u64 = 4096;

/// Appends the path to the record's tail (`to` is its address) and returns where it is.
///
/// Walks from the dentry up to the task's root, over mount points, at most [`PATH_STEPS`] steps: 470 verifier instructions each. A name is
/// read between two looks at `d_seq`, so that a rename meanwhile is noticed and the step repeated. Not covered: a rename higher up
/// between two steps, as for any walk without `rename_lock`.
#[inline(always)]
pub fn push((to, t): (u64, &mut Tail), mut mnt: u64, mut dentry: u64, task: u64) -> Path {
    let fs = read::ptr(task + o!(O_TASK_FS));
    let (root_mnt, root_dentry) = (read::ptr(fs + o!(O_FS_ROOT_MNT)), read::ptr(fs + o!(O_FS_ROOT_DENTRY)));
    let mut mnt_root = read::ptr(mnt + o!(O_VFSMNT_ROOT));
    let back = (&raw mut t.back) as u64;
    set!(t.cursor, SIZE);
    // d_unlinked(): not hashed and not a root.
    let gone = read::ptr(dentry + o!(O_DENTRY_PPREV)) == 0 && read::ptr(dentry + o!(O_DENTRY_PARENT)) != dentry;
    set!(t.flags, if gone { DELETED } else { 0 });
    let mut step = 0;
    loop {
        if dentry == root_dentry && mnt == root_mnt {
            break;
        }
        if step == PATH_STEPS {
            set!(t.flags, get!(t.flags) | CUT);
            break;
        }
        step += 1;
        if dentry == mnt_root {
            // Top of this mount: go on at its mount point. container_of(mnt, struct mount, mnt).
            let m = mnt - o!(O_MOUNT_MNT);
            let up = read::ptr(m + o!(O_MOUNT_PARENT));
            if up == m || up == 0 {
                set!(t.flags, get!(t.flags) | OUTSIDE);
                break;
            }
            dentry = read::ptr(m + o!(O_MOUNT_POINT));
            mnt = up + o!(O_MOUNT_MNT);
            mnt_root = read::ptr(mnt + o!(O_VFSMNT_ROOT));
            continue;
        }
        let seq = read::word(dentry + o!(O_DENTRY_SEQ));
        let parent = read::ptr(dentry + o!(O_DENTRY_PARENT));
        let name: [u64; 2] = read::kernel([0; 2], dentry + o!(O_DENTRY_QSTR)); // struct qstr: hash u32, len u32, name *
        let len = mask!(name[0] >> 32, 255);
        let at = get!(t.cursor);
        if at < len + 2 {
            set!(t.flags, get!(t.flags) | CUT);
            break;
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
            break;
        }
        dentry = parent;
    }
    if get!(t.cursor) == SIZE {
        set!(t.cursor, SIZE - 1);
        t.back[SIZE as usize - 1] = b'/';
    }
    let from = mask!(get!(t.cursor), 4095);
    let len = mask!(SIZE - from, 4095);
    let at = mask!(get!(t.len), 16383);
    // SAFETY: the tail has 4096 bytes behind its largest length.
    unsafe { bpf_probe_read_kernel((to + at) as *mut c_void, len as u32, (back + from) as *const c_void) };
    set!(t.len, at + len);
    Path { span: Span { off: at as u32, len: len as u32 }, flags: get!(t.flags), pad: 0 }
}

/// Appends the path of an open file.
#[inline(always)]
pub fn push_file((to, t): (u64, &mut Tail), file: u64, task: u64) -> Path {
    push((to, t), read::ptr(file + o!(O_FILE_MNT)), read::ptr(file + o!(O_FILE_DENTRY)), task)
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
