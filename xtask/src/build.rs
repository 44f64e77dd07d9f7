//! `cargo xtask build`: the kernel programs, then the sensor that carries them.

use crate::{paths, setup, shell};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The kernel's own machine, little endian. Big-endian hosts are not supported.
const BPF_TARGET: &str = "bpfel-unknown-none";

/// How to build.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Optimise; takes longer.
    #[arg(long)]
    pub(crate) release: bool,
    /// With log lines from the kernel programs on standard error: for debugging a probe.
    #[arg(long)]
    pub(crate) debug_probes: bool,
}

/// The subcommand. Returns the sensor's path.
pub(crate) fn run(options: &Options) -> Result<PathBuf> {
    setup::ensure(setup::Purpose::Build)?;
    kernel_programs_with(options.debug_probes)?;
    let sensor = sensor(options)?;
    println!("==> Built {}", paths::show(&sensor));
    Ok(sensor)
}

/// Builds the kernel programs and puts them where `sensor/build.rs` finds them.
pub(crate) fn kernel_programs() -> Result<()> {
    kernel_programs_with(false)
}

fn kernel_programs_with(debug_probes: bool) -> Result<()> {
    if !paths::at("sensor-ebpf/Cargo.toml").is_file() {
        bail!("sensor-ebpf/ is missing: this checkout is not complete");
    }
    shell::step("Build the kernel programs", "compiled for the kernel's BPF machine and embedded in the sensor");
    let built = executable(with_log_lines(bpf_cargo("build").arg("--release"), debug_probes), "sensor-ebpf")?;
    let bytes = fs::read(&built).with_context(|| format!("cannot read {}", paths::show(&built)))?;
    // Untouched if equal, so that the sensor is not built again.
    let object = paths::bpf_object();
    if !fs::read(&object).is_ok_and(|old| old == bytes) {
        fs::write(&object, bytes).with_context(|| format!("cannot write {}", paths::show(&object)))?;
    }
    Ok(())
}

/// Cargo as the kernel programs need it: `build` or `clippy`.
///
/// `RUSTC_BOOTSTRAP` lets the pinned stable toolchain build `core` for a target that has no ready-made one (the Linux kernel's own Rust
/// build does the same). `SENSOR_BPF_TOOLCHAIN` names another toolchain of rustup's, with rust-src, for those who want that.
pub(crate) fn bpf_cargo(subcommand: &str) -> Command {
    let mut cargo = match std::env::var_os("SENSOR_BPF_TOOLCHAIN") {
        None => shell::cargo(),
        Some(name) => {
            let mut cargo = Command::new("cargo");
            cargo.env("RUSTUP_TOOLCHAIN", name).env_remove("CARGO").env_remove("RUSTC");
            cargo
        }
    };
    let root = paths::root();
    let flags = [
        // Type information, from which the kernel and `bpftool` know maps and functions.
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        // Which registers hold the arguments of a probed function.
        format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH),
        // No path of the machine that built it.
        format!("--remap-path-prefix={}=.", root.display()),
    ];
    cargo.current_dir(root.join("sensor-ebpf")).arg(subcommand);
    cargo.args(["-Zbuild-std=core", "--target", BPF_TARGET, "--target-dir"]).arg(root.join("target/bpf"));
    cargo.env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env_remove("RUSTFLAGS");
    cargo.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", paths::tool("bpf-linker"));
    cargo
}

fn with_log_lines(cargo: &mut Command, debug_probes: bool) -> &mut Command {
    if debug_probes { cargo.args(["--features", "debug-probes"]) } else { cargo }
}

fn sensor(options: &Options) -> Result<PathBuf> {
    shell::step("Build the sensor", "");
    let mut cargo = shell::cargo();
    cargo.args(["build", "--package", "sensor", "--bin", "sensor"]);
    if options.release {
        cargo.arg("--release");
    }
    executable(with_log_lines(&mut cargo, options.debug_probes), "sensor")
}

/// Builds with the given cargo command and returns the path of the executable of target `name`.
pub(crate) fn executable(cargo: &mut Command, name: &str) -> Result<PathBuf> {
    println!("    $ {}", shell::line(cargo));
    let out = cargo.args(["--quiet", "--message-format=json-render-diagnostics"]).stderr(Stdio::inherit()).output()?;
    if !out.status.success() {
        bail!("the build failed ({})", out.status);
    }
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .filter_map(|message| message["executable"].as_str().map(|s| Path::new(s).to_path_buf()))
        .next_back()
        .with_context(|| format!("cargo built no executable `{name}`"))
}
