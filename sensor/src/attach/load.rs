//! Loads the kernel programs and attaches them slot by slot.

use super::{
    Access, AttachError, Attached, Options, RINGS, Verdict, btf, chain,
    counters::KernelCounters,
    environment, features, fields, filter,
    hooks::{self, Alternative, Slot},
    object,
};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData, ProgramArray},
    programs::{CgroupAttachMode, Program, ProgramError},
};
use sensor_common::Tier;
use std::{collections::HashMap, fs, io, time::Instant};

/// Loads and attaches.
///
/// Kernels since 5.11 let programs follow the current task's pointers by plain loads. What their verifiers insist on has changed from release
/// to release, so if one refuses a program, all are loaded once more with the helper's calls that every verifier takes.
///
/// # Errors
/// [`AttachError`]; nothing stays attached then.
pub fn attach(options: &Options) -> Result<Attached, AttachError> {
    let object = object::object().ok_or(AttachError::NoObject)?;
    let path = "/sys/kernel/btf/vmlinux";
    // The kernel's types take 30 MiB while they are read. So they are read one time after the other, and gone before the rings are mapped.
    let vmlinux = fs::read(path).map_err(|e| AttachError::NoBtf(format!("{path}: {e}")))?;
    let btf = btf::Btf::parse(vmlinux).ok_or_else(|| AttachError::NoBtf(format!("{path} is not BTF")))?;
    let offsets = fields::offsets(&btf)?;
    let known = btf.has_constant("bpf_func_id", "BPF_FUNC_get_current_task_btf");
    drop(btf);
    environment::raise_memlock();
    let reason = if !options.typed {
        "not used, by the options".to_owned()
    } else if !known {
        "this kernel has no typed pointer to the current task (Linux 5.11)".to_owned()
    } else {
        match attach_as(options, object, &offsets, Access::Typed) {
            Ok(Attached { refused: Some(reason), .. }) | Err(AttachError::Load(reason) | AttachError::Required { reason, .. }) => reason,
            done => return done,
        }
    };
    attach_as(options, object, &offsets, Access::Helper(reason))
}

fn attach_as(options: &Options, object: &[u8], offsets: &[(&'static str, u32)], access: Access) -> Result<Attached, AttachError> {
    let cpus = aya::util::nr_cpus().map_err(|(what, e)| AttachError::Load(format!("{what}: {e}")))?;
    let mut loader = EbpfLoader::new();
    loader.btf(None); // Only for CO-RE relocations, of which there are none.
    for map in ["EXEC_WORK", "COUNTERS"] {
        loader.map_max_entries(map, u32::try_from(cpus).unwrap_or(u32::MAX));
    }
    for (class, bytes) in &options.ring_bytes {
        if let Some((_, map)) = RINGS.iter().find(|(c, _)| c == class) {
            loader.map_max_entries(map, *bytes);
        }
    }
    for (name, offset) in offsets {
        loader.override_global(name, offset, true);
    }
    let typed_task = u32::from(access == Access::Typed);
    loader.override_global("TYPED_TASK", &typed_task, true);
    let mut ebpf = loader.load(object).map_err(|e| load_error(&e))?;
    #[cfg(feature = "debug-probes")]
    let logger = aya_log::EbpfLogger::init_with_logger(&mut ebpf, super::debug::StandardError).map_err(|e| AttachError::Load(chain(&e)))?;
    let mut attached = Attached {
        rings: Vec::new(),
        counters: match ebpf.take_map("COUNTERS") {
            Some(Map::Array(map)) => KernelCounters::new(map)?,
            _ => return Err(AttachError::Load("the embedded object has no map COUNTERS".to_owned())),
        },
        read_filter: filter::ReadFilter::new(take(&mut ebpf, "READ_NAMES")?, take(&mut ebpf, "READ_SETS")?),
        verdicts: Vec::new(),
        access,
        refused: None,
        last: HashMap::new(),
        programs: Vec::new(),
        skipped_before: HashMap::new(),
        skipped: (HashMap::new(), Instant::now()),
        _walkers: Vec::new(),
        #[cfg(feature = "debug-probes")]
        logger,
        ebpf,
    };
    attached.attach_all(options)?;
    for (_, map) in RINGS {
        attached.rings.push(take(&mut attached.ebpf, map)?);
    }
    Ok(attached)
}

/// A map of the object, as the type that it must be.
fn take<M: TryFrom<Map, Error: std::error::Error + 'static>>(ebpf: &mut Ebpf, name: &str) -> Result<M, AttachError> {
    let map = ebpf.take_map(name).ok_or_else(|| AttachError::Load(format!("the embedded object has no map {name}")))?;
    map.try_into().map_err(|e: M::Error| AttachError::Load(chain(&e)))
}

impl Attached {
    /// Attaches every slot, in a thread with a mount namespace of its own: where nobody has mounted tracefs it is mounted there,
    /// invisible to everybody else.
    fn attach_all(&mut self, options: &Options) -> Result<(), AttachError> {
        let btf = aya::Btf::from_sys_fs().map_err(|e| AttachError::NoBtf(chain(&e)))?;
        // Asked before, because it takes the verifier a second to look at programs that cannot be attached anyway.
        let kprobes = features::Features::detect().kprobes;
        let all = || {
            let tracefs = environment::provide_tracefs().err();
            for (_, name, point) in hooks::WALKERS.iter().filter(|(tier, ..)| kprobes || *tier != Tier::Kprobe) {
                self.load_walker(name, point, &btf)?;
            }
            hooks::SLOTS.iter().try_for_each(|slot| {
                self.attach_slot(slot, &btf, |tier| match tier {
                    Tier::Kprobe if !kprobes => Err("this kernel has no kprobes (CONFIG_KPROBES)".to_owned()),
                    tier if !options.tiers.contains(&tier) => Err("not used, by the options".to_owned()),
                    Tier::Tracepoint => Ok(tracefs.as_deref()),
                    _ => Ok(None),
                })
            })
        };
        std::thread::scope(|scope| scope.spawn(all).join())
            .unwrap_or_else(|_| Err(AttachError::Load("the attaching thread died".to_owned())))
    }

    /// Attaches the best alternative of a slot and notes the verdict. `possible` says why a tier is out of the question, or what else
    /// there is to say if it fails.
    fn attach_slot<'a>(
        &mut self,
        slot: &'static Slot,
        btf: &aya::Btf,
        possible: impl Fn(Tier) -> Result<Option<&'a str>, String>,
    ) -> Result<(), AttachError> {
        let mut verdict = Verdict { slot, tier: None, failures: Vec::new() };
        for alternative in slot.alternatives {
            let tried = possible(alternative.tier).and_then(|more| {
                let result = self.attach_alternative(alternative, btf);
                result.map_err(|e| more.map_or_else(|| e.clone(), |more| format!("{e}; {more}")))
            });
            match tried {
                Ok(()) => {
                    verdict.tier = Some(alternative.tier);
                    self.programs.extend(alternative.programs.iter().map(|(p, _)| (*p, slot.kind)));
                    break;
                }
                Err(reason) => verdict.failures.push((alternative.tier, reason)),
            }
        }
        if verdict.tier.is_none() && slot.required {
            let reason = verdict.failures.iter().map(|(t, r)| format!("{}: {r}", t.as_str())).collect::<Vec<_>>().join("; ");
            return Err(AttachError::Required { slot: slot.name, gives: slot.gives, reason });
        }
        self.verdicts.push(verdict);
        Ok(())
    }

    /// Loads a program in which others end, and puts it where those jump to.
    fn load_walker(&mut self, name: &str, point: &str, btf: &aya::Btf) -> Result<(), AttachError> {
        let error = |e: &(dyn std::error::Error + 'static)| match not_permitted(e) {
            true => AttachError::NotAllowed,
            false => AttachError::Load(format!("{name}: {}", chain(e))),
        };
        let mut map: ProgramArray<MapData> = take(&mut self.ebpf, &name.to_uppercase())?;
        let program = self.ebpf.program_mut(name).ok_or_else(|| AttachError::Load(format!("the embedded object has no program {name}")))?;
        load(program, point, btf).map_err(|e| error(&e))?;
        let fd = program.fd().map_err(|e| error(&e))?;
        map.set(0, fd, 0).map_err(|e| error(&e))?;
        self._walkers.push(map);
        Ok(())
    }

    fn attach_alternative(&mut self, alternative: &Alternative, btf: &aya::Btf) -> Result<(), String> {
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
        if let Err(e) = load(program, first, btf) {
            let reason = chain(&e);
            self.refused.get_or_insert_with(|| format!("{name}: {reason}"));
            return Err(reason);
        }
        match self.ebpf.program_mut(name) {
            Some(Program::BtfTracePoint(p)) => {
                p.attach().map_err(|e| chain(&e))?;
            }
            Some(Program::KProbe(p)) => {
                p.attach(first, 0).map_err(|e| chain(&e))?;
            }
            Some(Program::TracePoint(p)) => {
                for point in points {
                    let optional = point.starts_with('?');
                    match p.attach("syscalls", point.trim_start_matches('?')) {
                        Ok(_) => {}
                        Err(_) if optional => {}
                        Err(e) => return Err(format!("{point}: {}", chain(&e))),
                    }
                }
            }
            Some(Program::CgroupSockAddr(p)) => {
                let root = environment::cgroup2_root().ok_or("no cgroup v2 hierarchy is mounted")?;
                let root = fs::File::open(&root).map_err(|e| format!("{}: {e}", root.display()))?;
                p.attach(root, CgroupAttachMode::Single).map_err(|e| chain(&e))?; // a link: others' programs stay
            }
            _ => {}
        }
        Ok(())
    }
}

/// Has the verifier look at a program; `point` only matters to BTF tracepoints.
fn load(program: &mut Program, point: &str, btf: &aya::Btf) -> Result<(), ProgramError> {
    match program {
        Program::BtfTracePoint(p) => p.load(point, btf),
        Program::KProbe(p) => p.load(),
        Program::TracePoint(p) => p.load(),
        Program::CgroupSockAddr(p) => p.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

/// Detaches and unloads a program; one that is not loaded is left alone.
pub(super) fn unload(ebpf: &mut Ebpf, name: &str) {
    // The only error is that it is not loaded.
    let _ = match ebpf.program_mut(name) {
        Some(Program::KProbe(p)) => p.unload(),
        Some(Program::TracePoint(p)) => p.unload(),
        Some(Program::BtfTracePoint(p)) => p.unload(),
        Some(Program::CgroupSockAddr(p)) => p.unload(),
        _ => Ok(()),
    };
}

fn load_error(e: &aya::EbpfError) -> AttachError {
    if not_permitted(e) { AttachError::NotAllowed } else { AttachError::Load(chain(e)) }
}

/// A capability is missing.
fn not_permitted(e: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(e), |e| e.source())
        .any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| e.raw_os_error() == Some(libc::EPERM)))
}
