//! `chmod`: permission bits were set.

use super::{
    Body,
    convert::{BadSpan, Cx, outcome},
};
use sensor_common::events::chmod::Chmod as Wire;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    Ok(Body::Chmod { outcome: outcome(wire.result), file: cx.file(&wire.file)?, mode: wire.mode & 0o7777 })
}
