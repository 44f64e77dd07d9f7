//! Settings: types with documentation and defaults, and a loader that reports all problems at once.
