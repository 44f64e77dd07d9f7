//! Hands items to all subscribers. Publishing never waits for any of them: who is too slow loses, and is told.

use super::{
    filter::Filter,
    queue::{Limits, Queue, Subscription},
};
use crate::{
    sink::Item,
    telemetry::{Counter, Counters},
};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicUsize, Ordering},
};

/// Subscribers at the same time, at most: each may keep [`Limits`] of memory.
pub const SUBSCRIBERS_MAX: usize = 64;

/// Where items go in and subscriptions come out. Clones are the same hub.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    limits: Limits,
    counters: Arc<Counters>,
    subscribers: Mutex<Subscribers>,
    /// Their number, so that publishing costs nothing while there are none.
    active: AtomicUsize,
}

#[derive(Default)]
struct Subscribers {
    list: Vec<(Filter, Arc<Queue>)>,
    closed: bool,
}

/// No subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// There are [`SUBSCRIBERS_MAX`] already.
    #[error("there are {SUBSCRIBERS_MAX} subscribers already")]
    TooMany,
    /// The hub was closed.
    #[error("the sensor is stopping")]
    Closed,
}

impl Hub {
    /// A hub without subscribers.
    pub fn new(limits: Limits, counters: Arc<Counters>) -> Self {
        Self(Arc::new(Shared { limits, counters, subscribers: Mutex::default(), active: AtomicUsize::new(0) }))
    }

    /// Offers an item to all subscribers. Never waits for one of them.
    pub fn publish(&self, item: &Item) {
        if self.0.active.load(Ordering::Acquire) == 0 {
            return;
        }
        let weight = item.weight();
        for (filter, queue) in &self.0.subscribers().list {
            if filter.passes(item) {
                let taken = queue.push(item, weight);
                self.0.counters.add(if taken { Counter::SinkGrpcQueued } else { Counter::SinkGrpcLost }, 1);
            }
        }
    }

    /// Everything that passes `filter` from now on.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe(&self, filter: Filter) -> Result<Subscription, SubscribeError> {
        let mut subscribers = self.0.subscribers();
        if subscribers.closed {
            return Err(SubscribeError::Closed);
        }
        if subscribers.list.len() >= SUBSCRIBERS_MAX {
            return Err(SubscribeError::TooMany);
        }
        let queue = Arc::new(Queue::new(self.0.limits));
        subscribers.list.push((filter, Arc::clone(&queue)));
        self.0.active.store(subscribers.list.len(), Ordering::Release);
        let (shared, mine): (Weak<Shared>, _) = (Arc::downgrade(&self.0), Arc::downgrade(&queue));
        let on_drop = Box::new(move || {
            if let Some(shared) = shared.upgrade() {
                let mut subscribers = shared.subscribers();
                subscribers.list.retain(|(_, queue)| !std::ptr::eq(Arc::as_ptr(queue), mine.as_ptr()));
                shared.active.store(subscribers.list.len(), Ordering::Release);
            }
        });
        Ok(Subscription { queue, on_drop })
    }

    /// How many subscribers there are.
    pub fn subscribers(&self) -> usize {
        self.0.active.load(Ordering::Acquire)
    }

    /// Ends all subscriptions when they have delivered what is queued; there will be no new ones.
    pub fn close(&self) {
        let mut subscribers = self.0.subscribers();
        subscribers.closed = true;
        for (_, queue) in &subscribers.list {
            queue.close();
        }
    }
}

impl Shared {
    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::Level,
        sink::{Body, Gap, sample},
    };

    fn hub(items: usize, bytes: usize) -> (Hub, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        (Hub::new(Limits { items, bytes }, Arc::clone(&counters)), counters)
    }

    fn event(sequence: u64) -> Item {
        let body = sample::bodies().swap_remove(2);
        Item { sequence, body: Body::Event(Arc::new(sample::event(sample::shell(), body))) }
    }

    fn drain(s: &mut Subscription) -> Vec<(u64, Option<Gap>)> {
        std::iter::from_fn(|| s.try_next()).map(|i| (i.sequence, if let Body::Gap(g) = i.body { Some(g) } else { None })).collect()
    }

    fn all() -> Filter {
        Filter { events: true, ..Filter::default() }
    }

    #[test]
    fn a_slow_subscriber_is_told_exactly_what_it_lost_and_nobody_else_is() {
        let (hub, counters) = hub(8, usize::MAX);
        let mut slow = hub.subscribe(all()).unwrap();
        let mut fast = hub.subscribe(all()).unwrap();
        for n in 1..=20 {
            hub.publish(&event(n));
            assert_eq!(drain(&mut fast), [(n, None)]);
        }
        let got = drain(&mut slow);
        let expected: Vec<_> = (1..=8).map(|n| (n, None)).chain([(0, Some(Gap { count: 12, first: 9, last: 20 }))]).collect();
        assert_eq!(got, expected);
        assert_eq!(counters.get(Counter::SinkGrpcLost), 12);
        assert_eq!(counters.get(Counter::SinkGrpcQueued), 28);
        hub.publish(&event(21));
        assert_eq!(drain(&mut slow), [(21, None)]);
    }

    #[test]
    fn the_gap_is_reported_where_it_is() {
        let (hub, _) = hub(4, usize::MAX);
        let mut slow = hub.subscribe(all()).unwrap();
        (1..=6).for_each(|n| hub.publish(&event(n)));
        // Two read, two waiting and the gap: not half empty yet, so 7 is lost as well; after a third one there is room.
        assert_eq!((slow.try_next().map(|i| i.sequence), slow.try_next().map(|i| i.sequence)), (Some(1), Some(2)));
        hub.publish(&event(7));
        assert_eq!(slow.try_next().map(|i| i.sequence), Some(3));
        assert_eq!(slow.try_next().map(|i| i.sequence), Some(4));
        hub.publish(&event(8));
        assert_eq!(drain(&mut slow), [(0, Some(Gap { count: 3, first: 5, last: 7 })), (8, None)]);
    }

    #[test]
    fn a_flood_of_events_does_not_push_out_a_finding() {
        let (hub, _) = hub(8, usize::MAX);
        let mut slow = hub.subscribe(all()).unwrap();
        (1..=100).for_each(|n| hub.publish(&event(n)));
        let body = sample::bodies().swap_remove(0);
        let finding = Body::Finding(Arc::new(sample::finding(sample::event(sample::shell(), body), Level::High)));
        hub.publish(&Item { sequence: 101, body: finding });
        let got = drain(&mut slow);
        assert_eq!(got.get(8..), Some(&[(0, Some(Gap { count: 92, first: 9, last: 100 })), (101, None)][..]));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let weight = event(1).weight();
        let (hub, _) = hub(1000, weight * 3);
        let mut slow = hub.subscribe(all()).unwrap();
        (1..=5).for_each(|n| hub.publish(&event(n)));
        assert_eq!(drain(&mut slow), [(1, None), (2, None), (3, None), (0, Some(Gap { count: 2, first: 4, last: 5 }))]);
    }

    #[test]
    fn subscribers_are_bounded_and_leave_when_dropped() {
        let (hub, _) = hub(8, usize::MAX);
        let mut all: Vec<_> = (0..SUBSCRIBERS_MAX).map(|_| hub.subscribe(Filter::default()).unwrap()).collect();
        assert_eq!(hub.subscribe(Filter::default()).err(), Some(SubscribeError::TooMany));
        all.pop();
        assert_eq!(hub.subscribers(), SUBSCRIBERS_MAX - 1);
        assert!(hub.subscribe(Filter::default()).is_ok());
    }

    #[tokio::test]
    async fn closing_delivers_what_is_queued_and_then_ends() {
        use tokio_stream::StreamExt;
        let (hub, _) = hub(8, usize::MAX);
        let mut s = hub.subscribe(all()).unwrap();
        hub.publish(&event(1));
        hub.close();
        hub.publish(&event(2));
        assert_eq!(s.next().await.map(|i| i.sequence), Some(1));
        assert!(s.next().await.is_none());
        assert_eq!(hub.subscribe(all()).err(), Some(SubscribeError::Closed));
    }
}
