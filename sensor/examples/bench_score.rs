//! Events per second (of the thread's own CPU time) of the rule engine alone on one core: real program starts, all bundled rules. Run it in a release build.
//!
//! `cargo run --release -p sensor --example bench_score -- EVENTS.ndjson [RULES...]`, where each line of EVENTS has `Image`, `CommandLine`,
//! `ParentImage`, `ParentCommandLine`, `User` and `CurrentDirectory`. Without a file (or with `-`), command lines are made up.
//! Figures are for reading, not for tests: nothing is asserted about time.
#![allow(clippy::print_stdout, reason = "it is a program for the terminal")]

use sensor::{
    events::{Body, Event, Outcome},
    process::{Credentials, Image, Process, ProcessId},
    text::Text,
};
use sensor_common::Tier;
use std::{collections::HashMap, path::PathBuf, sync::Arc};

/// Image, command line, parent image, parent command line, user, folder.
type Line = [String; 6];

/// Seconds that this thread has run: what others do on the machine does not count.
fn cpu() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn main() {
    let mut args = std::env::args().skip(1);
    let lines = args.next().filter(|file| file != "-").map_or_else(made_up, |file| read(&file));
    let rules: Vec<PathBuf> = args.map(PathBuf::from).collect();
    let rules = if rules.is_empty() { vec![PathBuf::from("rules")] } else { rules };
    let start = std::time::Instant::now();
    let mut loaded = sensor::score::load(&rules);
    let took = start.elapsed().as_secs_f64() * 1e3;
    println!("{} rules loaded in {took:.1} ms, {} run", loaded.report.rules.len(), loaded.report.running());
    let bytes: usize = lines.iter().map(|l| l[1].len()).sum();
    println!("{} events, {} bytes of command line on average", lines.len(), bytes / lines.len().max(1));
    // In batches, as the stages before would hand them over: just made, and still in the processor's caches.
    for (name, shared) in [("each string new", false), ("parents shared, as in the process tree", true)] {
        let (mut matching, mut scoring, mut count, mut found) = (0.0, 0.0, 0, Vec::new());
        let mut maker = Maker { shared, ..Maker::default() };
        for round in 0..20 {
            for batch in lines.chunks(128) {
                let events: Vec<Arc<Event>> = batch.iter().map(|line| maker.event(line)).collect();
                let again: Vec<Arc<Event>> = batch.iter().map(|line| maker.event(line)).collect();
                let start = cpu();
                for event in &again {
                    std::hint::black_box(loaded.engine.matching_rules(event));
                }
                let middle = cpu();
                for event in &events {
                    loaded.engine.evaluate(event, &mut Vec::new, &mut found);
                }
                if round > 0 {
                    (matching, scoring, count) = (matching + middle - start, scoring + cpu() - middle, count + batch.len());
                }
                if round < 19 {
                    found.clear();
                }
            }
        }
        let each = |seconds: f64| format!("{:.0} events/s", count as f64 / seconds);
        println!("{name}: {} matched, {} with findings and scores", each(matching), each(scoring));
        println!("  {:.3} findings per event", found.len() as f64 / lines.len() as f64);
    }
}

fn read(file: &str) -> Vec<Line> {
    let text = std::fs::read_to_string(file).expect("the file with events");
    let field = |v: &serde_json::Value, name: &str| v[name].as_str().unwrap_or_default().to_owned();
    let names = ["Image", "CommandLine", "ParentImage", "ParentCommandLine", "User", "CurrentDirectory"];
    text.lines().filter_map(|l| serde_json::from_str(l).ok()).map(|v| names.map(|n| field(&v, n))).collect()
}

/// What a package installation looks like, more or less.
fn made_up() -> Vec<Line> {
    let programs = ["dpkg", "tar", "sed", "rm", "cp", "mkdir", "ln", "chmod", "cat", "grep", "find", "sh"];
    let made = |n: usize| {
        let program = programs[n % programs.len()];
        let command = format!("{program} --quiet -o /var/lib/dpkg/info/package-{n}.list /usr/share/doc/package-{}/changelog.gz", n % 97);
        [
            format!("/usr/bin/{program}"),
            command,
            "/usr/bin/dash".into(),
            format!("/bin/sh /var/lib/dpkg/info/{}.postinst configure", n % 31),
            "root".into(),
            "/".into(),
        ]
    };
    (0..5000).map(made).collect()
}

/// Makes events of lines; with `shared` parents are the same while their text is.
#[derive(Default)]
struct Maker {
    shared: bool,
    parents: HashMap<(String, String), Arc<Process>>,
    count: usize,
}

impl Maker {
    fn event(&mut self, line: &Line) -> Arc<Event> {
        self.count += 1;
        let n = self.count;
        let parent = || Arc::new(process(&line[2], &line[3], &line[4], "", n));
        let parent =
            if self.shared { self.parents.entry((line[2].clone(), line[3].clone())).or_insert_with(parent).clone() } else { parent() };
        let process = process(&line[0], &line[1], &line[4], &line[5], n);
        let body = Body::Exec { outcome: Outcome::Success(0), image: process.image.clone().expect("just made") };
        let time_ns = n as u64 * 1_000_000;
        Arc::new(Event {
            time_ns,
            wall_ns: time_ns,
            tier: Tier::Tracepoint,
            tid: 1,
            process: Arc::new(process),
            parent: Some(parent),
            body,
        })
    }
}

fn process(image: &str, command: &str, user: &str, folder: &str, n: usize) -> Process {
    let id = ProcessId { tgid: 1 + (n % 30_000) as u32, start_ns: n as u64 };
    let image = Image {
        executable: Some(Text::from(image)),
        invoked: Some(Text::from(image)),
        args: command.split(' ').map(Text::from).collect(),
        command_line: Some(Text::from(command)),
        working_directory: Some(Text::from(folder)),
        ..Image::default()
    };
    Process {
        id,
        parent: ProcessId::default(),
        tree: ProcessId { tgid: 1, start_ns: n as u64 / 50 },
        comm: Text::from(image.executable.as_ref().map_or(&b""[..], Text::basename)),
        image: Some(Arc::new(image)),
        credentials: Credentials::default(),
        user_name: Some(Text::from(user)),
        pid_ns: 1,
        mnt_ns: 1,
        cgroup_id: 1,
        cgroup: None,
        container: None,
    }
}
