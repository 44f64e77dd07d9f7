//! The gRPC service from outside, in this process and on a socket of its own: a client in Python, our `tail`, a subscriber that does not
//! read, and one that sends garbage.

use anyhow::{Context, Result, bail, ensure};
use sensor::{
    cli::tail::{TailArgs, TailEnd, TailError, TailOutput, run_to},
    finding::Level,
    proto::{self, sensor_client::SensorClient},
    sink::{
        Format, Item, Origin,
        grpc::{Address, Hub, Limits, Options, Server, convert},
        json,
        stdout::{Output, OutputError},
    },
    telemetry::{Counter, Counters},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, RwLock},
    time::Duration,
};
use tempfile::TempDir;

#[path = "../sensor/src/sink/sample.rs"]
mod sample;

struct Running {
    server: Server,
    hub: Hub,
    counters: Arc<Counters>,
    socket: PathBuf,
    _folder: TempDir,
}

async fn running(limits: Limits) -> Result<Running> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("sensor.sock");
    let counters = Arc::new(Counters::default());
    let hub = Hub::new(limits, Arc::clone(&counters));
    let rules_version = Arc::new(RwLock::new(Arc::from("c0ffee")));
    let options = Options { address: Address::Unix(socket.clone()), origin: sample::origin(), rules_version };
    let server = Server::start(options, hub.clone()).await?;
    server.set_serving(true).await;
    Ok(Running { server, hub, counters, socket, _folder: folder })
}

impl Running {
    fn args(&self) -> TailArgs {
        TailArgs {
            connect: Address::Unix(self.socket.clone()),
            output: TailOutput::Json,
            events: true,
            kinds: Vec::new(),
            level: Level::Informational,
            containers: Vec::new(),
            duration: None,
        }
    }

    /// Until `n` have subscribed; the test's own time limit is the end of patience.
    async fn subscribers(&self, n: usize) {
        while self.hub.subscribers() != n {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn client(&self) -> Result<SensorClient<tonic::transport::Channel>> {
        Ok(SensorClient::new(sensor::cli::tail::connect(&Address::Unix(self.socket.clone())).await?))
    }
}

/// What the sensor itself would print.
fn json_lines(items: &[Item], origin: &Origin) -> String {
    let (writer, mut out) = (json::Writer::new(origin), Vec::new());
    items.iter().for_each(|item| writer.write(item, &mut out));
    String::from_utf8(out).unwrap()
}

/// Events, findings and loss reports; gaps are the hub's own.
fn published() -> Vec<Item> {
    sample::items().into_iter().filter(|i| i.sequence > 0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_prints_what_the_sensor_prints_and_ends_with_it() -> Result<()> {
    let running = running(Limits::default()).await?;
    let (mut reader, writer) = std::io::pipe()?;
    let args = running.args();
    let tail = tokio::spawn(async move { run_to(&args, Format::Json, Output::new(writer, Duration::from_secs(60))).await });
    running.subscribers(1).await;
    let items = published();
    items.iter().for_each(|item| running.hub.publish(item));
    assert!(running.server.shutdown(Duration::from_secs(30)).await, "all was delivered in time");
    assert_eq!(tail.await??, TailEnd::SensorStopped);
    let mut printed = String::new();
    reader.read_to_string(&mut printed)?;
    assert_eq!(printed, json_lines(&items, &sample::origin()));
    assert!(!running.socket.exists(), "nothing is left behind");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_says_why_it_cannot_connect() -> Result<()> {
    let running = running(Limits::default()).await?;
    let mut args = running.args();
    let attempt = async |args: &TailArgs| run_to(args, Format::Json, Output::new(tempfile::tempfile().unwrap(), Duration::ZERO)).await;
    args.connect = Address::Unix("/nonexistent/sensor.sock".into());
    assert_eq!(
        attempt(&args).await.unwrap_err().to_string(),
        "no sensor is listening on unix:/nonexistent/sensor.sock: start one with `sensor run`, or give its address with --connect"
    );
    // A port that was free a moment ago and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    args.connect = format!("http://127.0.0.1:{port}").parse()?;
    assert!(matches!(attempt(&args).await, Err(TailError::NobodyThere(_))));
    args = running.args();
    args.containers = vec!["abc".into()];
    assert_eq!(
        attempt(&args).await.unwrap_err().to_string(),
        "the sensor refused the request: container id \"abc\" is too short: give at least the first 12 characters"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_ends_when_nobody_reads_it() -> Result<()> {
    let running = running(Limits::default()).await?;
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let args = running.args();
    let tail = tokio::spawn(async move { run_to(&args, Format::Json, Output::new(writer, Duration::from_secs(60))).await });
    running.subscribers(1).await;
    published().iter().for_each(|item| running.hub.publish(item));
    assert!(matches!(tail.await?, Err(TailError::Output(OutputError::Closed))));
    running.subscribers(0).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_subscriber_lost_and_got_adds_up() -> Result<()> {
    const PUBLISHED: u64 = 30_000;
    let running = running(Limits { items: 100, bytes: usize::MAX }).await?;
    let all = proto::SubscribeRequest { include: proto::Include::FindingsAndEvents.into(), ..Default::default() };
    let mut client = running.client().await?;
    let mut slow = client.subscribe(all).await?.into_inner();
    let body = published().swap_remove(0).body;
    for sequence in 1..=PUBLISHED {
        running.hub.publish(&Item { sequence, body: body.clone() });
    }
    running.hub.close();
    let (mut expected, mut got, mut lost) = (1, 0, 0);
    while let Some(item) = slow.message().await? {
        match item.body.context("no body")? {
            proto::item::Body::Gap(gap) => {
                assert_eq!((item.sequence, gap.first_sequence, gap.count), (0, expected, gap.last_sequence - gap.first_sequence + 1));
                (expected, lost) = (gap.last_sequence + 1, lost + gap.count);
            }
            _ => {
                assert_eq!(item.sequence, expected);
                (expected, got) = (expected + 1, got + 1);
            }
        }
    }
    assert_eq!((got + lost, expected), (PUBLISHED, PUBLISHED + 1));
    assert_eq!((running.counters.get(Counter::SinkGrpcLost), running.counters.get(Counter::SinkGrpcQueued)), (lost, got));
    assert!(lost > 0, "nothing was lost: the test does not test anything");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_broken_requests_hurt_nobody() -> Result<()> {
    let running = running(Limits::default()).await?;
    let all = proto::SubscribeRequest { include: proto::Include::FindingsAndEvents.into(), ..Default::default() };
    let mut stream = running.client().await?.subscribe(all.clone()).await?.into_inner();
    let socket = running.socket.clone();
    tokio::task::spawn_blocking(move || -> Result<()> {
        let garbage: Vec<u8> = (0..1_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for head in [&b""[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let mut raw = std::os::unix::net::UnixStream::connect(&socket)?;
            // The server may close before it has read everything: that is an answer, too.
            let _ = raw.write_all(head).and_then(|()| raw.write_all(&garbage));
            let _ = raw.shutdown(std::net::Shutdown::Write);
            let _ = raw.read_to_end(&mut Vec::new());
        }
        Ok(())
    })
    .await??;
    let too_long = proto::SubscribeRequest { container_ids: vec!["x".repeat(1 << 20)], ..Default::default() };
    let refused = running.client().await?.subscribe(too_long).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::OutOfRange, "{refused}");
    let items = published();
    items.iter().for_each(|item| running.hub.publish(item));
    for item in &items {
        assert_eq!(stream.message().await?, Some(convert::encode(item, &sample::origin())));
    }
    assert_eq!(running.hub.subscribers(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_python_reads_every_item() -> Result<()> {
    let python = python()?;
    let running = running(Limits::default()).await?;
    let items = published();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut client = Command::new(python)
        .arg(here.join("python/tail.py"))
        .arg(here.join("../proto").canonicalize()?)
        .args([format!("unix:{}", running.socket.display()), items.len().to_string(), "events".to_owned()])
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = client.stdout.take().context("no output")?;
    let hub = running.hub.clone();
    let lines = tokio::task::spawn_blocking(move || -> Result<Vec<serde_json::Value>> {
        let mut lines = Vec::new();
        for line in BufReader::new(stdout).lines() {
            let line: serde_json::Value = serde_json::from_str(&line?)?;
            if line.get("subscribed").is_some() {
                published().iter().for_each(|item| hub.publish(item));
            }
            lines.push(line);
        }
        Ok(lines)
    })
    .await??;
    ensure!(client.wait()?.success(), "the client failed");
    let [whole, service, version, subscribed, got @ ..] = lines.as_slice() else { bail!("too few lines: {lines:?}") };
    assert_eq!(*whole, serde_json::json!({"service": "", "health": "SERVING"}));
    assert_eq!(*service, serde_json::json!({"service": "sensor.v1.Sensor", "health": "SERVING"}));
    let expected = serde_json::json!({"version": {
        "sensor_version": "0.1.0", "wire_version": sensor_common::WIRE_VERSION, "rules_version": "c0ffee",
        "boot_id": "0b4aa1c2-51c3-4e5c-9f0e-3d1a2b4c5d6e", "host_name": "web-1",
    }});
    assert_eq!((version, subscribed["subscribed"].as_bool()), (&expected, Some(true)));
    assert_eq!(got.len(), items.len());
    for (line, item) in got.iter().zip(&items) {
        // What Python understood, written by Python again, is what we meant.
        let wire = line["wire"].as_str().context("no wire")?;
        let wire: Vec<u8> = (0..wire.len()).step_by(2).map(|n| u8::from_str_radix(&wire[n..n + 2], 16)).collect::<Result<_, _>>()?;
        let again: proto::Item = prost_decode(&wire)?;
        assert_eq!(again, convert::encode(item, &sample::origin()));
    }
    // And by name, for an item with hostile bytes in it: `/etc/cron.d/\x1b[31mevil\xff`.
    let open = &got[7]["item"];
    assert_eq!(open["sequence"], "8");
    assert_eq!(open["event"]["time"], "2026-11-21T00:12:33.123456789Z");
    assert_eq!(open["event"]["tier"], "HOOK_TIER_KPROBE");
    assert_eq!(open["event"]["process"]["credentials"]["login_uid"], 1000);
    assert_eq!(
        open["event"]["open"],
        serde_json::json!({
            "outcome": {"kind": "OUTCOME_KIND_SUCCESS", "value": 3},
            "file": {"path": "L2V0Yy9jcm9uLmQvG1szMW1ldmls/w==", "raw_path": "Li4veA==", "inode": "12", "device": 8388609, "mode": 33188, "owner": 0},
            "flags": 65, "mode": 420, "created": true,
        })
    );
    let finding = &got[15]["item"]["finding"];
    assert_eq!(finding["rule"]["level"], "LEVEL_HIGH");
    assert_eq!(finding["score"]["total"], 68.5);
    assert_eq!(finding["ancestors"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        got[14]["item"]["event"]["loss"],
        serde_json::json!({"kind": "EVENT_KIND_OPEN", "reason": "LOSS_REASON_RING_FULL", "count": "17"})
    );
    Ok(())
}

fn prost_decode(wire: &[u8]) -> Result<proto::Item> {
    Ok(prost::Message::decode(wire)?)
}

/// Python of a virtual environment with what `tail.py` needs, made at the first use. Without Python the test fails.
fn python() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("../target"), PathBuf::from);
    let venv = target.join("python");
    let (wanted, installed) = (here.join("python/requirements.txt"), venv.join("requirements.txt"));
    if std::fs::read(&installed).ok() != Some(std::fs::read(&wanted)?) {
        let run = |command: &mut Command| -> Result<()> {
            let out = command.output().context("cannot start Python 3: install python3 and python3-venv")?;
            let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
            ensure!(out.status.success(), "{command:?} failed: {said}\nThe test needs python3 with venv, and PyPI");
            Ok(())
        };
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&wanted))?;
        std::fs::copy(&wanted, &installed)?;
    }
    Ok(venv.join("bin/python"))
}
