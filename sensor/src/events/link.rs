//! `link`: a further name for a file.

use super::{
    Body,
    convert::{BadSpan, Cx, outcome},
};
use sensor_common::events::link::Link as Wire;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    Ok(Body::Link { outcome: outcome(wire.result), old: cx.file(&wire.old)?, new: cx.file(&wire.new)? })
}
