//! Rust from `proto/`: messages, client and server into `sensor/src/proto/`, which is committed, so that a build needs neither `protoc` nor
//! this step. Run it after a change of a .proto; a test fails when that was forgotten.

use anyhow::{Context, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

const PROTOS: &[&str] = &["sensor/v1/events.proto", "sensor/v1/findings.proto", "sensor/v1/service.proto"];
const GENERATED: &str = "sensor.v1.rs";
const HEAD: &str = "// Generated from proto/sensor/v1 by `cargo xtask codegen`. Not for editing.\n";

/// Generates the code; with `check` compares it with what is committed and changes nothing.
///
/// # Errors
/// A .proto that does not compile (with file and line), a folder that cannot be written, or, with `check`, code that is out of date.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("not in xtask/codegen")?;
    let target = root.join("sensor/src/proto").join(GENERATED);
    let new = generate(&root.join("proto"))?;
    let old = fs::read_to_string(&target).unwrap_or_default();
    if old == new {
        return Ok(());
    }
    if check {
        bail!("{} is not what proto/ says: run `cargo xtask codegen` and commit the result", target.display());
    }
    fs::write(&target, new).with_context(|| format!("cannot write {}", target.display()))
}

fn generate(protos: &Path) -> anyhow::Result<String> {
    let mut compiler = protox::Compiler::new([protos])?;
    compiler.include_source_info(true).include_imports(true).open_files(PROTOS)?;
    let out = Scratch::new()?;
    tonic_prost_build::configure()
        .out_dir(&out.0)
        // Strings of the kernel go through without a copy.
        .bytes(".sensor.v1")
        .compile_fds(compiler.file_descriptor_set())
        .context("cannot generate code")?;
    let code = fs::read_to_string(out.0.join(GENERATED)).context("no code was generated")?;
    Ok(format!("{HEAD}{code}"))
}

/// A folder of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("sensor-codegen-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is harmless; there is nobody to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_code_is_what_the_protos_say() {
        super::run(true).unwrap();
    }
}
