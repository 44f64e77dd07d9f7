//! `cargo xtask codegen`: files that are made from a declaration and committed, so that a build needs no generator.
//!
//! The generators are a package of their own, `xtask/codegen`: they need much that nothing else here needs.

use crate::shell;
use anyhow::Result;

/// Generates, or with `check` compares and fails on a difference.
pub(crate) fn run(check: bool) -> Result<()> {
    if !check {
        shell::step("Generate code and documents", "from proto/ and from the declarations in the sensor");
    }
    // The protocol first, by itself: the sensor, which the documents come out of, may not compile before.
    let parts: &[&[&str]] = if check { &[&[]] } else { &[&["--no-default-features"], &[]] };
    for features in parts {
        let mut cargo = shell::cargo();
        cargo.args(["run", "--quiet", "--package", "codegen"]).args(*features).arg("--");
        if check {
            cargo.arg("--check");
        }
        shell::output(&mut cargo)?;
    }
    Ok(())
}
