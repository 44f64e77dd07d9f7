//! Stage 5: ways out. One file per sink; what they share is here. A sink never changes what it is given.
#![forbid(unsafe_code)]

pub mod grpc;
pub mod json;
pub mod printer;
#[cfg(test)]
pub(crate) mod sample;
pub mod stdout;
pub mod text;

use crate::{
    events::Event,
    finding::{Finding, Level},
    process::{Process, ProcessId},
};
pub use printer::{Format, Printer};
use sensor_common::EventKind;
use std::{fmt, sync::Arc};

/// One item of the stream. Sequence numbers have no gaps: a reader that misses one knows that it missed something.
#[derive(Clone, Debug)]
pub struct Item {
    /// From 1, in the order of the stream, per run of the sensor; 0 for what is made for one receiver only ([`Body::Gap`]).
    pub sequence: u64,
    /// What it is.
    pub body: Body,
}

/// Kinds of stream items.
#[derive(Clone, Debug)]
pub enum Body {
    /// An event (a loss report is one, too).
    Event(Arc<Event>),
    /// A scored match.
    Finding(Arc<Finding>),
    /// One receiver was too slow: what it did not get. Made by [`grpc::Hub`] for that receiver, nobody else sees it.
    Gap(Gap),
}

/// Items that a slow receiver did not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// How many, of those that would have passed its filters.
    pub count: u64,
    /// Sequence number of the first one.
    pub first: u64,
    /// Sequence number of the last one.
    pub last: u64,
}

impl Item {
    /// The event it is about: for a finding the one that matched.
    pub fn event(&self) -> Option<&Event> {
        match &self.body {
            Body::Event(event) => Some(event),
            Body::Finding(finding) => Some(&finding.event),
            Body::Gap(_) => None,
        }
    }

    /// Level of a finding.
    pub fn level(&self) -> Option<Level> {
        match &self.body {
            Body::Finding(finding) => Some(finding.rule.level),
            Body::Event(_) | Body::Gap(_) => None,
        }
    }

    /// Says that something is missing. Such items pass every filter.
    pub fn is_loss(&self) -> bool {
        match &self.body {
            Body::Event(event) => event.kind() == EventKind::Loss,
            Body::Finding(_) => false,
            Body::Gap(_) => true,
        }
    }

    /// About how many bytes it keeps alive, counting what is shared with other items in full.
    pub(crate) fn weight(&self) -> usize {
        const FIXED: usize = 1024; // The structs themselves and their short strings.
        let image = |p: &Process| p.image.as_ref().map_or(0, |i| i.command_line.as_ref().map_or(0, |c| c.bytes().len().saturating_mul(2)));
        let event = self.event().map_or(0, |e| {
            let paths = e.file().map_or(0, |f| f.path.as_ref().map_or(0, |p| p.bytes().len()));
            image(&e.process).saturating_add(e.parent.as_deref().map_or(0, image)).saturating_add(paths)
        });
        let more = match &self.body {
            Body::Finding(f) => f.ancestors.iter().fold(0_usize, |sum, p| sum.saturating_add(image(p)).saturating_add(FIXED)),
            Body::Event(_) | Body::Gap(_) => 0,
        };
        event.saturating_add(more).saturating_add(FIXED)
    }
}

/// Where a stream comes from: which machine, which boot of it, which sensor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// `/proc/sys/kernel/random/boot_id` of the machine that the events come from (of the recording's, in a replay).
    pub boot_id: Arc<str>,
    /// Its name.
    pub host_name: Arc<str>,
    /// Version of the sensor.
    pub sensor_version: Arc<str>,
}

impl Origin {
    /// This machine and this program.
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().into();
        Self {
            boot_id: read("/proc/sys/kernel/random/boot_id"),
            host_name: rustix::system::uname().nodename().to_string_lossy().into(),
            sensor_version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// The id of a process that is unique over machines, boots and pid reuse: `boot id:pid:start time`.
    pub fn entity_id(&self, id: ProcessId) -> EntityId<'_> {
        EntityId { boot_id: &self.boot_id, id }
    }
}

/// Displays as `process.entity_id`.
#[derive(Clone, Copy, Debug)]
pub struct EntityId<'a> {
    boot_id: &'a str,
    id: ProcessId,
}

impl fmt::Display for EntityId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.boot_id, self.id.tgid, self.id.start_ns)
    }
}
