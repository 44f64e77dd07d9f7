//! Where things are. All that xtask makes is under `target/` of the repository.

use std::path::{Path, PathBuf};

/// The top folder of the repository.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable when it runs us; the compiled-in value serves a binary that was started by hand.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).parent().unwrap_or(Path::new(".")).to_path_buf()
}

/// A path below the top folder.
pub(crate) fn at(relative: &str) -> PathBuf {
    root().join(relative)
}

/// Tools that are built here because no package has them.
pub(crate) fn tool(name: &str) -> PathBuf {
    at("target/tools/bin").join(name)
}

/// The kernel programs as `sensor/build.rs` embeds them.
pub(crate) fn bpf_object() -> PathBuf {
    at("target/bpf/sensor.bpf.o")
}

/// A path as a user wants to read it: relative to the top folder where possible.
pub(crate) fn show(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
