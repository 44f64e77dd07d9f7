//! THE TABLE: which events a Sigma log source is, and which of our fields its field names are.
//!
//! A log source is one or more views. A view is a kind of record (auditd writes several for one system call) over some event kinds, with
//! facts that must hold (`guards`). Under every view our own fields can be used by their ECS names, too.

use super::{Problem, suggest};
use crate::{
    events::Field,
    score::predicate::{Column, Guard},
};
use rsigma_parser::LogSource;
use sensor_common::EventKind::{self, Accept, Chmod, Chown, Connect, Exec, Link, Open, Rename, Symlink, Unlink};

/// What a field name stands for in a view.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Binding {
    /// A column.
    Column(Column),
    /// Always one of these words.
    Words(&'static [&'static str]),
    /// The record has no such field (another record of the same log source may).
    Absent,
    /// Known, but the sensor does not see it, and why.
    Unseen(&'static str),
}

/// One kind of record of a log source.
#[derive(Debug)]
pub(crate) struct View {
    /// Kinds of events it is made from.
    pub(crate) kinds: &'static [EventKind],
    /// What must hold.
    pub(crate) guards: &'static [Guard],
    /// Names of its own.
    fields: &'static [(&'static str, Binding)],
    /// Names it shares with others.
    shared: &'static [&'static [(&'static str, Binding)]],
    /// Where words without a field are looked for.
    pub(crate) keywords: &'static [Column],
    /// `a0`, `a1`, ... are arguments.
    arguments: bool,
    /// Only for rules that name a system call (`Some(true)`), only for those that do not.
    pub(crate) names_syscall: Option<bool>,
}

const fn field(f: Field) -> Binding {
    Binding::Column(Column::Field(f))
}

const EXECUTABLE: Column = Column::Field(Field::ProcessExecutable);
const COMMAND_LINE: Column = Column::Field(Field::ProcessCommandLine);
const PATH: Column = Column::Field(Field::FilePath);

/// Who did it: under each category of Sigma's taxonomy.
const ACTOR: &[(&str, Binding)] = &[
    ("Image", field(Field::ProcessExecutable)),
    ("CommandLine", field(Field::ProcessCommandLine)),
    ("ProcessId", field(Field::ProcessPid)),
    ("ParentImage", field(Field::ParentExecutable)),
    ("ParentCommandLine", field(Field::ParentCommandLine)),
    ("ParentProcessId", field(Field::ParentPid)),
    ("CurrentDirectory", field(Field::ProcessWorkingDirectory)),
    ("User", field(Field::UserName)),
    ("LogonId", field(Field::UserLoginId)),
];

/// Fields of Sigma's taxonomy that the sensor does not have.
const UNSEEN: &[(&str, Binding)] = &[
    ("OriginalFileName", Binding::Unseen("is in the resources of Windows programs")),
    ("Product", Binding::Unseen("is in the resources of Windows programs")),
    ("Company", Binding::Unseen("is in the resources of Windows programs")),
    ("Description", Binding::Unseen("is in the resources of Windows programs")),
    ("FileVersion", Binding::Unseen("is in the resources of Windows programs")),
    ("IntegrityLevel", Binding::Unseen("exists on Windows only")),
    ("LogonGuid", Binding::Unseen("exists on Windows only")),
    ("TerminalSessionId", Binding::Unseen("exists on Windows only")),
    ("ProcessGuid", Binding::Unseen("is made by Sysmon")),
    ("ParentProcessGuid", Binding::Unseen("is made by Sysmon")),
    ("ParentUser", Binding::Unseen("is not kept for parents")),
    ("Hashes", Binding::Unseen("is not seen: files are not hashed")),
    ("md5", Binding::Unseen("is not seen: files are not hashed")),
    ("sha1", Binding::Unseen("is not seen: files are not hashed")),
    ("sha256", Binding::Unseen("is not seen: files are not hashed")),
    ("Imphash", Binding::Unseen("is not seen: files are not hashed")),
    ("CreationUtcTime", Binding::Unseen("is not seen")),
    ("Contents", Binding::Unseen("is not seen: what is written into files is not read")),
    ("DestinationHostname", Binding::Unseen("is not seen: a connection has an address, its name is in DNS answers")),
    ("SourceHostname", Binding::Unseen("is not seen: a connection has an address, its name is in DNS answers")),
    ("DestinationIsIpv6", Binding::Unseen("is not seen")),
    ("SourceIsIpv6", Binding::Unseen("is not seen")),
];

/// Facts that each auditd view has, whatever record of the same event auditd writes them into.
const AUDIT: &[(&str, Binding)] = &[
    ("exe", field(Field::ProcessExecutable)),
    ("comm", field(Field::ProcessName)),
    ("uid", field(Field::UserId)),
    ("euid", field(Field::UserEffectiveId)),
    ("auid", field(Field::UserLoginId)),
    ("pid", field(Field::ProcessPid)),
    ("ppid", field(Field::ParentPid)),
    ("success", Binding::Column(Column::Success)),
    ("key", Binding::Unseen("is set by the audit rules of a machine, which the sensor does not use")),
    ("unit", Binding::Unseen("is in records that systemd writes, not the kernel")),
    ("exit", Binding::Unseen("is not seen as auditd writes it")),
    ("arch", Binding::Unseen("is not seen")),
    ("tty", Binding::Unseen("is not seen")),
    ("ses", Binding::Unseen("is not seen")),
    ("argc", Binding::Unseen("is not seen")),
    ("saddr", Binding::Unseen("is not seen as auditd writes it")),
    ("proctitle", Binding::Unseen("is not seen; a0, a1, ... are")),
    ("cwd", field(Field::ProcessWorkingDirectory)),
];

const NOT_IN_PATH: &[(&str, Binding)] = &[("SYSCALL", Binding::Absent), ("syscall", Binding::Absent)];
const NOT_A_PATH: &[(&str, Binding)] = &[("name", Binding::Absent), ("nametype", Binding::Absent)];

macro_rules! view {
    ($kinds:expr, $guards:expr, $keywords:expr, $fields:expr, $($shared:expr),*) => {
        View {
            kinds: $kinds, guards: $guards, keywords: $keywords, fields: $fields, shared: &[$($shared),*], arguments: false, names_syscall: None,
        }
    };
}

/// One auditd SYSCALL view: the kind of event and the system calls it stands for.
macro_rules! syscall {
    ($kind:ident, $($name:literal)+) => {
        View {
            kinds: &[$kind],
            guards: &[],
            fields: &[("type", Binding::Words(&["SYSCALL"])), ("SYSCALL", Binding::Words(&[$($name),+])), ("syscall", Binding::Words(&[$($name),+]))],
            shared: &[NOT_A_PATH, AUDIT],
            keywords: &[EXECUTABLE, Column::Field(Field::ProcessName)],
            arguments: false,
            names_syscall: Some(true),
        }
    };
}

/// One auditd PATH view: which name of which event, and what became of it.
macro_rules! path {
    ($kinds:expr, $guards:expr, $field:expr, $nametype:literal) => {
        view!(
            $kinds,
            $guards,
            &[Column::Field($field)],
            &[("type", Binding::Words(&["PATH"])), ("name", field($field)), ("nametype", Binding::Words(&[$nametype]))],
            NOT_IN_PATH,
            AUDIT
        )
    };
}

const PROCESS_CREATION: &[View] = &[view!(&[Exec], &[Guard::NotFailed], &[COMMAND_LINE, EXECUTABLE], &[], ACTOR, UNSEEN)];
const FILE_EVENT: &[View] = &[view!(
    &[Open, Rename, Link, Symlink],
    &[Guard::NotFailed, Guard::Writes],
    &[PATH, EXECUTABLE],
    &[("TargetFilename", field(Field::FilePath)), ("SourceFilename", field(Field::FileOldPath))],
    ACTOR,
    UNSEEN
)];
const FILE_DELETE: &[View] = &[view!(
    &[Unlink],
    &[Guard::NotFailed, Guard::NotFolder],
    &[PATH, EXECUTABLE],
    &[("TargetFilename", field(Field::FilePath))],
    ACTOR,
    UNSEEN
)];
const FILE_RENAME: &[View] = &[view!(
    &[Rename],
    &[Guard::NotFailed],
    &[PATH, EXECUTABLE],
    &[("TargetFilename", field(Field::FilePath)), ("SourceFilename", field(Field::FileOldPath))],
    ACTOR,
    UNSEEN
)];
const FILE_ACCESS: &[View] =
    &[view!(&[Open], &[Guard::Reads], &[PATH, EXECUTABLE], &[("TargetFilename", field(Field::FilePath))], ACTOR, UNSEEN)];
/// Attempts that fail count: who tries to reach a peer has shown it. UNIX sockets do not.
const NETWORK: &[View] = &[view!(
    &[Connect, Accept],
    &[Guard::IpPeer],
    &[EXECUTABLE, Column::Field(Field::DestinationIp)],
    &[
        ("DestinationIp", field(Field::DestinationIp)),
        ("DestinationPort", field(Field::DestinationPort)),
        ("SourceIp", field(Field::SourceIp)),
        ("SourcePort", field(Field::SourcePort)),
        ("Initiated", field(Field::NetworkInitiated)),
        ("Protocol", field(Field::NetworkTransport)),
    ],
    ACTOR,
    UNSEEN
)];

const AUDITD: &[View] = &[
    View {
        kinds: &[Exec],
        guards: &[Guard::NotFailed],
        fields: &[("type", Binding::Words(&["EXECVE"]))],
        shared: &[NOT_IN_PATH, NOT_A_PATH, AUDIT],
        keywords: &[Column::Field(Field::ProcessArgs)],
        arguments: true,
        names_syscall: None,
    },
    // A rule that names no system call speaks of whatever a machine's audit rules log; program starts are what all of them log.
    View {
        kinds: &[Exec],
        guards: &[],
        fields: &[("type", Binding::Words(&["SYSCALL"])), ("SYSCALL", Binding::Absent), ("syscall", Binding::Absent)],
        shared: &[NOT_A_PATH, AUDIT],
        keywords: &[EXECUTABLE, Column::Field(Field::ProcessName)],
        arguments: false,
        names_syscall: Some(false),
    },
    syscall!(Exec, "execve" "execveat"),
    syscall!(Open, "open" "openat" "openat2" "creat"),
    syscall!(Unlink, "unlink" "unlinkat" "rmdir"),
    syscall!(Rename, "rename" "renameat" "renameat2"),
    syscall!(Chmod, "chmod" "fchmod" "fchmodat" "fchmodat2"),
    syscall!(Chown, "chown" "fchown" "lchown" "fchownat"),
    syscall!(Link, "link" "linkat"),
    syscall!(Symlink, "symlink" "symlinkat"),
    syscall!(Connect, "connect"),
    syscall!(Accept, "accept" "accept4"),
    path!(&[Open], &[Guard::Creates], Field::FilePath, "CREATE"),
    path!(&[Open], &[Guard::CreatesNot], Field::FilePath, "NORMAL"),
    path!(&[Unlink], &[], Field::FilePath, "DELETE"),
    path!(&[Rename], &[], Field::FileOldPath, "DELETE"),
    path!(&[Rename], &[], Field::FilePath, "CREATE"),
    path!(&[Link], &[], Field::FileOldPath, "NORMAL"),
    path!(&[Link, Symlink], &[], Field::FilePath, "CREATE"),
    path!(&[Chmod, Chown], &[], Field::FilePath, "NORMAL"),
];

/// The categories that can be used, for messages and documentation.
pub(crate) const CATEGORIES: &[(&str, &str, &[View])] = &[
    ("process_creation", "a program was started (`exec` that did not fail)", PROCESS_CREATION),
    ("file_event", "a file was created, opened for writing, or came by its name through rename, link or symlink", FILE_EVENT),
    ("file_delete", "a file was removed", FILE_DELETE),
    ("file_rename", "a file was given another name", FILE_RENAME),
    ("file_access", "a file was opened for reading, or that failed (`event.outcome`); our own category", FILE_ACCESS),
    ("network_connection", "`connect` (failed ones, too) and `accept` with an IP address", NETWORK),
];

/// The views of a log source.
pub(crate) fn views(source: &LogSource) -> Result<&'static [View], Problem> {
    let lower = |s: &Option<String>| s.as_deref().map(str::to_ascii_lowercase);
    let (product, category, service) = (lower(&source.product), lower(&source.category), lower(&source.service));
    if let Some(product) = product.as_deref().filter(|p| *p != "linux") {
        return Err(Problem::NotHere(format!("it is for {product}, the sensor runs on Linux")));
    }
    match (category.as_deref(), service.as_deref()) {
        (None, Some("auditd")) => Ok(AUDITD),
        (_, Some(service)) => Err(Problem::NotHere(format!("it reads the logs of {service}, the sensor reads no log files"))),
        (None, None) => Err(Problem::NotHere("it searches text logs of any kind, the sensor reads no log files".into())),
        (Some(category), None) => match CATEGORIES.iter().find(|(name, ..)| *name == category) {
            Some((.., views)) => Ok(views),
            None => {
                let known = CATEGORIES.iter().map(|(name, ..)| *name);
                let near = suggest::nearest(category, known).map_or(String::new(), |n| format!("; did you mean {n}?"));
                Err(Problem::NotHere(format!("the category {category} is not among the events of the sensor{near}")))
            }
        },
    }
}

impl View {
    /// What a field name stands for; `None` if nothing knows it.
    pub(crate) fn binding(&self, name: &str) -> Option<Binding> {
        let own = std::iter::once(&self.fields).chain(self.shared).flat_map(|list| list.iter());
        if let Some((_, binding)) = own.clone().find(|(n, _)| *n == name) {
            return Some(*binding);
        }
        let auditd = self.fields.iter().any(|(n, _)| *n == "type");
        if let Some(n) = argument(name)
            && auditd
        {
            return Some(if self.arguments { Binding::Column(Column::Arg(n)) } else { Binding::Absent });
        }
        Field::ALL.iter().find(|f| f.name() == name).map(|f| field(*f))
    }

    /// All names that mean something here.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let own = std::iter::once(&self.fields).chain(self.shared).flat_map(|list| list.iter());
        own.filter(|(_, b)| !matches!(b, Binding::Unseen(_))).map(|(n, _)| *n).chain(Field::ALL.iter().map(|f| f.name()))
    }
}

/// The number of `a0`, `a1`, ...
fn argument(name: &str) -> Option<u16> {
    let digits = name.strip_prefix('a')?;
    (!digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}
