//! What both sides compute of the names that rules want to see opens for reading of: a bit per name in a set that is small enough to be
//! looked at for every open. A bit that is not set says that no rule asks for the name; the table of the names themselves has the last word.

use crate::limits::FILTER_NAME;

/// Value of a name in the table: rules ask for files of that name. Their set is at index `FILE - 1`.
pub const FILE: u32 = 1;
/// Value of a name in the table, or a further bit of it: rules ask for files in a folder of that name.
pub const FOLDER: u32 = 2;

/// A name, NUL padded, in words of the machine's order.
pub type Name = [u64; FILTER_NAME / 8];

/// Words of a set.
pub const WORDS: usize = 64;

/// A set of names by their bits. 512 bytes.
pub type NameSet = [u64; WORDS];

/// Bit of a name: word, and bit in it.
#[inline(always)]
pub const fn bit(name: &Name) -> (usize, u64) {
    // Multiply and fold: a name has few bits that differ from another's, and all of them must reach the top.
    let mut hash = 0_u64;
    let mut i = 0;
    while i < name.len() {
        hash = (hash ^ name[i]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
        i += 1;
    }
    let hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_spread_over_the_set() {
        let mut set: NameSet = [0; WORDS];
        for n in 0..512_u64 {
            let mut text = [0_u8; FILTER_NAME];
            text[..8].copy_from_slice(format!("file-{n:03}").as_bytes());
            let mut name: Name = [0; FILTER_NAME / 8];
            for (word, bytes) in name.iter_mut().zip(text.chunks_exact(8)) {
                *word = u64::from_ne_bytes(bytes.try_into().unwrap());
            }
            let (word, bit) = bit(&name);
            set[word] |= bit;
        }
        // 512 balls into 4096 boxes: 481 are hit on average, with a deviation of 5.
        let hit: u32 = set.iter().map(|w| w.count_ones()).sum();
        assert!((450..=512).contains(&hit), "{hit} bits for 512 names");
    }
}
