//! Flags that several commands share, and what comes of them together with the configuration file.

use super::exit::{Exit, Failure};
use crate::{
    attach,
    collect::order,
    config::{Config, DEFAULT_FILE, DEFAULT_RULES, LoadError, value::Choice},
    enrich::table::Limits,
    score::{self, Loaded},
    sink::{Format, grpc, text::Style},
};
use sensor_common::RingClass;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The configuration file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ConfigArg {
    /// Read settings from this file [default: /etc/sensor/sensor.toml, if it is there].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigArg {
    /// The settings.
    ///
    /// # Errors
    /// The file is wrong, or was named and is not there.
    pub fn load(&self) -> Result<Config, Failure> {
        let path = match &self.config {
            Some(path) => path.as_path(),
            None if Path::new(DEFAULT_FILE).exists() => Path::new(DEFAULT_FILE),
            None => return Ok(Config::default()),
        };
        Config::load(path).map_err(|e| match &e {
            LoadError::Read { .. } => Failure::new(Exit::NoInput, e.to_string()),
            LoadError::Invalid(_) => Failure::new(Exit::Config, e.to_string()),
        })
    }
}

/// Where the rules are.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RulesArg {
    /// Load the Sigma rules of this folder (or file); may be given several times [default: those of the configuration,
    /// /usr/share/sensor/rules].
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// Load no rules: nothing is found, but events can be printed and streamed.
    #[arg(long, conflicts_with = "rules")]
    pub no_rules: bool,
}

impl RulesArg {
    /// Puts what the flags say in place of what the file says.
    pub fn apply(&self, config: &mut Config) {
        if self.no_rules || !self.rules.is_empty() {
            config.rules.directories.0.clone_from(&self.rules);
        }
    }
}

/// Rules and output, the same for `run` and `replay`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Shared {
    /// The configuration file.
    #[command(flatten)]
    pub config: ConfigArg,
    /// Where the rules are.
    #[command(flatten)]
    pub rules: RulesArg,
    /// How to print findings [default: text].
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub output: Option<Choice>,
    /// Print events, too, not only findings.
    #[arg(long)]
    pub events: bool,
    /// Stop after this time, such as 30s, 5m or 1h.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,
}

impl Shared {
    /// The settings, with what the flags say in place of what the file says.
    ///
    /// # Errors
    /// The file is wrong.
    pub fn settings(&self) -> Result<Config, Failure> {
        let mut config = self.config.load()?;
        self.rules.apply(&mut config);
        if let Some(output) = self.output {
            config.output.format = output;
        }
        config.output.events.0 |= self.events;
        Ok(config)
    }
}

impl Config {
    /// For the printer.
    pub fn format(&self) -> Format {
        match self.output.format {
            Choice::Text => Format::Text(Style::detect(rustix::stdio::stdout())),
            Choice::Json => Format::Json,
            Choice::None => Format::None,
        }
    }

    /// For the kernel side.
    pub fn attach_options(&self) -> attach::Options {
        attach::Options {
            ring_bytes: [
                (RingClass::Critical, self.rings.critical_bytes.bytes_u32()),
                (RingClass::Network, self.rings.network_bytes.bytes_u32()),
                (RingClass::File, self.rings.file_bytes.bytes_u32()),
            ],
            ..attach::Options::default()
        }
    }

    /// For the collector.
    pub fn collect_options(&self) -> order::Options {
        order::Options {
            window_ns: self.collect.window_ms.0 * 1_000_000,
            join_ns: self.collect.join_ms.0 * 1_000_000,
            max_bytes: self.collect.buffer_bytes.bytes(),
            ..order::Options::default()
        }
    }

    /// For the process table.
    pub fn process_limits(&self) -> Limits {
        Limits { live: self.processes.live.count(), dead: self.processes.dead.count(), image_bytes: self.processes.image_bytes.bytes() }
    }

    /// For subscribers.
    pub fn queue_limits(&self) -> grpc::Limits {
        grpc::Limits { items: self.listen.queue_items.count(), bytes: self.listen.queue_bytes.bytes() }
    }

    /// The rules, all of which must be right.
    ///
    /// # Errors
    /// A folder is not there, or a rule is wrong: all of them are named.
    pub fn load_rules(&self) -> Result<Loaded, Failure> {
        let directories = &self.rules.directories.0;
        if let Some(missing) = directories.iter().find(|d| !d.exists()) {
            let which = if *missing == Path::new(DEFAULT_RULES) { ", which is the default" } else { "" };
            return Err(Failure::new(
                Exit::NoInput,
                format!(
                    "there are no rules at {}{which}: name their folder with --rules, or run without any with --no-rules",
                    missing.display()
                ),
            ));
        }
        let options = score::Options { half_life_ns: self.score.half_life_seconds.0 * 1_000_000_000, ..score::Options::default() };
        let loaded = score::load_with(directories, options);
        let broken: Vec<String> =
            loaded.report.broken().map(|(rule, _)| format!("\n  {}", rule.to_string().replace('\n', "\n  "))).collect();
        if broken.is_empty() {
            if loaded.report.rules.is_empty() && !directories.is_empty() {
                return Err(no_rule_in(directories));
            }
            return Ok(loaded);
        }
        let what = if broken.len() == 1 { "rule is wrong" } else { "rules are wrong" };
        Err(Failure::new(
            Exit::Rules,
            format!("{} {what}; mend or remove, `sensor rules check` checks again:{}", broken.len(), broken.concat()),
        ))
    }
}

/// There is nothing where rules should be.
pub fn no_rule_in(directories: &[PathBuf]) -> Failure {
    let places: Vec<String> = directories.iter().map(|d| d.display().to_string()).collect();
    Failure::new(Exit::NoInput, format!("there is no rule in {} (files that end in .yml or .yaml)", places.join(", ")))
}

/// `30s`, `5m`, `1h 30m`, or seconds.
///
/// # Errors
/// It is none of these, or not positive.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let error = || format!("{text:?} is no time: give such as 30s, 5m or 1h");
    let duration = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Duration::try_from(text.parse::<jiff::SignedDuration>().map_err(|_| error())?).map_err(|_| error())?,
    };
    if duration.is_zero() { Err(error()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h", 3600), ("90", 90), ("1h 30m", 5400)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "0", "-5s", "soon", "5 parsecs", "99999999999999999999s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
