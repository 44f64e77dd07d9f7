//! The hot path, on one plain thread. Ends when the source has ended, or in order when it is asked to: detach, drain, release
//! everything, report the last losses.

use super::{Outlet, Score, stop::Stop};
use crate::{
    collect::{Collector, Losses, Progress, Source, SourceError, encode, order},
    enrich::{self, Enricher, clock},
    finding::Finding,
    sink::{Body, Item},
    telemetry::{Counter, Counters},
};
use sensor_common::{EventKind, Record, Task, stats::Reason};
use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How often the source is looked at while records come.
const ACTIVE: Duration = Duration::from_millis(5);
/// The longest pause while none come.
const IDLE: Duration = Duration::from_millis(20);
/// How often losses are asked for.
const LOSSES: Duration = Duration::from_millis(250);
/// Rounds of draining after the source was detached, at most: what is in the rings then fits into far fewer.
const LAST_ROUNDS: usize = 64;

/// What time it is for the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The kernel's: records come as they are made.
    Kernel,
    /// That of the youngest record: they come as fast as they can be read.
    Records,
}

/// All stages before the outlet.
pub struct Stages<S, E> {
    /// Where records come from.
    pub source: S,
    /// Order and joins.
    pub collector: Collector,
    /// Context.
    pub enricher: Enricher,
    /// Rules.
    pub score: E,
    /// The stages' counters, brought up to date several times a second.
    pub counters: Arc<Counters>,
}

/// What was done, for the final report.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Events by kind, loss reports included.
    pub events: BTreeMap<EventKind, u64>,
    /// Findings.
    pub findings: u64,
    /// Records that were lost, by kind and reason, over all stages.
    pub lost: BTreeMap<(EventKind, Reason), u64>,
    /// Records that the kernel did not send, by policy.
    pub suppressed: BTreeMap<(EventKind, Reason), u64>,
    /// The collector's counters.
    pub collect: order::Stats,
    /// The enricher's counters.
    pub enrich: enrich::Stats,
}

impl Summary {
    /// All events.
    pub fn total(&self) -> u64 {
        self.events.values().sum()
    }

    /// For people: what came, what was found, what is missing.
    pub fn report(&self) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{} events, {} findings", self.total(), self.findings);
        for (kind, n) in &self.events {
            let _ = writeln!(out, "  {n:>12} {}", kind.as_str());
        }
        for (title, counts) in [("suppressed by policy", &self.suppressed), ("LOST", &self.lost)] {
            for ((kind, reason), n) in counts {
                let _ = writeln!(out, "  {n:>12} {} {title}: {}", kind.as_str(), reason.as_str());
            }
        }
        let counters = [
            (self.collect.joined, "operations put together from their beginning and their result"),
            (self.collect.unjoined, "operations whose result was not seen"),
            (self.collect.late, "records that came late and out of order"),
            (self.collect.forced, "records handed on early for want of room"),
            (self.enrich.from_header, "processes whose beginning was not seen"),
            (self.enrich.table.live_evicted, "living processes forgotten for want of room"),
            (self.enrich.table.images_trimmed, "images kept without arguments for want of room"),
        ];
        for (n, what) in counters.iter().filter(|(n, _)| *n > 0) {
            let _ = writeln!(out, "  {n:>12} {what}");
        }
        if self.lost.is_empty() {
            out.push_str("nothing was lost\n");
        }
        out
    }
}

/// Runs until the end of the source or until `stop`. The summary comes in any case; an error of the source beside it.
pub fn run<S: Source + Losses, E: Score>(
    stages: &mut Stages<S, E>,
    outlet: &mut dyn Outlet,
    time: Time,
    until: Option<Instant>,
    stop: &Stop,
) -> (Summary, Result<(), SourceError>) {
    let mut run =
        Run { sequence: 0, findings: Vec::new(), summary: Summary::default(), own: enrich::own_task(), reported: BTreeMap::new() };
    let mut losses_at = Instant::now();
    let mut pause = ACTIVE;
    let mut last_rounds = None;
    let end = loop {
        if last_rounds.is_none() && (stop.is_set() || until.is_some_and(|t| Instant::now() >= t)) {
            stages.source.detach();
            last_rounds = Some(LAST_ROUNDS);
        }
        let (before, started) = (stages.collector.stats().received, Instant::now());
        // Read before the rings are: what is put into a ring behind our back is younger than this.
        let began_ns = if time == Time::Kernel { clock::boot_ns() } else { 0 };
        let drained = stages.source.drain(&mut |raw| stages.collector.push(raw));
        let came = stages.collector.stats().received - before;
        for context in stages.source.context() {
            stages.enricher.learn(context);
        }
        stages.enricher.tick();
        if started >= losses_at {
            losses_at = started + LOSSES;
            run.report_losses(stages, outlet, time);
        }
        match (&drained, last_rounds) {
            (Err(_) | Ok(Progress::End), _) => break drained,
            (Ok(Progress::Open), Some(0)) => break drained,
            (Ok(Progress::Open), Some(_)) if came == 0 => break drained,
            (Ok(Progress::Open), Some(n)) => last_rounds = Some(n - 1),
            (Ok(Progress::Open), None) => {}
        }
        let now_ns = match time {
            Time::Kernel => began_ns,
            Time::Records => stages.source.drained_ns().unwrap_or_else(|| stages.collector.newest_ns()),
        };
        let Stages { collector, enricher, score, .. } = stages;
        collector.release(now_ns, &mut |record| run.record(&record, enricher, score, outlet));
        if time == Time::Kernel && last_rounds.is_none() {
            pause = if came > 0 { ACTIVE } else { IDLE.min(pause + ACTIVE) };
            thread::sleep(pause);
        }
    };
    run.finish(stages, outlet, time);
    (run.summary, end.map(drop))
}

struct Run {
    sequence: u64,
    findings: Vec<Finding>,
    summary: Summary,
    own: Task,
    /// Malformed records that have been reported as lost.
    reported: BTreeMap<EventKind, u64>,
}

impl Run {
    fn record(&mut self, record: &Record<'_>, enricher: &mut Enricher, score: &mut impl Score, outlet: &mut dyn Outlet) {
        let Some(event) = enricher.event(record) else { return };
        let event = Arc::new(event);
        *self.summary.events.entry(event.kind()).or_default() += 1;
        if let crate::events::Body::Loss { kind, reason, count } = event.body {
            *self.summary.lost.entry((kind, reason)).or_default() += count;
        }
        score.evaluate(&event, &mut || enricher.ancestors(event.process.id), &mut self.findings);
        self.publish(outlet, Body::Event(event));
        let mut findings = std::mem::take(&mut self.findings);
        for finding in findings.drain(..) {
            self.summary.findings += 1;
            self.publish(outlet, Body::Finding(Arc::new(finding)));
        }
        self.findings = findings;
    }

    fn publish(&mut self, outlet: &mut dyn Outlet, body: Body) {
        self.sequence += 1;
        outlet.publish(Item { sequence: self.sequence, body });
    }

    /// Puts what was lost into the stream: by the source, by decoding, by the outlet.
    fn report_losses<S: Source + Losses, E: Score>(&mut self, stages: &mut Stages<S, E>, outlet: &mut dyn Outlet, time: Time) {
        let mut lost = stages.source.losses();
        lost.extend(outlet.lost());
        for (kind, n) in &stages.collector.stats().malformed {
            let reported = self.reported.entry(*kind).or_default();
            if *n > *reported {
                lost.push((*kind, Reason::Malformed, n - *reported));
                *reported = *n;
            }
        }
        let time_ns = match time {
            Time::Kernel => clock::boot_ns(),
            Time::Records => stages.collector.newest_ns(),
        };
        self.count(stages);
        for (kind, reason, count) in lost {
            stages.collector.push(&encode::loss(time_ns, self.own, kind, reason, count));
        }
    }

    /// Totals for whoever looks from outside. What the kernel suppressed is only asked for at the end: it is a look at every counter.
    fn count<S, E>(&self, stages: &Stages<S, E>) {
        let (collect, enrich) = (stages.collector.stats(), stages.enricher.stats());
        let kernel = self.summary.lost.iter().filter(|((_, reason), _)| !matches!(reason, Reason::Malformed | Reason::OutputFull));
        for (counter, total) in [
            (Counter::CollectRecords, collect.received),
            (Counter::CollectBytes, collect.bytes),
            (Counter::CollectMalformed, collect.malformed.values().sum::<u64>() + enrich.malformed),
            (Counter::CollectLate, collect.late),
            (Counter::CollectUnjoined, collect.unjoined),
            (Counter::KernelLost, kernel.map(|(_, n)| n).sum()),
            (Counter::KernelSuppressed, self.summary.suppressed.values().sum()),
            (Counter::EnrichEvents, self.summary.total()),
            (Counter::EnrichUnknownProcess, enrich.from_header - enrich.from_proc.min(enrich.from_header)),
            (Counter::ScoreEvaluated, self.summary.total()),
            (Counter::ScoreFindings, self.summary.findings),
        ] {
            stages.counters.set(counter, total);
        }
    }

    fn finish<S: Source + Losses, E: Score>(&mut self, stages: &mut Stages<S, E>, outlet: &mut dyn Outlet, time: Time) {
        // Twice: the first flush may find malformed records and lose items, which the second one reports.
        for _ in 0..2 {
            self.report_losses(stages, outlet, time);
            let Stages { collector, enricher, score, .. } = stages;
            collector.flush(&mut |record| self.record(&record, enricher, score, outlet));
        }
        let suppressed = stages.source.suppressed();
        self.summary.suppressed = suppressed.into_iter().map(|(kind, reason, n)| ((kind, reason), n)).collect();
        self.summary.collect = stages.collector.stats().clone();
        self.summary.enrich = stages.enricher.stats();
        self.count(stages);
    }
}

#[cfg(test)]
mod tests;
