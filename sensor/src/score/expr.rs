//! The boolean form that every rule language is brought into: and, or, not, at least n of, over numbered predicates.
//!
//! What a rule asks for and this sensor cannot see is [`Expr::Unknown`]. It never becomes a silent false: a rule that depends on it does
//! not run, a rule that can match without it says so in a note.

use std::collections::BTreeSet;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    /// Always.
    True,
    /// Never, for events of this kind.
    False,
    /// Cannot be told, and why.
    Unknown(String),
    /// A predicate of the pool.
    Atom(u32),
    /// Not.
    Not(Box<Expr>),
    /// All of them.
    And(Vec<Expr>),
    /// Any of them.
    Or(Vec<Expr>),
    /// At least so many of them.
    AtLeast(usize, Vec<Expr>),
}

impl Expr {
    /// The same, simplified, with `Not` on atoms only. Alternatives that cannot be told are left out and their reasons put into `left_out`.
    pub(crate) fn normal(self, left_out: &mut BTreeSet<String>) -> Self {
        self.push(false, left_out)
    }

    fn push(self, negated: bool, left_out: &mut BTreeSet<String>) -> Self {
        match (self, negated) {
            (Self::Not(inner), _) => inner.push(!negated, left_out),
            (Self::True, true) | (Self::False, false) => Self::False,
            (Self::False, true) | (Self::True, false) => Self::True,
            (Self::Unknown(why), _) => Self::Unknown(why),
            (Self::Atom(id), false) => Self::Atom(id),
            (Self::Atom(id), true) => Self::Not(Box::new(Self::Atom(id))),
            (Self::And(list), false) | (Self::Or(list), true) => Self::all(list, negated, left_out),
            (Self::Or(list), false) | (Self::And(list), true) => Self::any(list, negated, left_out),
            (Self::AtLeast(n, list), false) => Self::at_least(n, list, false, left_out),
            (Self::AtLeast(n, list), true) => match (list.len() + 1).checked_sub(n) {
                Some(needed) => Self::at_least(needed, list, true, left_out),
                None => Self::True,
            },
        }
    }

    fn all(list: Vec<Self>, negated: bool, left_out: &mut BTreeSet<String>) -> Self {
        let mut out = Vec::new();
        let mut unknown = BTreeSet::new();
        for item in list {
            match item.push(negated, left_out) {
                Self::True => {}
                Self::False => return Self::False,
                Self::Unknown(why) => {
                    unknown.insert(why);
                }
                Self::And(inner) => out.extend(inner),
                other => out.push(other),
            }
        }
        if !unknown.is_empty() {
            return Self::Unknown(Vec::from_iter(unknown).join("; "));
        }
        dedupe(&mut out);
        match out.len() {
            0 => Self::True,
            1 => out.swap_remove(0),
            _ => Self::And(out),
        }
    }

    fn any(list: Vec<Self>, negated: bool, left_out: &mut BTreeSet<String>) -> Self {
        let mut out = Vec::new();
        let mut unknown = BTreeSet::new();
        for item in list {
            match item.push(negated, left_out) {
                Self::False => {}
                Self::True => return Self::True,
                Self::Unknown(why) => {
                    unknown.insert(why);
                }
                Self::Or(inner) => out.extend(inner),
                other => out.push(other),
            }
        }
        dedupe(&mut out);
        if out.is_empty() && !unknown.is_empty() {
            return Self::Unknown(Vec::from_iter(unknown).join("; "));
        }
        left_out.extend(unknown);
        match out.len() {
            0 => Self::False,
            1 => out.swap_remove(0),
            _ => Self::Or(out),
        }
    }

    fn at_least(n: usize, list: Vec<Self>, negated: bool, left_out: &mut BTreeSet<String>) -> Self {
        let mut needed = n;
        let mut out = Vec::new();
        let mut unknown = BTreeSet::new();
        for item in list {
            match item.push(negated, left_out) {
                Self::False => {}
                Self::True => needed = needed.saturating_sub(1),
                Self::Unknown(why) => {
                    unknown.insert(why);
                }
                other => out.push(other),
            }
        }
        match needed {
            0 => return Self::True,
            _ if needed > out.len() && unknown.is_empty() => return Self::False,
            _ if needed > out.len() => return Self::Unknown(Vec::from_iter(unknown).join("; ")),
            _ => {}
        }
        left_out.extend(unknown);
        if needed == 1 {
            Self::Or(out)
        } else if needed == out.len() {
            Self::And(out)
        } else {
            Self::AtLeast(needed, out)
        }
    }

    /// Whether it holds, with `truth` for the atoms. `Unknown` does not.
    pub(crate) fn holds(&self, truth: &mut dyn FnMut(u32) -> bool) -> bool {
        match self {
            Self::True => true,
            Self::False | Self::Unknown(_) => false,
            Self::Atom(id) => truth(*id),
            Self::Not(inner) => !inner.holds(truth),
            Self::And(list) => list.iter().all(|e| e.holds(truth)),
            Self::Or(list) => list.iter().any(|e| e.holds(truth)),
            Self::AtLeast(n, list) => list.iter().filter(|e| e.holds(truth)).take(*n).count() >= *n,
        }
    }

    /// Calls `each` with the atoms that make it hold; those under a `not` do not.
    pub(crate) fn reasons(&self, truth: &mut dyn FnMut(u32) -> bool, each: &mut dyn FnMut(u32)) {
        match self {
            Self::Atom(id) if truth(*id) => each(*id),
            Self::And(list) => list.iter().for_each(|e| e.reasons(truth, each)),
            Self::Or(list) | Self::AtLeast(_, list) => {
                for e in list {
                    if e.holds(truth) {
                        e.reasons(truth, each);
                    }
                }
            }
            _ => {}
        }
    }

    /// Calls `each` with all its atoms.
    pub(crate) fn atoms(&self, each: &mut dyn FnMut(u32)) {
        match self {
            Self::Atom(id) => each(*id),
            Self::Not(inner) => inner.atoms(each),
            Self::And(list) | Self::Or(list) | Self::AtLeast(_, list) => list.iter().for_each(|e| e.atoms(each)),
            Self::True | Self::False | Self::Unknown(_) => {}
        }
    }
}

fn dedupe(list: &mut Vec<Expr>) {
    let mut seen = std::collections::HashSet::new();
    list.retain(|e| match e {
        Expr::Atom(id) => seen.insert((*id, true)),
        Expr::Not(inner) => match **inner {
            Expr::Atom(id) => seen.insert((id, false)),
            _ => true,
        },
        _ => true,
    });
}

#[cfg(test)]
mod tests {
    use super::{Expr::*, *};

    fn unknown() -> Expr {
        Unknown("x".into())
    }

    fn not(e: Expr) -> Expr {
        Not(Box::new(e))
    }

    #[test]
    fn what_cannot_be_told_never_becomes_false() {
        let cases = [
            (unknown(), unknown(), false),
            (not(unknown()), unknown(), false),
            (And(vec![Atom(1), unknown()]), unknown(), false),
            (And(vec![Atom(1), not(unknown())]), unknown(), false),
            (Or(vec![Atom(1), unknown()]), Atom(1), true),
            (not(Or(vec![Atom(1), unknown()])), unknown(), false),
            (not(And(vec![Atom(1), unknown()])), not(Atom(1)), true),
            (And(vec![False, unknown()]), False, false),
            (AtLeast(2, vec![Atom(1), Atom(2), unknown()]), And(vec![Atom(1), Atom(2)]), true),
            (AtLeast(2, vec![Atom(1), unknown()]), unknown(), false),
        ];
        for (given, wanted, noted) in cases {
            let mut left_out = BTreeSet::new();
            assert_eq!(given.clone().normal(&mut left_out), wanted, "{given:?}");
            assert_eq!(!left_out.is_empty(), noted, "{given:?}");
        }
    }

    #[test]
    fn the_normal_form_means_the_same() {
        let leaves = || vec![Atom(0), Atom(1), not(Atom(2)), True, False];
        let mut expressions = leaves();
        for a in leaves() {
            for b in leaves() {
                expressions.extend([And(vec![a.clone(), b.clone()]), Or(vec![a.clone(), not(b.clone())])]);
                for n in 0..4 {
                    expressions.push(AtLeast(n, vec![a.clone(), b.clone(), Atom(2)]));
                }
            }
        }
        let negated: Vec<Expr> = expressions.iter().cloned().map(not).collect();
        for e in expressions.into_iter().chain(negated) {
            let normal = e.clone().normal(&mut BTreeSet::new());
            for world in 0..8_u32 {
                let mut truth = |id: u32| world & (1 << id) != 0;
                assert_eq!(e.holds(&mut truth), normal.holds(&mut truth), "{e:?} {normal:?} {world}");
            }
        }
    }
}
