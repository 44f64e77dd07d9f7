//! What attaching needs from the machine around it: memory limits, tracefs, the cgroup hierarchy.

use std::{fs, path::PathBuf};

/// Kernels before 5.11 count maps against RLIMIT_MEMLOCK.
pub(super) fn raise_memlock() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a plain system call with a valid pointer. Failure is no error: newer kernels do not need it.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
}

/// Makes sure that this thread sees a tracefs.
pub(super) fn provide_tracefs() -> Result<(), String> {
    use rustix::{
        mount::{MountFlags, MountPropagationFlags, mount, mount_change},
        thread::{UnshareFlags, unshare_unsafe},
    };
    let has = |dir: &str| fs::read_dir(dir).is_ok_and(|mut d| d.next().is_some());
    if has("/sys/kernel/tracing/events") || has("/sys/kernel/debug/tracing/events") {
        return Ok(());
    }
    // SAFETY: only the mount namespace (and with it the fs_struct) of this short-lived thread, which shares no descriptor table tricks.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }
        .map_err(|e| format!("no tracefs is mounted, and no mount namespace can be made: {e}"))?;
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC).map_err(|e| format!("making mounts private: {e}"))?;
    mount("tracefs", "/sys/kernel/tracing", "tracefs", MountFlags::empty(), None).map_err(|e| format!("mounting tracefs: {e}"))
}

/// Where the cgroup v2 hierarchy is mounted.
pub(crate) fn cgroup2_root() -> Option<PathBuf> {
    // Fields of mountinfo(5): 5 is the mount point; the file system type comes behind " - ".
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts
        .lines()
        .find(|l| l.split(" - ").nth(1).is_some_and(|t| t.starts_with("cgroup2 ")))
        .and_then(|l| l.split(' ').nth(4))
        .map(PathBuf::from)
}
