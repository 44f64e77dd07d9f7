//! `rename`: a name was changed.

use super::{
    Body,
    convert::{BadSpan, Cx, outcome},
};
use sensor_common::events::rename::Rename as Wire;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    Ok(Body::Rename { outcome: outcome(wire.result), old: cx.file(&wire.old)?, new: cx.file(&wire.new)?, flags: wire.flags })
}
