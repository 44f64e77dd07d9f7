//! The acting task and its credentials into a record's header.

use crate::{kernel::o, read};
use aya_ebpf::helpers::generated::{bpf_get_current_cgroup_id, bpf_get_current_task, bpf_get_current_task_btf, bpf_ktime_get_boot_ns};
use sensor_common::{EventKind, Header, Tier, header::header_flags, offsets::ABSENT};

const PF_KTHREAD: u32 = 0x0020_0000;
const PF_IO_WORKER: u32 = 0x0000_0010;

/// PROC_PID_INIT_INO in include/linux/proc_ns.h: inode number of the initial pid namespace, since 3.8.
const INIT_PID_NS: u32 = 0xefff_fffc;

/// A `struct task_struct *`. `TYPED`: the current task's, or one that a BTF tracepoint hands over, so that the verifier may know what it points
/// to and what is read from there goes through [`read::direct`]; otherwise it is an address like any other.
#[derive(Clone, Copy)]
pub struct Task<const TYPED: bool = true>(u64);

impl Task {
    /// The one that runs.
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: helpers without arguments.
        Self(unsafe { if read::typed() { bpf_get_current_task_btf() as u64 } else { bpf_get_current_task() } })
    }

    /// From the argument of a BTF tracepoint.
    #[inline(always)]
    pub fn from_argument(task: u64) -> Self {
        Self(task)
    }

    /// Mount and dentry of the root or working directory, by its offset in `fs_struct`.
    #[inline(always)]
    pub fn folder(self, offset: u64) -> (u64, u64) {
        match self.follow(o!(O_TASK_FS)) {
            Some(fs) => (read::direct(fs + offset), read::direct(fs + offset + 8)),
            None => (0, 0),
        }
    }
}

impl Task<false> {
    /// From the argument of a kprobe.
    #[inline(always)]
    pub fn at(address: u64) -> Self {
        Self(address)
    }
}

impl<const TYPED: bool> Task<TYPED> {
    /// A value behind an address that was reached from this task.
    #[inline(always)]
    fn read<T: read::Plain>(address: u64) -> T {
        if TYPED { read::direct(address) } else { read::kernel(address) }
    }

    /// A member.
    #[inline(always)]
    pub fn get<T: read::Plain>(self, offset: u64) -> T {
        Self::read(self.0 + offset)
    }

    /// What a member points to; `None` for null.
    #[inline(always)]
    pub fn follow(self, offset: u64) -> Option<u64> {
        if TYPED { read::direct_ptr(self.0 + offset) } else { Some(read::ptr(self.0 + offset)).filter(|p| *p != 0) }
    }

    /// `start_boottime` of the task's thread group leader.
    #[inline(always)]
    pub fn start_ns(self) -> u64 {
        match self.follow(o!(O_TASK_LEADER)) {
            Some(leader) => Self::read(leader + o!(O_TASK_START)),
            None => 0,
        }
    }

    /// Process id in the task's own pid namespace, and the inode number of that namespace (`task_active_pid_ns`).
    #[inline(always)]
    pub fn pid_number(self) -> (u32, u32) {
        let Some(pid) = self.follow(o!(O_TASK_THREAD_PID)) else { return (0, 0) };
        let level: u32 = Self::read(pid + o!(O_PID_LEVEL));
        if level == 0 {
            return (self.get(o!(O_TASK_PID)), INIT_PID_NS);
        }
        let level = mask!(level as u64, 31); // MAX_PID_NS_LEVEL is 32
        let [nr, ns]: [u64; 2] = read::kernel(pid + o!(O_PID_NUMBERS) + level * 16); // struct upid { int nr; struct pid_namespace *ns; }
        (nr as u32, read::word(ns + o!(O_PIDNS_INUM)))
    }
}

/// Fills a whole header but for its length. `task` is the current one (the cgroup comes from a helper that knows no other).
///
/// # Safety
/// `h` points to a writable `Header`.
#[inline(always)]
pub unsafe fn header(h: *mut Header, task: Task, kind: EventKind, tier: Tier, flags: u8) {
    let task_flags: u32 = task.get(o!(O_TASK_FLAGS));
    let kernel_thread = if task_flags & (PF_KTHREAD | PF_IO_WORKER) != 0 { header_flags::KERNEL_THREAD } else { 0 };
    // SAFETY: `h` is writable; helpers check nothing else.
    unsafe {
        (*h).kind = kind as u16;
        (*h).tier = tier as u8;
        (*h).flags = flags | kernel_thread;
        (*h).len = 0;
        (*h).time_ns = bpf_ktime_get_boot_ns();
        let t = &raw mut (*h).task;
        (*t).start_ns = task.start_ns();
        (*t).cgroup_id = bpf_get_current_cgroup_id();
        (*t).tgid = task.get(o!(O_TASK_TGID));
        (*t).tid = task.get(o!(O_TASK_PID));
        (*t).login_uid = optional(task, o!(O_TASK_LOGINUID));
        (*t).session_id = optional(task, o!(O_TASK_SESSIONID));
        (*t).pid_ns = task.pid_number().1;
        (*t).pad = 0;
        (&raw mut (*t).comm).cast::<[u64; 2]>().write(task.get(o!(O_TASK_COMM))); // as bytes it would be sixteen loads
        match task.follow(o!(O_TASK_PARENT)).map(Task::<true>) {
            Some(parent) => {
                (*t).parent_start_ns = parent.start_ns();
                (*t).parent_tgid = parent.get(o!(O_TASK_TGID));
            }
            None => {
                (*t).parent_start_ns = 0;
                (*t).parent_tgid = 0;
            }
        }
        (*t).mnt_ns = match task.follow(o!(O_TASK_NSPROXY)).and_then(|nsproxy| read::direct_ptr(nsproxy + o!(O_NSPROXY_MNT))) {
            Some(mnt) => read::direct(mnt + o!(O_MNTNS_INUM)),
            None => 0, // a task that is about to end
        };
        credentials(t, task);
    }
}

/// Ids and capabilities.
///
/// # Safety
/// `t` is writable.
#[inline(always)]
unsafe fn credentials(t: *mut sensor_common::Task, task: Task) {
    let cred = task.follow(o!(O_TASK_CRED));
    // uid, gid, suid, sgid, euid, egid, fsuid, fsgid lie side by side in that order (include/linux/cred.h, checked by the collector).
    let id = |n: u64| match cred {
        Some(cred) => read::direct(cred + o!(O_CRED_UID) + 4 * n),
        None => u32::MAX,
    };
    let capabilities = |offset: u64| match cred {
        Some(cred) => read::direct(cred + offset),
        None => 0,
    };
    // SAFETY: by the caller.
    unsafe {
        (*t).uid = id(0);
        (*t).gid = id(1);
        (*t).suid = id(2);
        (*t).sgid = id(3);
        (*t).euid = id(4);
        (*t).egid = id(5);
        (*t).fsuid = id(6);
        (*t).fsgid = id(7);
        (*t).cap_effective = capabilities(o!(O_CRED_CAP_EFFECTIVE));
        (*t).cap_permitted = capabilities(o!(O_CRED_CAP_PERMITTED));
    }
}

/// A 32-bit member that kernels without audit do not have.
#[inline(always)]
fn optional(task: Task, offset: u64) -> u32 {
    if offset == ABSENT as u64 { u32::MAX } else { task.get(offset) }
}
