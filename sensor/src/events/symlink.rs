//! `symlink`: what it points to is any text, kept as it was written.

use super::{
    Body,
    convert::{BadSpan, Cx, outcome},
};
use sensor_common::events::symlink::Symlink as Wire;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    let target = cx.string(&wire.text)?.unwrap_or_else(|| cx.strings.get(b""));
    Ok(Body::Symlink { outcome: outcome(wire.result), target, link: cx.file(&wire.link)? })
}
