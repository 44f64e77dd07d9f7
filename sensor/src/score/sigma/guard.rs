//! Everything between a rule file and rsigma-parser: a rule is somebody's text and must not take the sensor down.
//!
//! Before the parser sees a document its nodes are counted (aliases may multiply them), nesting is limited and conditions are measured.
//! All of it runs on a thread with a large stack, and a panic in the parser is an error of that rule.

use super::{Problem, suggest, value::shorten};
use rsigma_parser::SigmaCollection;
use serde::{
    Deserialize,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use std::{cell::Cell, fmt};
use yaml_serde::Value;

/// YAML nodes in one document, after aliases.
const MAX_NODES: usize = 20_000;
/// Bytes of one document: the YAML scanner takes time by the square of it on hostile ones.
const MAX_BYTES: usize = 256 << 10;
/// Nesting of YAML.
const MAX_DEPTH: usize = 24;
/// Bytes of one condition.
const MAX_CONDITION: usize = 8192;
/// Words of one condition.
const MAX_WORDS: usize = 512;
/// Nesting of parentheses in one condition.
const MAX_PARENTHESES: usize = 32;
/// Stack of the thread that parses.
const STACK: usize = 64 << 20;

/// One YAML document of a file.
#[derive(Debug)]
pub(crate) struct Document {
    /// Lines of the file before it.
    pub(crate) line: u32,
    /// Its text.
    pub(crate) text: String,
}

/// Runs `work` where deep recursion does not end the process.
pub(crate) fn on_big_stack<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("rules".into()).stack_size(STACK).spawn_scoped(scope, work)?;
        thread.join().map_err(|_| std::io::Error::other("loading the rules panicked"))
    })
}

/// The documents of a file. One that uses collections (`action:`) is left whole, since its documents depend on each other.
pub(crate) fn split(text: &str) -> Vec<Document> {
    let whole = text.lines().any(|l| l.starts_with("action:"));
    let mut out = vec![Document { line: 0, text: String::new() }];
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim_end();
        if !whole && (bare == "---" || bare.starts_with("--- #")) {
            out.push(Document { line: u32::try_from(n + 1).unwrap_or(u32::MAX), text: String::new() });
        } else if let Some(last) = out.last_mut() {
            last.text.push_str(line);
        }
    }
    out.retain(|d| d.text.lines().any(|l| !l.trim().is_empty() && !l.trim_start().starts_with('#')));
    out
}

/// Parses one document, after looking whether it can be parsed at all.
pub(super) fn parse(document: &Document) -> Result<SigmaCollection, Problem> {
    if document.text.len() > MAX_BYTES {
        let message = format!("a rule of {} KiB (at most {})", document.text.len() >> 10, MAX_BYTES >> 10);
        return Err(Problem::broken(message, "split it"));
    }
    for part in yaml_serde::Deserializer::from_str(&document.text) {
        let nodes = Cell::new(0);
        Count { nodes: &nodes, depth: 0 }.deserialize(part).map_err(|e| yaml_problem(&e))?;
    }
    // The second pass may build the values: there are few.
    for part in yaml_serde::Deserializer::from_str(&document.text) {
        let value = Value::deserialize(part).map_err(|e| yaml_problem(&e))?;
        if let Some(detection) = value.get("detection") {
            check_detection(detection)?;
        } else if value.get("title").is_some() && value.get("correlation").is_none() && value.get("filter").is_none() {
            let near = value.as_mapping().and_then(|m| suggest::nearest("detection", m.keys().filter_map(Value::as_str)));
            if let Some(near) = near {
                return Err(Problem::broken("there is no `detection`", format!("`{near}` should be `detection`")).at(near));
            }
        }
    }
    let parsed = std::panic::catch_unwind(|| rsigma_parser::parse_sigma_yaml(&document.text));
    match parsed {
        Ok(Ok(collection)) => Ok(collection),
        Ok(Err(e)) => Err(parser_problem(&e.to_string())),
        Err(_) => Err(Problem::broken("the rule parser failed on it", "simplify the rule; please report it with the file")),
    }
}

fn check_detection(detection: &Value) -> Result<(), Problem> {
    let Some(map) = detection.as_mapping() else {
        return Err(Problem::broken("`detection` is no mapping", "give it named detections and a condition").at("detection:"));
    };
    for (name, value) in map {
        match name.as_str() {
            Some("condition") => match value {
                Value::String(s) => check_condition(s)?,
                Value::Sequence(list) => list.iter().filter_map(Value::as_str).try_for_each(check_condition)?,
                _ => {}
            },
            Some("timeframe") => {}
            _ => check_values(value)?,
        }
    }
    Ok(())
}

/// A field's values are plain, or a list of plain ones: anything deeper the parser would turn into text.
fn check_values(value: &Value) -> Result<(), Problem> {
    match value {
        Value::Sequence(list) => list.iter().try_for_each(check_values),
        Value::Mapping(map) => map.iter().try_for_each(|(key, value)| {
            let deep = match value {
                Value::Mapping(_) | Value::Tagged(_) => true,
                Value::Sequence(list) => list.iter().any(|v| matches!(v, Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_))),
                _ => false,
            };
            let key = key.as_str().unwrap_or_default();
            if deep && !key.contains('[') {
                return Err(Problem::broken(format!("the value of `{key}` is not plain"), "give a value or a list of values").at(key));
            }
            Ok(())
        }),
        _ => Ok(()),
    }
}

fn check_condition(condition: &str) -> Result<(), Problem> {
    let complain = |what: String| Err(Problem::broken(what, "split the rule").at("condition:"));
    if condition.len() > MAX_CONDITION {
        return complain(format!("a condition of {} bytes (at most {MAX_CONDITION})", condition.len()));
    }
    if condition.split_whitespace().count() > MAX_WORDS {
        return complain(format!("a condition of more than {MAX_WORDS} words"));
    }
    let mut depth = 0_usize;
    for b in condition.bytes() {
        match b {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_PARENTHESES {
            return complain(format!("a condition with parentheses more than {MAX_PARENTHESES} deep"));
        }
    }
    Ok(())
}

fn yaml_problem(error: &yaml_serde::Error) -> Problem {
    let place = error.location().map(|l| (u32::try_from(l.line()).unwrap_or(0), u32::try_from(l.column()).unwrap_or(0)));
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
    Problem::Broken { message: format!("YAML: {message}"), hint: yaml_hint(&message).into(), near: None, place }
}

fn yaml_hint(message: &str) -> &'static str {
    if message.contains("mapping values are not allowed") || message.contains("could not find expected ':'") {
        "put a value that holds `: ` or begins with a special character into quotes"
    } else if message.contains("duplicate") {
        "remove one of them, or make them a list"
    } else if message.contains("alias") || message.contains("anchor") || message.contains("escape") {
        "put the value into single quotes"
    } else {
        "look at the indentation and the quotes around there"
    }
}

/// What the parser says, as a problem with a hint.
pub(super) fn parser_problem(text: &str) -> Problem {
    let quoted = text.split('\'').nth(1).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    if text.starts_with("Unknown modifier") {
        let hint = match suggest::nearest(quoted, MODIFIERS.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are: {}", MODIFIERS.join(", ")),
        };
        return Problem::broken(format!("unknown modifier `{quoted}`"), hint).at(&format!("|{quoted}"));
    }
    if text.starts_with("Condition parse error") {
        // The parser draws a picture over several lines; the last says what it expected.
        let expected = text.lines().last().unwrap_or_default().trim_start_matches([' ', '=']);
        return Problem::broken(
            format!("the condition cannot be read: {}", shorten(expected)),
            "use names of detections with `and`, `or`, `not`, `1 of x*`, `all of x*` and parentheses",
        )
        .at("condition:");
    }
    if let Some(what) = text.strip_prefix("invalid ") {
        let key = what.split(':').next().unwrap_or_default();
        let hint = match key {
            "level" => "use informational, low, medium, high or critical",
            "status" => "use stable, test, experimental, deprecated or unsupported",
            _ => "see the Sigma specification",
        };
        return Problem::broken(format!("{key} `{quoted}` does not exist"), hint).at(&format!("{key}:"));
    }
    if text.starts_with("Missing required field") {
        return Problem::broken(format!("there is no `{quoted}`"), format!("add `{quoted}:`"));
    }
    Problem::broken(shorten(first), "see the Sigma specification")
}

const MODIFIERS: &[&str] = &[
    "contains",
    "startswith",
    "endswith",
    "all",
    "re",
    "i",
    "m",
    "s",
    "cidr",
    "base64",
    "base64offset",
    "wide",
    "utf16",
    "utf16le",
    "utf16be",
    "windash",
    "cased",
    "exists",
    "fieldref",
    "gt",
    "gte",
    "lt",
    "lte",
    "neq",
];

/// Walks a document without keeping anything of it.
struct Count<'a> {
    nodes: &'a Cell<usize>,
    depth: usize,
}

impl<'a> Count<'a> {
    fn inner<E: Error>(&self) -> Result<Count<'a>, E> {
        self.nodes.set(self.nodes.get() + 1);
        if self.nodes.get() > MAX_NODES {
            return Err(E::custom(format!("more than {MAX_NODES} values")));
        }
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format!("nested more than {MAX_DEPTH} deep")));
        }
        Ok(Count { nodes: self.nodes, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Count<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Count<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a tag")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self.inner()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(self.inner()?)?.is_some() {
            map.next_value_seed(self.inner()?)?;
        }
        Ok(())
    }
}
