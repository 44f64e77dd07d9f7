//! Evaluation: which rules an event matches, and what that adds to its process tree.
//!
//! Per event: scan the values of the columns that the rules of its kind look at (or take what is remembered of them), mark the predicates
//! that are true, wake the rules that these witness, run their programs. Nothing is allocated unless a rule matches.

use super::{
    index::KindIndex,
    matcher::Matcher,
    memo::Memo,
    names::ReadName,
    predicate::{Pool, Predicate},
    text,
    tree::{Options, Trees},
};
use crate::{
    events::{Event, Value},
    finding::{Finding, RuleInfo},
    process::Process,
    text::Text,
};
use foldhash::fast::FixedState;
use std::{
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

/// All rules, ready to run. One per thread: it remembers strings and scores.
pub struct Engine {
    pub(super) rules: Vec<Arc<RuleInfo>>,
    pub(super) pool: Pool,
    /// By the number of the event kind.
    pub(super) kinds: Vec<KindIndex>,
    pub(super) version: Arc<str>,
    pub(super) read_names: Vec<ReadName>,
    trees: Trees,
    marks: Marks,
    memo: Memo,
    fold: Vec<u8>,
    render: Vec<u8>,
}

/// What is true of the event in hand. A number per entry says of which event it speaks, so that nothing needs clearing.
#[derive(Default)]
struct Marks {
    event: u32,
    /// By predicate: true for event n (even part), or tested and false.
    truth: Vec<(u32, bool)>,
    /// By unit of the kind.
    woken: Vec<u32>,
    candidates: Vec<u32>,
}

impl Marks {
    fn next(&mut self) {
        self.event = self.event.wrapping_add(1);
        if self.event == 0 {
            self.truth.fill((0, false));
            self.woken.fill(0);
            self.event = 1;
        }
        self.candidates.clear();
    }

    fn set(&mut self, predicate: u32, kind: &KindIndex) {
        let Some(mark) = self.truth.get_mut(predicate as usize) else { return };
        if *mark == (self.event, true) {
            return;
        }
        *mark = (self.event, true);
        for unit in kind.woken(predicate) {
            if let Some(woken) = self.woken.get_mut(*unit as usize)
                && *woken != self.event
            {
                *woken = self.event;
                self.candidates.push(*unit);
            }
        }
    }

    /// Whether a predicate holds: indexed ones have been marked by now, others are tested once per event.
    fn test(&mut self, id: u32, pool: &Pool, event: &Event) -> bool {
        let Some(mark) = self.truth.get_mut(id as usize) else { return false };
        if mark.0 == self.event {
            return mark.1;
        }
        let truth = pool.get(id).is_some_and(|p| !p.indexed() && p.holds(event));
        *mark = (self.event, truth);
        truth
    }
}

impl Engine {
    pub(super) fn new(rules: Vec<Arc<RuleInfo>>, mut pool: Pool, kinds: Vec<KindIndex>, options: Options) -> Self {
        pool.seal();
        let units = kinds.iter().map(|k| k.units.len()).max().unwrap_or(0);
        let marks = Marks { truth: vec![(0, false); pool.list().len()], woken: vec![0; units], ..Marks::default() };
        Self {
            rules,
            pool,
            kinds,
            version: Arc::from(""),
            read_names: Vec::new(),
            trees: Trees::new(options),
            marks,
            memo: Memo::new(),
            fold: Vec::new(),
            render: Vec::new(),
        }
    }

    /// Hash of the rules that are in force (hex). The same rules give the same, in whatever files they are.
    pub fn rules_version(&self) -> Arc<str> {
        self.version.clone()
    }

    /// File and folder names of which some rule wants to see opens for reading. All other reads can be left out in the kernel.
    pub fn read_names(&self) -> &[ReadName] {
        &self.read_names
    }

    /// Rules that run.
    pub fn rules(&self) -> &[Arc<RuleInfo>] {
        &self.rules
    }

    /// Appends a finding per rule that the event matches, in the order of the rules. `ancestors` is asked only if there is one.
    pub fn evaluate(&mut self, event: &Arc<Event>, ancestors: &mut dyn FnMut() -> Vec<Arc<Process>>, out: &mut Vec<Finding>) {
        if !self.matching(event) {
            return;
        }
        let matched = std::mem::take(&mut self.marks.candidates);
        let ancestors = ancestors();
        for unit in &matched {
            out.extend(self.finding(event, *unit, ancestors.clone()));
        }
        self.marks.candidates = matched;
    }

    /// Leaves the units that match in `marks.candidates`, in order. False if there is none.
    fn matching(&mut self, event: &Event) -> bool {
        let Self { kinds, pool, marks, memo, fold, render, .. } = self;
        let Some(kind) = kinds.get(event.kind() as usize).filter(|k| !k.units.is_empty()) else { return false };
        marks.next();
        for column in &kind.columns {
            let (matcher, id) = (&column.matcher, column.id);
            match column.column.value(event) {
                Value::None => {}
                Value::Text(text) => scan_text(text, matcher, id, memo, fold, &mut |p| marks.set(p, kind)),
                Value::Either(a, b) => {
                    scan_text(a, matcher, id, memo, fold, &mut |p| marks.set(p, kind));
                    scan_text(b, matcher, id, memo, fold, &mut |p| marks.set(p, kind));
                }
                Value::List(list) => {
                    for text in list {
                        scan_text(text, matcher, id, memo, fold, &mut |p| marks.set(p, kind));
                    }
                }
                Value::Number(n) => {
                    matcher.number(n, &mut |p| marks.set(p, kind));
                    if matcher.wants_text() {
                        render.clear();
                        text::render(&Value::Number(n), render);
                        matcher.scan_strings(render, fold, &mut |p| marks.set(p, kind));
                    }
                }
                other => {
                    if matcher.wants_text() {
                        render.clear();
                        text::render(&other, render);
                        matcher.scan_strings(render, fold, &mut |p| marks.set(p, kind));
                    }
                }
            }
        }
        let mut candidates = std::mem::take(&mut marks.candidates);
        candidates.extend_from_slice(&kind.always);
        candidates.retain(|n| kind.units.get(*n as usize).is_some_and(|unit| unit.program.run(|id| marks.test(id, pool, event))));
        candidates.sort_unstable();
        marks.candidates = candidates;
        !marks.candidates.is_empty()
    }

    fn finding(&mut self, event: &Arc<Event>, unit: u32, ancestors: Vec<Arc<Process>>) -> Option<Finding> {
        let unit = self.kinds.get(event.kind() as usize)?.units.get(unit as usize)?;
        let rule = self.rules.get(unit.rule as usize)?;
        let mut matched = Vec::new();
        let holds = |id: u32| self.pool.get(id).is_some_and(|p| p.holds(event));
        unit.expr.reasons(&mut { holds }, &mut |id| {
            if let Some(predicate) = self.pool.get(id) {
                predicate.matched(event, &mut matched);
            }
        });
        let mut hasher = FixedState::default().build_hasher();
        (unit.rule, event.process.id).hash(&mut hasher);
        for (field, value) in &matched {
            (field, value.bytes()).hash(&mut hasher);
        }
        let score = self.trees.add(event.process.tree, event.process.id, rule, event.time_ns, hasher.finish());
        Some(Finding { rule: rule.clone(), event: event.clone(), ancestors, matched, score, rules_version: self.version.clone() })
    }

    /// The same answer found the slow way, each rule by each of its predicates: the reference that tests compare with.
    #[doc(hidden)]
    pub fn matching_rules_slowly(&self, event: &Event) -> Vec<Arc<RuleInfo>> {
        let Some(kind) = self.kinds.get(event.kind() as usize) else { return Vec::new() };
        let mut holds = |id: u32| self.pool.get(id).is_some_and(|p: &Predicate| p.holds(event));
        let units = kind.units.iter().filter(|u| u.expr.holds(&mut holds));
        units.filter_map(|u| self.rules.get(u.rule as usize).cloned()).collect()
    }

    /// Rules that an event matches, without scores: for tests and measurements.
    #[doc(hidden)]
    pub fn matching_rules(&mut self, event: &Event) -> Vec<Arc<RuleInfo>> {
        if !self.matching(event) {
            return Vec::new();
        }
        let Some(kind) = self.kinds.get(event.kind() as usize) else { return Vec::new() };
        let units = self.marks.candidates.iter().filter_map(|n| kind.units.get(*n as usize));
        units.filter_map(|u| self.rules.get(u.rule as usize).cloned()).collect()
    }
}

fn scan_text(text: &Text, matcher: &Matcher, id: u32, memo: &mut Memo, fold: &mut Vec<u8>, found: &mut impl FnMut(u32)) {
    let bytes = text.bytes();
    memo.visit((text.id(), bytes.len()), id, found, |each| matcher.scan(bytes, fold, &mut |p| each(p)));
}
