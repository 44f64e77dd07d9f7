//! `open`: creation, writing, filtered reading, failures, all four calls.

use sensor::events::{Body, Outcome};
use sensor_common::EventKind;
use std::{
    fs,
    os::unix::{fs::MetadataExt, fs::OpenOptionsExt, fs::symlink},
};
use support::{Scratch, cstr, path_of, result, watch};

#[test]
fn a_new_file_is_created_with_its_mode_and_identity() {
    let (mut w, dir) = (watch(), Scratch::new("open-create"));
    let mut inode = 0;
    let event = w.one(EventKind::Open, || {
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(dir.join("new")).expect("a new file");
        inode = file.metadata().expect("an open file").ino();
    });
    let Body::Open { outcome, file, flags, mode, created } = &event.body else { unreachable!() };
    assert!(matches!(outcome, Outcome::Success(fd) if *fd > 2), "{outcome:?}");
    assert_eq!((path_of(file), *created, *mode, file.inode), (dir.name("new").as_str(), true, 0o640, inode));
    let want = u32::try_from(libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL).expect("positive");
    assert_eq!(flags & want, want, "{flags:o}");
    assert_eq!((file.from_kernel, file.complete, file.deleted, file.owner), (true, true, false, Some(0)));
}

#[test]
fn an_existing_file_opened_for_writing_is_not_created() {
    let (mut w, dir) = (watch(), Scratch::new("open-write"));
    fs::write(dir.join("file"), "x").expect("a new file");
    let event = w.one(EventKind::Open, || drop(fs::OpenOptions::new().append(true).open(dir.join("file")).expect("it is there")));
    let Body::Open { file, created, flags, .. } = &event.body else { unreachable!() };
    assert_eq!((path_of(file), *created, flags & 3), (dir.name("file").as_str(), false, 1));
}

#[test]
fn openat2_creat_and_open_are_seen_like_openat() {
    let (mut w, dir) = (watch(), Scratch::new("open-calls"));
    let path = cstr(&dir.name("file"));
    let events = w.events(EventKind::Open, || {
        // SAFETY: valid strings, a valid struct open_how { flags, mode, resolve } of 24 bytes; descriptors are closed.
        unsafe {
            let fd = libc::syscall(libc::SYS_creat, path.as_ptr(), 0o600);
            assert!(fd >= 0);
            libc::close(i32::try_from(fd).expect("a descriptor"));
            let fd = libc::syscall(libc::SYS_open, path.as_ptr(), libc::O_RDWR, 0);
            assert!(fd >= 0);
            libc::close(i32::try_from(fd).expect("a descriptor"));
            let how = [u64::try_from(libc::O_WRONLY | libc::O_CREAT).expect("positive"), 0o751, 0];
            let fd = libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), how.as_ptr(), 24);
            assert!(fd >= 0);
            libc::close(i32::try_from(fd).expect("a descriptor"));
        }
    });
    let seen: Vec<_> = events
        .iter()
        .map(|e| {
            let Body::Open { file, flags, mode, created, .. } = &e.body else { unreachable!() };
            (path_of(file).to_owned(), flags & 0o3, *mode, *created)
        })
        .collect();
    let path = dir.name("file");
    assert_eq!(seen, [(path.clone(), 1, 0o600, true), (path.clone(), 2, 0, false), (path, 1, 0o751, false)]);
}

#[test]
fn reading_is_told_for_names_that_rules_ask_for_and_counted_otherwise() {
    let (mut w, dir) = (watch(), Scratch::new("open-read"));
    fs::write(dir.join("read-me"), "x").expect("a new file");
    fs::write(dir.join("other"), "x").expect("a new file");
    fs::create_dir(dir.join("read-mine")).expect("a new folder");
    fs::write(dir.join("read-mine/any"), "x").expect("a new file");
    symlink("read-me", dir.join("disguise")).expect("a new link");
    let events = w.events(EventKind::Open, || {
        for name in ["other", "read-me", "read-mine/any", "disguise"] {
            drop(fs::File::open(dir.join(name)).expect("it is there"));
        }
    });
    let paths: Vec<_> = events.iter().map(|e| path_of(e.file().expect("a file"))).collect();
    assert_eq!(paths, [dir.name("read-me"), dir.name("read-mine/any"), dir.name("read-me")], "a link shows what it leads to");
    assert_eq!(events[2].file().and_then(|f| f.raw.as_ref()).map(|r| r.bytes()), Some(dir.name("disguise").as_bytes()));
}

#[test]
fn a_denied_open_is_told_with_what_the_caller_asked_for() {
    let (mut w, dir) = (watch(), Scratch::new("open-denied"));
    fs::write(dir.join("secret"), "x").expect("a new file");
    fs::set_permissions(dir.join("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("an own file");
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("an own folder");
    let path = dir.name("secret");
    let (_, events) = w.during(|| {
        // SAFETY: between fork and _exit the child makes system calls only.
        unsafe {
            let path = cstr(&path);
            let pid = libc::fork();
            if pid == 0 {
                libc::syscall(libc::SYS_setuid, 65534);
                libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY, 0);
                libc::_exit(0);
            }
            assert!(pid > 0);
            assert_eq!(result(libc::waitpid(pid, std::ptr::null_mut(), 0)), i64::from(pid));
        }
    });
    let open = events.iter().find(|e| e.kind() == EventKind::Open).expect("the denied open");
    let Body::Open { outcome, file, .. } = &open.body else { unreachable!() };
    assert_eq!((*outcome, path_of(file), file.from_kernel), (Outcome::Failure(libc::EACCES), path.as_str(), false));
    assert_eq!((open.process.credentials.uid, open.process.credentials.euid), (65534, 65534), "as they were at that moment");
}
