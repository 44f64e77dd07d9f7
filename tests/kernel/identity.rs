//! Who did it, as it was at that moment: credentials, namespaces, cgroup, login user.

use sensor_common::EventKind;
use std::{fs, os::unix::fs::MetadataExt};
use support::{Scratch, watch};

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
fn the_cgroup_is_the_one_of_the_moment() {
    let mut w = watch();
    let root = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].into_iter().find(|d| fs::metadata(format!("{d}/cgroup.procs")).is_ok());
    let group = format!("{}/sensor-test-{}", root.expect("cgroup v2"), std::process::id());
    fs::create_dir(&group).expect("a new cgroup");
    let id = fs::metadata(&group).expect("it is there").ino();
    let dir = Scratch::new("cgroup");
    let (_, events) = w.during(|| {
        let script = format!("echo $$ > {group}/cgroup.procs; : > {}", dir.name("inside"));
        assert!(std::process::Command::new("/bin/sh").args(["-c", &script]).status().expect("a shell").success());
    });
    fs::remove_dir(&group).expect("nobody is left in it");
    let inside = events.iter().find(|e| e.file().is_some_and(|f| support::path_of(f) == dir.name("inside"))).expect("the open inside");
    assert_eq!(inside.process.cgroup_id, id);
}
