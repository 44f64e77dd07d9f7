//! `connect`: the caller names the other end; the kernel's own value wins.

use super::{
    Body, Outcome,
    convert::{BadSpan, Cx, Named, outcome},
};
use sensor_common::events::connect::Connect as Wire;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    let outcome = match outcome(wire.result) {
        // Under way, and the caller is told later: a non-blocking connect has not failed.
        Outcome::Failure(libc::EINPROGRESS) => Outcome::Unknown,
        outcome => outcome,
    };
    Ok(Body::Connect { outcome, socket: cx.socket(&wire.sock, Named::Remote)? })
}
