//! `connect`: the exit of connect; before that `cgroup/connect4` and `connect6` (since 4.17), which see the kernel's copy of the address.

use crate::{
    emit::{self, Work},
    sock,
    task::Task,
};
use aya_ebpf::{
    macros::{cgroup_sock_addr, kprobe, tracepoint},
    programs::{ProbeContext, SockAddrContext, TracePointContext},
};
use sensor_common::{
    EventKind, Tier,
    events::connect::Connect,
    header::header_flags,
    span::{Addr, RESULT_UNKNOWN, Sock},
};

const EINPROGRESS: i64 = 115;

/// The call has returned.
#[tracepoint]
pub fn connect_tp(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    let Some(call) = super::call(&ctx, task, EventKind::Connect) else { return 0 };
    let Some(w) = Work::tracepoint(EventKind::Connect) else { return 0 };
    let connect = w.begin::<Connect>(task, Tier::Tracepoint, 0);
    let user = sock::push_sockaddr(w.tail::<Connect>(), call.args[1], call.args[2] as u32 as u64, true);
    // SAFETY: from `begin`.
    unsafe {
        (*connect).result = call.ret as i32;
        sock::describe(&raw mut (*connect).sock, sock::of(task, call.args[0]), call.args[0]);
        (*connect).sock.user = user;
        if call.ret < 0 && call.ret != -EINPROGRESS {
            (*connect).sock.remote = Addr::default(); // half taken back by the kernel (port 0), or that of an earlier connect
        }
    }
    w.finish::<Connect, _>(&ctx);
    0
}

/// `security_socket_connect(struct socket *, struct sockaddr *address, int addrlen)`: the kernel's copy of the address, for every family.
#[kprobe]
pub fn connect_kprobe(ctx: ProbeContext) -> u32 {
    let (Some(socket), Some(addr), Some(len)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1), ctx.arg::<u64>(2)) else { return 0 };
    let task = Task::current();
    let Some(w) = Work::kprobe(EventKind::Connect) else { return 0 };
    let connect = w.begin::<Connect>(task, Tier::Kprobe, header_flags::BEGUN);
    let user = sock::push_sockaddr(w.tail::<Connect>(), addr, len as u32 as u64, false);
    // SAFETY: from `begin`.
    unsafe {
        (*connect).result = RESULT_UNKNOWN;
        sock::describe(&raw mut (*connect).sock, socket, u32::MAX as u64);
        (*connect).sock.user = user;
        (*connect).sock.remote = Addr::default();
    }
    w.finish::<Connect, _>(&ctx);
    0
}

/// IPv4, for the whole machine when attached to the root of the cgroup tree. Always lets the connection through.
#[cgroup_sock_addr(connect4)]
pub fn connect_cgroup4(ctx: SockAddrContext) -> i32 {
    let a = ctx.sock_addr;
    // SAFETY: fields of the program's context (uapi struct bpf_sock_addr), each read at its own width.
    let (ip, port, kind, protocol) = unsafe { ((*a).user_ip4, (*a).user_port, (*a).type_, (*a).protocol) };
    let mut remote = Addr { port: u16::from_be(port as u16), family: sock::AF_INET, ..Addr::default() };
    let ip = ip.to_ne_bytes();
    remote.ip[0] = ip[0];
    remote.ip[1] = ip[1];
    remote.ip[2] = ip[2];
    remote.ip[3] = ip[3];
    begun(remote, kind, protocol);
    1
}

/// IPv6.
#[cgroup_sock_addr(connect6)]
pub fn connect_cgroup6(ctx: SockAddrContext) -> i32 {
    let a = ctx.sock_addr;
    // SAFETY: as above.
    let (ip, port, kind, protocol) = unsafe {
        let ip = &raw const (*a).user_ip6;
        let ip = ip.cast::<u32>();
        (
            [ip.read_volatile(), ip.add(1).read_volatile(), ip.add(2).read_volatile(), ip.add(3).read_volatile()],
            (*a).user_port,
            (*a).type_,
            (*a).protocol,
        )
    };
    let mut remote = Addr { port: u16::from_be(port as u16), family: sock::AF_INET6, ..Addr::default() };
    let mut i = 0;
    while i < 4 {
        let w = ip[i].to_ne_bytes();
        remote.ip[i * 4] = w[0];
        remote.ip[i * 4 + 1] = w[1];
        remote.ip[i * 4 + 2] = w[2];
        remote.ip[i * 4 + 3] = w[3];
        i += 1;
    }
    begun(remote, kind, protocol);
    1
}

#[inline(always)]
fn begun(remote: Addr, kind: u32, protocol: u32) {
    let sock = Sock { remote, family: remote.family, kind: kind as u16, protocol: protocol as u16, fd: u32::MAX, ..Sock::default() };
    // Built in its ring: cgroup programs have no guard against a second run on the same CPU, so they may not use a work area.
    emit::fixed(Task::current(), Tier::Cgroup, header_flags::BEGUN, Connect { result: RESULT_UNKNOWN, pad: 0, sock });
}
