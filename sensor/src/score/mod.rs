//! Stage 4: rules and the process tree's score. Pure: no I/O but loading rules, no clock, no async.
