//! Byte strings from the kernel: shared, comparable by identity, never assumed to be UTF-8.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// An immutable byte string. Clones share the bytes and the [`id`](Text::id), so that work done on one string (a rule scan, say) need
/// not be done again while it lives. Equality and hashing go by the bytes.
#[derive(Clone)]
pub struct Text(Arc<Inner>);

struct Inner {
    id: u64,
    bytes: Box<[u8]>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Text {
    /// A new string with an id of its own.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(Arc::new(Inner { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), bytes: bytes.into() }))
    }

    /// Never the same for two strings that were made apart, even if their bytes are equal; never used again.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The bytes as the kernel gave them.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// No bytes at all.
    pub fn is_empty(&self) -> bool {
        self.0.bytes.is_empty()
    }

    /// The part behind the last `/`, or everything.
    pub fn basename(&self) -> &[u8] {
        basename(self.bytes())
    }

    /// As text for machines: invalid UTF-8 becomes U+FFFD. Control characters stay (JSON escapes them).
    pub fn lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }
}

/// The part behind the last `/`, or everything.
pub fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}

impl From<&str> for Text {
    fn from(s: &str) -> Self {
        Self::new(s.as_bytes())
    }
}

impl From<&[u8]> for Text {
    fn from(s: &[u8]) -> Self {
        Self::new(s)
    }
}

impl From<Vec<u8>> for Text {
    fn from(s: Vec<u8>) -> Self {
        Self::new(s)
    }
}

impl From<String> for Text {
    fn from(s: String) -> Self {
        Self::new(s.into_bytes())
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.bytes() == other.bytes()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl std::borrow::Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        self.bytes()
    }
}

/// Safe on a terminal: control characters and invalid UTF-8 are escaped as `\x1b`, line breaks as `\n`.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.bytes(), f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        escape(self.bytes(), f)?;
        f.write_str("\"")
    }
}

/// Writes bytes so that no terminal obeys them: control characters, bidirectional overrides and invalid UTF-8 are escaped.
///
/// # Errors
/// Those of the writer.
pub fn escape(bytes: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.write_str("\\n")?,
                '\t' => out.write_str("\\t")?,
                '\r' => out.write_str("\\r")?,
                // Escapes, DEL, C1 controls; invisible and direction-changing characters that make a name look like another.
                c if c.is_control()
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}') =>
                {
                    write!(out, "\\u{{{:x}}}", u32::from(c))?;
                }
                c => out.write_char(c)?,
            }
        }
        for b in chunk.invalid() {
            write!(out, "\\x{b:02x}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_never_sees_a_control_character() {
        assert_eq!(Text::from(&b"a\x1b[31m\nb\xff\xc3\xa9\xe2\x80\xae"[..]).to_string(), "a\\u{1b}[31m\\nb\\xffé\\u{202e}");
    }

    #[test]
    fn clones_share_their_id_and_equal_strings_do_not() {
        let (a, b) = (Text::from("x"), Text::from("x"));
        assert_eq!(a.clone().id(), a.id());
        assert_ne!(a.id(), b.id());
        assert_eq!(a, b);
    }
}
