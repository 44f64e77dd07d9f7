//! Absolute paths as the process sees them: mounts, chroots, deep and long ones. Cases of `/proc/self/fd` serve as the kernel's own word.

use sensor::events::FileRef;
use sensor_common::EventKind;
use std::{fs, path::PathBuf, sync::Arc};
use support::{Scratch, Watch, cstr, watch};

/// Runs `action` in a thread with a mount namespace and working directory of its own; returns the file of the last open for writing.
fn opened(w: &mut Watch, action: impl FnOnce() + Send) -> FileRef {
    let mut tid = 0;
    let (_, events) = w.during(|| {
        std::thread::scope(|s| {
            s.spawn(|| {
                tid = support::tid();
                // SAFETY: concerns this thread only; root.
                unsafe {
                    assert_eq!(libc::unshare(libc::CLONE_NEWNS | libc::CLONE_FS), 0);
                    assert_eq!(
                        libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE, std::ptr::null()),
                        0
                    );
                }
                action();
            });
        });
    });
    let mut files: Vec<_> = events.iter().filter(|e| e.kind() == EventKind::Open && e.tid == tid).map(Arc::clone).collect();
    files.pop().and_then(|e| e.file().cloned()).expect("an open")
}

fn mount(source: &str, target: &str, kind: &str, flags: libc::c_ulong) {
    // SAFETY: valid strings; in a mount namespace of the thread's own.
    let r = unsafe { libc::mount(cstr(source).as_ptr(), cstr(target).as_ptr(), cstr(kind).as_ptr(), flags, std::ptr::null()) };
    assert_eq!(r, 0, "mount {source} at {target}: {}", std::io::Error::last_os_error());
}

fn create(path: &str) {
    // SAFETY: a valid string; the descriptor is closed.
    unsafe {
        let fd = libc::open(cstr(path).as_ptr(), libc::O_CREAT | libc::O_WRONLY, 0o600);
        assert!(fd >= 0, "{path}: {}", std::io::Error::last_os_error());
        libc::close(fd);
    }
}

fn text(file: &FileRef) -> &str {
    support::path_of(file)
}

#[test]
fn a_file_on_another_mount_has_the_path_of_its_mount_point() {
    let (mut w, dir) = (watch(), Scratch::new("path-mount"));
    for d in ["t", "b"] {
        fs::create_dir(dir.join(d)).expect("a new folder");
    }
    let file = opened(&mut w, || {
        mount("t", &dir.name("t"), "tmpfs", 0);
        create(&dir.name("t/f"));
    });
    assert_eq!((text(&file), file.complete), (dir.name("t/f").as_str(), true));
    let file = opened(&mut w, || {
        mount("t", &dir.name("t"), "tmpfs", 0);
        fs::create_dir(dir.join("t/inner")).expect("a new folder");
        mount(&dir.name("t/inner"), &dir.name("b"), "", libc::MS_BIND);
        create(&dir.name("b/f"));
    });
    assert_eq!(text(&file), dir.name("b/f"), "as it was reached, through the bind mount");
}

#[test]
fn a_relative_name_with_dots_is_absolute_and_normal() {
    let (mut w, dir) = (watch(), Scratch::new("path-relative"));
    fs::create_dir_all(dir.join("a/b")).expect("new folders");
    let file = opened(&mut w, || {
        std::env::set_current_dir(dir.join("a/b")).expect("a folder");
        create("../b/./../f");
    });
    assert_eq!((text(&file), file.from_kernel), (dir.name("a/f").as_str(), true));
    assert_eq!(file.raw.as_ref().map(|r| r.bytes()), Some(&b"../b/./../f"[..]));
}

#[test]
fn in_a_chroot_the_path_is_what_the_process_sees() {
    let (mut w, dir) = (watch(), Scratch::new("path-chroot"));
    fs::create_dir_all(dir.join("root/sub")).expect("new folders");
    let file = opened(&mut w, || {
        // SAFETY: a valid string; the thread has an fs_struct of its own.
        assert_eq!(unsafe { libc::chroot(cstr(&dir.name("root")).as_ptr()) }, 0);
        std::env::set_current_dir("/").expect("the new root");
        create("/sub/f");
    });
    assert_eq!((text(&file), file.complete), ("/sub/f", true));
}

#[test]
fn a_deep_path_is_whole_and_a_deeper_one_says_that_it_is_cut() {
    let (mut w, dir) = (watch(), Scratch::new("path-deep"));
    let deep = |n: usize, len: usize| {
        let dir = dir.path().to_owned();
        move || {
            let name = "d".repeat(len);
            std::env::set_current_dir(&dir).expect("the scratch folder");
            for _ in 0..n {
                let _ = fs::create_dir(&name);
                std::env::set_current_dir(&name).expect("just made");
            }
            create("f");
        }
    };
    let path = |n: usize, len: usize| (0..n).fold(dir.path().to_owned(), |p: PathBuf, _| p.join("d".repeat(len))).join("f");
    // Of names that a dentry holds itself, of long ones, and of more than one run of the walker can take.
    for (n, len) in [(100, 9), (15, 240), (850, 3)] {
        let file = opened(&mut w, deep(n, len));
        assert_eq!((text(&file), file.complete), (path(n, len).to_str().expect("ASCII"), true), "{n} folders of {len}");
    }
    for (n, len) in [(1000, 2), (20, 250)] {
        let file = opened(&mut w, deep(n, len));
        assert!(!file.complete, "{n} folders of {len}");
        let whole = path(n, len);
        let whole = whole.to_str().expect("ASCII");
        let end = text(&file);
        assert!(end.len() > 300 && whole.ends_with(end), "{n} folders of {len}: {end}");
    }
}

#[test]
fn a_deleted_file_keeps_its_last_name_and_says_so() {
    let (mut w, dir) = (watch(), Scratch::new("path-deleted"));
    let file = opened(&mut w, || {
        use std::os::fd::AsRawFd;
        let f = fs::File::create(dir.join("gone")).expect("a new file");
        fs::remove_file(dir.join("gone")).expect("it is there");
        create(&format!("/proc/self/fd/{}", f.as_raw_fd()));
    });
    assert_eq!((text(&file), file.deleted), (dir.name("gone").as_str(), true));
}
