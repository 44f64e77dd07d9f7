//! The acting task and its credentials into a record's header.

use crate::{kernel::o, read};
use aya_ebpf::helpers::{
    bpf_get_current_pid_tgid,
    generated::{bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_task, bpf_ktime_get_boot_ns},
};
use core::ffi::c_void;
use sensor_common::{EventKind, Header, Tier, header::header_flags, limits::COMM_LEN, offsets::ABSENT};

const PF_KTHREAD: u32 = 0x0020_0000;
const PF_IO_WORKER: u32 = 0x0000_0010;

/// Address of the current `task_struct`.
#[inline(always)]
pub fn current() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_get_current_task() }
}

/// `start_boottime` of the task's thread group leader.
#[inline(always)]
pub fn start_ns(task: u64) -> u64 {
    read::ptr(read::ptr(task + o!(O_TASK_LEADER)) + o!(O_TASK_START))
}

/// Fills a whole header but for its length. `task` is the current one (comm and cgroup come from helpers that know no other).
///
/// # Safety
/// `h` points to a writable `Header`.
#[inline(always)]
pub unsafe fn header(h: *mut Header, task: u64, kind: EventKind, tier: Tier, flags: u8) {
    let ids = bpf_get_current_pid_tgid();
    let parent = read::ptr(task + o!(O_TASK_PARENT));
    let cred = read::ptr(task + o!(O_TASK_CRED));
    // uid, gid, suid, sgid, euid, egid, fsuid, fsgid lie side by side in that order (include/linux/cred.h, checked by the collector).
    let users: [u32; 8] = read::kernel([0; 8], cred + o!(O_CRED_UID));
    let task_flags = read::word(task + o!(O_TASK_FLAGS));
    let kernel_thread = if task_flags & (PF_KTHREAD | PF_IO_WORKER) != 0 { header_flags::KERNEL_THREAD } else { 0 };
    let mnt_ns = read::ptr(read::ptr(task + o!(O_TASK_NSPROXY)) + o!(O_NSPROXY_MNT));
    // SAFETY: `h` is writable; helpers check nothing else.
    unsafe {
        (*h).kind = kind as u16;
        (*h).tier = tier as u8;
        (*h).flags = flags | kernel_thread;
        (*h).len = 0;
        (*h).time_ns = bpf_ktime_get_boot_ns();
        let t = &raw mut (*h).task;
        (*t).start_ns = start_ns(task);
        (*t).parent_start_ns = start_ns(parent);
        (*t).cgroup_id = bpf_get_current_cgroup_id();
        (*t).cap_effective = read::ptr(cred + o!(O_CRED_CAP_EFFECTIVE));
        (*t).cap_permitted = read::ptr(cred + o!(O_CRED_CAP_PERMITTED));
        (*t).tgid = (ids >> 32) as u32;
        (*t).tid = ids as u32;
        (*t).parent_tgid = read::word(parent + o!(O_TASK_TGID));
        (*t).uid = users[0];
        (*t).gid = users[1];
        (*t).suid = users[2];
        (*t).sgid = users[3];
        (*t).euid = users[4];
        (*t).egid = users[5];
        (*t).fsuid = users[6];
        (*t).fsgid = users[7];
        (*t).login_uid = optional(task, o!(O_TASK_LOGINUID));
        (*t).session_id = optional(task, o!(O_TASK_SESSIONID));
        (*t).pid_ns = read::word(pid_number(task).1 + o!(O_PIDNS_INUM));
        (*t).mnt_ns = read::word(mnt_ns + o!(O_MNTNS_INUM));
        (*t).pad = 0;
        let comm = &raw mut (*t).comm;
        if bpf_get_current_comm(comm.cast::<c_void>(), COMM_LEN as u32) != 0 {
            comm.write([0; COMM_LEN]);
        }
    }
}

/// A 32-bit member that kernels without audit do not have.
#[inline(always)]
fn optional(task: u64, offset: u64) -> u32 {
    if offset == ABSENT as u64 { u32::MAX } else { read::word(task + offset) }
}

/// Process id in the task's own pid namespace, and the address of that namespace (`task_active_pid_ns`).
#[inline(always)]
pub fn pid_number(task: u64) -> (u32, u64) {
    let pid = read::ptr(task + o!(O_TASK_THREAD_PID));
    let level = mask!(read::word(pid + o!(O_PID_LEVEL)) as u64, 31); // MAX_PID_NS_LEVEL is 32
    let upid = pid + o!(O_PID_NUMBERS) + level * 16; // struct upid { int nr; struct pid_namespace *ns; }
    (read::word(upid + o!(O_UPID_NR)), read::ptr(upid + o!(O_UPID_NS)))
}
