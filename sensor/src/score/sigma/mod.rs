//! Sigma rules: from YAML text to [`Expr`]s over our fields. The YAML is read by rsigma-parser; what it means is ours.

mod guard;
mod logsource;
mod lower;
pub(super) mod suggest;
mod value;

pub(crate) use guard::{Document, on_big_stack, split};
pub(crate) use logsource::CATEGORIES;

use super::{
    expr::Expr,
    predicate::{Guard, Pool},
};
use crate::finding::{Level, RuleInfo};
use rsigma_parser::SigmaRule;
use sensor_common::EventKind;
use std::collections::{BTreeMap, BTreeSet};

/// Why a rule does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Nothing is wrong with it, it asks for something that this sensor does not have.
    NotHere(String),
    /// It is wrong.
    Broken {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
        /// Words in the line that it is about, to find that line.
        near: Option<String>,
        /// Line and column in the document, if they are known.
        place: Option<(u32, u32)>,
    },
}

impl Problem {
    pub(crate) fn broken(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Broken { message: message.into(), hint: hint.into(), near: None, place: None }
    }

    /// The same, about the line with these words.
    pub(crate) fn at(mut self, words: &str) -> Self {
        if let Self::Broken { near, .. } = &mut self
            && near.is_none()
        {
            *near = Some(words.to_owned());
        }
        self
    }
}

/// A rule that runs.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// What it asks of each kind of event, in normal form.
    pub(crate) kinds: Vec<(EventKind, Expr)>,
    /// What of it asks for opens for reading.
    pub(crate) reads: Vec<Expr>,
    /// What a user should know.
    pub(crate) notes: Vec<String>,
}

/// What became of one rule of a document.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What it says of itself.
    pub(crate) info: RuleInfo,
    /// It has an id of its own.
    pub(crate) has_id: bool,
    /// How it runs, or why it does not.
    pub(crate) result: Result<Compiled, Problem>,
}

/// Reads one YAML document. Mostly one rule; old collections (`action: global`) may hold several.
pub(crate) fn read(document: &Document, source: &str, pool: &mut Pool) -> Vec<Result<Outcome, Problem>> {
    let parsed = match guard::parse(document) {
        Ok(parsed) => parsed,
        Err(problem) => return vec![Err(problem)],
    };
    let mut out: Vec<Result<Outcome, Problem>> = parsed.errors.iter().map(|e| Err(guard::parser_problem(e))).collect();
    // What the parser only warned of (a level that does not exist, say) makes the rule broken: it would run as something else.
    if out.is_empty() {
        out.extend(parsed.rules.iter().map(|rule| {
            let (info, has_id, mut notes) = describe(rule, source);
            let result = compile(rule, pool).map(|mut compiled| {
                compiled.notes.append(&mut notes);
                compiled
            });
            Ok(Outcome { info, has_id, result })
        }));
    }
    for (title, what) in parsed
        .correlations
        .iter()
        .map(|c| (c.title.as_str(), "correlation rules are not supported"))
        .chain(parsed.filters.iter().map(|f| (f.title.as_str(), "filters are not supported")))
    {
        let mut info = empty_info(source);
        title.clone_into(&mut info.title);
        out.push(Ok(Outcome { info, has_id: false, result: Err(Problem::NotHere(what.into())) }));
    }
    out
}

fn empty_info(source: &str) -> RuleInfo {
    RuleInfo {
        id: stem(source),
        title: String::new(),
        description: String::new(),
        author: String::new(),
        level: Level::Medium,
        status: String::new(),
        tags: Vec::new(),
        techniques: Vec::new(),
        tactics: Vec::new(),
        references: Vec::new(),
        false_positives: Vec::new(),
        source: source.to_owned(),
    }
}

fn stem(source: &str) -> String {
    let name = source.rsplit('/').next().unwrap_or(source);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

fn describe(rule: &SigmaRule, source: &str) -> (RuleInfo, bool, Vec<String>) {
    let mut notes = Vec::new();
    let level = match rule.level {
        Some(rsigma_parser::Level::Informational) => Level::Informational,
        Some(rsigma_parser::Level::Low) => Level::Low,
        Some(rsigma_parser::Level::Medium) => Level::Medium,
        Some(rsigma_parser::Level::High) => Level::High,
        Some(rsigma_parser::Level::Critical) => Level::Critical,
        None => {
            notes.push("it has no level and is taken as medium".to_owned());
            Level::Medium
        }
    };
    let attack = || rule.tags.iter().filter_map(|t| t.strip_prefix("attack."));
    let is_technique =
        |t: &str| t.strip_prefix(['t', 'T']).is_some_and(|n| n.len() >= 4 && n.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    let is_id = |t: &str| t.len() > 1 && t.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    let info = RuleInfo {
        id: rule.id.clone().unwrap_or_else(|| stem(source)),
        title: rule.title.trim().to_owned(),
        description: rule.description.as_deref().unwrap_or_default().trim().to_owned(),
        author: rule.author.clone().unwrap_or_default(),
        level,
        status: rule.status.map(|s| format!("{s:?}").to_ascii_lowercase()).unwrap_or_default(),
        tags: rule.tags.clone(),
        techniques: attack().filter(|t| is_technique(t)).map(str::to_ascii_uppercase).collect(),
        // Also groups (`g0016`) and software (`s0002`) are tagged; tactics are words.
        tactics: attack().filter(|t| !is_id(t)).map(ToOwned::to_owned).collect(),
        references: rule.references.clone(),
        false_positives: rule.falsepositives.clone(),
        source: source.to_owned(),
    };
    (info, rule.id.is_some(), notes)
}

fn compile(rule: &SigmaRule, pool: &mut Pool) -> Result<Compiled, Problem> {
    if rule.detection.timeframe.is_some() {
        return Err(Problem::NotHere("`timeframe` (counting over time) is not supported".into()));
    }
    if rule.logsource == rsigma_parser::LogSource::default() {
        return Err(Problem::broken("there is no `logsource`", "add one, with the product linux and a category or a service"));
    }
    let views = logsource::views(&rule.logsource)?;
    let mut lowering = lower::Lowering::new(pool, &rule.detection, views)?;
    let names_syscall = lowering.names_syscall();
    let mut left_out = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    let mut by_kind: BTreeMap<EventKind, Vec<Expr>> = BTreeMap::new();
    let mut reads = Vec::new();
    for view in views {
        let lowered = lowering.view(view)?;
        if view.names_syscall.is_some_and(|only| only != names_syscall) {
            continue;
        }
        match lowered.normal(&mut left_out) {
            Expr::False => {}
            Expr::Unknown(why) => {
                unknown.insert(why);
            }
            expr => {
                let may_read = !view.guards.iter().any(|g| matches!(g, Guard::Writes | Guard::Creates));
                if may_read && view.kinds.contains(&EventKind::Open) {
                    reads.push(expr.clone());
                }
                for kind in view.kinds {
                    by_kind.entry(*kind).or_default().push(expr.clone());
                }
            }
        }
    }
    if by_kind.is_empty() {
        // Every view said that it cannot tell, or that a fixed word (a record type, a system call) is none of its own.
        if !unknown.is_empty() {
            return Err(Problem::NotHere(Vec::from_iter(unknown).join("; ")));
        }
        return Err(never(&lowering));
    }
    left_out.extend(unknown);
    let mut notes: Vec<String> = left_out.into_iter().map(|why| format!("runs in part: {why}")).collect();
    notes.extend(
        lowering
            .words
            .iter()
            .filter(|(_, seen)| !**seen)
            .filter_map(|((field, value), _)| not_seen(field, value).map(|s| format!("runs in part: {s}"))),
    );
    let kinds = by_kind.into_iter().map(|(kind, list)| (kind, Expr::Or(list).normal(&mut BTreeSet::new()))).collect();
    Ok(Compiled { kinds, reads, notes })
}

fn not_seen(field: &str, value: &str) -> Option<String> {
    match field {
        "type" => Some(format!("auditd records of the type {value} are not among what the sensor sees (EXECVE, PATH, SYSCALL)")),
        "SYSCALL" | "syscall" => Some(format!("the system call {value} is not among those that the sensor sees")),
        "nametype" => Some(format!("no PATH record of the sensor has the nametype {value}")),
        _ => None,
    }
}

fn never(lowering: &lower::Lowering<'_>) -> Problem {
    let reasons: Vec<String> =
        lowering.words.iter().filter(|(_, seen)| !**seen).filter_map(|((field, value), _)| not_seen(field, value)).collect();
    if reasons.is_empty() {
        Problem::broken(
            "its conditions contradict each other: it could never match",
            "look at the condition and at fields of different records",
        )
    } else {
        Problem::NotHere(reasons.join("; "))
    }
}
