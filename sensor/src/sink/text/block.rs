//! A finding as a block of lines: what a rule found, who did it, where it came from, what it touched, and why the score is what it is.

use super::{Paint, Style, action, clip, command};
use crate::{
    finding::Finding,
    process::{Image, Process},
    sink::json,
    text,
};
use std::fmt::Write;

/// Columns in front of the values.
const LABEL: usize = 12;
/// Lines that a command line may take.
const LINES: usize = 3;
/// Ancestors that are shown: the oldest ones, and those next to the acting process.
const OLDEST: usize = 2;
const NEXT: usize = 6;
/// Contributions to a score that are shown.
const CONTRIBUTIONS: usize = 5;

pub(super) fn write(f: &Finding, out: &mut String, style: Style) {
    let mut block = Block { out, style };
    block.head(f);
    block.attack(f);
    block.field("author", &clean(&f.rule.author));
    block.who(f);
    if let Some(c) = &f.event.process.container {
        let runtime = if c.runtime.is_empty() { String::new() } else { format!(" ({})", c.runtime) };
        block.field("container", &format!("{}{runtime}", c.id));
    }
    block.field("action", &action::describe(&f.event));
    block.chain(f);
    block.matched(f);
    block.score(f);
    block.doubts(f);
    block.out.push('\n');
}

struct Block<'a> {
    out: &'a mut String,
    style: Style,
}

impl Block<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn label(&self, label: &str) -> String {
        self.style.paint(Paint::Faint, &format!("  {label:<width$}", width = LABEL - 2)).to_string()
    }

    fn room(&self) -> usize {
        self.style.width.saturating_sub(LABEL).max(30)
    }

    /// A label and a value that may take some lines.
    fn field(&mut self, label: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let room = self.room();
        let shown = clip(value, room * LINES);
        for (n, part) in wrap(&shown, room).into_iter().enumerate() {
            let line = if n == 0 { format!("{}{part}", self.label(label)) } else { format!("{:LABEL$}{part}", "") };
            self.line(&line);
        }
    }

    fn head(&mut self, f: &Finding) {
        let level = f.rule.level.as_str().to_uppercase();
        let time = jiff::Timestamp::from_nanosecond(i128::from(f.event.wall_ns))
            .map_or_else(|_| f.event.wall_ns.to_string(), |t| t.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string());
        let title = clean(&f.rule.title);
        let level = self.style.paint(Paint::Level(f.rule.level), &format!(" {level} ")).to_string();
        let line = format!("{} {level} {}", self.style.paint(Paint::Faint, &time), self.style.paint(Paint::Strong, &title));
        self.line(&line);
    }

    fn attack(&mut self, f: &Finding) {
        let tactics: Vec<String> =
            f.rule.tactics.iter().map(|t| json::tactic(t).map_or_else(|| words(t), |(_, name)| name.to_owned())).collect();
        let parts = [clean(&f.rule.techniques.join(", ")), tactics.join(", ")];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
        if !parts.is_empty() {
            self.field("ATT&CK", &parts.join(" · "));
        }
    }

    fn who(&mut self, f: &Finding) {
        let p = &f.event.process;
        let c = &p.credentials;
        let mut who = p.user_name.as_ref().map_or_else(|| format!("uid {}", c.uid), |name| format!("{name} (uid {})", c.uid));
        if c.euid != c.uid {
            let _ = write!(who, ", acting as {}", if c.euid == 0 { "root".to_owned() } else { format!("uid {}", c.euid) });
        }
        match c.login_uid {
            Some(login) if login == c.uid => who.push_str(", logged in as the same"),
            Some(login) => {
                let _ = write!(who, ", logged in as uid {login}");
            }
            None => who.push_str(", no login (a service)"),
        }
        self.field("user", &who);
    }

    /// The ancestors from the oldest, each indented under its parent, and the acting process last.
    fn chain(&mut self, f: &Finding) {
        let acting = &f.event.process;
        let image = json::image(&f.event);
        let chain = f.ancestors.iter().rev().map(|p| (&**p, p.image.as_deref(), false)).chain([(&**acting, image, true)]);
        let omitted = f.ancestors.len().checked_sub(OLDEST + NEXT).filter(|n| *n > 1).unwrap_or(0);
        let shown = chain.enumerate().filter(|(n, _)| *n < OLDEST || *n >= OLDEST + omitted);
        for (depth, (n, (process, image, acting))) in shown.enumerate() {
            if omitted > 0 && n == OLDEST + omitted {
                let line = format!("{:LABEL$}{}… {omitted} more", "", "  ".repeat(depth));
                let line = self.style.paint(Paint::Faint, &line).to_string();
                self.line(&line);
            }
            let indent = "  ".repeat(depth.saturating_sub(1));
            let branch = if depth == 0 { String::new() } else { format!("{indent}└─ ") };
            let label = if depth == 0 { self.label("process") } else { " ".repeat(LABEL) };
            let room = self.room().saturating_sub(branch.chars().count() + 9).max(30) * if acting { LINES } else { 1 };
            let text = clip(&title(process, image), room).into_owned();
            let pid = format!(" [{}]", process.id.tgid);
            let text = if acting { self.style.paint(Paint::Strong, &text).to_string() } else { text };
            let line = format!("{label}{}{text}{}", self.style.paint(Paint::Faint, &branch), self.style.paint(Paint::Faint, &pid));
            self.line(&line);
        }
        let file = image.and_then(|i| i.executable.as_ref().map(|file| (file, i.working_directory.as_ref())));
        if let Some((file, directory)) = file {
            let directory = directory.map_or_else(String::new, |d| format!(", in {d}"));
            self.field("program", &format!("{file}{directory}"));
        }
    }

    fn matched(&mut self, f: &Finding) {
        let room = self.room();
        for (n, (field, value)) in f.matched.iter().enumerate() {
            let text = format!("{} = {value}", field.name());
            let text = clip(&text, room).into_owned();
            self.field(if n == 0 { "matched" } else { "" }, &text);
        }
    }

    fn score(&mut self, f: &Finding) {
        let s = &f.score;
        let root = f
            .ancestors
            .iter()
            .chain([&f.event.process])
            .find(|p| p.id == s.tree)
            .map_or_else(|| format!("process {}", s.tree.tgid), |p| format!("{} [{}]", p.comm, s.tree.tgid));
        let total = format!("{} points of this process tree (from {root} on)", points(s.total));
        self.field("score", &total);
        for c in s.contributions.iter().rev().take(CONTRIBUTIONS) {
            let age = f.event.time_ns.saturating_sub(c.time_ns) / 1_000_000_000;
            let when = if age == 0 { String::new() } else { format!(", {age} s earlier") };
            self.field("", &format!("+{} {} ({}{when})", points(c.points), clean(&c.rule.title), c.rule.level.as_str()));
        }
        let omitted = s.omitted + s.contributions.len().saturating_sub(CONTRIBUTIONS) as u64;
        if omitted > 0 {
            self.field("", &format!("and {omitted} earlier {}", if omitted == 1 { "one" } else { "ones" }));
        }
    }

    fn doubts(&mut self, f: &Finding) {
        let (racy, incomplete) = json::doubts(&f.event);
        let list = |fields: [Option<&'static str>; 4]| fields.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let (racy, incomplete) = (list(racy), list(incomplete));
        if !racy.is_empty() {
            self.field("note", &format!("{racy}: as the process gave it, which can change it at any time"));
        }
        if !incomplete.is_empty() {
            self.field("note", &format!("{incomplete}: not complete"));
        }
    }
}

/// What runs: the command line, or what is known instead.
fn title(process: &Process, image: Option<&Image>) -> String {
    let line = image.map(command).unwrap_or_default();
    match (line.is_empty(), image.and_then(|i| i.executable.as_ref())) {
        (false, _) => line,
        (true, Some(file)) => file.to_string(),
        (true, None) => process.comm.to_string(),
    }
}

/// Rules are not written by attackers, but they are files from elsewhere.
fn clean(s: &str) -> String {
    let mut shown = String::new();
    // Writing into a string cannot fail.
    let _ = text::escape(s.trim().as_bytes(), &mut shown);
    shown
}

/// A tactic that is newer than this sensor, written like those that it knows.
fn words(tag: &str) -> String {
    let tag = clean(tag).replace(['-', '_'], " ");
    let mut rest = tag.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

fn points(p: f64) -> String {
    let text = format!("{p:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), ToOwned::to_owned)
}

/// Lines of at most `columns` characters, broken at spaces where that is possible.
fn wrap(text: &str, columns: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some((end, _)) = rest.char_indices().nth(columns) {
        let (head, _) = rest.split_at(end);
        let at = head.rfind(' ').filter(|at| *at > end / 2).map_or(end, |at| at + 1);
        let (line, more) = rest.split_at(at);
        lines.push(line.trim_end());
        rest = more;
    }
    lines.push(rest);
    lines
}
