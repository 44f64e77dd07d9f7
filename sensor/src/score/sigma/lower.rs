//! From Sigma's detections and conditions to [`Expr`], once per view of the log source.

use super::{
    Problem,
    logsource::{Binding, View},
    suggest,
    value::{Modifiers, Tree},
};
use crate::score::{
    expr::Expr,
    predicate::{How, Op, Pool, Predicate},
};
use rsigma_parser::{ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SelectorPattern, SigmaValue};
use std::collections::{BTreeMap, BTreeSet};

/// Lowers one rule. Remembers over all views which fixed words (record types, system calls) could be satisfied by none.
pub(super) struct Lowering<'a> {
    pub(super) pool: &'a mut Pool,
    detections: BTreeMap<&'a str, &'a Detection>,
    conditions: &'a [ConditionExpr],
    views: &'static [View],
    /// Field and value, and whether some view has it.
    pub(super) words: BTreeMap<(String, String), bool>,
}

impl<'a> Lowering<'a> {
    pub(super) fn new(pool: &'a mut Pool, detections: &'a Detections, views: &'static [View]) -> Result<Self, Problem> {
        let named: BTreeMap<&str, &Detection> = detections.named.iter().map(|(name, d)| (name.as_str(), d)).collect();
        if detections.conditions.is_empty() {
            return Err(Problem::broken("there is no condition", "add `condition:` to the detection"));
        }
        Ok(Self { pool, detections: named, conditions: &detections.conditions, views, words: BTreeMap::new() })
    }

    /// What the rule asks of a view; several conditions are alternatives.
    pub(super) fn view(&mut self, view: &View) -> Result<Expr, Problem> {
        let mut any = Vec::new();
        for condition in self.conditions {
            any.push(self.condition(condition, view)?);
        }
        let mut all: Vec<Expr> = view.guards.iter().map(|g| Expr::Atom(self.pool.intern(Predicate::guard(*g)))).collect();
        all.push(Expr::Or(any));
        Ok(Expr::And(all))
    }

    /// Whether the rule names a system call.
    pub(super) fn names_syscall(&self) -> bool {
        fn names(d: &Detection) -> bool {
            match d {
                Detection::AllOf(items) => items.iter().any(|i| i.field.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case("syscall"))),
                Detection::AnyOf(list) | Detection::And(list) => list.iter().any(names),
                _ => false,
            }
        }
        self.detections.values().any(|d| names(d))
    }

    fn condition(&mut self, condition: &ConditionExpr, view: &View) -> Result<Expr, Problem> {
        Ok(match condition {
            ConditionExpr::And(list) => Expr::And(self.each(list, view)?),
            ConditionExpr::Or(list) => Expr::Or(self.each(list, view)?),
            ConditionExpr::Not(inner) => Expr::Not(Box::new(self.condition(inner, view)?)),
            ConditionExpr::Identifier(name) => {
                let Some(detection) = self.detections.get(name.as_str()).copied() else {
                    return Err(self.no_such(name));
                };
                self.detection(detection, view)?
            }
            ConditionExpr::Selector { quantifier, pattern } => {
                let chosen: Vec<&Detection> =
                    self.detections.iter().filter(|(name, _)| pattern.matches_detection_name(name)).map(|(_, d)| *d).collect();
                if chosen.is_empty() {
                    return Err(match pattern {
                        SelectorPattern::Pattern(p) => self.no_such(p),
                        SelectorPattern::Them => {
                            Problem::broken("`them` stands for nothing: no detection has a name without `_` in front", "name one")
                        }
                    });
                }
                let list = chosen.into_iter().map(|d| self.detection(d, view)).collect::<Result<Vec<_>, _>>()?;
                match quantifier {
                    Quantifier::Any => Expr::Or(list),
                    Quantifier::All => Expr::And(list),
                    Quantifier::Count(n) => match usize::try_from(*n) {
                        Ok(n) if n <= list.len() => Expr::AtLeast(n, list),
                        _ => {
                            let message = format!("the condition wants {n} detections of the {} that `{pattern}` stands for", list.len());
                            return Err(Problem::broken(message, "it could never match"));
                        }
                    },
                }
            }
        })
    }

    fn no_such(&self, name: &str) -> Problem {
        let known = suggest::nearest(name, self.detections.keys().copied());
        let hint = match known {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are: {}", self.detections.keys().copied().collect::<Vec<_>>().join(", ")),
        };
        Problem::broken(format!("the condition names `{name}`, and there is no such detection"), hint).at("condition:")
    }

    fn each(&mut self, list: &[ConditionExpr], view: &View) -> Result<Vec<Expr>, Problem> {
        list.iter().map(|c| self.condition(c, view)).collect()
    }

    fn detection(&mut self, detection: &Detection, view: &View) -> Result<Expr, Problem> {
        let empty = || Problem::broken("a detection without any item", "give it fields or words to look for");
        match detection {
            Detection::AllOf(items) if items.is_empty() => Err(empty()),
            Detection::AllOf(items) => Ok(Expr::And(items.iter().map(|i| self.item(i, view)).collect::<Result<_, _>>()?)),
            Detection::AnyOf(list) | Detection::And(list) if list.is_empty() => Err(empty()),
            Detection::AnyOf(list) => Ok(Expr::Or(list.iter().map(|d| self.detection(d, view)).collect::<Result<_, _>>()?)),
            Detection::And(list) => Ok(Expr::And(list.iter().map(|d| self.detection(d, view)).collect::<Result<_, _>>()?)),
            Detection::Keywords(values) if values.is_empty() => Err(empty()),
            Detection::Keywords(values) => {
                let modifiers = Modifiers::new(&[])?;
                Ok(Expr::Or(values.iter().map(|v| self.keyword(v, &modifiers, view)).collect::<Result<_, _>>()?))
            }
            Detection::ArrayMatch { field, .. } => {
                Err(Problem::NotHere(format!("matching of array members (`{field}[...]`) is not supported")))
            }
            Detection::Conditional { .. } => Err(Problem::NotHere("matching of array members is not supported".into())),
        }
    }

    /// A word to look for anywhere in the record.
    fn keyword(&mut self, value: &SigmaValue, modifiers: &Modifiers<'_>, view: &View) -> Result<Expr, Problem> {
        let tree = match value {
            SigmaValue::String(s) => modifiers.pattern(s, How::Contains)?,
            other => modifiers.pattern(&rsigma_parser::SigmaString::from_raw(&other.to_string()), How::Contains)?,
        };
        let columns: Vec<Binding> = view.keywords.iter().map(|c| Binding::Column(*c)).collect();
        Ok(Expr::Or(columns.into_iter().map(|binding| self.tree(&tree, "", binding)).collect()))
    }

    fn item(&mut self, item: &DetectionItem, view: &View) -> Result<Expr, Problem> {
        let modifiers = Modifiers::new(&item.field.modifiers).map_err(|p| match &item.field.name {
            Some(name) => p.at(name),
            None => p,
        })?;
        if item.values.is_empty() {
            return Err(Problem::broken("an empty list of values", "give at least one value").at(item.field.name.as_deref().unwrap_or("")));
        }
        let Some(name) = item.field.name.as_deref() else {
            let list = item.values.iter().map(|v| self.keyword(v, &modifiers, view)).collect::<Result<Vec<_>, _>>()?;
            return Ok(if item.field.has_modifier(Modifier::All) { Expr::And(list) } else { Expr::Or(list) });
        };
        let Some(binding) = self.binding(name, view)? else { return Ok(Expr::Unknown(self.unknown(name))) };
        if let Binding::Unseen(why) = binding {
            return Ok(Expr::Unknown(format!("{name} {why}")));
        }
        let mut list = Vec::new();
        for value in &item.values {
            list.push(if modifiers.field_reference {
                self.reference(binding, value, &modifiers, view).map_err(|p| p.at(name))?
            } else {
                let tree = modifiers.value(value).map_err(|p| p.at(name))?;
                self.tree(&tree, name, binding)
            });
        }
        let matched = if modifiers.all { Expr::And(list) } else { Expr::Or(list) };
        Ok(if modifiers.not_equal {
            // Another value, not none at all.
            let exists = self.tree(&Tree::Op(Op::Exists, String::new()), name, binding);
            Expr::And(vec![exists, Expr::Not(Box::new(matched))])
        } else {
            matched
        })
    }

    /// What a name stands for in this view. A name that only other views know is absent from this one.
    fn binding(&self, name: &str, view: &View) -> Result<Option<Binding>, Problem> {
        if let Some(binding) = view.binding(name) {
            return Ok(Some(binding));
        }
        Ok(self.views.iter().any(|v| v.binding(name).is_some()).then_some(Binding::Absent))
    }

    fn unknown(&self, name: &str) -> String {
        let known: BTreeSet<&str> = self.views.iter().flat_map(View::names).collect();
        let near = suggest::nearest(name, known.into_iter()).map_or(String::new(), |n| format!("; did you mean {n}?"));
        format!("{name} is not a field of this log source{near}")
    }

    fn reference(&mut self, binding: Binding, value: &SigmaValue, modifiers: &Modifiers<'_>, view: &View) -> Result<Expr, Problem> {
        let other = value.to_string();
        let Binding::Column(column) = binding else { return Ok(Expr::False) };
        match self.binding(&other, view)? {
            None => Ok(Expr::Unknown(self.unknown(&other))),
            Some(Binding::Unseen(why)) => Ok(Expr::Unknown(format!("{other} {why}"))),
            Some(Binding::Absent) => Ok(Expr::False),
            Some(Binding::Words(_)) => Err(Problem::NotHere(format!("`fieldref` to {other} is not supported"))),
            Some(Binding::Column(to)) => {
                let op = Op::Other { how: modifiers.how, column: to, cased: modifiers.cased };
                Ok(Expr::Atom(self.pool.intern(Predicate::new(column, op, &other))))
            }
        }
    }

    fn tree(&mut self, tree: &Tree, name: &str, binding: Binding) -> Expr {
        match tree {
            Tree::Not(inner) => Expr::Not(Box::new(self.tree(inner, name, binding))),
            Tree::All(list) => Expr::And(list.iter().map(|t| self.tree(t, name, binding)).collect()),
            Tree::Any(list) => Expr::Or(list.iter().map(|t| self.tree(t, name, binding)).collect()),
            Tree::Op(op, written) => match binding {
                Binding::Column(column) => Expr::Atom(self.pool.intern(Predicate::new(column, op.clone(), written))),
                Binding::Absent | Binding::Unseen(_) => {
                    self.words.entry((name.to_owned(), written.clone())).or_insert(false);
                    Expr::False
                }
                Binding::Words(words) => {
                    let column = crate::score::predicate::Column::Success;
                    let predicate = Predicate::new(column, op.clone(), written);
                    let holds = words.iter().any(|w| predicate.test_bytes(w.as_bytes()));
                    *self.words.entry((name.to_owned(), written.clone())).or_insert(false) |= holds;
                    if holds { Expr::True } else { Expr::False }
                }
            },
        }
    }
}
