//! A rule as a program: tests in order, each saying where to go on when it is true and when it is not.

use super::{expr::Expr, predicate::Pool};

/// Go to: it matches.
const ACCEPT: u32 = u32::MAX;
/// Go to: it does not.
const REJECT: u32 = u32::MAX - 1;
/// Steps of one rule; only `n of` makes more steps than a rule has predicates.
const MAX_STEPS: usize = 1 << 16;

/// A rule that grows too large.
#[derive(Debug, thiserror::Error)]
#[error("it would take more than {MAX_STEPS} steps: the `n of` in its condition is too wide")]
pub(crate) struct TooComplex;

/// Tests of one rule. An empty program is decided by `start` alone.
#[derive(Debug)]
pub(crate) struct Program {
    steps: Vec<Step>,
    start: u32,
}

#[derive(Debug)]
struct Step {
    atom: u32,
    yes: u32,
    no: u32,
}

impl Program {
    /// From an expression in normal form.
    pub(crate) fn new(expr: &Expr, pool: &Pool) -> Result<Self, TooComplex> {
        let mut program = Self { steps: Vec::new(), start: REJECT };
        program.start = program.emit(expr, ACCEPT, REJECT, pool)?;
        Ok(program)
    }

    /// Runs it; `test` tells whether an atom holds.
    pub(crate) fn run(&self, mut test: impl FnMut(u32) -> bool) -> bool {
        let mut at = self.start;
        // Each step leads to one that was emitted before it, so this ends.
        while let Some(step) = self.steps.get(at as usize) {
            at = if test(step.atom) { step.yes } else { step.no };
        }
        at == ACCEPT
    }

    /// Emits backwards: what comes next exists before what leads to it.
    fn emit(&mut self, expr: &Expr, yes: u32, no: u32, pool: &Pool) -> Result<u32, TooComplex> {
        Ok(match expr {
            Expr::True => yes,
            Expr::False | Expr::Unknown(_) => no,
            Expr::Not(inner) => self.emit(inner, no, yes, pool)?,
            Expr::Atom(atom) => {
                if self.steps.len() >= MAX_STEPS {
                    return Err(TooComplex);
                }
                self.steps.push(Step { atom: *atom, yes, no });
                u32::try_from(self.steps.len() - 1).map_err(|_| TooComplex)?
            }
            Expr::And(list) => {
                let mut next = yes;
                for e in in_order(list, pool).into_iter().rev() {
                    next = self.emit(e, next, no, pool)?;
                }
                next
            }
            Expr::Or(list) => {
                let mut next = no;
                for e in in_order(list, pool).into_iter().rev() {
                    next = self.emit(e, yes, next, pool)?;
                }
                next
            }
            Expr::AtLeast(n, list) => {
                // Row by row from the last expression: `row[k]` is where to go with k of them still needed.
                let list = in_order(list, pool);
                let mut row: Vec<u32> = (0..=*n).map(|needed| if needed == 0 { yes } else { no }).collect();
                for e in list.into_iter().rev() {
                    let mut next = vec![yes];
                    for pair in row.windows(2) {
                        if let [fewer, same] = pair {
                            next.push(if fewer == same { *same } else { self.emit(e, *fewer, *same, pool)? });
                        }
                    }
                    row = next;
                }
                row.last().copied().unwrap_or(no)
            }
        })
    }
}

/// Cheap tests first; the order of equals is kept.
fn in_order<'a>(list: &'a [Expr], pool: &Pool) -> Vec<&'a Expr> {
    let cost = |e: &Expr| {
        let mut most = 0;
        e.atoms(&mut |id| most = most.max(pool.get(id).map_or(0, super::predicate::Predicate::cost)));
        most
    };
    let mut list: Vec<&Expr> = list.iter().collect();
    list.sort_by_cached_key(|e| cost(e));
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_program_says_what_its_expression_says() {
        let atom = Expr::Atom;
        let not = |e| Expr::Not(Box::new(e));
        let cases = [
            Expr::True,
            Expr::False,
            atom(0),
            not(atom(1)),
            Expr::And(vec![atom(0), Expr::Or(vec![atom(1), not(atom(2))]), atom(3)]),
            Expr::Or(vec![Expr::And(vec![atom(0), atom(1)]), Expr::And(vec![atom(2), not(atom(3))])]),
            Expr::AtLeast(2, (0..4).map(atom).collect()),
            not(Expr::AtLeast(3, (0..4).map(atom).collect())),
            Expr::AtLeast(2, vec![Expr::And(vec![atom(0), atom(1)]), not(atom(2)), atom(3)]),
        ];
        for e in cases {
            let program = Program::new(&e.clone().normal(&mut BTreeSet::new()), &Pool::default()).expect("small");
            for world in 0..16_u32 {
                let mut truth = |id: u32| world & (1 << id) != 0;
                assert_eq!(program.run(truth), e.holds(&mut truth), "{e:?} in {world:04b}");
            }
        }
    }

    #[test]
    fn a_rule_that_explodes_is_refused() {
        let wide = Expr::AtLeast(300, (0..600).map(Expr::Atom).collect());
        assert!(Program::new(&wide, &Pool::default()).is_err());
    }
}
