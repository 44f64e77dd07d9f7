//! `sensor record -o FILE`: the raw stream into a file, with what is needed to understand it elsewhere. Decodes nothing.

use super::{
    exit::Failure,
    live::{self, Signals},
    say,
    settings::{ConfigArg, RulesArg, parse_duration},
};
use crate::{
    app::stop::Stop,
    attach,
    collect::{
        Losses, Progress, Source, encode,
        recording::{Host, Storage, WriteError, Writer},
    },
    enrich::{self, cgroups::Cgroups, clock, snapshot::Context},
};
use sensor_common::Header;
use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};
use zerocopy::FromBytes;

/// How often the source is looked at.
const PAUSE: Duration = Duration::from_millis(10);
/// How often losses and the clock are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// A clock that was set by less is not told anew.
const CLOCK_STEP_NS: u64 = 1_000_000;

/// Options of `sensor record`.
#[derive(Clone, Debug, clap::Args)]
pub struct RecordArgs {
    /// File to write; one of that name is replaced. It is readable by its owner only.
    #[arg(short, long = "output-file", value_name = "FILE")]
    pub output_file: PathBuf,
    /// The configuration file (ring sizes).
    #[command(flatten)]
    pub config: ConfigArg,
    /// The rules, which say which files' reads are recorded.
    #[command(flatten)]
    pub rules: RulesArg,
    /// Stop after this time, such as 30s, 5m or 1h.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,
}

/// Runs it.
///
/// # Errors
/// The kernel cannot be watched, or the file cannot be written.
pub fn run(args: &RecordArgs) -> Result<(), Failure> {
    let mut config = args.config.load()?;
    args.rules.apply(&mut config);
    let engine = config.load_rules()?.engine;
    live::check_possible()?;
    let stop = Stop::default();
    let signals = Signals::watch(&stop)?;
    let mut attached = attach::attach(&config.attach_options())?;
    live::set_read_names(&mut attached, &engine)?;
    let context = enrich::snapshot::capture();
    let mut writer = Writer::create(&args.output_file, &Host::this(), &context)?;
    say(&format!("recording to {}; Ctrl-C stops", args.output_file.display()));
    let until = args.duration.and_then(|d| Instant::now().checked_add(d));
    let result = record(&mut attached, &mut writer, &context, until, &stop);
    drop(attached);
    drop(signals);
    let lost = result?;
    let (records, bytes) = writer.finish()?;
    say(&format!("{records} records, {bytes} bytes, {lost} lost"));
    Ok(())
}

/// Copies records until it is asked to stop. Returns how many the kernel lost; each loss is in the recording, too.
///
/// # Errors
/// The file cannot be written.
pub fn record<S: Source + Losses, W: Storage>(
    source: &mut S,
    writer: &mut Writer<W>,
    known: &[Context],
    until: Option<Instant>,
    stop: &Stop,
) -> Result<u64, Failure> {
    let own = enrich::own_task();
    let mut watcher = Watcher::new(known);
    let mut next = Instant::now();
    let mut lost = 0;
    loop {
        let stopping = stop.is_set() || until.is_some_and(|t| Instant::now() >= t);
        if stopping {
            source.detach();
        }
        let began_ns = clock::boot_ns();
        let (mut count, mut result) = (0_u64, Ok(()));
        let progress = source.drain(&mut |raw| {
            count += 1;
            if result.is_ok() {
                result = watcher.before(raw, writer).and_then(|()| writer.record(raw));
            }
        });
        result?;
        if stopping || Instant::now() >= next {
            next = Instant::now() + EVERY;
            watcher.clock(writer)?;
            for (kind, reason, n) in source.losses() {
                lost += n;
                writer.record(&encode::loss(clock::boot_ns(), own, kind, reason, n))?;
            }
        }
        writer.flush(began_ns)?;
        match progress {
            Ok(Progress::Open) if !(stopping && count == 0) => thread::sleep(PAUSE),
            Ok(_) => return Ok(lost),
            Err(e) => return Err(Failure::new(super::exit::Exit::Failure, e.to_string())),
        }
    }
}

/// What becomes known while recording: cgroups that are new, a clock that was set.
struct Watcher {
    cgroups: Cgroups,
    told: ahash::AHashSet<u64>,
    offset_ns: i64,
}

impl Watcher {
    fn new(known: &[Context]) -> Self {
        let mut watcher = Self { cgroups: Cgroups::live(), told: ahash::AHashSet::new(), offset_ns: 0 };
        for context in known {
            match context {
                Context::Cgroup { id, path } => {
                    watcher.cgroups.insert(*id, path);
                    watcher.told.insert(*id);
                }
                Context::Clock { offset_ns } => watcher.offset_ns = *offset_ns,
                Context::User { .. } | Context::Process { .. } => {}
            }
        }
        watcher
    }

    /// Tells of the record's cgroup before the record, if it is new.
    fn before<W: Storage>(&mut self, raw: &[u8], writer: &mut Writer<W>) -> Result<(), WriteError> {
        let Ok((header, _)) = Header::read_from_prefix(raw) else { return Ok(()) };
        let id = header.task.cgroup_id;
        if id == 0 || self.told.contains(&id) {
            return Ok(());
        }
        let Some(cgroup) = self.cgroups.get(id, header.task.tgid) else { return Ok(()) };
        // As bounded as the recording itself: one number for each cgroup told.
        self.told.insert(id);
        writer.context(&[Context::Cgroup { id, path: cgroup.path.bytes().to_vec() }])
    }

    fn clock<W: Storage>(&mut self, writer: &mut Writer<W>) -> Result<(), WriteError> {
        let offset_ns = clock::offset_ns();
        if offset_ns.abs_diff(self.offset_ns) < CLOCK_STEP_NS {
            return Ok(());
        }
        self.offset_ns = offset_ns;
        writer.context(&[Context::Clock { offset_ns }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::{SourceError, recording::Reader};
    use sensor_common::{EventKind, Record, Task, Tier, decode, events::exit::Exit, stats::Reason};

    /// Some records, then nothing for ever; a loss once.
    struct Some {
        records: Vec<Vec<u8>>,
        lost: Vec<(EventKind, Reason, u64)>,
        detached: bool,
    }

    impl Source for Some {
        fn drain(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Progress, SourceError> {
            self.records.drain(..).for_each(|r| each(&r));
            Ok(Progress::Open)
        }
    }

    impl Losses for Some {
        fn losses(&mut self) -> Vec<(EventKind, Reason, u64)> {
            std::mem::take(&mut self.lost)
        }

        fn suppressed(&mut self) -> Vec<(EventKind, Reason, u64)> {
            Vec::new()
        }

        fn detach(&mut self) {
            self.detached = true;
        }
    }

    #[test]
    fn records_and_losses_are_in_the_file_when_it_stops() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let record_at = |time_ns| {
            let task = Task { tgid: 5, ..Task::default() };
            encode(Header { time_ns, tier: Tier::BtfTracepoint as u8, task, ..Header::default() }, &Exit::default(), &[])
        };
        let records = vec![record_at(1), b"junk".to_vec(), record_at(2)];
        let mut source = Some { records: records.clone(), lost: vec![(EventKind::Open, Reason::RingFull, 4)], detached: false };
        let known = [Context::Clock { offset_ns: clock::offset_ns() }];
        let mut writer = Writer::create(&path, &Host::this(), &known).unwrap();
        let stop = Stop::default();
        stop.set();
        let lost = record(&mut source, &mut writer, &known, None, &stop).unwrap();
        assert_eq!((lost, source.detached, writer.finish().unwrap().0), (4, true, 4));
        let mut reader = Reader::open(&path).unwrap();
        let mut read = Vec::new();
        while reader.drain(&mut |r| read.push(r.to_vec())).unwrap() == Progress::Open {}
        assert_eq!(read[..3], records);
        let Ok(Record::Loss(_, loss, _)) = decode(&read[3]) else { panic!("no loss record") };
        assert_eq!((loss.kind, loss.reason, loss.count), (EventKind::Open as u32, Reason::RingFull as u32, 4));
    }
}
