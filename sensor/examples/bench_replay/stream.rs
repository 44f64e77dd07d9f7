//! A stream of raw records as the kernel programs make them: a machine that builds, installs, serves and backs up. The same numbers give
//! the same bytes. Knows nothing of measuring.

use sensor::collect::{encode, encode::Tail};
use sensor_common::{
    Header, Path, RingClass, Span, Target, Task, Tier, Wire,
    events::{connect::Connect, exec::Exec, exit::Exit, fork::Fork, open::Open, rename::Rename, unlink::Unlink},
    header::header_flags,
    span::{Addr, RESULT_UNKNOWN, Sock, path_flags},
};

/// What the stream consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Per process a fork, an exec, an exit, three opens and, by turns, a connect, an unlink or a rename; results only.
    Results,
    /// The same as kernels with kprobes send it: operations on files and sockets come in two halves.
    Halves,
    /// Program starts only: each process is forked once and starts [`EXECS`] programs in turn.
    Execs,
}

/// Command lines: executable, arguments. `#` stands for a number of one to six digits that changes from process to process.
const COMMANDS: &[(&str, &str)] = &[
    (
        "/usr/bin/gcc-12",
        "gcc -O2 -Wall -Wextra -I include -I build/gen -DNDEBUG -MD -MF build/obj/unit-#.d -c src/unit-#.c -o build/obj/unit-#.o",
    ),
    (
        "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
        "/usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet -I include -imultiarch x86_64-linux-gnu src/unit-#.c -quiet -dumpdir build/obj/ -dumpbase unit-#.c -mtune=generic -march=x86-64 -O2 -o /tmp/cc#.s",
    ),
    ("/usr/bin/x86_64-linux-gnu-as", "as --64 -o build/obj/unit-#.o /tmp/cc#.s"),
    ("/usr/bin/dash", "/bin/sh -c test -d build/obj || mkdir -p build/obj && touch build/obj/.stamp-#"),
    ("/usr/bin/dash", "/bin/sh /var/lib/dpkg/info/package-#.postinst configure 1.2.#-1"),
    ("/usr/bin/dpkg-deb", "dpkg-deb --fsys-tarfile /var/cache/apt/archives/package-#_1.2.3-1_amd64.deb"),
    ("/usr/bin/tar", "tar -x --warning=no-timestamp -f - -C /var/lib/dpkg/tmp.ci/#"),
    ("/usr/bin/git", "git -c core.quotepath=false log --format=%H%x00%an --max-count=# origin/main -- src/module-#.rs"),
    ("/usr/bin/sed", "sed -i s/@VERSION@/1.0.#/g build/gen/version.h"),
    ("/usr/bin/grep", "grep -rn --include=*.c -e frobnicate_# src include"),
    ("/usr/bin/find", "find /srv/data/tenant-# -type f -mtime +30 -print0"),
    ("/usr/bin/rm", "rm -f build/obj/unit-#.d.tmp build/obj/unit-#.o.tmp"),
    ("/usr/bin/python3.11", "/usr/bin/python3 /usr/share/app/worker.py --queue jobs --id # --config /etc/app/worker.toml"),
    ("/usr/sbin/sshd", "sshd: deploy [priv] #"),
    ("/usr/bin/rsync", "rsync -a --delete --link-dest=/srv/backup/last /srv/data/tenant-#/ /srv/backup/run-#/"),
    ("/usr/bin/curl", "curl -fsS --max-time 5 http://127.0.0.1:8080/health?probe=#"),
    ("/usr/bin/logger", "logger -t cron -p daemon.info job # finished"),
    ("/usr/bin/cat", "cat /sys/fs/cgroup/system.slice/app-#.service/memory.current"),
    ("/usr/bin/node", "node --max-old-space-size=2048 ./node_modules/.bin/eslint --cache --format json src/page-#.ts"),
    (
        "/usr/bin/ld.bfd",
        "/usr/bin/ld --build-id --eh-frame-hdr -m elf_x86_64 -o build/app-# build/obj/unit-1.o build/obj/unit-2.o build/obj/unit-#.o -lpthread -lc",
    ),
];

/// Records in the order in which a reader of the three rings gets them, and where each ends.
pub(crate) struct Stream {
    bytes: Vec<u8>,
    /// Batches of records: each is what came in 5 ms.
    batches: Vec<Vec<(usize, usize)>>,
    /// Events that come out of it.
    pub(crate) events: u64,
}

impl Stream {
    /// Records of `processes` processes.
    pub(crate) fn new(mix: Mix, processes: u32) -> Self {
        let mut maker = Maker { mix, time_ns: 1_000_000_000, batch: Vec::new(), batch_end: 0, out: Self::empty() };
        for n in 0..processes {
            maker.process(n);
        }
        maker.close();
        maker.out
    }

    /// Every record of a batch.
    pub(crate) fn batch(&self, n: usize) -> Option<impl Iterator<Item = &[u8]>> {
        Some(self.batches.get(n)?.iter().map(|(start, end)| &self.bytes[*start..*end]))
    }

    /// Records and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.batches.iter().map(Vec::len).sum(), self.bytes.len())
    }

    const fn empty() -> Self {
        Self { bytes: Vec::new(), batches: Vec::new(), events: 0 }
    }
}

/// Distance of two records: 400,000 a second.
const STEP_NS: u64 = 2500;
/// How often the reader looks at the rings.
const BATCH_NS: u64 = 5_000_000;
/// Longest that a process lives, in processes that are started after it.
const OVERLAP: u32 = 8;
/// Programs that a process of [`Mix::Execs`] starts.
const EXECS: u32 = 20;

struct Maker {
    mix: Mix,
    time_ns: u64,
    batch: Vec<(RingClass, usize, usize)>,
    batch_end: u64,
    out: Stream,
}

impl Maker {
    fn process(&mut self, n: u32) {
        let first = if self.mix == Mix::Execs { n - n % EXECS } else { n };
        let shell = task(1000 + first % 16, 1, "sh");
        let child = 2000 + first;
        // Before exec it is a copy of its shell.
        let mut task = Task { parent_start_ns: start_of(shell.tgid), ..task(child, shell.tgid, "sh") };
        if n == first {
            let wire = Fork { child_start_ns: task.start_ns, child_tgid: child, child_ns_pid: child };
            self.send(shell, Tier::BtfTracepoint, 0, &wire, &[]);
            self.out.events += 1;
        }
        let (executable, line) = COMMANDS[usize::try_from(n).unwrap_or(0) % COMMANDS.len()];
        name(&mut task, executable.rsplit('/').next().unwrap_or_default());
        self.exec(task, executable, &line.replace('#', &(n.wrapping_mul(2_654_435_761) >> 12).to_string()));
        if self.mix != Mix::Execs {
            for i in 0..3 {
                let path = format!("/srv/build/obj/part-{}/unit-{}.o", n % 61, n.wrapping_add(i) % 5000);
                self.open(task, &path);
            }
            match n % 3 {
                0 => self.connect(task, n),
                1 => self.unlink(task, &format!("/srv/build/obj/unit-{}.o.tmp", n % 5000)),
                _ => self.rename(task, &format!("/srv/build/obj/unit-{}.d.tmp", n % 5000), &format!("/srv/build/obj/unit-{}.d", n % 5000)),
            }
        }
        if let Some(old) = n.checked_sub(OVERLAP).map(|n| (n, COMMANDS[usize::try_from(n).unwrap_or(0) % COMMANDS.len()].0)) {
            self.exit(old.0, old.1);
        }
    }

    fn exit(&mut self, n: u32, executable: &str) {
        let mut task = task(2000 + n, 1000 + n % 16, "");
        name(&mut task, executable.rsplit('/').next().unwrap_or_default());
        if self.mix != Mix::Execs {
            self.send(task, Tier::BtfTracepoint, 0, &Exit::default(), &[]);
            self.out.events += 1;
        }
    }

    fn exec(&mut self, task: Task, executable: &str, line: &str) {
        let mut tail = Tail::default();
        let kernel = walked(&mut tail, executable);
        let user = path(&mut tail, executable.as_bytes());
        let mut argv: Vec<u8> = line.bytes().map(|b| if b == b' ' { 0 } else { b }).collect();
        argv.push(0);
        let argv = tail.push(&argv);
        let cwd = walked(&mut tail, "/srv/build");
        let wire = Exec {
            inode: 100_000,
            dev: 8 << 20,
            mount_id: 30,
            mode: 0o100_755,
            argv_total: argv.len.into(),
            argc: 5,
            file: Target { kernel, user, base: Path::default() },
            cwd,
            argv,
            ..Exec::default()
        };
        self.send(task, Tier::BtfTracepoint, 0, &wire, tail.bytes());
        self.out.events += 1;
    }

    fn open(&mut self, task: Task, name: &str) {
        const WRITE: u32 = 0o1101;
        let wire = Open { result: 3, flags: WRITE, mode: 0o644, state: 1, inode: 5, dev: 8 << 20, file_mode: 0o100_644, ..Open::default() };
        // Of an open both halves know the path: the result has the file behind the descriptor.
        let make = |wire: Open, tail: &mut Tail, begun: bool| {
            let kernel = walked(tail, name);
            let user = if begun { Path::default() } else { path(tail, name.as_bytes()) };
            Open { file: Target { kernel, user, base: Path::default() }, ..wire }
        };
        self.halves(task, |tail, begun| make(Open { result: if begun { RESULT_UNKNOWN } else { 3 }, ..wire }, tail, begun));
    }

    fn unlink(&mut self, task: Task, name: &str) {
        self.halves(task, |tail, begun| Unlink { result: result(begun), flags: 0, file: target(tail, name, begun) });
    }

    fn rename(&mut self, task: Task, old: &str, new: &str) {
        self.halves(task, |tail, begun| Rename {
            result: result(begun),
            old: target(tail, old, begun),
            new: target(tail, new, begun),
            ..Rename::default()
        });
    }

    fn connect(&mut self, task: Task, n: u32) {
        let [_, _, c, d] = n.to_be_bytes();
        let port = 443_u16;
        let mut ip = [0; 16];
        ip[..4].copy_from_slice(&[10, 20, c, d]);
        self.halves(task, |tail, begun| {
            let sockaddr = [&2_u16.to_ne_bytes()[..], &port.to_be_bytes(), &ip[..4], &[0; 8]].concat();
            let user = tail.push(&sockaddr);
            let remote = Addr { ip, port, family: 2, pad: 0 };
            let local = Addr { port: 40_000, ..remote };
            let local = if begun { Addr::default() } else { local };
            Connect {
                result: result(begun),
                pad: 0,
                sock: Sock { local, remote, user, family: 2, kind: 1, protocol: 6, fd: 7, ..Sock::default() },
            }
        });
    }

    /// An operation whose result is told and, on some kernels, its beginning before.
    fn halves<T: Wire>(&mut self, task: Task, make: impl Fn(&mut Tail, bool) -> T) {
        for begun in [true, false] {
            if begun && self.mix != Mix::Halves {
                continue;
            }
            let mut tail = Tail::default();
            let wire = make(&mut tail, begun);
            let (tier, flags) = if begun { (Tier::Kprobe, header_flags::BEGUN) } else { (Tier::Tracepoint, 0) };
            self.send(task, tier, flags, &wire, tail.bytes());
        }
        self.out.events += 1;
    }

    fn send<T: Wire>(&mut self, task: Task, tier: Tier, flags: u8, wire: &T, tail: &[u8]) {
        if self.time_ns >= self.batch_end {
            self.close();
            self.batch_end = self.time_ns + BATCH_NS;
        }
        let header = Header { time_ns: self.time_ns, tier: tier as u8, flags, task, ..Header::default() };
        self.time_ns += STEP_NS;
        let start = self.out.bytes.len();
        self.out.bytes.extend_from_slice(&encode(header, wire, tail));
        self.batch.push((T::KIND.class(), start, self.out.bytes.len()));
    }

    /// One ring after the other, as the source reads them.
    fn close(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        batch.sort_by_key(|(class, ..)| *class);
        if !batch.is_empty() {
            self.out.batches.push(batch.into_iter().map(|(_, start, end)| (start, end)).collect());
        }
    }
}

const fn result(begun: bool) -> i32 {
    if begun { RESULT_UNKNOWN } else { 0 }
}

/// The kernel's path when it begins, the caller's string and folder when it has ended.
fn target(tail: &mut Tail, name: &str, begun: bool) -> Target {
    if begun {
        return Target { kernel: walked(tail, name), ..Target::default() };
    }
    Target { kernel: Path::default(), user: path(tail, name.as_bytes()), base: Path::default() }
}

/// A path as the kernel programs walk it.
fn walked(tail: &mut Tail, name: &str) -> Path {
    let leaf_first: String = name.split('/').skip(1).collect::<Vec<_>>().into_iter().rev().flat_map(|part| ["/", part]).collect();
    Path { flags: if name.matches('/').count() > 1 { path_flags::LEAF_FIRST } else { 0 }, ..path(tail, leaf_first.as_bytes()) }
}

fn path(tail: &mut Tail, bytes: &[u8]) -> Path {
    let span: Span = tail.push(bytes);
    Path { span, ..Path::default() }
}

fn start_of(tgid: u32) -> u64 {
    u64::from(tgid) * 1000
}

fn task(tgid: u32, parent: u32, comm: &str) -> Task {
    let mut task = Task {
        start_ns: start_of(tgid),
        parent_start_ns: start_of(parent),
        cgroup_id: 42,
        tgid,
        tid: tgid,
        parent_tgid: parent,
        login_uid: u32::MAX,
        session_id: u32::MAX,
        pid_ns: 4_026_531_836,
        mnt_ns: 4_026_531_841,
        uid: 1000,
        gid: 1000,
        ..Task::default()
    };
    name(&mut task, comm);
    task
}

fn name(task: &mut Task, comm: &str) {
    task.comm = [0; 16];
    for (to, from) in task.comm.iter_mut().zip(comm.bytes().take(15)) {
        *to = from;
    }
}
