//! What the files of all kinds share when they turn a payload and its tail into [`super::Body`]: paths, sockets, results.
//!
//! Every span is checked against the tail; one that leaves it makes the whole record malformed, as the kernel programs never write such
//! a thing. Nothing here panics or guesses.

use super::{Endpoint, FileRef, Outcome, Socket, strings::Strings};
use crate::text::Text;
use sensor_common::{
    Header, Path, Span, Target,
    header::header_flags,
    span::{Addr, RESULT_UNKNOWN, Sock, path_flags},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A span points outside the tail of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the span {}+{} leaves the tail of {tail} bytes", .span.off, .span.len)]
pub struct BadSpan {
    /// The span.
    pub span: Span,
    /// Bytes of the tail.
    pub tail: usize,
}

/// A record being converted: its tail, and where strings come from.
pub struct Cx<'a> {
    /// Bytes behind the payload.
    pub tail: &'a [u8],
    /// The user's strings and addresses are the kernel's copies.
    pub kernel_copies: bool,
    /// Interned strings.
    pub strings: &'a mut Strings,
}

impl<'a> Cx<'a> {
    /// For a record with this header.
    pub fn new(header: &Header, tail: &'a [u8], strings: &'a mut Strings) -> Self {
        Self { tail, kernel_copies: header.flags & (header_flags::BEGUN | header_flags::JOINED) != 0, strings }
    }

    /// The bytes of a span.
    ///
    /// # Errors
    /// The span leaves the tail.
    pub fn bytes(&self, span: Span) -> Result<&'a [u8], BadSpan> {
        span.get(self.tail).ok_or(BadSpan { span, tail: self.tail.len() })
    }

    /// The string of a path; `None` if there is none.
    ///
    /// # Errors
    /// A span leaves the tail.
    pub fn string(&mut self, path: &Path) -> Result<Option<Text>, BadSpan> {
        let bytes = self.bytes(path.span)?;
        Ok(match bytes {
            [] => None,
            _ if path.flags & path_flags::LEAF_FIRST != 0 => Some(self.strings.turned(bytes)),
            _ => Some(self.strings.get(bytes)),
        })
    }

    /// The file that an operation names. What the kernel resolved wins; otherwise the caller's string, made absolute with the folder
    /// that it starts from, and `.`, `..` and `//` taken out of it as text: where symbolic links are involved this can differ from what
    /// the kernel opened, and `from_kernel` is false.
    ///
    /// # Errors
    /// A span leaves the tail.
    pub fn file(&mut self, target: &Target) -> Result<FileRef, BadSpan> {
        let (user, base) = (self.bytes(target.user.span)?, self.bytes(target.base.span)?);
        let mut file = FileRef::default();
        if let Some(kernel) = self.string(&target.kernel)? {
            file.raw = (!user.is_empty() && user != kernel.bytes()).then(|| self.strings.get(user));
            file.path = Some(kernel);
            file.from_kernel = true;
            file.complete = target.kernel.flags & (path_flags::CUT | path_flags::OUTSIDE | path_flags::FAULT) == 0;
            file.deleted = target.kernel.flags & path_flags::DELETED != 0;
            return Ok(file);
        }
        let broken = path_flags::CUT | path_flags::FAULT;
        let user_whole = target.user.flags & broken == 0;
        if user.first() == Some(&b'/') {
            file.path = Some(self.normalised(&[user]));
            file.complete = user_whole;
        } else if !base.is_empty()
            && let Some(base) = self.string(&target.base)?
        {
            // An empty user string names the folder or descriptor itself (AT_EMPTY_PATH).
            file.path = Some(self.normalised(&[base.bytes(), user]));
            file.complete = user_whole && target.base.flags & (broken | path_flags::OUTSIDE) == 0;
            file.deleted = user.is_empty() && target.base.flags & path_flags::DELETED != 0;
        } else if !user.is_empty() {
            file.path = Some(self.strings.get(user));
        }
        file.raw = match &file.path {
            Some(path) if !user.is_empty() && path.bytes() != user => Some(self.strings.get(user)),
            _ => None,
        };
        Ok(file)
    }

    fn normalised(&mut self, parts: &[&[u8]]) -> Text {
        if let [one] = parts
            && is_normal(one)
        {
            return self.strings.get(one);
        }
        let path = normalise(parts);
        self.strings.get(&path)
    }

    /// A socket. `which` says which end the caller's address names, if it names one.
    ///
    /// # Errors
    /// A span leaves the tail.
    pub fn socket(&mut self, sock: &Sock, which: Named) -> Result<Socket, BadSpan> {
        let passed = match which {
            Named::None => None,
            Named::Local | Named::Remote => {
                let bytes = self.bytes(sock.user)?;
                self.sockaddr(bytes)
            }
        };
        let mut local = address(&sock.local);
        let mut remote = address(&sock.remote);
        let named = match which {
            Named::Remote => &mut remote,
            Named::Local | Named::None => &mut local,
        };
        let from_kernel = named.is_some() || self.kernel_copies;
        if named.is_none() {
            *named = passed;
        }
        Ok(Socket {
            family: sock.family,
            kind: sock.kind,
            protocol: sock.protocol,
            fd: (sock.fd != u32::MAX).then_some(sock.fd),
            local,
            remote,
            from_kernel,
        })
    }

    /// Reads a `struct sockaddr` as it is in memory: family in the machine's order, ports in network order. `None` for other families,
    /// an unnamed AF_UNIX socket, and what is too short.
    fn sockaddr(&mut self, bytes: &[u8]) -> Option<Endpoint> {
        let (family, rest) = bytes.split_first_chunk::<2>()?;
        match i32::from(u16::from_ne_bytes(*family)) {
            libc::AF_INET => {
                let (port, rest) = rest.split_first_chunk::<2>()?;
                Some(Endpoint::Ip(Ipv4Addr::from(*rest.first_chunk::<4>()?).into(), u16::from_be_bytes(*port)))
            }
            libc::AF_INET6 => {
                let (port, rest) = rest.split_first_chunk::<2>()?;
                let (_flow, rest) = rest.split_first_chunk::<4>()?;
                Some(Endpoint::Ip(ipv6(*rest.first_chunk::<16>()?), u16::from_be_bytes(*port)))
            }
            libc::AF_UNIX => match rest.split_first()? {
                // Abstract: a NUL, then any bytes up to the length of the address. Callers that pass the whole struct pad with NULs.
                (0, name) => {
                    let end = name.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
                    let name = name.get(..end).filter(|n| !n.is_empty())?;
                    Some(Endpoint::Unix(self.strings.get(&[b"@", name].concat())))
                }
                _ => {
                    let path = rest.split(|b| *b == 0).next().filter(|p| !p.is_empty())?;
                    Some(Endpoint::Unix(self.strings.get(path)))
                }
            },
            _ => None,
        }
    }
}

/// Which end of a socket the caller's address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The own one (bind).
    Local,
    /// The other one (connect).
    Remote,
    /// The call takes no address.
    None,
}

/// How an operation ended.
pub fn outcome(result: i32) -> Outcome {
    match result {
        RESULT_UNKNOWN => Outcome::Unknown,
        n if n < 0 => Outcome::Failure(-n),
        n => Outcome::Success(n),
    }
}

/// An address from the kernel's own objects. All zero means that the socket has none: not bound, or not connected any more.
fn address(a: &Addr) -> Option<Endpoint> {
    if !crate::collect::has_address(a) {
        return None;
    }
    match i32::from(a.family) {
        libc::AF_INET => a.ip.first_chunk::<4>().map(|ip| Endpoint::Ip(Ipv4Addr::from(*ip).into(), a.port)),
        libc::AF_INET6 => Some(Endpoint::Ip(ipv6(a.ip), a.port)),
        _ => None,
    }
}

/// An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is the IPv4 address: rules and people mean the host, not the socket's family.
fn ipv6(bytes: [u8; 16]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
}

fn is_normal(path: &[u8]) -> bool {
    path.len() > 1 && path.split(|b| *b == b'/').skip(1).all(|c| !matches!(c, b"" | b"." | b".."))
}

/// Joins the parts with `/` and takes out empty components, `.` and `..`. The result begins with `/` and, unless it is `/`, ends in none.
pub fn normalise(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|p| p.len() + 1).sum());
    for component in parts.iter().flat_map(|p| p.split(|b| *b == b'/')) {
        match component {
            b"" | b"." => {}
            b".." => out.truncate(out.iter().rposition(|b| *b == b'/').unwrap_or(0)),
            name => {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

/// The body of a record that is about files or sockets; `None` for kinds that change what `enrich` knows (exec, fork, exit, cgroup) and for
/// loss reports, which it makes itself.
///
/// # Errors
/// A span leaves the tail.
pub fn body(record: &sensor_common::Record<'_>, cx: &mut Cx<'_>) -> Result<Option<super::Body>, BadSpan> {
    use super::{accept, bind, chmod, chown, connect, link, listen, open, rename, symlink, unlink};
    use sensor_common::Record;
    Ok(Some(match record {
        Record::Connect(_, wire, _) => connect::body(wire, cx)?,
        Record::Accept(_, wire, _) => accept::body(wire, cx)?,
        Record::Bind(_, wire, _) => bind::body(wire, cx)?,
        Record::Listen(_, wire, _) => listen::body(wire, cx)?,
        Record::Open(_, wire, _) => open::body(wire, cx)?,
        Record::Unlink(_, wire, _) => unlink::body(wire, cx)?,
        Record::Rename(_, wire, _) => rename::body(wire, cx)?,
        Record::Chmod(_, wire, _) => chmod::body(wire, cx)?,
        Record::Chown(_, wire, _) => chown::body(wire, cx)?,
        Record::Link(_, wire, _) => link::body(wire, cx)?,
        Record::Symlink(_, wire, _) => symlink::body(wire, cx)?,
        Record::Exec(..) | Record::Fork(..) | Record::Exit(..) | Record::Cgroup(..) | Record::Loss(..) => return Ok(None),
    }))
}

#[cfg(test)]
mod tests;
