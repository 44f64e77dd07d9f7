//! `chmod`: by path, by descriptor, through a symbolic link.

use sensor::events::{Body, Outcome};
use sensor_common::EventKind;
use std::{
    fs,
    os::{
        fd::AsRawFd,
        unix::fs::{PermissionsExt, symlink},
    },
};
use support::{Scratch, path_of, watch};

#[test]
fn chmod_tells_the_file_and_the_bits() {
    let (mut w, dir) = (watch(), Scratch::new("chmod"));
    fs::write(dir.join("file"), "").expect("a new file");
    let event = w.one(EventKind::Chmod, || fs::set_permissions(dir.join("file"), fs::Permissions::from_mode(0o4755)).expect("an own file"));
    let Body::Chmod { outcome, file, mode } = &event.body else { unreachable!() };
    assert_eq!((*outcome, path_of(file), *mode), (Outcome::Success(0), dir.name("file").as_str(), 0o4755));
    assert_eq!(file.from_kernel, w.sees_objects());
}

#[test]
fn fchmod_tells_the_file_behind_the_descriptor() {
    let (mut w, dir) = (watch(), Scratch::new("fchmod"));
    let file = fs::File::create(dir.join("file")).expect("a new file");
    let event = w.one(EventKind::Chmod, || {
        // SAFETY: a valid descriptor.
        assert_eq!(unsafe { libc::fchmod(file.as_raw_fd(), 0o600) }, 0);
    });
    let Body::Chmod { file, mode, .. } = &event.body else { unreachable!() };
    assert_eq!((path_of(file), *mode, file.from_kernel), (dir.name("file").as_str(), 0o600, true));
}

#[test]
fn a_symbolic_link_is_followed_where_the_kernel_can_be_asked() {
    let (mut w, dir) = (watch(), Scratch::new("chmod-link"));
    fs::write(dir.join("file"), "").expect("a new file");
    symlink("file", dir.join("link")).expect("a new link");
    let event = w.one(EventKind::Chmod, || fs::set_permissions(dir.join("link"), fs::Permissions::from_mode(0o777)).expect("an own file"));
    let Body::Chmod { file, .. } = &event.body else { unreachable!() };
    if w.sees_objects() {
        assert_eq!(path_of(file), dir.name("file"), "what the kernel changed");
        assert_eq!(file.raw.as_ref().map(|r| r.bytes()), Some(dir.name("link").as_bytes()), "what the caller wrote");
    } else {
        assert_eq!((path_of(file), file.from_kernel), (dir.name("link").as_str(), false));
    }
}
