//! cgroup v2 ids to paths and containers. Paths come from the kernel when a cgroup is made, from a walk of the hierarchy for those that were there
//! before (the id of a cgroup is the inode number of its folder), from /proc/PID/cgroup for one that both have missed, or from a recording.
//! One that is removed stays known: what happened in it may come later. Does not know the runtimes' own data.

use super::{container, procfs};
use crate::{process::Container, text::Text};
use ahash::AHashMap;
use sensor_common::limits::PATH_MAX;
use std::{
    collections::VecDeque,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Most cgroups that are kept or found in one walk. Whoever may make cgroups chooses their names: with these two limits they take at most
/// 8 MiB as the kernel tells them (1023 bytes each).
const MAX_CGROUPS: usize = 8192;
/// Deepest folder that a walk enters.
const MAX_DEPTH: usize = 32;
/// Walks are at least this far apart, and at least 20 times as far as one takes.
const WALK_EVERY: Duration = Duration::from_millis(500);

/// The mounted cgroup v2 hierarchy.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    root: PathBuf,
    hybrid: bool,
}

impl Hierarchy {
    /// Finds it in /proc/self/mountinfo; `None` if cgroup v2 is not mounted.
    pub fn find() -> Option<Self> {
        Self::in_mountinfo(&procfs::read_bounded(Path::new("/proc/self/mountinfo"), 1 << 20).ok()?)
    }

    fn in_mountinfo(mountinfo: &[u8]) -> Option<Self> {
        let mut root = None;
        let mut v1 = false;
        for line in mountinfo.split(|b| *b == b'\n') {
            // 31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw
            let Some(dash) = line.windows(3).position(|w| w == b" - ") else { continue };
            let kind = line.get(dash + 3..).unwrap_or_default().split(|b| *b == b' ').next();
            v1 |= kind == Some(b"cgroup");
            if kind == Some(b"cgroup2") && root.is_none() {
                root = line.split(|b| *b == b' ').nth(4).map(|p| PathBuf::from(std::ffi::OsStr::from_bytes(&unescape(p))));
            }
        }
        root.map(|root| Self { root, hybrid: v1 })
    }

    /// Ids and paths of all cgroups.
    pub fn walk(&self) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![(self.root.clone(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            if let Some(known) = self.at(&folder) {
                found.push(known);
            }
            if depth >= MAX_DEPTH || found.len() + folders.len() >= MAX_CGROUPS {
                continue;
            }
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            folders.extend(entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| (e.path(), depth + 1)));
        }
        found
    }

    /// The id of the cgroup with this path (`/a/b`).
    pub fn id(&self, path: &[u8]) -> Option<u64> {
        let relative = path.strip_prefix(b"/")?;
        Some(fs::metadata(self.root.join(std::ffi::OsStr::from_bytes(relative))).ok()?.ino())
    }

    /// Processes may be in containers that only a v1 hierarchy knows of.
    pub fn is_hybrid(&self) -> bool {
        self.hybrid
    }

    fn at(&self, folder: &Path) -> Option<(u64, Vec<u8>)> {
        let id = fs::metadata(folder).ok()?.ino();
        let relative = folder.strip_prefix(&self.root).ok()?.as_os_str().as_bytes();
        Some((id, [b"/", relative].concat()))
    }
}

/// mountinfo writes space, tab, newline and backslash as three octal digits behind a backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<3>().filter(|d| *first == b'\\' && d.iter().all(|b| (b'0'..=b'7').contains(b)));
        match digits {
            Some(d) => {
                let value = d.iter().fold(0_u32, |v, b| v * 8 + u32::from(b - b'0'));
                out.push(u8::try_from(value).unwrap_or(b'?'));
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

/// A cgroup as events show it.
#[derive(Clone, Debug)]
pub struct Cgroup {
    /// Its path.
    pub path: Text,
    /// The container that it belongs to.
    pub container: Option<Arc<Container>>,
}

/// The cgroups that are known.
#[derive(Debug, Default)]
pub struct Cgroups {
    known: AHashMap<u64, Cgroup>,
    /// Their ids, the one that was learned first in front.
    order: VecDeque<u64>,
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    hierarchy: Hierarchy,
    next_walk: Instant,
}

impl Cgroups {
    /// With permission to look at this machine; without a cgroup v2 mount it knows only what it is told.
    pub fn live() -> Self {
        let live = Hierarchy::find().map(|hierarchy| Live { hierarchy, next_walk: Instant::now() });
        Self { live, ..Self::default() }
    }

    /// Adds one. Beyond the limit the one that was learned first is forgotten (and found again when it is asked for, if it is still there).
    pub fn insert(&mut self, id: u64, path: &[u8]) {
        if path.len() > PATH_MAX || self.known.get(&id).is_some_and(|k| k.path.bytes() == path) {
            return;
        }
        let cgroup = Cgroup { path: Text::from(path), container: container::parse(path).map(Arc::new) };
        if self.known.insert(id, cgroup).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > MAX_CGROUPS {
            self.order.pop_front().and_then(|first| self.known.remove(&first));
        }
    }

    /// The cgroup with this id, if it is known: nothing is looked up.
    pub fn known(&self, id: u64) -> Option<&Cgroup> {
        self.known.get(&id)
    }

    /// The cgroup with this id; `pid` is a process in it, to be asked if the cgroup is new.
    pub fn get(&mut self, id: u64, pid: u32) -> Option<Cgroup> {
        if let Some(known) = self.known.get(&id) {
            return Some(known.clone());
        }
        self.discover(id, pid)?;
        self.known.get(&id).cloned()
    }

    /// Of a process on a host with v1 hierarchies, where the v2 path tells nothing: what those say.
    pub fn v1_container(&self, pid: u32) -> Option<Arc<Container>> {
        self.live.as_ref().filter(|l| l.hierarchy.hybrid)?;
        procfs::cgroup_paths(pid).iter().find_map(|(_, path)| container::parse(path)).map(Arc::new)
    }

    /// The mounted hierarchy, if this may look at it.
    pub fn hierarchy(&self) -> Option<&Hierarchy> {
        self.live.as_ref().map(|l| &l.hierarchy)
    }

    /// Whether [`Self::v1_container`] may know something.
    pub fn is_hybrid(&self) -> bool {
        self.live.as_ref().is_some_and(|l| l.hierarchy.hybrid)
    }

    fn discover(&mut self, id: u64, pid: u32) -> Option<()> {
        let now = Instant::now();
        let live = self.live.as_mut().filter(|l| id != 0 && now >= l.next_walk)?;
        let hierarchy = live.hierarchy.clone();
        // Cheap first: the process itself. It may have moved or ended since.
        let path = procfs::cgroup_paths(pid).into_iter().find_map(|(v2, path)| v2.then_some(path));
        if let Some(path) = path.filter(|p| hierarchy.id(p) == Some(id)) {
            self.insert(id, &path);
            return Some(());
        }
        let walked = hierarchy.walk();
        live.next_walk = Instant::now() + WALK_EVERY.max(20 * now.elapsed());
        for (id, path) in walked {
            self.insert(id, &path);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_found_on_hybrid_and_unified_hosts() {
        let hybrid = b"37 31 0:34 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n38 31 0:35 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw\n";
        let found = Hierarchy::in_mountinfo(hybrid).unwrap();
        assert_eq!((found.root.to_str(), found.hybrid), (Some("/sys/fs/cgroup/unified"), true));
        let unified = b"30 23 0:26 / /a\\040b\\134 rw - cgroup2 none rw\n";
        let found = Hierarchy::in_mountinfo(unified).unwrap();
        assert_eq!((found.root.to_str(), found.hybrid), (Some("/a b\\"), false));
        assert!(Hierarchy::in_mountinfo(b"").is_none());
        assert!(Hierarchy::in_mountinfo(b"garbage - \n - cgroup2").is_none());
    }

    #[test]
    fn a_walk_gives_the_inode_of_each_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/cgroup.procs"), "").unwrap();
        let hierarchy = Hierarchy { root: dir.path().to_path_buf(), hybrid: false };
        let mut walked = hierarchy.walk();
        walked.sort_by(|a, b| a.1.cmp(&b.1));
        assert_eq!(walked.iter().map(|(_, p)| p.as_slice()).collect::<Vec<_>>(), [&b"/"[..], b"/a", b"/a/b"]);
        for (id, path) in walked {
            assert_eq!(hierarchy.id(&path), Some(id));
        }
    }

    #[test]
    fn a_recording_names_cgroups_and_their_number_is_bounded() {
        let mut cgroups = Cgroups::default();
        cgroups.insert(7, format!("/docker/{}", "a".repeat(64)).as_bytes());
        assert_eq!(cgroups.get(7, 1).unwrap().container.unwrap().runtime, "docker");
        assert!(cgroups.get(8, 1).is_none());
        for id in 0..100_000 {
            cgroups.insert(id, b"/x");
            cgroups.insert(99_999, b"/last");
        }
        assert_eq!((cgroups.known.len(), cgroups.order.len()), (MAX_CGROUPS, MAX_CGROUPS));
        assert!(cgroups.known(99_998).is_some() && cgroups.known(7).is_none(), "the first one goes");
        cgroups.insert(7, &[b'/'; PATH_MAX + 1]);
        assert!(cgroups.known(7).is_none(), "no kernel has such a path");
    }
}
