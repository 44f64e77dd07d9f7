//! `sensor replay FILE`: a recording through decode, enrich and score, as fast as it can be read. Prints exactly what the live run would
//! have printed; loses nothing, because it can wait for the output.

use super::{
    exit::{Exit, Failure},
    live::{Engine, Printing},
    say,
    settings::Shared,
};
use crate::{
    app::{
        outlet::WhenFull,
        pipeline::{self, Stages, Time},
        stop::Stop,
    },
    collect::{Collector, Losses as _, recording::Reader},
    enrich::Enricher,
    sink::Origin,
};
use std::{path::PathBuf, sync::Arc, time::Instant};

/// Options of `sensor replay`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// Recording made by `sensor record`.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What it shares with `run`.
    #[command(flatten)]
    pub shared: Shared,
}

/// Runs it.
///
/// # Errors
/// The recording, the configuration, a rule or the output is wrong.
pub fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let config = args.shared.settings()?;
    let loaded = config.load_rules()?;
    let mut reader = Reader::open(&args.file)?;
    let origin = Origin {
        boot_id: reader.host().boot_id.as_str().into(),
        host_name: reader.host().name.as_str().into(),
        sensor_version: Origin::here().sensor_version,
    };
    let stop = Stop::default();
    let mut enricher = Enricher::replay(config.process_limits());
    for context in reader.context() {
        enricher.learn(context);
    }
    let (mut queue, printing) = Printing::start(&config, &origin, WhenFull::Wait, &stop)?;
    let mut stages = Stages {
        source: reader,
        collector: Collector::new(config.collect_options()),
        enricher,
        score: Engine(loaded.engine),
        counters: Arc::default(),
    };
    let until = args.shared.duration.and_then(|d| Instant::now().checked_add(d));
    let (summary, end) = pipeline::run(&mut stages, &mut queue, Time::Records, until, &stop);
    drop(queue);
    let printed = printing.join();
    say(summary.report().trim_end());
    printed?;
    end.map_err(|e| Failure::new(Exit::BadData, e.to_string()))
}
