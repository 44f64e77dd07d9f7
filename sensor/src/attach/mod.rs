//! Stage 0: kernel features, BTF field offsets, hook tiers, verdicts, canaries. Loads the kernel programs and reads their rings; it does
//! not decode what they send.

pub mod btf;
mod counters;
#[cfg(feature = "debug-probes")]
mod debug;
pub mod doctor;
pub(crate) mod environment;
pub mod features;
pub mod fields;
mod filter;
pub mod hooks;
mod load;
pub mod object;

pub use load::attach;

use crate::collect::{Losses, Progress, Source, SourceError};
use aya::{
    Ebpf,
    maps::{MapData, ProgramArray, RingBuf},
};
use sensor_common::{
    EventKind, RingClass, Tier,
    stats::{self, Reason},
};
use std::{
    collections::HashMap,
    fs, io,
    time::{Duration, Instant},
};

/// What to attach and how much room to give it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of each ring in bytes: a power of two of at least a page.
    pub ring_bytes: [(RingClass, u32); 3],
    /// Tiers that may be used; the rest is treated as if this kernel did not have it. For tests of the lower tiers.
    pub tiers: Vec<Tier>,
    /// Programs may follow typed pointers, where this kernel has them. For tests of the other way.
    pub typed: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: [(RingClass::Critical, 4 << 20), (RingClass::Network, 2 << 20), (RingClass::File, 8 << 20)],
            tiers: Tier::ALL.to_vec(),
            typed: true,
        }
    }
}

/// Why the sensor cannot look at this kernel.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Built without the kernel programs.
    #[error("this binary was built without the kernel programs; build it with `cargo xtask build`")]
    NoObject,
    /// Not root, or without the capabilities.
    #[error(
        "not allowed to use BPF: run as root, outside of containers that take these rights away (or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_RESOURCE and CAP_DAC_READ_SEARCH)"
    )]
    NotAllowed,
    /// The kernel does not describe its types.
    #[error(
        "this kernel does not describe its types: {0}; a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed (Debian 11, Ubuntu 20.10, RHEL 8.2 and later have it)"
    )]
    NoBtf(String),
    /// A structure member that the probes cannot do without is missing.
    #[error("this kernel's BTF has no {0}: it is newer or stranger than this version of the sensor knows; please report `uname -r`")]
    MissingField(&'static str),
    /// Loading failed as a whole.
    #[error("the kernel refused the programs: {0}")]
    Load(String),
    /// A hook that everything needs could not be attached.
    #[error("{slot} ({gives}) cannot be seen on this kernel: {reason}")]
    Required {
        /// Slot.
        slot: &'static str,
        /// What it gives.
        gives: &'static str,
        /// What every alternative said.
        reason: String,
    },
}

/// What became of one slot.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The slot.
    pub slot: &'static hooks::Slot,
    /// The tier that was attached; `None` if none could be.
    pub tier: Option<Tier>,
    /// What the alternatives before it (or all of them) failed with.
    pub failures: Vec<(Tier, String)>,
}

/// How the programs get at what the current task points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// By plain loads along pointers whose types the verifier knows: the cheap way.
    Typed,
    /// By a helper's call for each member: why the cheap way is closed.
    Helper(String),
}

/// The attached sensor: a [`Source`] of raw records. Dropping it detaches everything.
pub struct Attached {
    ebpf: Ebpf,
    rings: Vec<RingBuf<MapData>>,
    counters: counters::KernelCounters,
    read_filter: filter::ReadFilter,
    verdicts: Vec<Verdict>,
    access: Access,
    /// Why the verifier has refused a program, the first of them.
    refused: Option<String>,
    last: HashMap<(EventKind, Reason), u64>,
    programs: Vec<(&'static str, EventKind)>,
    /// `recursion_misses` of programs that are not loaded any more.
    skipped_before: HashMap<EventKind, u64>,
    /// What [`Losses::losses`] knows of them, and when it looks again.
    skipped: (HashMap<EventKind, u64>, Instant),
    /// Kept open: the kernel empties a program array when its last user-space reference goes.
    _walkers: Vec<ProgramArray<MapData>>,
    #[cfg(feature = "debug-probes")]
    logger: aya_log::EbpfLogger<debug::StandardError>,
}

/// How often skipped runs are asked for while the sensor runs: the kernel tells them in text, for each program.
const SKIPPED_EVERY: Duration = Duration::from_secs(1);

const RINGS: [(RingClass, &str); 3] =
    [(RingClass::Critical, "RING_CRITICAL"), (RingClass::Network, "RING_NETWORK"), (RingClass::File, "RING_FILE")];

impl Attached {
    /// How the programs get at what the current task points to.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// What became of each slot.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Tells the kernel which files rules want to see opened for reading: by their own name (`true`) or by that of their folder (`false`).
    ///
    /// # Errors
    /// The kernel's table is full (4096 names) or a name is longer than 32 bytes; the names before it are in force.
    pub fn set_read_names<'a>(&mut self, names: impl IntoIterator<Item = (&'a [u8], bool)>) -> io::Result<()> {
        self.read_filter.set(names)
    }

    /// All counters of the kernel side that are not zero, since the start, summed over CPUs.
    pub fn counters(&self) -> Vec<(EventKind, Reason, u64)> {
        self.counters_with(|kind| self.skipped(kind))
    }

    fn counters_with(&self, skipped: impl Fn(EventKind) -> u64) -> Vec<(EventKind, Reason, u64)> {
        let mut out = Vec::new();
        for kind in EventKind::ALL {
            for reason in Reason::ALL {
                let mut n = self.counters.sum(stats::slot(*kind, *reason));
                if *reason == Reason::Skipped {
                    n += skipped(*kind);
                }
                if n != 0 {
                    out.push((*kind, *reason, n));
                }
            }
        }
        out
    }

    /// Runs of the programs of an event that the kernel skipped (`recursion_misses`, since 5.12).
    fn skipped(&self, kind: EventKind) -> u64 {
        use std::os::fd::{AsFd, AsRawFd};
        let programs = self.programs.iter().filter(|(_, k)| *k == kind).filter_map(|(name, _)| self.ebpf.program(name));
        let misses = programs.filter_map(|p| {
            let fd = p.fd().ok()?.as_fd().as_raw_fd();
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
            info.lines().find_map(|l| l.strip_prefix("recursion_misses:")?.trim().parse::<u64>().ok())
        });
        misses.sum::<u64>() + self.skipped_before.get(&kind).copied().unwrap_or(0)
    }
}

impl Losses for Attached {
    fn losses(&mut self) -> Vec<(EventKind, Reason, u64)> {
        let now = Instant::now();
        // Nothing is loaded any more: the last look.
        if now >= self.skipped.1 || self.programs.is_empty() {
            self.skipped = (EventKind::ALL.iter().map(|kind| (*kind, self.skipped(*kind))).collect(), now + SKIPPED_EVERY);
        }
        let counters = self.counters_with(|kind| self.skipped.0.get(&kind).copied().unwrap_or(0));
        counters
            .into_iter()
            .filter(|(_, reason, _)| reason.is_loss())
            .filter_map(|(kind, reason, n)| {
                let last = self.last.insert((kind, reason), n).unwrap_or(0);
                n.checked_sub(last).filter(|new| *new > 0).map(|new| (kind, reason, new))
            })
            .collect()
    }

    fn suppressed(&mut self) -> Vec<(EventKind, Reason, u64)> {
        self.counters().into_iter().filter(|(_, reason, _)| !reason.is_loss() && *reason != Reason::Sent).collect()
    }

    fn detach(&mut self) {
        for kind in EventKind::ALL {
            let misses = self.skipped(*kind);
            self.skipped_before.insert(*kind, misses);
        }
        for (name, _) in std::mem::take(&mut self.programs) {
            load::unload(&mut self.ebpf, name);
        }
    }
}

impl Source for Attached {
    fn drain(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Progress, SourceError> {
        #[cfg(feature = "debug-probes")]
        self.logger.flush();
        // Bounded by a ring's worth each, so that a flood in one class cannot keep the others waiting.
        for ring in &mut self.rings {
            let mut n = 0;
            while n < 65536
                && let Some(record) = ring.next()
            {
                each(&record);
                n += 1;
            }
        }
        Ok(Progress::Open)
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    // The verifier's log runs over many lines; its end says why.
    let lines: Vec<_> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    if lines.len() > 3 { format!("{} … {}", lines[0], lines[lines.len() - 3..].join(" | ")) } else { lines.join(" | ") }
}
