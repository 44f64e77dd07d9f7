//! `cargo xtask tidy`: what is true of every file of this repository, checked.

pub(crate) mod licences;
mod repository;

use crate::{build, codegen, paths, shell};
use anyhow::{Result, bail};
use std::process::Command;

/// Says what is wrong, if anything is.
type Check = fn() -> Result<()>;

/// The subcommand. Runs every check and reports all problems at once.
pub(crate) fn run() -> Result<()> {
    let checks: &[(&str, Check)] = &[
        ("format", format),
        ("lints of the host programs", clippy_host),
        ("lints of the kernel programs", clippy_bpf),
        ("lints with the feature debug-probes", clippy_debug_probes),
        ("every file says what it is for", repository::headers),
        ("every event has all its files", repository::registry),
        ("no path of anybody's machine", repository::machine_paths),
        ("change log", repository::change_log),
        ("licences of dependencies", licences::check),
        ("generated files", || codegen::run(true)),
    ];
    let mut problems = Vec::new();
    for (name, check) in checks {
        match check() {
            Ok(()) => println!("    ok      {name}"),
            Err(error) => {
                println!("    FAILED  {name}");
                problems.push(format!("{name}: {error:#}"));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n")) }
}

/// Workspaces: the kernel programs and the fuzz targets have their own.
fn workspaces() -> impl Iterator<Item = std::path::PathBuf> {
    [".", "sensor-ebpf", "tests/fuzz"].into_iter().map(paths::at).filter(|folder| folder.join("Cargo.toml").is_file())
}

fn format() -> Result<()> {
    for folder in workspaces() {
        quietly(shell::cargo().current_dir(folder).args(["fmt", "--all", "--", "--check"]))?;
    }
    Ok(())
}

fn clippy_host() -> Result<()> {
    quietly(shell::cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-Dwarnings"]))
}

fn clippy_bpf() -> Result<()> {
    quietly(build::bpf_cargo("clippy").args(["--release", "--quiet", "--", "-Dwarnings"]))
}

/// Nothing else builds that feature.
fn clippy_debug_probes() -> Result<()> {
    let feature = ["--features", "debug-probes", "--quiet", "--", "-Dwarnings"];
    quietly(shell::cargo().args(["clippy", "--package", "sensor", "--lib"]).args(feature))?;
    quietly(build::bpf_cargo("clippy").arg("--release").args(feature))
}

/// Shows what it printed only if it failed.
fn quietly(command: &mut Command) -> Result<()> {
    let out = command.output()?;
    if !out.status.success() {
        print!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        bail!("`{}` found something, printed above", shell::line(command));
    }
    Ok(())
}
