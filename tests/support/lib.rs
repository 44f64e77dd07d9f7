//! What the tests share: a running sensor within the test process, and a way to see exactly what one thread set off.
#![allow(missing_docs, reason = "helpers of tests")]

use sensor::{
    attach::{Attached, Options, attach},
    collect::{Collector, Source, order},
    enrich::{Enricher, clock, table},
    events::{Body, Event},
};
use sensor_common::{EventKind, Tier};
use std::{
    ffi::CString,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// How long something may take that takes milliseconds, in an emulated guest with a busy host.
const PATIENCE: Duration = Duration::from_secs(30);

/// Attached probes with the stages behind them, up to events.
pub struct Watch {
    pub attached: Attached,
    collector: Collector,
    enricher: Enricher,
}

/// The sensor that the tests of one program share: attaching takes seconds in a guest. Tests take turns.
pub fn watch() -> MutexGuard<'static, Watch> {
    static WATCH: OnceLock<Mutex<Watch>> = OnceLock::new();
    let watch = WATCH.get_or_init(|| Mutex::new(Watch::start(&Options::default())));
    // A test that failed leaves nothing behind that the next one would mind.
    watch.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Watch {
    pub fn start(options: &Options) -> Self {
        let mut attached = attach(options).expect("kernel tests run as root on a kernel with BTF");
        attached.set_read_names([(&b"read-me"[..], true), (&b"read-mine"[..], false)]).expect("two names");
        let mut enricher = Enricher::live(table::Limits::default());
        enricher.seed_from_proc();
        Self { attached, collector: Collector::new(order::Options::default()), enricher }
    }

    /// Kernel-object hooks are attached: names and addresses come from the kernel even where a call failed or has no descriptor.
    pub fn sees_objects(&self) -> bool {
        self.tier("unlink.file") == Some(Tier::Kprobe)
    }

    pub fn tier(&self, slot: &str) -> Option<Tier> {
        self.attached.verdicts().iter().find(|v| v.slot.name == slot).and_then(|v| v.tier)
    }

    /// Everything that this process and its descendants set off in `action`, in order.
    ///
    /// A failed `unlink` before and after it marks its beginning and its end in the stream, so that nothing depends on time.
    pub fn during<T>(&mut self, action: impl FnOnce() -> T) -> (T, Vec<Arc<Event>>) {
        // Nobody has read since the last test, and others may have filled the rings meanwhile: room for what comes.
        self.attached.drain(&mut |raw| self.collector.push(raw)).expect("rings do not break");
        let begin = fence();
        let result = action();
        let end = fence();
        let me = (std::process::id(), tid());
        let mut events = Vec::new();
        let (mut begun, mut ended) = (false, false);
        let deadline = Instant::now() + PATIENCE;
        while !ended {
            assert!(Instant::now() < deadline, "the end mark was not seen; begun {begun}, {} events so far", events.len());
            self.attached.drain(&mut |raw| self.collector.push(raw)).expect("rings do not break");
            let enricher = &mut self.enricher;
            self.collector.release(clock::boot_ns(), &mut |record| {
                let Some(event) = enricher.event(&record) else { return };
                let mine = (event.process.id.tgid, event.tid) == me;
                if mine && is_fence(&event, begin) {
                    begun = true;
                } else if mine && is_fence(&event, end) {
                    ended = true;
                } else if begun
                    && !ended
                    && (event.process.id.tgid == me.0 || enricher.ancestors(event.process.id).iter().any(|p| p.id.tgid == me.0))
                {
                    events.push(Arc::new(event));
                }
            });
            std::thread::sleep(Duration::from_millis(2));
        }
        (result, events)
    }

    /// The events of one kind that `action` sets off.
    pub fn events(&mut self, kind: EventKind, action: impl FnOnce()) -> Vec<Arc<Event>> {
        self.during(action).1.into_iter().filter(|e| e.kind() == kind).collect()
    }

    /// The only event of a kind that `action` sets off.
    pub fn one(&mut self, kind: EventKind, action: impl FnOnce()) -> Arc<Event> {
        let lost = |attached: &Attached| -> Vec<_> { attached.counters().into_iter().filter(|(_, reason, _)| reason.is_loss()).collect() };
        let before = lost(&self.attached);
        let mut events = self.events(kind, action);
        let after = lost(&self.attached);
        assert_eq!(
            events.len(),
            1,
            "{} events of kind {}: {events:#?}; lost before {before:?}, behind {after:?}",
            events.len(),
            kind.as_str()
        );
        events.remove(0)
    }
}

static FENCES: AtomicU32 = AtomicU32::new(0);

fn fence_path(n: u32) -> String {
    format!("/no-such-folder/fence-{n}")
}

fn fence() -> u32 {
    let n = FENCES.fetch_add(1, Ordering::Relaxed);
    assert!(std::fs::remove_file(fence_path(n)).is_err());
    n
}

fn is_fence(event: &Event, n: u32) -> bool {
    matches!(&event.body, Body::Unlink { file, .. } if file.path.as_ref().is_some_and(|p| p.bytes() == fence_path(n).as_bytes()))
}

/// Thread id of the caller.
pub fn tid() -> u32 {
    // SAFETY: a system call without arguments.
    u32::try_from(unsafe { libc::gettid() }).expect("thread ids are positive")
}

/// A folder that is gone when the value goes.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("sensor-test-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).expect("a new folder in the folder for temporary files");
        Self(dir.canonicalize().expect("it is there"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Path of something in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The same as text.
    pub fn name(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("names of tests are ASCII").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where cgroup v2 is mounted.
pub fn cgroup2_root() -> &'static str {
    let there = |folder: &&str| std::fs::metadata(format!("{folder}/cgroup.procs")).is_ok();
    ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].into_iter().find(there).expect("cgroup v2")
}

/// For system calls.
pub fn cstr(s: &str) -> CString {
    CString::new(s).expect("no NUL in names of tests")
}

/// The result of a raw system call as the kernel gave it.
pub fn result(r: impl Into<i64>) -> i64 {
    let r = r.into();
    if r == -1 { -i64::from(std::io::Error::last_os_error().raw_os_error().expect("a system call failed")) } else { r }
}

/// A path of a [`sensor::events::FileRef`] as text.
pub fn path_of(file: &sensor::events::FileRef) -> &str {
    std::str::from_utf8(file.path.as_ref().expect("a path").bytes()).expect("names of tests are ASCII")
}
