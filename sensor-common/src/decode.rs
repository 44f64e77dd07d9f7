//! Bytes to [`Record`]: no byte is trusted, nothing panics, no `unsafe`.

use crate::{events::*, header::Header};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A payload that may follow a [`Header`]. Implemented by the registry only.
pub trait Wire: FromBytes + IntoBytes + KnownLayout + Immutable + Copy + 'static {
    /// The number in the header that announces it.
    const KIND: EventKind;
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Fewer bytes than the header or the payload needs.
    Truncated {
        /// Bytes needed.
        need: usize,
        /// Bytes there.
        have: usize,
    },
    /// The header's length differs from that of the record.
    Length {
        /// What the header says.
        header: u32,
        /// Bytes there.
        have: usize,
    },
    /// No event has this number.
    UnknownKind(u16),
    /// No tier has this number.
    UnknownTier(u8),
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Truncated { need, have } => write!(f, "record of {have} bytes, {need} needed"),
            Self::Length { header, have } => write!(f, "record of {have} bytes, its header says {header}"),
            Self::UnknownKind(k) => write!(f, "unknown event kind {k}"),
            Self::UnknownTier(t) => write!(f, "unknown hook tier {t}"),
        }
    }
}

impl core::error::Error for DecodeError {}

pub(crate) fn split(bytes: &[u8]) -> Result<(Header, &[u8]), DecodeError> {
    let (header, rest) =
        Header::read_from_prefix(bytes).map_err(|_| DecodeError::Truncated { need: size_of::<Header>(), have: bytes.len() })?;
    if usize::try_from(header.len).ok() != Some(bytes.len()) {
        return Err(DecodeError::Length { header: header.len, have: bytes.len() });
    }
    if crate::Tier::from_wire(header.tier).is_none() {
        return Err(DecodeError::UnknownTier(header.tier));
    }
    Ok((header, rest))
}

pub(crate) fn payload<T: Wire>(rest: &[u8]) -> Result<(T, &[u8]), DecodeError> {
    T::read_from_prefix(rest).map_err(|_| DecodeError::Truncated { need: size_of::<T>(), have: rest.len() })
}

macro_rules! record {
    ($($id:literal $module:ident $name:ident $class:ident, $doc:literal;)+) => {
        /// A decoded record: header, payload, tail. Spans of the payload are checked when they are used ([`crate::Span::get`]).
        #[derive(Clone, Copy, Debug)]
        pub enum Record<'a> { $(#[doc = $doc] $name(Header, $module::$name, &'a [u8])),+ }

        impl Record<'_> {
            /// The header, whatever the kind.
            pub const fn header(&self) -> &Header {
                match self { $(Self::$name(h, ..) => h),+ }
            }
        }

        /// Decodes exactly one record.
        ///
        /// # Errors
        /// [`DecodeError`] says what is wrong; the bytes are then to be counted as [`crate::stats::Reason::Malformed`].
        pub fn decode(bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
            let (header, rest) = split(bytes)?;
            match EventKind::from_wire(header.kind) {
                None => Err(DecodeError::UnknownKind(header.kind)),
                $(Some(EventKind::$name) => payload::<$module::$name>(rest).map(|(p, tail)| Record::$name(header, p, tail)),)+
            }
        }
    };
}

crate::for_each_event!(record);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tier, span::Span};

    fn exit_record() -> Vec<u8> {
        let len = (size_of::<Header>() + size_of::<exit::Exit>() + 3) as u32;
        let header = Header { kind: EventKind::Exit as u16, tier: Tier::BtfTracepoint as u8, len, time_ns: 7, ..Header::default() };
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(exit::Exit { status: 256, pad: 0 }.as_bytes());
        bytes.extend_from_slice(b"abc");
        bytes
    }

    #[test]
    fn a_record_decodes_to_what_was_written() {
        let bytes = exit_record();
        let Ok(Record::Exit(header, exit, tail)) = decode(&bytes) else { panic!("no exit record") };
        assert_eq!((header.time_ns, exit.status, tail), (7, 256, &b"abc"[..]));
    }

    #[test]
    fn every_shorter_or_longer_record_is_an_error() {
        let bytes = exit_record();
        for n in 0..bytes.len() {
            assert!(decode(&bytes[..n]).is_err(), "{n} bytes decoded");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(decode(&longer).unwrap_err(), DecodeError::Length { header: bytes.len() as u32, have: bytes.len() + 1 });
    }

    #[test]
    fn unknown_kinds_and_tiers_are_named() {
        let mut bytes = exit_record();
        bytes[0] = 0xfe;
        bytes[1] = 0xff;
        assert_eq!(decode(&bytes).unwrap_err(), DecodeError::UnknownKind(0xfffe));
        bytes[2] = 99;
        assert_eq!(decode(&bytes).unwrap_err(), DecodeError::UnknownTier(99));
    }

    #[test]
    fn spans_never_leave_the_tail() {
        let tail = b"abc";
        assert_eq!(Span { off: 1, len: 2 }.get(tail), Some(&b"bc"[..]));
        for span in [Span { off: 1, len: 3 }, Span { off: 4, len: 0 }, Span { off: u32::MAX, len: u32::MAX }] {
            assert_eq!(span.get(tail), None, "{span:?}");
        }
    }
}
