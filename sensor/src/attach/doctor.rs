//! `sensor doctor`: which hook sees what on this kernel, each proven by a canary that makes it fire. An attached hook that stays silent is
//! broken, whatever the kernel said when it was attached.

use super::{Access, AttachError, Attached, Options, Verdict, attach, environment, features::Features};
use crate::collect::Source;
use sensor_common::{EventKind, RingClass, Tier, decode, header::header_flags};
use serde::Serialize;
use std::{
    collections::HashSet,
    fmt::Write as _,
    fs, io,
    net::{TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// State of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Attached, and its canary was seen.
    Proven,
    /// Attached, and its canary was not seen: this kernel does not run it.
    Silent,
    /// Attached, and its canary could not be set off here: see the notes.
    Unproven,
    /// No alternative could be attached.
    Missing,
}

/// One line of the diagnosis.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Name of the slot.
    pub slot: &'static str,
    /// What it gives.
    pub gives: &'static str,
    /// The event that it feeds.
    pub event: &'static str,
    /// Tier in use.
    pub tier: Option<&'static str>,
    /// State.
    pub state: State,
    /// Why better tiers are not in use.
    pub failures: Vec<String>,
}

/// All that `sensor doctor` says.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// The kernel.
    pub kernel: Features,
    /// The hooks.
    pub hooks: Vec<Finding>,
    /// Programs follow the current task's pointers by plain loads.
    pub typed_pointers: bool,
    /// Why not: each member takes a helper's call then, which costs some tens of nanoseconds.
    pub typed_pointers_failure: Option<String>,
    /// Milliseconds from the start to the last hook attached.
    pub attach_ms: u64,
    /// Parts of the canary that could not be carried out (no IPv6, say).
    pub notes: Vec<String>,
}

/// Attaches everything, sets off the canaries and reports. Detaches before it returns.
///
/// # Errors
/// Those of [`attach`].
pub fn doctor(options: &Options) -> Result<Diagnosis, AttachError> {
    let kernel = Features::detect();
    let start = Instant::now();
    let mut attached = attach(options)?;
    let attach_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let notes = canary();
    let seen = watch(&mut attached, Duration::from_millis(500));
    let hooks = attached.verdicts().iter().map(|v| judge(v, &seen, &notes)).collect();
    let notes = notes.into_iter().map(|(part, why)| format!("{part}: {why}")).collect();
    let typed_pointers_failure = match attached.access() {
        Access::Typed => None,
        Access::Helper(reason) => Some(reason.clone()),
    };
    Ok(Diagnosis { kernel, hooks, typed_pointers: typed_pointers_failure.is_none(), typed_pointers_failure, attach_ms, notes })
}

/// What the canary's records prove: event, tier, and whether it was the announcement or the result.
type Seen = HashSet<(EventKind, Tier, bool)>;

/// Collects what this process and its children have set off, until `patience` is over.
fn watch(attached: &mut Attached, patience: Duration) -> Seen {
    let me = std::process::id();
    let mut seen = Seen::new();
    let end = Instant::now() + patience;
    while Instant::now() < end {
        // The rings cannot break; a record that does not decode proves nothing.
        let _ = attached.drain(&mut |raw| {
            if let Ok(record) = decode(raw)
                && let header = record.header()
                && (header.task.tgid == me || header.task.parent_tgid == me)
                && let Some(kind) = EventKind::from_wire(header.kind)
                && let Some(tier) = Tier::from_wire(header.tier)
            {
                seen.insert((kind, tier, header.flags & header_flags::BEGUN != 0));
            }
        });
        std::thread::sleep(Duration::from_millis(20));
    }
    seen
}

fn judge(verdict: &Verdict, seen: &Seen, notes: &[(&str, String)]) -> Finding {
    let slot = verdict.slot;
    let announces = slot.name.ends_with(".file") || slot.name.ends_with(".address");
    let state = match verdict.tier {
        None => State::Missing,
        Some(tier) if seen.contains(&(slot.kind, tier, announces)) => State::Proven,
        Some(_) if notes.iter().any(|(part, _)| *part == canary_of(slot.kind)) => State::Unproven,
        Some(_) => State::Silent,
    };
    Finding {
        slot: slot.name,
        gives: slot.gives,
        event: slot.kind.as_str(),
        tier: verdict.tier.map(Tier::as_str),
        state,
        failures: verdict.failures.iter().map(|(tier, reason)| format!("{}: {reason}", tier.as_str())).collect(),
    }
}

const FILES: &str = "files";
const IPV4: &str = "IPv4";
const EXEC: &str = "exec";
const CGROUP: &str = "cgroup";

/// The part of the canary that makes an event's hooks fire.
fn canary_of(kind: EventKind) -> &'static str {
    match kind.class() {
        RingClass::File => FILES,
        RingClass::Network => IPV4,
        RingClass::Critical if kind == EventKind::Cgroup => CGROUP,
        RingClass::Critical => EXEC,
    }
}

/// Sets off every hook once, in a folder and a cgroup of its own and on the loopback interface; returns the parts that could not be done, and
/// why.
fn canary() -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    let dir = std::env::temp_dir().join(format!("sensor-canary-{}", std::process::id()));
    let mut check = |part: &'static str, result: io::Result<()>| {
        if let Err(e) = result {
            notes.push((part, e.to_string()));
        }
    };
    check(FILES, files(&dir));
    let _ = fs::remove_dir_all(&dir);
    check(IPV4, network("127.0.0.1:0"));
    check("IPv6", network("[::1]:0"));
    check(EXEC, process());
    check(CGROUP, control_group());
    notes
}

fn control_group() -> io::Result<()> {
    let root = environment::cgroup2_root().ok_or_else(|| io::Error::other("no cgroup v2 hierarchy is mounted"))?;
    let folder = root.join(format!("sensor-canary-{}", std::process::id()));
    fs::create_dir(&folder)?;
    fs::remove_dir(&folder)
}

fn files(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)?;
    let p = |name: &str| -> PathBuf { dir.join(name) };
    fs::write(p("a"), "canary")?;
    fs::rename(p("a"), p("b"))?;
    fs::set_permissions(p("b"), fs::Permissions::from_mode(0o600))?;
    chown(p("b"), Some(rustix::process::getuid().as_raw()), None)?;
    fs::hard_link(p("b"), p("c"))?;
    symlink("b", p("d"))?;
    for name in ["b", "c", "d"] {
        fs::remove_file(p(name))?;
    }
    fs::create_dir(p("e"))?;
    fs::remove_dir(p("e"))
}

fn network(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let _client = TcpStream::connect(listener.local_addr()?)?;
    listener.accept()?;
    Ok(())
}

fn process() -> io::Result<()> {
    // What the program makes of the argument does not matter: it is executed and ends.
    Command::new("/proc/self/exe").arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    match Command::new("/proc/self/no-such-program").status() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map(|_| ()),
    }
}

impl Diagnosis {
    /// Every hook that is attached was proven.
    pub fn is_healthy(&self) -> bool {
        self.hooks.iter().all(|h| h.state != State::Silent)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let k = &self.kernel;
        let yes = |b: bool| if b { "yes" } else { "no" };
        let mut out = String::new();
        let _ = writeln!(out, "kernel        {} {}", k.release, k.machine);
        let _ = writeln!(out, "types (BTF)   {}", yes(k.btf));
        let _ = writeln!(out, "kprobes       {}", yes(k.kprobes));
        let _ = writeln!(
            out,
            "BPF LSM       {} (active: {})",
            yes(k.bpf_lsm),
            if k.security_modules.is_empty() { "not to be seen".to_owned() } else { k.security_modules.join(",") }
        );
        let _ = writeln!(out, "cgroup v2     {}", k.cgroup2.as_deref().unwrap_or("not mounted"));
        let _ = writeln!(out, "preemption    {}", if k.preemption.is_empty() { "the build's default" } else { &k.preemption });
        let _ = writeln!(out, "login user    {}", if k.login_uid { "known" } else { "not known (kernel without audit)" });
        let how =
            self.typed_pointers_failure.as_ref().map_or("plain loads".to_owned(), |why| format!("helper calls, which cost more: {why}"));
        let _ = writeln!(out, "task read by  {how}");
        let _ = writeln!(out, "attached in   {} ms\n", self.attach_ms);
        let _ = writeln!(out, "{:<18} {:<11} {:<8} what it gives", "hook", "tier", "state");
        for h in &self.hooks {
            let state = match h.state {
                State::Proven => "proven",
                State::Silent => "SILENT",
                State::Unproven => "unproven",
                State::Missing => "missing",
            };
            let _ = writeln!(out, "{:<18} {:<11} {:<8} {}", h.slot, h.tier.unwrap_or("-"), state, h.gives);
        }
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for h in &self.hooks {
            for failure in &h.failures {
                match reasons.iter_mut().find(|(r, _)| r == failure) {
                    Some((_, slots)) => slots.push(h.slot),
                    None => reasons.push((failure, vec![h.slot])),
                }
            }
        }
        for (reason, slots) in reasons {
            let _ = writeln!(out, "\nnot in use: {reason}\n  for {}", slots.join(", "));
        }
        for note in &self.notes {
            let _ = writeln!(out, "\ncanary: {note}");
        }
        let count = |s: State| self.hooks.iter().filter(|h| h.state == s).count();
        let _ = write!(out, "\n{} proven, {} silent, {} missing", count(State::Proven), count(State::Silent), count(State::Missing));
        out.push_str(&match count(State::Unproven) {
            0 => "\n".to_owned(),
            n => format!(", {n} unproven\n"),
        });
        out
    }
}
