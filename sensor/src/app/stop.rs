//! The wish to stop, shared by signals, the time limit, the printer and the pipeline.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Clones share the wish.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on everybody is asked to stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody has asked.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
