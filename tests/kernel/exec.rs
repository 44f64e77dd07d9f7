//! `exec`: path, arguments of any length, scripts, memfds, unlinked files, failures.

use sensor::{
    events::{Body, Event, Outcome},
    process::Image,
};
use sensor_common::EventKind;
use std::{
    fs,
    io::Write,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, PermissionsExt},
        unix::process::CommandExt,
    },
    process::Command,
    sync::Arc,
};
use support::{Scratch, watch};

fn image(event: &Event) -> (Outcome, &Image) {
    let Body::Exec { outcome, image } = &event.body else { panic!("no exec: {event:?}") };
    (*outcome, image)
}

fn executed(command: &mut Command) -> Arc<Event> {
    watch().one(EventKind::Exec, || assert!(command.status().expect("it can be executed").success()))
}

/// Where a path leads: `/bin` may be a link to `/usr/bin`, `/bin/sh` to any shell.
fn resolved(path: &str) -> String {
    fs::canonicalize(path).expect("a program").to_str().expect("ASCII").to_owned()
}

#[test]
fn the_image_is_the_kernels_and_the_invoked_path_is_kept() {
    let dir = Scratch::new("exec-cwd");
    let event = executed(Command::new("/bin/bash").arg0("a name").args(["-c", "exit 0", "x y"]).current_dir(dir.path()));
    let (outcome, image) = image(&event);
    assert_eq!(outcome, Outcome::Success(0));
    assert_eq!(image.executable.as_ref().map(|t| t.to_string()), Some(resolved("/bin/bash")));
    assert_eq!(image.invoked.as_ref().map(|t| t.to_string()).as_deref(), Some("/bin/bash"));
    let args: Vec<_> = image.args.iter().map(|a| a.to_string()).collect();
    assert_eq!(args, ["a name", "-c", "exit 0", "x y"]);
    assert_eq!(image.command_line.as_ref().map(|t| t.to_string()).as_deref(), Some("a name -c exit 0 x y"));
    assert_eq!(image.working_directory.as_ref().map(|t| t.to_string()).as_deref(), dir.path().to_str());
    let file = fs::metadata("/bin/bash").expect("a shell");
    assert_eq!((image.inode, image.memfd, image.unlinked, image.args_cut), (file.ino(), false, false, false));
    assert_eq!(event.process.image.as_ref().map(|i| i.inode), Some(file.ino()), "the process is the one after the exec");
    assert_eq!(event.process.parent.tgid, std::process::id());
}

#[test]
fn arguments_up_to_64_kib_are_whole_and_longer_ones_keep_head_and_tail() {
    for total in [5 << 10, 60 << 10, 65536, 65537, 100 << 10] {
        // "sh\0-c\0exit 0\0" is 13 bytes; each further argument of n characters takes n + 1.
        let mut left = total - 13;
        let mut args = Vec::new();
        while left > 1100 {
            args.push(format!("{:04}{}", args.len(), "x".repeat(995)));
            left -= 1000;
        }
        args.push("y".repeat(left - 5) + "MARK");
        let event = executed(Command::new("/bin/sh").arg0("sh").args(["-c", "exit 0"]).args(&args));
        let image = image(&event).1;
        assert_eq!(image.args_bytes, total as u64);
        assert_eq!(image.args_cut, total > 65536, "{total}");
        assert!(image.args.last().expect("arguments").bytes().ends_with(b"MARK"), "the end of {total} bytes is there");
        if total <= 65536 {
            let got: Vec<_> = image.args.iter().skip(3).map(|a| a.to_string()).collect();
            assert_eq!(got, args, "{total} bytes");
        } else {
            assert_eq!(image.args[3].bytes(), args[0].as_bytes(), "the beginning of {total} bytes is there");
        }
    }
}

#[test]
fn a_script_tells_its_path_and_its_interpreter() {
    let dir = Scratch::new("exec-script");
    fs::write(dir.join("script"), "#!/bin/sh\nexit 0\n").expect("a new file");
    fs::set_permissions(dir.join("script"), fs::Permissions::from_mode(0o755)).expect("an own file");
    let event = executed(Command::new(dir.join("script")).arg("one"));
    let image = image(&event).1;
    assert_eq!(image.executable.as_ref().map(|t| t.to_string()), Some(resolved("/bin/sh")));
    assert_eq!(image.invoked.as_ref().map(|t| t.to_string()), Some(dir.name("script")));
    assert_eq!(image.interpreter.as_ref().map(|t| t.to_string()).as_deref(), Some("/bin/sh"));
    let args: Vec<_> = image.args.iter().map(|a| a.to_string()).collect();
    assert_eq!(args, ["/bin/sh".to_owned(), dir.name("script"), "one".to_owned()]);
}

#[test]
fn a_memfd_is_known_as_one() {
    // SAFETY: a valid string.
    let fd = unsafe { libc::memfd_create(c"quiet".as_ptr(), 0) };
    assert!(fd >= 0);
    fs::OpenOptions::new()
        .write(true)
        .open(format!("/proc/self/fd/{fd}"))
        .and_then(|mut f| f.write_all(&fs::read("/bin/sh")?))
        .expect("a copy of the shell");
    let event = executed(Command::new(format!("/proc/self/fd/{fd}")).arg0("sh").args(["-c", "exit 0"]));
    // SAFETY: the descriptor is ours.
    unsafe { libc::close(fd) };
    let image = image(&event).1;
    assert!(image.memfd && image.unlinked, "{image:?}");
    assert_eq!(image.executable.as_ref().map(|t| t.to_string()).as_deref(), Some("/memfd:quiet"));
}

#[test]
fn a_file_without_a_name_is_known_as_one() {
    let dir = Scratch::new("exec-unlinked");
    fs::copy("/bin/sh", dir.join("sh")).expect("a copy of the shell");
    let file = fs::File::open(dir.join("sh")).expect("it is there");
    fs::remove_file(dir.join("sh")).expect("it is there");
    let event = executed(Command::new(format!("/proc/self/fd/{}", file.as_raw_fd())).arg0("sh").args(["-c", "exit 0"]));
    let image = image(&event).1;
    assert_eq!((image.memfd, image.unlinked), (false, true), "{image:?}");
    assert_eq!(image.executable.as_ref().map(|t| t.to_string()), Some(dir.name("sh")));
}

#[test]
fn a_failed_attempt_is_told_with_its_errno() {
    let dir = Scratch::new("exec-fails");
    fs::write(dir.join("data"), "no program").expect("a new file");
    let path = dir.name("data");
    let event = watch().one(EventKind::Exec, || assert!(Command::new(&path).status().is_err()));
    let (outcome, image) = image(&event);
    assert_eq!(outcome, Outcome::Failure(libc::EACCES));
    assert_eq!(image.invoked.as_ref().map(|t| t.to_string()), Some(path));
}

#[test]
fn a_thread_that_executes_becomes_its_process() {
    let mut w = watch();
    let (pid, events) = w.during(|| {
        // SAFETY: the child makes one thread, which executes a shell.
        unsafe {
            let pid = libc::fork();
            if pid == 0 {
                let _ = std::thread::spawn(|| Command::new("/bin/sh").args(["-c", "exit 0"]).exec()).join();
                libc::_exit(1);
            }
            libc::waitpid(pid, std::ptr::null_mut(), 0);
            u32::try_from(pid).expect("a child")
        }
    });
    let exec = events.iter().find(|e| e.kind() == EventKind::Exec).expect("the exec");
    assert_eq!((exec.process.id.tgid, exec.tid), (pid, pid), "the thread has taken the leader's place");
    let exits: Vec<_> = events.iter().filter(|e| e.kind() == EventKind::Exit && e.process.id.tgid == pid).collect();
    assert_eq!(exits.len(), 1, "{exits:?}");
    assert_eq!(exits[0].process.id, exec.process.id, "one identity from the fork to the end");
}
