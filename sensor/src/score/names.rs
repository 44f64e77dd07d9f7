//! Which opens for reading the rules want to see. The kernel sends them by name only: exact basename, or exact name of the folder.

use super::{
    expr::Expr,
    glob::{Glob, Part},
    predicate::{Column, How, Op, Pool, Predicate},
};
use crate::events::Field;
use sensor_common::limits::FILTER_NAME;
use std::collections::BTreeSet;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadOf {
    /// The file itself (`shadow` of `/etc/shadow`).
    File,
    /// The folder that it is directly in (`profile.d` of `/etc/profile.d/x.sh`).
    Folder,
}

/// A name, at most [`FILTER_NAME`] bytes, exactly as it must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadName {
    /// Bytes of the name, without any `/`.
    pub name: Vec<u8>,
    /// What it is of.
    pub what: ReadOf,
}

/// Names that cover all reads which can make `expr` match, and the values that no name covers.
pub(crate) fn of(expr: &Expr, pool: &Pool) -> (BTreeSet<ReadName>, BTreeSet<String>) {
    need(expr, pool).unwrap_or_else(|| (BTreeSet::new(), BTreeSet::from(["it does not say which files".to_owned()])))
}

type Names = (BTreeSet<ReadName>, BTreeSet<String>);

/// `None` if the path does not matter to it.
fn need(expr: &Expr, pool: &Pool) -> Option<Names> {
    match expr {
        Expr::Atom(id) => atom(pool.get(*id)?),
        Expr::And(list) => {
            // A pattern says more than the fixed parts that were taken out of it: these say nothing of their own.
            let patterns: Vec<&Predicate> = list
                .iter()
                .filter_map(|e| if let Expr::Atom(id) = e { pool.get(*id) } else { None })
                .filter(|p| is_path(p) && matches!(p.op, Op::Glob(_) | Op::Regex(_)))
                .collect();
            let own = list.iter().filter(|e| !patterns.iter().any(|p| is_part(e, p, pool)));
            // The one that leaves least uncovered, and then names files rather than folders.
            own.filter_map(|e| need(e, pool))
                .min_by_key(|(names, missing)| (missing.len(), names.iter().filter(|n| n.what == ReadOf::Folder).count(), names.len()))
        }
        Expr::Or(list) | Expr::AtLeast(_, list) => {
            let mut all = Names::default();
            for e in list {
                let (names, missing) =
                    need(e, pool).unwrap_or_else(|| (BTreeSet::new(), BTreeSet::from(["an alternative without a path".into()])));
                all.0.extend(names);
                all.1.extend(missing);
            }
            Some(all)
        }
        Expr::Not(_) | Expr::True | Expr::False | Expr::Unknown(_) => None,
    }
}

fn is_path(predicate: &Predicate) -> bool {
    predicate.column == Column::Field(Field::FilePath)
}

/// Whether an expression is one of the fixed parts that a pattern was given as gates.
fn is_part(expr: &Expr, pattern: &Predicate, pool: &Pool) -> bool {
    match expr {
        Expr::Atom(id) => pool.get(*id).is_some_and(|p| match (&p.op, &pattern.op) {
            (Op::String { how, bytes, .. }, Op::Glob(glob)) => {
                let same = |part: Option<&Part>| matches!(part, Some(Part::Bytes(b)) if b == bytes);
                is_path(p)
                    && match how {
                        How::StartsWith => same(glob.parts.first()),
                        How::EndsWith => same(glob.parts.last()),
                        How::Contains => glob.parts.iter().any(|part| same(Some(part))),
                        How::Equals => false,
                    }
            }
            (Op::String { how: How::Contains, .. }, Op::Regex(_)) => is_path(p),
            _ => false,
        }),
        Expr::Or(list) => list.iter().all(|e| is_part(e, pattern, pool)),
        _ => false,
    }
}

/// Rules may write a value in different cases; each is a name of its own to the kernel.
fn atom(predicate: &Predicate) -> Option<Names> {
    let mut all = Names::default();
    for written in std::iter::once(&predicate.written).chain(&predicate.also) {
        match as_written(predicate, written)? {
            Some(name) => all.0.insert(name),
            None => all.1.insert(format!("`{written}`")),
        };
    }
    Some(all)
}

/// The name in one way of writing a value; the outer `None` if it is not about the path.
fn as_written(predicate: &Predicate, written: &str) -> Option<Option<ReadName>> {
    if !is_path(predicate) {
        return None;
    }
    let written = written.trim_matches('*');
    Some(match &predicate.op {
        Op::String { how: How::Equals | How::EndsWith, .. } if written.contains('/') => name(written.rsplit('/').next(), ReadOf::File),
        Op::String { how: How::StartsWith | How::Contains, .. } => match written.strip_suffix('/') {
            Some(folder) => name(folder.rsplit('/').next(), ReadOf::Folder),
            // Also covers longer names in truth; the file itself is what such rules are after.
            None if written.contains('/') => name(written.rsplit('/').next(), ReadOf::File),
            None => None,
        },
        Op::Glob(glob) => of_glob(glob, written),
        _ => None,
    })
}

/// A pattern whose last part is fixed has that name; `.../folder/*` has that folder.
fn of_glob(glob: &Glob, written: &str) -> Option<ReadName> {
    let fixed = |s: &str| !s.contains(['*', '?', '\\']);
    match glob.parts.last()? {
        Part::Bytes(b) if b.contains(&b'/') => written.rsplit('/').next().filter(|s| fixed(s)).and_then(|s| name(Some(s), ReadOf::File)),
        Part::Many => {
            let folder = written.strip_suffix('/')?.rsplit('/').next().filter(|s| fixed(s))?;
            name(Some(folder), ReadOf::Folder)
        }
        _ => None,
    }
}

fn name(name: Option<&str>, what: ReadOf) -> Option<ReadName> {
    let name = name?.as_bytes();
    (!name.is_empty() && name.len() <= FILTER_NAME).then(|| ReadName { name: name.to_vec(), what })
}
