//! Stage 0: kernel features, BTF field offsets, hook tiers, verdicts, canaries.

pub mod object;
