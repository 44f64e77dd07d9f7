//! User names from the host's /etc/passwd. Not nsswitch: a name service must not be able to block or mislead the sensor.

use crate::text::Text;
use ahash::AHashMap;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// More of the file than this is not read.
const MAX_BYTES: u64 = 4 << 20;
/// More users than this are not kept.
const MAX_USERS: usize = 65_536;
/// Longer names are not kept (useradd allows 32).
const MAX_NAME: usize = 256;

/// Names by user id.
#[derive(Debug, Default)]
pub struct Users {
    names: AHashMap<u32, Text>,
    file: Option<(PathBuf, Option<SystemTime>)>,
}

impl Users {
    /// Reads the file when [`Self::refresh`] is called, now and whenever it has changed. A file that is not there gives no names.
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        let mut users = Self { names: AHashMap::new(), file: Some((path.into(), None)) };
        users.refresh();
        users
    }

    /// Reads the file again if it has changed.
    pub fn refresh(&mut self) {
        let Some((path, seen)) = &mut self.file else { return };
        let modified = std::fs::metadata(&*path).and_then(|m| m.modified()).ok();
        if modified == *seen {
            return;
        }
        *seen = modified;
        let names = read(path);
        // An old name stays the same string, so that whatever was found out about it stays valid.
        self.names = names
            .into_iter()
            .map(|(uid, name)| (uid, self.names.get(&uid).filter(|n| n.bytes() == name).cloned().unwrap_or_else(|| name.into())))
            .collect();
    }

    /// Adds a name, as a recording tells it.
    pub fn insert(&mut self, uid: u32, name: &[u8]) {
        if name.len() <= MAX_NAME && (self.names.len() < MAX_USERS || self.names.contains_key(&uid)) {
            self.names.insert(uid, Text::from(name));
        }
    }

    /// The name of a user.
    pub fn name(&self, uid: u32) -> Option<&Text> {
        self.names.get(&uid)
    }
}

/// User ids and names of a passwd file; the first line of an id counts, as for getpwuid. Lines that are none are passed over.
pub fn read(path: &Path) -> Vec<(u32, Vec<u8>)> {
    let mut bytes = Vec::new();
    if File::open(path).and_then(|f| f.take(MAX_BYTES).read_to_end(&mut bytes)).is_err() {
        return Vec::new();
    }
    let mut seen = ahash::AHashSet::new();
    let users = bytes.split(|b| *b == b'\n').filter_map(|line| {
        let mut parts = line.split(|b| *b == b':');
        let (name, _password, uid) = (parts.next()?, parts.next()?, parts.next()?);
        let uid: u32 = std::str::from_utf8(uid).ok()?.parse().ok()?;
        (!name.is_empty() && name.len() <= MAX_NAME && !matches!(name[0], b'#' | b'+' | b'-') && seen.insert(uid))
            .then(|| (uid, name.to_vec()))
    });
    users.take(MAX_USERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_file_and_bad_lines_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwd");
        std::fs::write(
            &path,
            "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n\nbroken\n:x:3:\nn:x:99999999999:\n+nis:x:7::\nann:x:1000:\n",
        )
        .unwrap();
        let mut users = Users::from_file(&path);
        assert_eq!(users.name(0), Some(&"root".into()));
        assert_eq!(users.name(1000), Some(&"ann".into()));
        assert_eq!((users.name(3), users.name(7)), (None, None));
        let id = users.name(0).unwrap().id();
        std::fs::write(&path, "root:x:0:0::/root:/bin/sh\nben:x:1000:\n").unwrap();
        File::open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        users.refresh();
        assert_eq!(users.name(1000), Some(&"ben".into()));
        assert_eq!(users.name(0).unwrap().id(), id);
    }

    #[test]
    fn without_a_file_there_are_no_names() {
        assert_eq!(Users::from_file("/nonexistent/passwd").name(0), None);
    }
}
