//! Makes the files of this repository that are generated from a declaration and committed: run by `cargo xtask codegen`.
//!
//! One module per kind of file; each has a `run(check)` that writes, or compares and fails on a difference.

#[cfg(feature = "docs")]
mod docs;
#[cfg(feature = "docs")]
mod picture;
mod proto;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--check"] => true,
        _ => bail!("usage: codegen [--check]"),
    };
    proto::run(check)?;
    #[cfg(feature = "docs")]
    docs::run(check)?;
    Ok(())
}
