//! `bind`: own addresses; a port that the kernel chose.

use sensor::events::{Body, Endpoint, Outcome};
use sensor_common::EventKind;
use std::net::{SocketAddr, UdpSocket};
use support::watch;

#[test]
fn bind_tells_the_address_that_the_kernel_gave() {
    let mut w = watch();
    let mut address: Option<SocketAddr> = None;
    let event = w.one(EventKind::Bind, || address = UdpSocket::bind("127.0.0.1:0").expect("loopback").local_addr().ok());
    let Body::Bind { outcome, socket } = &event.body else { unreachable!() };
    let address = address.expect("bound");
    assert_eq!((*outcome, socket.local.clone()), (Outcome::Success(0), Some(Endpoint::Ip(address.ip(), address.port()))));
}

#[test]
fn an_address_in_use_is_told_with_what_was_asked_for() {
    let mut w = watch();
    let first = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let taken = first.local_addr().expect("bound");
    let event = w.one(EventKind::Bind, || assert!(UdpSocket::bind(taken).is_err()));
    let Body::Bind { outcome, socket } = &event.body else { unreachable!() };
    assert_eq!(*outcome, Outcome::Failure(libc::EADDRINUSE));
    assert_eq!(socket.local, Some(Endpoint::Ip(taken.ip(), taken.port())));
}
