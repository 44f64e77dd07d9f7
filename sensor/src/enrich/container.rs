//! Container, runtime and pod from the path of a cgroup, by the names that the runtimes in use give them. Looks at the path only.
//!
//! | runtime | end of the path |
//! |---|---|
//! | Docker | `/docker/<id>`, `docker-<id>.scope` |
//! | podman | `libpod-<id>`, `libpod-<id>.scope`, `libpod-<id>.scope/container` |
//! | containerd (CRI) | `cri-containerd-<id>.scope`, `<anything>:cri-containerd:<id>` |
//! | CRI-O | `crio-<id>.scope` |
//! | any CRI with cgroupfs | `/kubepods/<class>/pod<uid>/<id>` |
//! | Docker's own containerd | `/moby/<id>` |
//! | `ctr` | `/default/<name>`: the names are free, so only containerd's default namespace at the top is taken for a container |
//!
//! `<id>` is 64 hex digits. Where containers are nested, the innermost counts. `conmon`, the helper of podman and CRI-O, runs outside.

use crate::{process::Container, text::Text};

/// Length of a container id.
const ID: usize = 64;

/// The container that a cgroup of this path belongs to.
pub fn parse(path: &[u8]) -> Option<Container> {
    let components: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|c| !c.is_empty()).collect();
    for (at, component) in components.iter().enumerate().rev() {
        let Some((prefix, id)) = id_in(component) else { continue };
        if prefix.ends_with(b"conmon-") {
            return None;
        }
        let above = at.checked_sub(1).and_then(|i| components.get(i)).copied().unwrap_or_default();
        return Some(Container { id: Text::from(id), runtime: runtime(prefix, above), pod_uid: pod_uid(&components) });
    }
    match components.as_slice() {
        [b"default", name] => Some(Container { id: Text::from(*name), runtime: "containerd", pod_uid: None }),
        _ => None,
    }
}

/// What stands before the id in a component, and the id: exactly 64 hex digits, with nothing but `.scope` behind them.
fn id_in(component: &[u8]) -> Option<(&[u8], &[u8])> {
    let name = component.strip_suffix(b".scope").unwrap_or(component);
    let (prefix, id) = name.split_at_checked(name.len().checked_sub(ID)?)?;
    let hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    (id.iter().all(hex) && matches!(prefix.last(), None | Some(b'-' | b':'))).then_some((prefix, id))
}

fn runtime(prefix: &[u8], above: &[u8]) -> &'static str {
    match prefix {
        b"docker-" => "docker",
        b"libpod-" => "podman",
        b"crio-" => "cri-o",
        p if p.ends_with(b"cri-containerd-") || p.ends_with(b":cri-containerd:") => "containerd",
        b"" if matches!(above, b"docker" | b"moby") => "docker",
        b"" if above == b"k8s.io" => "containerd",
        _ => "",
    }
}

/// `pod<uid>` as a component of its own, or at the end of a slice's name with `_` for `-`.
fn pod_uid(components: &[&[u8]]) -> Option<Text> {
    components.iter().rev().find_map(|component| {
        let name = match component.split(|b| *b == b':').next()? {
            slice if slice.ends_with(b".slice") => slice.strip_suffix(b".slice")?,
            plain => plain,
        };
        let start = name.windows(3).rposition(|w| w == b"pod")?;
        let before = name.get(..start)?;
        let uid = name.get(start + 3..)?;
        let valid = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'-' | b'_');
        // 36 characters, or 32 for a static pod (the hash of its file).
        let fits = matches!(uid.len(), 32 | 36) && uid.iter().all(valid) && (before.is_empty() || before.ends_with(b"-"));
        fits.then(|| Text::from(uid.iter().map(|b| if *b == b'_' { b'-' } else { *b }).collect::<Vec<u8>>()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
    const UID: &str = "11111111-2222-3333-4444-555555555555";

    fn check(path: &str, expected: Option<(&str, &'static str, Option<&str>)>) {
        let path = path.replace("<cid>", CID).replace("<other>", OTHER).replace("<uid_>", &UID.replace('-', "_")).replace("<uid>", UID);
        let expected = expected.map(|(id, runtime, pod)| Container { id: id.into(), runtime, pod_uid: pod.map(Text::from) });
        assert_eq!(parse(path.as_bytes()), expected, "{path}");
    }

    #[test]
    fn the_paths_of_the_runtimes() {
        check("/docker/<cid>", Some((CID, "docker", None)));
        check("/system.slice/docker-<cid>.scope", Some((CID, "docker", None)));
        check("/system.slice/docker-<cid>.scope/init.scope", Some((CID, "docker", None)));
        check("/libpod_parent/libpod-<cid>", Some((CID, "podman", None)));
        check("/libpod_parent/<other>/libpod-<cid>", Some((CID, "podman", None)));
        check("/machine.slice/libpod-<cid>.scope/container", Some((CID, "podman", None)));
        check("/machine.slice/machine-libpod_pod_<other>.slice/libpod-<cid>.scope", Some((CID, "podman", None)));
        check("/kubepods/besteffort/pod<uid>/<cid>", Some((CID, "", Some(UID))));
        check(
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod<uid_>.slice/cri-containerd-<cid>.scope",
            Some((CID, "containerd", Some(UID))),
        );
        check("/kubepods.slice/kubepods-pod<uid_>.slice/crio-<cid>.scope", Some((CID, "cri-o", Some(UID))));
        check("/system.slice/kubepods-besteffort-pod<uid_>.slice:cri-containerd:<cid>", Some((CID, "containerd", Some(UID))));
        check("/k8s.io/<cid>", Some((CID, "containerd", None)));
        check("/moby/<cid>", Some((CID, "docker", None)));
        check("/default/c1", Some(("c1", "containerd", None)));
        check("/docker/<other>/docker/<cid>", Some((CID, "docker", None)));
    }

    #[test]
    fn the_host_and_helpers_are_no_containers() {
        for path in ["", "/", "/init.scope", "/system.slice/ssh.service", "/user.slice/user-0.slice", "/default", "/default/a/b"] {
            check(path, None);
        }
        check("/machine.slice/libpod-conmon-<cid>.scope", None);
        check("/kubepods.slice/crio-conmon-<cid>.scope", None);
        check("/docker/<cid>0", None);
        check("/docker/g<cid>", None);
        check("/x/ABCDEF<cid>", None);
    }
}
