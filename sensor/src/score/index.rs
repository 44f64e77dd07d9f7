//! The rules of one kind of event, made ready: a matcher per column, which predicates wake which rules, and a program per rule.

use super::{
    expr::Expr,
    matcher::{Matcher, TooLarge},
    predicate::{Column, Pool},
    program::Program,
    witness::witness,
};
use std::collections::{BTreeMap, BTreeSet};

/// One rule for one kind of event.
pub(crate) struct Unit {
    /// Number of the rule.
    pub(crate) rule: u32,
    pub(crate) program: Program,
    /// For the explanation of a match.
    pub(crate) expr: Expr,
}

/// One column that the rules of a kind look at.
pub(crate) struct Indexed {
    pub(crate) column: Column,
    /// Unique over all kinds.
    pub(crate) id: u32,
    pub(crate) matcher: Matcher,
}

/// All rules of a kind.
#[derive(Default)]
pub(crate) struct KindIndex {
    pub(crate) columns: Vec<Indexed>,
    pub(crate) units: Vec<Unit>,
    /// Units that no predicate wakes.
    pub(crate) always: Vec<u32>,
    /// `wake[wake_at[p]..wake_at[p + 1]]` are the units that predicate p wakes.
    wake_at: Vec<u32>,
    wake: Vec<u32>,
}

impl KindIndex {
    /// From units; `next` numbers the matchers.
    pub(crate) fn new(units: Vec<Unit>, pool: &Pool, next: &mut u32) -> Result<Self, TooLarge> {
        let mut by_column: BTreeMap<Column, BTreeSet<u32>> = BTreeMap::new();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut always = Vec::new();
        for (n, unit) in (0_u32..).zip(&units) {
            unit.expr.atoms(&mut |id| {
                if let Some(p) = pool.get(id).filter(|p| p.indexed()) {
                    by_column.entry(p.column).or_default().insert(id);
                }
            });
            match witness(&unit.expr, pool) {
                Some(list) => pairs.extend(list.into_iter().map(|id| (id, n))),
                None => always.push(n),
            }
        }
        pairs.sort_unstable();
        let mut wake_at = vec![0; pool.list().len() + 1];
        for (id, _) in &pairs {
            if let Some(count) = wake_at.get_mut(*id as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for count in &mut wake_at {
            sum += *count;
            *count = sum;
        }
        let wake = pairs.into_iter().map(|(_, unit)| unit).collect();
        let mut columns = Vec::new();
        for (column, ids) in by_column {
            let predicates = ids.iter().filter_map(|id| Some((*id, pool.get(*id)?)));
            columns.push(Indexed { column, id: *next, matcher: Matcher::new(predicates)? });
            *next += 1;
        }
        Ok(Self { columns, units, always, wake_at, wake })
    }

    /// The units that a predicate wakes.
    pub(crate) fn woken(&self, predicate: u32) -> &[u32] {
        let at = |n: usize| self.wake_at.get(n).map_or(0, |v| *v as usize);
        let n = predicate as usize;
        self.wake.get(at(n)..at(n + 1)).unwrap_or_default()
    }
}
