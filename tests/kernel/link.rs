//! `link`: hard links, by path and by descriptor.

use sensor::events::{Body, Outcome};
use sensor_common::EventKind;
use std::fs;
use support::{Scratch, path_of, watch};

#[test]
fn link_tells_what_exists_and_its_new_name() {
    let (mut w, dir) = (watch(), Scratch::new("link"));
    fs::write(dir.join("old"), "").expect("a new file");
    let event = w.one(EventKind::Link, || fs::hard_link(dir.join("old"), dir.join("new")).expect("it is there"));
    let Body::Link { outcome, old, new } = &event.body else { unreachable!() };
    assert_eq!(*outcome, Outcome::Success(0));
    assert_eq!((path_of(old), path_of(new)), (dir.name("old").as_str(), dir.name("new").as_str()));
    assert_eq!((old.from_kernel, new.from_kernel), (w.sees_objects(), w.sees_objects()));
}

#[test]
fn a_link_over_an_existing_name_fails_with_its_errno() {
    let (mut w, dir) = (watch(), Scratch::new("link-exists"));
    fs::write(dir.join("old"), "").expect("a new file");
    fs::write(dir.join("new"), "").expect("a new file");
    let event = w.one(EventKind::Link, || assert!(fs::hard_link(dir.join("old"), dir.join("new")).is_err()));
    assert_eq!(event.outcome(), Some(Outcome::Failure(libc::EEXIST)));
}
