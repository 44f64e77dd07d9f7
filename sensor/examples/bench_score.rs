//! Events per second of the rule engine alone on one core: real program starts, all bundled rules. Run it in a release build.
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
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Instant};

/// Image, command line, parent image, parent command line, user, folder.
type Line = [String; 6];

fn main() {
    let mut args = std::env::args().skip(1);
    let lines = args.next().filter(|file| file != "-").map_or_else(made_up, |file| read(&file));
    let rules: Vec<PathBuf> = args.map(PathBuf::from).collect();
    let rules = if rules.is_empty() { vec![PathBuf::from("rules")] } else { rules };
    let start = Instant::now();
    let mut loaded = sensor::score::load(&rules);
    println!(
        "{} rules loaded in {:.1} ms, {} run",
        loaded.report.rules.len(),
        start.elapsed().as_secs_f64() * 1e3,
        loaded.report.running()
    );
    let bytes: usize = lines.iter().map(|l| l[1].len()).sum();
    println!("{} events, {} bytes of command line on average", lines.len(), bytes / lines.len().max(1));
    for (name, shared) in [("each string new", false), ("parents shared, as in the process tree", true)] {
        let mut best = f64::INFINITY;
        let (mut hits, mut total) = (0, 0);
        for round in 0..7 {
            let events = events(&lines, shared);
            let start = Instant::now();
            for event in &events {
                hits += loaded.engine.matching_rules(event).len();
            }
            if round > 0 {
                best = best.min(start.elapsed().as_secs_f64());
            }
            total += events.len();
        }
        println!("{name}: {:.0} events/s, {:.2} findings per event", lines.len() as f64 / best, hits as f64 / total as f64);
    }
    let events = events(&lines, true);
    let mut out = Vec::new();
    let start = Instant::now();
    for event in &events {
        loaded.engine.evaluate(event, &mut Vec::new, &mut out);
        out.clear();
    }
    println!("with findings and scores: {:.0} events/s", events.len() as f64 / start.elapsed().as_secs_f64());
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

fn events(lines: &[Line], shared: bool) -> Vec<Arc<Event>> {
    let mut parents: HashMap<(String, String), Arc<Process>> = HashMap::new();
    let mut make = |line: &Line, n: usize| {
        let parent = || Arc::new(process(&line[2], &line[3], &line[4], "", n));
        let parent = if shared { parents.entry((line[2].clone(), line[3].clone())).or_insert_with(parent).clone() } else { parent() };
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
    };
    lines.iter().enumerate().map(|(n, line)| make(line, n)).collect()
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
