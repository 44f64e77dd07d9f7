//! `unlink`: a name was removed.

use super::{
    Body,
    convert::{BadSpan, Cx, outcome},
};
use sensor_common::events::unlink::Unlink as Wire;

/// From fcntl.h: the call removes a folder.
const AT_REMOVEDIR: u32 = 0x200;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    let outcome = outcome(wire.result);
    Ok(Body::Unlink { outcome, file: cx.file(&wire.file)?, directory: wire.flags & AT_REMOVEDIR != 0 })
}
