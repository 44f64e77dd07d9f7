//! The command line.

pub mod tail;
