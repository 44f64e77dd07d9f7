//! How a process comes to be and changes: from a header, a fork, an exec, a move to another cgroup; and which process tree it belongs to.

use super::{
    Enricher,
    cgroups::Cgroup,
    comm, credentials, parent_of,
    table::{Entry, Slot},
};
use crate::{
    events::fork,
    process::{Container, Image, Process, ProcessId},
};
use sensor_common::Task;
use std::sync::Arc;

impl Enricher {
    /// Makes a process from what a header says of it.
    pub(super) fn create(&mut self, task: &Task, image: Option<Arc<Image>>, ns_init: bool, inexact: bool) -> Slot {
        let id = ProcessId { tgid: task.tgid, start_ns: task.start_ns };
        let parent = self.table.exact(parent_of(task));
        let cgroup = self.cgroups.get(task.cgroup_id, task.tgid);
        let container = cgroup.as_ref().and_then(|c| c.container.clone()).or_else(|| self.v1_container(task.tgid));
        let credentials = credentials(task);
        let process = Process {
            id,
            parent,
            tree: self.tree(id, parent, credentials.session_id, container.as_ref()),
            image,
            comm: self.comm(task),
            credentials,
            user_name: self.users.name(task.uid).cloned(),
            pid_ns: task.pid_ns,
            mnt_ns: task.mnt_ns,
            cgroup_id: task.cgroup_id,
            cgroup: cgroup.map(|c| c.path),
            container,
        };
        let names_inexact = self.is_inexact(process.parent) || self.is_inexact(process.tree);
        self.table.insert(Entry { process: Arc::new(process), ns_init, inexact, names_inexact, exited_ns: None })
    }

    /// Brings a process up to what a record's header says.
    pub(super) fn refresh(&mut self, slot: Slot, task: &Task) {
        let Some(entry) = self.table.entry(slot) else { return };
        let same = !entry.names_inexact && is_as(&entry.process, task);
        if same && (entry.process.cgroup.is_some() || self.cgroups.get(task.cgroup_id, task.tgid).is_none()) {
            return;
        }
        let old = entry.process.clone();
        let mut new = Process::clone(&old);
        (new.parent, new.tree) = (self.table.exact(old.parent), self.table.exact(old.tree));
        new.credentials = credentials(task);
        if new.comm.bytes() != comm(task) {
            new.comm = self.comm(task);
        }
        if old.user_name.is_none() || old.credentials.uid != task.uid {
            new.user_name = self.users.name(task.uid).cloned();
        }
        (new.pid_ns, new.mnt_ns) = (task.pid_ns, task.mnt_ns);
        if old.cgroup.is_none() || old.cgroup_id != task.cgroup_id {
            let cgroup = self.cgroups.get(task.cgroup_id, task.tgid);
            self.regroup(&old, &mut new, cgroup, task.cgroup_id);
        }
        if new.credentials.session_id != old.credentials.session_id {
            new.tree = new.id;
        }
        let names_inexact = self.is_inexact(new.parent) || self.is_inexact(new.tree);
        if let Some(entry) = self.table.entry_mut(slot) {
            entry.names_inexact = names_inexact;
            entry.process = Arc::new(new);
        }
    }

    /// Puts a process into a cgroup. Another container than before begins a tree; where the cgroup was not known before, the parent's
    /// container decides.
    fn regroup(&self, old: &Process, new: &mut Process, cgroup: Option<Cgroup>, id: u64) {
        new.cgroup_id = id;
        let container = cgroup.as_ref().and_then(|c| c.container.clone());
        // On a hybrid host the v2 path may say nothing while a v1 path does: what was found out from that stays.
        let unknown = container.is_none() && (cgroup.is_none() || self.cgroups.is_hybrid());
        new.cgroup = cgroup.map(|c| c.path);
        if unknown {
            return;
        }
        new.container = container;
        if same_container(old.container.as_ref(), new.container.as_ref()) {
            return;
        }
        new.tree = match old.cgroup {
            Some(_) => new.id,
            None => self.tree(new.id, new.parent, new.credentials.session_id, new.container.as_ref()),
        };
    }

    /// A successful exec.
    pub(super) fn executed(&mut self, slot: Slot, image: Arc<Image>, task: &Task) {
        self.table.set_image(slot, image);
        if !self.cgroups.is_hybrid() || self.table.entry(slot).is_none_or(|e| e.process.container.is_some()) {
            return;
        }
        // The v2 id does not change when a runtime moves a process into a container of a v1 hierarchy; exec comes right after.
        if let Some(container) = self.v1_container(task.tgid)
            && let Some(entry) = self.table.entry_mut(slot)
        {
            let process = Arc::make_mut(&mut entry.process);
            process.container = Some(container);
            process.tree = process.id;
        }
    }

    /// A new process: its parent's image, credentials and place, its own identity.
    pub(super) fn forked(&mut self, parent: Slot, wire: &sensor_common::events::fork::Fork) -> Option<Arc<Process>> {
        let (id, ns_init) = fork::child(wire);
        let from = self.table.entry(parent)?.process.clone();
        if let Some(slot) = self.table.find(id) {
            return self.late_fork(slot, &from);
        }
        let tree = self.tree(id, from.id, from.credentials.session_id, from.container.as_ref());
        let process = Arc::new(Process { id, parent: from.id, tree, ..Process::clone(&from) });
        let names_inexact = self.is_inexact(process.parent) || self.is_inexact(process.tree);
        let entry = Entry { process: process.clone(), ns_init, inexact: false, names_inexact, exited_ns: None };
        self.table.insert(entry);
        Some(process)
    }

    /// The child was known before its fork: a record of it, or the seed from /proc, came first.
    fn late_fork(&mut self, slot: Slot, parent: &Process) -> Option<Arc<Process>> {
        let known = self.table.entry(slot)?.process.clone();
        if known.image.is_none()
            && let Some(image) = &parent.image
        {
            self.table.set_image(slot, image.clone());
        }
        let tree = if known.tree == known.id && known.parent != parent.id {
            self.tree(known.id, parent.id, known.credentials.session_id, known.container.as_ref())
        } else {
            known.tree
        };
        let entry = self.table.entry_mut(slot)?;
        let process = Arc::make_mut(&mut entry.process);
        (process.parent, process.tree) = (parent.id, tree);
        Some(entry.process.clone())
    }

    /// The tree of a process with this parent, session and container.
    fn tree(&self, id: ProcessId, parent: ProcessId, session: Option<u32>, container: Option<&Arc<Container>>) -> ProcessId {
        match self.table.get(parent) {
            Some(p) if p.ns_init || p.process.id.tgid == 0 => id,
            Some(p) if p.process.credentials.session_id != session => id,
            Some(p) if !same_container(p.process.container.as_ref(), container) => id,
            Some(p) => self.table.exact(p.process.tree),
            None => id,
        }
    }
}

/// Whether all that a header can change is as the header says.
fn is_as(process: &Process, task: &Task) -> bool {
    process.credentials == credentials(task)
        && (process.cgroup_id, process.pid_ns, process.mnt_ns) == (task.cgroup_id, task.pid_ns, task.mnt_ns)
        && process.comm.bytes() == comm(task)
}

fn same_container(a: Option<&Arc<Container>>, b: Option<&Arc<Container>>) -> bool {
    a.map(|c| &c.id) == b.map(|c| &c.id)
}
