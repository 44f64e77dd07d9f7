//! What /proc tells of a running process, as the record that the kernel would have sent when it was executed.
//!
//! Everything is read with limits, and a process that ends meanwhile is simply not there. /proc is only asked at the start and, rarely,
//! for a process whose beginning was not seen: what it says may already be another process's, so that the start time is compared.

use super::cgroups::Hierarchy;
use crate::collect::encode::{Tail, encode};
use ahash::AHashMap;
use sensor_common::{
    Header, Path as WirePath, Task, Tier,
    events::exec::{Exec, exec_flags},
    limits::{ARGV_HEAD, ARGV_MAX, ARGV_TAIL, COMM_LEN, PATH_MAX},
    span::path_flags,
};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Nanoseconds of a clock tick in /proc/PID/stat: USER_HZ is 100 on all architectures that the sensor runs on.
pub const TICK_NS: u64 = 10_000_000;

/// How the kernel writes the path of a memfd.
const MEMFD: &[u8] = b"/memfd:";

/// Most processes that are read at the start.
const MAX_PROCESSES: usize = 65_536;
/// Most bytes of a command line that are read: beyond what is sent, only to know that there is more.
const MAX_CMDLINE: u64 = 2 << 20;

/// A process as /proc has it.
#[derive(Clone, Debug)]
pub struct Seed {
    /// pid 1 of its pid namespace.
    pub ns_init: bool,
    /// The identity of its header.
    pub task: Task,
    /// See [`super::snapshot::Context::Process`].
    pub record: Vec<u8>,
}

/// At most `limit` bytes of a file.
///
/// # Errors
/// Those of opening and reading.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// All processes, parents before their children.
pub fn all(hierarchy: Option<&Hierarchy>) -> Vec<Seed> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok()).take(MAX_PROCESSES);
    let stats: AHashMap<u32, Stat> = pids.filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let start = |pid: u32| stats.get(&pid).map_or(0, |s| s.start_ns);
    let mut seeds: Vec<Seed> = stats.iter().filter_map(|(pid, stat)| seed(*pid, stat, start(stat.parent), hierarchy)).collect();
    let depths: AHashMap<u32, usize> = stats.keys().map(|pid| (*pid, depth(*pid, &stats))).collect();
    seeds.sort_by_key(|s| (depths.get(&s.task.tgid).copied().unwrap_or(0), s.task.start_ns, s.task.tgid));
    seeds
}

/// One process, if it is there and started within a tick of `start_ns`.
pub fn one(pid: u32, start_ns: u64, hierarchy: Option<&Hierarchy>) -> Option<Seed> {
    let own = stat(pid).filter(|s| same_start(s.start_ns, start_ns))?;
    let parent_start = stat(own.parent).map_or(0, |s| s.start_ns);
    seed(pid, &own, parent_start, hierarchy)
}

/// The process that has this pid now.
pub fn seed_of(pid: u32) -> Option<Seed> {
    let own = stat(pid)?;
    let parent_start = stat(own.parent).map_or(0, |s| s.start_ns);
    seed(pid, &own, parent_start, None)
}

/// Whether a start time of /proc may be this exact one: /proc cuts it to ticks.
pub fn same_start(seeded_ns: u64, exact_ns: u64) -> bool {
    seeded_ns.abs_diff(exact_ns) <= TICK_NS
}

/// The cgroups of a process by hierarchy, v2 first; the flag says which it is.
pub fn cgroup_paths(pid: u32) -> Vec<(bool, Vec<u8>)> {
    let text = read_bounded(&of(pid, "cgroup"), 256 << 10).unwrap_or_default();
    let mut paths: Vec<_> = text.split(|b| *b == b'\n').filter_map(cgroup_line).collect();
    paths.sort_by_key(|(v2, _)| !v2);
    paths
}

/// `4:memory:/a` or, v2, `0::/a`. A removed cgroup has ` (deleted)` behind its path.
fn cgroup_line(line: &[u8]) -> Option<(bool, Vec<u8>)> {
    let mut parts = line.splitn(3, |b| *b == b':');
    let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    path.starts_with(b"/").then(|| (id == b"0" && controllers.is_empty(), path.to_vec()))
}

fn of(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

/// Ancestors that are there; bounded, as the table may change between two reads and show a ring.
fn depth(pid: u32, stats: &AHashMap<u32, Stat>) -> usize {
    let mut at = pid;
    for depth in 0..stats.len() {
        match stats.get(&at) {
            Some(stat) if stat.parent != at => at = stat.parent,
            _ => return depth,
        }
    }
    stats.len()
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    comm: Vec<u8>,
    parent: u32,
    start_ns: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    if pid == 0 {
        return None;
    }
    parse_stat(&read_bounded(&of(pid, "stat"), 4096).ok()?)
}

/// `pid (comm) state ppid ... starttime ...`: comm may hold blanks and parentheses, so the last `)` ends it. starttime is field 22, in
/// clock ticks since boot.
fn parse_stat(stat: &[u8]) -> Option<Stat> {
    let open = stat.iter().position(|b| *b == b'(')?;
    let close = stat.iter().rposition(|b| *b == b')')?;
    let comm = stat.get(open + 1..close)?.to_vec();
    let fields: Vec<&str> = std::str::from_utf8(stat.get(close + 1..)?).ok()?.split_ascii_whitespace().collect();
    let start: u64 = fields.get(19)?.parse().ok()?;
    Some(Stat { comm, parent: fields.get(1)?.parse().ok()?, start_ns: start.checked_mul(TICK_NS)? })
}

/// A line of /proc/PID/status: the words behind `key:`.
fn status_line<'a>(status: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    let line = status.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':')).unwrap_or_default();
    line.split_ascii_whitespace()
}

fn seed(pid: u32, stat: &Stat, parent_start_ns: u64, hierarchy: Option<&Hierarchy>) -> Option<Seed> {
    let status = read_bounded(&of(pid, "status"), 64 << 10).ok()?;
    let status = String::from_utf8_lossy(&status);
    let ids = |key: &str| -> [u32; 4] {
        let mut ids = status_line(&status, key).map(|w| w.parse().unwrap_or(u32::MAX));
        std::array::from_fn(|_| ids.next().unwrap_or(u32::MAX))
    };
    let capabilities = |key: &str| status_line(&status, key).next().and_then(|w| u64::from_str_radix(w, 16).ok()).unwrap_or(0);
    let ([uid, euid, suid, fsuid], [gid, egid, sgid, fsgid]) = (ids("Uid"), ids("Gid"));
    let v2_path = cgroup_paths(pid).into_iter().find_map(|(v2, path)| v2.then_some(path));
    let mut comm = [0; COMM_LEN];
    comm.iter_mut().zip(stat.comm.iter().take(COMM_LEN - 1)).for_each(|(to, from)| *to = *from);
    let task = Task {
        start_ns: stat.start_ns,
        parent_start_ns,
        cgroup_id: v2_path.zip(hierarchy).and_then(|(path, h)| h.id(&path)).unwrap_or(0),
        cap_effective: capabilities("CapEff"),
        cap_permitted: capabilities("CapPrm"),
        tgid: pid,
        tid: pid,
        parent_tgid: stat.parent,
        uid,
        gid,
        suid,
        sgid,
        euid,
        egid,
        fsuid,
        fsgid,
        login_uid: number(pid, "loginuid").unwrap_or(u32::MAX),
        session_id: number(pid, "sessionid").unwrap_or(u32::MAX),
        pid_ns: namespace(pid, "ns/pid"),
        mnt_ns: namespace(pid, "ns/mnt"),
        pad: 0,
        comm,
    };
    let header = Header { time_ns: stat.start_ns, tier: Tier::UserSpace as u8, task, ..Header::default() };
    let ns_init = status_line(&status, "NSpid").last() == Some("1");
    let (exec, tail) = image(pid);
    Some(Seed { ns_init, task, record: encode(header, &exec, tail.bytes()) })
}

fn number(pid: u32, name: &str) -> Option<u32> {
    std::str::from_utf8(&read_bounded(&of(pid, name), 32).ok()?).ok()?.trim().parse().ok()
}

/// `pid:[4026531836]` to the number.
fn namespace(pid: u32, name: &str) -> u32 {
    let link = fs::read_link(of(pid, name)).unwrap_or_default();
    link.to_str().and_then(|l| l.split_once('[')?.1.strip_suffix(']')?.parse().ok()).unwrap_or(0)
}

/// What it runs. A kernel thread has neither a file nor arguments.
fn image(pid: u32) -> (Exec, Tail) {
    let mut tail = Tail::default();
    let mut exec = Exec::default();
    exec.file.kernel = link(pid, "exe", &mut tail);
    exec.cwd = link(pid, "cwd", &mut tail);
    if exec.file.kernel.span.get(tail.bytes()).is_some_and(|path| path.starts_with(MEMFD)) {
        exec.flags |= exec_flags::MEMFD;
    }
    if exec.file.kernel.flags & path_flags::DELETED != 0 {
        exec.flags |= exec_flags::UNLINKED;
    }
    let argv = read_bounded(&of(pid, "cmdline"), MAX_CMDLINE).unwrap_or_default();
    exec.argv_total = u64::try_from(argv.len()).unwrap_or(u64::MAX);
    exec.argc = u32::try_from(argv.iter().filter(|b| **b == 0).count()).unwrap_or(u32::MAX);
    exec.argv = if argv.len() > ARGV_MAX {
        exec.flags |= exec_flags::ARGV_CUT;
        let (head, end) = (argv.get(..ARGV_HEAD), argv.get(argv.len() - ARGV_TAIL..));
        tail.push(&[head.unwrap_or_default(), end.unwrap_or_default()].concat())
    } else {
        tail.push(&argv)
    };
    if let Ok(meta) = fs::metadata(of(pid, "exe")) {
        use std::os::unix::fs::MetadataExt;
        exec.inode = meta.ino();
        // s_dev as the kernel keeps it: major << 20 | minor.
        exec.dev = rustix::fs::major(meta.dev()) << 20 | rustix::fs::minor(meta.dev());
        exec.mode = meta.mode();
        exec.owner = meta.uid();
    }
    (exec, tail)
}

/// Where a link of /proc points to. The kernel writes ` (deleted)` behind the last name of an unlinked file, and `/memfd:` before the
/// name of a memfd.
fn link(pid: u32, name: &str, tail: &mut Tail) -> WirePath {
    let Ok(link) = fs::read_link(of(pid, name)) else { return WirePath::default() };
    let bytes = link.as_os_str().as_bytes();
    let (bytes, mut flags) = match bytes.strip_suffix(b" (deleted)") {
        Some(path) => (path, path_flags::DELETED),
        None => (bytes, 0),
    };
    if !bytes.starts_with(b"/") || bytes.starts_with(MEMFD) {
        flags |= path_flags::OUTSIDE;
    }
    WirePath { span: tail.push(bytes.get(..bytes.len().min(PATH_MAX)).unwrap_or_default()), flags, pad: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensor_common::{Record, decode};

    #[test]
    fn stat_survives_a_hostile_comm() {
        let rest = " S 7 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000 2";
        let stat = parse_stat(format!("42 (a) R 1 (b\n c){rest}").as_bytes()).unwrap();
        assert_eq!(stat, Stat { comm: b"a) R 1 (b\n c".to_vec(), parent: 7, start_ns: 123_450_000_000 });
        for bad in ["", "42", "42 (x", "42 x)", "42 )x(", "42 (x) S 1", "42 (x) S a 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345"] {
            assert_eq!(parse_stat(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn cgroup_lines_of_both_versions() {
        assert_eq!(cgroup_line(b"0::/a (deleted)"), Some((true, b"/a".to_vec())));
        assert_eq!(cgroup_line(b"4:memory:/docker/x:y"), Some((false, b"/docker/x:y".to_vec())));
        assert_eq!((cgroup_line(b""), cgroup_line(b"0::")), (None, None));
    }

    #[test]
    fn this_process_is_found_with_its_arguments() {
        let pid = std::process::id();
        let start = stat(pid).unwrap().start_ns;
        assert!(one(pid, start + 2 * TICK_NS, None).is_none(), "another process");
        let seed = one(pid, start + TICK_NS - 1, None).unwrap();
        let Ok(Record::Exec(header, exec, tail)) = decode(&seed.record) else { panic!("no exec record") };
        assert_eq!((header.task.tgid, header.tier, header.task.start_ns), (pid, Tier::UserSpace as u8, start));
        let exe = std::env::current_exe().unwrap();
        assert_eq!(exec.file.kernel.span.get(tail), Some(exe.as_os_str().as_bytes()));
        let first = std::env::args().next().unwrap();
        assert!(exec.argv.get(tail).unwrap().starts_with(first.as_bytes()));
        assert!(!seed.ns_init || pid == 1);
    }

    #[test]
    fn parents_come_before_their_children() {
        let seeds = all(None);
        let own = std::process::id();
        let at = |pid: u32| seeds.iter().position(|s| s.task.tgid == pid);
        let me = at(own).unwrap();
        assert!(at(seeds[me].task.parent_tgid).is_none_or(|parent| parent < me));
    }
}
