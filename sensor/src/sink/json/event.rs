//! An event, alone or as the heart of a finding.

use super::{Writer, finding, object::Object, process};
use crate::{
    events::{Body, Endpoint, Event, FileRef, Outcome, Socket},
    finding::Finding,
};
use sensor_common::EventKind;

/// Everything behind the fields that all items have.
pub(super) fn write(
    o: &mut Object<'_, '_>,
    w: &Writer,
    event: &Event,
    finding: Option<&Finding>,
    number: impl FnOnce(&mut Object<'_, '_>),
) {
    o.object("event", |o| classification(o, event, finding));
    process::process(o, w, event);
    process::user(o, &event.process);
    process::container(o, &event.process);
    if let Some(f) = event.file() {
        o.object("file", |o| file(o, event, f));
    }
    if let Some(s) = event.socket() {
        endpoint(o, "source", event.source());
        endpoint(o, "destination", event.destination());
        o.object_if_any("network", |o| network(o, event, s));
    }
    if let Some(f) = finding {
        finding::rule(o, f);
    }
    o.object("sensor", |o| {
        number(o);
        o.number("time_ns", event.time_ns);
        o.object("hook", |o| o.str("tier", event.tier.as_str()));
        ours(o, w, event);
        process::ours(o, w, event);
        if let Some(f) = finding {
            finding::ours(o, w, f);
        }
        let (racy, incomplete) = doubts(event);
        if racy.iter().any(Option::is_some) {
            o.strs("racy", racy.into_iter().flatten());
        }
        if incomplete.iter().any(Option::is_some) {
            o.strs("incomplete", incomplete.into_iter().flatten());
        }
        let lossy = o.lossy();
        o.flag("lossy", lossy);
    });
}

fn classification(o: &mut Object<'_, '_>, event: &Event, finding: Option<&Finding>) {
    let (category, types) = ecs_class(event);
    let kind = match (finding, event.kind()) {
        (Some(_), _) => "alert",
        (None, EventKind::Loss) => "metric",
        (None, _) => "event",
    };
    o.str("kind", kind);
    match finding {
        Some(_) => {
            o.strs("category", ["intrusion_detection", category]);
            o.strs("type", types.iter().copied().chain(["info"].into_iter().filter(|info| !types.contains(info))));
        }
        None => {
            o.strs("category", [category]);
            o.strs("type", types.iter().copied());
        }
    }
    o.str("action", event.kind().as_str());
    match event.outcome() {
        Some(Outcome::Success(_)) => o.str("outcome", "success"),
        Some(Outcome::Failure(_)) => o.str("outcome", "failure"),
        Some(Outcome::Unknown) => o.str("outcome", "unknown"),
        None => {}
    }
    if let Some(f) = finding {
        o.number("severity", finding::severity(f.rule.level));
        o.float("risk_score", f.score.total);
    }
}

/// `event.category` and `event.type`, of the values that ECS allows.
fn ecs_class(event: &Event) -> (&'static str, &'static [&'static str]) {
    match &event.body {
        Body::Exec { .. } | Body::Fork { .. } => ("process", &["start"]),
        Body::Exit { .. } => ("process", &["end"]),
        Body::Cgroup { .. } => ("configuration", &["creation"]),
        Body::Connect { .. } | Body::Accept { .. } => ("network", &["connection", "start"]),
        Body::Bind { .. } | Body::Listen { .. } => ("network", &["info"]),
        Body::Open { created: true, .. } | Body::Link { .. } | Body::Symlink { .. } => ("file", &["creation"]),
        // O_WRONLY or O_RDWR.
        Body::Open { flags, .. } if flags & 3 != 0 => ("file", &["access", "change"]),
        Body::Open { .. } => ("file", &["access"]),
        Body::Unlink { .. } => ("file", &["deletion"]),
        Body::Rename { .. } | Body::Chmod { .. } | Body::Chown { .. } => ("file", &["change"]),
        Body::Loss { .. } => ("host", &["info"]),
    }
}

fn file(o: &mut Object<'_, '_>, event: &Event, f: &FileRef) {
    o.text("path", f.path.as_ref());
    if let Some(path) = &f.path {
        o.bytes("name", path.basename());
    }
    if let Body::Symlink { target, .. } = &event.body {
        o.text("target_path", Some(target));
    }
    if let Some(kind) = file_type(f.mode) {
        o.str("type", kind);
    }
    match &event.body {
        Body::Chmod { mode, .. } => o.octal("mode", *mode & 0o7777),
        _ if f.mode != 0 => o.octal("mode", f.mode & 0o7777),
        _ => {}
    }
    if f.inode != 0 {
        o.keyword("inode", f.inode);
        o.keyword("device", f.dev);
    }
    if let Some(owner) = f.owner {
        o.keyword("uid", owner);
    }
}

const fn file_type(mode: u32) -> Option<&'static str> {
    match mode & 0o170_000 {
        0o100_000 => Some("file"),
        0o040_000 => Some("dir"),
        0o120_000 => Some("symlink"),
        _ => None,
    }
}

fn endpoint(o: &mut Object<'_, '_>, key: &str, end: Option<&Endpoint>) {
    if let Some(Endpoint::Ip(ip, port)) = end {
        o.object(key, |o| {
            o.ip("ip", *ip);
            o.number("port", *port);
        });
    }
}

fn network(o: &mut Object<'_, '_>, event: &Event, s: &Socket) {
    if let Some(transport) = s.transport() {
        o.str("transport", transport);
    }
    match s.family {
        2 => o.str("type", "ipv4"),
        10 => o.str("type", "ipv6"),
        _ => {}
    }
    match &event.body {
        Body::Connect { .. } => o.str("direction", "egress"),
        Body::Accept { .. } => o.str("direction", "ingress"),
        _ => {}
    }
}

/// What ECS has no names for, under `sensor`.
fn ours(o: &mut Object<'_, '_>, w: &Writer, event: &Event) {
    match event.outcome() {
        Some(Outcome::Failure(errno)) => o.number("errno", errno),
        Some(Outcome::Success(result)) if result != 0 => o.number("result", result),
        _ => {}
    }
    if let Some(f) = event.file() {
        o.object_if_any("file", |o| our_file(o, event, f));
    }
    if let Some(s) = event.socket() {
        o.object("network", |o| {
            match &event.body {
                Body::Connect { .. } => o.bool("initiated", true),
                Body::Accept { .. } => o.bool("initiated", false),
                Body::Listen { backlog, .. } => o.number("backlog", *backlog),
                _ => {}
            }
            o.number("family", s.family);
            o.number("type", s.kind);
            o.number("protocol", s.protocol);
            if let Some(fd) = s.fd {
                o.number("fd", fd);
            }
        });
        for (key, end) in [("source", event.source()), ("destination", event.destination())] {
            if let Some(Endpoint::Unix(path)) = end {
                o.object(key, |o| o.text("path", Some(path)));
            }
        }
    }
    match &event.body {
        Body::Fork { child } => o.object("child", |o| process::short(o, w, child)),
        Body::Exit { signal: Some(signal), .. } => o.object("exit", |o| o.number("signal", *signal)),
        Body::Cgroup { id, path, container } => o.object("cgroup", |o| {
            o.number("id", *id);
            o.text("path", Some(path));
            if let Some(container) = container {
                o.text("container", Some(&container.id));
            }
        }),
        Body::Loss { kind, reason, count } => o.object("loss", |o| {
            o.str("kind", kind.as_str());
            o.str("reason", reason.as_str());
            o.number("count", *count);
        }),
        _ => {}
    }
}

fn our_file(o: &mut Object<'_, '_>, event: &Event, f: &FileRef) {
    o.text("raw_path", f.raw.as_ref());
    o.flag("deleted", f.deleted);
    match &event.body {
        Body::Open { flags, mode, created, .. } => {
            o.number("flags", *flags);
            o.number("open_mode", *mode);
            o.flag("write", flags & 3 != 0);
            o.flag("created", *created);
        }
        Body::Unlink { directory, .. } => o.flag("directory", *directory),
        Body::Rename { old, flags, .. } => {
            o.text("old_path", old.path.as_ref());
            o.text("old_raw_path", old.raw.as_ref());
            o.number("rename_flags", *flags);
        }
        Body::Link { old, .. } => {
            o.text("old_path", old.path.as_ref());
            o.text("old_raw_path", old.raw.as_ref());
        }
        Body::Chmod { .. } if f.mode != 0 => o.number("previous_mode", f.mode & 0o7777),
        Body::Chown { owner, group, .. } => {
            if let Some(owner) = owner {
                o.number("new_uid", *owner);
            }
            if let Some(group) = group {
                o.number("new_gid", *group);
            }
        }
        _ => {}
    }
}

type Doubts = [Option<&'static str>; 4];

/// Which fields an attacker may have changed while they were read, and which are not complete.
pub(in crate::sink) fn doubts(event: &Event) -> (Doubts, Doubts) {
    let when = |yes: bool, field: &'static str| yes.then_some(field);
    let image = process::image(event);
    let file = event.file();
    let old = match &event.body {
        Body::Rename { old, .. } | Body::Link { old, .. } => Some(old),
        _ => None,
    };
    let has_path = |f: &&FileRef| f.path.is_some();
    let racy = [
        when(image.is_some_and(|i| i.seeded), "process.args"),
        when(file.filter(has_path).is_some_and(|f| !f.from_kernel), "file.path"),
        when(old.filter(has_path).is_some_and(|f| !f.from_kernel), "sensor.file.old_path"),
        when(
            event.socket().is_some_and(|s| !s.from_kernel),
            if matches!(event.body, Body::Accept { .. }) { "source" } else { "destination" },
        ),
    ];
    let incomplete = [
        when(image.is_some_and(|i| i.args_cut), "process.args"),
        when(file.is_some_and(|f| !f.complete), "file.path"),
        when(old.is_some_and(|f| !f.complete), "sensor.file.old_path"),
        when(event.process.image.is_none() && event.kind() != EventKind::Loss, "process.executable"),
    ];
    (racy, incomplete)
}
