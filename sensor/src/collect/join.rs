//! Joins the two halves of an operation: what a hook saw when it began (the kernel's own path or address) and how it ended.
//!
//! From the result record come header, result, descriptors and flags; from the begun record whatever the kernel resolved there and the
//! result record lacks, and its copy of the caller's address, which no other thread can change any more. Does not decide what belongs
//! together: that is `order`.

use super::encode::{Tail, encode};
use sensor_common::{
    Path, Record, Span, Target, decode,
    events::{
        accept::Accept, bind::Bind, cgroup::Cgroup, chmod::Chmod, chown::Chown, connect::Connect, exec::Exec, exit::Exit, fork::Fork,
        link::Link, listen::Listen, loss::Loss, open::Open, rename::Rename, symlink::Symlink, unlink::Unlink,
    },
    header::header_flags,
    span::{Addr, Sock},
};

/// Bytes of the begun record on their way into the joined one.
struct Carry<'a> {
    from: &'a [u8],
    into: Tail,
}

impl Carry<'_> {
    /// A span that leaves the begun record's tail becomes an empty one: the operation is reported without that part.
    fn span(&mut self, span: Span) -> Span {
        span.get(self.from).map_or_else(Span::default, |bytes| self.into.push(bytes))
    }

    fn path(&mut self, own: &mut Path, begun: &Path) {
        if own.span.len == 0 && begun.span.len != 0 {
            *own = Path { span: self.span(begun.span), ..*begun };
        }
    }

    fn target(&mut self, own: &mut Target, begun: &Target) {
        self.path(&mut own.kernel, &begun.kernel);
        self.path(&mut own.base, &begun.base);
        self.path(&mut own.user, &begun.user);
    }

    fn sock(&mut self, own: &mut Sock, begun: &Sock) {
        for (own, begun) in [(&mut own.local, &begun.local), (&mut own.remote, &begun.remote)] {
            if !has_address(own) && begun.family != 0 {
                *own = *begun;
            }
        }
        if begun.user.len != 0 {
            own.user = self.span(begun.user);
        }
        fill(&mut own.family, begun.family);
        fill(&mut own.kind, begun.kind);
        fill(&mut own.protocol, begun.protocol);
    }
}

/// An address that says something: a family and not all zero.
pub(crate) fn has_address(a: &Addr) -> bool {
    a.family != 0 && (a.port != 0 || a.ip != [0; 16])
}

fn fill<T: PartialEq + Default>(own: &mut T, begun: T) {
    if *own == T::default() {
        *own = begun;
    }
}

/// Payloads of which one may begin and the other end an operation.
trait Join {
    fn join(&mut self, begun: &Self, carry: &mut Carry<'_>);
}

macro_rules! join_sockets {
    ($($name:ident)+) => {
        $(impl Join for $name {
            fn join(&mut self, begun: &Self, carry: &mut Carry<'_>) {
                carry.sock(&mut self.sock, &begun.sock);
            }
        })+
    };
}

macro_rules! join_files {
    ($($name:ident { $($target:ident)+ })+) => {
        $(impl Join for $name {
            fn join(&mut self, begun: &Self, carry: &mut Carry<'_>) {
                $(carry.target(&mut self.$target, &begun.$target);)+
            }
        })+
    };
}

/// Kinds that have no two halves; what the result record says stands.
macro_rules! join_nothing {
    ($($name:ident)+) => {
        $(impl Join for $name {
            fn join(&mut self, _: &Self, _: &mut Carry<'_>) {}
        })+
    };
}

join_sockets!(Accept Bind Connect Listen);
join_files! { Unlink { file } Rename { old new } Chmod { file } Chown { file } Link { old new } }
join_nothing!(Fork Exit Cgroup Loss);

impl Join for Symlink {
    fn join(&mut self, begun: &Self, carry: &mut Carry<'_>) {
        // What the link points to is not resolved by anyone: the kernel's copy is better than the caller's memory.
        if begun.text.span.len != 0 {
            self.text = Path { span: carry.span(begun.text.span), ..begun.text };
        }
        carry.target(&mut self.link, &begun.link);
    }
}

impl Join for Open {
    fn join(&mut self, begun: &Self, carry: &mut Carry<'_>) {
        carry.target(&mut self.file, &begun.file);
        fill(&mut self.inode, begun.inode);
        fill(&mut self.dev, begun.dev);
        fill(&mut self.file_mode, begun.file_mode);
        fill(&mut self.owner, begun.owner);
        self.state |= begun.state;
    }
}

impl Join for Exec {
    fn join(&mut self, begun: &Self, carry: &mut Carry<'_>) {
        carry.target(&mut self.file, &begun.file);
        carry.path(&mut self.interpreter, &begun.interpreter);
        carry.path(&mut self.cwd, &begun.cwd);
        if self.argv.len == 0 && begun.argv.len != 0 {
            self.argv = carry.span(begun.argv);
            (self.argv_total, self.argv_holes, self.argc) = (begun.argv_total, begun.argv_holes, begun.argc);
            self.flags &= !sensor_common::events::exec::exec_flags::NO_ARGV;
        }
        self.flags |= begun.flags & !sensor_common::events::exec::exec_flags::NO_ARGV;
        fill(&mut self.inode, begun.inode);
        fill(&mut self.dev, begun.dev);
        fill(&mut self.mount_id, begun.mount_id);
        fill(&mut self.mode, begun.mode);
        fill(&mut self.owner, begun.owner);
    }
}

macro_rules! merge_kinds {
    ($($id:literal $module:ident $name:ident $class:ident, $doc:literal;)+) => {
        /// One record from two of the same kind; `None` if they are not of the same kind or one does not decode.
        pub(super) fn merge(begun: &[u8], result: &[u8]) -> Option<Vec<u8>> {
            match (decode(begun).ok()?, decode(result).ok()?) {
                $((Record::$name(b, begun, from), Record::$name(mut header, mut payload, tail)) => {
                    let mut carry = Carry { from, into: Tail::from_bytes(tail) };
                    payload.join(&begun, &mut carry);
                    header.flags = (header.flags & !header_flags::BEGUN) | header_flags::JOINED;
                    header.tier = header.tier.min(b.tier); // best first
                    Some(encode(header, &payload, carry.into.bytes()))
                })+
                _ => None,
            }
        }
    };
}

sensor_common::for_each_event!(merge_kinds);

/// The file that an open or exec is about, as (inode, device), where the record has it. Tells which of several begun records a result
/// belongs to: an overlay file system opens a second file within the first open.
pub(super) fn file_identity(raw: &[u8]) -> Option<(u64, u32)> {
    match decode(raw).ok()? {
        Record::Open(_, p, _) if p.inode != 0 => Some((p.inode, p.dev)),
        Record::Exec(_, p, _) if p.inode != 0 => Some((p.inode, p.dev)),
        _ => None,
    }
}
