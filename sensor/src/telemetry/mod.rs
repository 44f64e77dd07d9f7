//! What the sensor says of itself: counters of all stages and its health. No exporter; sinks and the final report read snapshots.

mod counters;
mod health;

pub use counters::{Counter, Counters, Snapshot, Unit};
pub use health::{Health, State};
