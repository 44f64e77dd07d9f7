//! `bind`: the caller names the own end; the kernel knows the port it really gave (port 0 asks for any).

use super::{
    Body,
    convert::{BadSpan, Cx, Named, outcome},
};
use sensor_common::events::bind::Bind as Wire;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    Ok(Body::Bind { outcome: outcome(wire.result), socket: cx.socket(&wire.sock, Named::Local)? })
}
