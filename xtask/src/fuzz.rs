//! `cargo xtask fuzz`: libFuzzer with coverage feedback on the pinned stable toolchain.
//!
//! The code is instrumented with LLVM's own coverage pass, as cargo-fuzz does it; address sanitizer, which needs a nightly compiler, is
//! left out: there is no `unsafe` in what is fuzzed. Overflow and debug assertions are on.

use crate::{
    build, paths, setup, shell,
    summary::{self, Group, timed},
    test,
};
use anyhow::{Context as _, Result, bail};
use std::{fs, path::PathBuf, process::Command};

/// Instrumented code and its dependencies are built for an explicit target, so that build scripts are not instrumented.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// What to fuzz, and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long each target runs: 30s, 10m, 2h.
    #[arg(long = "for", default_value = "30s", value_name = "DURATION", value_parser = seconds)]
    duration: u64,
    /// Only this target, such as decode.
    target: Option<String>,
}

/// The subcommand.
pub(crate) fn run(options: &Options) -> Result<()> {
    let all = targets()?;
    if let Some(target) = &options.target
        && !all.contains(target)
    {
        bail!("there is no fuzz target `{target}`; there are: {}", all.join(", "));
    }
    setup::ensure(setup::Purpose::Build)?;
    let chosen = all.into_iter().filter(|t| options.target.as_ref().is_none_or(|o| o == t)).collect();
    summary::print(&fuzz(chosen, options.duration))
}

/// All targets, for `cargo xtask test`.
pub(crate) fn groups(seconds: u64) -> Vec<Group> {
    match targets() {
        Ok(targets) => fuzz(targets, seconds),
        Err(error) => vec![test::failed("fuzz", &error)],
    }
}

fn fuzz(targets: Vec<String>, seconds: u64) -> Vec<Group> {
    let one = |target: String| {
        shell::step(&format!("Fuzz {target} for {seconds} s"), "");
        test::told(timed(|| single(&target, seconds).unwrap_or_else(|error| test::failed(&format!("fuzz {target}"), &error))))
    };
    targets.into_iter().flat_map(one).collect()
}

fn single(target: &str, seconds: u64) -> Result<Group> {
    let name = format!("fuzz {target}");
    let binary = binary(target)?;
    // Found inputs go to target/; the committed seeds are only read.
    let found = paths::at("target/fuzz-corpus").join(target);
    let crashes = paths::at("target/fuzz-crashes").join(target);
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&crashes)?;
    let mut command = Command::new(binary);
    command.arg(format!("-max_total_time={seconds}")).arg("-timeout=10").arg("-rss_limit_mb=2048").arg("-print_final_stats=1");
    command.arg(format!("-artifact_prefix={}/", crashes.display())).arg(&found).arg(seeds(target));
    let log = test::log_of(&name);
    let status = shell::logged(&mut command, &log)?;
    let mut group = Group::new(&name);
    let text = fs::read(&log)?;
    let text = String::from_utf8_lossy(&text);
    if !status.success() {
        group.failed.push(format!("{target}: a crash, hang or leak; the input is under {}", paths::show(&crashes)));
    } else if !text.contains(" cov: ") {
        group.failed.push(format!("{target}: no coverage feedback, so nothing was guided"));
    } else {
        group.passed = 1;
    }
    group.log = Some(log);
    Ok(group)
}

/// Committed inputs to start from. The bundled rules are the best rule files there are.
fn seeds(target: &str) -> PathBuf {
    if target == "rules" { paths::at("rules") } else { paths::at("tests/fuzz/corpus").join(target) }
}

fn binary(target: &str) -> Result<PathBuf> {
    let flags = [
        "--cfg=fuzzing",
        "-Cpasses=sancov-module",
        "-Cllvm-args=-sanitizer-coverage-level=4",
        "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
        "-Cllvm-args=-sanitizer-coverage-pc-table",
        "-Cllvm-args=-sanitizer-coverage-trace-compares",
        // A branch that is folded away cannot be covered.
        "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
        "-Ccodegen-units=1",
    ];
    let mut cargo = shell::cargo();
    cargo.current_dir(paths::at("tests/fuzz")).args(["build", "--release", "--bin", target]);
    cargo.args(["--target", HOST, "--target-dir"]).arg(paths::at("target/fuzz"));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env_remove("RUSTFLAGS");
    build::executable(&mut cargo, target)
}

/// One file in `tests/fuzz/targets` each.
fn targets() -> Result<Vec<String>> {
    let folder = paths::at("tests/fuzz/targets");
    let files = fs::read_dir(&folder).with_context(|| format!("cannot read {}", paths::show(&folder)))?;
    let mut targets: Vec<String> = files.flatten().filter_map(|f| f.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned)).collect();
    targets.sort();
    Ok(targets)
}

fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("a number and s, m or h, such as 30s".to_owned()),
    };
    number.parse::<u64>().map(|n| n.saturating_mul(factor)).map_err(|e| e.to_string())
}
