//! The engine against rsigma-eval, an independent evaluator: the same bundled rules, the same events, the same answers.
//!
//! Events are made from the values of the rules themselves, hits and near misses, and taken from recorded attacks.

#[path = "../../tests/replay/recorded.rs"]
mod recorded;

use rsigma_eval::event::JsonEvent;
use rsigma_parser::{Detection, Modifier, SigmaRule, SigmaValue};
use sensor::{
    events::{Body, Endpoint, Event, Field, FileRef, Outcome, Socket, Value},
    process::{Credentials, Image, Process, ProcessId},
    score::{Engine, RuleState},
    text::Text,
};
use sensor_common::Tier;
use serde_json::{Map, Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Log sources that both can evaluate.
const SOURCES: [&str; 4] = ["process_creation", "file_event", "network_connection", "auditd"];

/// Rules that the other evaluator reads wrongly: 0.23 anchors `startswith` with a `*` inside at the wrong end (it appends `$` and no `^`).
/// The meaning of these is tested in the engine's own tables.
const MISREAD: [&str; 1] = ["a39d7fa7-3fbd-4dc2-97e1-d87f546b1bbc"];

type Others = BTreeMap<&'static str, rsigma_eval::Engine>;

fn rules_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/sigma")
}

/// The other evaluator, one per log source, with the rules that run here.
fn other() -> (Others, Vec<(&'static str, SigmaRule)>) {
    let report = sensor::score::load(&[rules_dir()]).report;
    let runs: BTreeSet<String> =
        report.rules.into_iter().filter(|r| matches!(r.state, RuleState::Runs { .. })).filter_map(|r| r.id).collect();
    let collection = rsigma_parser::parse_sigma_directory(&rules_dir()).expect("the bundled rules");
    let mut engines: Others = SOURCES.iter().map(|s| (*s, rsigma_eval::Engine::new())).collect();
    let mut rules = Vec::new();
    for rule in collection.rules {
        let source = rule.logsource.category.as_deref().or(rule.logsource.service.as_deref());
        let Some(source) = SOURCES.into_iter().find(|s| Some(*s) == source) else { continue };
        if rule.id.as_ref().is_some_and(|id| MISREAD.contains(&id.as_str())) {
            continue;
        }
        if rule.id.as_ref().is_some_and(|id| runs.contains(id)) {
            engines.get_mut(source).expect("made above").add_rule(&rule).expect("a rule that runs");
            rules.push((source, rule));
        }
    }
    rules.sort_by(|a, b| a.1.id.cmp(&b.1.id));
    (engines, rules)
}

/// Ids of the rules that the other evaluator finds in an event, as the records that each log source would have of it.
fn theirs(engines: &Others, event: &Event) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (source, record) in records(event) {
        let found = engines[source].evaluate(&JsonEvent::borrow(&record));
        out.extend(found.into_iter().filter_map(|r| r.header.rule_id));
    }
    out
}

fn ours(engine: &mut Engine, event: &Event) -> BTreeSet<String> {
    let fast: BTreeSet<String> = engine.matching_rules(event).iter().map(|r| r.id.clone()).collect();
    let slow: BTreeSet<String> = engine.matching_rules_slowly(event).iter().map(|r| r.id.clone()).collect();
    assert_eq!(fast, slow, "the index and the plain reading of the rules disagree on {event:?}");
    fast.into_iter().filter(|id| !MISREAD.contains(&id.as_str())).collect()
}

/// A field as JSON; both paths of an executable as a list, of which any may match.
fn put(map: &mut Map<String, Json>, name: &str, event: &Event, field: Field) {
    let value = match event.get(field) {
        Value::None | Value::List(_) => return,
        Value::Text(t) => json!(t.lossy()),
        Value::Either(a, b) => json!([a.lossy(), b.lossy()]),
        Value::Str(s) => json!(s),
        Value::Number(n) => json!(n),
        Value::Ip(ip) => json!(ip.to_string()),
        Value::Bool(b) => json!(b),
    };
    map.insert(name.to_owned(), value);
}

fn records(event: &Event) -> Vec<(&'static str, Json)> {
    let mut actor = Map::new();
    for (name, field) in [
        ("Image", Field::ProcessExecutable),
        ("CommandLine", Field::ProcessCommandLine),
        ("ParentImage", Field::ParentExecutable),
        ("ParentCommandLine", Field::ParentCommandLine),
        ("CurrentDirectory", Field::ProcessWorkingDirectory),
        ("User", Field::UserName),
        ("LogonId", Field::UserLoginId),
        ("ProcessId", Field::ProcessPid),
    ] {
        put(&mut actor, name, event, field);
    }
    let mut audit = Map::new();
    for (name, field) in [("exe", Field::ProcessExecutable), ("comm", Field::ProcessName), ("euid", Field::UserEffectiveId)] {
        put(&mut audit, name, event, field);
    }
    let path = |file: &FileRef, nametype: &str| {
        let name = file.path.as_ref().map(|t| t.lossy().into_owned());
        ("auditd", json!({"type": "PATH", "name": name, "nametype": nametype}))
    };
    let mut written = |mut out: Vec<(&'static str, Json)>, outcome: &Outcome| {
        if !matches!(outcome, Outcome::Failure(_)) {
            put(&mut actor, "TargetFilename", event, Field::FilePath);
            out.push(("file_event", Json::Object(actor.clone())));
        }
        out
    };
    match &event.body {
        Body::Exec { image, .. } => {
            let arguments = image.args.iter().enumerate().map(|(n, a)| (format!("a{n}"), json!(a.lossy())));
            let execve: Map<String, Json> = arguments.chain([("type".into(), json!("EXECVE"))]).collect();
            audit.extend([("type".into(), json!("SYSCALL")), ("SYSCALL".into(), json!("execve"))]);
            vec![("process_creation", Json::Object(actor)), ("auditd", Json::Object(execve)), ("auditd", Json::Object(audit))]
        }
        Body::Open { outcome, file, flags, created, .. } => {
            let path = vec![path(file, if *created { "CREATE" } else { "NORMAL" })];
            if *created || flags & 3 != 0 { written(path, outcome) } else { path }
        }
        Body::Rename { outcome, old, new, .. } | Body::Link { outcome, old, new } => {
            written(vec![path(old, "DELETE"), path(new, "CREATE")], outcome)
        }
        Body::Symlink { outcome, link, .. } => written(vec![path(link, "CREATE")], outcome),
        Body::Unlink { file, .. } | Body::Chmod { file, .. } | Body::Chown { file, .. } => vec![path(file, "NORMAL")],
        Body::Connect { .. } => {
            put(&mut actor, "DestinationIp", event, Field::DestinationIp);
            put(&mut actor, "DestinationPort", event, Field::DestinationPort);
            put(&mut actor, "Initiated", event, Field::NetworkInitiated);
            vec![("network_connection", Json::Object(actor))]
        }
        _ => Vec::new(),
    }
}

/// xorshift64*: the same numbers at each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides.max(1)
    }

    fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.roll(list.len())]
    }
}

/// What a rule asks of a field: where the values belong (`^`, `$`, `~` anywhere, `=` whole), and the values of each item.
type Items = BTreeMap<String, Vec<(char, Vec<String>)>>;

fn items(detection: &Detection, out: &mut Items) {
    match detection {
        Detection::AllOf(list) => {
            for item in list {
                let has = |m: Modifier| item.field.modifiers.contains(&m);
                let place = match () {
                    () if has(Modifier::StartsWith) => '^',
                    () if has(Modifier::EndsWith) => '$',
                    () if has(Modifier::Contains) || has(Modifier::Re) => '~',
                    () => '=',
                };
                let values = item.values.iter().filter(|v| !matches!(v, SigmaValue::Null));
                let values: Vec<String> = values.map(|v| sample(&v.to_string(), has(Modifier::Re))).collect();
                let name = item.field.name.clone().unwrap_or_else(|| "keyword".to_owned());
                if !values.is_empty() {
                    out.entry(name).or_default().push((place, values));
                }
            }
        }
        Detection::AnyOf(list) | Detection::And(list) => list.iter().for_each(|d| items(d, out)),
        Detection::Keywords(values) => {
            out.entry("keyword".into()).or_default().push(('~', values.iter().map(ToString::to_string).collect()));
        }
        _ => {}
    }
}

/// A string that a value of a rule matches.
fn sample(written: &str, regex: bool) -> String {
    if !regex {
        return written.replace('*', "qq").replace('?', "q").replace("\\\\", "\\");
    }
    match written {
        r"[^/]{100,}$" => "y".repeat(120),
        r"(?:\s-[^-\s]{0,20}i|\s--inode\s)" => " -ali ".into(),
        r"(?:\s-[^-\s]{0,20}d|\s--directory\s)" => " -ald ".into(),
        r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}" => "10.20.30.40".into(),
        r"(?i)/lib/python3\.([5-9]|[0-9]{2})/site-packages/" => "/lib/Python3.11/site-packages/".into(),
        other => other.to_owned(),
    }
}

/// A value for a field: pieces that the rule looks for in their places, now and then damaged.
fn value(items: &Items, field: &str, dice: &mut Dice) -> Option<String> {
    let list = items.get(field)?;
    let (mut front, mut middle, mut back) = (String::new(), String::new(), String::new());
    for (place, values) in list {
        if dice.roll(5) == 0 {
            continue;
        }
        let chosen: Vec<&String> = if dice.roll(3) == 0 { values.iter().collect() } else { vec![dice.one(values)] };
        match place {
            '^' => front.clone_from(chosen[0]),
            '$' => back.clone_from(chosen[0]),
            '=' if dice.roll(4) > 0 => return Some(damage(chosen[0].clone(), dice)),
            _ => chosen.iter().for_each(|v| {
                middle.push_str(v);
                middle.push_str(["", " ", "/x "][dice.roll(3)]);
            }),
        }
    }
    Some(damage(format!("{front}{middle}{back}"), dice))
}

fn damage(mut text: String, dice: &mut Dice) -> String {
    match dice.roll(12) {
        0 => text = text.to_uppercase(),
        1 if text.len() > 1 && text.is_ascii() => {
            text.remove(dice.roll(text.len()));
        }
        2 => text.push('x'),
        3 => text.insert(0, 'x'),
        _ => {}
    }
    text
}

fn make(executable: String, command_line: String, args: Vec<Text>, directory: Option<String>) -> Process {
    let image = Image {
        executable: Some(Text::from(executable.as_str())),
        invoked: Some(Text::from(executable)),
        command_line: Some(Text::from(command_line)),
        working_directory: directory.map(Text::from),
        args,
        ..Image::default()
    };
    Process {
        id: ProcessId { tgid: 10, start_ns: 10 },
        parent: ProcessId { tgid: 9, start_ns: 9 },
        tree: ProcessId { tgid: 1, start_ns: 1 },
        image: Some(Arc::new(image)),
        comm: Text::from("prog"),
        credentials: Credentials { euid: 33, login_uid: Some(0), ..Credentials::default() },
        user_name: Some(Text::from("root")),
        pid_ns: 1,
        mnt_ns: 1,
        cgroup_id: 1,
        cgroup: None,
        container: None,
    }
}

fn events(source: &str, items: &Items, dice: &mut Dice) -> Vec<Event> {
    let mut or = |field: &str, other: &str| value(items, field, dice).unwrap_or_else(|| other.to_owned());
    let image = if items.contains_key("exe") { or("exe", "") } else { or("Image", "/usr/bin/prog") };
    let command_line = or("CommandLine", &image);
    let parent = make(or("ParentImage", "/bin/x"), or("ParentCommandLine", "x"), vec![], None);
    let mut args: Vec<Text> = (0..8).map(|n| Text::from(or(&format!("a{n}"), "-q"))).collect();
    if let Some(words) = items.get("keyword") {
        args.extend(words.iter().map(|(_, list)| Text::from(dice.one(list).as_str())));
    }
    let mut process = make(image, command_line, args, value(items, "CurrentDirectory", dice));
    if let Some(comm) = value(items, "comm", dice) {
        process.comm = Text::from(comm);
    }
    let outcome = if dice.roll(8) == 0 { Outcome::Failure(13) } else { Outcome::Success(3) };
    let file = |path: Option<String>| FileRef { path: path.map(Text::from), ..FileRef::default() };
    let exec = Body::Exec { outcome: Outcome::Success(0), image: process.image.clone().expect("made above") };
    let mut bodies = vec![exec];
    if source == "network_connection" {
        let ip = value(items, "DestinationIp", dice).and_then(|s| s.split('/').next()?.parse().ok());
        let ip = if dice.roll(2) == 0 { None } else { ip }.unwrap_or_else(|| [203, 0, 113, 9].into());
        let port = value(items, "DestinationPort", dice).and_then(|s| s.parse().ok()).unwrap_or(443);
        bodies = vec![Body::Connect { outcome, socket: Socket { remote: Some(Endpoint::Ip(ip, port)), ..Socket::default() } }];
    } else if source != "process_creation" {
        let name = if source == "auditd" { "name" } else { "TargetFilename" };
        let mut path = || file(value(items, name, dice));
        let (opened, old, new) = (path(), path(), path());
        let flags = u32::try_from(dice.roll(3)).expect("small");
        bodies.push(Body::Open { outcome, file: opened, flags, mode: 0, created: dice.roll(2) == 0 });
        bodies.push(Body::Rename { outcome, old, new, flags: 0 });
    }
    let (process, parent) = (Arc::new(process), Some(Arc::new(parent)));
    let event =
        |body| Event { time_ns: 1, wall_ns: 1, tier: Tier::Tracepoint, tid: 10, process: process.clone(), parent: parent.clone(), body };
    bodies.into_iter().map(event).collect()
}

#[test]
fn events_made_from_the_rules_get_the_same_answer() {
    let (engines, rules) = other();
    let mut engine = sensor::score::load(&[rules_dir()]).engine;
    let mut dice = Dice(0x5eed_0f5e_4501);
    let mut hit = BTreeSet::new();
    let mut compared = 0;
    for (source, rule) in &rules {
        let mut wanted = Items::new();
        rule.detection.named.values().for_each(|d| items(d, &mut wanted));
        // The parser keeps detections in no order; the dice need one.
        wanted.values_mut().for_each(|list| list.sort());
        for _ in 0..120 {
            for event in events(source, &wanted, &mut dice) {
                let theirs = theirs(&engines, &event);
                assert_eq!(ours(&mut engine, &event), theirs, "made from {}: {:?}", rule.title, records(&event));
                hit.extend(theirs);
                compared += 1;
            }
        }
    }
    assert!(compared > 20_000, "{compared}");
    let missed = rules.iter().filter(|(_, r)| r.id.as_ref().is_none_or(|id| !hit.contains(id)));
    assert_eq!(missed.map(|(_, r)| r.title.as_str()).collect::<Vec<_>>(), [""; 0], "no event was made that these match");
}

#[test]
fn recorded_events_get_the_same_answer() {
    let (engines, _) = other();
    let mut engine = sensor::score::load(&[rules_dir()]).engine;
    let mut hits = 0;
    for test in recorded::all() {
        for (_, event) in &test.events {
            let theirs = theirs(&engines, event);
            hits += theirs.len();
            assert_eq!(ours(&mut engine, event), theirs, "{}: {event:?}", test.test);
        }
    }
    assert!(hits > 250, "{hits}");
}
