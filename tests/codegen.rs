//! Rust from `proto/`: messages, client and server. They are committed, so that a build needs neither `protoc` nor a generator; this test
//! fails when they are not what the .proto files say. `cargo xtask codegen` runs it with `SENSOR_CODEGEN=write`, and then it writes them.

use anyhow::{Context, bail};
use std::{fs, path::Path};

const PROTOS: &[&str] = &["sensor/v1/events.proto", "sensor/v1/findings.proto", "sensor/v1/service.proto"];
const GENERATED: &str = "sensor.v1.rs";
const HEAD: &str = "// Generated from proto/sensor/v1 by `cargo xtask codegen`. Not for editing.\n";

#[test]
fn the_committed_code_is_what_the_protos_say() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no parent folder")?;
    let target = root.join("sensor/src/proto").join(GENERATED);
    let new = generate(&root.join("proto"))?;
    if fs::read_to_string(&target).is_ok_and(|old| old == new) {
        return Ok(());
    }
    if std::env::var_os("SENSOR_CODEGEN").is_some_and(|mode| mode == "write") {
        return fs::write(&target, new).with_context(|| format!("cannot write {}", target.display()));
    }
    bail!("{} is not what proto/ says: run `cargo xtask codegen` and commit the result", target.display());
}

fn generate(protos: &Path) -> anyhow::Result<String> {
    // Compiles the .proto files itself, without `protoc`; an error names file and line.
    let mut compiler = protox::Compiler::new([protos])?;
    compiler.include_source_info(true).include_imports(true).open_files(PROTOS)?;
    let out = tempfile::tempdir()?;
    tonic_prost_build::configure()
        .out_dir(out.path())
        // Strings of the kernel go through without a copy.
        .bytes(".sensor.v1")
        .compile_fds(compiler.file_descriptor_set())
        .context("cannot generate code")?;
    let code = fs::read_to_string(out.path().join(GENERATED)).context("no code was generated")?;
    Ok(format!("{HEAD}{code}"))
}
