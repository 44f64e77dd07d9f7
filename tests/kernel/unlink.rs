//! `unlink`: unlink, unlinkat, rmdir; success and failure; relative names.

use sensor::events::{Body, Outcome};
use sensor_common::EventKind;
use std::fs;
use support::{Scratch, cstr, path_of, watch};

#[test]
fn unlink_tells_what_was_removed() {
    let (mut w, dir) = (watch(), Scratch::new("unlink"));
    fs::write(dir.join("file"), "").expect("a new file");
    let event = w.one(EventKind::Unlink, || fs::remove_file(dir.join("file")).expect("it is there"));
    let Body::Unlink { outcome, file, directory } = &event.body else { unreachable!() };
    assert_eq!((*outcome, path_of(file), *directory), (Outcome::Success(0), dir.name("file").as_str(), false));
    assert_eq!((file.from_kernel, file.complete), (w.sees_objects(), true));
}

#[test]
fn unlinkat_resolves_a_relative_name_from_its_descriptor() {
    let (mut w, dir) = (watch(), Scratch::new("unlinkat"));
    fs::create_dir(dir.join("sub")).expect("a new folder");
    fs::write(dir.join("sub/file"), "").expect("a new file");
    let fd = fs::File::open(dir.join("sub")).expect("a folder");
    let event = w.one(EventKind::Unlink, || {
        use std::os::fd::AsRawFd;
        // SAFETY: a valid descriptor and string.
        assert_eq!(unsafe { libc::unlinkat(fd.as_raw_fd(), cstr("../sub/./file").as_ptr(), 0) }, 0);
    });
    let Body::Unlink { file, .. } = &event.body else { unreachable!() };
    assert_eq!(path_of(file), dir.name("sub/file"));
    assert_eq!(file.raw.as_ref().map(|r| r.bytes()), Some(&b"../sub/./file"[..]));
}

#[test]
fn rmdir_says_that_it_was_a_folder_and_why_it_failed() {
    let (mut w, dir) = (watch(), Scratch::new("rmdir"));
    fs::create_dir_all(dir.join("full/sub")).expect("new folders");
    let event = w.one(EventKind::Unlink, || assert!(fs::remove_dir(dir.join("full")).is_err()));
    let Body::Unlink { outcome, file, directory } = &event.body else { unreachable!() };
    assert_eq!((*outcome, path_of(file), *directory), (Outcome::Failure(libc::ENOTEMPTY), dir.name("full").as_str(), true));
    let event = w.one(EventKind::Unlink, || fs::remove_dir(dir.join("full/sub")).expect("it is empty"));
    let Body::Unlink { outcome, directory, .. } = &event.body else { unreachable!() };
    assert_eq!((*outcome, *directory), (Outcome::Success(0), true));
}

#[test]
fn a_file_that_does_not_exist_is_told_with_its_errno() {
    let (mut w, dir) = (watch(), Scratch::new("unlink-none"));
    let event = w.one(EventKind::Unlink, || assert!(fs::remove_file(dir.join("none")).is_err()));
    let Body::Unlink { outcome, file, .. } = &event.body else { unreachable!() };
    assert_eq!((*outcome, path_of(file), file.from_kernel), (Outcome::Failure(libc::ENOENT), dir.name("none").as_str(), false));
}
