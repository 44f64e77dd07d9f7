//! One JSON object per line in the names of the Elastic Common Schema, nested; what that does not have is under `sensor.`.
//!
//! A field that is not known or does not apply is absent, and so is a yes-or-no field that is no. Bytes that are not UTF-8 become U+FFFD and
//! the object says `sensor.lossy` then; control and direction-changing characters are escaped, so a terminal is safe. Everything is
//! written straight into the caller's buffer: no values in between.

mod event;
mod finding;
mod object;
mod process;

use super::{Body, Item, Origin};
use crate::{events::Event, process::ProcessId};
pub(super) use event::doubts;
pub(super) use finding::tactic;
use object::{Json, Object};
pub(super) use process::image;
use sensor_common::EventKind;

/// Version of the Elastic Common Schema that the names are from.
pub const ECS_VERSION: &str = "9.0.0";

/// Writes items of one origin.
#[derive(Clone, Debug)]
pub struct Writer {
    /// The fields that are the same for all items, as JSON.
    head: Vec<u8>,
    /// The boot id, escaped.
    boot_id: Vec<u8>,
    origin: Origin,
}

impl Writer {
    /// For items that come from `origin`.
    pub fn new(origin: &Origin) -> Self {
        let mut head = Vec::new();
        Json::new(&mut head).object(|o| {
            o.object("ecs", |o| o.str("version", ECS_VERSION));
            o.object("agent", |o| {
                o.str("type", "sensor");
                o.str("version", &origin.sensor_version);
            });
            o.object("host", |o| {
                o.str("name", &origin.host_name);
                o.object("boot", |o| o.str("id", &origin.boot_id));
            });
        });
        // Without the braces.
        head.pop();
        head.remove(0);
        let mut boot_id = Vec::new();
        Json::new(&mut boot_id).escaped(origin.boot_id.as_bytes());
        Self { head, boot_id, origin: origin.clone() }
    }

    /// Where the items come from.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Appends one item and a line break.
    pub fn write(&self, item: &Item, out: &mut Vec<u8>) {
        Json::new(out).object(|o| match &item.body {
            Body::Event(event) => {
                self.top(o, event);
                event::write(o, self, event, None, |o| o.number("sequence", item.sequence));
            }
            Body::Finding(finding) => {
                self.top(o, &finding.event);
                event::write(o, self, &finding.event, Some(finding), |o| o.number("sequence", item.sequence));
            }
            Body::Gap(gap) => {
                o.raw(&self.head);
                o.object("event", |o| {
                    o.str("kind", "metric");
                    o.strs("category", ["host"]);
                    o.strs("type", ["info"]);
                    o.str("action", EventKind::Loss.as_str());
                });
                o.object("sensor", |o| {
                    o.object("loss", |o| {
                        o.str("reason", sensor_common::stats::Reason::OutputFull.as_str());
                        o.number("count", gap.count);
                        o.number("first_sequence", gap.first);
                        o.number("last_sequence", gap.last);
                    });
                });
            }
        });
        out.push(b'\n');
    }

    fn top(&self, o: &mut Object<'_, '_>, event: &Event) {
        o.time("@timestamp", event.wall_ns);
        o.raw(&self.head);
    }

    fn entity_id(&self, o: &mut Object<'_, '_>, key: &str, id: ProcessId) {
        o.entity(key, &self.boot_id, id);
    }
}

#[cfg(test)]
mod tests;
