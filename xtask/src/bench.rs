//! `cargo xtask bench`: speed and size, measured; the figures go to `docs/performance.md` by hand, with the machine they came from.

use crate::shell;
use anyhow::Result;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Arguments of the benchmark.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// The subcommand.
pub(crate) fn run(options: &Options) -> Result<()> {
    shell::step("Measure the rule engine", "events per second through decode, enrich and score on one core");
    let mut cargo = shell::cargo();
    cargo.args(["run", "--release", "--quiet", "--package", "sensor", "--example", "bench_score", "--"]);
    shell::run(cargo.args(&options.arguments))
}
