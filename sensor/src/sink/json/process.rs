//! `process.*`, `user.*`, `container.*` and what ours says of a process.

use super::{Writer, object::Object};
use crate::{
    events::{Body, Event, Outcome},
    process::{Image, Process},
};

/// The image that the process fields of an event speak of: that of the attempt for exec, that of the process otherwise.
pub(in crate::sink) fn image(event: &Event) -> Option<&Image> {
    match &event.body {
        Body::Exec { image, .. } => Some(image),
        _ => event.process.image.as_deref(),
    }
}

/// `process`, with its parent.
pub(super) fn process(o: &mut Object<'_, '_>, w: &Writer, event: &Event) {
    o.object("process", |o| {
        identity(o, w, &event.process);
        program(o, image(event));
        o.object("thread", |o| o.number("id", event.tid));
        // The start is in boot time; both clocks are known at the event.
        let start = event.wall_ns.checked_sub(event.time_ns).and_then(|boot| boot.checked_add(event.process.id.start_ns));
        if let Some(start) = start.filter(|_| event.process.id.start_ns > 0) {
            o.time("start", start);
        }
        if let Body::Exit { code: Some(code), .. } = &event.body {
            o.number("exit_code", *code);
        }
        o.object("parent", |o| match &event.parent {
            Some(parent) => {
                identity(o, w, parent);
                program(o, parent.image.as_deref());
                o.object("user", |o| user_id(o, parent));
            }
            None => {
                o.number("pid", event.process.parent.tgid);
                w.entity_id(o, "entity_id", event.process.parent);
            }
        });
    });
}

/// `user`.
pub(super) fn user(o: &mut Object<'_, '_>, p: &Process) {
    o.object("user", |o| {
        user_id(o, p);
        o.object("effective", |o| o.keyword("id", p.credentials.euid));
        o.object("group", |o| o.keyword("id", p.credentials.gid));
    });
}

/// `container`.
pub(super) fn container(o: &mut Object<'_, '_>, p: &Process) {
    if let Some(c) = &p.container {
        o.object("container", |o| {
            o.text("id", Some(&c.id));
            if !c.runtime.is_empty() {
                o.str("runtime", c.runtime);
            }
        });
    }
}

/// `sensor.process`, `sensor.user` and `sensor.container`: what ECS has no names for.
pub(super) fn ours(o: &mut Object<'_, '_>, w: &Writer, event: &Event) {
    let (p, c) = (&event.process, &event.process.credentials);
    o.object("process", |o| {
        if let Some(i) = image(event) {
            o.text("invoked", i.invoked.as_ref().filter(|invoked| Some(*invoked) != i.executable.as_ref()));
            o.text("interpreter", i.interpreter.as_ref());
            o.flag("memfd", i.memfd);
            o.flag("unlinked", i.unlinked);
            o.flag("seeded", i.seeded);
            if i.args_cut {
                o.bool("args_cut", true);
                o.number("args_bytes", i.args_bytes);
            }
            if i.inode != 0 {
                o.number("inode", i.inode);
                o.number("device", i.dev);
                o.number("mount_id", i.mount_id);
            }
        }
        if let (Body::Exec { outcome: Outcome::Failure(_), .. }, Some(now)) = (&event.body, &p.image) {
            // Who tried it: the image above is that of the attempt.
            o.object("current", |o| program(o, Some(now)));
        }
        o.number("pid_namespace", p.pid_ns);
        o.number("mount_namespace", p.mnt_ns);
        o.text("cgroup", p.cgroup.as_ref());
        o.number("cgroup_id", p.cgroup_id);
        o.hex("cap_effective", c.cap_effective);
        o.hex("cap_permitted", c.cap_permitted);
        w.entity_id(o, "tree", p.tree);
    });
    o.object("user", |o| {
        if let Some(login) = c.login_uid {
            o.number("login_id", login);
        }
        if let Some(session) = c.session_id {
            o.number("session_id", session);
        }
        o.number("saved_id", c.suid);
        o.number("effective_group_id", c.egid);
        o.number("saved_group_id", c.sgid);
    });
    if let Some(pod) = p.container.as_ref().and_then(|c| c.pod_uid.as_ref()) {
        o.object("container", |o| o.text("pod_uid", Some(pod)));
    }
}

/// An ancestor or a child: who it is in short.
pub(super) fn short(o: &mut Object<'_, '_>, w: &Writer, p: &Process) {
    identity(o, w, p);
    if let Some(i) = &p.image {
        o.text("executable", i.executable.as_ref().or(i.invoked.as_ref()));
        o.text("command_line", i.command_line.as_ref());
    }
    o.object("user", |o| user_id(o, p));
}

fn identity(o: &mut Object<'_, '_>, w: &Writer, p: &Process) {
    o.number("pid", p.id.tgid);
    w.entity_id(o, "entity_id", p.id);
    o.text("name", Some(&p.comm));
}

fn program(o: &mut Object<'_, '_>, image: Option<&Image>) {
    let Some(i) = image else { return };
    o.text("executable", i.executable.as_ref().or(i.invoked.as_ref()));
    o.text("command_line", i.command_line.as_ref());
    if !i.args.is_empty() {
        o.texts("args", &i.args);
        o.number("args_count", u64::try_from(i.args.len()).unwrap_or(u64::MAX));
    }
    o.text("working_directory", i.working_directory.as_ref());
}

fn user_id(o: &mut Object<'_, '_>, p: &Process) {
    o.keyword("id", p.credentials.uid);
    o.text("name", p.user_name.as_ref());
}
