//! Makes records in user space: seeds from /proc, loss reports, joined records, and what tests feed in.

use sensor_common::{Header, Span, Task, Tier, Wire, events::loss::Loss, stats::Reason};
use zerocopy::IntoBytes;

/// A record as it would come from a ring. `kind` and `len` of the header are filled in.
pub fn encode<T: Wire>(mut header: Header, payload: &T, tail: &[u8]) -> Vec<u8> {
    let len = size_of::<Header>() + size_of::<T>() + tail.len();
    header.kind = T::KIND as u16;
    header.len = u32::try_from(len).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(len);
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(payload.as_bytes());
    bytes.extend_from_slice(tail);
    bytes
}

/// A loss report, made by the collector itself (`task` is its own).
pub fn loss(time_ns: u64, task: Task, kind: sensor_common::EventKind, reason: Reason, count: u64) -> Vec<u8> {
    let header = Header { time_ns, tier: Tier::UserSpace as u8, task, ..Header::default() };
    encode(header, &Loss { count, kind: u32::from(kind as u16), reason: reason as u32 }, &[])
}

/// The tail of a record in the making.
#[derive(Debug, Default)]
pub struct Tail(Vec<u8>);

impl Tail {
    /// Begins with these bytes, so that spans into them stay as they are.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Adds bytes; the span says where they went. Empty if they do not fit into 32 bits.
    pub fn push(&mut self, bytes: &[u8]) -> Span {
        match (u32::try_from(self.0.len()), u32::try_from(bytes.len())) {
            (Ok(off), Ok(len)) if len > 0 && off.checked_add(len).is_some() => {
                self.0.extend_from_slice(bytes);
                Span { off, len }
            }
            _ => Span::default(),
        }
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
