//! `sensor tail`: prints the stream of a running sensor, exactly as that sensor itself would print it.

use crate::{
    finding::Level,
    proto::sensor_client::SensorClient,
    sink::{
        Format, Origin, Printer,
        grpc::{Address, DEFAULT_SOCKET, Filter, MESSAGE_MAX, convert},
        stdout::{Output, OutputError},
        text::Style,
    },
};
use hyper_util::rt::TokioIo;
use sensor_common::EventKind;
use std::{error::Error, io, os::fd::AsFd, time::Duration};
use tokio::net::UnixStream;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint, Uri},
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How often the sensor is asked whether it still lives while it sends nothing, and how long it may take to answer.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// What is printed at the latest after this time, even if more comes all the time.
const FLUSH: Duration = Duration::from_millis(200);

/// How items are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TailOutput {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line in Elastic Common Schema names.
    Json,
}

/// Options of `sensor tail`.
#[derive(Clone, Debug, clap::Args)]
pub struct TailArgs {
    /// Where the sensor listens: unix:/path/to/socket, /path/to/socket, or http://HOST:PORT.
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_SOCKET)]
    pub connect: Address,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: TailOutput,
    /// Print events, too, not only findings.
    #[arg(long)]
    pub events: bool,
    /// Only events of these kinds and findings about them, such as exec,connect,open.
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = parse_kind)]
    pub kinds: Vec<EventKind>,
    /// Only findings of this level or above: informational, low, medium, high or critical.
    #[arg(long, value_name = "LEVEL", default_value = "informational", value_parser = parse_level)]
    pub level: Level,
    /// Only what happens in these containers: their ids, or at least the first 12 characters.
    #[arg(long = "container", value_name = "ID", value_delimiter = ',')]
    pub containers: Vec<String>,
    /// Stop after this time, such as 30s, 5m or 1h.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub duration: Option<Duration>,
}

/// `tail` cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// Nobody is there.
    #[error("no sensor is listening on {0}: start one with `sensor run`, or give its address with --connect")]
    NobodyThere(Address),
    /// Not for this user.
    #[error(
        "no permission to connect to {0}: the socket is open to the sensor's own user only; run `sensor tail` as that user (root in most cases)"
    )]
    Permission(Address),
    /// Something else is there, or something is in between.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// Where.
        address: Address,
        /// Why.
        reason: String,
    },
    /// The sensor refused the request.
    #[error("the sensor refused the request: {0}")]
    Refused(String),
    /// It broke.
    #[error("the connection to the sensor broke: {0}")]
    Broken(String),
    /// Nothing can be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailEnd {
    /// The time given was over.
    Time,
    /// The sensor stopped.
    SensorStopped,
}

/// Prints to standard output until the sensor stops, the time is over or the future is dropped.
///
/// # Errors
/// [`TailError`]; [`OutputError::Closed`] within it is what `sensor tail | head` ends with.
pub async fn run(args: &TailArgs) -> Result<TailEnd, TailError> {
    let format = match args.output {
        TailOutput::Text => Format::Text(Style::detect(rustix::stdio::stdout())),
        TailOutput::Json => Format::Json,
    };
    run_to(args, format, Output::stdout()).await
}

/// The same with another output.
///
/// # Errors
/// Those of [`run`].
pub async fn run_to<F: AsFd>(args: &TailArgs, format: Format, output: Output<F>) -> Result<TailEnd, TailError> {
    let filter = Filter {
        findings: true,
        events: args.events,
        kinds: args.kinds.clone(),
        min_level: args.level,
        containers: args.containers.clone(),
    };
    let channel = connect(&args.connect).await?;
    let mut client = SensorClient::new(channel).max_decoding_message_size(MESSAGE_MAX);
    let mut stream =
        client.subscribe(crate::proto::SubscribeRequest::from(&filter)).await.map_err(|s| status(&args.connect, &s))?.into_inner();
    let mut printer = Printer::new(output, format, args.events, &Origin::default());
    let end = async {
        match args.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    let mut flush = tokio::time::interval(FLUSH);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = &mut end => {
                printer.flush()?;
                return Ok(TailEnd::Time);
            }
            _ = flush.tick() => printer.flush()?,
            message = stream.message() => match message {
                Ok(Some(item)) => match convert::decode(item) {
                    Ok((origin, item)) => {
                        printer.set_origin(&origin);
                        printer.print(&item)?;
                    }
                    // A newer sensor: the rest of the stream is still good, and what is skipped is said.
                    Err(e) => super::say(&format!("skipped an item: {e}; this sensor is of another version, update `sensor tail`")),
                },
                Ok(None) => {
                    printer.flush()?;
                    return Ok(TailEnd::SensorStopped);
                }
                Err(s) => {
                    printer.flush()?;
                    return Err(status(&args.connect, &s));
                }
            },
        }
    }
}

/// A connection to a sensor.
///
/// # Errors
/// [`TailError`].
pub async fn connect(address: &Address) -> Result<Channel, TailError> {
    let uri = match address {
        // A URI is asked for and not used.
        Address::Unix(_) => "http://localhost".to_owned(),
        Address::Tcp { .. } => address.to_string(),
    };
    let endpoint = Endpoint::try_from(uri)
        .map_err(|e| TailError::Connect { address: address.clone(), reason: e.to_string() })?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_while_idle(true);
    let connected = match address {
        Address::Tcp { .. } => endpoint.connect().await,
        Address::Unix(path) => {
            let path = path.clone();
            let connector = tower::service_fn(move |_: Uri| {
                let path = path.clone();
                async move { UnixStream::connect(path).await.map(TokioIo::new) }
            });
            endpoint.connect_with_connector(connector).await
        }
    };
    connected.map_err(|e| match io_error(&e).map(io::Error::kind) {
        Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => TailError::NobodyThere(address.clone()),
        Some(io::ErrorKind::PermissionDenied) => TailError::Permission(address.clone()),
        _ => TailError::Connect { address: address.clone(), reason: innermost(&e) },
    })
}

fn status(address: &Address, s: &Status) -> TailError {
    match s.code() {
        Code::InvalidArgument | Code::ResourceExhausted => TailError::Refused(s.message().to_owned()),
        Code::Unimplemented => TailError::Connect { address: address.clone(), reason: "what listens there is not a sensor".to_owned() },
        _ => TailError::Broken(format!("{}{}", s.message(), s.source().map_or_else(String::new, |e| format!(" ({})", innermost(e))))),
    }
}

fn sources<'a>(e: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(e), |e: &&'a (dyn Error + 'static)| (*e).source())
}

fn io_error<'a>(e: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    sources(e).find_map(|e| e.downcast_ref::<io::Error>())
}

fn innermost(e: &(dyn Error + 'static)) -> String {
    sources(e).last().map(ToString::to_string).unwrap_or_default()
}

fn parse_kind(s: &str) -> Result<EventKind, String> {
    let kinds = || EventKind::ALL.iter().map(|k| k.as_str()).collect::<Vec<_>>().join(", ");
    EventKind::ALL.iter().copied().find(|k| k.as_str() == s).ok_or_else(|| format!("not a kind of event; there are {}", kinds()))
}

fn parse_level(s: &str) -> Result<Level, String> {
    let levels = || Level::ALL.iter().map(|l| l.as_str()).collect::<Vec<_>>().join(", ");
    Level::ALL.iter().copied().find(|l| l.as_str() == s).ok_or_else(|| format!("not a level; there are {}", levels()))
}

/// A whole number with a unit: ms, s, m or h; seconds without one.
fn parse_duration(s: &str) -> Result<Duration, String> {
    let digits = s.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = s.split_at(digits);
    let ms = match unit {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("not a duration: give a number and ms, s, m or h, such as 30s".to_owned()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(ms))
        .map(Duration::from_millis)
        .ok_or_else(|| "not a duration: give a number and ms, s, m or h, such as 30s".to_owned())
}
