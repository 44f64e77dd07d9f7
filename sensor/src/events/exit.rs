//! `exit`: the wait status, taken apart.

use super::Body;
use sensor_common::events::exit::Exit as Wire;

/// Payload to a body.
pub fn body(wire: &Wire) -> Body {
    let signal = u8::try_from(wire.status & 0x7f).ok().filter(|s| *s != 0);
    let code = u8::try_from(wire.status >> 8 & 0xff).ok().filter(|_| signal.is_none());
    Body::Exit { code, signal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_code_or_a_signal() {
        let parts = |status| match body(&Wire { status, pad: 0 }) {
            Body::Exit { code, signal } => (code, signal),
            other => panic!("{other:?}"),
        };
        assert_eq!(parts(0), (Some(0), None));
        assert_eq!(parts(127 << 8), (Some(127), None));
        assert_eq!(parts(9), (None, Some(9)));
        assert_eq!(parts(0x80 | 11), (None, Some(11)), "with a core dump");
        assert_eq!(parts(u32::MAX), (None, Some(127)), "no status looks like this; no panic either");
    }
}
