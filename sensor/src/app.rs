//! Wires the stages: source → collect → enrich → score → outlets, and stops them in order.
//!
//! The hot path is one plain thread ([`pipeline::run`]): it looks at the source every 5 to 20 ms instead of being woken for each record.
//! Everything slow (printing, the network) is behind a bounded hand-over ([`outlet`]): findings wait for it, events that find no room
//! are counted and reported as lost.

pub mod outlet;
pub mod pipeline;
pub mod stop;

use crate::{events::Event, finding::Finding, process::Process, sink::Item};
use sensor_common::{EventKind, stats::Reason};
use std::sync::Arc;

/// Evaluates rules: what the pipeline needs of `score`.
pub trait Score {
    /// Adds the findings of an event. `ancestors` (parent first) are only asked for if they are needed.
    fn evaluate(&mut self, event: &Arc<Event>, ancestors: &mut dyn FnMut() -> Vec<Arc<Process>>, out: &mut Vec<Finding>);
}

/// Takes what comes out of the pipeline.
pub trait Outlet {
    /// Takes an item. Waits only for findings (and in a replay).
    fn publish(&mut self, item: Item);

    /// What it could not take since the last call.
    fn lost(&mut self) -> Vec<(EventKind, Reason, u64)>;
}
