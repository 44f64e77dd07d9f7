//! Stage 3: process tree, containers, users, clock. Turns a record into an [`Event`] with all that is known about who did it.
//!
//! A live enricher may look at /proc for a process whose beginning was not seen, rarely and with a budget; a replay never looks at
//! anything but what the recording holds. Both learn what was there before in the same form ([`snapshot::Context`]). Decides nothing
//! about what is an attack.
//!
//! A *process tree* is what scores add up by. It begins at a child of pid 1 (of any pid namespace), at a change of the audit session (a
//! login), and at a change of the container; children inherit it, and an orphan keeps it.

pub mod cgroups;
pub mod clock;
pub mod container;
mod lineage;
pub mod procfs;
pub mod snapshot;
pub mod table;
pub mod users;

use crate::{
    events::{
        Body, Event, Outcome, cgroup,
        convert::{self, Cx},
        exec, exit, loss,
        strings::Strings,
    },
    process::{Container, Credentials, Image, Process, ProcessId},
};
use cgroups::Cgroups;
use sensor_common::{Header, Record, Task, Tier, decode, header::header_flags};
use snapshot::Context;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use table::{Limits, Slot, Table};
use users::Users;

/// The host's user database.
pub const PASSWD: &str = "/etc/passwd";

/// Most ancestors that are told.
pub const MAX_ANCESTORS: usize = 32;

/// Look-ups in /proc per second for processes whose beginning was not seen; each takes some 50 µs.
const LOOKUPS_PER_SECOND: u32 = 200;

/// What an [`Enricher`] has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records whose spans do not lie within them, or that name what there is not.
    pub malformed: u64,
    /// Ends of processes that had ended already: not told again.
    pub repeated_exits: u64,
    /// Processes made from a record's header, because neither their fork nor /proc at the start was seen.
    pub from_header: u64,
    /// Of these: completed from /proc.
    pub from_proc: u64,
    /// The process table's own.
    pub table: table::Stats,
}

/// Process tree, users, containers and clock. See the module.
pub struct Enricher {
    live: Option<Live>,
    table: Table,
    users: Users,
    cgroups: Cgroups,
    strings: Strings,
    offset_ns: i64,
    stats: Stats,
}

/// What only a live one has.
struct Live {
    lookups_left: u32,
    budget_until: Instant,
    clock_at: Instant,
    users_at: Instant,
}

impl Live {
    /// Takes one look-up from the budget of this second; `None` if it is spent.
    fn spend(&mut self) -> Option<()> {
        let now = Instant::now();
        if now >= self.budget_until {
            (self.lookups_left, self.budget_until) = (LOOKUPS_PER_SECOND, now + Duration::from_secs(1));
        }
        self.lookups_left = self.lookups_left.checked_sub(1)?;
        Some(())
    }
}

impl Enricher {
    /// Looks at this machine. Knows no process yet: [`Self::seed_from_proc`].
    pub fn live(limits: Limits) -> Self {
        let now = Instant::now();
        let live = Live { lookups_left: LOOKUPS_PER_SECOND, budget_until: now, clock_at: now, users_at: now };
        Self {
            live: Some(live),
            users: Users::from_file(PASSWD),
            cgroups: Cgroups::live(),
            offset_ns: clock::offset_ns(),
            ..Self::replay(limits)
        }
    }

    /// Knows only what it is told: [`Self::learn`].
    pub fn replay(limits: Limits) -> Self {
        Self {
            live: None,
            table: Table::new(limits),
            users: Users::default(),
            cgroups: Cgroups::default(),
            strings: Strings::default(),
            offset_ns: 0,
            stats: Stats::default(),
        }
    }

    /// Learns what runs now: processes and cgroups. Call it after the probes are attached, so that no process falls between.
    pub fn seed_from_proc(&mut self) {
        for context in snapshot::capture() {
            self.learn(context);
        }
    }

    /// Learns one thing.
    pub fn learn(&mut self, context: Context) {
        match context {
            Context::Clock { offset_ns } => self.offset_ns = offset_ns,
            Context::User { uid, name } => self.users.insert(uid, &name),
            Context::Cgroup { id, path } => self.cgroups.insert(id, &path),
            Context::Process { ns_init, record } => self.seed(ns_init, &record),
        }
    }

    /// To be called now and then: looks whether clock or users have changed. Does nothing in a replay.
    pub fn tick(&mut self) {
        let Some(live) = &mut self.live else { return };
        let now = Instant::now();
        if now >= live.clock_at {
            live.clock_at = now + Duration::from_secs(1);
            self.offset_ns = clock::offset_ns();
        }
        if now >= live.users_at {
            live.users_at = now + Duration::from_secs(5);
            self.users.refresh();
        }
    }

    /// Counters since the start.
    pub fn stats(&self) -> Stats {
        Stats { table: self.table.stats, ..self.stats }
    }

    /// Processes that are known: living and dead.
    pub fn processes(&self) -> (usize, usize) {
        self.table.len()
    }

    /// A process as it is known now, also for a while after its end.
    pub fn process(&self, id: ProcessId) -> Option<Arc<Process>> {
        self.table.get(id).map(|e| e.process.clone())
    }

    /// Ancestors of a process, the parent first, at most [`MAX_ANCESTORS`]. Ends where one is not known (any more).
    pub fn ancestors(&self, id: ProcessId) -> Vec<Arc<Process>> {
        let mut found: Vec<Arc<Process>> = Vec::new();
        let Some(mut at) = self.table.get(id).map(|e| e.process.parent) else { return found };
        while found.len() < MAX_ANCESTORS && at.tgid != 0 {
            let Some(entry) = self.table.get(at) else { break };
            found.push(entry.process.clone());
            at = entry.process.parent;
        }
        found
    }

    /// The event that a record tells of; `None` if the record is malformed, or a second end of the same process (both counted).
    pub fn event(&mut self, record: &Record<'_>) -> Option<Event> {
        let header = record.header();
        let slot = self.actor(header);
        let body = self.body(slot, record);
        let (Some(body), Some(tier)) = (body, Tier::from_wire(header.tier)) else {
            self.stats.malformed += 1;
            return None;
        };
        // Taken behind the body: exec changes the process.
        let process = self.table.entry(slot)?.process.clone();
        // Two threads that end at the same moment can both be the last one as far as the kernel's counter tells.
        if let Record::Exit(..) = record
            && !self.table.exit(slot, header.time_ns)
        {
            self.stats.repeated_exits += 1;
            return None;
        }
        Some(Event {
            time_ns: header.time_ns,
            wall_ns: clock::wall_ns(header.time_ns, self.offset_ns),
            tier,
            tid: header.task.tid,
            parent: self.table.get(process.parent).map(|e| e.process.clone()),
            process,
            body,
        })
    }

    fn body(&mut self, slot: Slot, record: &Record<'_>) -> Option<Body> {
        let header = record.header();
        match record {
            Record::Exec(_, wire, tail) => {
                let (outcome, image) = exec::image(wire, &mut Cx::new(header, tail, &mut self.strings)).ok()?;
                let image = Arc::new(image);
                if let Outcome::Success(_) = outcome {
                    self.executed(slot, image.clone(), &header.task);
                }
                Some(Body::Exec { outcome, image })
            }
            Record::Fork(_, wire, _) => self.forked(slot, wire).map(|child| Body::Fork { child }),
            Record::Exit(_, wire, _) => Some(exit::body(wire)),
            Record::Cgroup(_, wire, tail) => {
                let (id, path) = cgroup::named(wire, &mut Cx::new(header, tail, &mut self.strings)).ok()?;
                if !path.bytes().is_empty() {
                    self.cgroups.insert(id, path.bytes());
                }
                let container = self.cgroups.known(id).and_then(|c| c.container.clone());
                Some(Body::Cgroup { id, path, container })
            }
            Record::Loss(_, wire, _) => loss::body(wire),
            Record::Connect(_, _, tail)
            | Record::Accept(_, _, tail)
            | Record::Bind(_, _, tail)
            | Record::Listen(_, _, tail)
            | Record::Open(_, _, tail)
            | Record::Unlink(_, _, tail)
            | Record::Rename(_, _, tail)
            | Record::Chmod(_, _, tail)
            | Record::Chown(_, _, tail)
            | Record::Link(_, _, tail)
            | Record::Symlink(_, _, tail) => convert::body(record, &mut Cx::new(header, tail, &mut self.strings)).ok()?,
        }
    }

    /// The process that a record is from, made if it is not known, and brought up to date.
    fn actor(&mut self, header: &Header) -> Slot {
        let id = ProcessId { tgid: header.task.tgid, start_ns: header.task.start_ns };
        if let Some(slot) = self.table.find(id) {
            self.table.touch(slot);
            self.refresh(slot, &header.task);
            return slot;
        }
        self.stats.from_header += 1;
        let kernel_thread = header.flags & header_flags::KERNEL_THREAD != 0;
        if !kernel_thread {
            self.look_up(parent_of(&header.task), MAX_ANCESTORS);
        }
        let found = if kernel_thread { None } else { self.ask_proc(id) };
        let image = found.as_ref().and_then(|seed| self.seeded_image(&seed.record));
        let ns_init = id.tgid == 1 || found.is_some_and(|seed| seed.ns_init);
        self.create(&header.task, image, ns_init, false)
    }

    /// A process that ran before the first record. What the kernel has told of it already is better.
    fn seed(&mut self, ns_init: bool, record: &[u8]) {
        let Ok(Record::Exec(header, ..)) = decode(record) else {
            self.stats.malformed += 1;
            return;
        };
        let id = ProcessId { tgid: header.task.tgid, start_ns: header.task.start_ns };
        let image = self.seeded_image(record);
        match self.table.find_seeded(id) {
            Some(slot) => {
                let missing = self.table.entry(slot).is_some_and(|e| e.process.image.is_none());
                if let Some(image) = image.filter(|_| missing) {
                    self.table.set_image(slot, image);
                }
                if let Some(entry) = self.table.entry_mut(slot) {
                    entry.ns_init |= ns_init;
                }
            }
            None => {
                self.create(&header.task, image, ns_init || id.tgid == 1, true);
            }
        }
    }

    fn seeded_image(&mut self, record: &[u8]) -> Option<Arc<Image>> {
        let Ok(Record::Exec(header, wire, tail)) = decode(record) else { return None };
        let Ok((_, mut image)) = exec::image(&wire, &mut Cx::new(&header, tail, &mut self.strings)) else {
            self.stats.malformed += 1;
            return None;
        };
        image.seeded = true;
        (image.executable.is_some() || image.command_line.is_some()).then(|| Arc::new(image))
    }

    /// Asks /proc for a process and its ancestors as far as they are not known.
    fn look_up(&mut self, id: ProcessId, steps: usize) {
        let mut missing = Vec::new();
        let mut at = id;
        while missing.len() < steps && at.tgid != 0 && self.table.find_seeded(at).is_none() {
            let Some(seed) = self.ask_proc(at) else { break };
            at = parent_of(&seed.task);
            missing.push(seed);
        }
        for seed in missing.into_iter().rev() {
            self.seed(seed.ns_init, &seed.record);
        }
    }

    fn ask_proc(&mut self, id: ProcessId) -> Option<procfs::Seed> {
        self.live.as_mut()?.spend()?;
        let seed = procfs::one(id.tgid, id.start_ns, self.cgroups.hierarchy())?;
        self.stats.from_proc += 1;
        Some(seed)
    }

    fn v1_container(&mut self, pid: u32) -> Option<Arc<Container>> {
        if !self.cgroups.is_hybrid() {
            return None;
        }
        self.live.as_mut()?.spend()?;
        self.cgroups.v1_container(pid)
    }

    fn is_inexact(&self, id: ProcessId) -> bool {
        self.table.get(id).is_some_and(|e| e.inexact)
    }

    fn comm(&mut self, task: &Task) -> crate::text::Text {
        self.strings.get(comm(task))
    }
}

/// The task of this process itself, for the loss reports that it makes.
pub fn own_task() -> Task {
    let pid = std::process::id();
    procfs::seed_of(pid).map_or(Task { tgid: pid, tid: pid, ..Task::default() }, |seed| seed.task)
}

fn parent_of(task: &Task) -> ProcessId {
    ProcessId { tgid: task.parent_tgid, start_ns: task.parent_start_ns }
}

fn comm(task: &Task) -> &[u8] {
    task.comm.split(|b| *b == 0).next().unwrap_or_default()
}

fn credentials(task: &Task) -> Credentials {
    let set = |id: u32| (id != u32::MAX).then_some(id);
    Credentials {
        uid: task.uid,
        gid: task.gid,
        suid: task.suid,
        sgid: task.sgid,
        euid: task.euid,
        egid: task.egid,
        login_uid: set(task.login_uid),
        session_id: set(task.session_id),
        cap_effective: task.cap_effective,
        cap_permitted: task.cap_permitted,
    }
}

#[cfg(test)]
mod tests;
