//! The processes that are known: the living, and the dead for a while. Bounded in number and in bytes, whatever an attacker forks.
//!
//! Two lists run through one arena: the living by last activity, the dead by the time of their exit. What exceeds a limit goes from the
//! front of its list, and is counted. A living process that was pushed out is made again from its next record, without its image.

use super::procfs::same_start;
use crate::process::{Image, Process, ProcessId};
use ahash::AHashMap;
use std::sync::Arc;

/// Limits of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most living processes.
    pub live: usize,
    /// Most dead ones.
    pub dead: usize,
    /// Most bytes of images (paths and arguments) of both. Beyond, the dead are forgotten, then images lose their arguments, and at
    /// twice as many are not kept at all.
    pub image_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { live: 65_536, dead: 8192, image_bytes: 8 << 20 }
    }
}

/// What a [`Table`] has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Living processes pushed out, the longest idle first.
    pub live_evicted: u64,
    /// Dead ones forgotten.
    pub dead_evicted: u64,
    /// Images kept without their arguments, or not at all, for want of room.
    pub images_trimmed: u64,
}

/// A process and what events do not show of it. Small: there is one for each of the dead, too.
#[derive(Debug)]
pub(super) struct Entry {
    /// As events show it.
    pub process: Arc<Process>,
    /// pid 1 of its pid namespace: its children begin trees of their own.
    pub ns_init: bool,
    /// The start time is from /proc, cut to ticks.
    pub inexact: bool,
    /// `process` may name a parent or a tree by such a start time.
    pub names_inexact: bool,
    /// When it ended, boot ns.
    pub exited_ns: Option<u64>,
}

/// Place in the arena; stays the same while its process is in the table.
pub(super) type Slot = usize;

#[derive(Clone, Copy, Debug, Default)]
struct List {
    first: Option<Slot>,
    last: Option<Slot>,
    len: usize,
}

#[derive(Debug)]
struct Node {
    entry: Entry,
    previous: Option<Slot>,
    next: Option<Slot>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Table {
    limits: Limits,
    nodes: Vec<Option<Node>>,
    free: Vec<Slot>,
    by_id: AHashMap<ProcessId, Slot>,
    /// The living process that a pid means now.
    by_tgid: AHashMap<u32, Slot>,
    /// Identities from /proc to those that the kernel gave later. Only grows by seeded processes, whose number is bounded.
    exact: AHashMap<ProcessId, ProcessId>,
    live: List,
    dead: List,
    /// By address, while the table holds it: in how many entries, and its size.
    images: AHashMap<usize, (usize, usize)>,
    image_bytes: usize,
    pub stats: Stats,
}

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(super) fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.nodes.get(slot)?.as_ref().map(|n| &n.entry)
    }

    pub(super) fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.nodes.get_mut(slot)?.as_mut().map(|n| &mut n.entry)
    }

    /// Living and dead.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.live.len, self.dead.len)
    }

    /// The identity as the kernel gave it, where one from /proc has been found out.
    pub(super) fn exact(&self, id: ProcessId) -> ProcessId {
        self.exact.get(&id).copied().unwrap_or(id)
    }

    pub(super) fn get(&self, id: ProcessId) -> Option<&Entry> {
        self.by_id.get(&self.exact(id)).and_then(|slot| self.entry(*slot))
    }

    /// The process with the identity that a record of the kernel gives. One that was read from /proc takes the exact identity now.
    pub(super) fn find(&mut self, id: ProcessId) -> Option<Slot> {
        if let Some(slot) = self.by_id.get(&id).or_else(|| self.by_id.get(&self.exact(id))) {
            return Some(*slot);
        }
        let slot = *self.by_tgid.get(&id.tgid)?;
        let entry = self.entry(slot)?;
        let old = entry.process.id;
        if !entry.inexact || !same_start(old.start_ns, id.start_ns) {
            return None;
        }
        self.by_id.remove(&old);
        self.by_id.insert(id, slot);
        self.exact.insert(old, id);
        let entry = self.entry_mut(slot)?;
        entry.inexact = false;
        let mut process = Process::clone(&entry.process);
        process.id = id;
        if process.tree == old {
            process.tree = id;
        }
        entry.process = Arc::new(process);
        Some(slot)
    }

    /// The process that a start time from /proc means: known by it, or by the exact one.
    pub(super) fn find_seeded(&self, id: ProcessId) -> Option<Slot> {
        if let Some(slot) = self.by_id.get(&self.exact(id)) {
            return Some(*slot);
        }
        let slot = *self.by_tgid.get(&id.tgid)?;
        self.entry(slot).filter(|e| same_start(e.process.id.start_ns, id.start_ns)).map(|_| slot)
    }

    /// Adds a living process. Another one with the same pid must have ended unseen.
    pub(super) fn insert(&mut self, mut entry: Entry) -> Slot {
        let id = entry.process.id;
        if let Some(old) = self.by_tgid.get(&id.tgid).copied() {
            let unseen_end = entry.process.id.start_ns;
            self.exit(old, unseen_end);
        }
        if let Some(image) = entry.process.image.clone() {
            let kept = self.hold(image);
            set_image(&mut entry, kept);
        }
        let node = Some(Node { entry, previous: None, next: None });
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.nodes.push(None);
                self.nodes.len() - 1
            }
        };
        if let Some(place) = self.nodes.get_mut(slot) {
            *place = node;
        }
        self.by_id.insert(id, slot);
        self.by_tgid.insert(id.tgid, slot);
        self.append(slot, false);
        while self.live.len > self.limits.live.max(1) {
            let Some(oldest) = self.live.first else { break };
            self.remove(oldest);
            self.stats.live_evicted += 1;
        }
        slot
    }

    /// It acted: the last to be pushed out.
    pub(super) fn touch(&mut self, slot: Slot) {
        if self.live.last != Some(slot) && self.entry(slot).is_some_and(|e| e.exited_ns.is_none()) {
            self.unlink(slot);
            self.append(slot, false);
        }
    }

    /// It ended. A second end changes nothing: false.
    pub(super) fn exit(&mut self, slot: Slot, time_ns: u64) -> bool {
        let Some(entry) = self.entry(slot) else { return false };
        if entry.exited_ns.is_some() {
            return false;
        }
        let tgid = entry.process.id.tgid;
        self.unlink(slot);
        if let Some(entry) = self.entry_mut(slot) {
            entry.exited_ns = Some(time_ns);
        }
        if self.by_tgid.get(&tgid) == Some(&slot) {
            self.by_tgid.remove(&tgid);
        }
        self.append(slot, true);
        while self.dead.len > self.limits.dead {
            self.forget_dead();
        }
        true
    }

    /// Gives a process a new image: what it really keeps may be a shortened one.
    pub(super) fn set_image(&mut self, slot: Slot, image: Arc<Image>) {
        self.drop_image(slot);
        let kept = self.hold(image);
        if let Some(entry) = self.entry_mut(slot) {
            set_image(entry, kept);
        } else {
            self.release(&kept);
        }
    }

    /// Bytes of images that are held now.
    #[cfg(test)]
    pub(super) fn image_bytes(&self) -> usize {
        self.image_bytes
    }

    fn hold(&mut self, image: Arc<Image>) -> Arc<Image> {
        let key = Arc::as_ptr(&image).addr();
        if let Some((count, _)) = self.images.get_mut(&key) {
            *count += 1;
            return image;
        }
        let mut image = image;
        let mut size = size_of_image(&image);
        while self.image_bytes + size > self.limits.image_bytes && self.dead.len > 0 {
            self.forget_dead();
        }
        if self.image_bytes + size > self.limits.image_bytes {
            self.stats.images_trimmed += 1;
            image = Arc::new(trimmed(&image));
            size = size_of_image(&image);
            if self.image_bytes + size > 2 * self.limits.image_bytes {
                image = Arc::new(Image { args_cut: true, ..Image::default() });
                size = size_of_image(&image);
            }
        }
        self.image_bytes += size;
        self.images.insert(Arc::as_ptr(&image).addr(), (1, size));
        image
    }

    fn release(&mut self, image: &Arc<Image>) {
        let key = Arc::as_ptr(image).addr();
        if let Some((count, size)) = self.images.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.image_bytes -= *size;
                self.images.remove(&key);
            }
        }
    }

    fn drop_image(&mut self, slot: Slot) {
        if let Some(image) = self.entry(slot).and_then(|e| e.process.image.clone()) {
            self.release(&image);
        }
    }

    fn forget_dead(&mut self) {
        if let Some(oldest) = self.dead.first {
            self.remove(oldest);
            self.stats.dead_evicted += 1;
        }
    }

    fn remove(&mut self, slot: Slot) {
        self.unlink(slot);
        self.drop_image(slot);
        let Some(node) = self.nodes.get_mut(slot).and_then(Option::take) else { return };
        let id = node.entry.process.id;
        self.by_id.remove(&id);
        if self.by_tgid.get(&id.tgid) == Some(&slot) {
            self.by_tgid.remove(&id.tgid);
        }
        self.free.push(slot);
    }

    fn list(&mut self, dead: bool) -> &mut List {
        if dead { &mut self.dead } else { &mut self.live }
    }

    fn node(&mut self, slot: Option<Slot>) -> Option<&mut Node> {
        self.nodes.get_mut(slot?)?.as_mut()
    }

    fn append(&mut self, slot: Slot, dead: bool) {
        let list = self.list(dead);
        let previous = list.last.replace(slot);
        list.len += 1;
        if previous.is_none() {
            list.first = Some(slot);
        }
        if let Some(node) = self.node(previous) {
            node.next = Some(slot);
        }
        if let Some(node) = self.node(Some(slot)) {
            (node.previous, node.next) = (previous, None);
        }
    }

    fn unlink(&mut self, slot: Slot) {
        let Some(node) = self.node(Some(slot)) else { return };
        let (previous, next, dead) = (node.previous.take(), node.next.take(), node.entry.exited_ns.is_some());
        if let Some(node) = self.node(previous) {
            node.next = next;
        }
        if let Some(node) = self.node(next) {
            node.previous = previous;
        }
        let list = self.list(dead);
        if previous.is_none() {
            list.first = next;
        }
        if next.is_none() {
            list.last = previous;
        }
        list.len -= 1;
    }
}

fn set_image(entry: &mut Entry, image: Arc<Image>) {
    if entry.process.image.as_ref().is_none_or(|i| !Arc::ptr_eq(i, &image)) {
        Arc::make_mut(&mut entry.process).image = Some(image);
    }
}

/// Bytes of the command line that a shortened image keeps; its arguments are gone.
const TRIMMED: usize = 256;

/// About what an image takes: its strings with what each costs beside its bytes.
fn size_of_image(image: &Image) -> usize {
    const PER_STRING: usize = 64;
    let single = [&image.executable, &image.invoked, &image.command_line, &image.interpreter, &image.working_directory];
    let strings = single.into_iter().flatten().chain(&image.args);
    size_of::<Image>() + strings.map(|t| t.bytes().len() + PER_STRING).sum::<usize>()
}

/// The same with no more than the beginning of its command line.
fn trimmed(image: &Image) -> Image {
    let line = image.command_line.as_ref().map(|l| l.bytes().get(..TRIMMED).map_or_else(|| l.clone(), crate::text::Text::from));
    Image { args: Vec::new(), command_line: line, args_cut: true, ..image.clone() }
}
