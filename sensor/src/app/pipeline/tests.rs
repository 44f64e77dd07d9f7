//! The whole pipeline with a source, rules and outlets made by hand.

use super::*;
use crate::{
    app::outlet::{self, Print, WhenFull},
    collect::recording::{Host, Reader, Writer},
    enrich::table::Limits,
    events::Event,
    process::Process,
};
use sensor_common::{
    Header, Tier,
    events::{exit::Exit, open::Open},
};
use std::{
    collections::VecDeque,
    sync::{Mutex, mpsc},
};

/// Batches of records, then the end (or an error).
struct Script {
    batches: VecDeque<Vec<Vec<u8>>>,
    lost: Vec<(EventKind, Reason, u64)>,
    detached: bool,
    endless: bool,
    fail: bool,
}

impl Script {
    fn new(batches: impl IntoIterator<Item = Vec<Vec<u8>>>) -> Self {
        Self { batches: batches.into_iter().collect(), lost: Vec::new(), detached: false, endless: false, fail: false }
    }
}

impl Source for Script {
    fn drain(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Progress, SourceError> {
        match self.batches.pop_front() {
            Some(batch) => {
                batch.iter().for_each(|r| each(r));
                Ok(Progress::Open)
            }
            None if self.fail => Err(SourceError("broken".into())),
            None if self.endless => Ok(Progress::Open),
            None => Ok(Progress::End),
        }
    }
}

impl Losses for Script {
    fn losses(&mut self) -> Vec<(EventKind, Reason, u64)> {
        std::mem::take(&mut self.lost)
    }

    fn suppressed(&mut self) -> Vec<(EventKind, Reason, u64)> {
        vec![(EventKind::Open, Reason::ReadFiltered, 3)]
    }

    fn detach(&mut self) {
        self.detached = true;
    }
}

/// No rules.
struct Nothing;

impl Score for Nothing {
    fn evaluate(&mut self, _: &Arc<Event>, _: &mut dyn FnMut() -> Vec<Arc<Process>>, _: &mut Vec<Finding>) {}
}

/// Keeps items as `sequence kind time`.
#[derive(Default)]
struct Keep(Vec<(u64, EventKind, u64)>);

impl Outlet for Keep {
    fn publish(&mut self, item: Item) {
        if let Body::Event(e) = &item.body {
            self.0.push((item.sequence, e.kind(), e.time_ns));
        }
    }

    fn lost(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }
}

fn header(time_ns: u64) -> Header {
    Header { time_ns, tier: Tier::BtfTracepoint as u8, task: Task { tgid: 9, tid: 9, ..Task::default() }, ..Header::default() }
}

/// The end of a process of its own: the same one does not end twice.
fn exit(time_ns: u64) -> Vec<u8> {
    let mut header = header(time_ns);
    header.task.start_ns = time_ns;
    encode(header, &Exit::default(), &[])
}

fn stages<S>(source: S) -> Stages<S, Nothing> {
    Stages {
        source,
        collector: Collector::new(order::Options::default()),
        enricher: Enricher::replay(Limits::default()),
        score: Nothing,
        counters: Arc::default(),
    }
}

#[test]
fn items_come_in_order_with_numbers_without_gaps_and_losses_among_them() {
    let mut source = Script::new([vec![exit(5), exit(3), b"junk".to_vec()], vec![exit(4)]]);
    source.lost = vec![(EventKind::Open, Reason::RingFull, 7)];
    let mut keep = Keep::default();
    let mut stages = stages(source);
    let (summary, end) = run(&mut stages, &mut keep, Time::Records, None, &Stop::default());
    assert!(end.is_ok());
    assert_eq!(keep.0.iter().map(|i| i.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(keep.0.iter().filter(|i| i.1 == EventKind::Exit).map(|i| i.2).collect::<Vec<_>>(), [3, 4, 5]);
    let lost = [((EventKind::Open, Reason::RingFull), 7), ((EventKind::Loss, Reason::Malformed), 1)];
    assert_eq!(summary.lost, BTreeMap::from(lost));
    assert_eq!(summary.events, BTreeMap::from([(EventKind::Exit, 3), (EventKind::Loss, 2)]));
    assert_eq!(summary.suppressed[&(EventKind::Open, Reason::ReadFiltered)], 3);
    assert_eq!((stages.counters.get(Counter::CollectRecords), stages.counters.get(Counter::KernelLost)), (6, 7));
    assert!(summary.report().contains("open LOST: ring_full"), "{}", summary.report());
}

#[test]
fn a_broken_source_ends_the_run_after_what_was_good() {
    let mut source = Script::new([vec![exit(1), exit(2)]]);
    source.fail = true;
    let mut keep = Keep::default();
    let (summary, end) = run(&mut stages(source), &mut keep, Time::Records, None, &Stop::default());
    assert_eq!((summary.total(), keep.0.len(), end.unwrap_err().0.as_str()), (2, 2, "broken"));
}

#[test]
fn a_stop_detaches_drains_and_releases_everything() {
    let mut source = Script::new([vec![exit(clock::boot_ns())], vec![exit(clock::boot_ns())]]);
    source.endless = true;
    let stop = Stop::default();
    stop.set();
    let (mut keep, mut stages) = (Keep::default(), stages(source));
    let (summary, end) = run(&mut stages, &mut keep, Time::Kernel, None, &stop);
    assert!(end.is_ok() && stages.source.detached);
    assert_eq!((summary.total(), keep.0.len()), (2, 2));
}

#[test]
fn a_time_limit_is_a_stop() {
    let mut source = Script::new([vec![exit(1)]]);
    source.endless = true;
    let mut keep = Keep::default();
    let (summary, _) = run(&mut stages(source), &mut keep, Time::Kernel, Some(Instant::now()), &Stop::default());
    assert_eq!(summary.total(), 1);
}

#[test]
fn a_recording_gives_the_events_that_the_live_run_gave() {
    let own = enrich::own_task();
    let records: Vec<Vec<u8>> = (1..200_u64)
        .map(|n| encode(Header { time_ns: n * 1000, task: own, ..header(0) }, &Open { result: 3, inode: n, ..Open::default() }, &[]))
        .collect();
    let context = enrich::snapshot::capture();
    let shown = |outlet: Shown| outlet.0;
    let mut live = stages(Script::new(records.chunks(7).map(<[_]>::to_vec)));
    context.iter().cloned().for_each(|c| live.enricher.learn(c));
    let mut first = Shown::default();
    let (_, end) = run(&mut live, &mut first, Time::Records, None, &Stop::default());
    assert!(end.is_ok());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r");
    let mut writer = Writer::create(&path, &Host::this(), &context).unwrap();
    records.iter().for_each(|r| writer.record(r).unwrap());
    assert_eq!(writer.finish().unwrap().0, 199);
    let mut second = Shown::default();
    let (_, end) = run(&mut stages(Reader::open(&path).unwrap()), &mut second, Time::Records, None, &Stop::default());
    assert!(end.is_ok());
    let (first, second) = (shown(first), shown(second));
    assert_eq!(first.len(), 199);
    assert_eq!(first, second);
    assert!(first[0].contains(&std::env::current_exe().unwrap().display().to_string()), "{}", first[0]);
}

/// Events in full.
#[derive(Default)]
struct Shown(Vec<String>);

impl Outlet for Shown {
    fn publish(&mut self, item: Item) {
        self.0.push(format!("{item:?}"));
    }

    fn lost(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }
}

/// A printer that waits for leave before each item.
struct Slow {
    leave: mpsc::Receiver<()>,
    printed: Arc<Mutex<Vec<u64>>>,
}

impl Print for Slow {
    type Error = &'static str;

    fn print(&mut self, item: &Item) -> Result<(), &'static str> {
        self.leave.recv().map_err(|_| "no leave")?;
        self.printed.lock().unwrap().push(item.sequence);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), &'static str> {
        Ok(())
    }
}

#[test]
fn a_slow_printer_loses_events_exactly_and_the_loss_is_told() {
    let printed = Arc::new(Mutex::new(Vec::new()));
    let (leave, wait) = mpsc::channel();
    let (mut queue, printing) =
        outlet::start(Slow { leave: wait, printed: printed.clone() }, 2, true, WhenFull::LoseEvents, Stop::default()).unwrap();
    // One item is in the printer's hands and two are in the queue; the printer may or may not have taken the first yet.
    let event = enricher_event();
    for sequence in 1..=100 {
        queue.publish(Item { sequence, body: Body::Event(event.clone()) });
    }
    let lost: u64 = queue.lost().iter().map(|l| l.2).sum();
    (0..100).for_each(|_| leave.send(()).unwrap());
    drop(queue);
    printing.join().unwrap().unwrap();
    let printed = printed.lock().unwrap();
    assert!((2..=3).contains(&printed.len()));
    assert_eq!(printed.len() as u64 + lost, 100);
}

#[test]
fn a_printer_that_fails_stops_everything() {
    let (leave, wait) = mpsc::channel();
    drop(leave);
    let stop = Stop::default();
    let slow = Slow { leave: wait, printed: Arc::default() };
    let (mut queue, printing) = outlet::start(slow, 2, true, WhenFull::Wait, stop.clone()).unwrap();
    for sequence in 1..=10 {
        queue.publish(Item { sequence, body: Body::Event(enricher_event()) });
    }
    assert_eq!(printing.join().unwrap(), Err("no leave"));
    assert!(stop.is_set());
}

fn enricher_event() -> Arc<Event> {
    let bytes = exit(1);
    Arc::new(Enricher::replay(Limits::default()).event(&sensor_common::decode(&bytes).unwrap()).unwrap())
}
