//! `cgroup`: told when it is made, with the container that its name tells, whoever comes into it later.

use sensor::events::Body;
use sensor_common::EventKind;
use std::{fs, os::unix::fs::MetadataExt};
use support::{cgroup2_root, watch};

#[test]
fn a_new_cgroup_is_told_with_its_path_and_container() {
    let mut w = watch();
    let id = format!("{:064x}", 0xabc_0000_0000_u64 + u64::from(std::process::id()));
    let path = format!("/docker-{id}.scope");
    let folder = format!("{}{path}", cgroup2_root());
    let mut inode = 0;
    let event = w.one(EventKind::Cgroup, || {
        fs::create_dir(&folder).expect("a new cgroup");
        inode = fs::metadata(&folder).expect("it is there").ino();
        fs::remove_dir(&folder).expect("nobody is in it");
    });
    let Body::Cgroup { id: number, path: told, container } = &event.body else { unreachable!() };
    assert_eq!((*number, told.bytes()), (inode, path.as_bytes()));
    assert_eq!(container.as_ref().map(|c| (c.id.to_string(), c.runtime)), Some((id, "docker")));
    assert_eq!((event.process.id.tgid, event.outcome()), (std::process::id(), None));
}
