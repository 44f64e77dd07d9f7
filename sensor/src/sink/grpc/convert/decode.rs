//! Protocol messages to our items. The sender may be newer than we are, or not a sensor at all: nothing is trusted, nothing panics.

use crate::{
    events::{self, Endpoint, Event, Field, FileRef, Outcome, Socket},
    finding::{Contribution, Finding, Level, RuleInfo, Score},
    process::{Container, Credentials, Image, Process, ProcessId},
    proto::{self, event::Body},
    sink::{self, Gap, Item, Origin},
    text::Text,
};
use sensor_common::{EventKind, Tier, stats::Reason};
use std::{net::IpAddr, sync::Arc};

/// A message that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// It holds nothing that this version knows.
    #[error("item {sequence} is of a kind that this version does not know")]
    UnknownItem {
        /// Its number.
        sequence: u64,
    },
    /// A value that is out of its range, or that this version does not know.
    #[error("{field} has the value {value}, which this version does not know")]
    UnknownValue {
        /// Name in the .proto.
        field: &'static str,
        /// What it is.
        value: i64,
    },
}

type Converted<T> = Result<T, ConvertError>;

/// A message as an item, and where it comes from. Matched fields that this version has no name for are left out.
///
/// # Errors
/// [`ConvertError`]; the stream can be read on.
pub fn decode(item: proto::Item) -> Converted<(Origin, Item)> {
    let origin = item.origin.unwrap_or_default();
    let origin =
        Origin { boot_id: origin.boot_id.into(), host_name: origin.host_name.into(), sensor_version: origin.sensor_version.into() };
    let sequence = item.sequence;
    let body = match item.body {
        Some(proto::item::Body::Event(e)) => sink::Body::Event(Arc::new(event(sequence, e)?)),
        Some(proto::item::Body::Finding(f)) => sink::Body::Finding(Arc::new(finding(sequence, f)?)),
        Some(proto::item::Body::Gap(g)) => sink::Body::Gap(Gap { count: g.count, first: g.first_sequence, last: g.last_sequence }),
        None => return Err(ConvertError::UnknownItem { sequence }),
    };
    Ok((origin, Item { sequence, body }))
}

const fn unknown<T>(field: &'static str, value: i64) -> Converted<T> {
    Err(ConvertError::UnknownValue { field, value })
}

fn small<T: TryFrom<u32>>(field: &'static str, value: u32) -> Converted<T> {
    T::try_from(value).or(unknown(field, i64::from(value)))
}

fn text(bytes: bytes::Bytes) -> Text {
    Text::from(&bytes[..])
}

fn finding(sequence: u64, f: proto::Finding) -> Converted<Finding> {
    let score = f.score.unwrap_or_default();
    Ok(Finding {
        rule: rule(f.rule)?,
        event: Arc::new(event(sequence, f.event.unwrap_or_default())?),
        ancestors: f.ancestors.into_iter().map(|p| Arc::new(process(Some(p)))).collect(),
        matched: f
            .matched
            .into_iter()
            .filter_map(|m| Some((*Field::ALL.iter().find(|field| field.name() == m.field)?, text(m.value))))
            .collect(),
        score: Score {
            tree: id(score.tree),
            points: score.points,
            total: score.total,
            contributions: score
                .contributions
                .into_iter()
                .map(|c| Ok(Contribution { time_ns: c.boot_time_ns, rule: rule(c.rule)?, process: id(c.process), points: c.points }))
                .collect::<Converted<_>>()?,
            omitted: score.omitted,
        },
        rules_version: f.rules_version.into(),
    })
}

fn rule(r: Option<proto::Rule>) -> Converted<Arc<RuleInfo>> {
    let r = r.unwrap_or_default();
    let level = match r.level() {
        proto::Level::Unspecified => return unknown("level", i64::from(r.level)),
        proto::Level::Informational => Level::Informational,
        proto::Level::Low => Level::Low,
        proto::Level::Medium => Level::Medium,
        proto::Level::High => Level::High,
        proto::Level::Critical => Level::Critical,
    };
    Ok(Arc::new(RuleInfo {
        id: r.id,
        title: r.title,
        description: r.description,
        author: r.author,
        level,
        status: r.status,
        tags: r.tags,
        techniques: r.techniques,
        tactics: r.tactics,
        references: r.references,
        false_positives: r.false_positives,
        source: r.source,
    }))
}

fn event(sequence: u64, e: proto::Event) -> Converted<Event> {
    let tier = match u8::try_from(e.tier).ok().and_then(Tier::from_wire) {
        Some(tier) => tier,
        None => return unknown("tier", i64::from(e.tier)),
    };
    let time = e.time.unwrap_or_default();
    let wall_ns = u64::try_from(i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)).or(unknown("time", time.seconds))?;
    Ok(Event {
        time_ns: e.boot_time_ns,
        wall_ns,
        tier,
        tid: e.tid,
        process: Arc::new(process(e.process)),
        parent: e.parent.map(|p| Arc::new(process(Some(p)))),
        body: body(e.body.ok_or(ConvertError::UnknownItem { sequence })?)?,
    })
}

fn body(body: Body) -> Converted<events::Body> {
    use events::Body as B;
    Ok(match body {
        Body::Exec(b) => B::Exec { outcome: outcome(b.outcome), image: Arc::new(image(b.image.unwrap_or_default())) },
        Body::Fork(b) => B::Fork { child: Arc::new(process(b.child)) },
        Body::Exit(b) => B::Exit {
            code: b.code.map(|v| small("exit.code", v)).transpose()?,
            signal: b.signal.map(|v| small("exit.signal", v)).transpose()?,
        },
        Body::Cgroup(b) => B::Cgroup { id: b.id, path: text(b.path), container: b.container.map(container) },
        Body::Connect(b) => B::Connect { outcome: outcome(b.outcome), socket: socket(b.socket)? },
        Body::Accept(b) => B::Accept { outcome: outcome(b.outcome), socket: socket(b.socket)? },
        Body::Bind(b) => B::Bind { outcome: outcome(b.outcome), socket: socket(b.socket)? },
        Body::Listen(b) => B::Listen { outcome: outcome(b.outcome), socket: socket(b.socket)?, backlog: b.backlog },
        Body::Open(b) => B::Open { outcome: outcome(b.outcome), file: file(b.file), flags: b.flags, mode: b.mode, created: b.created },
        Body::Unlink(b) => B::Unlink { outcome: outcome(b.outcome), file: file(b.file), directory: b.directory },
        Body::Rename(b) => B::Rename { outcome: outcome(b.outcome), old: file(b.old), new: file(b.new), flags: b.flags },
        Body::Chmod(b) => B::Chmod { outcome: outcome(b.outcome), file: file(b.file), mode: b.mode },
        Body::Chown(b) => B::Chown { outcome: outcome(b.outcome), file: file(b.file), owner: b.owner, group: b.group },
        Body::Link(b) => B::Link { outcome: outcome(b.outcome), old: file(b.old), new: file(b.new) },
        Body::Symlink(b) => B::Symlink { outcome: outcome(b.outcome), target: text(b.target), link: file(b.link) },
        Body::Loss(b) => B::Loss {
            kind: u16::try_from(b.kind).ok().and_then(EventKind::from_wire).map_or_else(|| unknown("loss.kind", i64::from(b.kind)), Ok)?,
            reason: u32::try_from(b.reason)
                .ok()
                .and_then(Reason::from_wire)
                .map_or_else(|| unknown("loss.reason", i64::from(b.reason)), Ok)?,
            count: b.count,
        },
    })
}

fn id(id: Option<proto::ProcessId>) -> ProcessId {
    id.map_or_else(ProcessId::default, |id| ProcessId { tgid: id.pid, start_ns: id.start_time_ns })
}

fn process(p: Option<proto::Process>) -> Process {
    let p = p.unwrap_or_default();
    let c = p.credentials.unwrap_or_default();
    Process {
        id: id(p.id),
        parent: id(p.parent),
        tree: id(p.tree),
        image: p.image.map(|i| Arc::new(image(i))),
        comm: text(p.name),
        credentials: Credentials {
            uid: c.uid,
            gid: c.gid,
            suid: c.saved_uid,
            sgid: c.saved_gid,
            euid: c.effective_uid,
            egid: c.effective_gid,
            login_uid: c.login_uid,
            session_id: c.session_id,
            cap_effective: c.effective_capabilities,
            cap_permitted: c.permitted_capabilities,
        },
        user_name: p.user_name.map(Text::from),
        pid_ns: p.pid_namespace,
        mnt_ns: p.mount_namespace,
        cgroup_id: p.cgroup_id,
        cgroup: p.cgroup.map(text),
        container: p.container.map(container),
    }
}

fn container(c: proto::Container) -> Arc<Container> {
    Arc::new(Container {
        id: Text::from(c.id),
        runtime: ["docker", "containerd", "cri-o", "podman"].into_iter().find(|r| *r == c.runtime).unwrap_or_default(),
        pod_uid: c.pod_uid.map(Text::from),
    })
}

fn image(i: proto::Image) -> Image {
    let command_line = (!i.args.is_empty()).then(|| Text::from(i.args.join(&b' ')));
    Image {
        executable: i.executable.map(text),
        invoked: i.invoked.map(text),
        args: i.args.into_iter().map(text).collect(),
        command_line,
        interpreter: i.interpreter.map(text),
        working_directory: i.working_directory.map(text),
        inode: i.inode,
        dev: i.device,
        mount_id: i.mount_id,
        args_bytes: i.args_bytes,
        args_cut: i.args_cut,
        memfd: i.memfd,
        unlinked: i.unlinked,
        seeded: i.seeded,
    }
}

fn outcome(o: Option<proto::Outcome>) -> Outcome {
    let o = o.unwrap_or_default();
    match o.kind() {
        proto::OutcomeKind::Success => Outcome::Success(o.value),
        proto::OutcomeKind::Failure => Outcome::Failure(o.value),
        proto::OutcomeKind::Unspecified => Outcome::Unknown,
    }
}

fn file(f: Option<proto::File>) -> FileRef {
    let f = f.unwrap_or_default();
    FileRef {
        path: f.path.map(text),
        raw: f.raw_path.map(text),
        from_kernel: !f.from_user_memory,
        complete: !f.incomplete,
        deleted: f.deleted,
        inode: f.inode,
        dev: f.device,
        mode: f.mode,
        owner: f.owner,
    }
}

fn endpoint(e: Option<proto::Endpoint>) -> Converted<Option<Endpoint>> {
    use proto::endpoint::Address;
    Ok(match e.and_then(|e| e.address) {
        None => None,
        Some(Address::Unix(path)) => Some(Endpoint::Unix(text(path))),
        Some(Address::Inet(inet)) => {
            let port = small("inet.port", inet.port)?;
            let ip = if let Ok(octets) = <[u8; 4]>::try_from(&inet.ip[..]) {
                IpAddr::from(octets)
            } else if let Ok(octets) = <[u8; 16]>::try_from(&inet.ip[..]) {
                IpAddr::from(octets)
            } else {
                return unknown("inet.ip (length)", i64::try_from(inet.ip.len()).unwrap_or(i64::MAX));
            };
            Some(Endpoint::Ip(ip, port))
        }
    })
}

fn socket(s: Option<proto::Socket>) -> Converted<Socket> {
    let s = s.unwrap_or_default();
    Ok(Socket {
        family: small("socket.family", s.family)?,
        kind: small("socket.type", s.r#type)?,
        protocol: small("socket.protocol", s.protocol)?,
        fd: s.fd,
        local: endpoint(s.local)?,
        remote: endpoint(s.remote)?,
        from_kernel: !s.from_user_memory,
    })
}
