//! THE HOOKS: what the sensor attaches for each event, the best alternative first.
//!
//! A *slot* is one thing to be seen ("the name that is removed"); its alternatives are tried in order until one loads and attaches. Slots
//! that give results are listed before slots that announce them, so that at the start no announcement waits in vain.

use sensor_common::{EventKind, Tier};

/// One thing to be seen.
#[derive(Debug)]
pub struct Slot {
    /// Stable name: `<event>.<what>`.
    pub name: &'static str,
    /// Event it feeds.
    pub kind: EventKind,
    /// What is lost without it, for people.
    pub gives: &'static str,
    /// Without it the sensor does not start.
    pub required: bool,
    /// In order of preference.
    pub alternatives: &'static [Alternative],
}

impl Slot {
    /// It tells how the operation ended.
    pub fn tells_results(&self) -> bool {
        self.name.ends_with(".result")
    }
}

/// One way to see it.
#[derive(Debug)]
pub struct Alternative {
    /// Kind of hook.
    pub tier: Tier,
    /// Programs and where they are attached; all of them are needed, but for points that begin with `?` (newer kernels only).
    pub programs: &'static [(&'static str, &'static [&'static str])],
}

/// Programs in which others end, by a jump through the array of their name in capitals: they are loaded and not attached. Type of the
/// programs that jump, name, and for a BTF tracepoint the one to which those are attached.
pub const WALKERS: &[(Tier, &str, &str)] = &[
    (Tier::Tracepoint, "walker_tp", ""),
    (Tier::Kprobe, "walker_kprobe", ""),
    (Tier::Kprobe, "walker_exec_kprobe", ""),
    (Tier::BtfTracepoint, "walker_exec_tp_btf", "sched_process_exec"),
];

macro_rules! slots {
    ($($name:literal $kind:ident $need:ident $gives:literal: $($tier:ident [$($program:ident @ $($point:literal)+),+])|+;)+) => {
        /// All slots.
        pub const SLOTS: &[Slot] = &[$(
            Slot {
                name: $name,
                kind: EventKind::$kind,
                gives: $gives,
                required: slots!(@ $need),
                alternatives: &[$(
                    Alternative { tier: Tier::$tier, programs: &[$((stringify!($program), &[$($point),+])),+] }
                ),+],
            }
        ),+];
    };
    (@ required) => { true };
    (@ optional) => { false };
}

slots! {
    "exec.image" Exec required "executed programs": Kprobe [exec_kprobe @ "finalize_exec"] | BtfTracepoint [exec_tp_btf @ "sched_process_exec"];
    "exec.failure" Exec optional "attempts to execute that failed": Tracepoint [exec_tp @ "sys_exit_execve" "sys_exit_execveat"];
    "fork" Fork required "new processes": Kprobe [fork_kprobe @ "wake_up_new_task"] | BtfTracepoint [fork_tp_btf @ "sched_process_fork"];
    "exit" Exit required "ends of processes": Kprobe [exit_kprobe @ "taskstats_exit"] | BtfTracepoint [exit_tp_btf @ "sched_process_exit"];
    "cgroup" Cgroup optional "new control groups: containers before their first process": BtfTracepoint [cgroup_tp_btf @ "cgroup_mkdir"];
    "connect.result" Connect optional "how connections ended": Tracepoint [connect_tp @ "sys_exit_connect"];
    "connect.address" Connect optional "the address that the kernel connects to": Kprobe [connect_kprobe @ "security_socket_connect"] | Cgroup [connect_cgroup4 @ "connect4", connect_cgroup6 @ "connect6"];
    "accept" Accept optional "accepted connections": Tracepoint [accept_tp @ "sys_exit_accept" "sys_exit_accept4"];
    "bind.result" Bind optional "how binds ended": Tracepoint [bind_tp @ "sys_exit_bind"];
    "bind.address" Bind optional "the address that the kernel binds": Kprobe [bind_kprobe @ "security_socket_bind"];
    "listen" Listen optional "sockets that wait for connections": Tracepoint [listen_tp @ "sys_exit_listen"];
    "open.result" Open optional "how opens ended": Tracepoint [open_tp @ "sys_exit_open" "sys_exit_openat" "sys_exit_openat2" "sys_exit_creat"];
    "open.file" Open optional "opened files, however they are opened": Kprobe [open_kprobe @ "security_file_open"];
    "unlink.result" Unlink optional "how removals ended": Tracepoint [unlink_tp @ "sys_exit_unlink" "sys_exit_unlinkat" "sys_exit_rmdir"];
    "unlink.file" Unlink optional "removed files, however they are removed": Kprobe [unlink_kprobe @ "security_path_unlink", rmdir_kprobe @ "security_path_rmdir"];
    "rename.result" Rename optional "how renames ended": Tracepoint [rename_tp @ "sys_exit_rename" "sys_exit_renameat" "sys_exit_renameat2"];
    "rename.file" Rename optional "renamed files, however they are renamed": Kprobe [rename_kprobe @ "security_path_rename"];
    "chmod.result" Chmod optional "how mode changes ended": Tracepoint [chmod_tp @ "sys_exit_chmod" "sys_exit_fchmod" "sys_exit_fchmodat" "?sys_exit_fchmodat2"];
    "chmod.file" Chmod optional "files whose mode changes": Kprobe [chmod_kprobe @ "security_path_chmod"];
    "chown.result" Chown optional "how owner changes ended": Tracepoint [chown_tp @ "sys_exit_chown" "sys_exit_fchown" "sys_exit_lchown" "sys_exit_fchownat"];
    "chown.file" Chown optional "files whose owner changes": Kprobe [chown_kprobe @ "security_path_chown"];
    "link.result" Link optional "how links ended": Tracepoint [link_tp @ "sys_exit_link" "sys_exit_linkat"];
    "link.file" Link optional "linked files, however they are linked": Kprobe [link_kprobe @ "security_path_link"];
    "symlink.result" Symlink optional "how symbolic links ended": Tracepoint [symlink_tp @ "sys_exit_symlink" "sys_exit_symlinkat"];
    "symlink.file" Symlink optional "symbolic links, however they are made": Kprobe [symlink_kprobe @ "security_path_symlink"];
}
