//! Stage 5: ways out. One file per sink.

use crate::{events::Event, finding::Finding};
use std::sync::Arc;

/// One item of the stream. Sequence numbers have no gaps: a reader that misses one knows that it missed something.
#[derive(Clone, Debug)]
pub struct Item {
    /// From 1, in the order of the stream, per run of the sensor.
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
}
