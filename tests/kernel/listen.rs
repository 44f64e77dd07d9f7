//! `listen`: address and queue length.

use sensor::events::{Body, Endpoint, Outcome};
use sensor_common::EventKind;
use std::{net::TcpListener, os::fd::AsRawFd};
use support::watch;

#[test]
fn listen_tells_address_and_backlog() {
    let mut w = watch();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let event = w.one(EventKind::Listen, || {
        // SAFETY: a valid descriptor; listening again only changes the queue length.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 7) }, 0);
    });
    let Body::Listen { outcome, socket, backlog } = &event.body else { unreachable!() };
    assert_eq!((*outcome, *backlog), (Outcome::Success(0), 7));
    assert_eq!(socket.local, Some(Endpoint::Ip(address.ip(), address.port())));
}
