//! Remembers which predicates a string fulfils, so that the strings of a long-lived process are scanned once and not at each event.

/// Strings shorter than this are scanned as fast as they are looked up.
const SHORTEST: usize = 24;
/// Longer lists are not remembered: few strings fulfil more.
const LONGEST_LIST: usize = 14;
/// Entries, 72 bytes each; a string takes the place of another one with the same hash.
const ENTRIES: usize = 1 << 13;

/// A cache of fixed size from a string's identity (and the matcher that scanned it) to its predicates.
pub(crate) struct Memo {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    /// [`crate::text::Text::id`], 0 for none.
    text: u64,
    matcher: u32,
    len: u32,
    list: [u32; LONGEST_LIST],
}

impl Memo {
    pub(crate) fn new() -> Self {
        Self { entries: vec![Entry::default(); ENTRIES] }
    }

    /// Calls `found` with the predicates of a string of `len` bytes, found by `scan` if they are not known.
    pub(crate) fn visit(
        &mut self,
        (text, len): (u64, usize),
        matcher: u32,
        found: &mut impl FnMut(u32),
        scan: impl FnOnce(&mut dyn FnMut(u32)),
    ) {
        let hash = (text ^ (u64::from(matcher) << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let slot = usize::try_from(hash).unwrap_or(0) % ENTRIES;
        let Some(entry) = self.entries.get_mut(slot).filter(|_| len >= SHORTEST) else { return scan(found) };
        if entry.text == text && entry.matcher == matcher {
            entry.list.iter().take(entry.len as usize).for_each(|p| found(*p));
            return;
        }
        let mut count = 0;
        scan(&mut |p| {
            if let Some(place) = entry.list.get_mut(count) {
                *place = p;
            }
            count += 1;
            found(p);
        });
        // Too many to keep: nobody's entry then, and scanned again the next time.
        let (text, len) = if count <= LONGEST_LIST { (text, u32::try_from(count).unwrap_or(0)) } else { (0, 0) };
        (entry.text, entry.matcher, entry.len) = (text, matcher, len);
    }
}
