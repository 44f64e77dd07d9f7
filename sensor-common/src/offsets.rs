//! THE KERNEL FIELDS: one line per kernel structure member that a probe reads.
//!
//! rustc emits no CO-RE relocations. The collector looks each member up in the running kernel's BTF and patches its byte offset into the
//! read-only global of that name before the programs are loaded; the verifier then sees constants. A line gives the member, then older
//! or newer names of it, tried in that order. A member that no kernel type has leaves [`ABSENT`], which probes must test where the
//! line is marked `optional`; without a required one nothing is loaded.

/// Value of an optional offset that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// Calls `$macro!` with all kernel fields: global's name, required or optional, `struct.member` and its alternatives.
#[macro_export]
macro_rules! for_each_offset {
    ($macro:ident) => {
        $macro! {
            O_TASK_STACK required "task_struct.stack";
            O_TASK_FLAGS required "task_struct.flags";
            O_TASK_PID required "task_struct.pid";
            O_TASK_TGID required "task_struct.tgid";
            O_TASK_LEADER required "task_struct.group_leader";
            O_TASK_PARENT required "task_struct.real_parent";
            O_TASK_COMM required "task_struct.comm";
            O_TASK_START required "task_struct.start_boottime" "task_struct.real_start_time";
            O_TASK_CRED required "task_struct.cred";
            O_TASK_LOGINUID optional "task_struct.loginuid";
            O_TASK_SESSIONID optional "task_struct.sessionid";
            O_TASK_NSPROXY required "task_struct.nsproxy";
            O_TASK_THREAD_PID required "task_struct.thread_pid";
            O_TASK_SIGNAL required "task_struct.signal";
            O_TASK_EXIT_CODE required "task_struct.exit_code";
            O_TASK_FILES required "task_struct.files";
            O_TASK_FS required "task_struct.fs";
            O_TASK_MM required "task_struct.mm";
            O_SIGNAL_LIVE required "signal_struct.live.counter";
            O_SIGNAL_EXIT_CODE required "signal_struct.group_exit_code";
            O_CRED_UID required "cred.uid";
            O_CRED_CAP_PERMITTED required "cred.cap_permitted";
            O_CRED_CAP_EFFECTIVE required "cred.cap_effective";
            O_NSPROXY_MNT required "nsproxy.mnt_ns";
            O_MNTNS_INUM required "mnt_namespace.ns.inum";
            O_PID_LEVEL required "pid.level";
            O_PID_NUMBERS required "pid.numbers";
            O_PIDNS_INUM required "pid_namespace.ns.inum";
            O_FILES_FDT required "files_struct.fdt";
            O_FDT_MAX required "fdtable.max_fds";
            O_FDT_FD required "fdtable.fd";
            O_FILE_FLAGS required "file.f_flags";
            O_FILE_MODE required "file.f_mode";
            O_FILE_INODE required "file.f_inode";
            O_FILE_PRIVATE required "file.private_data";
            O_FILE_PATH required "file.f_path";
            O_FS_ROOT required "fs_struct.root";
            O_FS_PWD required "fs_struct.pwd";
            O_DENTRY_PARENT required "dentry.d_parent";
            O_DENTRY_QSTR required "dentry.d_name";
            O_DENTRY_PPREV required "dentry.d_hash.pprev";
            O_DENTRY_SEQ required "dentry.d_seq.seqcount.sequence" "dentry.d_seq.sequence";
            O_DENTRY_INODE required "dentry.d_inode";
            O_DENTRY_INLINE required "dentry.d_iname" "dentry.d_shortname";
            O_INODE_MODE required "inode.i_mode";
            O_INODE_UID required "inode.i_uid";
            O_INODE_RDEV required "inode.i_rdev";
            O_INODE_INO required "inode.i_ino";
            O_INODE_NLINK required "inode.i_nlink";
            O_INODE_SB required "inode.i_sb";
            O_SB_DEV required "super_block.s_dev";
            O_SB_MAGIC required "super_block.s_magic";
            O_VFSMNT_ROOT required "vfsmount.mnt_root";
            O_MOUNT_MNT required "mount.mnt";
            O_MOUNT_PARENT required "mount.mnt_parent";
            O_MOUNT_POINT required "mount.mnt_mountpoint";
            O_MOUNT_ID required "mount.mnt_id";
            O_MM_ARG_START required "mm_struct.arg_start";
            O_MM_ARG_END required "mm_struct.arg_end";
            O_BPRM_FILE required "linux_binprm.file";
            O_BPRM_FILENAME required "linux_binprm.filename";
            O_BPRM_INTERP required "linux_binprm.interp";
            O_BPRM_ARGC required "linux_binprm.argc";
            O_CGROUP_ROOT required "cgroup.root";
            O_CGROUP_NODE required "cgroup.kn";
            O_CGROUP_HIERARCHY required "cgroup_root.hierarchy_id";
            O_KERNFS_ID required "kernfs_node.id";
            O_SOCKET_SK required "socket.sk";
            O_SOCKET_TYPE required "socket.type";
            O_SK_FAMILY required "sock.__sk_common.skc_family";
            O_SK_DADDR required "sock.__sk_common.skc_daddr";
            O_SK_RCV_SADDR required "sock.__sk_common.skc_rcv_saddr";
            O_SK_DPORT required "sock.__sk_common.skc_dport";
            O_SK_NUM required "sock.__sk_common.skc_num";
            O_SK_V6_DADDR optional "sock.__sk_common.skc_v6_daddr";
            O_SK_V6_RCV_SADDR optional "sock.__sk_common.skc_v6_rcv_saddr";
            O_SK_PROTOCOL required "sock.sk_protocol";
        }
    };
}

/// Bytes that probes copy of a `struct dentry` in one go, from its first on: all that lies in front of the members that change often, also
/// in kernels built for debugging (88 to 160 of 192 or more).
pub const DENTRY_BLOCK: usize = 160;
/// The same of a `struct inode`: 80 in use.
pub const INODE_BLOCK: usize = 96;

/// The same of a `struct socket`: 32 in use.
pub const SOCKET_BLOCK: usize = 40;
/// The same of a `struct sock`: its `__sk_common` as far as the addresses, 88 in use.
pub const SOCK_BLOCK: usize = 96;

/// Members that probes take out of such a block: global, bytes that are read there, size of the block. The collector refuses a kernel
/// that has one elsewhere.
pub const IN_BLOCKS: &[(&str, usize, usize)] = &[
    ("O_DENTRY_SEQ", 4, DENTRY_BLOCK),
    ("O_DENTRY_PPREV", 8, DENTRY_BLOCK),
    ("O_DENTRY_PARENT", 8, DENTRY_BLOCK),
    ("O_DENTRY_QSTR", 16, DENTRY_BLOCK),
    ("O_DENTRY_INODE", 8, DENTRY_BLOCK),
    ("O_DENTRY_INLINE", INLINE_NAME, DENTRY_BLOCK),
    ("O_INODE_MODE", 2, INODE_BLOCK),
    ("O_INODE_UID", 4, INODE_BLOCK),
    ("O_INODE_RDEV", 4, INODE_BLOCK),
    ("O_INODE_INO", 8, INODE_BLOCK),
    ("O_INODE_NLINK", 4, INODE_BLOCK),
    ("O_INODE_SB", 8, INODE_BLOCK),
    ("O_SOCKET_SK", 8, SOCKET_BLOCK),
    ("O_SOCKET_TYPE", 2, SOCKET_BLOCK),
    ("O_SK_FAMILY", 2, SOCK_BLOCK),
    ("O_SK_DADDR", 4, SOCK_BLOCK),
    ("O_SK_RCV_SADDR", 4, SOCK_BLOCK),
    ("O_SK_DPORT", 2, SOCK_BLOCK),
    ("O_SK_NUM", 2, SOCK_BLOCK),
    ("O_SK_V6_DADDR", 16, SOCK_BLOCK),
    ("O_SK_V6_RCV_SADDR", 16, SOCK_BLOCK),
];

/// Longest name that a dentry holds itself, with its NUL (DNAME_INLINE_LEN: 32 before 6.14, 40 since). Longer ones are behind `d_name.name`.
pub const INLINE_NAME: usize = 40;
