//! The command line: arguments, exit codes, one clear message for whatever goes wrong. The work is done elsewhere.

pub mod doctor;
pub mod exit;
pub mod live;
pub mod record;
pub mod replay;
pub mod rules;
pub mod settings;
pub mod tail;

use clap::{Parser, Subcommand};
use exit::{Exit, Failure};
use std::{ffi::OsString, io::Write, process::ExitCode};

/// A runtime attack sensor for Linux: sees what processes really do (eBPF), scores it with Sigma rules per process tree, and
/// delivers every finding.
#[derive(Debug, Parser)]
#[command(name = "sensor", version, max_term_width = 110, after_help = after_help(), disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this machine and report attacks (as root).
    #[command(after_help = RUN_HELP)]
    Run(live::RunArgs),
    /// Show what can be seen on this kernel, each hook proven by making it fire (as root).
    Doctor(doctor::DoctorArgs),
    /// Print the findings of a sensor that runs already.
    Tail(tail::TailArgs),
    /// Look at rules without running them.
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Write everything that is seen into a file (as root).
    Record(record::RecordArgs),
    /// Run a recording through the rules: no root, no kernel.
    Replay(replay::ReplayArgs),
}

const EXAMPLES: &str = "\
Examples:
  sensor doctor                                  what can be seen here?
  sensor run --rules rules                       findings on the terminal until Ctrl-C
  sensor run --rules rules --output json > f     findings as JSON lines (Elastic Common Schema)
  sensor tail --level high                       the findings of a running sensor, from level high on
  sensor record -o attack.rec --for 30s          everything that happens in 30 seconds
  sensor replay attack.rec --rules rules         what the rules say to it, on any machine
  sensor rules check my-rules                    which rules run here, and what is wrong with the others";

fn after_help() -> String {
    format!("{EXAMPLES}\n\n{}", exit::help())
}

const RUN_HELP: &str = "\
Findings and reports of loss are always printed, events with --events. Subscribers connect with `sensor tail`.
Stops on Ctrl-C or SIGTERM: hooks are detached, what is on its way is delivered, counters are printed. A second Ctrl-C ends at once.

Examples:
  sensor run --rules rules
  sensor run --rules rules --rules my-rules --output json --for 10m
  sensor run --events --output json --listen none";

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    run(std::env::args_os()).code()
}

/// Runs the program with these arguments, the name of the program first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => {
            // --help and --version come this way too. If nobody can read the message there is nobody to tell.
            let _ = e.print();
            return if e.use_stderr() { Exit::Usage } else { Exit::Ok };
        }
    };
    let result = match &cli.command {
        Command::Run(args) => live::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Tail(args) => run_tail(args),
        Command::Rules(command) => rules::run(command),
        Command::Record(args) => record::run(args),
        Command::Replay(args) => replay::run(args),
    };
    match result {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            say(&format!("sensor: {}", failure.message));
            failure.exit
        }
    }
}

/// A line on standard error. Where that is closed nobody listens.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Text on standard output.
///
/// # Errors
/// It cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = crate::sink::stdout::Output::stdout();
    out.buffer().extend_from_slice(text.as_bytes());
    match out.flush() {
        Ok(()) => Ok(()),
        Err(e) => Failure::of_output(e),
    }
}

fn run_tail(args: &tail::TailArgs) -> Result<(), Failure> {
    use tail::TailError;
    let runtime = live::runtime()?;
    match runtime.block_on(async {
        tokio::select! {
            result = tail::run(args) => result.map(drop),
            result = tokio::signal::ctrl_c() => result.map_err(|e| TailError::Broken(e.to_string())),
        }
    }) {
        Ok(()) => Ok(()),
        Err(TailError::Output(e)) => Failure::of_output(e),
        Err(e) => {
            let exit = match &e {
                TailError::NobodyThere(_) | TailError::Connect { .. } => Exit::Unavailable,
                TailError::Permission(_) => Exit::NoPermission,
                TailError::Refused(_) | TailError::Broken(_) | TailError::Output(_) => Exit::Failure,
            };
            Err(Failure::new(exit, e.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_declaration_of_the_arguments_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_shows_examples_and_all_exit_codes() {
        let help = Cli::command().render_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(&format!("  {:<4} ", exit.number())), "{exit:?}");
        }
        assert!(help.contains("sensor replay attack.rec"));
    }
}
