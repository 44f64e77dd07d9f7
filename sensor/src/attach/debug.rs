//! Where the kernel programs' log lines go (feature `debug-probes`): standard error. For debugging a probe, not for production.

use log::{Log, Metadata, Record};
use std::io::Write as _;

/// Writes each line to standard error.
pub(crate) struct StandardError;

impl Log for StandardError {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // Where standard error is closed nobody listens.
        let _ = writeln!(std::io::stderr().lock(), "probe: {}", record.args());
    }

    fn flush(&self) {}
}
