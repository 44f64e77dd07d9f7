//! Wires the stages together: sources → collect → enrich → score → sinks, and stops them in order.
