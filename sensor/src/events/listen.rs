//! `listen`: the own end comes from the socket.

use super::{
    Body,
    convert::{BadSpan, Cx, Named, outcome},
};
use sensor_common::events::listen::Listen as Wire;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    Ok(Body::Listen { outcome: outcome(wire.result), socket: cx.socket(&wire.sock, Named::None)?, backlog: wire.backlog })
}
