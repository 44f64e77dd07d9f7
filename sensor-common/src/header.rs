//! What every record begins with: kind, time, and who did it, as it was at that moment.

use crate::limits::COMM_LEN;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First 136 bytes of each record.
///
/// | bytes | field |
/// |---|---|
/// | 0..2 | kind u16 |
/// | 2 | tier u8 |
/// | 3 | flags u8 |
/// | 4..8 | length u32 |
/// | 8..16 | time u64 |
/// | 16..136 | [`Task`] |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`crate::EventKind`] as its number.
    pub kind: u16,
    /// [`Tier`] as its number.
    pub tier: u8,
    /// [`header_flags`].
    pub flags: u8,
    /// Whole record in bytes: header, payload and tail.
    pub len: u32,
    /// CLOCK_BOOTTIME in nanoseconds when the program ran (`bpf_ktime_get_boot_ns`, since 5.8).
    pub time_ns: u64,
    /// Who did it.
    pub task: Task,
}

/// Flags of a [`Header`].
pub mod header_flags {
    /// The operation has begun and its result is not known yet: a kernel-object hook saw it before the kernel carried it out. The record of
    /// the same thread and kind that follows, without this flag, brings the result.
    pub const BEGUN: u8 = 1;
    /// The task does not run for a user program (an io_uring worker or another kernel thread).
    pub const KERNEL_THREAD: u8 = 2;
    /// Made by the collector from a [`BEGUN`] record and the record of its result: strings and addresses that the first one had are the
    /// kernel's copies. Never comes from the kernel.
    pub const JOINED: u8 = 4;
}

/// The acting task, from `task_struct` and its `cred` as they were when the program ran. 120 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Task {
    /// `start_boottime` of the thread group leader, in boot ns: with `tgid` and the boot id it names a process for ever.
    pub start_ns: u64,
    /// The same of the parent (`real_parent`).
    pub parent_start_ns: u64,
    /// cgroup v2 id: the inode number of the cgroup's folder.
    pub cgroup_id: u64,
    /// Effective capabilities, one bit each.
    pub cap_effective: u64,
    /// Permitted capabilities, one bit each.
    pub cap_permitted: u64,
    /// Process id in the initial pid namespace (what users call pid).
    pub tgid: u32,
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// Process id of the parent.
    pub parent_tgid: u32,
    /// Real, ids in the initial user namespace.
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
    /// User for file system checks.
    pub fsuid: u32,
    /// Group for file system checks.
    pub fsgid: u32,
    /// User that logged in (`loginuid`), u32::MAX if none or if the kernel has no audit.
    pub login_uid: u32,
    /// Audit session, u32::MAX if none.
    pub session_id: u32,
    /// Inode number of the pid namespace.
    pub pid_ns: u32,
    /// Inode number of the mount namespace.
    pub mnt_ns: u32,
    /// Zero.
    pub pad: u32,
    /// Name of the thread; any bytes up to the first NUL, what is behind it means nothing.
    pub comm: [u8; COMM_LEN],
}

const _: () = assert!(size_of::<Header>() == 136 && size_of::<Task>() == 120);

macro_rules! tiers {
    ($($id:literal $name:ident $text:literal, $doc:literal;)+) => {
        /// The kind of hook that a record came from, best first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Tier { $(#[doc = $doc] $name = $id),+ }

        impl Tier {
            /// All of them, best first.
            pub const ALL: &'static [Tier] = &[$(Tier::$name),+];

            /// From the wire; `None` for a number that no tier has.
            pub const fn from_wire(v: u8) -> Option<Self> {
                match v { $($id => Some(Self::$name),)+ _ => None }
            }

            /// Name as users see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

tiers! {
    1 Kprobe "kprobe", "A kprobe on a kernel function that is handed the kernel's own objects.";
    2 Fentry "fentry", "The same function through a BPF trampoline.";
    3 BtfTracepoint "tp_btf", "A tracepoint with typed arguments.";
    4 Cgroup "cgroup", "A cgroup program, which sees the kernel's copy of a socket address.";
    5 Tracepoint "tracepoint", "The exit of a system call: result and kernel objects behind descriptors, strings from user memory.";
    6 UserSpace "user_space", "Made by the collector itself: read from /proc at the start, or a loss report.";
}
