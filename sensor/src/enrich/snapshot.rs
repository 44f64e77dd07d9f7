//! What was known of the machine before the first record, in a form that a recording can hold: running processes, cgroups, users, clock.
//! A live sensor and a replay learn it in the same way ([`super::Enricher::learn`]), so that both make the same events.

use super::{cgroups, clock, procfs, users};
use std::path::Path;

/// One thing to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// Nanoseconds from boot time to wall time.
    Clock {
        /// To be added to boot time.
        offset_ns: i64,
    },
    /// A user's name.
    User {
        /// User id.
        uid: u32,
        /// Name; any bytes.
        name: Vec<u8>,
    },
    /// A cgroup.
    Cgroup {
        /// cgroup v2 id.
        id: u64,
        /// Path from the root of the hierarchy.
        path: Vec<u8>,
    },
    /// A process that ran before the first record.
    Process {
        /// It is pid 1 of its pid namespace.
        ns_init: bool,
        /// An `exec` record as the kernel would have sent it, tier `user_space`. The start times in it are those of /proc: multiples of
        /// 10 ms.
        record: Vec<u8>,
    },
}

/// All of this machine, now: clock, users, cgroups, processes (parents before their children).
pub fn capture() -> Vec<Context> {
    let mut all = vec![Context::Clock { offset_ns: clock::offset_ns() }];
    all.extend(users::read(Path::new(super::PASSWD)).into_iter().map(|(uid, name)| Context::User { uid, name }));
    let hierarchy = cgroups::Hierarchy::find();
    if let Some(hierarchy) = &hierarchy {
        all.extend(hierarchy.walk().into_iter().map(|(id, path)| Context::Cgroup { id, path }));
    }
    all.extend(procfs::all(hierarchy.as_ref()).into_iter().map(|seed| Context::Process { ns_init: seed.ns_init, record: seed.record }));
    all
}
