//! Settings: one declaration ([`schema`]) gives the types, the defaults, the loader and the reference in docs/configuration.md. Flags of
//! the command line win over the file; a missing file is only an error if it was asked for by name.

mod load;
mod reference;
pub mod schema;
pub mod value;

pub use load::{LoadError, Problem, Problems};
pub use reference::reference_markdown;
pub use schema::Config;

/// Read if no `--config` is given, and if it is there.
pub const DEFAULT_FILE: &str = "/etc/sensor/sensor.toml";
/// Where rules are if nothing else is said: a folder that only root can write to, and never the current one.
pub const DEFAULT_RULES: &str = "/usr/share/sensor/rules";
