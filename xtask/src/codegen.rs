//! `cargo xtask codegen`: files that are made from a declaration and committed, so that a build needs no generator.
//!
//! The generator is a test (`tests/codegen.rs`): what it needs is not compiled for anybody who only wants to build and run the sensor.

use crate::shell;
use anyhow::Result;

/// Generates, or with `check` compares and fails on a difference.
pub(crate) fn run(check: bool) -> Result<()> {
    shell::step("Protocol", "Rust from proto/sensor/v1, into sensor/src/proto.");
    let mut cargo = shell::cargo();
    cargo.args(["test", "--quiet", "--package", "sensor-tests", "--test", "codegen"]);
    shell::run(cargo.env("SENSOR_CODEGEN", if check { "check" } else { "write" }))
}
