//! A predicate: one test of one column of an event. The pool keeps each distinct one once, whatever number of rules use it.
//!
//! The tests here look at one event alone and are the definition of what a predicate means; `matcher` finds the true ones faster.

use super::{glob::Glob, text};
use crate::{
    events::{Body, Event, Field, Outcome, Value},
    text::Text,
};
use ipnet::IpNet;
use std::{collections::HashMap, net::IpAddr};

/// Where a predicate's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Column {
    /// A field of the event.
    Field(Field),
    /// One argument, counted from 0.
    Arg(u16),
    /// `yes` or `no`, as auditd writes it.
    Success,
}

impl Column {
    /// The value in an event.
    pub(crate) fn value(self, event: &Event) -> Value<'_> {
        match self {
            Self::Field(field) => event.get(field),
            Self::Arg(n) => match event.get(Field::ProcessArgs) {
                Value::List(args) => args.get(usize::from(n)).map_or(Value::None, Value::Text),
                _ => Value::None,
            },
            Self::Success => match event.outcome() {
                Some(Outcome::Success(_)) => Value::Str("yes"),
                Some(Outcome::Failure(_)) => Value::Str("no"),
                _ => Value::None,
            },
        }
    }

    /// The field that a finding names.
    pub(crate) fn field(self) -> Field {
        match self {
            Self::Field(field) => field,
            Self::Arg(_) => Field::ProcessArgs,
            Self::Success => Field::EventOutcome,
        }
    }
}

/// Facts of an event that a log source asks for, whatever the rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Guard {
    /// It did not fail. An operation whose end was not seen counts: it may have happened.
    NotFailed,
    /// An open that may write, or any event that is no open.
    Writes,
    /// An open that may read.
    Reads,
    /// This open created the file.
    Creates,
    /// An open of a file that was there before.
    CreatesNot,
    /// The peer has an IP address.
    IpPeer,
    /// A name was removed that is not a folder's.
    NotFolder,
}

impl Guard {
    /// Whether it holds.
    pub(crate) fn holds(self, event: &Event) -> bool {
        match (self, &event.body) {
            (Self::NotFailed, _) => !matches!(event.outcome(), Some(Outcome::Failure(_))),
            (Self::Writes, Body::Open { flags, created, .. }) => *created || flags & 3 != 0,
            (Self::Writes, _) => true,
            (Self::Reads, Body::Open { flags, .. }) => flags & 3 != 1,
            (Self::Creates, Body::Open { created, .. }) => *created,
            (Self::CreatesNot, Body::Open { created, .. }) => !created,
            (Self::Reads | Self::Creates | Self::CreatesNot, _) => false,
            (Self::IpPeer, _) => matches!(event.get(Field::DestinationIp), Value::Ip(_)),
            (Self::NotFolder, Body::Unlink { directory, .. }) => !directory,
            (Self::NotFolder, _) => true,
        }
    }
}

/// How two strings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum How {
    Equals,
    StartsWith,
    EndsWith,
    Contains,
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Compare {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is tested.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Bytes; already in lower case unless `cased`.
    String { how: How, bytes: Box<[u8]>, cased: bool },
    /// Wildcards.
    Glob(Glob),
    /// A regular expression (boxed: it is much larger than the others).
    Regex(Box<regex::bytes::Regex>),
    /// A number.
    Number(Compare, f64),
    /// A network.
    Cidr(IpNet),
    /// Yes or no.
    Bool(bool),
    /// There is a value.
    Exists,
    /// Compared with another column.
    Other { how: How, column: Column, cased: bool },
    /// Not of the rule but of its log source; the column says nothing.
    Guard(Guard),
}

/// One test.
#[derive(Clone, Debug)]
pub(crate) struct Predicate {
    pub(crate) column: Column,
    pub(crate) op: Op,
    /// As the rule writes the value, in its own case.
    pub(crate) written: Box<str>,
    /// As other rules write the same value.
    pub(crate) also: Vec<Box<str>>,
}

impl Predicate {
    pub(crate) fn new(column: Column, op: Op, written: &str) -> Self {
        Self { column, op, written: written.into(), also: Vec::new() }
    }

    /// A test of the log source.
    pub(crate) fn guard(guard: Guard) -> Self {
        Self::new(Column::Success, Op::Guard(guard), "")
    }

    /// Found by scanning the event's values; the others are tested when a rule asks.
    pub(crate) fn indexed(&self) -> bool {
        match &self.op {
            Op::String { how, bytes, .. } => *how == How::Equals || !bytes.is_empty(),
            Op::Number(Compare::Equal, n) => integer(*n).is_some(),
            _ => false,
        }
    }

    /// Rough cost of testing it on its own, for the order of tests.
    pub(crate) fn cost(&self) -> u32 {
        match &self.op {
            _ if self.indexed() => 0,
            Op::Guard(_) | Op::Exists | Op::Bool(_) | Op::Number(..) => 1,
            Op::Cidr(_) | Op::String { .. } => 2,
            Op::Other { .. } | Op::Glob(_) => 8,
            Op::Regex(_) => 64,
        }
    }

    /// Whether it holds.
    pub(crate) fn holds(&self, event: &Event) -> bool {
        match &self.op {
            Op::Guard(guard) => guard.holds(event),
            Op::Exists => !matches!(self.column.value(event), Value::None),
            _ => self.values(event, &mut |_| true),
        }
    }

    /// The values that make it hold. `None` for tests that have none to show.
    pub(crate) fn matched(&self, event: &Event, out: &mut Vec<(Field, Text)>) {
        if matches!(self.op, Op::Guard(_)) {
            return;
        }
        let field = self.column.field();
        self.values(event, &mut |value| {
            let text = match value {
                Value::Text(text) => (*text).clone(),
                other => {
                    let mut buffer = Vec::new();
                    text::render(other, &mut buffer);
                    Text::from(buffer)
                }
            };
            if !out.iter().any(|(f, t)| *f == field && *t == text) {
                out.push((field, text));
            }
            false
        });
    }

    /// Calls `found` with each single value that passes, until it says true.
    fn values(&self, event: &Event, found: &mut dyn FnMut(&Value<'_>) -> bool) -> bool {
        let mut each = |value: Value<'_>| self.test(&value, event) && found(&value);
        match self.column.value(event) {
            Value::None => false,
            Value::Either(a, b) => each(Value::Text(a)) || each(Value::Text(b)),
            Value::List(list) => list.iter().any(|t| each(Value::Text(t))),
            one => each(one),
        }
    }

    /// Tests one single value.
    fn test(&self, value: &Value<'_>, event: &Event) -> bool {
        match &self.op {
            Op::Number(compare, wanted) => number(value).is_some_and(|n| compare.holds(n, *wanted)),
            Op::Bool(wanted) => boolean(value) == Some(*wanted),
            Op::Cidr(network) => address(value).is_some_and(|ip| network.contains(&ip)),
            Op::Exists | Op::Guard(_) => true,
            Op::String { .. } | Op::Glob(_) | Op::Regex(_) => match value {
                Value::Text(text) => self.test_bytes(text.bytes()),
                other => {
                    let mut buffer = Vec::new();
                    text::render(other, &mut buffer);
                    self.test_bytes(&buffer)
                }
            },
            Op::Other { how, column, cased } => {
                let mut buffer = Vec::new();
                text::render(value, &mut buffer);
                let other = |wanted: &Value<'_>| {
                    let mut bytes = Vec::new();
                    text::render(wanted, &mut bytes);
                    if !cased {
                        bytes.make_ascii_lowercase();
                    }
                    text::compare(*how, &buffer, &bytes, *cased)
                };
                match column.value(event) {
                    Value::None => false,
                    Value::Either(a, b) => other(&Value::Text(a)) || other(&Value::Text(b)),
                    Value::List(list) => list.iter().any(|t| other(&Value::Text(t))),
                    one => other(&one),
                }
            }
        }
    }

    /// Tests a string, also one that is known when the rule is loaded.
    pub(crate) fn test_bytes(&self, bytes: &[u8]) -> bool {
        match &self.op {
            Op::String { how, bytes: wanted, cased } => text::compare(*how, bytes, wanted, *cased),
            Op::Glob(glob) => glob.matches(bytes),
            Op::Regex(regex) => regex.is_match(bytes),
            Op::Exists => true,
            Op::Number(compare, wanted) => std::str::from_utf8(bytes).is_ok_and(|s| s.parse().is_ok_and(|n| compare.holds(n, *wanted))),
            Op::Bool(wanted) => std::str::from_utf8(bytes).is_ok_and(|s| word_as_bool(s) == Some(*wanted)),
            Op::Cidr(_) | Op::Other { .. } | Op::Guard(_) => false,
        }
    }

    /// The same for two predicates that test the same.
    fn key(&self) -> String {
        let column = self.column;
        match &self.op {
            Op::String { how, bytes, cased } => format!("{column:?} {how:?} {cased} {bytes:?}"),
            Op::Glob(glob) => format!("{column:?} glob {glob:?}"),
            Op::Regex(regex) => format!("{column:?} regex {}", regex.as_str()),
            other => format!("{column:?} {other:?}"),
        }
    }
}

impl Compare {
    fn holds(self, value: f64, wanted: f64) -> bool {
        match self {
            Self::Equal => value == wanted,
            Self::Less => value < wanted,
            Self::LessOrEqual => value <= wanted,
            Self::Greater => value > wanted,
            Self::GreaterOrEqual => value >= wanted,
        }
    }
}

/// A number without a fraction that a 64-bit integer holds exactly.
pub(crate) fn integer(n: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "in range and without a fraction, as just tested")]
    (n.fract() == 0.0 && n.abs() <= EXACT).then_some(n as i64)
}

/// A value as a number: strings are read as one.
pub(crate) fn number(value: &Value<'_>) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "pids, ports and user ids are far below 2^53")]
    match value {
        Value::Number(n) => Some(*n as f64),
        Value::Text(text) => std::str::from_utf8(text.bytes()).ok()?.parse().ok(),
        Value::Str(s) => s.parse().ok(),
        _ => None,
    }
}

fn boolean(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::Text(text) => word_as_bool(std::str::from_utf8(text.bytes()).ok()?),
        Value::Str(s) => word_as_bool(s),
        _ => None,
    }
}

fn word_as_bool(word: &str) -> Option<bool> {
    let is = |words: [&str; 3]| words.iter().any(|w| w.eq_ignore_ascii_case(word));
    if is(["true", "yes", "1"]) { Some(true) } else { is(["false", "no", "0"]).then_some(false) }
}

fn address(value: &Value<'_>) -> Option<IpAddr> {
    match value {
        Value::Ip(ip) => Some(ip.to_canonical()),
        Value::Text(text) => std::str::from_utf8(text.bytes()).ok()?.parse().ok(),
        Value::Str(s) => s.parse().ok(),
        _ => None,
    }
}

/// All predicates of all rules, each once.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    list: Vec<Predicate>,
    ids: HashMap<String, u32>,
}

impl Pool {
    /// The number of a predicate.
    pub(crate) fn intern(&mut self, predicate: Predicate) -> u32 {
        let key = predicate.key();
        if let Some(id) = self.ids.get(&key) {
            if let Some(first) = self.list.get_mut(*id as usize)
                && first.written != predicate.written
                && !first.also.contains(&predicate.written)
            {
                first.also.push(predicate.written);
            }
            return *id;
        }
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(predicate);
        self.ids.insert(key, id);
        id
    }

    /// Nothing is added any more: what that would take goes.
    pub(crate) fn seal(&mut self) {
        self.ids = HashMap::new();
        self.list.shrink_to_fit();
    }

    /// All of them, by number.
    pub(crate) fn list(&self) -> &[Predicate] {
        &self.list
    }

    /// One of them.
    pub(crate) fn get(&self, id: u32) -> Option<&Predicate> {
        self.list.get(id as usize)
    }
}
