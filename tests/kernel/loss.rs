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
