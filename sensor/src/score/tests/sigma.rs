//! What Sigma's words mean: each modifier, each form of a condition, each edge, as a table.

use super::event::{connect, event, exec, exec_as, file, open, process};
use crate::{
    events::{Body, Event, Outcome},
    score::{Loaded, Options, RuleState, load_texts},
};

/// Loads one rule with this detection for a log source.
fn load(source: &str, detection: &str) -> Loaded {
    let text = format!("title: T\nid: t\nlogsource:\n    product: linux\n    {source}\ndetection:\n{detection}\nlevel: low\n");
    load_texts(&[("t.yml", &text)], Options::default())
}

/// Whether the rule matches; by the engine and by the slow reference, which must agree.
fn matches(source: &str, detection: &str, event: &Event) -> bool {
    let mut loaded = load(source, detection);
    let state = &loaded.report.rules[0].state;
    assert!(matches!(state, RuleState::Runs { .. }), "{detection}: {state:?}");
    let slowly = loaded.engine.matching_rules_slowly(event).len();
    let fast = loaded.engine.matching_rules(event).len();
    assert_eq!(fast, slowly, "the engine and the reference disagree: {detection}");
    assert_eq!(fast, loaded.engine.matching_rules(event).len(), "the second time, from memory: {detection}");
    fast == 1
}

fn command(detection_item: &str, command_line: &str) -> bool {
    let detection = format!("    selection:\n        {detection_item}\n    condition: selection");
    let args: Vec<&str> = if command_line.is_empty() { vec![""] } else { command_line.split(' ').collect() };
    matches("category: process_creation", &detection, &exec("/usr/bin/prog", &args))
}

#[test]
fn modifiers_and_values() {
    let cases: &[(&str, &str, bool)] = &[
        // Equality, case, the empty string, nothing at all.
        ("CommandLine: 'prog -x'", "PROG -X", true),
        ("CommandLine: 'prog -x'", "prog -xy", false),
        ("CommandLine|cased: 'prog -x'", "prog -X", false),
        ("CommandLine|cased: 'prog -x'", "prog -x", true),
        ("CommandLine: ''", "", true),
        ("CommandLine: ''", "x", false),
        ("CommandLine: null", "x", false),
        ("sensor.process.interpreter: null", "x", true),
        ("sensor.process.interpreter: ''", "x", false),
        ("CommandLine|contains: ''", "x", true),
        ("sensor.process.interpreter|contains: ''", "x", false),
        // Lists are any of, `all` is all of.
        ("CommandLine|contains: ['aaa', 'bbb']", "x bbb", true),
        ("CommandLine|contains: ['aaa', 'bbb']", "x ccc", false),
        ("CommandLine|contains|all: ['aaa', 'bbb']", "bbb aaa", true),
        ("CommandLine|contains|all: ['aaa', 'bbb']", "bbb", false),
        ("CommandLine: ['a', null]", "a", true),
        ("sensor.process.interpreter: ['a', null]", "a", true),
        // Ends.
        ("CommandLine|startswith: 'AB'", "abc", true),
        ("CommandLine|startswith: 'ab'", "cab", false),
        ("CommandLine|startswith: 'abcdef'", "abcde", false),
        ("CommandLine|startswith: 'abcdef'", "ABCDEFG", true),
        ("CommandLine|endswith: 'bc'", "abC", true),
        ("CommandLine|endswith: 'bc'", "abcd", false),
        ("CommandLine|endswith: '/sh'", "/bin/sh", true),
        ("CommandLine|endswith: '/sh'", "/bin/bash", false),
        ("CommandLine|endswith: '/sh'", "sh", false),
        ("CommandLine|endswith: 'n/sh'", "/bin/sh", true),
        ("CommandLine|endswith|cased: '/Sh'", "/bin/sh", false),
        ("CommandLine|contains|cased: 'Xy'", "aXyb", true),
        ("CommandLine|contains|cased: 'Xy'", "axyb", false),
        // Wildcards and what takes their meaning away.
        ("CommandLine: 'a*z'", "a b z", true),
        ("CommandLine: 'a*z'", "a b z ", false),
        ("CommandLine: 'a?c'", "abc", true),
        ("CommandLine: 'a?c'", "ac", false),
        ("CommandLine: '*mid*'", "a mid b", true),
        ("CommandLine: 'start*'", "start b", true),
        ("CommandLine: '*'", "x", true),
        ("sensor.process.interpreter: '*'", "x", false),
        (r"CommandLine: 'a\*c'", "a*c", true),
        (r"CommandLine: 'a\*c'", "abc", false),
        (r"CommandLine: 'a\?c'", "a?c", true),
        (r"CommandLine: 'a\\*'", r"a\bc", true),
        (r"CommandLine: 'a\bc'", r"a\bc", true),
        ("CommandLine|contains: 'a*c'", "xx abbc yy", true),
        ("CommandLine|startswith: 'a*c'", "abbcyy", true),
        ("CommandLine|startswith: 'a*c'", "xabbc", false),
        ("CommandLine|endswith: 'a*c'", "xabbc", true),
        ("CommandLine|endswith: 'a*c'", "abbcx", false),
        ("CommandLine|cased: 'A*c'", "abc", false),
        // Letters with cases beyond ASCII, and without.
        ("CommandLine|contains: 'GRÜN'", "xgrünx", true),
        ("CommandLine|contains|cased: 'GRÜN'", "xgrünx", false),
        ("CommandLine|contains: '日本'", "x日本x", true),
        // Regular expressions.
        ("CommandLine|re: 'a+b'", "xaab", true),
        ("CommandLine|re: 'a+b'", "xAAB", false),
        ("CommandLine|re|i: 'a+b'", "xAAB", true),
        ("CommandLine|re: '^ab$'", "xab", false),
        (r"CommandLine|re: '(curl|wget)\s+http'", "wget http", true),
        (r"CommandLine|re: '(curl|wget)\s+http'", "wget ftp", false),
        (r"CommandLine|re: '\d{3}'", "a123", true),
        ("CommandLine|re: ['x1', 'y2']", "ay2", true),
        // Encodings.
        ("CommandLine|base64: 'id'", "aWQ=", true),
        ("CommandLine|base64|contains: 'foo'", "x Zm9v y", true),
        ("CommandLine|base64offset|contains: '/bin/sh'", "L2Jpbi9zaA==", true),
        ("CommandLine|base64offset|contains: '/bin/sh'", "eC9iaW4vc2gg", true),
        ("CommandLine|base64offset|contains: '/bin/sh'", "eHkvYmluL3NoIA==", true),
        ("CommandLine|base64offset|contains: '/bin/sh'", "eHkvYmluL2xz", false),
        ("CommandLine|wide|base64offset|contains: 'ab'", "YQBiAA==", true),
        ("CommandLine|utf16be|base64offset|contains: 'ab'", "AGEAYg==", true),
        ("CommandLine|windash|contains: ' -x'", "a /x", true),
        ("CommandLine|windash|contains: ' -x'", "a \u{2013}x", true),
        ("CommandLine|windash|contains: ' -x'", "a +x", false),
        // Not equal: another value, not none.
        ("CommandLine|neq: 'a'", "b", true),
        ("CommandLine|neq: 'a'", "A", false),
        ("CommandLine|neq: ['a', 'b']", "b", false),
        ("sensor.process.interpreter|neq: 'a'", "b", false),
        // There or not.
        ("CommandLine|exists: true", "b", true),
        ("CommandLine|exists: false", "b", false),
        ("sensor.process.interpreter|exists: false", "b", true),
        ("sensor.process.interpreter|exists: true", "b", false),
        // Numbers.
        ("ProcessId: 10", "x", true),
        ("ProcessId: '10'", "x", true),
        ("ProcessId: 11", "x", false),
        ("ProcessId|gt: 9", "x", true),
        ("ProcessId|gt: 10", "x", false),
        ("ProcessId|gte: 10", "x", true),
        ("ProcessId|lt: 11", "x", true),
        ("ProcessId|lte: 9.5", "x", false),
        ("ProcessId|contains: 1", "x", true),
        ("CommandLine: 7", "7", true),
        ("CommandLine: 7", "07", true),
        ("CommandLine|gte: 7", "8", true),
        ("CommandLine|gte: 7", "x", false),
        // Yes and no.
        ("sensor.process.memfd: false", "x", true),
        ("sensor.process.memfd: 'false'", "x", true),
        ("sensor.process.memfd: true", "x", false),
        ("CommandLine: true", "yes", true),
        // Other fields.
        ("CommandLine|fieldref: Image", "/usr/bin/prog", true),
        ("CommandLine|fieldref: Image", "/usr/bin/progs", false),
        ("CommandLine|fieldref|startswith: Image", "/usr/bin/progs", true),
        ("CommandLine|fieldref|contains: User", "hello ALICE", true),
        ("CommandLine|cased|fieldref|contains: User", "hello ALICE", false),
    ];
    for (item, command_line, wanted) in cases {
        assert_eq!(command(item, command_line), *wanted, "{item} on {command_line:?}");
    }
}

#[test]
fn addresses() {
    for (item, address, wanted) in [
        ("DestinationIp|cidr: '10.0.0.0/8'", "10.1.2.3", true),
        ("DestinationIp|cidr: '10.0.0.0/8'", "11.1.2.3", false),
        ("DestinationIp|cidr: '10.0.0.0/8'", "::ffff:10.1.2.3", true),
        ("DestinationIp|cidr: ['::1/128', '127.0.0.0/8']", "::1", true),
        ("DestinationIp|cidr: '192.168.1.1'", "192.168.1.1", true),
        ("DestinationIp: '10.1.2.3'", "10.1.2.3", true),
        ("DestinationIp: '10.1.2.3'", "::ffff:10.1.2.3", true),
        ("DestinationIp|startswith: '10.1.'", "10.1.2.3", true),
        ("DestinationPort: 4444", "10.1.2.3", true),
        ("DestinationPort: [1, '4444']", "10.1.2.3", true),
        ("DestinationPort|gt: 4444", "10.1.2.3", false),
        ("Initiated: 'true'", "10.1.2.3", true),
        ("Initiated: false", "10.1.2.3", false),
        ("Protocol: tcp", "10.1.2.3", true),
    ] {
        let detection = format!("    s:\n        {item}\n    condition: s");
        let event = connect("/bin/x", &["x"], address, 4444, Outcome::Failure(111));
        assert_eq!(matches("category: network_connection", &detection, &event), wanted, "{item} on {address}");
    }
}

#[test]
fn conditions() {
    let named = "    s_a:\n        CommandLine|contains: aaa\n    s_b:\n        CommandLine|contains: bbb\n    s_c:\n        - CommandLine|contains: ccc\n        - CommandLine|contains|all: [ddd, eee]\n    _f:\n        CommandLine|contains: fff\n    words:\n        - www\n        - 'v*v'\n";
    for (condition, command_line, wanted) in [
        ("s_a", "aaa", true),
        ("s_a and s_b", "aaa", false),
        ("s_a and s_b", "bbb aaa", true),
        ("s_a or s_b", "bbb", true),
        ("not s_a", "bbb", true),
        ("not s_a", "aaa", false),
        ("s_a and not s_b", "aaa bbb", false),
        ("s_a or s_b and s_c", "aaa", true),
        ("(s_a or s_b) and s_c", "aaa", false),
        ("(s_a or s_b) and s_c", "aaa ddd eee", true),
        ("not (s_a or s_b)", "x", true),
        ("not (s_a and s_b)", "aaa", true),
        ("1 of s_*", "ccc", true),
        ("1 of s_*", "ddd", false),
        ("any of s_*", "bbb", true),
        ("all of s_*", "aaa bbb ccc", true),
        ("all of s_*", "aaa bbb", false),
        ("2 of s_*", "aaa ccc", true),
        ("2 of s_*", "aaa", false),
        ("not 2 of s_*", "aaa", true),
        ("1 of them", "fff", false),
        ("1 of them", "www", true),
        ("1 of *", "fff", true),
        ("all of them", "aaa bbb ccc www", true),
        ("all of them", "aaa bbb ccc", false),
        ("1 of _*", "fff", true),
        ("words", "xwwwx", true),
        ("words", "vxv", true),
        ("words", "v", false),
        ("[s_a, s_b]", "bbb", true),
        ("s_a and 1 of s_b*", "aaa bbb", true),
        ("not not s_a", "aaa", true),
    ] {
        let detection = format!("{named}    condition: {condition}");
        let args: Vec<&str> = command_line.split(' ').collect();
        let event = exec("/usr/bin/prog", &args);
        assert_eq!(matches("category: process_creation", &detection, &event), wanted, "{condition} on {command_line:?}");
    }
}

#[test]
fn the_image_is_the_resolved_and_the_invoked_path() {
    let dash = exec_as("/usr/bin/dash", "/bin/sh", &["sh"]);
    for (item, condition, wanted) in [
        ("Image|endswith: /sh", "s", true),
        ("Image|endswith: /dash", "s", true),
        ("Image|endswith: /bash", "s", false),
        ("Image|endswith: /sh", "not s", false),
        ("Image|endswith: /dash", "not s", false),
        ("Image|endswith: /bash", "not s", true),
        ("Image|neq: /bin/sh", "s", false),
        ("Image|neq: /bin/bash", "s", true),
        ("Image|re: '/d?a?sh$'", "s", true),
        ("ParentImage: /bin/bash", "s", true),
        ("ParentImage: /usr/bin/bash", "not s", false),
        ("ParentCommandLine: 'bash -i'", "s", true),
        ("process.executable: /bin/sh", "s", true),
        ("User: alice", "s", true),
    ] {
        let detection = format!("    s:\n        {item}\n    condition: {condition}");
        assert_eq!(matches("category: process_creation", &detection, &dash), wanted, "{item}, {condition}");
    }
}

#[test]
fn bytes_that_are_no_text_hide_nothing() {
    let mut event = exec("/usr/bin/prog", &["x"]);
    let hostile = [b"/tmp/\xff\xfe.", &b"\n"[..], b"evil -Payload\x80"].concat();
    let image = crate::process::Image { command_line: Some(hostile.into()), ..Default::default() };
    event.body = Body::Exec { outcome: Outcome::Success(0), image: image.into() };
    for item in [
        "CommandLine|contains: 'EVIL -payload'",
        "CommandLine|startswith: '/tmp/'",
        "CommandLine: '/tmp/*payload?'",
        "CommandLine|re: '/tmp/..\\.'",
        "CommandLine|re|s: '/tmp/.*Payload'",
    ] {
        let detection = format!("    s:\n        {item}\n    condition: s");
        assert!(matches("category: process_creation", &detection, &event), "{item}");
    }
}

#[test]
fn log_sources_take_their_events_and_no_others() {
    let ok = Outcome::Success(3);
    let denied = Outcome::Failure(13);
    let read = |outcome| open("/bin/cat", "/etc/x", 0, false, outcome);
    let rename =
        event(process("/bin/mv", "/bin/mv", &["mv"]), Body::Rename { outcome: ok, old: file("/old"), new: file("/etc/x"), flags: 0 });
    let link = event(process("/bin/ln", "/bin/ln", &["ln"]), Body::Link { outcome: ok, old: file("/old"), new: file("/etc/x") });
    let symlink = event(process("/bin/ln", "/bin/ln", &["ln"]), Body::Symlink { outcome: ok, target: "/old".into(), link: file("/etc/x") });
    let unlink =
        |outcome, directory| event(process("/bin/rm", "/bin/rm", &["rm"]), Body::Unlink { outcome, file: file("/etc/x"), directory });
    let mut failed = exec("/etc/x", &["x"]);
    let Body::Exec { image, .. } = failed.body else { panic!("made above") };
    failed.body = Body::Exec { outcome: denied, image };
    let target = "TargetFilename: /etc/x";
    let cases: Vec<(&str, &str, Event, bool)> = vec![
        ("category: process_creation", "Image: /etc/x", exec("/etc/x", &["x"]), true),
        ("category: process_creation", "Image: /etc/x", failed, false),
        ("category: file_event", target, open("/bin/sh", "/etc/x", 0o101, true, ok), true),
        ("category: file_event", target, open("/bin/sh", "/etc/x", 0o1, false, ok), true),
        ("category: file_event", target, open("/bin/sh", "/etc/x", 0o1, false, Outcome::Unknown), true),
        ("category: file_event", target, open("/bin/sh", "/etc/x", 0o1, false, denied), false),
        ("category: file_event", target, read(ok), false),
        ("category: file_event", target, rename.clone(), true),
        ("category: file_event", target, link.clone(), true),
        ("category: file_event", target, symlink.clone(), true),
        ("category: file_event", target, unlink(ok, false), false),
        ("category: file_delete", target, unlink(ok, false), true),
        ("category: file_delete", target, unlink(ok, true), false),
        ("category: file_delete", target, unlink(denied, false), false),
        ("category: file_rename", "SourceFilename: /old", rename.clone(), true),
        ("category: file_access", target, read(ok), true),
        ("category: file_access", target, read(denied), true),
        ("category: file_access", target, open("/bin/sh", "/etc/x", 0o1, false, ok), false),
        ("category: file_access", "event.outcome: failure", read(denied), true),
        ("category: file_access", "sensor.errno: 13", read(denied), true),
        ("category: network_connection", "Image: /bin/x", connect("/bin/x", &["x"], "10.0.0.1", 1, ok), true),
        ("service: auditd", "{type: PATH, name: /etc/x}", read(ok), true),
        ("service: auditd", "{type: PATH, name: /etc/x, nametype: NORMAL}", read(ok), true),
        ("service: auditd", "{type: PATH, name: /etc/x, nametype: CREATE}", open("/bin/sh", "/etc/x", 0o101, true, ok), true),
        ("service: auditd", "{type: PATH, name: /etc/x, nametype: DELETE}", unlink(ok, false), true),
        ("service: auditd", "{type: PATH, name: /old, nametype: DELETE}", rename.clone(), true),
        ("service: auditd", "{type: PATH, name: /etc/x, nametype: DELETE}", rename.clone(), false),
        ("service: auditd", "{type: PATH, name: /old}", link, true),
        ("service: auditd", "{type: PATH, name: /etc/x}", symlink, true),
        ("service: auditd", "{type: EXECVE, a0: prog, a1|contains: '-x'}", exec("/bin/prog", &["prog", "--x-x"]), true),
        ("service: auditd", "{type: execve, a0: prog}", exec("/bin/prog", &["/bin/prog"]), false),
        ("service: auditd", "{a2|startswith: '--cpu'}", exec("/bin/prog", &["prog", "a", "--cpu-priority=1"]), true),
        ("service: auditd", "{type: EXECVE, a1: null}", exec("/bin/prog", &["prog"]), true),
        ("service: auditd", "{type: SYSCALL, exe|startswith: /bin/, comm: prog}", exec("/bin/prog", &["prog"]), true),
        ("service: auditd", "{type: SYSCALL, SYSCALL: [execve, execveat], euid: 1000}", exec("/bin/prog", &["prog"]), true),
        ("service: auditd", "{type: SYSCALL, SYSCALL: rename, success: 'yes'}", rename.clone(), true),
        ("service: auditd", "{type: SYSCALL, SYSCALL: openat, success: 'no'}", read(denied), true),
        ("service: auditd", "{type: SYSCALL, exe: /bin/mv}", rename, false),
    ];
    for (source, item, event, wanted) in cases {
        let value = if item.starts_with('{') { item.to_owned() } else { format!("{{{item}}}") };
        let detection = format!("    s: {value}\n    condition: s");
        let mut loaded = load(source, &detection);
        assert!(matches!(loaded.report.rules[0].state, RuleState::Runs { .. }), "{item}: {:?}", loaded.report.rules[0].state);
        let got = loaded.engine.matching_rules(&event).len() == 1;
        assert_eq!(got, wanted, "{source}: {item} on {:?}", event.body);
        assert_eq!(loaded.engine.matching_rules_slowly(&event).len() == 1, wanted, "{source}: {item}, slowly");
    }
}

#[test]
fn a_name_of_its_own_wakes_a_rule_that_needs_none() {
    // Rules that no predicate can wake are tested at each event of their kind.
    assert!(matches("category: process_creation", "    s:\n        Image: /x\n    condition: not s", &exec("/y", &["y"])));
    assert!(matches("category: process_creation", "    s:\n        CommandLine|re: '^.$'\n    condition: s", &exec("/y", &["y"])));
    assert!(matches("category: process_creation", "    s:\n        ProcessId|gt: 1\n    condition: s", &exec("/y", &["y"])));
}
