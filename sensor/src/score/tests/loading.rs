//! Rules that are wrong, hostile or for somebody else: each gives a clear answer, and the others run.

use crate::score::{Complaint, Options, ReadName, ReadOf, RuleState, load, load_texts};

fn rule(source: &str, detection: &str) -> String {
    format!("title: T\nid: t\nlogsource:\n    {source}\ndetection:\n{detection}\nlevel: low\n")
}

fn state(text: &str) -> RuleState {
    let mut report = load_texts(&[("a/t.yml", text)], Options::default()).report;
    assert_eq!(report.rules.len(), 1, "{report:?}");
    report.rules.remove(0).state
}

fn complaint(text: &str) -> Complaint {
    match state(text) {
        RuleState::Broken(complaint) => complaint,
        other => panic!("{other:?} for {text}"),
    }
}

/// Line and column.
type Place = Option<(u32, u32)>;

const EXEC: &str = "category: process_creation";

#[test]
fn what_the_sensor_does_not_see_is_named() {
    let s = |item: &str| format!("    s:\n        {item}\n    condition: s");
    for (source, detection, wanted) in [
        ("{product: windows, category: process_creation}", s("Image: x"), "it is for windows, the sensor runs on Linux"),
        ("{product: linux, service: sshd}", s("a: x"), "it reads the logs of sshd, the sensor reads no log files"),
        ("{product: linux}", s("a: x"), "it searches text logs of any kind, the sensor reads no log files"),
        (
            "category: proces_creation",
            s("Image: x"),
            "the category proces_creation is not among the events of the sensor; did you mean process_creation?",
        ),
        ("category: dns_query", s("Image: x"), "the category dns_query is not among the events of the sensor"),
        (EXEC, s("Imgae: x"), "Imgae is not a field of this log source; did you mean Image?"),
        (EXEC, s("OriginalFileName: x"), "OriginalFileName is in the resources of Windows programs"),
        (EXEC, s("CommandLine|expand: '%x%'"), "`expand` needs placeholder values, and the sensor has none"),
        (
            EXEC,
            s("CommandLine|re: '(?=x)y'"),
            "the regular expression `(?=x)y`: look-around, including look-ahead and look-behind, is not supported",
        ),
        (
            "service: auditd",
            s("{type: TTY, data: x}").replace("{type: TTY, data: x}", "type: TTY"),
            "auditd records of the type TTY are not among what the sensor sees (EXECVE, PATH, SYSCALL)",
        ),
        (
            "service: auditd",
            "    s: {type: SYSCALL, SYSCALL: mknod}\n    condition: s".into(),
            "the system call mknod is not among those that the sensor sees",
        ),
        ("service: auditd", s("key: x"), "key is set by the audit rules of a machine, which the sensor does not use"),
        (
            EXEC,
            "    s:\n        Image: x\n    f:\n        Hashes: y\n    condition: s and not f".into(),
            "Hashes is not seen: files are not hashed",
        ),
        (EXEC, "    s:\n        Image: x\n    timeframe: 5m\n    condition: s".into(), "`timeframe` (counting over time) is not supported"),
    ] {
        assert_eq!(state(&rule(source, &detection)), RuleState::NotApplicable { reason: wanted.to_owned() }, "{source} {detection}");
    }
    let correlation = "title: C\ncorrelation:\n    type: event_count\n    rules: [a]\n    group-by: [User]\n    timespan: 5m\n    condition:\n        gte: 3\n";
    assert_eq!(state(correlation), RuleState::NotApplicable { reason: "correlation rules are not supported".into() });
}

#[test]
fn a_rule_that_can_match_without_what_is_not_seen_runs_and_says_so() {
    let text = rule(EXEC, "    s1:\n        Image: x\n    s2:\n        Hashes: y\n    condition: 1 of s*");
    assert_eq!(state(&text), RuleState::Runs { notes: vec!["runs in part: Hashes is not seen: files are not hashed".into()] });
    let text = rule("service: auditd", "    s: {type: SYSCALL, SYSCALL: [execve, mknod]}\n    condition: s");
    assert_eq!(
        state(&text),
        RuleState::Runs { notes: vec!["runs in part: the system call mknod is not among those that the sensor sees".into()] }
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_a_hint() {
    let s = |item: &str| rule(EXEC, &format!("    s:\n        {item}\n    condition: s"));
    let cases: Vec<(String, &str, &str, Place)> = vec![
        (s("CommandLine|contians: x"), "unknown modifier `contians`", "did you mean contains?", Some((7, 20))),
        (
            s("CommandLine|contains|endswith: x"),
            "these modifiers do not go together: contains, endswith",
            "use one kind of comparison per field",
            Some((7, 9)),
        ),
        (
            s("CommandLine|i: x"),
            "`ignorecase` is a flag of regular expressions and needs `re` before it",
            "case is ignored anyway, unless `cased` is given",
            Some((7, 9)),
        ),
        (
            s("CommandLine|re: '(a'"),
            "the regular expression `(a`: unclosed group",
            "see https://docs.rs/regex for the syntax",
            Some((7, 9)),
        ),
        (s("CommandLine|cidr: 'x/8'"), "`x/8` is no network", "write it like 10.0.0.0/8 or fe80::/10", Some((7, 9))),
        (s("CommandLine|gt: x"), "`x` is compared as a number and is none", "give a number", Some((7, 9))),
        (s("CommandLine: {a: b}"), "the value of `CommandLine` is not plain", "give a value or a list of values", Some((7, 9))),
        (s("CommandLine: []"), "an empty list of values", "give at least one value", Some((7, 9))),
        (
            s("Image: x").replace("condition: s", "condition: selektion"),
            "the condition names `selektion`, and there is no such detection",
            "there are: s",
            Some((8, 5)),
        ),
        (
            s("Image: x").replace("condition: s", "condition: 1 of x*"),
            "the condition names `x*`, and there is no such detection",
            "there are: s",
            Some((8, 5)),
        ),
        (
            s("Image: x").replace("condition: s", "condition: 3 of s*"),
            "the condition wants 3 detections of the 1 that `s*` stands for",
            "it could never match",
            None,
        ),
        (
            s("Image: x").replace("level: low", "level: hgih"),
            "level `hgih` does not exist",
            "use informational, low, medium, high or critical",
            Some((9, 1)),
        ),
        (
            s("Image: x").replace("logsource:\n    category: process_creation\n", ""),
            "there is no `logsource`",
            "add one, with the product linux and a category or a service",
            None,
        ),
        (s("Image: x").replace("title: T\n", ""), "there is no `title`", "add `title:`", None),
        (s("Image: x").replace("    condition: s\n", ""), "there is no `condition`", "add `condition:`", None),
        (s("Image: x").replace("detection:", "detecton:"), "there is no `detection`", "`detecton` should be `detection`", Some((5, 1))),
        (s("Image: 'x"), "YAML: found unexpected end of stream", "look at the indentation and the quotes around there", Some((10, 1))),
        ("# nothing\n".into(), "it holds no rule", "remove it, or write a rule into it", None),
        (
            s("Image: x").replace("detection:\n", "detection:\n    s:\n        Image: y\n"),
            "YAML: detection: duplicate entry with key \"s\"",
            "remove one of them, or make them a list",
            Some((6, 5)),
        ),
    ];
    for (text, message, hint, place) in cases {
        let got = complaint(&text);
        assert_eq!((got.message.as_str(), got.hint.as_str(), got.line.zip(got.column)), (message, hint, place), "{text}");
    }
    let parse = complaint(&s("Image: x").replace("condition: s", "condition: s and and"));
    assert!(parse.message.starts_with("the condition cannot be read: "), "{parse:?}");
    assert_eq!(parse.line, Some(8));
}

#[test]
fn places_count_from_the_start_of_the_file() {
    let good = rule(EXEC, "    s:\n        Image: x\n    condition: s");
    let bad = good.replace("id: t", "id: u").replace("Image: x", "Image|contians: x");
    let report = load_texts(&[("t.yml", &format!("---\n{good}---\n{bad}"))], Options::default()).report;
    assert_eq!((report.running(), report.broken().count()), (1, 1));
    let (rule, complaint) = report.broken().next().expect("one");
    assert_eq!(complaint.line, Some(18));
    assert_eq!(rule.to_string(), "t.yml:18:14: unknown modifier `contians`\n  hint: did you mean contains?");
}

#[test]
fn an_id_is_given_once() {
    let text = rule(EXEC, "    s:\n        Image: x\n    condition: s");
    let report = load_texts(&[("a.yml", &text), ("b.yml", &text)], Options::default()).report;
    assert_eq!(report.running(), 1);
    let (rule, complaint) = report.broken().next().expect("the second");
    assert_eq!((rule.source.as_str(), complaint.message.as_str(), complaint.line), ("b.yml", "the id t is that of a.yml, too", Some(2)));
}

#[test]
fn hostile_rules_are_refused_and_the_others_run() {
    let s = |item: &str| rule(EXEC, &format!("    s:\n        {item}\n    condition: s"));
    let condition = |c: &str| s("Image: x").replace("condition: s", &format!("condition: {c}"));
    let bomb = format!(
        "{}a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}",
        s("Image: x"),
        (1..9).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "))).collect::<String>()
    );
    let hostile = [
        ("parentheses", condition(&format!("{}s{}", "(".repeat(40_000), ")".repeat(40_000)))),
        ("deep", condition(&format!("{}s{}", "(".repeat(100), ")".repeat(100)))),
        ("nots", condition(&format!("{}s", "not ".repeat(5000)))),
        ("wildcards", s(&format!("Image: '{}'", "*a".repeat(100)))),
        ("long", s(&format!("Image: '{}'", "a".repeat(10_000)))),
        ("regex", s("Image|re: '(a{1000}){1000}'")),
        ("nested regex", s(&format!("Image|re: '{}a{}'", "(".repeat(1000), ")".repeat(1000)))),
        ("windash", s(&format!("Image|windash: '{}'", "-".repeat(30)))),
        ("nested yaml", s(&format!("Image: {}{}", "[".repeat(100), "]".repeat(100)))),
        ("open yaml", s(&format!("Image: {}", "[".repeat(20_000)))),
        ("open braces", "{".repeat(20_000)),
        ("aliases", bomb),
        ("many values", s(&format!("Image: [{}]", "x, ".repeat(30_000)))),
        ("tag", s("Image: !other x")),
        ("bytes", "\u{0}\u{1}".into()),
    ];
    for (what, text) in &hostile {
        let good = rule(EXEC, "    s:\n        Image: x\n    condition: s").replace("id: t", "id: good");
        let report = load_texts(&[("bad.yml", text), ("good.yml", &good)], Options::default()).report;
        assert_eq!((report.running(), report.broken().count()), (1, 1), "{what}: {:?}", report.rules);
    }
}

#[test]
fn a_wide_choice_of_detections_is_refused_only_when_it_explodes() {
    let named: String = (0..40).map(|n| format!("    s{n}:\n        CommandLine|contains: word{n}x\n")).collect();
    assert!(matches!(state(&rule(EXEC, &format!("{named}    condition: 20 of s*"))), RuleState::Runs { .. }));
}

#[test]
fn a_large_hostile_document_takes_no_minutes() {
    // What makes the YAML scanner go over its open brackets again and again. No time is asserted: it ends.
    for (what, times) in [("[", 1 << 20), ("[", 1 << 16), ("{", 1 << 16), ("- ", 1 << 15), ("a: &a [", 1 << 13), ("'", 1 << 16)] {
        let report = load_texts(&[("bad.yml", &what.repeat(times))], Options::default()).report;
        assert_eq!(report.broken().count(), 1, "{what} {times} times");
    }
}

#[test]
fn files_are_found_once_and_read_within_limits() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = rule(EXEC, "    s:\n        Image: x\n    condition: s");
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    };
    write("b/one.yml", text.as_bytes());
    write("a/two.yaml", text.replace("id: t", "id: u").as_bytes());
    write("a/readme.md", b"no rule");
    write(".git/three.yml", b"no rule");
    write("big.yml", &vec![b'#'; (1 << 20) + 1]);
    write("latin.yml", b"title: \xe9\n");
    std::os::unix::fs::symlink(dir.path(), dir.path().join("a/loop")).expect("a link");
    let missing = dir.path().join("missing");
    let report = load(&[dir.path().to_owned(), dir.path().join("b"), missing.clone()]).report;
    let broken: Vec<(String, String)> = report.broken().map(|(r, c)| (r.source.clone(), c.message.clone())).collect();
    assert_eq!(report.running(), 2);
    assert_eq!(
        report.rules.iter().map(|r| r.source.as_str()).collect::<Vec<_>>(),
        ["a/two.yaml", "b/one.yml", "big.yml", "latin.yml", "missing"]
    );
    assert_eq!(broken[0], ("big.yml".into(), "it is larger than 1024 KiB".into()));
    assert_eq!(broken[1], ("latin.yml".into(), "byte 7 is no UTF-8".into()));
    assert!(broken[2].1.starts_with("it cannot be read: No such file"), "{broken:?}");
}

#[test]
fn the_version_tells_rule_sets_apart() {
    let one = rule(EXEC, "    s:\n        Image: x\n    condition: s");
    let two = one.replace("id: t", "id: u");
    let version = |files: &[(&str, &str)]| load_texts(files, Options::default()).engine.rules_version();
    assert_eq!(version(&[("a.yml", &one), ("b.yml", &two)]), version(&[("c.yml", &two), ("d.yml", &one)]));
    assert_ne!(version(&[("a.yml", &one)]), version(&[("a.yml", &two)]));
    assert_eq!(version(&[("a.yml", &one)]).len(), 32);
}

#[test]
fn reads_are_asked_for_by_name() {
    use ReadOf::{File, Folder};
    let access = "category: file_access";
    let none: &[&str] = &[];
    for (source, item, names, missing) in [
        (access, "TargetFilename: /etc/shadow", vec![("shadow", File)], none),
        (access, "TargetFilename|endswith: ['/.ssh/id_rsa', '/Cookies']", vec![("Cookies", File), ("id_rsa", File)], none),
        (access, "TargetFilename|startswith: /etc/sudoers.d/", vec![("sudoers.d", Folder)], none),
        (access, "TargetFilename|contains: /.aws/", vec![(".aws", Folder)], none),
        (access, "TargetFilename: /etc/cron.d/*", vec![("cron.d", Folder)], none),
        (access, "TargetFilename: /home/*/.bashrc", vec![(".bashrc", File)], none),
        (access, "TargetFilename: /etc/*release", vec![], &["`/etc/*release`"]),
        (access, "TargetFilename|contains: secret", vec![], &["`secret`"]),
        (access, "TargetFilename|re: '/id_[a-z]+$'", vec![], &["`/id_[a-z]+$`"]),
        (access, "Image: /bin/x", vec![], &["it does not say which files"]),
        (
            access,
            "TargetFilename: /etc/a-name-that-is-longer-than-the-kernel-compares",
            vec![],
            &["`/etc/a-name-that-is-longer-than-the-kernel-compares`"],
        ),
        ("service: auditd", "name: [/etc/passwd, /etc/*version]", vec![("passwd", File)], &["`/etc/*version`"]),
        ("category: file_event", "TargetFilename: /etc/shadow", vec![], none),
    ] {
        let text = rule(source, &format!("    s:\n        {item}\n    condition: s"));
        let loaded = load_texts(&[("t.yml", &text)], Options::default());
        let mut wanted: Vec<ReadName> = names.iter().map(|(n, what)| ReadName { name: n.as_bytes().to_vec(), what: *what }).collect();
        wanted.sort();
        assert_eq!(loaded.engine.read_names(), wanted, "{item}");
        let notes = if missing.is_empty() {
            vec![]
        } else {
            vec![format!("opens for reading are sent by exact name only, so reads are not seen for: {}", missing.join(", "))]
        };
        assert_eq!(loaded.report.rules[0].state, RuleState::Runs { notes }, "{item}");
    }
    // Two rules that write one value in two ways; a fixed part of a pattern that is a value of another rule.
    let item = |id: &str, item: &str| rule(access, &format!("    s:\n        {item}\n    condition: s")).replace("id: t", id);
    let several = [
        item("id: a", "TargetFilename: /home/x/Cookies"),
        item("id: b", "TargetFilename: /home/x/cookies"),
        item("id: c", "{TargetFilename|startswith: /etc/, Image: /bin/x}"),
        item("id: d", "TargetFilename: /opt/*release"),
        item("id: e", "{TargetFilename|contains: '/et*x', TargetFilename|endswith: /group}"),
    ];
    let texts: Vec<(&str, &str)> = ["a", "b", "c", "d", "e"].into_iter().zip(several.iter().map(String::as_str)).collect();
    let loaded = load_texts(&texts, Options::default());
    let names: Vec<String> = loaded.engine.read_names().iter().map(|n| String::from_utf8_lossy(&n.name).into_owned()).collect();
    assert_eq!(names, ["Cookies", "cookies", "etc", "group"]);
    let both = rule(access, "    s:\n        TargetFilename: /etc/shadow\n    f:\n        Image: /bin/x\n    condition: s and not f");
    assert_eq!(load_texts(&[("t.yml", &both)], Options::default()).engine.read_names().len(), 1);
}

#[test]
fn the_page_about_the_rules_is_current() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = crate::score::report_markdown(&load(&[root.join("rules")]).report);
    let committed = std::fs::read_to_string(root.join("docs/rules.md")).unwrap_or_default();
    let differs = page.lines().zip(committed.lines()).find(|(new, old)| new != old);
    assert!(page == committed, "docs/rules.md is not current, run `cargo xtask codegen`; the first line that differs: {differs:?}");
}
