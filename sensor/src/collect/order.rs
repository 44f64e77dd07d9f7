//! Puts records of all rings and CPUs in order of kernel time, and the two halves of an operation together.
//!
//! A record waits until it is older than the ageing window, so that one that was made earlier and handed over later can still go first.
//! A record that has only begun ([`header_flags::BEGUN`]) waits for its result: the next record of the same thread and kind. Memory is
//! bounded: what waits is at most [`Options::max_bytes`] plus what one [`super::Source::drain`] hands over, and nothing is ever thrown
//! away for it: what has no room to wait is released early, and counted.

use super::{
    blocks::{Blocks, Place},
    join,
};
use ahash::AHashMap;
use sensor_common::{EventKind, Header, Record, decode, header::header_flags};
use std::collections::{BTreeMap, VecDeque};
use zerocopy::FromBytes;

/// Limits of a [`Collector`].
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How old a record must be before it is released, in nanoseconds.
    pub window_ns: u64,
    /// How long a record that has begun waits for its result, in nanoseconds.
    pub join_ns: u64,
    /// Most begun records of one thread that wait; the oldest is released beyond.
    pub max_begun_per_thread: usize,
    /// Most begun records of all threads that wait; the oldest is released beyond.
    pub max_begun: usize,
    /// Bytes of records that may wait; the oldest are released early beyond. The memory for them is at most twice that (or 1 MiB), and what
    /// one [`super::Source::drain`] hands over.
    pub max_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { window_ns: 50_000_000, join_ns: 500_000_000, max_begun_per_thread: 4, max_begun: 16_384, max_bytes: 32 << 20 }
    }
}

/// What a [`Collector`] has done since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records that came in.
    pub received: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Records that were handed on, joined ones once.
    pub released: u64,
    /// Begun records that found their result.
    pub joined: u64,
    /// Begun records released without one: it did not come in time.
    pub unjoined: u64,
    /// Of these: released early because too many were waiting.
    pub begun_evicted: u64,
    /// Records handed on when a younger one had gone already.
    pub late: u64,
    /// Records released before the window was over because too many bytes were waiting.
    pub forced: u64,
    /// Bytes that did not decode, by the kind that they claim; [`EventKind::Loss`] if they claim none.
    pub malformed: BTreeMap<EventKind, u64>,
}

/// A record that waits for its turn.
struct Held {
    time_ns: u64,
    place: Place,
    /// Its result did not come: it is old by design and not counted as late.
    unjoined: bool,
}

/// A record that waits for its result.
struct Begun {
    time_ns: u64,
    sequence: u64,
    bytes: Vec<u8>,
}

/// Orders and joins records. See the module for how.
pub struct Collector {
    options: Options,
    held: Vec<Held>,
    /// The bytes of these.
    blocks: Blocks,
    sorted: bool,
    /// Of all records that wait.
    bytes: usize,
    begun: AHashMap<u32, Vec<Begun>>,
    /// Begun records in the order in which they came: thread, number, time. Those that found their result stay until their time is over.
    begun_queue: VecDeque<(u32, u64, u64)>,
    begun_count: usize,
    next_begun: u64,
    newest_ns: u64,
    released_ns: u64,
    spare: Vec<Vec<u8>>,
    stats: Stats,
}

/// Buffers kept for the next begun records, and how large one may be to be kept. Few wait at once: a thread waits in one system call.
const SPARE_BUFFERS: usize = 256;
const SPARE_BYTES: usize = 1024;

/// Memory for waiting records that is not worth a thought.
const LEAST_HELD: usize = 1 << 20;

impl Collector {
    /// An empty one.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            held: Vec::new(),
            blocks: Blocks::default(),
            sorted: true,
            bytes: 0,
            begun: AHashMap::new(),
            begun_queue: VecDeque::new(),
            begun_count: 0,
            next_begun: 0,
            newest_ns: 0,
            released_ns: 0,
            spare: Vec::new(),
            stats: Stats::default(),
        }
    }

    /// Takes a record as it came. Bytes that are none are counted.
    pub fn push(&mut self, raw: &[u8]) {
        self.stats.received += 1;
        self.stats.bytes += u64::try_from(raw.len()).unwrap_or(0);
        let header = match Header::read_from_prefix(raw) {
            Ok((header, _)) if usize::try_from(header.len) == Ok(raw.len()) => header,
            _ => return self.malformed(raw),
        };
        self.newest_ns = self.newest_ns.max(header.time_ns);
        if header.flags & header_flags::BEGUN != 0 {
            return self.begin(&header, raw);
        }
        let joined = if self.begun_count == 0 { None } else { self.result(&header, raw) };
        self.hold(header.time_ns, false, joined.as_deref().unwrap_or(raw));
    }

    /// Releases, oldest first, what is older than the window at `now_ns` (boot nanoseconds).
    pub fn release(&mut self, now_ns: u64, out: &mut dyn FnMut(Record<'_>)) {
        if let Some(before_ns) = now_ns.checked_sub(self.options.join_ns) {
            self.expire(before_ns);
        }
        self.sort();
        let due = now_ns.checked_sub(self.options.window_ns);
        let mut count = due.map_or(0, |due| self.held.partition_point(|h| h.time_ns <= due));
        let mut rest: usize = self.bytes - self.held.iter().take(count).map(|h| h.place.len()).sum::<usize>();
        for held in self.held.iter().skip(count) {
            if rest <= self.options.max_bytes {
                break;
            }
            rest -= held.place.len();
            count += 1;
            self.stats.forced += 1;
        }
        self.emit(count, out);
        // Few that wait long can hold the blocks of many that have gone. Only times that no kernel gives do that: a damaged recording's.
        if self.blocks.held() > self.options.max_bytes.saturating_mul(2).max(LEAST_HELD) {
            self.stats.forced += u64::try_from(self.held.len()).unwrap_or(0);
            self.emit(self.held.len(), out);
        }
        self.shrink();
    }

    /// Releases everything: the source has ended.
    pub fn flush(&mut self, out: &mut dyn FnMut(Record<'_>)) {
        self.expire(u64::MAX);
        self.sort();
        self.emit(self.held.len(), out);
    }

    /// Time of the youngest record that came in; the clock of a replay.
    pub fn newest_ns(&self) -> u64 {
        self.newest_ns
    }

    /// Counters since the start.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Records and bytes that wait now.
    pub fn waiting(&self) -> (usize, usize) {
        (self.held.len() + self.begun_count, self.bytes)
    }

    fn sort(&mut self) {
        if !self.sorted {
            // Stable, and fast on what is nearly sorted; records of the same time stay in the order in which they came.
            self.held.sort_by_key(|h| h.time_ns);
            self.sorted = true;
        }
    }

    fn emit(&mut self, count: usize, out: &mut dyn FnMut(Record<'_>)) {
        for held in self.held.drain(..count) {
            let bytes = self.blocks.get(&held.place);
            self.bytes -= bytes.len();
            match decode(bytes) {
                Ok(record) => {
                    if held.time_ns >= self.released_ns {
                        self.released_ns = held.time_ns;
                    } else if !held.unjoined {
                        self.stats.late += 1;
                    }
                    self.stats.released += 1;
                    out(record);
                }
                Err(_) => *self.stats.malformed.entry(claimed_kind(bytes)).or_default() += 1,
            }
            self.blocks.free(held.place);
        }
    }

    /// Gives back what a burst took, by halves, so that a steady flood does not make it ask again each time.
    fn shrink(&mut self) {
        const LEAST: usize = 4096;
        self.blocks.shrink();
        if self.held.capacity() > LEAST && self.held.len() < self.held.capacity() / 4 {
            self.held.shrink_to((self.held.capacity() / 2).max(LEAST));
        }
        if self.begun_queue.capacity() > LEAST && self.begun_queue.len() < self.begun_queue.capacity() / 4 {
            self.begun_queue.shrink_to((self.begun_queue.capacity() / 2).max(LEAST));
        }
    }

    fn malformed(&mut self, raw: &[u8]) {
        *self.stats.malformed.entry(claimed_kind(raw)).or_default() += 1;
    }

    fn hold(&mut self, time_ns: u64, unjoined: bool, bytes: &[u8]) {
        self.sorted &= self.held.last().is_none_or(|last| last.time_ns <= time_ns);
        self.bytes += bytes.len();
        let place = self.blocks.push(bytes);
        self.held.push(Held { time_ns, place, unjoined });
    }

    /// A copy of a begun record. Not in a block: it may wait ten times as long as the others.
    fn copy(&mut self, raw: &[u8]) -> Vec<u8> {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(raw);
        bytes
    }

    fn keep_spare(&mut self, bytes: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS && bytes.capacity() <= SPARE_BYTES {
            self.spare.push(bytes);
        }
    }

    fn begin(&mut self, header: &Header, raw: &[u8]) {
        let begun = Begun { time_ns: header.time_ns, sequence: self.next_begun, bytes: self.copy(raw) };
        self.next_begun += 1;
        self.bytes += begun.bytes.len();
        self.begun_count += 1;
        self.begun_queue.push_back((header.task.tid, begun.sequence, begun.time_ns));
        let thread = self.begun.entry(header.task.tid).or_default();
        thread.push(begun);
        if thread.len() > self.options.max_begun_per_thread {
            let oldest = thread.remove(0);
            self.stats.begun_evicted += 1;
            self.alone(oldest);
        }
        while self.begun_count > self.options.max_begun {
            let Some((tid, sequence, _)) = self.begun_queue.pop_front() else { break };
            if self.expel(tid, sequence) {
                self.stats.begun_evicted += 1;
            }
        }
        // Entries of records that have found their result are only removed at the front; a long-lived one there must not let them pile up.
        if self.begun_queue.len() > 2 * self.options.max_begun {
            let begun = &self.begun;
            self.begun_queue.retain(|(tid, sequence, _)| begun.get(tid).is_some_and(|t| t.iter().any(|b| b.sequence == *sequence)));
        }
    }

    /// The joined record, if a begun one of the same thread and kind waits for this result. Older ones of that kind have ended without
    /// a result of their own: a thread does one thing at a time.
    fn result(&mut self, header: &Header, raw: &[u8]) -> Option<Vec<u8>> {
        let thread = self.begun.get_mut(&header.task.tid)?;
        let (mut candidates, others): (Vec<_>, Vec<_>) =
            std::mem::take(thread).into_iter().partition(|b| b.time_ns <= header.time_ns && kind_of(&b.bytes) == Some(header.kind));
        if others.is_empty() {
            self.begun.remove(&header.task.tid);
        } else {
            *thread = others;
        }
        let chosen = choose(&candidates, header, raw, self.options.join_ns).map(|i| candidates.remove(i));
        for begun in candidates {
            self.alone(begun);
        }
        let begun = chosen?;
        let Some(joined) = join::merge(&begun.bytes, raw) else {
            self.alone(begun);
            return None;
        };
        self.begun_count -= 1;
        self.bytes -= begun.bytes.len();
        self.stats.joined += 1;
        self.keep_spare(begun.bytes);
        Some(joined)
    }

    /// Lets a begun record go without its result. It has been taken out of its thread's list.
    fn alone(&mut self, begun: Begun) {
        self.begun_count -= 1;
        self.bytes -= begun.bytes.len();
        self.stats.unjoined += 1;
        self.hold(begun.time_ns, true, &begun.bytes);
        self.keep_spare(begun.bytes);
    }

    /// The same for one that is still in its list; `false` if it is not there any more.
    fn expel(&mut self, tid: u32, sequence: u64) -> bool {
        let Some(thread) = self.begun.get_mut(&tid) else { return false };
        let Some(at) = thread.iter().position(|b| b.sequence == sequence) else { return false };
        let begun = thread.remove(at);
        if thread.is_empty() {
            self.begun.remove(&tid);
        }
        self.alone(begun);
        true
    }

    fn expire(&mut self, before_ns: u64) {
        while let Some((tid, sequence, time_ns)) = self.begun_queue.front().copied() {
            if time_ns > before_ns {
                break;
            }
            self.begun_queue.pop_front();
            self.expel(tid, sequence);
        }
    }
}

/// Which begun record a result belongs to: the one about the same file where both say which, otherwise the youngest. One that began
/// longer ago than `join_ns` has been given up, whatever comes now: a replay decides the same as the live run did.
fn choose(candidates: &[Begun], header: &Header, raw: &[u8], join_ns: u64) -> Option<usize> {
    let in_time = |b: &Begun| header.time_ns - b.time_ns <= join_ns;
    if candidates.len() > 1
        && let Some(identity) = join::file_identity(raw)
        && let Some(same) = candidates.iter().rposition(|b| in_time(b) && join::file_identity(&b.bytes) == Some(identity))
    {
        return Some(same);
    }
    candidates.iter().rposition(in_time)
}

fn kind_of(raw: &[u8]) -> Option<u16> {
    raw.first_chunk::<2>().map(|b| u16::from_le_bytes(*b))
}

fn claimed_kind(raw: &[u8]) -> EventKind {
    kind_of(raw).and_then(EventKind::from_wire).unwrap_or(EventKind::Loss)
}

#[cfg(test)]
mod tests;
