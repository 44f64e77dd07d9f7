//! The score of a process tree: points of its findings, which fade by half in each half-life. Bounded in every direction.

use crate::{
    finding::{Contribution, RuleInfo, Score},
    process::ProcessId,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

/// Repeats of one tree that are remembered.
const MAX_REPEATS: usize = 256;

/// How scores are kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// After this many nanoseconds points count half. At least 1 s.
    pub half_life_ns: u64,
    /// Process trees with a score; the one that was quiet longest makes room.
    pub max_trees: usize,
    /// Contributions that a finding lists.
    pub max_contributions: usize,
    /// The same rule matching the same process with the same values adds points once in this many nanoseconds.
    pub repeat_ns: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { half_life_ns: 600_000_000_000, max_trees: 4096, max_contributions: 32, repeat_ns: 10_000_000_000 }
    }
}

/// The scores of all process trees.
pub(crate) struct Trees {
    options: Options,
    trees: HashMap<ProcessId, Tree>,
    /// Trees by when they were last touched.
    order: BTreeMap<u64, ProcessId>,
    touches: u64,
}

struct Tree {
    total: f64,
    time_ns: u64,
    touched: u64,
    listed: VecDeque<Contribution>,
    omitted: u64,
    /// Hash of rule, process and values, and when its points were added.
    repeats: VecDeque<(u64, u64)>,
}

impl Trees {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, trees: HashMap::new(), order: BTreeMap::new(), touches: 0 }
    }

    /// Adds a finding's points. `same` is equal for findings that say the same.
    pub(crate) fn add(&mut self, tree: ProcessId, process: ProcessId, rule: &Arc<RuleInfo>, time_ns: u64, same: u64) -> Score {
        self.touches += 1;
        let entry = self.trees.entry(tree).or_insert_with(|| Tree {
            total: 0.0,
            time_ns,
            touched: 0,
            listed: VecDeque::new(),
            omitted: 0,
            repeats: VecDeque::new(),
        });
        self.order.remove(&entry.touched);
        entry.touched = self.touches;
        self.order.insert(self.touches, tree);

        // An event that comes late does not turn time back: its points count as if they came now.
        let now = entry.time_ns.max(time_ns);
        entry.total *= faded(now - entry.time_ns, self.options.half_life_ns);
        entry.time_ns = now;
        let window = self.options.repeat_ns;
        while entry.repeats.front().is_some_and(|(_, at)| now - at >= window) {
            entry.repeats.pop_front();
        }
        let repeated = entry.repeats.iter().any(|(hash, _)| *hash == same);
        let points = if repeated { 0.0 } else { rule.level.points() };
        if !repeated {
            entry.total += points;
            entry.repeats.push_back((same, now));
            if entry.repeats.len() > MAX_REPEATS {
                entry.repeats.pop_front();
            }
            entry.listed.push_back(Contribution { time_ns, rule: rule.clone(), process, points });
        }
        // What has faded to nothing explains nothing: twenty half-lives leave a millionth.
        let gone = self.options.half_life_ns.saturating_mul(20);
        while entry.listed.front().is_some_and(|c| now.saturating_sub(c.time_ns) > gone) {
            entry.listed.pop_front();
            entry.omitted = 0;
        }
        while entry.listed.len() > self.options.max_contributions {
            entry.listed.pop_front();
            entry.omitted += 1;
        }
        let score =
            Score { tree, points, total: entry.total, contributions: entry.listed.iter().cloned().collect(), omitted: entry.omitted };
        while self.trees.len() > self.options.max_trees.max(1) {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.trees.remove(&oldest);
        }
        score
    }
}

/// What is left of a point after `ns`.
fn faded(ns: u64, half_life_ns: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share of a half-life needs no 64 bits")]
    let half_lives = ns as f64 / half_life_ns.max(1_000_000_000) as f64;
    0.5_f64.powf(half_lives)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    const SECOND: u64 = 1_000_000_000;

    fn rule(level: Level) -> Arc<RuleInfo> {
        let text = String::new;
        Arc::new(RuleInfo {
            id: text(),
            title: text(),
            description: text(),
            author: text(),
            level,
            status: text(),
            tags: Vec::new(),
            techniques: Vec::new(),
            tactics: Vec::new(),
            references: Vec::new(),
            false_positives: Vec::new(),
            source: text(),
        })
    }

    fn id(n: u32) -> ProcessId {
        ProcessId { tgid: n, start_ns: u64::from(n) }
    }

    #[test]
    fn points_add_up_and_fade_by_half() {
        let mut trees = Trees::new(Options::default());
        let (medium, high) = (rule(Level::Medium), rule(Level::High));
        assert_eq!(trees.add(id(1), id(2), &medium, SECOND, 1).total, 20.0);
        let later = trees.add(id(1), id(3), &high, 601 * SECOND, 2);
        assert_eq!((later.total, later.points, later.contributions.len(), later.omitted), (60.0, 50.0, 2, 0));
        assert_eq!(trees.add(id(9), id(3), &high, 601 * SECOND, 3).total, 50.0, "another tree has its own score");
        let early = trees.add(id(1), id(3), &high, 600 * SECOND, 4);
        assert_eq!(early.total, 110.0, "a late event does not turn time back");
    }

    #[test]
    fn the_same_again_adds_nothing_until_the_window_is_over() {
        let mut trees = Trees::new(Options::default());
        let low = rule(Level::Low);
        assert_eq!(trees.add(id(1), id(2), &low, 0, 7).points, 5.0);
        let again = trees.add(id(1), id(2), &low, SECOND, 7);
        assert_eq!((again.points, again.contributions.len()), (0.0, 1));
        assert_eq!(trees.add(id(1), id(2), &low, SECOND, 8).points, 5.0, "other values");
        assert_eq!(trees.add(id(1), id(2), &low, 10 * SECOND, 7).points, 5.0, "ten seconds later");
    }

    #[test]
    fn memory_is_bounded_and_says_what_it_left_out() {
        let options = Options { max_trees: 2, max_contributions: 3, ..Options::default() };
        let mut trees = Trees::new(options);
        let low = rule(Level::Low);
        for n in 0..5 {
            trees.add(id(1), id(2), &low, 0, n);
        }
        let sixth = trees.add(id(1), id(2), &low, 0, 5);
        assert_eq!((sixth.total, sixth.contributions.len(), sixth.omitted), (30.0, 3, 3));
        trees.add(id(2), id(2), &low, 0, 0);
        trees.add(id(1), id(2), &low, 0, 6);
        trees.add(id(3), id(2), &low, 0, 0);
        assert_eq!((trees.trees.len(), trees.order.len()), (2, 2));
        assert_eq!(trees.add(id(1), id(2), &low, 0, 7).total, 40.0, "the one in use has stayed");
        assert_eq!(trees.add(id(2), id(2), &low, 0, 7).total, 5.0, "the quiet one has gone");
    }
}
