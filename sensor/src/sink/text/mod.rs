//! What a person reads on a terminal: a finding as a block of lines, an event or a loss report as one line. Everything that comes from the
//! kernel is escaped; what is cut for display says so, and the JSON output has it in full.

mod action;
mod block;
mod style;

use super::{Body, Item};
use crate::events::Event;
use std::fmt::Write;
pub use style::Style;
use style::{Paint, clip, command};

/// Appends one item, with a line break.
pub fn write(item: &Item, out: &mut String, style: Style) {
    match &item.body {
        Body::Finding(finding) => block::write(finding, out, style),
        Body::Event(event) => line(event, out, style),
        Body::Gap(gap) => {
            let text = format!("lost {} items here (sequence {} to {}): this reader is too slow", gap.count, gap.first, gap.last);
            // Writing into a string cannot fail, here and below.
            let _ = writeln!(out, "{}", style.paint(Paint::Loss, &text));
        }
    }
}

fn line(event: &Event, out: &mut String, style: Style) {
    let time = style.paint(Paint::Faint, &clock(event.wall_ns)).to_string();
    if let crate::events::Body::Loss { .. } = &event.body {
        let _ = writeln!(out, "{time} {}", style.paint(Paint::Loss, &action::describe(event)));
        return;
    }
    let who = format!("{}[{}] {}", event.process.comm, event.process.id.tgid, user(event));
    // On a narrow terminal a second line is better than half a path.
    let room = style.width.saturating_sub(12 + 1 + 8 + 1 + 30 + 1).max(72);
    let _ = writeln!(out, "{time} {:<8} {who:<30} {}", event.kind().as_str(), clip(&action::describe(event), room));
}

/// Time of day in UTC, with milliseconds.
fn clock(wall_ns: u64) -> String {
    let ms = wall_ns / 1_000_000 % 86_400_000;
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// Name of the user if known, otherwise the number.
fn user(event: &Event) -> String {
    let p = &event.process;
    p.user_name.as_ref().map_or_else(|| format!("uid {}", p.credentials.uid), ToString::to_string)
}

#[cfg(test)]
mod tests;
