//! Byte layout of a recording. All numbers of the frame are little endian; records are as the machine wrote them (see `byte_order`).
//!
//! ```text
//! file    = preamble frame*                     the first frame is a host frame, the last one an end frame
//! preamble, 16 bytes:
//!   0..8    "SENSREC\n"
//!   8..12   format version u32, now 1
//!   12..16  WIRE_VERSION u32 of the records
//! frame:
//!   0..4    type u32
//!   4..8    length of the body in bytes u32, at most 4 MiB
//!   8..     body
//!   4 bytes CRC-32 (IEEE) u32 of type, length and body
//! bodies by type:
//!   1 host     JSON object, see `Host`
//!   2 context  entries: kind u32, length u32, bytes
//!                1 clock    i64: nanoseconds to add to boot time to get nanoseconds since 1970 (UTC)
//!                2 user     uid u32, name
//!                3 cgroup   cgroup v2 id u64, path
//!                4 process  flags u32 (1: pid 1 of its namespace), exec record
//!   3 records  time u64, then entries: length u32, record; the rest of what one look at the rings gave. The time is when that look
//!              began (boot ns, 0 if not known): what comes later is not much older, and a replay may release what is
//!   4 end      number of records in the file u64; nothing follows
//!   5 part     entries as of 3, without the time; more of the same look follows
//! ```
//!
//! What was known before the first record (all processes, cgroups, users, the clock) stands in context frames before the first records
//! frame; later ones tell what became known later. A file without its end frame was cut off, and the reader says so; all whole frames
//! before are good.

use crate::enrich::snapshot::Context;
use serde::{Deserialize, Serialize};

/// First bytes of a file.
pub const MAGIC: &[u8; 8] = b"SENSREC\n";
/// Version of this layout.
pub const FORMAT_VERSION: u32 = 1;
/// Longest body of a frame.
pub const MAX_BODY: usize = 4 << 20;

pub(super) const PREAMBLE: usize = 16;
pub(super) const FRAME_HEAD: usize = 8;
pub(super) const FRAME_CHECK: usize = 4;

pub(super) const HOST: u32 = 1;
pub(super) const CONTEXT: u32 = 2;
pub(super) const RECORDS: u32 = 3;
pub(super) const END: u32 = 4;
pub(super) const PART: u32 = 5;

/// The machine that a recording comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Version of the sensor that recorded.
    pub sensor: String,
    /// `x86_64`, `aarch64`, ...
    pub machine: String,
    /// Kernel release, as `uname -r` gives it.
    pub kernel: String,
    /// Host name.
    pub name: String,
    /// /proc/sys/kernel/random/boot_id: process identities hold within one boot.
    pub boot_id: String,
    /// `little` or `big`: byte order of the records.
    pub byte_order: String,
    /// When the recording began, nanoseconds since 1970 (UTC).
    pub started_wall_ns: u64,
}

impl Host {
    /// This machine, now.
    pub fn this() -> Self {
        use crate::enrich::clock;
        let uname = rustix::system::uname();
        let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            sensor: env!("CARGO_PKG_VERSION").to_owned(),
            machine: text(uname.machine()),
            kernel: text(uname.release()),
            name: text(uname.nodename()),
            boot_id: boot_id.trim().to_owned(),
            byte_order: byte_order().to_owned(),
            started_wall_ns: clock::wall_ns(clock::boot_ns(), clock::offset_ns()),
        }
    }
}

/// The byte order of this machine.
pub(super) fn byte_order() -> &'static str {
    if cfg!(target_endian = "big") { "big" } else { "little" }
}

/// An entry of a context frame.
pub(super) fn put_context(context: &Context, out: &mut Vec<u8>) {
    let (kind, head, bytes): (u32, &[u8], &[u8]) = match context {
        Context::Clock { offset_ns } => (1, &offset_ns.to_le_bytes(), &[]),
        Context::User { uid, name } => (2, &uid.to_le_bytes(), name),
        Context::Cgroup { id, path } => (3, &id.to_le_bytes(), path),
        Context::Process { ns_init, record } => (4, &u32::from(*ns_init).to_le_bytes(), record),
    };
    let length = u32::try_from(head.len() + bytes.len()).unwrap_or(u32::MAX);
    for part in [&kind.to_le_bytes(), &length.to_le_bytes(), head, bytes] {
        out.extend_from_slice(part);
    }
}

/// The next entry of a context frame, and what is behind it; `None` if it is not whole. An entry of a kind that is not known here is
/// passed over (`Some((None, rest))`).
pub(super) fn take_context(body: &[u8]) -> Option<(Option<Context>, &[u8])> {
    let (kind, body) = take_u32(body)?;
    let (bytes, rest) = take_bytes(body)?;
    let context = match kind {
        1 => Context::Clock { offset_ns: i64::from_le_bytes(bytes.try_into().ok()?) },
        2 => take_u32(bytes).map(|(uid, name)| Context::User { uid, name: name.to_vec() })?,
        3 => bytes.split_first_chunk::<8>().map(|(id, path)| Context::Cgroup { id: u64::from_le_bytes(*id), path: path.to_vec() })?,
        4 => take_u32(bytes).map(|(flags, record)| Context::Process { ns_init: flags & 1 != 0, record: record.to_vec() })?,
        _ => return Some((None, rest)),
    };
    Some((Some(context), rest))
}

/// A number and what is behind it.
pub(super) fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk::<4>().map(|(n, rest)| (u32::from_le_bytes(*n), rest))
}

/// Bytes with their length before them, and what is behind.
pub(super) fn take_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = take_u32(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}
