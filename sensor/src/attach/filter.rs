//! The kernel's table of names that rules want to see opens for reading of. Which names those are, `score` says.

use aya::maps::{Array, HashMap as BpfHashMap, MapData};
use sensor_common::{
    filter::{self, FILE, FOLDER, Name, NameSet},
    limits::FILTER_NAME,
};
use std::{collections::HashMap, io};

/// The names themselves, and two sets of their bits in which most opens end.
pub(super) struct ReadFilter {
    names: BpfHashMap<MapData, [u8; FILTER_NAME], u32>,
    sets: Array<MapData, NameSet>,
}

impl ReadFilter {
    /// Around the kernel's maps, which are empty.
    pub(super) fn new(names: BpfHashMap<MapData, [u8; FILTER_NAME], u32>, sets: Array<MapData, NameSet>) -> Self {
        Self { names, sets }
    }

    /// Replaces all names. At no moment is one held back that is in the old ones and in the new ones.
    pub(super) fn set<'a>(&mut self, names: impl IntoIterator<Item = (&'a [u8], bool)>) -> io::Result<()> {
        let mut bits: HashMap<[u8; FILTER_NAME], u32> = HashMap::new();
        for (name, file) in names {
            let mut key = [0; FILTER_NAME];
            key.get_mut(..name.len())
                .ok_or_else(|| io::Error::other(format!("name of {} bytes, at most {FILTER_NAME}", name.len())))?
                .copy_from_slice(name);
            *bits.entry(key).or_default() |= if file { FILE } else { FOLDER };
        }
        let old: Vec<_> = self.names.keys().filter_map(Result::ok).filter(|k| !bits.contains_key(k)).collect();
        for what in [FILE, FOLDER] {
            let index = what - 1;
            let mut set = self.sets.get(&index, 0).map_err(io::Error::other)?;
            for key in bits.iter().filter(|(_, bits)| *bits & what != 0).map(|(key, _)| key) {
                add(&mut set, key);
            }
            self.sets.set(index, set, 0).map_err(io::Error::other)?;
        }
        for (key, value) in &bits {
            self.names.insert(key, value, 0).map_err(io::Error::other)?;
        }
        for key in old {
            self.names.remove(&key).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// Bits of names that are gone stay: they cost a look into the table.
fn add(set: &mut NameSet, key: &[u8; FILTER_NAME]) {
    let mut name: Name = [0; FILTER_NAME / 8];
    for (word, bytes) in name.iter_mut().zip(key.as_chunks().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    let (word, bit) = filter::bit(&name);
    if let Some(word) = set.get_mut(word) {
        *word |= bit;
    }
}
