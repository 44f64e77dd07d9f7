//! Metrics, health, shutdown.
