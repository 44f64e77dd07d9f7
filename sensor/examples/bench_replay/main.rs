//! Events per second that one core decodes, orders, joins, enriches and scores, stage by stage, and what writing them as JSON costs.
//! `cargo run --release -p sensor --example bench_replay -- [RULES...]`
//!
//! The stream is made up (`stream`), all stages are the real ones. Time is the thread's own, so that what else the machine does matters
//! less; each figure is the median of several rounds, and the configurations take turns. Figures are for reading: nothing is asserted.
#![allow(clippy::print_stdout, reason = "it is a program for the terminal")]

mod stream;

use rustix::time::{ClockId, clock_gettime};
use sensor::{
    app::{
        Outlet, Score,
        pipeline::{self, Stages, Time},
        stop::Stop,
    },
    collect::{Collector, Losses, Progress, Source, SourceError, order},
    enrich::{Enricher, snapshot::Context, table::Limits},
    events::Event,
    finding::Finding,
    process::Process,
    score::Engine,
    sink::{Item, Origin, json},
};
use sensor_common::{EventKind, Record, stats::Reason};
use std::{path::PathBuf, sync::Arc};
use stream::{Mix, Stream};

/// Rounds of each figure.
const ROUNDS: usize = 5;
/// Processes in a stream.
const PROCESSES: u32 = 40_000;

fn main() {
    let rules: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let rules = if rules.is_empty() { vec![PathBuf::from("rules")] } else { rules };
    let loaded = sensor::score::load(&rules);
    println!("{} rules run", loaded.report.running());
    let mut engine = Rules(loaded.engine);
    println!("{:<44} {:>12} {:>10} {:>10}", "one core", "events/s", "ns/event", "budget");
    for (name, mix) in [("mixed", Mix::Results), ("mixed, in two halves", Mix::Halves), ("exec only", Mix::Execs)] {
        let stream = Stream::new(mix, PROCESSES);
        let mut figures: [Vec<f64>; 4] = Default::default();
        for _ in 0..ROUNDS {
            figures[0].push(order(&stream));
            figures[1].push(enrich(&stream));
            figures[2].push(everything(&stream, &mut engine, &mut Discard));
            figures[3].push(everything(&stream, &mut engine, &mut Lines::default()));
        }
        for (stage, ns) in
            ["order, join", "+ decode, enrich", "+ score: the whole pipeline", "+ JSON of everything"].into_iter().zip(figures)
        {
            let ns = median(ns);
            let budget = if stage.contains("score") { "300000/s" } else { "" };
            println!("{:<44} {:>12.0} {:>10.0} {:>10}", format!("{name}: {stage}"), 1e9 / ns, ns, budget);
        }
        let (records, bytes) = stream.size();
        let mut count = Lines::default();
        everything(&stream, &mut engine, &mut count);
        println!(
            "  {} events of {records} records, {} bytes a record, {} findings, {} bytes of JSON an event",
            stream.events,
            bytes / records.max(1),
            count.findings,
            count.bytes / stream.events.max(1)
        );
    }
    json_alone(&mut engine);
}

/// Writing alone: the items are made before.
fn json_alone(engine: &mut Rules) {
    let stream = Stream::new(Mix::Results, 2000);
    let mut keep = Keep::default();
    everything(&stream, engine, &mut keep);
    let writer = json::Writer::new(&Origin::here());
    let (findings, events): (Vec<Item>, Vec<Item>) = keep.0.into_iter().partition(|i| matches!(i.body, sensor::sink::Body::Finding(_)));
    for (name, items) in [("event", events), ("finding", findings)] {
        if items.is_empty() {
            println!("JSON of a {name}: the stream has none");
            continue;
        }
        let mut out = Vec::new();
        let (mut rounds, mut bytes) = (Vec::new(), 0);
        for _ in 0..ROUNDS {
            let (mut count, start) = (0_u64, spent_ns());
            while count < 100_000 {
                for item in &items {
                    out.clear();
                    writer.write(item, &mut out);
                    bytes = out.len();
                    count += 1;
                }
            }
            rounds.push((spent_ns() - start) as f64 / count as f64);
        }
        println!("{:<44} {:>12} {:>10.0} {:>10}  ({bytes} bytes)", format!("JSON of a {name} alone"), "", median(rounds), "2000 ns");
    }
}

/// Records in order and joined.
fn order(stream: &Stream) -> f64 {
    let mut collector = Collector::new(order::Options::default());
    let mut count = 0_u64;
    let start = spent_ns();
    feed(stream, &mut collector, &mut |_| count += 1);
    assert_eq!(count, stream.events, "every event comes out once");
    (spent_ns() - start) as f64 / stream.events as f64
}

/// Up to events.
fn enrich(stream: &Stream) -> f64 {
    let mut collector = Collector::new(order::Options::default());
    let mut enricher = enricher();
    let mut count = 0_u64;
    let start = spent_ns();
    feed(stream, &mut collector, &mut |record| count += u64::from(enricher.event(&record).map(Arc::new).is_some()));
    let spent = spent_ns() - start;
    assert_eq!(count, stream.events, "every event comes out once");
    spent as f64 / stream.events as f64
}

/// The pipeline as `sensor replay` runs it.
fn everything(stream: &Stream, engine: &mut Rules, outlet: &mut dyn Outlet) -> f64 {
    let source = Generated { stream, next: 0 };
    let mut stages = Stages {
        source,
        collector: Collector::new(order::Options::default()),
        enricher: enricher(),
        score: Borrowed(engine),
        counters: Arc::default(),
    };
    let start = spent_ns();
    let (summary, end) = pipeline::run(&mut stages, outlet, Time::Records, None, &Stop::default());
    let spent = spent_ns() - start;
    assert!(end.is_ok() && summary.total() == stream.events, "every event comes out once: {}", summary.report());
    spent as f64 / stream.events as f64
}

fn feed(stream: &Stream, collector: &mut Collector, out: &mut dyn FnMut(Record<'_>)) {
    let mut n = 0;
    while let Some(batch) = stream.batch(n) {
        batch.for_each(|raw| collector.push(raw));
        collector.release(collector.newest_ns(), out);
        n += 1;
    }
    collector.flush(out);
}

fn enricher() -> Enricher {
    let mut enricher = Enricher::replay(Limits::default());
    enricher.learn(Context::User { uid: 1000, name: b"deploy".to_vec() });
    enricher.learn(Context::Cgroup { id: 42, path: b"/system.slice/build.service".to_vec() });
    enricher
}

/// CPU time of this thread.
fn spent_ns() -> u64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(t.tv_sec * 1_000_000_000 + t.tv_nsec).unwrap_or(0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

struct Generated<'a> {
    stream: &'a Stream,
    next: usize,
}

impl Source for Generated<'_> {
    fn drain(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Progress, SourceError> {
        let Some(batch) = self.stream.batch(self.next) else { return Ok(Progress::End) };
        batch.for_each(each);
        self.next += 1;
        Ok(Progress::Open)
    }
}

impl Losses for Generated<'_> {
    fn losses(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }

    fn suppressed(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }
}

struct Rules(Engine);

struct Borrowed<'a>(&'a mut Rules);

impl Score for Borrowed<'_> {
    fn evaluate(&mut self, event: &Arc<Event>, ancestors: &mut dyn FnMut() -> Vec<Arc<Process>>, out: &mut Vec<Finding>) {
        self.0.0.evaluate(event, ancestors, out);
    }
}

/// Nobody listens.
struct Discard;

impl Outlet for Discard {
    fn publish(&mut self, _: Item) {}

    fn lost(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }
}

/// Keeps everything.
#[derive(Default)]
struct Keep(Vec<Item>);

impl Outlet for Keep {
    fn publish(&mut self, item: Item) {
        self.0.push(item);
    }

    fn lost(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }
}

/// Writes everything as JSON and forgets it.
struct Lines {
    writer: json::Writer,
    out: Vec<u8>,
    bytes: u64,
    findings: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self { writer: json::Writer::new(&Origin::here()), out: Vec::new(), bytes: 0, findings: 0 }
    }
}

impl Outlet for Lines {
    fn publish(&mut self, item: Item) {
        self.out.clear();
        self.findings += u64::from(matches!(item.body, sensor::sink::Body::Finding(_)));
        self.writer.write(&item, &mut self.out);
        self.bytes += u64::try_from(self.out.len()).unwrap_or(0);
    }

    fn lost(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }
}
