//! Our items to protocol messages. Strings of the kernel are shared, not copied.

use crate::{
    events::{self, Endpoint, Event, FileRef, Outcome, Socket},
    finding::{Contribution, Finding, Level, RuleInfo},
    process::{Container, Credentials, Image, Process, ProcessId},
    proto::{self, event::Body},
    sink::{self, Item, Origin},
    text::Text,
};
use bytes::Bytes;

/// An item as a message.
pub fn encode(item: &Item, origin: &Origin) -> proto::Item {
    let to = Encoder { origin };
    proto::Item {
        sequence: item.sequence,
        origin: Some(proto::Origin {
            boot_id: origin.boot_id.to_string(),
            host_name: origin.host_name.to_string(),
            sensor_version: origin.sensor_version.to_string(),
        }),
        body: Some(match &item.body {
            sink::Body::Event(event) => proto::item::Body::Event(to.event(event)),
            sink::Body::Finding(finding) => proto::item::Body::Finding(to.finding(finding)),
            sink::Body::Gap(gap) => {
                proto::item::Body::Gap(proto::Gap { count: gap.count, first_sequence: gap.first, last_sequence: gap.last })
            }
        }),
    }
}

/// A level as its message value.
pub const fn level(level: Level) -> proto::Level {
    match level {
        Level::Informational => proto::Level::Informational,
        Level::Low => proto::Level::Low,
        Level::Medium => proto::Level::Medium,
        Level::High => proto::Level::High,
        Level::Critical => proto::Level::Critical,
    }
}

struct Encoder<'a> {
    origin: &'a Origin,
}

impl Encoder<'_> {
    fn id(&self, id: ProcessId) -> proto::ProcessId {
        proto::ProcessId { entity_id: self.origin.entity_id(id).to_string(), pid: id.tgid, start_time_ns: id.start_ns }
    }

    fn process(&self, p: &Process) -> proto::Process {
        proto::Process {
            id: Some(self.id(p.id)),
            parent: Some(self.id(p.parent)),
            tree: Some(self.id(p.tree)),
            image: p.image.as_deref().map(image),
            name: bytes(&p.comm),
            credentials: Some(credentials(&p.credentials)),
            user_name: p.user_name.as_ref().map(string),
            pid_namespace: p.pid_ns,
            mount_namespace: p.mnt_ns,
            cgroup_id: p.cgroup_id,
            cgroup: p.cgroup.as_ref().map(bytes),
            container: p.container.as_deref().map(container),
        }
    }

    fn event(&self, e: &Event) -> proto::Event {
        proto::Event {
            time: Some(prost_types::Timestamp {
                seconds: i64::try_from(e.wall_ns / NS).unwrap_or(i64::MAX),
                nanos: i32::try_from(e.wall_ns % NS).unwrap_or(0),
            }),
            boot_time_ns: e.time_ns,
            tier: i32::from(e.tier as u8),
            tid: e.tid,
            process: Some(self.process(&e.process)),
            parent: e.parent.as_deref().map(|p| self.process(p)),
            body: Some(self.body(&e.body)),
        }
    }

    fn body(&self, body: &events::Body) -> Body {
        use events::Body as B;
        match body {
            B::Exec { outcome: o, image: i } => Body::Exec(proto::Exec { outcome: outcome(*o), image: Some(image(i)) }),
            B::Fork { child } => Body::Fork(proto::Fork { child: Some(self.process(child)) }),
            B::Exit { code, signal } => Body::Exit(proto::Exit { code: code.map(u32::from), signal: signal.map(u32::from) }),
            B::Cgroup { id, path, container: c } => {
                Body::Cgroup(proto::Cgroup { id: *id, path: bytes(path), container: c.as_deref().map(container) })
            }
            B::Connect { outcome: o, socket: s } => Body::Connect(proto::Connect { outcome: outcome(*o), socket: socket(s) }),
            B::Accept { outcome: o, socket: s } => Body::Accept(proto::Accept { outcome: outcome(*o), socket: socket(s) }),
            B::Bind { outcome: o, socket: s } => Body::Bind(proto::Bind { outcome: outcome(*o), socket: socket(s) }),
            B::Listen { outcome: o, socket: s, backlog } => {
                Body::Listen(proto::Listen { outcome: outcome(*o), socket: socket(s), backlog: *backlog })
            }
            B::Open { outcome: o, file: f, flags, mode, created } => {
                Body::Open(proto::Open { outcome: outcome(*o), file: file(f), flags: *flags, mode: *mode, created: *created })
            }
            B::Unlink { outcome: o, file: f, directory } => {
                Body::Unlink(proto::Unlink { outcome: outcome(*o), file: file(f), directory: *directory })
            }
            B::Rename { outcome: o, old, new, flags } => {
                Body::Rename(proto::Rename { outcome: outcome(*o), old: file(old), new: file(new), flags: *flags })
            }
            B::Chmod { outcome: o, file: f, mode } => Body::Chmod(proto::Chmod { outcome: outcome(*o), file: file(f), mode: *mode }),
            B::Chown { outcome: o, file: f, owner, group } => {
                Body::Chown(proto::Chown { outcome: outcome(*o), file: file(f), owner: *owner, group: *group })
            }
            B::Link { outcome: o, old, new } => Body::Link(proto::Link { outcome: outcome(*o), old: file(old), new: file(new) }),
            B::Symlink { outcome: o, target, link } => {
                Body::Symlink(proto::Symlink { outcome: outcome(*o), target: bytes(target), link: file(link) })
            }
            B::Loss { kind, reason, count } => Body::Loss(proto::Loss {
                kind: i32::from(*kind as u16),
                reason: i32::try_from(*reason as u32).unwrap_or_default(),
                count: *count,
            }),
        }
    }

    fn finding(&self, f: &Finding) -> proto::Finding {
        proto::Finding {
            rule: Some(rule(&f.rule)),
            event: Some(self.event(&f.event)),
            ancestors: f.ancestors.iter().map(|p| self.process(p)).collect(),
            matched: f
                .matched
                .iter()
                .map(|(field, value)| proto::MatchedField { field: field.name().to_owned(), value: bytes(value) })
                .collect(),
            score: Some(proto::Score {
                tree: Some(self.id(f.score.tree)),
                points: f.score.points,
                total: f.score.total,
                contributions: f.score.contributions.iter().map(|c| self.contribution(c)).collect(),
                omitted: f.score.omitted,
            }),
            rules_version: f.rules_version.to_string(),
        }
    }

    fn contribution(&self, c: &Contribution) -> proto::Contribution {
        proto::Contribution { boot_time_ns: c.time_ns, rule: Some(rule(&c.rule)), process: Some(self.id(c.process)), points: c.points }
    }
}

const NS: u64 = 1_000_000_000;

/// Shares a text with the message instead of copying it: an argv may have 64 KiB.
struct Shared(Text);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

fn bytes(text: &Text) -> Bytes {
    Bytes::from_owner(Shared(text.clone()))
}

fn string(text: &Text) -> String {
    text.lossy().into_owned()
}

fn container(c: &Container) -> proto::Container {
    proto::Container { id: string(&c.id), runtime: c.runtime.to_owned(), pod_uid: c.pod_uid.as_ref().map(string) }
}

fn image(i: &Image) -> proto::Image {
    proto::Image {
        executable: i.executable.as_ref().map(bytes),
        invoked: i.invoked.as_ref().map(bytes),
        args: i.args.iter().map(bytes).collect(),
        interpreter: i.interpreter.as_ref().map(bytes),
        working_directory: i.working_directory.as_ref().map(bytes),
        inode: i.inode,
        device: i.dev,
        mount_id: i.mount_id,
        args_bytes: i.args_bytes,
        args_cut: i.args_cut,
        memfd: i.memfd,
        unlinked: i.unlinked,
        seeded: i.seeded,
    }
}

const fn credentials(c: &Credentials) -> proto::Credentials {
    proto::Credentials {
        uid: c.uid,
        gid: c.gid,
        saved_uid: c.suid,
        saved_gid: c.sgid,
        effective_uid: c.euid,
        effective_gid: c.egid,
        login_uid: c.login_uid,
        session_id: c.session_id,
        effective_capabilities: c.cap_effective,
        permitted_capabilities: c.cap_permitted,
    }
}

fn outcome(o: Outcome) -> Option<proto::Outcome> {
    let (kind, value) = match o {
        Outcome::Success(value) => (proto::OutcomeKind::Success, value),
        Outcome::Failure(errno) => (proto::OutcomeKind::Failure, errno),
        Outcome::Unknown => (proto::OutcomeKind::Unspecified, 0),
    };
    Some(proto::Outcome { kind: kind.into(), value })
}

fn file(f: &FileRef) -> Option<proto::File> {
    Some(proto::File {
        path: f.path.as_ref().map(bytes),
        raw_path: f.raw.as_ref().map(bytes),
        from_user_memory: !f.from_kernel,
        incomplete: !f.complete,
        deleted: f.deleted,
        inode: f.inode,
        device: f.dev,
        mode: f.mode,
        owner: f.owner,
    })
}

fn endpoint(e: &Endpoint) -> proto::Endpoint {
    use proto::endpoint::Address;
    proto::Endpoint {
        address: Some(match e {
            Endpoint::Ip(ip, port) => {
                let ip = match ip {
                    std::net::IpAddr::V4(ip) => Bytes::copy_from_slice(&ip.octets()),
                    std::net::IpAddr::V6(ip) => Bytes::copy_from_slice(&ip.octets()),
                };
                Address::Inet(proto::Inet { ip, port: u32::from(*port) })
            }
            Endpoint::Unix(path) => Address::Unix(bytes(path)),
        }),
    }
}

fn socket(s: &Socket) -> Option<proto::Socket> {
    Some(proto::Socket {
        family: u32::from(s.family),
        r#type: u32::from(s.kind),
        protocol: u32::from(s.protocol),
        fd: s.fd,
        local: s.local.as_ref().map(endpoint),
        remote: s.remote.as_ref().map(endpoint),
        from_user_memory: !s.from_kernel,
    })
}

fn rule(r: &RuleInfo) -> proto::Rule {
    proto::Rule {
        id: r.id.clone(),
        title: r.title.clone(),
        description: r.description.clone(),
        author: r.author.clone(),
        level: level(r.level).into(),
        status: r.status.clone(),
        tags: r.tags.clone(),
        techniques: r.techniques.clone(),
        tactics: r.tactics.clone(),
        references: r.references.clone(),
        false_positives: r.false_positives.clone(),
        source: r.source.clone(),
    }
}
