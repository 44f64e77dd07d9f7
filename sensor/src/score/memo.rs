//! Remembers which predicates a string fulfils, so that the strings of a long-lived process are scanned once and not at each event.

/// Strings shorter than this are scanned as fast as they are looked up.
const SHORTEST: usize = 24;
/// Longer lists are not kept: they are rare, and memory is bounded by them.
const LONGEST_LIST: usize = 64;
/// Entries; a string takes the place of another one with the same hash.
const ENTRIES: usize = 1 << 13;

/// A bounded cache from a string's identity (and the matcher that scanned it) to its predicates.
pub(crate) struct Memo {
    entries: Vec<Entry>,
}

#[derive(Clone, Default)]
struct Entry {
    /// [`crate::text::Text::id`], 0 for none.
    text: u64,
    matcher: u32,
    list: Vec<u32>,
}

impl Memo {
    pub(crate) fn new() -> Self {
        Self { entries: vec![Entry::default(); ENTRIES] }
    }

    /// The list for a string, scanned by `scan` if it is not known. `None` if the string is not worth remembering: scan it.
    pub(crate) fn list(&mut self, text: u64, len: usize, matcher: u32, scan: impl FnOnce(&mut Vec<u32>)) -> Option<&[u32]> {
        if len < SHORTEST {
            return None;
        }
        let hash = (text ^ (u64::from(matcher) << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let slot = usize::try_from(hash).ok()? % ENTRIES;
        let entry = self.entries.get_mut(slot)?;
        if entry.text != text || entry.matcher != matcher {
            // A hostile string can make a long list; its room is not kept.
            if entry.list.capacity() > 2 * LONGEST_LIST {
                entry.list = Vec::new();
            }
            entry.list.clear();
            scan(&mut entry.list);
            (entry.text, entry.matcher) = (text, matcher);
            if entry.list.len() > LONGEST_LIST {
                // Given out this once; the next look-up scans again.
                entry.text = 0;
            }
        }
        Some(&entry.list)
    }
}
