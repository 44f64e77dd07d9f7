//! Strings with wildcards: `*` is any bytes, `?` one character.

/// Piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// These bytes (in lower case unless the pattern is cased).
    Bytes(Box<[u8]>),
    /// `?`
    One,
    /// `*`
    Many,
}

/// A pattern for a whole string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    pub(crate) parts: Vec<Part>,
    pub(crate) cased: bool,
}

impl Glob {
    /// Whether the whole of `bytes` fits. Takes at most length × pattern steps: only the last `*` is ever tried again.
    pub(crate) fn matches(&self, bytes: &[u8]) -> bool {
        let (mut part, mut at) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let step = match self.parts.get(part) {
                None if at == bytes.len() => return true,
                None => None,
                Some(Part::Many) => {
                    retry = Some((part + 1, at));
                    Some(at)
                }
                Some(Part::One) => one(bytes, at),
                Some(Part::Bytes(wanted)) => bytes
                    .get(at..at + wanted.len())
                    .filter(|have| if self.cased { *have == &wanted[..] } else { have.eq_ignore_ascii_case(wanted) })
                    .map(|have| at + have.len()),
            };
            match (step, &mut retry) {
                (Some(next), _) => (part, at) = (part + 1, next),
                (None, Some((after, from))) if *from < bytes.len() => {
                    *from += 1;
                    (part, at) = (*after, *from);
                }
                (None, _) => return false,
            }
        }
    }
}

/// Where the character at `at` ends: a UTF-8 character, or a single byte that is none.
fn one(bytes: &[u8], at: usize) -> Option<usize> {
    let first = *bytes.get(at)?;
    let more = match first {
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        _ => 0,
    };
    let whole = bytes.get(at + 1..at + 1 + more).is_some_and(|rest| rest.iter().all(|b| b & 0xc0 == 0x80));
    Some(if whole { at + 1 + more } else { at + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str) -> Glob {
        let mut parts = Vec::new();
        for c in pattern.split_inclusive(['*', '?']) {
            let plain = c.trim_end_matches(['*', '?']);
            if !plain.is_empty() {
                parts.push(Part::Bytes(plain.as_bytes().into()));
            }
            match c.as_bytes().last() {
                Some(b'*') => parts.push(Part::Many),
                Some(b'?') => parts.push(Part::One),
                _ => {}
            }
        }
        Glob { parts, cased: false }
    }

    #[test]
    fn wildcards_match_as_a_shell_would() {
        for (pattern, text, wanted) in [
            ("/etc/*version", "/etc/debian_version", true),
            ("/etc/*version", "/etc/version", true),
            ("/etc/*version", "/etc/version.d", false),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "acb", false),
            ("*", "", true),
            ("?", "", false),
            ("?", "\u{e9}", true),
            ("??", "\u{e9}", false),
            ("?", "x", true),
            ("a?c", "ABC", true),
            ("a*a", "a", false),
            ("*ab", "aaab", true),
            ("*line*", "two\nlines", true),
        ] {
            assert_eq!(glob(pattern).matches(text.as_bytes()), wanted, "{pattern} {text}");
        }
        assert!(glob("x?y").matches(b"x\xffy"), "a byte that is no UTF-8 is one character");
    }

    #[test]
    fn a_hostile_string_does_not_take_exponential_time() {
        assert!(!glob(&"*a".repeat(30)).matches(&b"b".repeat(65536)));
        assert!(!glob(&format!("{}b", "a*".repeat(30))).matches(&b"a".repeat(65536)));
    }
}
