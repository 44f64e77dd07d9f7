//! Stage 0: kernel features, BTF field offsets, hook tiers, verdicts, canaries. Loads the kernel programs and reads their rings; it does
//! not decode what they send.

pub mod btf;
#[cfg(feature = "debug-probes")]
mod debug;
pub mod doctor;
pub(crate) mod environment;
pub mod features;
pub mod fields;
pub mod hooks;
pub mod object;

use crate::collect::{Losses, Progress, Source, SourceError};
use aya::{
    Ebpf, EbpfLoader,
    maps::{HashMap as BpfHashMap, MapData, PerCpuArray, ProgramArray, RingBuf},
    programs::{CgroupAttachMode, Program},
};
use sensor_common::{
    EventKind, RingClass, Tier,
    limits::FILTER_NAME,
    stats::{self, Reason},
};
use std::{collections::HashMap, fs, io};

/// What to attach and how much room to give it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of each ring in bytes: a power of two of at least a page.
    pub ring_bytes: [(RingClass, u32); 3],
    /// Tiers that may be used; the rest is treated as if this kernel did not have it. For tests of the lower tiers.
    pub tiers: Vec<Tier>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: [(RingClass::Critical, 4 << 20), (RingClass::Network, 2 << 20), (RingClass::File, 8 << 20)],
            tiers: Tier::ALL.to_vec(),
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

/// The attached sensor: a [`Source`] of raw records. Dropping it detaches everything.
pub struct Attached {
    ebpf: Ebpf,
    rings: Vec<RingBuf<MapData>>,
    counters: PerCpuArray<MapData, u64>,
    read_names: BpfHashMap<MapData, [u8; FILTER_NAME], u32>,
    verdicts: Vec<Verdict>,
    last: HashMap<(EventKind, Reason), u64>,
    programs: Vec<(&'static str, EventKind)>,
    /// `recursion_misses` of programs that are not loaded any more.
    skipped_before: HashMap<EventKind, u64>,
    /// Kept open: the kernel empties a program array when its last user-space reference goes.
    _walkers: Vec<ProgramArray<MapData>>,
    #[cfg(feature = "debug-probes")]
    logger: aya_log::EbpfLogger<debug::StandardError>,
}

const RINGS: [(RingClass, &str); 3] =
    [(RingClass::Critical, "RING_CRITICAL"), (RingClass::Network, "RING_NETWORK"), (RingClass::File, "RING_FILE")];

/// Loads and attaches.
///
/// # Errors
/// [`AttachError`]; nothing stays attached then.
pub fn attach(options: &Options) -> Result<Attached, AttachError> {
    let object = object::object().ok_or(AttachError::NoObject)?;
    let path = "/sys/kernel/btf/vmlinux";
    // The kernel's types take 30 MiB while they are read. So they are read one time after the other, and gone before the rings are mapped.
    let mut loader = EbpfLoader::new();
    loader.btf(None); // Only for CO-RE relocations, of which there are none.
    let vmlinux = fs::read(path).map_err(|e| AttachError::NoBtf(format!("{path}: {e}")))?;
    let btf = btf::Btf::parse(vmlinux).ok_or_else(|| AttachError::NoBtf(format!("{path} is not BTF")))?;
    let offsets = fields::offsets(&btf)?;
    drop(btf);
    environment::raise_memlock();
    let cpus = aya::util::nr_cpus().map_err(|(what, e)| AttachError::Load(format!("{what}: {e}")))?;
    loader.map_max_entries("EXEC_WORK", u32::try_from(cpus).unwrap_or(u32::MAX));
    for (class, bytes) in &options.ring_bytes {
        if let Some((_, map)) = RINGS.iter().find(|(c, _)| c == class) {
            loader.map_max_entries(map, *bytes);
        }
    }
    for (name, offset) in &offsets {
        loader.override_global(name, offset, true);
    }
    let mut ebpf = loader.load(object).map_err(|e| load_error(&e))?;
    let missing = |name: &str| AttachError::Load(format!("the embedded object has no map {name}"));
    #[cfg(feature = "debug-probes")]
    let logger = aya_log::EbpfLogger::init_with_logger(&mut ebpf, debug::StandardError).map_err(|e| AttachError::Load(chain(&e)))?;
    let counters = ebpf.take_map("COUNTERS").ok_or_else(|| missing("COUNTERS"))?;
    let read_names = ebpf.take_map("READ_NAMES").ok_or_else(|| missing("READ_NAMES"))?;
    let mut attached = Attached {
        ebpf,
        rings: Vec::new(),
        counters: PerCpuArray::try_from(counters).map_err(|e| AttachError::Load(chain(&e)))?,
        read_names: BpfHashMap::try_from(read_names).map_err(|e| AttachError::Load(chain(&e)))?,
        verdicts: Vec::new(),
        last: HashMap::new(),
        programs: Vec::new(),
        skipped_before: HashMap::new(),
        _walkers: Vec::new(),
        #[cfg(feature = "debug-probes")]
        logger,
    };
    attached.attach_all(options)?;
    for (_, map) in RINGS {
        let map = attached.ebpf.take_map(map).ok_or_else(|| missing(map))?;
        attached.rings.push(RingBuf::try_from(map).map_err(|e| AttachError::Load(chain(&e)))?);
    }
    Ok(attached)
}

impl Attached {
    /// Attaches every slot, in a thread with a mount namespace of its own: where nobody has mounted tracefs it is mounted there,
    /// invisible to everybody else.
    fn attach_all(&mut self, options: &Options) -> Result<(), AttachError> {
        let btf = aya::Btf::from_sys_fs().map_err(|e| AttachError::NoBtf(chain(&e)))?;
        // Asked before, because it takes the verifier a second to look at programs that cannot be attached anyway.
        let kprobes = features::Features::detect().kprobes;
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let tracefs = environment::provide_tracefs();
                    self.load_walker("walker_tp", "WALKER_TP")?;
                    if kprobes {
                        self.load_walker("walker_kprobe", "WALKER_KPROBE")?;
                    }
                    for slot in hooks::SLOTS {
                        let mut verdict = Verdict { slot, tier: None, failures: Vec::new() };
                        for alternative in slot.alternatives {
                            let result = if alternative.tier == Tier::Kprobe && !kprobes {
                                Err("this kernel has no kprobes (CONFIG_KPROBES)".to_owned())
                            } else if options.tiers.contains(&alternative.tier) {
                                self.attach_alternative(alternative, &btf).map_err(|e| match (&tracefs, alternative.tier) {
                                    (Err(t), Tier::Tracepoint) => format!("{e}; {t}"),
                                    _ => e,
                                })
                            } else {
                                Err("not used, by the options".to_owned())
                            };
                            match result {
                                Ok(()) => {
                                    verdict.tier = Some(alternative.tier);
                                    self.programs.extend(alternative.programs.iter().map(|(p, _)| (*p, slot.kind)));
                                    break;
                                }
                                Err(reason) => verdict.failures.push((alternative.tier, reason)),
                            }
                        }
                        if verdict.tier.is_none() && slot.required {
                            let reason =
                                verdict.failures.iter().map(|(t, r)| format!("{}: {r}", t.as_str())).collect::<Vec<_>>().join("; ");
                            return Err(AttachError::Required { slot: slot.name, gives: slot.gives, reason });
                        }
                        self.verdicts.push(verdict);
                    }
                    Ok(())
                })
                .join()
                .unwrap_or_else(|_| Err(AttachError::Load("the attaching thread died".to_owned())))
        })
    }

    /// Loads the program that ends all programs of its type, and puts it where they jump to.
    fn load_walker(&mut self, program: &str, array: &str) -> Result<(), AttachError> {
        let error = |e: &(dyn std::error::Error + 'static)| match not_permitted(e) {
            true => AttachError::NotAllowed,
            false => AttachError::Load(format!("{program}: {}", chain(e))),
        };
        let map = self.ebpf.take_map(array).ok_or_else(|| AttachError::Load(format!("the embedded object has no map {array}")))?;
        let mut map: ProgramArray<MapData> = map.try_into().map_err(|e| error(&e))?;
        let fd = match self.ebpf.program_mut(program) {
            Some(Program::TracePoint(p)) => {
                p.load().map_err(|e| error(&e))?;
                p.fd().map_err(|e| error(&e))?
            }
            Some(Program::KProbe(p)) => {
                p.load().map_err(|e| error(&e))?;
                p.fd().map_err(|e| error(&e))?
            }
            _ => return Err(AttachError::Load(format!("the embedded object has no program {program}"))),
        };
        map.set(0, fd, 0).map_err(|e| error(&e))?;
        self._walkers.push(map);
        Ok(())
    }

    fn attach_alternative(&mut self, alternative: &hooks::Alternative, btf: &aya::Btf) -> Result<(), String> {
        for (i, (name, points)) in alternative.programs.iter().enumerate() {
            if let Err(e) = self.attach_program(name, points, btf) {
                // Half an alternative is none: what it has attached so far goes again.
                for (name, _) in alternative.programs.iter().take(i + 1) {
                    unload(&mut self.ebpf, name);
                }
                return Err(e);
            }
        }
        Ok(())
    }

    fn attach_program(&mut self, name: &str, points: &[&str], btf: &aya::Btf) -> Result<(), String> {
        let program = self.ebpf.program_mut(name).ok_or_else(|| format!("the embedded object has no program {name}"))?;
        let first = points.first().copied().unwrap_or_default();
        match program {
            Program::BtfTracePoint(p) => {
                p.load(first, btf).map_err(|e| chain(&e))?;
                p.attach().map_err(|e| chain(&e))?;
            }
            Program::KProbe(p) => {
                p.load().map_err(|e| chain(&e))?;
                p.attach(first, 0).map_err(|e| chain(&e))?;
            }
            Program::TracePoint(p) => {
                p.load().map_err(|e| chain(&e))?;
                for point in points {
                    let optional = point.starts_with('?');
                    match p.attach("syscalls", point.trim_start_matches('?')) {
                        Ok(_) => {}
                        Err(_) if optional => {}
                        Err(e) => return Err(format!("{point}: {}", chain(&e))),
                    }
                }
            }
            Program::CgroupSockAddr(p) => {
                let root = environment::cgroup2_root().ok_or("no cgroup v2 hierarchy is mounted")?;
                let root = fs::File::open(&root).map_err(|e| format!("{}: {e}", root.display()))?;
                p.load().map_err(|e| chain(&e))?;
                p.attach(root, CgroupAttachMode::Single).map_err(|e| chain(&e))?; // a link: others' programs stay
            }
            other => return Err(format!("a program of type {:?} is not supported", other.prog_type())),
        }
        Ok(())
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
        let mut bits: HashMap<[u8; FILTER_NAME], u32> = HashMap::new();
        for (name, file) in names {
            let mut key = [0; FILTER_NAME];
            key.get_mut(..name.len())
                .ok_or_else(|| io::Error::other(format!("name of {} bytes, at most {FILTER_NAME}", name.len())))?
                .copy_from_slice(name);
            *bits.entry(key).or_default() |= if file { 1 } else { 2 };
        }
        let old: Vec<_> = self.read_names.keys().filter_map(Result::ok).filter(|k| !bits.contains_key(k)).collect();
        for (key, value) in bits {
            self.read_names.insert(key, value, 0).map_err(io::Error::other)?;
        }
        for key in old {
            self.read_names.remove(&key).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// All counters of the kernel side that are not zero, since the start, summed over CPUs.
    pub fn counters(&self) -> Vec<(EventKind, Reason, u64)> {
        let mut out = Vec::new();
        for kind in EventKind::ALL {
            for reason in Reason::ALL {
                let mut n = match self.counters.get(&stats::slot(*kind, *reason), 0) {
                    Ok(values) => values.iter().sum(),
                    Err(_) => 0,
                };
                if *reason == Reason::Skipped {
                    n += self.skipped(*kind);
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
        let now = self.counters();
        now.into_iter()
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
            unload(&mut self.ebpf, name);
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

/// Detaches and unloads a program; one that is not loaded is left alone.
fn unload(ebpf: &mut Ebpf, name: &str) {
    // The only error is that it is not loaded.
    let _ = match ebpf.program_mut(name) {
        Some(Program::KProbe(p)) => p.unload(),
        Some(Program::TracePoint(p)) => p.unload(),
        Some(Program::BtfTracePoint(p)) => p.unload(),
        Some(Program::CgroupSockAddr(p)) => p.unload(),
        _ => Ok(()),
    };
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

fn load_error(e: &aya::EbpfError) -> AttachError {
    if not_permitted(e) { AttachError::NotAllowed } else { AttachError::Load(chain(e)) }
}

/// A capability is missing.
fn not_permitted(e: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(e), |e| e.source())
        .any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| e.raw_os_error() == Some(libc::EPERM)))
}
