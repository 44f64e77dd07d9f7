//! THE REGISTRY: one line per event. Numbers are explicit and are never used again for something else.
//!
//! A new event is one line here and the same file stem in `sensor-common/src/events`, `sensor-ebpf/src/probes`, `sensor/src/events` and
//! `tests/kernel`. Payloads are `#[repr(C)]` with zerocopy derives, so hidden padding, a `bool` or a number used twice fail to compile.

pub mod accept;
pub mod bind;
pub mod cgroup;
pub mod chmod;
pub mod chown;
pub mod connect;
pub mod exec;
pub mod exit;
pub mod fork;
pub mod link;
pub mod listen;
pub mod loss;
pub mod open;
pub mod rename;
pub mod symlink;
pub mod unlink;

/// Calls `$macro!` with all events, a line each: number, file stem, type name, ring class, doc line.
#[macro_export]
macro_rules! for_each_event {
    ($macro:ident) => {
        $macro! {
            1 exec Exec Critical, "A process image was replaced, or an attempt at it failed.";
            2 fork Fork Critical, "A process was created (not a thread).";
            3 exit Exit Critical, "The last thread of a process ended.";
            4 cgroup Cgroup Critical, "A control group (cgroup v2) was made: a container, a service, a session.";
            16 connect Connect Network, "A socket was connected to a peer, or an attempt at it failed.";
            17 accept Accept Network, "A connection was accepted from a peer.";
            18 bind Bind Network, "A socket was given a local address.";
            19 listen Listen Network, "A socket began to wait for connections.";
            32 open Open File, "A file was opened or created.";
            33 unlink Unlink File, "A name of a file, or an empty folder, was removed.";
            34 rename Rename File, "A file or folder was given another name.";
            35 chmod Chmod File, "Permission bits of a file were set.";
            36 chown Chown File, "Owner or group of a file was set.";
            37 link Link File, "A further name (hard link) was given to a file.";
            38 symlink Symlink File, "A symbolic link was made.";
            63 loss Loss Critical, "Records were lost; made by the collector from the kernel's counters.";
        }
    };
}

/// Which ring a record travels through: bulk of one class cannot push out another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RingClass {
    /// exec, fork, exit and whatever changes what a process may do.
    Critical,
    /// Sockets.
    Network,
    /// Files.
    File,
}

impl RingClass {
    /// All of them, the most important first.
    pub const ALL: &'static [RingClass] = &[RingClass::Critical, RingClass::Network, RingClass::File];

    /// Name as users see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Network => "network",
            Self::File => "file",
        }
    }
}

macro_rules! kinds {
    ($($id:literal $module:ident $name:ident $class:ident, $doc:literal;)+) => {
        /// The kinds of events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum EventKind { $(#[doc = $doc] $name = $id),+ }

        impl EventKind {
            /// All of them.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$name),+];
            /// Largest number in use.
            pub const MAX: u16 = { let mut max = 0; $(if $id > max { max = $id; })+ max };

            /// From the wire; `None` for a number that no event has.
            pub const fn from_wire(v: u16) -> Option<Self> {
                match v { $($id => Some(Self::$name),)+ _ => None }
            }

            /// Name as users see it (`event.action`).
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($module)),+ }
            }

            /// One sentence for the documentation.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$name => $doc),+ }
            }

            /// The ring it travels through.
            pub const fn class(self) -> RingClass {
                match self { $(Self::$name => RingClass::$class),+ }
            }
        }

        $(
            impl $crate::Wire for $module::$name {
                const KIND: EventKind = EventKind::$name;
            }
            const _: () = {
                assert!(size_of::<$module::$name>() % 8 == 0, concat!(stringify!($name), ": the size must be a multiple of 8 bytes"));
                assert!(align_of::<$module::$name>() <= 8);
            };
        )+
    };
}

for_each_event!(kinds);
