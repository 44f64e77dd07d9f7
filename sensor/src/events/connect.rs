//! `connect`: the caller names the other end; the kernel's own value wins.

use super::{
    Body,
    convert::{BadSpan, Cx, Named, outcome},
};
use sensor_common::events::connect::Connect as Wire;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    Ok(Body::Connect { outcome: outcome(wire.result), socket: cx.socket(&wire.sock, Named::Remote)? })
}
