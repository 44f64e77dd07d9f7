//! The wire contract between the kernel programs (`sensor-ebpf`) and the collector (`sensor`), and nothing else.
//!
//! A *record* is what travels through a ring buffer: [`Header`], then the payload of its [`EventKind`], then a *tail* of bytes that the
//! payload's [`Span`]s point into. Everything is little endian as the machine that wrote it; a recording carries the machine's
//! word order and the [`WIRE_VERSION`] in its own header. No allocation, no `std`, no I/O.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod decode;
pub mod events;
pub mod filter;
pub mod header;
pub mod limits;
pub mod offsets;
pub mod span;
pub mod stats;

pub use decode::{DecodeError, Record, Wire, decode};
pub use events::{EventKind, RingClass};
pub use header::{Header, Task, Tier};
pub use span::{Path, Span, Target};

/// Changes whenever a header, a payload or the meaning of a field changes. A recording of another version is refused.
pub const WIRE_VERSION: u32 = 1;
