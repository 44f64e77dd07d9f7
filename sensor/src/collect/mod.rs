//! Stage 1: records from the kernel (or a recording), joined and in order of kernel time.

/// Where raw records come from: the kernel's rings or a recording.
pub trait Source {
    /// Hands over all records that are there now, the most important ring first, each exactly as it came. Never blocks.
    ///
    /// # Errors
    /// The source is broken (a damaged recording); what came before has been handed over.
    fn drain(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Progress, SourceError>;
}

/// Whether a [`Source`] may still have something later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More may come.
    Open,
    /// That was the last record.
    End,
}

/// A [`Source`] cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);
