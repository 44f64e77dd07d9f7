//! The bytes of records that wait, put one behind the other into blocks.
//!
//! A block is so large that the allocator maps it by itself: what a burst took goes back to the kernel when the burst is over, and the
//! processes and strings that outlive it are not scattered between its remains.

use std::collections::VecDeque;

/// Size of a block: at least glibc's `M_MMAP_THRESHOLD`. Longer records get one of their own.
const BLOCK: usize = 128 << 10;
/// Empty blocks that are always kept.
const SPARE: usize = 2;

/// Where the bytes of a record are. Freed once: it is no copy.
#[derive(Debug)]
pub(super) struct Place {
    /// Number of its block, counted from the first there ever was; wraps.
    block: u32,
    at: u32,
    len: u32,
}

impl Place {
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }
}

/// One without bytes is behind others that are still needed.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// Records in it that still wait.
    waiting: usize,
}

impl Block {
    fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Blocks {
    /// The last one is being filled.
    blocks: VecDeque<Block>,
    /// Number of the first block.
    first: u32,
    spare: Vec<Vec<u8>>,
}

impl Blocks {
    /// Keeps these bytes until [`Self::free`].
    pub(super) fn push(&mut self, bytes: &[u8]) -> Place {
        let mut last = match self.blocks.pop_back() {
            Some(last) if last.room() >= bytes.len() => last,
            full => {
                self.blocks.extend(full.filter(|b| b.waiting > 0));
                let spare = if bytes.len() > BLOCK { None } else { self.spare.pop() };
                Block { bytes: spare.unwrap_or_else(|| Vec::with_capacity(BLOCK.max(bytes.len()))), waiting: 0 }
            }
        };
        let block = self.first.wrapping_add(narrow(self.blocks.len()));
        let place = Place { block, at: narrow(last.bytes.len()), len: narrow(bytes.len()) };
        last.bytes.extend_from_slice(bytes);
        last.waiting += 1;
        self.blocks.push_back(last);
        place
    }

    /// The bytes at a place.
    pub(super) fn get(&self, place: &Place) -> &[u8] {
        let bytes = self.blocks.get(self.index(place)).map_or(&[][..], |b| &b.bytes);
        bytes.get(place.at as usize..).and_then(|b| b.get(..place.len())).unwrap_or_default()
    }

    /// Nobody needs these bytes any more.
    pub(super) fn free(&mut self, place: Place) {
        let index = self.index(&place);
        let is_last = index + 1 == self.blocks.len();
        let Some(block) = self.blocks.get_mut(index) else { return };
        block.waiting -= 1;
        if block.waiting > 0 {
            return;
        }
        block.bytes.clear();
        if is_last {
            return;
        }
        let bytes = std::mem::take(&mut block.bytes);
        if bytes.capacity() == BLOCK {
            self.spare.push(bytes);
        }
        while self.blocks.front().is_some_and(|b| b.bytes.capacity() == 0) {
            self.blocks.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// To be called now and then: gives back an eighth of what is not needed, so that a steady flood finds its blocks again and the
    /// end of one is noticed within a second.
    pub(super) fn shrink(&mut self) {
        let unneeded = self.spare.len().saturating_sub(SPARE);
        self.spare.truncate(self.spare.len() - unneeded.div_ceil(8));
    }

    /// Bytes of memory that records take that wait, with what lies between them and is not needed any more: one record keeps its block.
    pub(super) fn held(&self) -> usize {
        self.blocks.iter().map(|b| b.bytes.capacity()).sum()
    }

    /// Bytes of memory in all.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.held() + self.spare.iter().map(Vec::capacity).sum::<usize>()
    }

    fn index(&self, place: &Place) -> usize {
        place.block.wrapping_sub(self.first) as usize
    }
}

/// Records, blocks and their number are far below 4 GiB: a record's length has 32 bits itself, and what waits is bounded.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_until_they_are_freed_in_any_order() {
        let mut blocks = Blocks::default();
        let record = |n: usize| vec![(n % 251) as u8; n * 37 % 3000];
        let mut places: Vec<_> = (0..2000).map(|n| (n, blocks.push(&record(n)))).collect();
        while !places.is_empty() {
            let (n, place) = places.remove(places.len() * 7 / 11);
            assert_eq!(blocks.get(&place), record(n));
            blocks.free(place);
        }
        (0..100).for_each(|_| blocks.shrink());
        assert!(blocks.capacity() <= (SPARE + 1) * BLOCK, "{}", blocks.capacity());
    }

    #[test]
    fn one_that_waits_long_keeps_its_own_block_only() {
        let mut blocks = Blocks::default();
        let long = blocks.push(b"long");
        for n in 0..100_000_u32 {
            let place = blocks.push(&[n as u8; 300]);
            blocks.free(place);
        }
        assert_eq!(blocks.get(&long), b"long");
        assert!(blocks.capacity() <= (SPARE + 2) * BLOCK, "{}", blocks.capacity());
    }

    #[test]
    fn a_record_larger_than_a_block_has_one_of_its_own() {
        let mut blocks = Blocks::default();
        let (small, large) = (blocks.push(b"small"), blocks.push(&vec![7; BLOCK + 1]));
        assert_eq!((blocks.get(&small), blocks.get(&large).len()), (&b"small"[..], BLOCK + 1));
        blocks.free(small);
        blocks.free(large);
        let next = blocks.push(&[8; BLOCK + 2]);
        assert_eq!(blocks.get(&next).len(), BLOCK + 2);
        blocks.free(next);
        let last = blocks.push(b"last");
        assert_eq!((blocks.get(&last), blocks.blocks.len()), (&b"last"[..], 1));
    }
}
