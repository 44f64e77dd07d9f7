//! Finds all true predicates of one column at once: each kind of comparison in the structure that suits it.
//!
//! Equality is a hash look-up, `ends with /name` one of the basename, other prefixes and suffixes are found by their first or last four
//! bytes, and substrings by one automaton over all of them.

use super::predicate::{Compare, How, Op, Predicate, integer};
use daachorse::{DoubleArrayAhoCorasick, DoubleArrayAhoCorasickBuilder};
use foldhash::fast::FixedState;
use std::collections::HashMap;

type Map<K, V> = HashMap<K, V, FixedState>;

/// A rule set that the matcher cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("the substrings of the rules do not fit into one automaton: {0}")]
pub(crate) struct TooLarge(String);

/// All indexed predicates of one column.
#[derive(Default)]
pub(crate) struct Matcher {
    folded: Strings,
    cased: Strings,
    numbers: Map<i64, u32>,
}

impl Matcher {
    /// From predicates and their numbers; those that are not indexed are left out.
    pub(crate) fn new<'a>(predicates: impl Iterator<Item = (u32, &'a Predicate)>) -> Result<Self, TooLarge> {
        let (mut folded, mut cased, mut numbers) = (Vec::new(), Vec::new(), Map::default());
        for (id, predicate) in predicates.filter(|(_, p)| p.indexed()) {
            match &predicate.op {
                Op::String { how, bytes, cased: false } => folded.push((id, *how, &**bytes)),
                Op::String { how, bytes, cased: true } => cased.push((id, *how, &**bytes)),
                Op::Number(Compare::Equal, n) => {
                    if let Some(n) = integer(*n) {
                        numbers.insert(n, id);
                    }
                }
                _ => {}
            }
        }
        Ok(Self { folded: Strings::new(&folded)?, cased: Strings::new(&cased)?, numbers })
    }

    /// Calls `found` with the predicate that a number fulfils as a number.
    pub(crate) fn number(&self, n: i64, found: &mut impl FnMut(u32)) {
        if let Some(id) = self.numbers.get(&n) {
            found(*id);
        }
    }

    /// Whether numbers and addresses must be looked at as text.
    pub(crate) fn wants_text(&self) -> bool {
        !self.folded.is_empty() || !self.cased.is_empty()
    }

    /// Calls `found` with each predicate that a string fulfils. `buffer` is for the lower case form.
    pub(crate) fn scan(&self, bytes: &[u8], buffer: &mut Vec<u8>, found: &mut impl FnMut(u32)) {
        self.scan_strings(bytes, buffer, found);
        if !self.numbers.is_empty()
            && bytes.first().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.'))
            && let Some(n) = std::str::from_utf8(bytes).ok().and_then(|s| s.parse().ok()).and_then(integer)
        {
            self.number(n, found);
        }
    }

    /// The same without reading the string as a number.
    pub(crate) fn scan_strings(&self, bytes: &[u8], buffer: &mut Vec<u8>, found: &mut impl FnMut(u32)) {
        if !self.folded.is_empty() {
            buffer.clear();
            buffer.extend_from_slice(bytes);
            buffer.make_ascii_lowercase();
            self.folded.scan(buffer, found);
        }
        if !self.cased.is_empty() {
            self.cased.scan(bytes, found);
        }
    }
}

/// String comparisons of one column, in one case.
#[derive(Default)]
struct Strings {
    equals: Map<Box<[u8]>, u32>,
    /// Bit n: there is a value to be equal to of length n (63: of that or more).
    lengths: u64,
    basenames: Map<Box<[u8]>, u32>,
    prefixes: Ends,
    suffixes: Ends,
    contains: Option<DoubleArrayAhoCorasick<u32>>,
    empty: bool,
}

impl Strings {
    fn new(list: &[(u32, How, &[u8])]) -> Result<Self, TooLarge> {
        let mut out = Self { empty: list.is_empty(), ..Self::default() };
        let mut contains = Vec::new();
        for (id, how, bytes) in list {
            match (how, bytes) {
                (How::Equals, _) => {
                    out.lengths |= 1 << bytes.len().min(63);
                    out.equals.insert((*bytes).into(), *id);
                }
                (How::EndsWith, [b'/', name @ ..]) if !name.contains(&b'/') => {
                    out.basenames.insert(name.into(), *id);
                }
                (How::EndsWith, _) => out.suffixes.add(bytes, last(bytes), *id),
                (How::StartsWith, _) => out.prefixes.add(bytes, first(bytes), *id),
                (How::Contains, _) => contains.push((*bytes, *id)),
            }
        }
        if !contains.is_empty() {
            let automaton = DoubleArrayAhoCorasickBuilder::new().build_with_values(contains);
            out.contains = Some(automaton.map_err(|e| TooLarge(e.to_string()))?);
        }
        Ok(out)
    }

    fn is_empty(&self) -> bool {
        self.empty
    }

    fn scan(&self, bytes: &[u8], found: &mut impl FnMut(u32)) {
        if self.lengths & (1 << bytes.len().min(63)) != 0
            && let Some(id) = self.equals.get(bytes)
        {
            found(*id);
        }
        if !self.basenames.is_empty()
            && let Some(slash) = memchr::memrchr(b'/', bytes)
            && let Some(id) = bytes.get(slash + 1..).and_then(|name| self.basenames.get(name))
        {
            found(*id);
        }
        self.prefixes.scan(first(bytes), |value| bytes.starts_with(value), found);
        self.suffixes.scan(last(bytes), |value| bytes.ends_with(value), found);
        if let Some(automaton) = &self.contains {
            for hit in automaton.find_overlapping_iter(bytes) {
                found(hit.value());
            }
        }
    }
}

fn first(bytes: &[u8]) -> Option<[u8; 4]> {
    bytes.first_chunk().copied()
}

fn last(bytes: &[u8]) -> Option<[u8; 4]> {
    bytes.last_chunk().copied()
}

/// A value and its predicate.
type Entry = (Box<[u8]>, u32);

/// Values at one end of a string, by their outermost four bytes; shorter ones in a list.
#[derive(Default)]
struct Ends {
    by_four: Map<[u8; 4], Vec<Entry>>,
    short: Vec<Entry>,
}

impl Ends {
    fn add(&mut self, bytes: &[u8], key: Option<[u8; 4]>, id: u32) {
        match key {
            Some(key) => self.by_four.entry(key).or_default().push((bytes.into(), id)),
            None => self.short.push((bytes.into(), id)),
        }
    }

    fn scan(&self, key: Option<[u8; 4]>, fits: impl Fn(&[u8]) -> bool, found: &mut impl FnMut(u32)) {
        let bucket = match key {
            Some(key) if !self.by_four.is_empty() => self.by_four.get(&key).map_or(&[][..], Vec::as_slice),
            _ => &[],
        };
        for (value, id) in bucket.iter().chain(&self.short) {
            if fits(value) {
                found(*id);
            }
        }
    }
}
