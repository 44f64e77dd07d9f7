//! What an event did, in words.

use super::command;
use crate::{
    events::{Body, Endpoint, Event, FileRef, Outcome, Socket},
    process::Image,
};

/// One sentence without a full stop, such as `connected to 127.0.0.1:4444 (tcp)`; a failure begins with
/// `failed to` and ends with the reason.
pub(super) fn describe(event: &Event) -> String {
    let text = sentence(event);
    match event.outcome() {
        Some(Outcome::Unknown) if matches!(event.body, Body::Connect { .. }) => format!("began to {}", infinitive(&text)),
        Some(Outcome::Failure(errno)) => format!("failed to {}: {}", infinitive(&text), error(errno)),
        Some(Outcome::Unknown) => format!("{text} (result unknown)"),
        Some(Outcome::Success(_)) | None => text,
    }
}

/// The sentence with its first word, the verb, as what somebody tried to do.
fn infinitive(sentence: &str) -> String {
    const VERBS: &[(&str, &str)] = &[
        ("executed", "execute"),
        ("connected", "connect"),
        ("accepted", "accept"),
        ("took", "take"),
        ("listens", "listen"),
        ("created", "create"),
        ("opened", "open"),
        ("removed", "remove"),
        ("renamed", "rename"),
        ("set", "set"),
        ("gave", "give"),
        ("linked", "link"),
        ("made", "make"),
    ];
    let (verb, rest) = sentence.split_once(' ').unwrap_or((sentence, ""));
    let verb = VERBS.iter().find(|(past, _)| *past == verb).map_or(verb, |(_, infinitive)| infinitive);
    format!("{verb} {rest}")
}

fn sentence(event: &Event) -> String {
    match &event.body {
        Body::Exec { image, .. } => executed(image),
        Body::Fork { child } => format!("forked process {}", child.id.tgid),
        Body::Exit { code: Some(code), .. } => format!("exited with code {code}"),
        Body::Exit { signal: Some(signal), .. } => format!("ended by signal {signal}"),
        Body::Exit { .. } => "exited".to_owned(),
        Body::Cgroup { path, container: Some(container), .. } => format!("made the cgroup {path} of container {}", container.id),
        Body::Cgroup { path, .. } => format!("made the cgroup {path}"),
        Body::Connect { socket, .. } => format!("connected to {}{}", end(socket.remote.as_ref()), transport(socket)),
        Body::Accept { socket, .. } => {
            format!("accepted a connection from {} on {}{}", end(socket.remote.as_ref()), end(socket.local.as_ref()), transport(socket))
        }
        Body::Bind { socket, .. } => format!("took the address {}{}", end(socket.local.as_ref()), transport(socket)),
        Body::Listen { socket, .. } => format!("listens on {}{}", end(socket.local.as_ref()), transport(socket)),
        Body::Open { file, created: true, .. } => format!("created {}", path(file)),
        Body::Open { file, flags, .. } if flags & 3 != 0 => format!("opened {} for writing", path(file)),
        Body::Open { file, .. } => format!("opened {} for reading", path(file)),
        Body::Unlink { file, directory, .. } => format!("removed {}{}", if *directory { "the folder " } else { "" }, path(file)),
        Body::Rename { old, new, .. } => format!("renamed {} to {}", path(old), path(new)),
        Body::Chmod { file, mode, .. } => format!("set the mode of {} to {:04o}", path(file), mode & 0o7777),
        Body::Chown { file, owner, group, .. } => {
            let to: Vec<String> =
                [("user", owner), ("group", group)].into_iter().filter_map(|(what, id)| id.map(|id| format!("{what} {id}"))).collect();
            format!("gave {} to {}", path(file), if to.is_empty() { "nobody else".to_owned() } else { to.join(", ") })
        }
        Body::Link { old, new, .. } => format!("linked {} as {}", path(old), path(new)),
        Body::Symlink { target, link, .. } => format!("made the symbolic link {} to {target}", path(link)),
        Body::Loss { kind, reason, count } => format!("lost {count} {} events before this point: {}", kind.as_str(), reason.as_str()),
    }
}

fn executed(image: &Image) -> String {
    let file = match (&image.executable, &image.invoked) {
        (Some(file), _) | (None, Some(file)) => file.to_string(),
        (None, None) => "an unknown file".to_owned(),
    };
    let odd = match (image.memfd, image.unlinked) {
        (true, _) => " (from memory: a memfd)",
        (false, true) => " (a file without a name)",
        (false, false) => "",
    };
    let arguments = command(image);
    if arguments.is_empty() { format!("executed {file}{odd}") } else { format!("executed {file}{odd}: {arguments}") }
}

fn path(file: &FileRef) -> String {
    let mut text = match (&file.path, &file.raw) {
        (Some(path), _) | (None, Some(path)) => path.to_string(),
        (None, None) => "an unknown file".to_owned(),
    };
    if text.is_empty() {
        text.push_str("\"\"");
    }
    if !file.complete {
        text.push_str(" (path incomplete)");
    }
    if file.deleted {
        text.push_str(" (deleted)");
    }
    text
}

fn end(endpoint: Option<&Endpoint>) -> String {
    match endpoint {
        None => "an unknown address".to_owned(),
        Some(Endpoint::Ip(ip, port)) => std::net::SocketAddr::new(*ip, *port).to_string(),
        Some(Endpoint::Unix(path)) if path.is_empty() => "an unnamed UNIX socket".to_owned(),
        Some(Endpoint::Unix(path)) => format!("the UNIX socket {path}"),
    }
}

fn transport(socket: &Socket) -> String {
    socket.transport().map_or_else(String::new, |t| format!(" ({t})"))
}

/// The reason in words, without the number that std adds.
fn error(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
