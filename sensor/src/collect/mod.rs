//! Stage 1: records from the kernel (or a recording), joined and in order of kernel time. Knows nothing of what a record means beyond
//! its header and the parts that a join carries over.

mod blocks;
pub mod encode;
mod join;
pub(crate) use join::has_address;
pub mod order;
pub mod recording;

pub use encode::encode;
pub use order::Collector;

use crate::enrich::snapshot::Context;
use sensor_common::{EventKind, stats::Reason};

/// Where raw records come from: the kernel's rings or a recording.
pub trait Source {
    /// Hands over all records that are there now, the most important ring first, each exactly as it came. Never blocks. One call is
    /// bounded (by the size of the rings, or one frame of a recording), because the collector has to keep what it is handed.
    ///
    /// # Errors
    /// The source is broken (a damaged recording); what came before has been handed over.
    fn drain(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Progress, SourceError>;
}

/// What a [`Source`] knows beside its records.
pub trait Losses {
    /// What was lost since the last call, by kind and reason; only those that are not zero.
    fn losses(&mut self) -> Vec<(EventKind, Reason, u64)>;

    /// What was suppressed by policy since the start, by kind and reason; only those that are not zero.
    fn suppressed(&mut self) -> Vec<(EventKind, Reason, u64)>;

    /// When the last [`Source::drain`] began, boot nanoseconds, if the source knows better than the clock: what comes later is hardly
    /// older. Only recordings know.
    fn drained_ns(&self) -> Option<u64> {
        None
    }

    /// Cgroups, users and clock corrections that belong before the records of the next [`Source::drain`]. Only recordings have them.
    fn context(&mut self) -> Vec<Context> {
        Vec::new()
    }

    /// Stops making records; those that were made can still be drained. The first step of a shutdown.
    fn detach(&mut self) {}
}

/// Whether a [`Source`] may still have something later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More may come.
    Open,
    /// That was the last record.
    End,
}

/// A [`Source`] cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);
