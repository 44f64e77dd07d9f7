//! Many threads at once on few CPUs: no record carries another thread's path, and what is not seen is counted. On preemptible kernels
//! programs are interrupted by tasks that run the same programs; the kernel then skips runs, which must show in the counters.

use sensor::events::Body;
use sensor_common::{EventKind, Tier, stats::Reason};
use std::{
    collections::{BTreeSet, HashMap},
    fs,
    sync::atomic::{AtomicBool, Ordering},
};
use support::{Scratch, Watch, path_of, tid, watch};

const THREADS: usize = 4;
const OPENS: usize = 1000;

/// Records of a kind that were not sent, by the kernel's counters.
fn lost(w: &Watch, kind: EventKind) -> u64 {
    let reasons = [Reason::RingFull, Reason::Skipped, Reason::NoWorkArea, Reason::BadContext];
    w.attached.counters().iter().filter(|(k, r, _)| *k == kind && reasons.contains(r)).map(|c| c.2).sum()
}

#[test]
fn nothing_is_mixed_up_and_nothing_is_lost_in_silence() {
    let (mut w, dir) = (watch(), Scratch::new("storm"));
    let before = lost(&w, EventKind::Open);
    let (tids, events) = w.during(|| {
        std::thread::scope(|s| {
            let threads: Vec<_> = (0..THREADS)
                .map(|t| {
                    // Names of different lengths: a mixture of two would be no path at all.
                    let folder = dir.join(&format!("{t}{}", "x".repeat(60 * t)));
                    s.spawn(move || {
                        fs::create_dir(&folder).expect("a new folder");
                        for i in 0..OPENS {
                            fs::write(folder.join(format!("{i}")), "").expect("a new file");
                        }
                        (tid(), folder)
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().expect("no panic")).collect::<HashMap<_, _>>()
        })
    });
    let mut seen: HashMap<String, usize> = HashMap::new();
    for event in events.iter().filter(|e| e.kind() == EventKind::Open) {
        let Some(folder) = tids.get(&event.tid) else { continue };
        let path = path_of(event.file().expect("an open has a file"));
        let name = path.strip_prefix(folder.to_str().expect("ASCII")).unwrap_or_else(|| panic!("{path} by the thread of {folder:?}"));
        assert!(name.strip_prefix('/').is_some_and(|n| n.parse::<usize>().is_ok_and(|n| n < OPENS)), "{path}");
        *seen.entry(path.to_owned()).or_default() += 1;
    }
    let missing = THREADS * OPENS - seen.len();
    let counted = lost(&w, EventKind::Open) - before;
    assert!(u64::try_from(missing).expect("few") <= counted, "{missing} opens are missing, {counted} runs are counted as lost");
}

#[test]
fn beginnings_and_ends_of_processes_are_all_there_while_many_begin_and_end() {
    const CHILDREN: usize = 60;
    let mut w = watch();
    let kinds = [EventKind::Fork, EventKind::Exit];
    let before = kinds.map(|kind| lost(&w, kind));
    let over = AtomicBool::new(false);
    let (children, events) = w.during(|| {
        std::thread::scope(|s| {
            // Opens that are suppressed: programs run, and no ring fills.
            s.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    drop(fs::File::open("/proc/self/stat"));
                }
            });
            let parents: Vec<_> = (0..THREADS).map(|_| s.spawn(|| (0..CHILDREN).map(|_| short_child()).collect::<Vec<_>>())).collect();
            let children: BTreeSet<u32> = parents.into_iter().flat_map(|p| p.join().expect("no panic")).collect();
            over.store(true, Ordering::Relaxed);
            children
        })
    });
    assert_eq!(children.len(), THREADS * CHILDREN);
    for (kind, before) in kinds.into_iter().zip(before) {
        let told = events.iter().filter(|e| e.kind() == kind).map(|e| match &e.body {
            Body::Fork { child } => child.id.tgid,
            _ => e.process.id.tgid,
        });
        let told: BTreeSet<u32> = told.filter(|pid| children.contains(pid)).collect();
        let (missing, counted) = (u64::try_from(children.len() - told.len()).expect("few"), lost(&w, kind) - before);
        assert!(missing <= counted, "{missing} of kind {} are missing, {counted} runs are counted as lost", kind.as_str());
        // A kprobe is skipped by nothing, and the ring for these kinds holds far more than that.
        if w.tier(kind.as_str()) == Some(Tier::Kprobe) {
            assert_eq!(missing, 0, "of kind {}", kind.as_str());
        }
    }
}

/// A process that ends at once; its pid.
fn short_child() -> u32 {
    // SAFETY: the child does nothing but end.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::_exit(0);
        }
        libc::waitpid(pid, std::ptr::null_mut(), 0);
        u32::try_from(pid).expect("a child")
    }
}
