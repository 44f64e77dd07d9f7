//! `sensor doctor`: prints the diagnosis.

use super::{
    exit::{Exit, Failure},
    print,
    settings::ConfigArg,
};
use crate::attach::doctor;

/// How to print it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DoctorOutput {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Options of `sensor doctor`.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    /// The configuration file.
    #[command(flatten)]
    pub config: ConfigArg,
    /// How to print.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: DoctorOutput,
}

/// Runs it.
///
/// # Errors
/// The kernel cannot be watched, or a hook that is attached stays silent.
pub fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let config = args.config.load()?;
    let diagnosis = doctor::doctor(&config.attach_options())?;
    let text = match args.output {
        DoctorOutput::Text => diagnosis.text(),
        DoctorOutput::Json => {
            let json = serde_json::to_string(&diagnosis).map_err(|e| Failure::new(Exit::Failure, e.to_string()))?;
            format!("{json}\n")
        }
    };
    print(&text)?;
    if diagnosis.is_healthy() {
        return Ok(());
    }
    Err(Failure::new(Exit::Unavailable, "a hook that is attached did not fire: what it should see is not seen"))
}
