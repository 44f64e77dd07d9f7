//! What a finding has beyond its event: `rule.*`, `threat.*`, the score and how it came about.

use super::{Writer, object::Object, process};
use crate::finding::{Finding, Level};

/// ATT&CK's enterprise tactics, as rules tag them: id and name. <https://attack.mitre.org/tactics/enterprise/>
const TACTICS: &[(&str, &str, &str)] = &[
    ("reconnaissance", "TA0043", "Reconnaissance"),
    ("resource-development", "TA0042", "Resource Development"),
    ("initial-access", "TA0001", "Initial Access"),
    ("execution", "TA0002", "Execution"),
    ("persistence", "TA0003", "Persistence"),
    ("privilege-escalation", "TA0004", "Privilege Escalation"),
    ("defense-evasion", "TA0005", "Defense Evasion"),
    ("credential-access", "TA0006", "Credential Access"),
    ("discovery", "TA0007", "Discovery"),
    ("lateral-movement", "TA0008", "Lateral Movement"),
    ("collection", "TA0009", "Collection"),
    ("command-and-control", "TA0011", "Command and Control"),
    ("exfiltration", "TA0010", "Exfiltration"),
    ("impact", "TA0040", "Impact"),
];

/// Id and name of a tactic that a rule names, if it is one of ATT&CK's.
pub(in crate::sink) fn tactic(tag: &str) -> Option<(&'static str, &'static str)> {
    TACTICS
        .iter()
        .find(|(name, ..)| tag.bytes().map(|b| if b == b'_' { b'-' } else { b }).eq(name.bytes()))
        .map(|(_, id, name)| (*id, *name))
}

/// `event.severity`: 1 to 5.
pub(super) const fn severity(level: Level) -> i32 {
    match level {
        Level::Informational => 1,
        Level::Low => 2,
        Level::Medium => 3,
        Level::High => 4,
        Level::Critical => 5,
    }
}

/// `rule` and `threat`.
pub(super) fn rule(o: &mut Object<'_, '_>, f: &Finding) {
    let r = &f.rule;
    o.object("rule", |o| {
        o.str("id", &r.id);
        o.str("name", &r.title);
        o.str("description", &r.description);
        // As written: where one author ends and the next begins is not certain, and the licence asks for all of them.
        o.strs("author", [r.author.as_str()]);
        if let Some(reference) = r.references.first() {
            o.str("reference", reference);
        }
    });
    if r.techniques.is_empty() && r.tactics.is_empty() {
        return;
    }
    o.object("threat", |o| {
        o.str("framework", "MITRE ATT&CK");
        if !r.techniques.is_empty() {
            o.object("technique", |o| {
                o.strs("id", r.techniques.iter().map(|t| t.split('.').next().unwrap_or(t)));
                if r.techniques.iter().any(|t| t.contains('.')) {
                    o.object("subtechnique", |o| o.strs("id", r.techniques.iter().map(String::as_str).filter(|t| t.contains('.'))));
                }
            });
        }
        if !r.tactics.is_empty() {
            o.object("tactic", |o| {
                if r.tactics.iter().any(|t| tactic(t).is_some()) {
                    o.strs("id", r.tactics.iter().filter_map(|t| tactic(t)).map(|(id, _)| id));
                }
                o.strs("name", r.tactics.iter().map(|t| tactic(t).map_or(t.as_str(), |(_, name)| name)));
            });
        }
    });
}

/// Under `sensor`.
pub(super) fn ours(o: &mut Object<'_, '_>, w: &Writer, f: &Finding) {
    let r = &f.rule;
    o.object("rule", |o| {
        o.str("level", r.level.as_str());
        o.str("status", &r.status);
        o.strs("tags", r.tags.iter().map(String::as_str));
        o.strs("references", r.references.iter().map(String::as_str));
        o.strs("false_positives", r.false_positives.iter().map(String::as_str));
        o.str("source", &r.source);
    });
    o.str("rules_version", &f.rules_version);
    o.objects("matched", &f.matched, |o, (field, value)| {
        o.str("field", field.name());
        o.text("value", Some(value));
    });
    o.object("score", |o| {
        o.float("total", f.score.total);
        o.float("points", f.score.points);
        w.entity_id(o, "tree", f.score.tree);
        o.objects("contributions", &f.score.contributions, |o, c| {
            o.number("time_ns", c.time_ns);
            o.str("rule", &c.rule.id);
            o.str("title", &c.rule.title);
            o.str("level", c.rule.level.as_str());
            w.entity_id(o, "process", c.process);
            o.float("points", c.points);
        });
        if f.score.omitted > 0 {
            o.number("omitted", f.score.omitted);
        }
    });
    o.objects("ancestors", &f.ancestors, |o, p| process::short(o, w, p));
}
