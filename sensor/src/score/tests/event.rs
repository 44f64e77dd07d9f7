//! Events for tests, with the few fields that rules read.

use crate::{
    events::{Body, Endpoint, Event, FileRef, Outcome, Socket},
    process::{Credentials, Image, Process, ProcessId},
    text::Text,
};
use sensor_common::Tier;
use std::sync::Arc;

/// A process that runs `executable`, called as `invoked`.
pub(super) fn process(executable: &str, invoked: &str, args: &[&str]) -> Process {
    let text = |s: &str| (!s.is_empty()).then(|| Text::from(s));
    let image = Image {
        executable: text(executable),
        invoked: text(invoked),
        args: args.iter().map(|a| Text::from(*a)).collect(),
        command_line: (!args.is_empty()).then(|| Text::from(args.join(" "))),
        ..Image::default()
    };
    Process {
        id: ProcessId { tgid: 10, start_ns: 10 },
        parent: ProcessId { tgid: 9, start_ns: 9 },
        tree: ProcessId { tgid: 1, start_ns: 1 },
        comm: Text::from(crate::text::basename(invoked.as_bytes())),
        image: Some(Arc::new(image)),
        credentials: Credentials { uid: 1000, euid: 1000, ..Credentials::default() },
        user_name: Some(Text::from("alice")),
        pid_ns: 1,
        mnt_ns: 1,
        cgroup_id: 1,
        cgroup: None,
        container: None,
    }
}

pub(super) fn event(process: Process, body: Body) -> Event {
    let time_ns = 1_000_000_000;
    Event { time_ns, wall_ns: time_ns, tier: Tier::Tracepoint, tid: 10, process: Arc::new(process), parent: None, body }
}

/// A program start with a parent.
pub(super) fn exec(executable: &str, args: &[&str]) -> Event {
    exec_as(executable, executable, args)
}

pub(super) fn exec_as(executable: &str, invoked: &str, args: &[&str]) -> Event {
    let process = process(executable, invoked, args);
    let image = process.image.clone().expect("just made");
    let mut event = event(process, Body::Exec { outcome: Outcome::Success(0), image });
    event.parent = Some(Arc::new(self::process("/usr/bin/bash", "/bin/bash", &["bash", "-i"])));
    event
}

pub(super) fn file(path: &str) -> FileRef {
    FileRef { path: Some(Text::from(path)), from_kernel: true, complete: true, ..FileRef::default() }
}

/// An open by a program: flags as in open(2).
pub(super) fn open(executable: &str, path: &str, flags: u32, created: bool, outcome: Outcome) -> Event {
    event(process(executable, executable, &[executable]), Body::Open { outcome, file: file(path), flags, mode: 0, created })
}

pub(super) fn connect(executable: &str, args: &[&str], address: &str, port: u16, outcome: Outcome) -> Event {
    let remote = Some(Endpoint::Ip(address.parse().expect("an address"), port));
    let socket = Socket { family: 2, kind: 1, protocol: 6, remote, ..Socket::default() };
    event(process(executable, executable, args), Body::Connect { outcome, socket })
}
