//! `cgroup`: what it is called. Which container that is, `enrich` knows.

use super::convert::{BadSpan, Cx};
use crate::text::Text;
use sensor_common::{events::cgroup::Cgroup as Wire, span::path_flags};

/// Id and path; an empty one if it could not be read.
///
/// # Errors
/// A span leaves the tail.
pub fn named(wire: &Wire, cx: &mut Cx<'_>) -> Result<(u64, Text), BadSpan> {
    let path = cx.bytes(wire.path.span)?;
    Ok((wire.id, cx.strings.get(if wire.path.flags & path_flags::FAULT == 0 { path } else { &[] })))
}
