//! Recordings: the raw stream in a file, for a replay with no root and no kernel. Holds what is in [`format`]; says nothing about events.

pub mod format;
mod reader;
mod writer;

pub use format::Host;
pub use reader::{Reader, RecordingError};
pub use writer::{Storage, WriteError, Writer};

#[cfg(test)]
mod tests;
