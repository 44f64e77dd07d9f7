//! THE FIELDS: one line per field that rules may read and outputs name. Names are those of the Elastic Common Schema.

use super::{Body, Endpoint, Event, Outcome};
use crate::{process::Process, text::Text};
use std::net::IpAddr;

/// What a field holds in one event.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// The event has no such field.
    None,
    /// A byte string.
    Text(&'a Text),
    /// Two byte strings, either of which may match (the resolved and the invoked path of an executable).
    Either(&'a Text, &'a Text),
    /// A list of byte strings.
    List(&'a [Text]),
    /// A short byte string that is not interned.
    Str(&'a str),
    /// An integer.
    Number(i64),
    /// An address.
    Ip(IpAddr),
    /// Yes or no.
    Bool(bool),
}

macro_rules! fields {
    ($($variant:ident $name:literal $doc:literal, |$event:ident| $value:expr;)+) => {
        /// A field of an event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Field { $(#[doc = $doc] $variant),+ }

        impl Field {
            /// All of them.
            pub const ALL: &'static [Field] = &[$(Field::$variant),+];

            /// The name that users see.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// One sentence for the documentation.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc),+ }
            }
        }

        impl Event {
            /// The value of a field in this event.
            pub fn get(&self, field: Field) -> Value<'_> {
                match field { $(Field::$variant => { let $event = self; $value })+ }
            }
        }
    };
}

fields! {
    EventAction "event.action" "Kind of the event, such as `exec` or `open`.", |e| Value::Str(e.kind().as_str());
    EventOutcome "event.outcome" "`success`, `failure` or `unknown`.", |e| match e.outcome() { Some(Outcome::Success(_)) => Value::Str("success"), Some(Outcome::Failure(_)) => Value::Str("failure"), Some(Outcome::Unknown) => Value::Str("unknown"), None => Value::None };
    EventErrno "sensor.errno" "Error number of a failed operation.", |e| match e.outcome() { Some(Outcome::Failure(n)) => Value::Number(i64::from(n)), _ => Value::None };
    ProcessPid "process.pid" "Process id in the initial pid namespace.", |e| Value::Number(i64::from(e.process.id.tgid));
    ProcessName "process.name" "Name of the acting thread (`comm`).", |e| Value::Text(&e.process.comm);
    ProcessExecutable "process.executable" "Path of the executable: the resolved and the invoked one, either may match.", |e| executable(image(e));
    ProcessCommandLine "process.command_line" "Arguments joined by spaces.", |e| text(image(e).and_then(|i| i.command_line.as_ref()));
    ProcessArgs "process.args" "Arguments, the name that the caller gave first.", |e| image(e).map_or(Value::None, |i| Value::List(&i.args));
    ProcessWorkingDirectory "process.working_directory" "Working directory at exec.", |e| text(image(e).and_then(|i| i.working_directory.as_ref()));
    ProcessInterpreter "sensor.process.interpreter" "Interpreter of an executed script.", |e| text(image(e).and_then(|i| i.interpreter.as_ref()));
    ProcessMemfd "sensor.process.memfd" "Executed from a memfd.", |e| image(e).map_or(Value::None, |i| Value::Bool(i.memfd));
    ProcessUnlinked "sensor.process.unlinked" "Executed from a file that has no name any more.", |e| image(e).map_or(Value::None, |i| Value::Bool(i.unlinked));
    ParentPid "process.parent.pid" "Process id of the parent.", |e| Value::Number(i64::from(e.process.parent.tgid));
    ParentName "process.parent.name" "Name of the parent (`comm`).", |e| e.parent.as_ref().map_or(Value::None, |p| Value::Text(&p.comm));
    ParentExecutable "process.parent.executable" "Path of the parent's executable, resolved or invoked.", |e| e.parent.as_ref().map_or(Value::None, |p| executable(p.image.as_deref()));
    ParentCommandLine "process.parent.command_line" "Arguments of the parent joined by spaces.", |e| text(e.parent.as_ref().and_then(|p| p.image.as_ref()?.command_line.as_ref()));
    UserId "user.id" "Real user id.", |e| Value::Number(i64::from(e.process.credentials.uid));
    UserName "user.name" "Name of the real user.", |e| text(e.process.user_name.as_ref());
    UserEffectiveId "user.effective.id" "Effective user id.", |e| Value::Number(i64::from(e.process.credentials.euid));
    UserLoginId "sensor.user.login_id" "User that logged in.", |e| e.process.credentials.login_uid.map_or(Value::None, |u| Value::Number(i64::from(u)));
    FilePath "file.path" "Absolute path of the file, the new name for rename and link; for symlink the link.", |e| text(e.file().and_then(|f| f.path.as_ref()));
    FileOldPath "sensor.file.old_path" "Path before a rename; the existing file of a link.", |e| match &e.body { Body::Rename { old, .. } | Body::Link { old, .. } => text(old.path.as_ref()), _ => Value::None };
    FileTargetPath "file.target_path" "What a symbolic link points to.", |e| match &e.body { Body::Symlink { target, .. } => Value::Text(target), _ => Value::None };
    FileRawPath "sensor.file.raw_path" "Path as the caller wrote it, where it differs.", |e| text(e.file().and_then(|f| f.raw.as_ref()));
    FileFlags "sensor.file.flags" "O_* flags of an open.", |e| match &e.body { Body::Open { flags, .. } => Value::Number(i64::from(*flags)), _ => Value::None };
    FileWrite "sensor.file.write" "The file was opened for writing.", |e| match &e.body { Body::Open { flags, .. } => Value::Bool(flags & 3 != 0), _ => Value::None };
    FileCreated "sensor.file.created" "The open created the file.", |e| match &e.body { Body::Open { created, .. } => Value::Bool(*created), _ => Value::None };
    FileMode "file.mode" "Permission bits that a chmod sets.", |e| match &e.body { Body::Chmod { mode, .. } => Value::Number(i64::from(*mode)), _ => Value::None };
    DestinationIp "destination.ip" "Address of the other end of a connect, of the own end of an accept.", |e| ip(e.destination());
    DestinationPort "destination.port" "Port of the other end of a connect, of the own end of an accept.", |e| port(e.destination());
    DestinationPath "sensor.destination.path" "Path of the UNIX socket that was connected to.", |e| match e.destination() { Some(Endpoint::Unix(path)) => Value::Text(path), _ => Value::None };
    SourceIp "source.ip" "Address of the own end of a connect, of the other end of an accept.", |e| ip(e.source());
    SourcePort "source.port" "Port of the own end of a connect, of the other end of an accept.", |e| port(e.source());
    NetworkInitiated "sensor.network.initiated" "This process opened the connection.", |e| match &e.body { Body::Connect { .. } => Value::Bool(true), Body::Accept { .. } => Value::Bool(false), _ => Value::None };
    NetworkTransport "network.transport" "`tcp`, `udp`, `icmp` or absent.", |e| e.socket().and_then(super::Socket::transport).map_or(Value::None, Value::Str);
    ContainerId "container.id" "Id of the container.", |e| e.process.container.as_ref().map_or(Value::None, |c| Value::Text(&c.id));
}

fn text(t: Option<&Text>) -> Value<'_> {
    t.map_or(Value::None, Value::Text)
}

fn ip(e: Option<&Endpoint>) -> Value<'_> {
    match e {
        Some(Endpoint::Ip(ip, _)) => Value::Ip(*ip),
        _ => Value::None,
    }
}

fn port(e: Option<&Endpoint>) -> Value<'_> {
    match e {
        Some(Endpoint::Ip(_, port)) => Value::Number(i64::from(*port)),
        _ => Value::None,
    }
}

/// The image that process fields of an event speak of: that of the attempt for exec, that of the process otherwise.
fn image(e: &Event) -> Option<&crate::process::Image> {
    match &e.body {
        Body::Exec { image, .. } => Some(image),
        _ => e.process.image.as_deref(),
    }
}

fn executable(image: Option<&crate::process::Image>) -> Value<'_> {
    match image.map(|i| (i.executable.as_ref(), i.invoked.as_ref())) {
        Some((Some(resolved), Some(invoked))) if resolved != invoked => Value::Either(resolved, invoked),
        Some((Some(path), _) | (None, Some(path))) => Value::Text(path),
        _ => Value::None,
    }
}

impl Event {
    /// Who was connected to: the other end of a connect, the own end of accept, bind and listen.
    pub fn destination(&self) -> Option<&Endpoint> {
        match &self.body {
            Body::Connect { socket, .. } => socket.remote.as_ref(),
            Body::Accept { socket, .. } | Body::Bind { socket, .. } | Body::Listen { socket, .. } => socket.local.as_ref(),
            _ => None,
        }
    }

    /// Who connected: the own end of a connect, the other end of an accept.
    pub fn source(&self) -> Option<&Endpoint> {
        match &self.body {
            Body::Connect { socket, .. } => socket.local.as_ref(),
            Body::Accept { socket, .. } => socket.remote.as_ref(),
            _ => None,
        }
    }
}

impl super::Socket {
    /// By protocol, or by type where the protocol is the default one; for IP sockets only.
    pub const fn transport(&self) -> Option<&'static str> {
        match (self.protocol, self.kind) {
            (6, _) => Some("tcp"),
            (17, _) => Some("udp"),
            (1 | 58, _) => Some("icmp"),
            (0, 1) if self.family != 1 => Some("tcp"),
            (0, 2) if self.family != 1 => Some("udp"),
            _ => None,
        }
    }
}

impl Process {
    /// Command line if known, otherwise the name of the thread.
    pub fn title(&self) -> &Text {
        self.image.as_ref().and_then(|i| i.command_line.as_ref()).unwrap_or(&self.comm)
    }
}
