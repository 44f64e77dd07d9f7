//! A bounded cache of byte strings: the same bytes give the same [`Text`], so that rules scan a path or an argument that comes again
//! only once. Two strings that fall into the same place push each other out; that costs time, never memory.

use crate::text::Text;
use ahash::RandomState;

/// Places in the cache, a power of two. Worst case in bytes: places times [`LONGEST`].
const PLACES: usize = 1 << 14;
/// Longer strings are not kept: they rarely come again, and an attacker chooses them.
const LONGEST: usize = 256;

/// Interns strings. The seed is random, so that nobody can choose strings that push out others.
pub struct Strings {
    places: Box<[Option<Text>]>,
    hasher: RandomState,
    empty: Text,
    /// Room for a path that is being turned round.
    path: Vec<u8>,
}

impl Default for Strings {
    fn default() -> Self {
        Self { places: vec![None; PLACES].into_boxed_slice(), hasher: RandomState::new(), empty: Text::from(""), path: Vec::new() }
    }
}

impl Strings {
    /// The path whose components come from the file up to the root, as the kernel programs walk: `/passwd/etc` gives `/etc/passwd`.
    pub fn turned(&mut self, leaf_first: &[u8]) -> Text {
        let mut path = std::mem::take(&mut self.path);
        path.clear();
        turn(leaf_first, &mut path);
        let text = self.get(&path);
        self.path = path;
        text
    }

    /// The string of these bytes: the one that was made last time, if it is still here.
    pub fn get(&mut self, bytes: &[u8]) -> Text {
        if bytes.is_empty() {
            return self.empty.clone();
        }
        if bytes.len() > LONGEST {
            return Text::from(bytes);
        }
        let at = usize::try_from(self.hasher.hash_one(bytes) & (PLACES as u64 - 1)).unwrap_or(0);
        match self.places.get_mut(at) {
            Some(Some(text)) if text.bytes() == bytes => text.clone(),
            Some(place) => place.insert(Text::from(bytes)).clone(),
            None => Text::from(bytes),
        }
    }
}

/// Appends the components of a path in the opposite order, each with the `/` before it.
fn turn(leaf_first: &[u8], out: &mut Vec<u8>) {
    let mut rest = leaf_first;
    while let Some((before, component)) = memchr::memrchr(b'/', rest).and_then(|at| rest.split_at_checked(at)) {
        out.extend_from_slice(component);
        rest = before;
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_turned_round_whatever_it_is() {
        for (leaf_first, path) in [("/passwd/etc", "/etc/passwd"), ("/f", "/f"), ("", ""), ("//a", "/a/"), ("x/y", "/yx"), ("///", "///")] {
            assert_eq!(Strings::default().turned(leaf_first.as_bytes()).bytes(), path.as_bytes(), "{leaf_first}");
        }
    }

    #[test]
    fn equal_bytes_share_one_string() {
        let mut strings = Strings::default();
        assert_eq!(strings.get(b"/bin/sh").id(), strings.get(b"/bin/sh").id());
        assert_eq!(strings.get(b"").id(), strings.get(b"").id());
        assert_ne!(strings.get(b"a").id(), strings.get(b"b").id());
    }

    #[test]
    fn the_cache_never_holds_more_than_its_places_and_no_long_strings() {
        let mut strings = Strings::default();
        for n in 0..100_000_u32 {
            strings.get(&n.to_le_bytes());
        }
        let long = vec![b'x'; LONGEST + 1];
        assert_ne!(strings.get(&long).id(), strings.get(&long).id());
        assert!(strings.places.len() == PLACES && strings.places.iter().flatten().all(|t| t.bytes().len() <= LONGEST));
    }
}
