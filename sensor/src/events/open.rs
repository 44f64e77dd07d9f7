//! `open`: the file with what the kernel says of its inode.

use super::{
    Body,
    convert::{BadSpan, Cx, outcome},
};
use sensor_common::events::open::{Open as Wire, open_flags};

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    let mut file = cx.file(&wire.file)?;
    (file.inode, file.dev, file.mode) = (wire.inode, wire.dev, wire.file_mode);
    // Without an inode nothing is known of the file (the open failed): 0 is then no owner.
    file.owner = (wire.inode != 0).then_some(wire.owner);
    let created = wire.state & open_flags::CREATED != 0;
    Ok(Body::Open { outcome: outcome(wire.result), file, flags: wire.flags, mode: wire.mode & 0o7777, created })
}
