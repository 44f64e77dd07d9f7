//! A runtime attack sensor for Linux. The folder list is the data flow; see ARCHITECTURE.md.
//!
//! `attach` → `collect` → `events` → `enrich` → `score` → `sink`, with `telemetry` beside all of them.

pub mod app;
pub mod attach;
pub mod cli;
pub mod collect;
pub mod config;
pub mod enrich;
pub mod events;
pub mod finding;
pub mod process;
pub mod proto;
pub mod score;
pub mod sink;
pub mod telemetry;
pub mod text;

// Test data is written with the crate's outside name, because the tests package uses it, too.
#[cfg(test)]
extern crate self as sensor;
