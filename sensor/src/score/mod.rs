//! Stage 4: rules and the process tree's score. Pure: no I/O but loading rules, no clock, no async.
//!
//! [`load`] reads rule files and compiles them: `sigma` (text to expressions over numbered predicates) → `index` (per kind of event: a
//! matcher per column, witnesses, programs) → [`Engine`]. [`Report`] says what became of each rule.
#![forbid(unsafe_code)]

mod engine;
mod expr;
mod files;
mod glob;
mod index;
mod literals;
mod matcher;
mod memo;
mod names;
mod predicate;
mod program;
mod report;
mod sigma;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod witness;

pub use engine::Engine;
pub use names::{ReadName, ReadOf};
pub use report::{Complaint, Report, RuleReport, RuleState, report_markdown};
pub use tree::Options;

use index::{KindIndex, Unit};
use predicate::Pool;
use program::Program;
use sensor_common::EventKind;
use sigma::{Compiled, Problem};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

/// The engine, and what became of each rule. The engine runs the rules that run, whatever is wrong with others.
pub struct Loaded {
    /// Ready to evaluate.
    pub engine: Engine,
    /// All rules.
    pub report: Report,
}

/// Loads all rules of some folders (or files) with default [`Options`]. Nothing here fails as a whole: see the report.
pub fn load(dirs: &[PathBuf]) -> Loaded {
    load_with(dirs, Options::default())
}

/// [`load`] with options.
pub fn load_with(dirs: &[PathBuf], options: Options) -> Loaded {
    build(files::read(dirs), options)
}

/// Compiles rules from memory: names and texts of files.
pub fn load_texts(texts: &[(&str, &str)], options: Options) -> Loaded {
    build(texts.iter().map(|(name, text)| ((*name).to_owned(), Ok((*text).to_owned()))).collect(), options)
}

fn build(files: Vec<files::File>, options: Options) -> Loaded {
    let fallback = options.clone();
    sigma::on_big_stack(move || Builder::default().build(files, options)).unwrap_or_else(|e| {
        // Without a thread there is no engine; say so in the one place that is always read.
        let problem =
            Problem::broken(format!("the rules cannot be loaded: {e}"), "free memory or threads, and report it if there are enough");
        let report = Report { rules: vec![entry("rules", None, broken(&problem, "", 0))] };
        Loaded { engine: Engine::new(Vec::new(), Pool::default(), Vec::new(), fallback), report }
    })
}

#[derive(Default)]
struct Builder {
    pool: Pool,
    rules: Vec<Arc<crate::finding::RuleInfo>>,
    units: BTreeMap<EventKind, Vec<Unit>>,
    read_names: BTreeSet<ReadName>,
    /// Where an id was first seen.
    ids: HashMap<String, String>,
    report: Report,
    digest: u128,
}

impl Builder {
    fn build(mut self, files: Vec<files::File>, options: Options) -> Loaded {
        for (source, text) in files {
            match text {
                Ok(text) => self.file(&source, &text),
                Err(problem) => self.report.rules.push(entry(&source, None, broken(&problem, "", 0))),
            }
        }
        let mut kinds = Vec::new();
        kinds.resize_with(usize::from(EventKind::MAX) + 1, KindIndex::default);
        let mut next = 1;
        for (kind, units) in self.units {
            match KindIndex::new(units, &self.pool, &mut next) {
                Ok(index) => {
                    if let Some(slot) = kinds.get_mut(kind as usize) {
                        *slot = index;
                    }
                }
                Err(e) => {
                    let problem = Problem::broken(format!("rules for {}: {e}", kind.as_str()), "load fewer rules; none of these runs");
                    self.report.rules.push(entry("rules", None, broken(&problem, "", 0)));
                }
            }
        }
        let mut engine = Engine::new(self.rules, self.pool, kinds, options);
        engine.version = format!("{:032x}", self.digest).into();
        engine.read_names = self.read_names.into_iter().collect();
        Loaded { engine, report: self.report }
    }

    fn file(&mut self, source: &str, text: &str) {
        let documents = sigma::split(text);
        if documents.is_empty() {
            let problem = Problem::broken("it holds no rule", "remove it, or write a rule into it");
            self.report.rules.push(entry(source, None, broken(&problem, "", 0)));
        }
        for document in documents {
            for outcome in sigma::read(&document, source, &mut self.pool) {
                let outcome = match outcome {
                    Ok(outcome) => outcome,
                    Err(problem) => {
                        self.report.rules.push(entry(source, None, broken(&problem, &document.text, document.line)));
                        continue;
                    }
                };
                let mut result = outcome.result;
                if outcome.has_id
                    && let Some(first) = self.ids.insert(outcome.info.id.clone(), source.to_owned())
                {
                    let message = format!("the id {} is that of {first}, too", outcome.info.id);
                    result = Err(Problem::broken(message, "give each rule an id of its own (uuidgen makes one)").at("id:"));
                }
                let state = match result.and_then(|compiled| self.add(&outcome.info, compiled)) {
                    Ok(notes) => {
                        // Independent of the order of files.
                        self.digest = self.digest.wrapping_add(fnv(document.text.as_bytes()));
                        RuleState::Runs { notes }
                    }
                    Err(problem) => broken(&problem, &document.text, document.line),
                };
                self.report.rules.push(entry(source, Some((&outcome.info, outcome.has_id)), state));
            }
        }
    }

    fn add(&mut self, info: &crate::finding::RuleInfo, compiled: Compiled) -> Result<Vec<String>, Problem> {
        let rule = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        let mut units = Vec::new();
        for (kind, expr) in compiled.kinds {
            let program = Program::new(&expr, &self.pool).map_err(|e| Problem::broken(e.to_string(), "split the rule"))?;
            units.push((kind, Unit { rule, program, expr }));
        }
        let mut notes = compiled.notes;
        let mut missing = BTreeSet::new();
        for expr in &compiled.reads {
            let (names, uncovered) = names::of(expr, &self.pool);
            self.read_names.extend(names);
            missing.extend(uncovered);
        }
        if !missing.is_empty() {
            let list = Vec::from_iter(missing).join(", ");
            notes.push(format!("opens for reading are sent by exact name only, so reads are not seen for: {list}"));
        }
        for (kind, unit) in units {
            self.units.entry(kind).or_default().push(unit);
        }
        self.rules.push(Arc::new(info.clone()));
        Ok(notes)
    }
}

fn entry(source: &str, info: Option<(&crate::finding::RuleInfo, bool)>, state: RuleState) -> RuleReport {
    RuleReport {
        source: source.to_owned(),
        id: info.filter(|(_, has_id)| *has_id).map(|(i, _)| i.id.clone()),
        title: info.map(|(i, _)| i.title.clone()).unwrap_or_default(),
        level: info.map(|(i, _)| i.level),
        author: info.map(|(i, _)| i.author.clone()).unwrap_or_default(),
        state,
    }
}

/// The state for a problem, its place found in the text of its document, which begins `lines` into the file.
fn broken(problem: &Problem, text: &str, lines: u32) -> RuleState {
    match problem {
        Problem::NotHere(reason) => RuleState::NotApplicable { reason: reason.clone() },
        Problem::Broken { message, hint, near, place } => {
            let found = near
                .as_deref()
                .filter(|n| !n.is_empty())
                .and_then(|near| (1_u32..).zip(text.lines()).find_map(|(n, line)| Some((n, u32::try_from(line.find(near)?).ok()? + 1))));
            let place = place.or(found);
            RuleState::Broken(Complaint {
                message: message.clone(),
                hint: hint.clone(),
                line: place.map(|(line, _)| line.saturating_add(lines)),
                column: place.map(|(_, column)| column),
            })
        }
    }
}

/// FNV-1a: tells rule sets apart, proves nothing.
fn fnv(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, b| {
        (hash ^ u128::from(*b)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}
