//! A process as an event saw it: identity, image, credentials. Immutable; a change (exec, setuid) makes a new value.

use crate::text::Text;
use std::sync::Arc;

/// Names a process for as long as the machine runs, even after its pid was used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// Process id in the initial pid namespace.
    pub tgid: u32,
    /// When its first thread started, in boot nanoseconds.
    pub start_ns: u64,
}

/// What a process runs since its last exec. Shared by all forks that have not exec'd since.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Resolved path of the executed file, as the kernel has it.
    pub executable: Option<Text>,
    /// The path that the caller asked to execute (`/bin/sh` where `executable` is `/usr/bin/dash`).
    pub invoked: Option<Text>,
    /// The arguments, the first being the name that the caller gave. Of an argv over 64 KiB the head and the tail.
    pub args: Vec<Text>,
    /// The arguments joined by single spaces.
    pub command_line: Option<Text>,
    /// Interpreter that runs a script (`#!`), if it is not the file itself.
    pub interpreter: Option<Text>,
    /// Working directory at exec.
    pub working_directory: Option<Text>,
    /// Inode, device (`s_dev`) and mount of the file; zero if not known.
    pub inode: u64,
    /// Device of the file system.
    pub dev: u32,
    /// Mount the file was reached through.
    pub mount_id: u32,
    /// Bytes of argv in the process, more than `args` hold if `args_cut`.
    pub args_bytes: u64,
    /// The arguments are not complete: over 64 KiB, a page that could not be read, or /proc's limits.
    pub args_cut: bool,
    /// Executed from a memfd.
    pub memfd: bool,
    /// The file had no name any more when it was executed.
    pub unlinked: bool,
    /// Read from /proc when the sensor started, not seen as it happened.
    pub seeded: bool,
}

/// User, groups and capabilities, ids in the initial user namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Real user.
    pub uid: u32,
    /// Real group.
    pub gid: u32,
    /// Saved user.
    pub suid: u32,
    /// Saved group.
    pub sgid: u32,
    /// Effective user.
    pub euid: u32,
    /// Effective group.
    pub egid: u32,
    /// Login user, `None` where nobody logged in (services) or the kernel has no audit.
    pub login_uid: Option<u32>,
    /// Audit session.
    pub session_id: Option<u32>,
    /// Effective capabilities, one bit each.
    pub cap_effective: u64,
    /// Permitted capabilities, one bit each.
    pub cap_permitted: u64,
}

/// Container that a process runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Full id (64 hex digits for the runtimes in use).
    pub id: Text,
    /// `docker`, `containerd`, `cri-o`, `podman` or empty if the path does not tell.
    pub runtime: &'static str,
    /// Kubernetes pod uid, if the cgroup path holds one.
    pub pod_uid: Option<Text>,
}

/// A process as it was at one event.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its identity.
    pub id: ProcessId,
    /// That of its parent at the event (`real_parent`), or of the one that forked it if it has been orphaned since.
    pub parent: ProcessId,
    /// The process tree it belongs to: the identity of the tree's root. Scores add up by it.
    pub tree: ProcessId,
    /// What it runs; `None` if neither its exec nor /proc could be seen.
    pub image: Option<Arc<Image>>,
    /// Name of the thread that acted.
    pub comm: Text,
    /// As they were at the event.
    pub credentials: Credentials,
    /// Name of the real user, if the host's user database has one.
    pub user_name: Option<Text>,
    /// Inode number of its pid namespace.
    pub pid_ns: u32,
    /// Inode number of its mount namespace.
    pub mnt_ns: u32,
    /// cgroup v2 id.
    pub cgroup_id: u64,
    /// Path of the cgroup, if known.
    pub cgroup: Option<Text>,
    /// The container, if it runs in one.
    pub container: Option<Arc<Container>>,
}
