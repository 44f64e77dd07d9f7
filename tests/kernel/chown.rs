//! `chown`: by path and by descriptor; an id that stays.

use sensor::events::{Body, Outcome};
use sensor_common::EventKind;
use std::{
    fs,
    os::unix::fs::{chown, fchown},
};
use support::{Scratch, path_of, watch};

#[test]
fn chown_tells_the_file_and_the_ids() {
    let (mut w, dir) = (watch(), Scratch::new("chown"));
    fs::write(dir.join("file"), "").expect("a new file");
    let event = w.one(EventKind::Chown, || chown(dir.join("file"), Some(1234), Some(5678)).expect("root"));
    let Body::Chown { outcome, file, owner, group } = &event.body else { unreachable!() };
    assert_eq!((*outcome, path_of(file), *owner, *group), (Outcome::Success(0), dir.name("file").as_str(), Some(1234), Some(5678)));
    assert_eq!(file.from_kernel, w.sees_objects());
}

#[test]
fn fchown_tells_which_id_stays() {
    let (mut w, dir) = (watch(), Scratch::new("fchown"));
    let file = fs::File::create(dir.join("file")).expect("a new file");
    let event = w.one(EventKind::Chown, || fchown(&file, None, Some(77)).expect("root"));
    let Body::Chown { file, owner, group, .. } = &event.body else { unreachable!() };
    assert_eq!((path_of(file), *owner, *group, file.from_kernel), (dir.name("file").as_str(), None, Some(77), true));
}
