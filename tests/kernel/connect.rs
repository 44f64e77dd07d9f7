//! `connect`: IPv4, IPv6, UNIX; accepted, refused, hanging.

use sensor::events::{Body, Endpoint, Event, Outcome, Socket};
use sensor_common::EventKind;
use std::{
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
};
use support::{Scratch, watch};

fn socket(event: &Event) -> (Outcome, &Socket) {
    let Body::Connect { outcome, socket } = &event.body else { panic!("no connect: {event:?}") };
    (*outcome, socket)
}

fn ip(address: SocketAddr) -> Option<Endpoint> {
    Some(Endpoint::Ip(address.ip(), address.port()))
}

#[test]
fn a_connection_tells_both_ends() {
    let mut w = watch();
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(any).expect("loopback");
        let to = listener.local_addr().expect("bound");
        let mut from = None;
        let event = w.one(EventKind::Connect, || from = TcpStream::connect(to).expect("a listener").local_addr().ok());
        let (outcome, socket) = socket(&event);
        assert_eq!(outcome, Outcome::Success(0));
        assert_eq!((socket.remote.clone(), socket.local.clone()), (ip(to), from.and_then(ip)), "{any}");
        let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        assert_eq!((i32::from(socket.family), i32::from(socket.kind), socket.protocol), (family, libc::SOCK_STREAM, 6));
        assert!(socket.from_kernel);
    }
}

#[test]
fn a_refused_connection_tells_where_it_went() {
    let mut w = watch();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback");
    let event = w.one(EventKind::Connect, || assert!(TcpStream::connect(free).is_err()));
    let (outcome, socket) = socket(&event);
    assert_eq!((outcome, socket.remote.clone(), socket.from_kernel), (Outcome::Failure(libc::ECONNREFUSED), ip(free), true));
}

#[test]
fn a_udp_socket_has_its_protocol() {
    let mut w = watch();
    let peer = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let to = peer.local_addr().expect("bound");
    let client = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let event = w.one(EventKind::Connect, || client.connect(to).expect("no handshake"));
    let (_, socket) = socket(&event);
    assert_eq!((socket.remote.clone(), socket.protocol), (ip(to), 17));
}

#[test]
fn a_unix_socket_has_a_path_also_if_nobody_is_there() {
    let (mut w, dir) = (watch(), Scratch::new("connect-unix"));
    let event = w.one(EventKind::Connect, || assert!(UnixStream::connect(dir.join("none")).is_err()));
    let (outcome, socket) = socket(&event);
    assert_eq!(outcome, Outcome::Failure(libc::ENOENT));
    let Some(Endpoint::Unix(path)) = &socket.remote else { panic!("{socket:?}") };
    assert_eq!(path.to_string(), dir.name("none"));
}
