//! Events that match nothing cost no memory: after the first of its kind, evaluating one allocates nothing.

use sensor::{
    events::{Body, Event, FileRef, Outcome},
    process::{Credentials, Image, Process, ProcessId},
    text::Text,
};
use sensor_common::Tier;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    path::Path,
    sync::Arc,
};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: it hands everything to the system's allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|c| c.set(c.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn process(n: usize) -> Process {
    let command = format!("/usr/bin/make --directory /home/alice/project-{n} all -j2");
    let image = Image {
        executable: Some(Text::from("/usr/bin/make")),
        invoked: Some(Text::from("/bin/make")),
        args: command.split(' ').map(Text::from).collect(),
        command_line: Some(Text::from(command)),
        working_directory: Some(Text::from("/home/alice")),
        ..Image::default()
    };
    Process {
        id: ProcessId { tgid: 10, start_ns: n as u64 },
        parent: ProcessId::default(),
        tree: ProcessId::default(),
        image: Some(Arc::new(image)),
        comm: Text::from("make"),
        credentials: Credentials { uid: 1000, ..Credentials::default() },
        user_name: Some(Text::from("alice")),
        pid_ns: 1,
        mnt_ns: 1,
        cgroup_id: 1,
        cgroup: None,
        container: None,
    }
}

fn events(n: usize) -> [Arc<Event>; 2] {
    let (process, parent) = (Arc::new(process(n)), Some(Arc::new(process(n + 1))));
    let file = FileRef { path: Some(Text::from(format!("/home/alice/project/object-file-{n}.o"))), ..FileRef::default() };
    let bodies = [
        Body::Exec { outcome: Outcome::Success(0), image: process.image.clone().expect("made above") },
        Body::Open { outcome: Outcome::Success(3), file, flags: 0o101, mode: 0o644, created: true },
    ];
    bodies.map(|body| {
        let event =
            Event { time_ns: 1, wall_ns: 1, tier: Tier::Tracepoint, tid: 10, process: process.clone(), parent: parent.clone(), body };
        Arc::new(event)
    })
}

#[test]
fn an_event_that_matches_nothing_allocates_nothing() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut engine = sensor::score::load(&[rules]).engine;
    let all: Vec<Arc<Event>> = (0..3000).flat_map(events).collect();
    let mut out = Vec::new();
    let mut run = |events: &[Arc<Event>]| {
        for event in events {
            engine.evaluate(event, &mut Vec::new, &mut out);
        }
        out.len()
    };
    let (warm_up, steady) = all.split_at(1000);
    assert_eq!(run(warm_up), 0);
    let before = COUNT.get();
    assert_eq!(run(steady), 0);
    assert_eq!(COUNT.get() - before, 0, "allocations for {} events", steady.len());
}
