//! `accept`: both ends come from the new socket; the caller names neither.

use super::{
    Body,
    convert::{BadSpan, Cx, Named, outcome},
};
use sensor_common::events::accept::Accept as Wire;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    Ok(Body::Accept { outcome: outcome(wire.result), socket: cx.socket(&wire.sock, Named::None)? })
}
