//! `sensor rules check DIR`: which rules run here, which are not applicable and why, and what is wrong with the others.

use super::{
    exit::{Exit, Failure},
    print,
    settings::no_rule_in,
};
use crate::{
    score::{self, Report, RuleState},
    text::Text,
};
use serde_json::json;
use std::{fmt::Write, path::PathBuf};

/// What to do with rules.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum RulesCommand {
    /// Load rules as `run` would, and report on each.
    Check(CheckArgs),
}

/// How to print it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum CheckOutput {
    /// For people.
    #[default]
    Text,
    /// One JSON object per rule.
    Json,
}

/// Options of `sensor rules check`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// Folders (or files) with Sigma rules.
    #[arg(required = true, value_name = "DIR")]
    pub directories: Vec<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: CheckOutput,
}

/// Runs it.
///
/// # Errors
/// A rule is wrong, or a folder is not there.
pub fn run(command: &RulesCommand) -> Result<(), Failure> {
    let RulesCommand::Check(args) = command;
    if let Some(missing) = args.directories.iter().find(|d| !d.exists()) {
        return Err(Failure::new(Exit::NoInput, format!("there is no {}", missing.display())));
    }
    let report = score::load(&args.directories).report;
    // A check that finds nothing to check must not pass: the path is wrong.
    if report.rules.is_empty() {
        return Err(no_rule_in(&args.directories));
    }
    print(&match args.output {
        CheckOutput::Text => text(&report),
        CheckOutput::Json => json(&report),
    })?;
    match report.broken().count() {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::Rules, "1 rule is wrong")),
        n => Err(Failure::new(Exit::Rules, format!("{n} rules are wrong"))),
    }
}

fn text(report: &Report) -> String {
    let mut out = String::new();
    // Rule files are other people's: what they say must not reach the terminal unescaped. Writing into a string cannot fail.
    let safe = |s: &str| Text::from(s);
    for rule in &report.rules {
        let _ = match &rule.state {
            RuleState::Runs { notes } => {
                let _ = writeln!(out, "runs            {} ({})", safe(&rule.title), safe(&rule.source));
                notes.iter().try_for_each(|note| writeln!(out, "                note: {}", safe(note)))
            }
            RuleState::NotApplicable { reason } => {
                writeln!(out, "not applicable  {} ({}): {}", safe(&rule.title), safe(&rule.source), safe(reason))
            }
            RuleState::Broken(_) => rule.to_string().lines().enumerate().try_for_each(|(n, line)| {
                let head = if n == 0 { "BROKEN          " } else { "                " };
                writeln!(out, "{head}{}", safe(line.trim_start()))
            }),
        };
    }
    let counts = (report.rules.len(), report.running(), report.not_applicable(), report.broken().count());
    let _ = writeln!(out, "{} rules: {} run, {} not applicable here, {} broken", counts.0, counts.1, counts.2, counts.3);
    out
}

fn json(report: &Report) -> String {
    let mut out = String::new();
    for rule in &report.rules {
        let mut object = json!({
            "file": rule.source, "id": rule.id, "title": rule.title, "author": rule.author,
            "level": rule.level.map(crate::finding::Level::as_str),
        });
        let more = match &rule.state {
            RuleState::Runs { notes } => json!({ "state": "runs", "notes": notes }),
            RuleState::NotApplicable { reason } => json!({ "state": "not_applicable", "reason": reason }),
            RuleState::Broken(c) => json!({ "state": "broken", "message": c.message, "hint": c.hint, "line": c.line, "column": c.column }),
        };
        if let (Some(object), serde_json::Value::Object(more)) = (object.as_object_mut(), more) {
            object.extend(more);
        }
        let _ = writeln!(out, "{object}");
    }
    out
}
