//! A rule that matched an event, with everything needed to understand and to deliver it.

use crate::{
    events::{Event, Field},
    process::{Process, ProcessId},
    text::Text,
};
use std::sync::Arc;

/// How serious a rule's author takes a match, in Sigma's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Tells something, is no attack.
    Informational,
    /// Rarely an attack.
    Low,
    /// Worth a look.
    Medium,
    /// Look at it soon.
    High,
    /// Look at it now.
    Critical,
}

impl Level {
    /// All of them, the least first.
    pub const ALL: &'static [Level] = &[Level::Informational, Level::Low, Level::Medium, Level::High, Level::Critical];

    /// Name as users see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Points that a match adds to the score of its process tree.
    pub const fn points(self) -> f64 {
        match self {
            Self::Informational => 1.0,
            Self::Low => 5.0,
            Self::Medium => 20.0,
            Self::High => 50.0,
            Self::Critical => 100.0,
        }
    }
}

/// What a rule says of itself. The authors go with each finding: the Sigma rules' licence (DRL 1.1) asks for it.
#[derive(Clone, Debug)]
pub struct RuleInfo {
    /// Unique id (a UUID for Sigma), or the file stem if the rule has none.
    pub id: String,
    /// Title.
    pub title: String,
    /// What it finds.
    pub description: String,
    /// Authors, as the rule writes them.
    pub author: String,
    /// How serious.
    pub level: Level,
    /// `stable`, `test`, `experimental`, ...
    pub status: String,
    /// All tags.
    pub tags: Vec<String>,
    /// ATT&CK techniques (`T1059.004`), from the tags.
    pub techniques: Vec<String>,
    /// ATT&CK tactics (`execution`), from the tags.
    pub tactics: Vec<String>,
    /// Links.
    pub references: Vec<String>,
    /// What else may cause a match.
    pub false_positives: Vec<String>,
    /// Where it was loaded from, relative to the rules' folder.
    pub source: String,
}

/// One addition to the score of a process tree.
#[derive(Clone, Debug)]
pub struct Contribution {
    /// When, boot nanoseconds.
    pub time_ns: u64,
    /// Title of the rule.
    pub rule: Arc<RuleInfo>,
    /// Process that the match was about.
    pub process: ProcessId,
    /// Points as they were added, before decay.
    pub points: f64,
}

/// The score of a process tree when a finding was made.
#[derive(Clone, Debug)]
pub struct Score {
    /// The tree's root.
    pub tree: ProcessId,
    /// Points of this finding; 0 if it repeats another one of the same process within a short time.
    pub points: f64,
    /// Points of the tree with this finding, decayed to its time.
    pub total: f64,
    /// What made up the total, oldest first, this finding last (if it has points: one that only repeats another has none and is not
    /// listed); the oldest are dropped beyond a limit.
    pub contributions: Vec<Contribution>,
    /// Earlier contributions that are in `total` and not listed any more.
    pub omitted: u64,
}

/// A scored match.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: Arc<RuleInfo>,
    /// The event that matched.
    pub event: Arc<Event>,
    /// Ancestors of the process, the parent first; the bytes and the number are bounded.
    pub ancestors: Vec<Arc<Process>>,
    /// Fields whose values made the rule match, with those values.
    pub matched: Vec<(Field, Text)>,
    /// The process tree's score.
    pub score: Score,
    /// Hash of the rule set that was in force (hex).
    pub rules_version: Arc<str>,
}
