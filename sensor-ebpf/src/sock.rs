//! Sockets: from the kernel's `struct socket` and `struct sock` to a [`Sock`], and the caller's address into the tail.

use crate::{emit::Tail, kernel::o, path, read, task::Task};
use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};
use core::ffi::c_void;
use sensor_common::{
    offsets::ABSENT,
    span::{Addr, Sock, Span},
};

/// AF_INET
pub const AF_INET: u16 = 2;
/// AF_INET6
pub const AF_INET6: u16 = 10;

const S_IFMT: u16 = 0o170000;
const S_IFSOCK: u16 = 0o140000;

/// `struct socket` behind a descriptor, 0 if it is none.
#[inline(always)]
pub fn of(task: Task, fd: u64) -> u64 {
    let file = path::file_of(task, fd & 0xffff_ffff);
    if file == 0 {
        return 0;
    }
    let mode: u16 = read::kernel(read::ptr(file + o!(O_FILE_INODE)) + o!(O_INODE_MODE));
    if mode & S_IFMT != S_IFSOCK { 0 } else { read::ptr(file + o!(O_FILE_PRIVATE)) }
}

/// Both ends, family, type and protocol of a `struct socket` (0 for none), into a payload that is zero there.
///
/// # Safety
/// `s` points to a writable `Sock`.
#[inline(always)]
pub unsafe fn describe(s: *mut Sock, socket: u64, fd: u64) {
    // SAFETY: by the caller.
    let s = unsafe { &mut *s };
    s.fd = fd as u32;
    if socket == 0 {
        return;
    }
    let mut block = read::Socket::new();
    block.load(socket);
    s.kind = block.get(o!(O_SOCKET_TYPE));
    let sk: u64 = block.get(o!(O_SOCKET_SK));
    if sk == 0 {
        return;
    }
    let mut block = read::Sock::new();
    block.load(sk);
    let family: u16 = block.get(o!(O_SK_FAMILY));
    s.family = family;
    s.protocol = read::kernel(sk + o!(O_SK_PROTOCOL));
    if family == AF_INET {
        put4(&mut s.remote, block.get(o!(O_SK_DADDR)));
        put4(&mut s.local, block.get(o!(O_SK_RCV_SADDR)));
    } else if family == AF_INET6 && o!(O_SK_V6_DADDR) != ABSENT as u64 {
        s.remote.ip = block.get(o!(O_SK_V6_DADDR));
        s.local.ip = block.get(o!(O_SK_V6_RCV_SADDR));
    } else {
        return;
    }
    s.remote.family = family;
    s.local.family = family;
    s.remote.port = u16::from_be(block.get(o!(O_SK_DPORT)));
    s.local.port = block.get(o!(O_SK_NUM)); // host order in the kernel, too
}

#[inline(always)]
fn put4(a: &mut Addr, ip: [u8; 4]) {
    a.ip[0] = ip[0];
    a.ip[1] = ip[1];
    a.ip[2] = ip[2];
    a.ip[3] = ip[3];
}

/// Appends a `struct sockaddr` of `len` bytes (at most 127 are taken); `user` says in which memory it is.
#[inline(always)]
pub fn push_sockaddr((to, t): (u64, &mut Tail), addr: u64, len: u64, user: bool) -> Span {
    let at = mask!(get!(t.len), 16383);
    let len = if len > 127 { 127 } else { len };
    let n = mask!(len, 127);
    let to = (to + at) as *mut c_void;
    // SAFETY: the tail has 4096 bytes behind its largest length; the helpers check `addr`.
    let failed = unsafe {
        if user {
            bpf_probe_read_user(to, n as u32, addr as *const c_void)
        } else {
            bpf_probe_read_kernel(to, n as u32, addr as *const c_void)
        }
    } < 0;
    if failed || addr == 0 {
        return Span { off: at as u32, len: 0 };
    }
    set!(t.len, at + n);
    Span { off: at as u32, len: n as u32 }
}
