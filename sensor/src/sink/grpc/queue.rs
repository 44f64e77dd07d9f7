//! One subscriber's queue: bounded in items and bytes, never waited for, exact about what it could not take.

use crate::sink::{Body, Gap, Item};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// How much a subscriber may leave waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Items. Findings and loss reports get a quarter more, so that a flood of events does not push them out.
    pub items: usize,
    /// Bytes that they keep alive, about.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { items: 8192, bytes: 32 << 20 }
    }
}

/// The publisher's side.
pub(super) struct Queue {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    items: VecDeque<(usize, Item)>,
    bytes: usize,
    /// What was lost behind the last item of the queue.
    gap: Option<Gap>,
    /// No more will come.
    closed: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if it did, the state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the item, or counts it as lost. Returns whether it was taken.
    pub(super) fn push(&self, item: &Item, weight: usize) -> bool {
        let waker = {
            let mut state = self.state();
            if state.closed {
                return true; // Not lost: nobody asks for it any more.
            }
            if self.has_room(&state, item, weight) {
                if let Some(gap) = state.gap.take() {
                    state.items.push_back((0, Item { sequence: 0, body: Body::Gap(gap) }));
                }
                state.bytes = state.bytes.saturating_add(weight);
                state.items.push_back((weight, item.clone()));
                state.waker.take()
            } else {
                let gap = state.gap.get_or_insert(Gap { count: 0, first: item.sequence, last: item.sequence });
                gap.count = gap.count.saturating_add(1);
                gap.last = item.sequence;
                return false;
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    fn has_room(&self, state: &State, item: &Item, weight: usize) -> bool {
        let urgent = matches!(item.body, Body::Finding(_)) || item.is_loss();
        let limit = |of: usize| match (urgent, state.gap.is_some()) {
            (true, _) => of.saturating_add(of / 4),
            // After a loss events wait until half of the queue is free: few long gaps tell more than many short ones.
            (false, true) => of / 2,
            (false, false) => of,
        };
        let entries = state.items.len().saturating_add(usize::from(state.gap.is_some()));
        entries < limit(self.limits.items) && (state.items.is_empty() || state.bytes.saturating_add(weight) <= limit(self.limits.bytes))
    }

    /// What is queued is still delivered, then the stream ends.
    pub(super) fn close(&self) {
        let waker = {
            let mut state = self.state();
            state.closed = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The subscriber's side: a stream that ends when the hub closes. Dropping it unsubscribes.
pub struct Subscription {
    pub(super) queue: Arc<Queue>,
    pub(super) on_drop: Box<dyn Fn() + Send + Sync>,
}

impl Subscription {
    /// The next item, the report of what was lost in front of it included; `None` at the end.
    pub fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let mut state = self.queue.state();
        if let Some((weight, item)) = state.items.pop_front() {
            state.bytes = state.bytes.saturating_sub(weight);
            return Poll::Ready(Some(item));
        }
        if let Some(gap) = state.gap.take() {
            return Poll::Ready(Some(Item { sequence: 0, body: Body::Gap(gap) }));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The next item, if there is one now.
    pub fn try_next(&mut self) -> Option<Item> {
        match self.poll_item(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(item) => item,
            Poll::Pending => None,
        }
    }
}

impl tokio_stream::Stream for Subscription {
    type Item = Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.get_mut().poll_item(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.queue.close();
        (self.on_drop)();
    }
}
