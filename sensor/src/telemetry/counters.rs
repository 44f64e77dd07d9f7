//! THE COUNTERS: one line each, with name, unit and doc. A stage adds to its own; nobody subtracts.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// As they came from the kernel or a recording.
    Records,
    /// Decoded records.
    Events,
    /// Scored matches.
    Findings,
    /// Stream items: events, findings, loss reports.
    Items,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// Name as users see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Events => "events",
            Self::Findings => "findings",
            Self::Items => "items",
            Self::Bytes => "bytes",
        }
    }
}

macro_rules! counters {
    ($($variant:ident $name:literal $unit:ident $lost:literal, $doc:literal;)+) => {
        /// A counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Counter { $(#[doc = $doc] $variant),+ }

        impl Counter {
            /// All of them, in the order of the stages.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant),+];

            /// Name as users see it: `sensor_<stage>_<noun>_total`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What it counts.
            pub const fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit),+ }
            }

            /// One sentence for the documentation.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc),+ }
            }

            /// What it counts was lost: it should be zero.
            pub const fn is_loss(self) -> bool {
                match self { $(Self::$variant => $lost),+ }
            }
        }
    };
}

counters! {
    CollectRecords "sensor_collect_records_total" Records false, "Records that were read.";
    CollectBytes "sensor_collect_bytes_total" Bytes false, "Their bytes.";
    CollectMalformed "sensor_collect_malformed_total" Records true, "Records that did not decode.";
    CollectLate "sensor_collect_late_total" Records false, "Records that came when younger ones had been handed on already; they are handed on out of order.";
    CollectUnjoined "sensor_collect_unjoined_total" Records false, "Records of an operation that began and whose result was not seen; they are handed on without it.";
    KernelLost "sensor_kernel_lost_total" Records true, "Records that were lost in the kernel, by the kernel programs' own count.";
    KernelSuppressed "sensor_kernel_suppressed_total" Records false, "Records that the kernel programs did not send, by policy.";
    EnrichEvents "sensor_enrich_events_total" Events false, "Events that were made of records.";
    EnrichUnknownProcess "sensor_enrich_unknown_process_total" Events false, "Events of a process whose exec was not seen and that /proc does not have.";
    ScoreEvaluated "sensor_score_evaluated_total" Events false, "Events that rules were evaluated on.";
    ScoreFindings "sensor_score_findings_total" Findings false, "Findings.";
    SinkPrinted "sensor_sink_printed_total" Items false, "Items that were printed.";
    SinkGrpcQueued "sensor_sink_grpc_queued_total" Items false, "Items that were queued for a subscriber, counted once for each.";
    SinkGrpcLost "sensor_sink_grpc_lost_total" Items true, "Items that a slow subscriber did not get, counted once for each.";
}

/// The values. Shared by reference between all stages of one run.
#[derive(Debug)]
pub struct Counters([AtomicU64; Counter::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Counters {
    /// Adds `n`.
    pub fn add(&self, counter: Counter, n: u64) {
        if let Some(value) = self.0.get(counter as usize) {
            value.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// For totals that are kept elsewhere (in the kernel): the new total.
    pub fn set(&self, counter: Counter, total: u64) {
        if let Some(value) = self.0.get(counter as usize) {
            value.store(total, Ordering::Relaxed);
        }
    }

    /// The value now.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.get(counter as usize).map_or(0, |v| v.load(Ordering::Relaxed))
    }

    /// All values, one after the other: they may be some events apart while stages run.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { values: Counter::ALL.iter().map(|c| (*c, self.get(*c))).collect() }
    }
}

/// Values of all counters at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// In the order of [`Counter::ALL`].
    pub values: Vec<(Counter, u64)>,
}

impl Snapshot {
    /// Everything that was lost, over all stages.
    pub fn lost(&self) -> u64 {
        self.values.iter().filter(|(c, _)| c.is_loss()).fold(0, |sum, (_, v)| sum.saturating_add(*v))
    }

    /// The final report: a line for each counter that is not zero, losses marked; the last line says whether anything was lost.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for (counter, value) in self.values.iter().filter(|(_, v)| *v > 0) {
            let mark = if counter.is_loss() { " LOST" } else { "" };
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{:>14} {:<9}{:<38} {}{mark}", value, counter.unit().as_str(), counter.name(), counter.doc());
        }
        let _ = match self.lost() {
            0 => writeln!(text, "Nothing was lost."),
            n => writeln!(text, "{n} were lost."),
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_of_the_agreed_form() {
        for (n, counter) in Counter::ALL.iter().enumerate() {
            let name = counter.name();
            assert!(name.starts_with("sensor_") && name.ends_with("_total") && name.matches('_').count() >= 3, "{name}");
            assert!(!Counter::ALL[..n].iter().any(|c| c.name() == name), "{name} twice");
        }
    }

    #[test]
    fn the_final_report_names_what_was_lost() {
        let counters = Counters::default();
        counters.add(Counter::CollectRecords, 40);
        counters.add(Counter::CollectRecords, 2);
        assert_eq!(
            counters.snapshot().report(),
            "            42 records  sensor_collect_records_total           Records that were read.\nNothing was lost.\n"
        );
        counters.set(Counter::KernelLost, 7);
        counters.add(Counter::SinkGrpcLost, 1);
        let report = counters.snapshot().report();
        assert!(report.ends_with(" LOST\n8 were lost.\n"), "{report}");
    }
}
