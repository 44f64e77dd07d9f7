//! `cargo xtask dist`: one archive with what a machine needs that has no compiler.

use crate::{build, paths, setup, shell, tidy::licences};
use anyhow::{Context as _, Result};
use std::{fs, path::Path, process::Command};

const HOST: &str = "x86_64-unknown-linux-gnu";

/// The subcommand. The binary is static, so it runs on any x86-64 Linux.
pub(crate) fn run() -> Result<()> {
    setup::ensure(setup::Purpose::Build)?;
    build::kernel_programs()?;
    shell::step("Build the sensor as a static program", "it then runs on every distribution");
    let mut cargo = shell::cargo();
    cargo.args(["build", "--release", "--package", "sensor", "--bin", "sensor", "--target", HOST, "--target-dir"]);
    cargo.arg(paths::at("target/static")).env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static").env_remove("RUSTFLAGS");
    let sensor = build::executable(&mut cargo, "sensor")?;

    let name = format!("sensor-{}-{HOST}", env!("CARGO_PKG_VERSION"));
    let dist = paths::at("target/dist");
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    shell::step(&format!("Pack {name}.tar.gz"), "binary, rules, units, licences");
    fs::copy(&sensor, folder.join("sensor"))?;
    for part in ["rules", "deploy", "README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&paths::at(part), &folder)?;
    }
    fs::write(folder.join("THIRD-PARTY.txt"), licences::list()?)?;
    let archive = dist.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--owner=0", "--group=0", "--sort=name", "-czf"]).arg(&archive).arg("-C").arg(&dist).arg(&name);
    shell::run(&mut tar)?;
    println!("==> {}", paths::show(&archive));
    Ok(())
}

fn copy(from: &Path, folder: &Path) -> Result<()> {
    let out = shell::output(Command::new("cp").arg("-R").arg(from).arg(folder));
    out.map(drop).with_context(|| format!("cannot pack {}", paths::show(from)))
}
