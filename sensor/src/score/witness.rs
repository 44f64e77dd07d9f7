//! A witness of a rule: some predicates of which at least one is true whenever the rule matches. Only they wake the rule.

use super::{
    expr::Expr,
    predicate::{Column, How, Op, Pool, Predicate},
};
use crate::events::Field;

/// The rarest witness, by a guess at how often each predicate is true. `None` if the rule must be tested at every event.
pub(crate) fn witness(expr: &Expr, pool: &Pool) -> Option<Vec<u32>> {
    let (_, mut list) = best(expr, pool)?;
    list.sort_unstable();
    list.dedup();
    Some(list)
}

fn best(expr: &Expr, pool: &Pool) -> Option<(f64, Vec<u32>)> {
    match expr {
        // Never true: nothing needs to wake it.
        Expr::False | Expr::Unknown(_) => Some((0.0, Vec::new())),
        Expr::True | Expr::Not(_) => None,
        Expr::Atom(id) => {
            let predicate = pool.get(*id)?;
            predicate.indexed().then(|| (rarity(predicate), vec![*id]))
        }
        Expr::And(list) => list.iter().filter_map(|e| best(e, pool)).min_by(|a, b| a.0.total_cmp(&b.0)),
        Expr::Or(list) => union(list.iter().map(|e| best(e, pool)).collect::<Option<Vec<_>>>()?),
        // Of n, k must be true: then one of any n-k+1 is.
        Expr::AtLeast(k, list) => {
            let mut all: Vec<_> = list.iter().filter_map(|e| best(e, pool)).collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            let needed = (list.len() + 1).checked_sub(*k)?;
            (all.len() >= needed).then(|| all.truncate(needed))?;
            union(all)
        }
    }
}

fn union(list: Vec<(f64, Vec<u32>)>) -> Option<(f64, Vec<u32>)> {
    let sum = list.iter().map(|(cost, _)| cost).sum();
    Some((sum, list.into_iter().flat_map(|(_, ids)| ids).collect()))
}

/// A guess at how often a predicate is true, in events of a thousand.
fn rarity(predicate: &Predicate) -> f64 {
    let Op::String { how, bytes, .. } = &predicate.op else { return 10.0 };
    #[expect(clippy::cast_precision_loss, reason = "values are at most a few KiB long")]
    let length = bytes.len() as f64;
    let by_length = match how {
        How::Equals => 1.0,
        How::EndsWith if bytes.first() == Some(&b'/') => 1.5,
        // `/usr/`, `/bin/` begin half of all paths; what is long begins few.
        How::StartsWith => 4000.0 / (length * length),
        How::EndsWith | How::Contains => 2000.0 / (length * length),
    };
    match predicate.column {
        // Parents are fewer and more alike: a shell is the parent of nearly everything.
        Column::Field(Field::ParentExecutable | Field::ParentCommandLine | Field::ParentName) => by_length * 10.0,
        Column::Field(Field::UserName | Field::ProcessWorkingDirectory) => 500.0,
        _ => by_length,
    }
}
