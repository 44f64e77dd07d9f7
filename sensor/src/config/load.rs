//! Reads a configuration file and reports everything that is wrong with it at once. Either all of it is right, or none of it is used.

use super::schema::Config;
use crate::text;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};
use toml::de::{DeTable, DeValue};

/// A longer file is none of ours.
const MAX_BYTES: u64 = 1 << 20;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error(transparent)]
    Invalid(#[from] Problems),
}

/// All that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file.
    pub file: PathBuf,
    /// In the order of the file; never empty.
    pub list: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// `section.key`, or empty where the file is not TOML.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do, or empty.
    pub hint: String,
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.list.len();
        write!(f, "{n} {} in the configuration:", if n == 1 { "problem" } else { "problems" })?;
        for p in &self.list {
            write!(f, "\n  {}:{}:{}: ", self.file.display(), p.line, p.column)?;
            if !p.key.is_empty() {
                text::escape(p.key.as_bytes(), f)?;
                f.write_str(": ")?;
            }
            text::escape(p.message.as_bytes(), f)?;
            if !p.hint.is_empty() {
                write!(f, " ({})", p.hint)?;
            }
        }
        Ok(())
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let read = |source| LoadError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.len() > MAX_BYTES {
            return Err(read(io::Error::other(format!("it is longer than {MAX_BYTES} bytes"))));
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::parse(&text).map_err(|list| Problems { file: path.to_owned(), list }.into())
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// All that is wrong, in the order of the text.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut config = Self::default();
        let mut problems = Vec::new();
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            problems.push((error.span().map_or(0, |s| s.start), String::new(), error.message().to_owned(), String::new()));
        }
        for (section, content) in table.get_ref() {
            let name = section.get_ref().as_ref();
            let at = section.span().start;
            let keys = Self::keys(name);
            match content.get_ref() {
                _ if keys.is_empty() => {
                    problems.push((at, name.to_owned(), "there is no such table".to_owned(), nearest(name, Self::SECTIONS)))
                }
                DeValue::Table(table) => config.section(name, table, &mut problems),
                _ => problems.push((at, name.to_owned(), "this is a table".to_owned(), format!("write [{name}] and the keys below it"))),
            }
        }
        if problems.is_empty() {
            return Ok(config);
        }
        problems.sort();
        Err(problems
            .into_iter()
            .map(|(at, key, message, hint)| {
                let (line, column) = position(text, at);
                Problem { line, column, key, message, hint }
            })
            .collect())
    }

    fn section(&mut self, section: &str, table: &DeTable<'_>, problems: &mut Vec<(usize, String, String, String)>) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let full = format!("{section}.{name}");
            match self.set(section, name, value.get_ref()) {
                Some(Ok(())) => {}
                Some(Err(message)) => problems.push((value.span().start, full, message, String::new())),
                None => problems.push((key.span().start, full, "there is no such key".to_owned(), nearest(name, Self::keys(section)))),
            }
        }
    }
}

/// A hint at the name that was meant, or at all there are.
fn nearest(name: &str, known: &[&str]) -> String {
    let best = known.iter().map(|k| (strsim::normalized_damerau_levenshtein(name, k), k)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, known)) if likeness >= 0.5 => format!("did you mean {known}?"),
        _ => format!("there are {}", known.join(", ")),
    }
}

/// Line and column of a byte.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let list = Config::parse(text).expect_err("no problem found");
        Problems { file: "s.toml".into(), list }.to_string()
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        assert_eq!(Config::parse(""), Ok(Config::default()));
    }

    #[test]
    fn values_are_taken() {
        let config = Config::parse(
            "[rules]\ndirectories = ['a', \"b\"]\n[rings]\nfile_bytes = \"1 MiB\"\ncritical_bytes = 0x10_0000\n[output]\nformat='json'\nevents=true\n[listen]\naddress = 'none'\n",
        )
        .unwrap();
        assert_eq!(config.rules.directories.0, [PathBuf::from("a"), "b".into()]);
        assert_eq!((config.rings.file_bytes.bytes_u32(), config.rings.critical_bytes.0), (1 << 20, 1 << 20));
        assert_eq!((config.output.events.0, config.listen.address.0), (true, None));
    }

    #[test]
    fn all_problems_come_at_once_with_their_place_and_a_hint() {
        let text = "[ouput]\nevents = true\n[output]\nevent = true\nformat = \"xml\"\n[rings]\nfile_bytes = 3000000\nnetwork_bytes = true\n[collect]\nwindow_ms = 0\n";
        assert_eq!(
            shown(text),
            "6 problems in the configuration:
  s.toml:1:2: ouput: there is no such table (did you mean output?)
  s.toml:4:1: output.event: there is no such key (did you mean events?)
  s.toml:5:10: output.format: \"text\", \"json\" or \"none\" expected
  s.toml:7:14: rings.file_bytes: a size from 4 KiB to 1 GiB, a power of two: bytes, or such as \"8 MiB\" expected
  s.toml:8:17: rings.network_bytes: true or false given, a size from 4 KiB to 1 GiB, a power of two: bytes, or such as \"8 MiB\" expected
  s.toml:10:13: collect.window_ms: out of range, an integer from 1 to 10000 expected"
        );
    }

    #[test]
    fn what_is_no_toml_is_reported_with_its_line() {
        let text = shown("[output]\nevents = \n[rings\nfile_bytes = 1\n");
        assert!(text.contains("s.toml:2:") && text.contains("s.toml:3:"), "{text}");
        assert!(shown("output = 3").contains("write [output] and the keys below it"));
        assert!(shown("\u{1b}[31m = 1").contains("s.toml:1:1"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Config::load(Path::new("/nonexistent/s.toml")).unwrap_err().to_string();
        assert_eq!(error, "cannot read the configuration /nonexistent/s.toml: No such file or directory (os error 2)");
    }

    #[test]
    fn bad_addresses_and_lists() {
        for bad in ["''", "'unix:'", "'host'", "'http://h'", "'h:99999'", "'https://h:1'", "3"] {
            assert!(shown(&format!("[listen]\naddress = {bad}\n")).contains("listen.address"), "{bad}");
        }
        assert!(shown("[rules]\ndirectories = ['a', 3]").contains("an integer in the list"));
        assert!(shown("[rules]\ndirectories = 'a'").contains("a list of paths expected"));
    }
}
