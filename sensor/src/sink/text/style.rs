//! Colours, widths, and how a command line is shown.

use crate::{finding::Level, process::Image, text};
use std::{borrow::Cow, fmt, os::fd::AsFd};

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    pub color: bool,
    /// Columns that a line should fit in.
    pub width: usize,
}

impl Style {
    /// No colours, lines of 160 columns: for files and pipes.
    pub const PLAIN: Self = Self { color: false, width: 160 };

    /// For the descriptor that is printed to: colours on a terminal only, unless `NO_COLOR` is set or the terminal is `dumb`.
    pub fn detect(fd: impl AsFd) -> Self {
        if !rustix::termios::isatty(&fd) {
            return Self::PLAIN;
        }
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let width = rustix::termios::tcgetwinsize(&fd).map_or(0, |w| usize::from(w.ws_col));
        Self { color: !set("NO_COLOR") && !dumb, width: if width == 0 { 100 } else { width.clamp(60, 200) } }
    }

    pub(super) const fn paint(self, paint: Paint, text: &str) -> Painted<'_> {
        Painted { code: if self.color { Some(paint.code()) } else { None }, text }
    }
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Paint {
    Level(Level),
    Strong,
    Faint,
    Loss,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Level(Level::Critical) => "1;97;41",
            Self::Level(Level::High) => "1;31",
            Self::Level(Level::Medium) => "1;33",
            Self::Level(Level::Low) => "1;36",
            Self::Level(Level::Informational) | Self::Strong => "1",
            Self::Faint => "2",
            Self::Loss => "1;35",
        }
    }
}

/// Text with its colour, if there are colours.
pub(super) struct Painted<'a> {
    code: Option<&'static str>,
    text: &'a str,
}

impl fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "\x1b[{code}m{}\x1b[0m", self.text),
            None => f.write_str(self.text),
        }
    }
}

/// The text, or its beginning and how much is missing.
pub(super) fn clip(text: &str, columns: usize) -> Cow<'_, str> {
    match text.char_indices().nth(columns) {
        None => Cow::Borrowed(text),
        Some(_) => {
            // What it says of the rest needs room, too.
            let end = text.char_indices().nth(columns.saturating_sub(18)).map_or(0, |(end, _)| end);
            let (head, rest) = text.split_at(end);
            Cow::Owned(format!("{head}… ({} more bytes)", rest.len()))
        }
    }
}

/// The arguments as one would type them in a shell, escaped for the terminal.
pub(super) fn command(image: &Image) -> String {
    let mut line = Vec::new();
    for (n, arg) in image.args.iter().enumerate() {
        if n > 0 {
            line.push(b' ');
        }
        // A program that has changed its title has made one argument of it.
        if image.args.len() == 1 || plain(arg.bytes()) {
            line.extend_from_slice(arg.bytes());
        } else {
            line.push(b'\'');
            for b in arg.bytes() {
                if *b == b'\'' {
                    line.extend_from_slice(b"'\\''");
                } else {
                    line.push(*b);
                }
            }
            line.push(b'\'');
        }
    }
    let mut shown = String::with_capacity(line.len());
    // Writing into a string cannot fail.
    let _ = text::escape(&line, &mut shown);
    if image.args_cut {
        shown.push_str(" [arguments incomplete]");
    }
    shown
}

fn plain(arg: &[u8]) -> bool {
    !arg.is_empty() && arg.iter().all(|b| b.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(b) || *b >= 0x80)
}
