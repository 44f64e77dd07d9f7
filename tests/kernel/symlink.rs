//! `symlink`: the link and what is written into it.

use sensor::events::{Body, Outcome};
use sensor_common::EventKind;
use std::os::unix::fs::symlink;
use support::{Scratch, path_of, watch};

#[test]
fn symlink_tells_the_link_and_its_text() {
    let (mut w, dir) = (watch(), Scratch::new("symlink"));
    let event = w.one(EventKind::Symlink, || symlink("../anything at all", dir.join("link")).expect("a new link"));
    let Body::Symlink { outcome, target, link } = &event.body else { unreachable!() };
    assert_eq!((*outcome, target.bytes(), path_of(link)), (Outcome::Success(0), &b"../anything at all"[..], dir.name("link").as_str()));
    assert_eq!(link.from_kernel, w.sees_objects());
    let event = w.one(EventKind::Symlink, || assert!(symlink("x", dir.join("link")).is_err()));
    assert_eq!(event.outcome(), Some(Outcome::Failure(libc::EEXIST)));
}
