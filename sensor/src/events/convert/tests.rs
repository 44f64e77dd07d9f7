//! Every kind of file and socket event from payloads made by hand, and what damaged spans do to them.

use super::super::Body;
use super::*;
use sensor_common::{
    Record, Tier, Wire, decode,
    events::{
        accept::Accept,
        bind::Bind,
        chmod::Chmod,
        chown::Chown,
        connect::Connect,
        link::Link,
        listen::Listen,
        open::{Open, open_flags},
        rename::Rename,
        symlink::Symlink,
        unlink::Unlink,
    },
};

fn convert<T: Wire>(flags: u8, payload: &T, tail: &[u8]) -> Result<Body, BadSpan> {
    let header = Header { flags, tier: Tier::Tracepoint as u8, ..Header::default() };
    let bytes = crate::collect::encode(header, payload, tail);
    let record: Record<'_> = decode(&bytes).unwrap();
    let mut strings = Strings::default();
    super::body(&record, &mut Cx::new(record.header(), tail, &mut strings)).map(|b| b.expect("a body"))
}

fn span(off: u32, len: u32) -> Span {
    Span { off, len }
}

fn path(off: u32, len: u32) -> Path {
    Path { span: span(off, len), ..Path::default() }
}

fn user(off: u32, len: u32) -> Target {
    Target { user: path(off, len), ..Target::default() }
}

fn file(target: &Target, tail: &[u8]) -> FileRef {
    Cx::new(&Header::default(), tail, &mut Strings::default()).file(target).unwrap()
}

/// Path, raw path, from the kernel, complete, deleted.
fn told(target: &Target, tail: &[u8]) -> (Option<String>, Option<String>, bool, bool, bool) {
    let f = file(target, tail);
    (f.path.map(|p| p.to_string()), f.raw.map(|p| p.to_string()), f.from_kernel, f.complete, f.deleted)
}

fn some(s: &str) -> Option<String> {
    Some(s.to_owned())
}

#[test]
fn the_kernels_path_wins_and_the_callers_stays_beside_it() {
    let tail = b"/etc/shadow/tmp/../etc/shadow";
    let mut target = Target { kernel: path(0, 11), user: path(11, 18), base: Path::default() };
    assert_eq!(told(&target, tail), (some("/etc/shadow"), some("/tmp/../etc/shadow"), true, true, false));
    target.user = path(0, 11);
    assert_eq!(told(&target, tail), (some("/etc/shadow"), None, true, true, false));
    for flag in [path_flags::CUT, path_flags::OUTSIDE, path_flags::FAULT] {
        target.kernel.flags = flag;
        assert!(!file(&target, tail).complete);
    }
    target.kernel.flags = path_flags::DELETED;
    assert_eq!(told(&target, tail), (some("/etc/shadow"), None, true, true, true));
}

#[test]
fn a_path_in_the_order_of_the_walk_is_turned_round_wherever_it_stands() {
    let tail = b"/shadow/etc/ann/home../x";
    let walked = |off, len, more: u32| Path { flags: path_flags::LEAF_FIRST | more, ..path(off, len) };
    let kernel = Target { kernel: walked(0, 11, path_flags::DELETED), ..Target::default() };
    assert_eq!(told(&kernel, tail), (some("/etc/shadow"), None, true, true, true));
    let base = Target { user: path(20, 4), base: walked(11, 9, 0), ..Target::default() };
    assert_eq!(told(&base, tail), (some("/home/x"), some("../x"), false, true, false));
    // What was cut off is the beginning, as for any cut path.
    let cut = Target { kernel: walked(0, 11, path_flags::CUT), ..Target::default() };
    assert_eq!(told(&cut, tail), (some("/etc/shadow"), None, true, false, false));
    let (mut strings, header) = (Strings::default(), Header::default());
    let text = Cx::new(&header, tail, &mut strings).string(&walked(11, 9, 0)).unwrap();
    assert_eq!(text.map(|t| t.to_string()), some("/home/ann"));
}

#[test]
fn a_relative_path_starts_from_its_folder() {
    let tail = b"/home/ann../bob//./x";
    let mut target = Target { kernel: Path::default(), user: path(9, 11), base: path(0, 9) };
    assert_eq!(told(&target, tail), (some("/home/bob/x"), some("../bob//./x"), false, true, false));
    target.base.flags = path_flags::CUT;
    assert!(!file(&target, tail).complete);
    target.base = Path::default();
    assert_eq!(told(&target, tail), (some("../bob//./x"), None, false, false, false));
    let folder_itself = Target { base: Path { flags: path_flags::DELETED, ..path(0, 9) }, ..Target::default() };
    assert_eq!(told(&folder_itself, tail), (some("/home/ann"), None, false, true, true));
    assert_eq!(told(&Target::default(), tail), (None, None, false, false, false));
}

#[test]
fn an_absolute_path_needs_no_folder() {
    let tail = b"/a/b/etc//passwd";
    let target = Target { kernel: Path::default(), user: path(4, 12), base: path(0, 4) };
    assert_eq!(told(&target, tail), (some("/etc/passwd"), some("/etc//passwd"), false, true, false));
    let fault = Target { user: Path { flags: path_flags::FAULT, ..path(0, 4) }, ..Target::default() };
    assert_eq!(told(&fault, tail), (some("/a/b"), None, false, false, false));
}

#[test]
fn normal_paths() {
    for (parts, expected) in [
        (&[&b"/"[..]][..], "/"),
        (&[b"/.."], "/"),
        (&[b"/../../a"], "/a"),
        (&[b"/a/", b"b"], "/a/b"),
        (&[b"/a", b"./../.."], "/"),
        (&[b"/a/b/../c/."], "/a/c"),
        (&[b"/", b"x"], "/x"),
        (&[b"/a...", b"..b"], "/a.../..b"),
    ] {
        assert_eq!(String::from_utf8(normalise(parts)).unwrap(), expected);
    }
}

fn unix(name: &[u8]) -> Vec<u8> {
    [&(libc::AF_UNIX as u16).to_ne_bytes()[..], name].concat()
}

fn inet(ip: [u8; 4], port: u16) -> Vec<u8> {
    [&(libc::AF_INET as u16).to_ne_bytes()[..], &port.to_be_bytes(), &ip, &[0; 8]].concat()
}

fn inet6(ip: [u8; 16], port: u16) -> Vec<u8> {
    [&(libc::AF_INET6 as u16).to_ne_bytes()[..], &port.to_be_bytes(), &[1, 2, 3, 4], &ip, &[0; 4]].concat()
}

fn connect(flags: u8, remote: Addr, sockaddr: &[u8]) -> Socket {
    let sock = Sock { remote, user: span(0, sockaddr.len() as u32), fd: u32::MAX, ..Sock::default() };
    match convert(flags, &Connect { result: 0, pad: 0, sock }, sockaddr).unwrap() {
        Body::Connect { socket, .. } => socket,
        other => panic!("{other:?}"),
    }
}

fn remote(sockaddr: &[u8]) -> Option<Endpoint> {
    connect(0, Addr::default(), sockaddr).remote
}

#[test]
fn a_connection_under_way_has_not_failed() {
    let outcome = |result| match convert(0, &Connect { result, ..Connect::default() }, b"").unwrap() {
        Body::Connect { outcome, .. } => outcome,
        other => panic!("{other:?}"),
    };
    assert_eq!(outcome(-libc::EINPROGRESS), Outcome::Unknown);
    assert_eq!(outcome(-libc::ECONNREFUSED), Outcome::Failure(libc::ECONNREFUSED));
    assert_eq!(outcome(0), Outcome::Success(0));
}

#[test]
fn addresses_as_the_caller_wrote_them() {
    let ip = |s: &str, port| Some(Endpoint::Ip(s.parse().unwrap(), port));
    assert_eq!(remote(&inet([192, 0, 2, 1], 443)), ip("192.0.2.1", 443));
    let mut mapped = [0; 16];
    mapped[10..].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
    assert_eq!(remote(&inet6(mapped, 443)), ip("192.0.2.1", 443));
    assert_eq!(remote(&inet6(std::net::Ipv6Addr::LOCALHOST.octets(), 7)), ip("::1", 7));
    let path = |s: &[u8]| Some(Endpoint::Unix(Text::from(s)));
    assert_eq!(remote(&unix(b"/run/x.sock\0rest")), path(b"/run/x.sock"));
    assert_eq!(remote(&unix(b"/run/x.sock")), path(b"/run/x.sock"));
    assert_eq!(remote(&unix(b"\0name\0more")), path(b"@name\0more"));
    assert_eq!(remote(&unix(b"\0name\0\0\0\0")), path(b"@name"));
    for none in [unix(b""), unix(b"\0"), unix(b"\0\0\0"), vec![], vec![2], vec![0; 16], vec![255; 128]] {
        assert_eq!(remote(&none), None, "{none:?}");
    }
    for whole in [inet([1, 2, 3, 4], 5), inet6([1; 16], 5)] {
        let needed = if whole.len() == 16 { 8 } else { 24 };
        for n in 0..whole.len() {
            assert_eq!(remote(&whole[..n]).is_some(), n >= needed, "{n} of {} bytes", whole.len());
        }
    }
}

#[test]
fn the_kernels_address_wins_over_the_callers() {
    let mut ip = [0; 16];
    ip[..4].copy_from_slice(&[127, 0, 0, 1]);
    let addr = Addr { ip, port: 80, family: libc::AF_INET as u16, pad: 0 };
    let socket = connect(0, addr, &inet([1, 1, 1, 1], 1));
    assert_eq!((socket.remote, socket.from_kernel, socket.fd), (Some(Endpoint::Ip([127, 0, 0, 1].into(), 80)), true, None));
    // Not connected any more: the kernel's socket has no peer.
    let gone = connect(0, Addr { family: libc::AF_INET as u16, ..Addr::default() }, &inet([1, 1, 1, 1], 1));
    assert_eq!((gone.remote, gone.from_kernel), (Some(Endpoint::Ip([1, 1, 1, 1].into(), 1)), false));
    assert!(connect(header_flags::JOINED, Addr::default(), &unix(b"/x")).from_kernel);
}

#[test]
fn accept_bind_and_listen() {
    let addr = |last, port| {
        let mut ip = [0; 16];
        ip[..4].copy_from_slice(&[10, 0, 0, last]);
        Addr { ip, port, family: 2, pad: 0 }
    };
    let end = |last, port| Some(Endpoint::Ip([10, 0, 0, last].into(), port));
    let sock = Sock { local: addr(1, 22), remote: addr(2, 40000), fd: 5, kind: 1, protocol: 6, family: 2, ..Sock::default() };
    let Ok(Body::Accept { outcome, socket }) = convert(0, &Accept { result: 5, pad: 0, sock }, b"") else { panic!("no accept") };
    assert_eq!((outcome, socket.local, socket.remote), (Outcome::Success(5), end(1, 22), end(2, 40000)));
    assert_eq!((socket.fd, socket.kind, socket.protocol, socket.family), (Some(5), 1, 6, 2));
    let Ok(Body::Listen { backlog, socket, .. }) = convert(0, &Listen { result: 0, backlog: -1, sock }, b"") else { panic!("no listen") };
    assert_eq!((backlog, socket.local), (-1, end(1, 22)));
    let tail = inet([10, 0, 0, 9], 99);
    let unbound = Sock { user: span(0, 16), ..Sock::default() };
    let Ok(Body::Bind { outcome, socket }) = convert(0, &Bind { result: -98, pad: 0, sock: unbound }, &tail) else { panic!("no bind") };
    assert_eq!((outcome, socket.local, socket.remote), (Outcome::Failure(98), end(9, 99), None));
}

#[test]
fn file_events() {
    let tail = b"/a/b";
    let path_of = |f: FileRef| f.path.unwrap().to_string();
    let open = Open {
        result: 3,
        flags: 0o101,
        mode: 0o100_644,
        state: open_flags::CREATED,
        inode: 9,
        dev: 8,
        owner: 0,
        file: user(0, 2),
        ..Open::default()
    };
    let Ok(Body::Open { outcome, file, flags, mode, created }) = convert(0, &open, tail) else { panic!("no open") };
    assert_eq!((outcome, flags, mode, created), (Outcome::Success(3), 0o101, 0o644, true));
    assert_eq!((file.inode, file.dev, file.owner, path_of(file)), (9, 8, Some(0), "/a".to_owned()));
    let failed = Open { result: -2, file: user(0, 2), ..Open::default() };
    let Ok(Body::Open { outcome, file, .. }) = convert(0, &failed, tail) else { panic!("no open") };
    assert_eq!((outcome, file.owner), (Outcome::Failure(2), None));
    let unlink = Unlink { result: RESULT_UNKNOWN, flags: 0x200, file: user(0, 2) };
    let Ok(Body::Unlink { outcome, directory, .. }) = convert(0, &unlink, tail) else { panic!("no unlink") };
    assert_eq!((outcome, directory), (Outcome::Unknown, true));
    let rename = Rename { result: 0, flags: 1, old: user(0, 2), new: user(2, 2) };
    let Ok(Body::Rename { old, new, flags, .. }) = convert(0, &rename, tail) else { panic!("no rename") };
    assert_eq!((path_of(old), path_of(new), flags), ("/a".to_owned(), "/b".to_owned(), 1));
    let Ok(Body::Link { old, new, .. }) = convert(0, &Link { old: user(0, 2), new: user(2, 2), ..Link::default() }, tail) else {
        panic!("no link")
    };
    assert_eq!((path_of(old), path_of(new)), ("/a".to_owned(), "/b".to_owned()));
    let Ok(Body::Chmod { mode, .. }) = convert(0, &Chmod { mode: 0o104_755, file: user(0, 2), ..Chmod::default() }, tail) else {
        panic!("no chmod")
    };
    assert_eq!(mode, 0o4755);
    let chown = Chown { owner: 0, group: u32::MAX, file: user(0, 2), ..Chown::default() };
    let Ok(Body::Chown { owner, group, .. }) = convert(0, &chown, tail) else { panic!("no chown") };
    assert_eq!((owner, group), (Some(0), None));
    let symlink = Symlink { text: path(1, 3), link: user(0, 2), ..Symlink::default() };
    let Ok(Body::Symlink { target, link, .. }) = convert(0, &symlink, tail) else { panic!("no symlink") };
    assert_eq!((target.to_string(), path_of(link)), ("a/b".to_owned(), "/a".to_owned()));
}

#[test]
fn a_span_outside_the_tail_makes_every_kind_malformed() {
    for bad in [span(0, 5), span(5, 0), span(u32::MAX, 1), span(1, u32::MAX), span(4, 1)] {
        let p = Path { span: bad, ..Path::default() };
        let targets =
            [Target { kernel: p, ..Target::default() }, Target { user: p, ..Target::default() }, Target { base: p, ..Target::default() }];
        let ok = Target::default();
        for t in targets {
            let results = [
                convert(0, &Open { file: t, ..Open::default() }, b"1234"),
                convert(0, &Unlink { file: t, ..Unlink::default() }, b"1234"),
                convert(0, &Chmod { file: t, ..Chmod::default() }, b"1234"),
                convert(0, &Chown { file: t, ..Chown::default() }, b"1234"),
                convert(0, &Rename { old: t, new: ok, ..Rename::default() }, b"1234"),
                convert(0, &Rename { old: ok, new: t, ..Rename::default() }, b"1234"),
                convert(0, &Link { old: t, new: ok, ..Link::default() }, b"1234"),
                convert(0, &Link { old: ok, new: t, ..Link::default() }, b"1234"),
                convert(0, &Symlink { link: t, ..Symlink::default() }, b"1234"),
                convert(0, &Symlink { text: p, ..Symlink::default() }, b"1234"),
            ];
            for result in results {
                assert_eq!(result.unwrap_err(), BadSpan { span: bad, tail: 4 });
            }
        }
        let sock = Sock { user: bad, ..Sock::default() };
        assert!(convert(0, &Connect { sock, ..Connect::default() }, b"1234").is_err());
        assert!(convert(0, &Bind { sock, ..Bind::default() }, b"1234").is_err());
    }
}
