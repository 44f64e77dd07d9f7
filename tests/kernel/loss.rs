//! A ring that is too small: what was sent and what was lost add up to exactly what happened.

use sensor::{
    attach::{Options, attach},
    collect::{Losses, Source},
};
use sensor_common::{EventKind, RingClass, decode, stats::Reason};
use support::{Scratch, tid};

const OPENS: u64 = 500;

#[test]
fn an_overfull_ring_counts_every_record_that_it_could_not_take() {
    let _turn = support::watch();
    let page = 4096;
    let options = Options {
        ring_bytes: [(RingClass::Critical, 1 << 20), (RingClass::Network, page), (RingClass::File, page)],
        // One record per open: announcements would count as well.
        tiers: sensor_common::Tier::ALL.iter().copied().filter(|t| *t != sensor_common::Tier::Kprobe).collect(),
        typed: true,
    };
    let mut attached = attach(&options).expect("root on a kernel with BTF");
    let dir = Scratch::new("loss");
    let before = attached.counters();
    let mine = tid();
    for i in 0..OPENS {
        std::fs::write(dir.join(&format!("{i}")), "").expect("a new file");
    }
    let count = |counters: &[(EventKind, Reason, u64)], reason| {
        counters.iter().find(|(k, r, _)| *k == EventKind::Open && *r == reason).map_or(0, |c| c.2)
    };
    let after = attached.counters();
    let sent = count(&after, Reason::Sent) - count(&before, Reason::Sent);
    let lost = count(&after, Reason::RingFull) - count(&before, Reason::RingFull);
    let skipped = count(&after, Reason::Skipped) - count(&before, Reason::Skipped);
    let (mut drained, mut of_others) = (0, 0);
    let _ = attached.drain(&mut |raw| {
        let record = decode(raw).expect("records of our own probes");
        if record.header().kind == EventKind::Open as u16 {
            if record.header().task.tid == mine { drained += 1 } else { of_others += 1 }
        }
    });
    assert!(lost > 0, "a ring of one page does not hold {OPENS} records");
    // Others on this machine may open files, too; what they add is at most what their records and the sum say.
    assert!(sent + lost + skipped >= OPENS, "sent {sent} + lost {lost} + skipped {skipped} of {OPENS}");
    if std::env::var_os("SENSOR_GUEST").is_some() {
        assert_eq!(sent + lost + skipped, OPENS, "nobody else opens files in a guest");
        assert!(drained > 0);
        assert_eq!((drained, of_others), (sent, 0));
    }
    let reported: u64 = attached.losses().iter().filter(|(k, r, _)| *k == EventKind::Open && *r == Reason::RingFull).map(|l| l.2).sum();
    assert!(reported >= lost, "reported {reported}, lost {lost}");
    let again: u64 = attached.losses().iter().filter(|(k, r, _)| *k == EventKind::Open && *r == Reason::RingFull).map(|l| l.2).sum();
    assert_eq!(again, 0, "a loss is reported once");
}

#[test]
fn looking_for_losses_causes_none() {
    // While a task is in bpf(2) and interrupted there, the kernel skips programs on that CPU: a running sensor must not call it.
    let mut w = support::watch();
    let dir = Scratch::new("loss-bpf");
    let sent = |counters: &[(EventKind, Reason, u64)]| {
        counters.iter().find(|(k, r, _)| *k == EventKind::Open && *r == Reason::Sent).map_or(0, |c| c.2)
    };
    let attached = &mut w.attached;
    let before = sent(&attached.counters());
    std::thread::scope(|s| {
        s.spawn(|| {
            forbid_bpf();
            for i in 0..10 {
                std::fs::write(dir.join(&format!("{i}")), "").expect("a new file");
            }
            let _ = attached.losses();
            assert!(sent(&attached.counters()) >= before + 10);
            let (mut drained, mine) = (0, tid());
            let _ = attached.drain(&mut |raw| {
                let record = decode(raw).expect("records of our own probes");
                let header = record.header();
                drained += u32::from(header.kind == EventKind::Open as u16 && header.task.tid == mine);
            });
            assert!(drained >= 10, "{drained}");
        });
    });
}

/// From now on bpf(2) fails in this thread.
fn forbid_bpf() {
    let statement = |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).expect("BPF codes are small"), jt, jf, k };
    let filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0), // seccomp_data.nr
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::try_from(libc::SYS_bpf).expect("a number")),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | u32::try_from(libc::EPERM).expect("a number")),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_ptr().cast_mut() };
    // SAFETY: valid pointers; they concern this thread only.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
        assert_eq!((libc::syscall(libc::SYS_bpf, 0, 0, 0), support::result(-1_i64)), (-1, -i64::from(libc::EPERM)));
    }
}
