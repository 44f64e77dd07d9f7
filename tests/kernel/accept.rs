//! `accept`: who connected.

use sensor::events::{Body, Endpoint, Outcome};
use sensor_common::EventKind;
use std::net::{TcpListener, TcpStream};
use support::watch;

#[test]
fn an_accepted_connection_tells_both_ends() {
    let mut w = watch();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let to = listener.local_addr().expect("bound");
    let client = TcpStream::connect(to).expect("a listener");
    let from = client.local_addr().expect("connected");
    let event = w.one(EventKind::Accept, || drop(listener.accept().expect("a client")));
    let Body::Accept { outcome, socket } = &event.body else { unreachable!() };
    assert!(matches!(outcome, Outcome::Success(fd) if *fd > 2), "{outcome:?}");
    assert_eq!(socket.local, Some(Endpoint::Ip(to.ip(), to.port())));
    assert_eq!(socket.remote, Some(Endpoint::Ip(from.ip(), from.port())));
    assert_eq!((socket.protocol, socket.from_kernel), (6, true));
}
