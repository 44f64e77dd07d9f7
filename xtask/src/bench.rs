//! `cargo xtask bench`: speed and size, measured on this machine and printed beside their budgets. The figures go to
//! `docs/performance.md` by hand, with the machine they came from. What is measured, and how, is in `sensor/examples/bench_*`.

use crate::{build, paths, shell};
use anyhow::Result;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave out what needs root: probes, system calls, memory, start-up.
    #[arg(long)]
    no_kernel: bool,
    /// Rules to load [default: the bundled ones].
    #[arg(last = true, value_name = "RULES")]
    rules: Vec<String>,
}

/// Benchmarks that need nothing but a processor, and why they are run.
const PLAIN: &[(&str, &str)] = &[
    ("bench_replay", "events per second that one core orders, joins, decodes, enriches and scores; what JSON costs"),
    ("bench_score", "events per second of the rule engine alone"),
];

/// The subcommand.
pub(crate) fn run(options: &Options) -> Result<()> {
    let sensor = build::run(&build::Options { release: true })?;
    let mut cargo = shell::cargo();
    cargo.args(["build", "--release", "--quiet", "--package", "sensor", "--examples"]);
    shell::run(&mut cargo)?;
    let rules = if options.rules.is_empty() { vec![paths::at("rules").display().to_string()] } else { options.rules.clone() };
    machine();
    for (name, why) in PLAIN {
        shell::step(name, why);
        let mut command = Command::new(example(&sensor, name));
        if *name == "bench_score" {
            command.arg("-"); // No file of events: made up ones.
        }
        shell::run(command.args(&rules))?;
    }
    if options.no_kernel {
        return Ok(());
    }
    shell::step("bench_live", "what the sensor costs this machine; only root may load kernel programs");
    match shell::as_root(example(&sensor, "bench_live")) {
        Some(mut command) => shell::run(command.arg(&sensor).args(&rules)),
        None => anyhow::bail!("this needs root, and sudo is missing or would ask for a password: run it as root, or with --no-kernel"),
    }
}

/// Examples are built beside the sensor.
fn example(sensor: &Path, name: &str) -> PathBuf {
    sensor.with_file_name("examples").join(name)
}

/// Whatever the figures depend on.
fn machine() {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':')).map_or("unknown", |(_, model)| model.trim());
    let cores = cpuinfo.lines().filter(|l| l.starts_with("processor")).count();
    let kernel = read("/proc/version");
    let kernel = kernel.split(" (").next().unwrap_or_default();
    println!("{cores} CPUs, {model}; {kernel}; load {}", read("/proc/loadavg").trim());
}
