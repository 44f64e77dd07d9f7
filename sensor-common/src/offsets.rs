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
            O_UPID_NR required "upid.nr";
            O_UPID_NS required "upid.ns";
            O_PIDNS_INUM required "pid_namespace.ns.inum";
            O_FILES_FDT required "files_struct.fdt";
            O_FDT_MAX required "fdtable.max_fds";
            O_FDT_FD required "fdtable.fd";
            O_FILE_MNT required "file.f_path.mnt";
            O_FILE_DENTRY required "file.f_path.dentry";
            O_FILE_FLAGS required "file.f_flags";
            O_FILE_MODE required "file.f_mode";
            O_FILE_INODE required "file.f_inode";
            O_FILE_PRIVATE required "file.private_data";
            O_PATH_MNT required "path.mnt";
            O_PATH_DENTRY required "path.dentry";
            O_FS_ROOT_MNT required "fs_struct.root.mnt";
            O_FS_ROOT_DENTRY required "fs_struct.root.dentry";
            O_FS_PWD_MNT required "fs_struct.pwd.mnt";
            O_FS_PWD_DENTRY required "fs_struct.pwd.dentry";
            O_DENTRY_PARENT required "dentry.d_parent";
            O_DENTRY_QSTR required "dentry.d_name";
            O_DENTRY_PPREV required "dentry.d_hash.pprev";
            O_DENTRY_SEQ required "dentry.d_seq.seqcount.sequence" "dentry.d_seq.sequence";
            O_DENTRY_INODE required "dentry.d_inode";
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
