//! `chown`: owner or group was set; u32::MAX on the wire leaves it as it is.

use super::{
    Body,
    convert::{BadSpan, Cx, outcome},
};
use sensor_common::events::chown::Chown as Wire;

/// Payload and tail to a body.
///
/// # Errors
/// A span leaves the tail.
pub fn body(wire: &Wire, cx: &mut Cx<'_>) -> Result<Body, BadSpan> {
    let changed = |id: u32| (id != u32::MAX).then_some(id);
    let (owner, group) = (changed(wire.owner), changed(wire.group));
    Ok(Body::Chown { outcome: outcome(wire.result), file: cx.file(&wire.file)?, owner, group })
}
