//! The program as a user runs it: exit codes, messages, a replay from end to end. Needs neither root nor BPF.
#![allow(clippy::unwrap_used, missing_docs)]

use sensor::{
    collect::{
        encode,
        encode::Tail,
        recording::{Host, Writer},
    },
    enrich::snapshot::Context,
};
use sensor_common::{Header, Path as WirePath, Target, Task, Tier, events::exec::Exec};
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

fn sensor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sensor")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Exit code and standard error; nothing may panic.
fn fails(arguments: &[&str]) -> (i32, String) {
    let output = sensor(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    (output.status.code().unwrap(), stderr)
}

const RULE: &str = "title: Decodes and runs
id: 6f1c5c1e-0f0b-4b6c-9a39-5b8b1f6f7a01
status: test
description: d
author: A. Author
logsource: {product: linux, category: process_creation}
detection:
  selection: {CommandLine|contains: 'base64 -d'}
  condition: selection
level: high
";

/// A rule folder and a recording of one exec, with the process that ran before it.
fn fixture(dir: &Path) -> (String, String) {
    let (rules, file) = (dir.join("rules"), dir.join("r.rec"));
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("r.yml"), RULE).unwrap();
    let exec = |tgid: u32, parent: u32, time_ns: u64, path: &str, argv: &[u8]| {
        let mut comm = [0; 16];
        comm[..4].copy_from_slice(b"bash");
        let task = Task {
            tgid,
            tid: tgid,
            start_ns: u64::from(tgid) * 1_000_000_000,
            parent_tgid: parent,
            parent_start_ns: u64::from(parent) * 1_000_000_000,
            uid: 1000,
            session_id: u32::MAX,
            login_uid: u32::MAX,
            comm,
            ..Task::default()
        };
        let mut tail = Tail::default();
        let kernel = WirePath { span: tail.push(path.as_bytes()), ..WirePath::default() };
        let argv = tail.push(argv);
        let payload = Exec { file: Target { kernel, ..Target::default() }, argv, argv_total: argv.len.into(), ..Exec::default() };
        encode(Header { time_ns, tier: Tier::BtfTracepoint as u8, task, ..Header::default() }, &payload, tail.bytes())
    };
    let known = [
        Context::Clock { offset_ns: 1_700_000_000_000_000_000 },
        Context::User { uid: 1000, name: b"ann".to_vec() },
        Context::Process { ns_init: false, record: exec(50, 1, 0, "/usr/sbin/sshd", b"sshd\0") },
    ];
    let host = Host { boot_id: "boot".into(), ..Host::this() };
    let mut writer = Writer::create(&file, &host, &known).unwrap();
    writer.record(&exec(77, 50, 5_000_000_000, "/usr/bin/bash", b"bash\0-c\0echo aWQK | base64 -d | sh\0")).unwrap();
    writer.record(&exec(78, 77, 6_000_000_000, "/usr/bin/id", b"id\0")).unwrap();
    writer.finish().unwrap();
    (rules.display().to_string(), file.display().to_string())
}

#[test]
fn a_stranger_finds_help() {
    let help = sensor(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let text = String::from_utf8(help.stdout).unwrap();
    for word in ["run", "doctor", "tail", "rules", "record", "replay", "Examples:", "Exit codes:", "sensor doctor"] {
        assert!(text.contains(word), "{word} is missing in:\n{text}");
    }
    for command in [&["run"][..], &["doctor"], &["tail"], &["rules"], &["rules", "check"], &["record"], &["replay"]] {
        let output = sensor(&[command, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        assert!(output.stdout.len() > 100, "{command:?}");
    }
    assert_eq!(sensor(&["--version"]).stdout, concat!("sensor ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
}

#[test]
fn wrong_arguments() {
    for arguments in [
        &[][..],
        &["ran"],
        &["run", "--no-such-flag"],
        &["run", "--output", "xml"],
        &["run", "--for", "soon"],
        &["run", "--listen", "nowhere"],
        &["replay"],
        &["record"],
        &["rules", "check"],
    ] {
        let (code, message) = fails(arguments);
        assert_eq!(code, 64, "{arguments:?}: {message}");
        assert!(message.contains("Usage") || message.contains("--help"), "{arguments:?}: {message}");
    }
}

#[test]
fn a_wrong_configuration_tells_everything_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.toml");
    fs::write(&path, "[output]\nformat = 'xml'\n[rings]\nfil_bytes = 4096\n").unwrap();
    let path = path.display().to_string();
    for arguments in [&["run", "--config", &path][..], &["doctor", "--config", &path], &["replay", "x", "--config", &path]] {
        let (code, message) = fails(arguments);
        assert_eq!(code, 78, "{message}");
        assert!(
            message.contains(":2:10: output.format: \"text\", \"json\" or \"none\" expected")
                && message.contains(":4:1: rings.fil_bytes:")
                && message.contains("file_bytes?"),
            "{message}"
        );
    }
    let (code, message) = fails(&["run", "--config", "/nonexistent.toml"]);
    assert_eq!((code, message.contains("cannot read the configuration /nonexistent.toml")), (66, true), "{message}");
}

#[test]
fn rules_are_checked() {
    let (dir, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (rules, recording) = fixture(dir.path());
    let output = sensor(&["rules", "check", &rules]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("runs            Decodes and runs") && text.ends_with("1 rules: 1 run, 0 not applicable here, 0 broken\n"),
        "{text}"
    );
    fs::write(Path::new(&rules).join("bad.yml"), "title: x\ndetection: [\n").unwrap();
    let (code, message) = fails(&["rules", "check", &rules, "--output", "json"]);
    assert_eq!((code, message.as_str()), (79, "sensor: 1 rule is wrong\n"));
    let (code, message) = fails(&["replay", &recording, "--rules", &rules]);
    assert_eq!((code, message.contains("bad.yml")), (79, true), "{message}");
    assert_eq!(fails(&["rules", "check", "/nonexistent"]).0, 66);
    assert_eq!(fails(&["replay", &recording, "--rules", "/nonexistent"]).0, 66);
    let (code, message) = fails(&["replay", &recording, "--rules", empty.path().to_str().unwrap()]);
    assert_eq!((code, message.contains("there is no rule in")), (66, true), "{message}");
    let (code, message) = fails(&["rules", "check", empty.path().to_str().unwrap()]);
    assert_eq!((code, message.contains("there is no rule in")), (66, true), "{message}");
    let output = sensor(&["replay", &recording, "--no-rules", "--events"]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(0), false));
    assert_eq!(fails(&["replay", &recording, "--no-rules", "--rules", &rules]).0, 64);
}

#[test]
fn a_replay_finds_what_the_rules_say() {
    let dir = tempfile::tempdir().unwrap();
    let (rules, recording) = fixture(dir.path());
    let output = sensor(&["replay", &recording, "--rules", &rules, "--output", "json", "--events"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let items: Vec<serde_json::Value> =
        output.stdout.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect();
    assert_eq!(items.iter().map(|i| i["event"]["kind"].as_str().unwrap()).collect::<Vec<_>>(), ["event", "alert", "event"]);
    let finding = &items[1];
    assert_eq!(finding["rule"]["name"], "Decodes and runs");
    assert_eq!(finding["rule"]["author"][0], "A. Author");
    assert_eq!(finding["process"]["command_line"], "bash -c echo aWQK | base64 -d | sh");
    assert_eq!(finding["process"]["parent"]["executable"], "/usr/sbin/sshd");
    assert_eq!(finding["process"]["entity_id"], "boot:77:77000000000");
    assert_eq!(finding["user"]["name"], "ann");
    assert!(finding["@timestamp"].as_str().unwrap().starts_with("2023-11-14T22:13:25"), "{}", finding["@timestamp"]);
    let text = sensor(&["replay", &recording, "--rules", &rules]);
    assert!(String::from_utf8(text.stdout).unwrap().contains("Decodes and runs"));
    assert!(String::from_utf8(text.stderr).unwrap().contains("2 events, 1 findings"));
    assert!(sensor(&["replay", &recording, "--rules", &rules, "--output", "none"]).stdout.is_empty());
}

#[test]
fn a_truncated_recording_gives_what_is_good_and_says_where_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (rules, recording) = fixture(dir.path());
    let bytes = fs::read(&recording).unwrap();
    // The end frame has 8 + 8 + 4 bytes.
    fs::write(&recording, &bytes[..bytes.len() - 20]).unwrap();
    let output = sensor(&["replay", &recording, "--rules", &rules]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{message}");
    assert!(
        message.contains(&format!("damaged at byte {}: the end mark is missing", bytes.len() - 20)) && message.contains("2 records"),
        "{message}"
    );
    assert!(String::from_utf8(output.stdout).unwrap().contains("Decodes and runs"));
    // Of another version of the format.
    fs::write(&recording, [&bytes[..8], &[7], &bytes[9..]].concat()).unwrap();
    let (code, message) = fails(&["replay", &recording, "--rules", &rules]);
    assert_eq!((code, message.contains("format version 7, this sensor reads 1")), (65, true), "{message}");
    fs::write(&recording, "no recording at all").unwrap();
    assert_eq!(fails(&["replay", &recording, "--rules", &rules]).0, 65);
    assert_eq!(fails(&["replay", "/nonexistent.rec", "--rules", &rules]).0, 66);
    assert_eq!(fails(&["replay", &dir.path().display().to_string(), "--rules", &rules]).0, 65);
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let (rules, recording) = fixture(dir.path());
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sensor"));
    let output = command.args(["replay", &recording, "--rules", &rules]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the disk is full"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_sensor"));
    let output = command.args(["replay", &recording, "--rules", &rules]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_a_sensor_tail_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s.sock").display().to_string();
    let (code, message) = fails(&["tail", "--connect", &socket]);
    assert_eq!((code, message.contains("sensor run")), (69, true), "{message}");
}
