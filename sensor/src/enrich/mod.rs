//! Stage 3: process tree, containers, users, clock.
