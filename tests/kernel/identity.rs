//! Who did it, as it was at that moment: credentials, namespaces, cgroup, login user.

use sensor::events::Event;
use sensor_common::EventKind;
use std::{fs, os::unix::fs::MetadataExt, sync::Arc};
use support::{Scratch, cstr, watch};

#[test]
fn the_acting_process_is_this_one() {
    let (mut w, dir) = (watch(), Scratch::new("identity"));
    let event = w.one(EventKind::Open, || fs::write(dir.join("f"), "").expect("a new file"));
    let p = &event.process;
    assert_eq!((p.id.tgid, event.tid), (std::process::id(), support::tid()));
    // SAFETY: no arguments.
    assert_eq!(p.parent.tgid, u32::try_from(unsafe { libc::getppid() }).expect("positive"));
    let inode = |ns: &str| fs::metadata(format!("/proc/self/ns/{ns}")).expect("a namespace").ino();
    assert_eq!((u64::from(p.pid_ns), u64::from(p.mnt_ns)), (inode("pid"), inode("mnt")));
    assert_eq!((p.credentials.uid, p.credentials.euid, p.credentials.gid), (0, 0, 0));
    let status = fs::read_to_string("/proc/self/status").expect("proc");
    let caps = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).map(|v| u64::from_str_radix(v.trim(), 16).expect("hex"));
    assert_eq!((Some(p.credentials.cap_effective), Some(p.credentials.cap_permitted)), (caps("CapEff:"), caps("CapPrm:")));
    let login = fs::read_to_string("/proc/self/loginuid").ok().and_then(|s| s.trim().parse::<u32>().ok()).filter(|u| *u != u32::MAX);
    assert_eq!(p.credentials.login_uid, login);
}

#[test]
fn in_a_pid_namespace_a_process_has_its_number_outside_and_the_namespace() {
    let (mut w, dir) = (watch(), Scratch::new("pid-namespace"));
    let (file, mut pipe) = (cstr(&dir.name("inside")), [0; 2]);
    let mut inside = (0, 0);
    let event = w.one(EventKind::Open, || {
        // SAFETY: a fork into a new pid namespace; the child makes system calls with what was prepared for it, and ends.
        unsafe {
            assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
            let flags = libc::c_long::from(libc::CLONE_NEWPID | libc::SIGCHLD);
            let pid = libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize);
            if pid == 0 {
                libc::close(pipe[1]);
                libc::open(file.as_ptr(), libc::O_CREAT | libc::O_WRONLY, 0o600);
                libc::read(pipe[0], (&raw mut inside).cast(), 1); // until the parent has looked
                libc::_exit(0);
            }
            let namespace = fs::metadata(format!("/proc/{pid}/ns/pid")).expect("a child").ino();
            inside = (u32::try_from(pid).expect("a child"), namespace);
            libc::close(pipe[1]);
            libc::waitpid(i32::try_from(pid).expect("a child"), std::ptr::null_mut(), 0);
            libc::close(pipe[0]);
        }
    });
    assert_eq!((event.process.id.tgid, u64::from(event.process.pid_ns)), inside);
    assert_eq!(event.process.parent.tgid, std::process::id());
}

/// A new cgroup of this name, gone when `action` is over, and its id; and the file event of a shell that has moved there.
fn in_cgroup(name: &str) -> (u64, Arc<Event>) {
    let mut w = watch();
    let group = format!("{}/{name}", support::cgroup2_root());
    fs::create_dir(&group).expect("a new cgroup");
    let id = fs::metadata(&group).expect("it is there").ino();
    let dir = Scratch::new("cgroup");
    let (_, events) = w.during(|| {
        let script = format!("echo $$ > {group}/cgroup.procs; : > {}", dir.name("inside"));
        assert!(std::process::Command::new("/bin/sh").args(["-c", &script]).status().expect("a shell").success());
    });
    fs::remove_dir(&group).expect("nobody is left in it");
    let inside = events.into_iter().find(|e| e.file().is_some_and(|f| support::path_of(f) == dir.name("inside")));
    (id, inside.expect("the open inside"))
}

#[test]
fn the_cgroup_is_the_one_of_the_moment() {
    let (id, event) = in_cgroup(&format!("sensor-test-{}", std::process::id()));
    assert_eq!((event.process.cgroup_id, &event.process.container), (id, &None));
}

#[test]
fn the_cgroup_tells_the_container() {
    let container = format!("{:064x}", 0xfeed_0000_0000_u64 + u64::from(std::process::id()));
    let (id, event) = in_cgroup(&format!("libpod-{container}"));
    assert_eq!(event.process.cgroup_id, id);
    assert_eq!(event.process.container.as_ref().map(|c| c.id.to_string()), Some(container));
}
