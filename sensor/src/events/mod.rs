//! Stage 2: owned, typed events, and the fields that rules and outputs read from them.

pub mod accept;
pub mod bind;
pub mod cgroup;
pub mod chmod;
pub mod chown;
pub mod connect;
pub mod convert;
pub mod exec;
pub mod exit;
pub mod field;
pub mod fork;
pub mod link;
pub mod listen;
pub mod loss;
pub mod open;
pub mod rename;
pub mod strings;
pub mod symlink;
pub mod unlink;

use crate::{process::Process, text::Text};
pub use field::{Field, Value};
use sensor_common::{EventKind, Tier, stats::Reason};
use std::{net::IpAddr, sync::Arc};

/// Something that happened, with all that is known about who did it. Made by `enrich`, read by `score` and `sink`.
#[derive(Clone, Debug)]
pub struct Event {
    /// CLOCK_BOOTTIME in nanoseconds.
    pub time_ns: u64,
    /// The same as nanoseconds since 1970 (UTC).
    pub wall_ns: u64,
    /// Hook that saw it.
    pub tier: Tier,
    /// Thread that did it.
    pub tid: u32,
    /// Who did it. For `exec` the process as it is *after* a successful exec.
    pub process: Arc<Process>,
    /// Its parent, if it is known.
    pub parent: Option<Arc<Process>>,
    /// What it did.
    pub body: Body,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0 or a positive result (a descriptor, say).
    Success(i32),
    /// The (positive) errno.
    Failure(i32),
    /// It had begun, and its end was not seen (yet).
    Unknown,
}

/// A file that an operation names.
#[derive(Clone, Debug, Default)]
pub struct FileRef {
    /// Absolute path as the process's mount namespace sees it, or the best that is known (see `complete`).
    pub path: Option<Text>,
    /// What the caller wrote, where it is not the same.
    pub raw: Option<Text>,
    /// `path` comes from the kernel's own objects; otherwise from user memory, which an attacker may have changed meanwhile.
    pub from_kernel: bool,
    /// Nothing of `path` is missing.
    pub complete: bool,
    /// It had been unlinked already.
    pub deleted: bool,
    /// Inode number, 0 if not known.
    pub inode: u64,
    /// Device, 0 if not known.
    pub dev: u32,
    /// Type and permission bits, 0 if not known.
    pub mode: u32,
    /// Owner, if known.
    pub owner: Option<u32>,
}

/// One end of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// IPv4 or IPv6.
    Ip(IpAddr, u16),
    /// AF_UNIX; the name of an abstract one begins with `@`.
    Unix(Text),
}

/// A socket operation.
#[derive(Clone, Debug, Default)]
pub struct Socket {
    /// AF_*.
    pub family: u16,
    /// SOCK_*.
    pub kind: u16,
    /// IPPROTO_*.
    pub protocol: u16,
    /// Descriptor, if known.
    pub fd: Option<u32>,
    /// The own end, if it has an address.
    pub local: Option<Endpoint>,
    /// The other end, if there is one.
    pub remote: Option<Endpoint>,
    /// The address comes from the kernel's own copy, not from user memory.
    pub from_kernel: bool,
}

/// What happened. One variant per event kind; the registry test fails when one is missing.
#[derive(Clone, Debug)]
pub enum Body {
    /// The image is in [`Process::image`] on success; here it is that of the attempt, too, so that a failed one shows what was tried.
    Exec {
        /// How it ended.
        outcome: Outcome,
        /// What was (to be) executed.
        image: Arc<crate::process::Image>,
    },
    /// A new process.
    Fork {
        /// The child.
        child: Arc<Process>,
    },
    /// The process ended.
    Exit {
        /// Exit code, if it ended by itself.
        code: Option<u8>,
        /// Signal that ended it.
        signal: Option<u8>,
    },
    /// A control group was made.
    Cgroup {
        /// Its id.
        id: u64,
        /// Its path in the v2 hierarchy; empty if it could not be read.
        path: Text,
        /// The container that the path tells of.
        container: Option<Arc<crate::process::Container>>,
    },
    /// A connection to a peer.
    Connect {
        /// How it ended.
        outcome: Outcome,
        /// The socket.
        socket: Socket,
    },
    /// A connection from a peer.
    Accept {
        /// How it ended.
        outcome: Outcome,
        /// The socket.
        socket: Socket,
    },
    /// An own address.
    Bind {
        /// How it ended.
        outcome: Outcome,
        /// The socket.
        socket: Socket,
    },
    /// Ready for connections.
    Listen {
        /// How it ended.
        outcome: Outcome,
        /// The socket.
        socket: Socket,
        /// Queue length asked for.
        backlog: i32,
    },
    /// A file was opened.
    Open {
        /// How it ended.
        outcome: Outcome,
        /// The file.
        file: FileRef,
        /// O_* flags.
        flags: u32,
        /// Permission bits asked for.
        mode: u32,
        /// This open created it.
        created: bool,
    },
    /// A name was removed.
    Unlink {
        /// How it ended.
        outcome: Outcome,
        /// The file.
        file: FileRef,
        /// It was a folder.
        directory: bool,
    },
    /// A name was changed.
    Rename {
        /// How it ended.
        outcome: Outcome,
        /// Old name.
        old: FileRef,
        /// New name.
        new: FileRef,
        /// RENAME_*.
        flags: u32,
    },
    /// Permission bits were set.
    Chmod {
        /// How it ended.
        outcome: Outcome,
        /// The file.
        file: FileRef,
        /// The new bits.
        mode: u32,
    },
    /// The owner was set.
    Chown {
        /// How it ended.
        outcome: Outcome,
        /// The file.
        file: FileRef,
        /// New owner, if it was to change.
        owner: Option<u32>,
        /// New group, if it was to change.
        group: Option<u32>,
    },
    /// A hard link.
    Link {
        /// How it ended.
        outcome: Outcome,
        /// What exists.
        old: FileRef,
        /// Its new name.
        new: FileRef,
    },
    /// A symbolic link.
    Symlink {
        /// How it ended.
        outcome: Outcome,
        /// What it points to, as written.
        target: Text,
        /// The link.
        link: FileRef,
    },
    /// Records were lost before this point of the stream. The process is the collector itself.
    Loss {
        /// What was lost.
        kind: EventKind,
        /// Why.
        reason: Reason,
        /// How many since the last report.
        count: u64,
    },
}

macro_rules! body_kinds {
    ($($id:literal $module:ident $name:ident $class:ident, $doc:literal;)+) => {
        impl Body {
            /// Its kind. An event that is in the registry and not in [`Body`] does not compile here.
            pub const fn kind(&self) -> EventKind {
                match self { $(Self::$name { .. } => EventKind::$name),+ }
            }
        }
    };
}

sensor_common::for_each_event!(body_kinds);

impl Event {
    /// Its kind.
    pub const fn kind(&self) -> EventKind {
        self.body.kind()
    }

    /// How it ended; `None` for events that cannot fail (fork, exit, cgroup, loss).
    pub const fn outcome(&self) -> Option<Outcome> {
        match &self.body {
            Body::Exec { outcome, .. }
            | Body::Connect { outcome, .. }
            | Body::Accept { outcome, .. }
            | Body::Bind { outcome, .. }
            | Body::Listen { outcome, .. }
            | Body::Open { outcome, .. }
            | Body::Unlink { outcome, .. }
            | Body::Rename { outcome, .. }
            | Body::Chmod { outcome, .. }
            | Body::Chown { outcome, .. }
            | Body::Link { outcome, .. }
            | Body::Symlink { outcome, .. } => Some(*outcome),
            Body::Fork { .. } | Body::Exit { .. } | Body::Cgroup { .. } | Body::Loss { .. } => None,
        }
    }

    /// The file it is about: for rename and link the new name.
    pub const fn file(&self) -> Option<&FileRef> {
        match &self.body {
            Body::Open { file, .. } | Body::Unlink { file, .. } | Body::Chmod { file, .. } | Body::Chown { file, .. } => Some(file),
            Body::Rename { new, .. } | Body::Link { new, .. } => Some(new),
            Body::Symlink { link, .. } => Some(link),
            _ => None,
        }
    }

    /// The socket it is about.
    pub const fn socket(&self) -> Option<&Socket> {
        match &self.body {
            Body::Connect { socket, .. } | Body::Accept { socket, .. } | Body::Bind { socket, .. } | Body::Listen { socket, .. } => {
                Some(socket)
            }
            _ => None,
        }
    }
}
