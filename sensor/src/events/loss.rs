//! `loss`: what was lost, as the collector reported it into the stream (or into the recording).

use super::Body;
use sensor_common::{EventKind, events::loss::Loss as Wire, stats::Reason};

/// Payload to a body; `None` if it names a kind or a reason that there is not.
pub fn body(wire: &Wire) -> Option<Body> {
    let kind = EventKind::from_wire(u16::try_from(wire.kind).ok()?)?;
    Some(Body::Loss { kind, reason: Reason::from_wire(wire.reason)?, count: wire.count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_names_and_unknown_ones_nothing() {
        let wire = Wire { count: 12, kind: EventKind::Open as u32, reason: Reason::RingFull as u32 };
        assert!(matches!(body(&wire), Some(Body::Loss { kind: EventKind::Open, reason: Reason::RingFull, count: 12 })));
        assert!(body(&Wire { kind: 1 << 16 | EventKind::Open as u32, ..wire }).is_none());
        assert!(body(&Wire { reason: 99, ..wire }).is_none());
    }
}
