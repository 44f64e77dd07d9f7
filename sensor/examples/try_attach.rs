//! scratch
use sensor::{attach, collect::Source};
fn main() {
    if std::env::args().nth(1).as_deref() == Some("doctor") {
        println!("{}", attach::doctor::doctor(&attach::Options::default()).unwrap().text());
        return;
    }
    if std::env::args().nth(1).as_deref() == Some("--version") {
        return;
    }
    let t = std::time::Instant::now();
    let mut a = attach::attach(&attach::Options::default()).unwrap_or_else(|e| {
        println!("ERR {e}");
        std::process::exit(1)
    });
    println!("attached in {:?}", t.elapsed());
    for v in a.verdicts() {
        println!("{:16} {:?} {:?}", v.slot.name, v.tier.map(|t| t.as_str()), v.failures)
    }
    a.set_read_names([(&b"shadow"[..], true)]).unwrap();
    let only: Option<u32> = std::env::args().nth(1).and_then(|s| s.parse().ok());
    for _ in 0..40 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        a.drain(&mut |r| match sensor_common::decode(r) {
            Ok(rec) => {
                if only.is_none_or(|o| rec.header().task.parent_tgid == o || rec.header().task.tgid == o) {
                    let s: String = r[136..].iter().map(|b| if (32..127).contains(b) { *b as char } else { '.' }).collect();
                    let h = rec.header();
                    println!(
                        "{} tier {} fl {} {} {} uid {} cg {} ns {} {} login {} {}: {}",
                        sensor_common::EventKind::from_wire(h.kind).unwrap().as_str(),
                        h.tier,
                        h.flags,
                        h.task.tgid,
                        h.task.parent_tgid,
                        h.task.uid,
                        h.task.cgroup_id,
                        h.task.pid_ns,
                        h.task.mnt_ns,
                        h.task.login_uid,
                        String::from_utf8_lossy(&h.task.comm),
                        s
                    );
                }
            }
            Err(e) => println!("BAD {e}"),
        })
        .unwrap();
    }
    for c in a.counters() {
        println!("{c:?}")
    }
}
