//! Many threads at once on few CPUs: no record carries another thread's path, and what is not seen is counted. On preemptible kernels
//! programs are interrupted by tasks that run the same programs; the kernel then skips runs, which must show in the counters.

use sensor_common::{EventKind, stats::Reason};
use std::{collections::HashMap, fs};
use support::{Scratch, path_of, tid, watch};

const THREADS: usize = 4;
const OPENS: usize = 1000;

#[test]
fn nothing_is_mixed_up_and_nothing_is_lost_in_silence() {
    let (mut w, dir) = (watch(), Scratch::new("storm"));
    let lost = |w: &support::Watch| -> u64 {
        let counters = w.attached.counters();
        let reasons = [Reason::RingFull, Reason::Skipped, Reason::NoWorkArea, Reason::BadContext];
        counters.iter().filter(|(k, r, _)| *k == EventKind::Open && reasons.contains(r)).map(|c| c.2).sum()
    };
    let before = lost(&w);
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
    let counted = lost(&w) - before;
    assert!(u64::try_from(missing).expect("few") <= counted, "{missing} opens are missing, {counted} runs are counted as lost");
}
