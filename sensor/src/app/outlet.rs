//! The hand-over from the hot path to whoever prints: a bounded queue and a thread behind it. Findings and loss reports wait for room;
//! events that find none are counted, and reported as lost.

use super::{Outlet, stop::Stop};
use crate::sink::{Body, Item};
use sensor_common::{EventKind, stats::Reason};
use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    thread::{self, JoinHandle},
};

/// Prints items, on a thread of its own.
pub trait Print: Send + 'static {
    /// Why it cannot go on.
    type Error: Send + 'static;

    /// Prints an item, or keeps it until [`Self::flush`].
    ///
    /// # Errors
    /// Nothing can be printed any more.
    fn print(&mut self, item: &Item) -> Result<(), Self::Error>;

    /// Nothing more comes for now.
    ///
    /// # Errors
    /// Nothing can be printed any more.
    fn flush(&mut self) -> Result<(), Self::Error>;
}

/// What the queue does with events when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Counts them: the kernel does not wait.
    LoseEvents,
    /// Waits: a recording does.
    Wait,
}

/// The hot path's end of the queue.
#[derive(Debug)]
pub struct Queue {
    sender: SyncSender<Item>,
    /// Events are wanted at all.
    events: bool,
    when_full: WhenFull,
    lost: BTreeMap<EventKind, u64>,
}

/// The printer's thread; its result is why it ended early.
pub type Printing<E> = JoinHandle<Result<(), E>>;

/// Starts a printer behind a queue of so many items. If it fails, everything is asked to stop. It ends when the queue is dropped.
///
/// # Errors
/// No thread can be made.
pub fn start<P: Print>(
    mut printer: P,
    items: usize,
    events: bool,
    when_full: WhenFull,
    stop: Stop,
) -> std::io::Result<(Queue, Printing<P::Error>)> {
    let (sender, receiver) = sync_channel(items);
    let printing = thread::Builder::new().name("printer".into()).spawn(move || {
        let result = print_all(&mut printer, &receiver);
        if result.is_err() {
            stop.set();
        }
        result
    })?;
    Ok((Queue { sender, events, when_full, lost: BTreeMap::new() }, printing))
}

fn print_all<P: Print>(printer: &mut P, items: &Receiver<Item>) -> Result<(), P::Error> {
    loop {
        let item = match items.try_recv() {
            Ok(item) => item,
            Err(TryRecvError::Disconnected) => return printer.flush(),
            Err(TryRecvError::Empty) => {
                printer.flush()?;
                match items.recv() {
                    Ok(item) => item,
                    Err(_) => return Ok(()),
                }
            }
        };
        printer.print(&item)?;
    }
}

impl Outlet for Queue {
    fn publish(&mut self, item: Item) {
        let event = match &item.body {
            Body::Event(event) if event.kind() != EventKind::Loss => Some(event.kind()),
            _ => None,
        };
        // A closed queue means that the printer has failed; it has asked everybody to stop and says why itself.
        match event {
            Some(_) if !self.events => {}
            Some(kind) if self.when_full == WhenFull::LoseEvents => {
                if let Err(TrySendError::Full(_)) = self.sender.try_send(item) {
                    *self.lost.entry(kind).or_default() += 1;
                }
            }
            _ => drop(self.sender.send(item)),
        }
    }

    fn lost(&mut self) -> Vec<(EventKind, Reason, u64)> {
        std::mem::take(&mut self.lost).into_iter().map(|(kind, n)| (kind, Reason::OutputFull, n)).collect()
    }
}
