//! Reads `data/atomics.ndjson` (its README tells the format) and makes real events of it.

use sensor::{
    events::{Body, Endpoint, Event, FileRef, Outcome, Socket},
    process::{Credentials, Image, Process, ProcessId},
    text::Text,
};
use sensor_common::Tier;
use serde_json::Value;
use std::{collections::HashMap, path::Path, sync::Arc};

/// One test and its events.
pub(crate) struct Recorded {
    /// Name, like `T1003.007#1`.
    pub(crate) test: String,
    /// Events; true for those of the recorder.
    pub(crate) events: Vec<(bool, Arc<Event>)>,
}

/// Folder of the data.
pub(crate) fn data() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("tests/replay/data")
}

/// All recorded tests.
pub(crate) fn all() -> Vec<Recorded> {
    let text = std::fs::read_to_string(data().join("atomics.ndjson")).expect("the recording");
    let mut out: Vec<Recorded> = Vec::new();
    let mut processes: HashMap<u64, Arc<Process>> = HashMap::new();
    let mut time_ns = 1_000_000_000;
    for line in text.lines() {
        let line: Vec<Value> = serde_json::from_str(line).expect("an array per line");
        let string = |n: usize| line[n].as_str().expect("a string");
        let number = |n: usize| line[n].as_u64().expect("a number");
        match string(0) {
            "test" => {
                processes.clear();
                out.push(Recorded { test: string(1).to_owned(), events: Vec::new() });
            }
            "proc" => {
                let parent = line[6].as_u64().map(|n| processes[&n].clone());
                processes.insert(number(1), Arc::new(process(&line, out.len(), parent.as_deref())));
            }
            kind => {
                time_ns += 1_000_000;
                let actor = processes[&number(1)].clone();
                let parent = processes.values().find(|p| p.id == actor.parent).cloned();
                let body = body(kind, &line, &actor);
                let harness = kind == "exec" && line[2] == Value::Bool(true);
                let event = Event { time_ns, wall_ns: time_ns, tier: Tier::Tracepoint, tid: actor.id.tgid, process: actor, parent, body };
                out.last_mut().expect("a test").events.push((harness, Arc::new(event)));
            }
        }
    }
    out
}

fn process(line: &[Value], test: usize, parent: Option<&Process>) -> Process {
    let text = |v: &Value| v.as_str().filter(|s| !s.is_empty()).map(Text::from);
    let args: Vec<Text> = line[5].as_array().into_iter().flatten().filter_map(text_or_empty).collect();
    let joined = args.iter().map(Text::bytes).collect::<Vec<_>>().join(&b' ');
    let tgid = u32::try_from(line[1].as_u64().expect("a number")).expect("small") + 10;
    let tree = ProcessId { tgid: 1, start_ns: test as u64 };
    let image = Image {
        executable: text(&line[2]),
        invoked: text(&line[3]),
        command_line: (!args.is_empty()).then(|| Text::from(joined)),
        args,
        ..Image::default()
    };
    Process {
        id: ProcessId { tgid, start_ns: u64::from(tgid) },
        parent: parent.map_or(tree, |p| p.id),
        tree,
        image: Some(Arc::new(image)),
        comm: Text::from(line[4].as_str().unwrap_or_default()),
        credentials: Credentials::default(),
        user_name: Some(Text::from("root")),
        pid_ns: 1,
        mnt_ns: 1,
        cgroup_id: 1,
        cgroup: None,
        container: None,
    }
}

fn text_or_empty(v: &Value) -> Option<Text> {
    v.as_str().map(Text::from)
}

fn body(kind: &str, line: &[Value], actor: &Process) -> Body {
    let file = |n: usize| FileRef {
        path: line[n].as_str().filter(|s| !s.is_empty()).map(Text::from),
        from_kernel: true,
        complete: true,
        ..FileRef::default()
    };
    let result = line.last().and_then(Value::as_i64).unwrap_or(0);
    // The recorder kept that it failed, not how: 1 stands for any error.
    let outcome = if result < 0 { Outcome::Failure(1) } else { Outcome::Success(0) };
    match kind {
        "exec" => Body::Exec { outcome: Outcome::Success(0), image: actor.image.clone().expect("made above") },
        "open" => {
            let how = line[3].as_str().expect("a string");
            let flags = match (how.contains('r'), how.contains('w')) {
                (true, true) => 2,
                (false, true) => 1,
                _ => 0,
            };
            Body::Open { outcome, file: file(2), flags, mode: 0, created: how.contains('c') }
        }
        "unlink" => Body::Unlink { outcome, file: file(2), directory: false },
        "chmod" => Body::Chmod { outcome, file: file(2), mode: 0 },
        "chown" => Body::Chown { outcome, file: file(2), owner: None, group: None },
        "rename" => Body::Rename { outcome, old: file(2), new: file(3), flags: 0 },
        "link" => Body::Link { outcome, old: file(2), new: file(3) },
        "symlink" => Body::Symlink { outcome, target: Text::from(line[2].as_str().unwrap_or_default()), link: file(3) },
        "connect" => {
            let address = line[2].as_str().and_then(|s| s.parse().ok()).expect("an address");
            let port = u16::try_from(line[3].as_u64().expect("a port")).expect("a port");
            Body::Connect { outcome, socket: Socket { family: 2, kind: 1, remote: Some(Endpoint::Ip(address, port)), ..Socket::default() } }
        }
        other => panic!("an event called {other}"),
    }
}
