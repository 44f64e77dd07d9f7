//! `cargo xtask run`: from a fresh machine to findings on the terminal.

use crate::{build, paths, shell};
use anyhow::{Context as _, Result};
use std::os::unix::process::CommandExt as _;

/// What to pass on.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Arguments of `sensor run`, such as `--events` or `--output json`; `-- --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// The subcommand. Does not return if all goes well: the sensor takes our place, so that Ctrl-C and signals reach it alone.
pub(crate) fn run(options: &Options) -> Result<()> {
    let sensor = build::run(&build::Options { release: true, debug_probes: false })?;
    shell::step("Run the sensor as root", "only root may load kernel programs; stop it with Ctrl-C");
    let mut command =
        shell::as_root(&sensor).context("this needs root, and sudo is missing or would ask for a password: run it as root")?;
    command.arg("run");
    if !options.arguments.iter().any(|a| a == "--rules" || a == "--no-rules" || a.starts_with("--rules=")) {
        command.arg("--rules").arg(paths::at("rules"));
    }
    command.args(&options.arguments);
    println!("    $ {}", shell::line(&command));
    Err(command.exec()).context("the sensor could not be started")
}
