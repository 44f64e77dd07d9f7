//! `sensor run`: the whole sensor on this kernel, from nothing half-started to an ordered end.

use super::{
    exit::{Exit, Failure},
    say,
    settings::Shared,
};
use crate::{
    app::{
        Outlet, Score,
        outlet::{self, Print, Queue, WhenFull},
        pipeline::{self, Stages, Summary, Time},
        stop::Stop,
    },
    attach::{self, AttachError, Attached, Verdict},
    collect::{Collector, SourceError},
    config::{Config, value::Listen},
    enrich::Enricher,
    events::Event,
    finding::Finding,
    process::Process,
    score::{self, ReadOf},
    sink::{
        Item, Origin, Printer,
        grpc::{self, Hub, ServeError, Server},
        stdout::{Output, OutputError},
    },
    telemetry::Counters,
};
use sensor_common::{EventKind, stats::Reason};
use std::{
    path::PathBuf,
    sync::{Arc, OnceLock, RwLock},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

/// Options of `sensor run`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// What it shares with `replay`.
    #[command(flatten)]
    pub shared: Shared,
    /// Listen for subscribers on this address: unix:/path, http://ADDRESS:PORT, or none [default: unix:/run/sensor/sensor.sock].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<Listen>,
}

/// The rules, as the pipeline needs them.
pub struct Engine(pub score::Engine);

impl Score for Engine {
    fn evaluate(&mut self, event: &Arc<Event>, ancestors: &mut dyn FnMut() -> Vec<Arc<Process>>, out: &mut Vec<Finding>) {
        self.0.evaluate(event, ancestors, out);
    }
}

/// Runs it.
///
/// # Errors
/// Configuration, rules, address, kernel or output: each with its own exit code.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let mut config = args.shared.settings()?;
    if let Some(listen) = &args.listen {
        config.listen.address = listen.clone();
    }
    let loaded = config.load_rules()?;
    check_possible()?;
    let stop = Stop::default();
    let signals = Signals::watch(&stop)?;
    let origin = Origin::here();
    let rules = loaded.report.running();
    let counters = Arc::new(Counters::default());
    let server = Streaming::start(&config, &origin, &loaded.engine, Arc::clone(&counters), signals.runtime())?;
    if let Some(address) = &config.listen.address.0 {
        signals.guard(address);
    }
    let started = Instant::now();
    let mut attached = attach::attach(&config.attach_options())?;
    set_read_names(&mut attached, &loaded.engine)?;
    let blind = blind(attached.verdicts());
    let mut enricher = Enricher::live(config.process_limits());
    enricher.seed_from_proc();
    let (queue, printing) = Printing::start(&config, &origin, WhenFull::LoseEvents, &stop)?;
    let outlets = Outlets { queue, hub: server.as_ref().map(|s| s.hub.clone()) };
    let stages =
        Stages { source: attached, collector: Collector::new(config.collect_options()), enricher, score: Engine(loaded.engine), counters };
    give_back();
    let until = args.shared.duration.and_then(|d| Instant::now().checked_add(d));
    let pipeline = spawn(stages, outlets, until, stop.clone())?;
    if let Some(server) = &server {
        signals.runtime().block_on(server.server.set_serving(true));
    }
    let address = config.listen.address.0.as_deref().unwrap_or("nothing");
    say(&format!(
        "sensor {} is ready after {} ms: {rules} rules, listening on {address}",
        origin.sensor_version,
        started.elapsed().as_millis()
    ));
    if open_to_others(address) {
        say("whoever can reach that address can read everything: there is neither encryption nor authentication");
    }
    if let Some(line) = blind {
        say(&line);
    }
    if rules == 0 {
        let why = if config.rules.directories.0.is_empty() { "" } else { "; `sensor rules check DIR` says why" };
        say(&format!("no rules run: nothing will be found{why}"));
    }
    let (summary, end) = pipeline.join().map_err(|_| Failure::new(Exit::Failure, "the pipeline has died; please report this"))?;
    let printed = printing.join();
    if let Some(server) = server {
        server.shutdown(Duration::from_secs(config.shutdown.grace_seconds.0), signals.runtime());
    }
    drop(signals);
    say(summary.report().trim_end());
    printed?;
    end.map_err(|e| Failure::new(Exit::Failure, e.to_string()))
}

type End = (Summary, Result<(), SourceError>);

/// The hot path's thread. What it owns goes with it: the probes are detached when it ends, however it ends.
fn spawn(
    mut stages: Stages<Attached, Engine>,
    mut outlets: Outlets,
    until: Option<Instant>,
    stop: Stop,
) -> Result<JoinHandle<End>, Failure> {
    let run = move || pipeline::run(&mut stages, &mut outlets, Time::Kernel, until, &stop);
    thread::Builder::new().name("pipeline".into()).spawn(run).map_err(no_thread)
}

fn no_thread(e: std::io::Error) -> Failure {
    Failure::new(Exit::Failure, format!("no thread can be made: {e}"))
}

/// Gives back to the kernel what start-up freed: rules and kernel types have been read, and nothing as large comes again. The allocator
/// would keep it, because what is still in use lies between.
fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the allocator's own function; it may be called at any time.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Whether it makes sense to go on: what would fail for certain fails before anything is started.
///
/// # Errors
/// No kernel programs in this binary, or not enough privileges.
pub fn check_possible() -> Result<(), Failure> {
    if attach::object::object().is_none() {
        return Err(AttachError::NoObject.into());
    }
    // Bits of CAP_BPF and CAP_SYS_ADMIN in capability.h; kernels before 5.8 only know the latter.
    const BPF: u64 = 1 << 39 | 1 << 21;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|l| l.strip_prefix("CapEff:")).and_then(|v| u64::from_str_radix(v.trim(), 16).ok());
    match effective {
        Some(bits) if bits & BPF == 0 => Err(AttachError::NotAllowed.into()),
        _ => Ok(()),
    }
}

/// Tells the kernel side which reads the rules want to see.
///
/// # Errors
/// The kernel's table cannot take them.
pub fn set_read_names(attached: &mut Attached, engine: &score::Engine) -> Result<(), Failure> {
    let names = engine.read_names().iter().map(|n| (n.name.as_slice(), n.what == ReadOf::File));
    attached
        .set_read_names(names)
        .map_err(|e| Failure::new(Exit::Refused, format!("the kernel does not take the file names of the rules: {e}")))
}

/// A TCP address that is not one of this machine only.
fn open_to_others(address: &str) -> bool {
    match address.parse() {
        Ok(grpc::Address::Tcp { host, .. }) => !host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        _ => false,
    }
}

/// A line about events of which this kernel shows less, or nothing; `None` if all hooks are there.
fn blind(verdicts: &[Verdict]) -> Option<String> {
    let of = |kind: EventKind| verdicts.iter().filter(move |v| v.slot.kind == kind);
    let kinds =
        |wanted: &dyn Fn(EventKind) -> bool| -> Vec<&str> { EventKind::ALL.iter().filter(|k| wanted(**k)).map(|k| k.as_str()).collect() };
    let seen = |kind| of(kind).any(|v| v.tier.is_some());
    let whole = |kind| of(kind).all(|v| v.tier.is_some());
    let result_missing = |kind| of(kind).any(|v| v.tier.is_none() && v.slot.tells_results());
    let parts = [
        ("not seen on this kernel", kinds(&|k| !seen(k) && !whole(k))),
        ("seen without results", kinds(&|k| seen(k) && result_missing(k))),
        ("seen through system calls only", kinds(&|k| seen(k) && !whole(k) && !result_missing(k))),
    ];
    let parts: Vec<String> = parts.iter().filter(|(_, k)| !k.is_empty()).map(|(what, k)| format!("{what}: {}", k.join(", "))).collect();
    (!parts.is_empty()).then(|| format!("{}; `sensor doctor` says why and what that means", parts.join("; ")))
}

/// A runtime for the network and signals: the hot path is not on it.
///
/// # Errors
/// No threads.
pub fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(no_thread)
}

/// Watches for SIGINT and SIGTERM: the first asks to stop, the second ends the program at once.
pub struct Signals {
    runtime: Runtime,
    /// Removed even when the program ends at once.
    socket: Arc<OnceLock<PathBuf>>,
}

impl Signals {
    /// From now on.
    ///
    /// # Errors
    /// Signals cannot be watched.
    pub fn watch(stop: &Stop) -> Result<Self, Failure> {
        let runtime = runtime()?;
        let stop = stop.clone();
        let socket = Arc::new(OnceLock::<PathBuf>::new());
        let left = Arc::clone(&socket);
        let (mut interrupt, mut terminate) = {
            let _guard = runtime.enter();
            let watch = |kind| signal(kind).map_err(|e| Failure::new(Exit::Failure, format!("signals cannot be watched: {e}")));
            (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?)
        };
        runtime.spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if stop.is_set() {
                    if let Some(path) = left.get() {
                        // Best effort: the next start replaces a socket that nobody listens on.
                        let _ = std::fs::remove_file(path);
                    }
                    say("ended at once; what was on its way is lost");
                    std::process::exit(i32::from(Exit::Forced.number()));
                }
                // Detaching takes the kernel a second or two on some machines.
                say("stopping; once more ends at once");
                stop.set();
            }
        });
        Ok(Self { runtime, socket })
    }

    /// Where the network may run, too.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What must not stay behind when the program is ended at once.
    fn guard(&self, address: &str) {
        if let Ok(grpc::Address::Unix(path)) = address.parse() {
            // A process listens on one address, so this is set once.
            let _ = self.socket.set(path);
        }
    }
}

/// The gRPC server and what feeds it.
struct Streaming {
    server: Server,
    hub: Hub,
}

impl Streaming {
    fn start(
        config: &Config,
        origin: &Origin,
        engine: &score::Engine,
        counters: Arc<Counters>,
        runtime: &Runtime,
    ) -> Result<Option<Self>, Failure> {
        let Some(address) = &config.listen.address.0 else { return Ok(None) };
        let listen = |message: String| Failure::new(Exit::Listen, message);
        let options = grpc::Options {
            address: address.parse().map_err(|e: grpc::AddressError| listen(e.to_string()))?,
            origin: origin.clone(),
            rules_version: Arc::new(RwLock::new(engine.rules_version())),
        };
        let hub = Hub::new(config.queue_limits(), counters);
        match runtime.block_on(Server::start(options, hub.clone())) {
            Ok(server) => Ok(Some(Self { server, hub })),
            Err(ServeError::Listen(e)) => Err(listen(e.to_string())),
            Err(e) => Err(Failure::new(Exit::Failure, e.to_string())),
        }
    }

    fn shutdown(self, grace: Duration, runtime: &Runtime) {
        if !runtime.block_on(self.server.shutdown(grace)) {
            say("not every subscriber has fetched everything that waited for it");
        }
    }
}

/// Standard output and the subscribers.
struct Outlets {
    queue: Queue,
    hub: Option<Hub>,
}

impl Outlet for Outlets {
    fn publish(&mut self, item: Item) {
        if let Some(hub) = &self.hub {
            hub.publish(&item);
        }
        self.queue.publish(item);
    }

    fn lost(&mut self) -> Vec<(EventKind, Reason, u64)> {
        self.queue.lost()
    }
}

/// The printer's thread.
pub struct Printing(outlet::Printing<OutputError>);

/// The printer behind the queue.
struct Stdout(Printer<rustix::fd::BorrowedFd<'static>>);

impl Print for Stdout {
    type Error = OutputError;

    fn print(&mut self, item: &Item) -> Result<(), OutputError> {
        self.0.print(item).map(drop)
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        self.0.flush()
    }
}

impl Printing {
    /// Starts printing to standard output as the settings say.
    ///
    /// # Errors
    /// No thread.
    pub fn start(config: &Config, origin: &Origin, when_full: WhenFull, stop: &Stop) -> Result<(Queue, Self), Failure> {
        let events = config.output.events.0;
        let printer = Stdout(Printer::new(Output::stdout(), config.format(), events, origin));
        let (queue, thread) = outlet::start(printer, config.output.queue.count(), events, when_full, stop.clone()).map_err(no_thread)?;
        Ok((queue, Self(thread)))
    }

    /// Waits until everything is printed. The queue must have been dropped.
    ///
    /// # Errors
    /// Why it could not be printed; not if the reader went away.
    pub fn join(self) -> Result<(), Failure> {
        match self.0.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Failure::of_output(e),
            Err(_) => Err(Failure::new(Exit::Failure, "the printer has died; please report this")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::hooks::SLOTS;
    use sensor_common::Tier;

    #[test]
    fn an_address_that_others_can_reach_is_told_from_one_that_they_cannot() {
        for (address, open) in [
            ("http://0.0.0.0:50051", true),
            ("http://[::]:50051", true),
            ("192.0.2.1:50051", true),
            ("http://127.0.0.1:50051", false),
            ("http://[::1]:50051", false),
            ("unix:/run/sensor/sensor.sock", false),
            ("nothing", false),
        ] {
            assert_eq!(open_to_others(address), open, "{address}");
        }
    }

    #[test]
    fn what_a_kernel_does_not_show_is_one_line() {
        let line = |tier: &dyn Fn(&str) -> bool| {
            let verdict = |slot| Verdict { slot, tier: tier(slot.name).then_some(Tier::Tracepoint), failures: Vec::new() };
            blind(&SLOTS.iter().map(verdict).collect::<Vec<_>>())
        };
        let end = "; `sensor doctor` says why and what that means";
        assert_eq!(line(&|_| true), None);
        assert_eq!(
            line(&|name| name != "bind.address" && name != "open.file").unwrap(),
            format!("seen through system calls only: bind, open{end}")
        );
        assert_eq!(
            line(&|name| !["accept", "unlink.result", "link.file"].contains(&name)).unwrap(),
            format!("not seen on this kernel: accept; seen without results: unlink; seen through system calls only: link{end}")
        );
    }
}
