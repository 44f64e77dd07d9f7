//! What became of each rule: it runs, it asks for something that is not to be seen here, or it is wrong and where.

use super::sigma::CATEGORIES;
use crate::finding::Level;
use std::fmt::{self, Write};

/// What became of one rule, or of a file that holds none.
#[derive(Clone, Debug)]
pub struct RuleReport {
    /// File, as it was found under its rules' folder.
    pub source: String,
    /// Id, if it could be read.
    pub id: Option<String>,
    /// Title, if it could be read.
    pub title: String,
    /// Level, if it could be read.
    pub level: Option<Level>,
    /// Author, as the rule writes it.
    pub author: String,
    /// What became of it.
    pub state: RuleState,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleState {
    /// It runs; what a user should know about that.
    Runs {
        /// Limits of it: alternatives that cannot be seen, reads that the kernel does not send.
        notes: Vec<String>,
    },
    /// Nothing is wrong with it, but it asks for what this sensor does not see.
    NotApplicable {
        /// What that is.
        reason: String,
    },
    /// It is wrong and does not run.
    Broken(Complaint),
}

/// What is wrong with a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Line in the file, from 1, if it is known.
    pub line: Option<u32>,
    /// Column in the line, from 1, if it is known.
    pub column: Option<u32>,
}

/// All rules that were looked at, in the order of their files.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One entry per rule or unreadable file.
    pub rules: Vec<RuleReport>,
}

impl Report {
    /// Rules that run.
    pub fn running(&self) -> usize {
        self.count(|s| matches!(s, RuleState::Runs { .. }))
    }

    /// Rules that are not applicable here.
    pub fn not_applicable(&self) -> usize {
        self.count(|s| matches!(s, RuleState::NotApplicable { .. }))
    }

    /// Everything that is wrong. A sensor should not start with these.
    pub fn broken(&self) -> impl Iterator<Item = (&RuleReport, &Complaint)> {
        self.rules.iter().filter_map(|r| match &r.state {
            RuleState::Broken(complaint) => Some((r, complaint)),
            _ => None,
        })
    }

    fn count(&self, wanted: impl Fn(&RuleState) -> bool) -> usize {
        self.rules.iter().filter(|r| wanted(&r.state)).count()
    }
}

/// `file:line:column: what is wrong` and the hint on a line of its own.
impl fmt::Display for RuleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RuleState::Broken(complaint) = &self.state else { return write!(f, "{}: {}", self.source, self.title) };
        f.write_str(&self.source)?;
        for number in [complaint.line, complaint.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        write!(f, ": {}\n  hint: {}", complaint.message, complaint.hint)
    }
}

/// The report as the page `docs/rules.md`.
pub fn report_markdown(report: &Report) -> String {
    let mut out = String::from(
        "# Rules\n\n\
         Generated from the rules in this repository by `cargo xtask codegen`; do not edit. `sensor rules check DIR` makes the same report of any folder.\n\n\
         A rule *runs*, or it is *not applicable here* because it asks for something that the sensor does not see. No rule is left out silently.\n\n\
         ## Log sources\n\n\
         | Sigma log source | Events |\n|---|---|\n",
    );
    for (name, what, _) in CATEGORIES {
        let _ = writeln!(out, "| category `{name}` | {what} |");
    }
    out.push_str(
        "| service `auditd` | EXECVE (`a0`, `a1`, ...) from program starts, PATH (`name`, `nametype`) from file events and their names, SYSCALL \
         (`SYSCALL`, `comm`, `exe`, `euid`, ...) from events of the same system call; a SYSCALL rule that names no system call looks at program starts |\n\n\
         `Image` and `ParentImage` are the resolved and the invoked path: either may match, and a `not` wants neither to. Any rule may use the \
         sensor's own fields by their names (docs/fields.md). The kernel sends opens for reading only for file and folder names that rules ask for.\n\n",
    );
    let _ = writeln!(
        out,
        "## {} rules: {} run, {} are not applicable here, {} are broken\n",
        report.rules.len(),
        report.running(),
        report.not_applicable(),
        report.broken().count()
    );
    out.push_str("| Rule | Level | State | Reason or note | Author |\n|---|---|---|---|---|\n");
    for rule in &report.rules {
        let (state, text) = match &rule.state {
            RuleState::Runs { notes } => ("runs", notes.join("; ")),
            RuleState::NotApplicable { reason } => ("not applicable here", reason.clone()),
            RuleState::Broken(c) => ("broken", format!("{} ({})", c.message, c.hint)),
        };
        let level = rule.level.map_or("", Level::as_str);
        let title = if rule.title.is_empty() { &rule.source } else { &rule.title };
        let _ =
            writeln!(out, "| [{}](../rules/{}) | {level} | {state} | {} | {} |", cell(title), rule.source, cell(&text), cell(&rule.author));
    }
    out
}

/// Text that stays in its cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}
