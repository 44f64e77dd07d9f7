//! `rename`: both names, flags, failure.

use sensor::events::{Body, Outcome};
use sensor_common::EventKind;
use std::fs;
use support::{Scratch, cstr, path_of, watch};

#[test]
fn rename_tells_the_old_and_the_new_name() {
    let (mut w, dir) = (watch(), Scratch::new("rename"));
    fs::write(dir.join("old"), "").expect("a new file");
    let event = w.one(EventKind::Rename, || fs::rename(dir.join("old"), dir.join("new")).expect("it is there"));
    let Body::Rename { outcome, old, new, flags } = &event.body else { unreachable!() };
    assert_eq!((*outcome, *flags), (Outcome::Success(0), 0));
    assert_eq!((path_of(old), path_of(new)), (dir.name("old").as_str(), dir.name("new").as_str()));
    assert_eq!((old.from_kernel, new.from_kernel), (w.sees_objects(), w.sees_objects()));
}

#[test]
fn renameat2_tells_its_flags_and_its_errno() {
    let (mut w, dir) = (watch(), Scratch::new("renameat2"));
    fs::write(dir.join("a"), "").expect("a new file");
    fs::write(dir.join("b"), "").expect("a new file");
    let fd = fs::File::open(dir.path()).expect("a folder");
    let event = w.one(EventKind::Rename, || {
        use std::os::fd::AsRawFd;
        // SAFETY: valid descriptors and strings.
        let r = unsafe {
            libc::syscall(
                libc::SYS_renameat2,
                fd.as_raw_fd(),
                cstr("a").as_ptr(),
                fd.as_raw_fd(),
                cstr("b").as_ptr(),
                libc::RENAME_NOREPLACE,
            )
        };
        assert_eq!(r, -1);
    });
    let Body::Rename { outcome, old, new, flags } = &event.body else { unreachable!() };
    assert_eq!((*outcome, *flags), (Outcome::Failure(libc::EEXIST), libc::RENAME_NOREPLACE));
    assert_eq!((path_of(old), path_of(new)), (dir.name("a").as_str(), dir.name("b").as_str()));
}
