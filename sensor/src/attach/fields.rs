//! Where kernel structures have the members that probes read, on the running kernel.

use super::{AttachError, btf};
use sensor_common::offsets::{ABSENT, IN_BLOCKS};

macro_rules! offsets {
    ($($name:ident $need:ident $($path:literal)+;)+) => {
        const OFFSETS: &[(&str, bool, &[&str])] = &[$((stringify!($name), offsets!(@ $need), &[$($path),+])),+];
    };
    (@ required) => { true };
    (@ optional) => { false };
}
sensor_common::for_each_offset!(offsets);

/// Offsets of all kernel fields, by the name of the global that takes them.
///
/// # Errors
/// [`AttachError::MissingField`] for the first required member that none of its names is found for, or that is not where probes take it for
/// granted.
pub fn offsets(btf: &btf::Btf) -> Result<Vec<(&'static str, u32)>, AttachError> {
    let offsets = OFFSETS
        .iter()
        .map(|(name, required, paths)| match paths.iter().find_map(|p| btf.offset(p)) {
            Some(offset) => Ok((*name, offset)),
            None if *required => Err(AttachError::MissingField(paths.first().copied().unwrap_or(name))),
            None => Ok((*name, ABSENT)),
        })
        .collect::<Result<Vec<(&str, u32)>, _>>()?;
    for (name, bytes, block) in IN_BLOCKS {
        let offset = offsets.iter().find(|(n, _)| n == name).map(|(_, offset)| *offset);
        let end = offset.and_then(|o| usize::try_from(o).ok()?.checked_add(*bytes));
        if offset != Some(ABSENT) && end.is_none_or(|end| end > *block) {
            return Err(AttachError::MissingField(name));
        }
    }
    for (base, member, distance) in LAYOUT {
        if btf.offset(member).zip(btf.offset(base)).map(|(m, b)| m.wrapping_sub(b)) != Some(*distance) {
            return Err(AttachError::MissingField(member));
        }
    }
    Ok(offsets)
}

/// Members that probes read as a block, with the distance that they take for granted.
const LAYOUT: &[(&str, &str, u32)] = &[
    ("cred.uid", "cred.gid", 4),
    ("cred.uid", "cred.suid", 8),
    ("cred.uid", "cred.sgid", 12),
    ("cred.uid", "cred.euid", 16),
    ("cred.uid", "cred.egid", 20),
    ("cred.uid", "cred.fsuid", 24),
    ("cred.uid", "cred.fsgid", 28),
    ("dentry.d_name", "dentry.d_name.len", 4),
    ("dentry.d_name", "dentry.d_name.name", 8),
    ("upid.nr", "upid.ns", 8),
    ("path.mnt", "path.dentry", 8),
    ("path", "path.mnt", 0),
];
