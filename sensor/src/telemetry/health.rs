//! Whether the sensor does its work, as health checks and the heartbeat say it. Who decides that is the application.

use super::{Counters, Snapshot};
use std::sync::{Arc, Mutex, PoisonError};

/// What the sensor is able to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not ready yet.
    #[default]
    Starting,
    /// All that was asked for is seen.
    Ready,
    /// Something is not seen: which hooks, and why.
    Degraded(Vec<String>),
    /// Nothing is seen any more: it is about to end.
    Stopping,
}

impl State {
    /// Name as users see it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded(_) => "degraded",
            Self::Stopping => "stopping",
        }
    }

    /// Whether events come at all. A blind sensor is never said to serve.
    pub const fn serves(&self) -> bool {
        matches!(self, Self::Ready | Self::Degraded(_))
    }
}

/// State and counters together. Clones are the same health.
#[derive(Clone, Debug, Default)]
pub struct Health {
    state: Arc<Mutex<State>>,
    counters: Arc<Counters>,
}

impl Health {
    /// Of the stages that count in `counters`.
    pub fn new(counters: Arc<Counters>) -> Self {
        Self { state: Arc::default(), counters }
    }

    /// Sets the state.
    pub fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// The state now.
    pub fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The counters.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Values of all counters now.
    pub fn snapshot(&self) -> Snapshot {
        self.counters.snapshot()
    }
}
