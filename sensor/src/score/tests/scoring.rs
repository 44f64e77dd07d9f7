//! Findings: what they carry, and that the same events give the same.

use super::event::{exec, exec_as};
use crate::{
    events::{Event, Field},
    finding::{Finding, Level},
    score::{Engine, Options, load_texts},
};
use std::sync::Arc;

const RULES: &[(&str, &str)] = &[
    (
        "pipe.yml",
        "title: Pipe\nid: 11111111-1111-4111-8111-111111111111\nauthor: Ann, Bob\nstatus: test\nlevel: medium\ntags: [attack.execution, attack.t1059.004, attack.s0001]\n\
         logsource: {category: process_creation}\ndetection:\n    s1:\n        Image|endswith: [/sh, /bash]\n        CommandLine|contains: [base64, xxd]\n    f:\n        User: root\n    condition: s1 and not f\n",
    ),
    (
        "shell.yml",
        "title: Shell\nlevel: high\nlogsource: {category: process_creation}\ndetection:\n    s1:\n        a|exists: false\n    s2:\n        Image|endswith: /sh\n    condition: 1 of s*\n",
    ),
];

fn findings(engine: &mut Engine, event: &Event) -> Vec<Finding> {
    let mut out = Vec::new();
    let parent = event.parent.clone().into_iter().collect::<Vec<_>>();
    engine.evaluate(&Arc::new(event.clone()), &mut || parent.clone(), &mut out);
    out
}

fn matched(finding: &Finding) -> Vec<(Field, String)> {
    finding.matched.iter().map(|(f, t)| (*f, t.to_string())).collect()
}

#[test]
fn a_finding_says_what_matched_and_by_whose_rule() {
    let mut engine = load_texts(RULES, Options::default()).engine;
    let out = findings(&mut engine, &exec_as("/usr/bin/dash", "/bin/sh", &["sh", "-c", "base64 -d"]));
    assert_eq!(out.iter().map(|f| f.rule.title.as_str()).collect::<Vec<_>>(), ["Pipe", "Shell"], "in the order of the rules");
    let pipe = &out[0];
    assert_eq!((pipe.rule.author.as_str(), pipe.rule.level, pipe.rule.status.as_str()), ("Ann, Bob", Level::Medium, "test"));
    assert_eq!((pipe.rule.techniques.join(" "), pipe.rule.tactics.join(" ")), ("T1059.004".to_owned(), "execution".to_owned()));
    assert_eq!(pipe.rule.source, "pipe.yml");
    let command = (Field::ProcessCommandLine, "sh -c base64 -d".to_owned());
    assert_eq!(matched(pipe), [(Field::ProcessExecutable, "/bin/sh".to_owned()), command]);
    assert_eq!(pipe.ancestors.len(), 1);
    assert_eq!((pipe.score.points, pipe.score.total, out[1].score.total), (20.0, 20.0, 70.0));
    assert_eq!(out[1].score.contributions.iter().map(|c| c.rule.title.as_str()).collect::<Vec<_>>(), ["Pipe", "Shell"]);
    assert_eq!(out[1].rule.id, "shell", "without an id the file's name stands for it");
    assert_eq!(pipe.rules_version, engine.rules_version());
}

#[test]
fn the_same_match_again_is_a_finding_without_points() {
    let mut engine = load_texts(RULES, Options::default()).engine;
    let event = exec_as("/usr/bin/dash", "/bin/sh", &["sh", "-c", "base64 -d"]);
    findings(&mut engine, &event);
    let again = findings(&mut engine, &event);
    assert_eq!(again.iter().map(|f| (f.score.points, f.score.total)).collect::<Vec<_>>(), [(0.0, 70.0), (0.0, 70.0)]);
    let other = findings(&mut engine, &exec_as("/usr/bin/dash", "/bin/sh", &["sh", "-c", "xxd"]));
    assert_eq!(other.iter().map(|f| f.score.points).collect::<Vec<_>>(), [20.0, 0.0], "of the second the matched values are the same");
}

#[test]
fn the_same_events_give_the_same_findings() {
    let run = || {
        let mut engine = load_texts(RULES, Options::default()).engine;
        let commands = ["base64", "x", "xxd", "base64"];
        let all = commands.iter().flat_map(|c| findings(&mut engine, &exec("/bin/sh", &["sh", "-c", c])));
        all.map(|f| format!("{} {:?} {:?} {:?}", f.rule.id, f.matched, f.score.total, f.rules_version)).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn nobody_asks_for_ancestors_without_a_finding() {
    let mut engine = load_texts(RULES, Options::default()).engine;
    let event = Arc::new(exec("/bin/true", &["true"]));
    engine.evaluate(&event, &mut || panic!("asked"), &mut Vec::new());
}
