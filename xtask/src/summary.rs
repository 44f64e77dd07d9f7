//! What came of the tests: one group per thing that was run, one line per group, one total.

use crate::{libtest, paths};
use anyhow::{Result, bail};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Lines of a log that are shown when a group fails.
const TAIL: usize = 60;

/// One kind of tests, or one guest.
pub(crate) struct Group {
    /// `unit`, `kernel`, `vm 5.10`, ...
    pub(crate) name: String,
    /// Number of tests that passed.
    pub(crate) passed: usize,
    /// Names of the tests that failed, or what else went wrong.
    pub(crate) failed: Vec<String>,
    /// Tests that were not run, and why.
    pub(crate) skipped: Vec<(String, String)>,
    /// Everything that the tests printed.
    pub(crate) log: Option<PathBuf>,
    /// Wall time.
    pub(crate) took: Duration,
}

impl Group {
    /// An empty one.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), passed: 0, failed: Vec::new(), skipped: Vec::new(), log: None, took: Duration::ZERO }
    }

    /// Could not be run at all: counts as one skipped test.
    pub(crate) fn skip(name: impl Into<String>, reason: impl Into<String>) -> Self {
        let mut group = Self::new(name);
        group.skipped.push(("all".to_owned(), reason.into()));
        group
    }

    /// From what test programs printed. `ok` is false if the command as a whole failed: then there is at least one failure, even where
    /// no test could say so (it did not compile, it crashed).
    pub(crate) fn from_log(name: impl Into<String>, log: &Path, ok: bool) -> Self {
        let mut group = Self::new(name);
        group.log = Some(log.to_path_buf());
        let text = std::fs::read(log).unwrap_or_default();
        libtest::parse(&String::from_utf8_lossy(&text), &mut group);
        if !ok && group.failed.is_empty() {
            group.failed.push("the command failed; no test says why".to_owned());
        }
        if ok && group.passed == 0 && group.failed.is_empty() && group.skipped.is_empty() {
            group.skipped.push(("all".to_owned(), "there is no such test".to_owned()));
        }
        group
    }

    /// Runs something that is one test.
    pub(crate) fn single(name: &str, test: impl FnOnce() -> Result<()>) -> Self {
        timed(|| {
            let mut group = Self::new(name);
            match test() {
                Ok(()) => group.passed = 1,
                Err(error) => group.failed.push(format!("{error:#}")),
            }
            group
        })
    }

    /// One line.
    pub(crate) fn line(&self) -> String {
        let verdict = if self.failed.is_empty() { "ok    " } else { "FAILED" };
        let (passed, failed, skipped) = (self.passed, self.failed.len(), self.skipped.len());
        format!("{verdict} {:<24} {passed:>4} passed {failed:>3} failed {skipped:>3} skipped  {:>4} s", self.name, self.took.as_secs())
    }
}

/// Notes how long it took.
pub(crate) fn timed(run: impl FnOnce() -> Group) -> Group {
    let start = Instant::now();
    let mut group = run();
    group.took = start.elapsed();
    group
}

/// Prints what failed with the end of its log, then a line per group, then the total, which is the last line. An error if any failed.
pub(crate) fn print(groups: &[Group]) -> Result<()> {
    for group in groups.iter().filter(|g| !g.failed.is_empty()) {
        println!("\n---- {} failed", group.name);
        for failure in &group.failed {
            println!("     {failure}");
        }
        if let Some(log) = &group.log {
            let text = std::fs::read(log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<_> = text.lines().collect();
            println!("---- the end of {}", paths::show(log));
            for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
                println!("     {line}");
            }
        }
    }
    println!("\n==> Summary");
    for group in groups {
        println!("{}", group.line());
        for (test, reason) in &group.skipped {
            println!("       skipped {test}: {reason}");
        }
    }
    let sum = |count: fn(&Group) -> usize| groups.iter().map(count).sum::<usize>();
    let failed = sum(|g| g.failed.len());
    println!("{} passed, {failed} failed, {} skipped", sum(|g| g.passed), sum(|g| g.skipped.len()));
    if failed > 0 {
        bail!("{failed} failed; the logs are in target/test-logs");
    }
    Ok(())
}
