//! Order and joins with records made by hand.

use super::*;
use crate::collect::{encode, encode::Tail};
use sensor_common::{
    Path, Span, Target, Task, Tier,
    events::{connect::Connect, exit::Exit, fork::Fork, open::Open, rename::Rename},
    span::{Addr, RESULT_UNKNOWN, Sock},
};

const MS: u64 = 1_000_000;

fn header(time_ns: u64, tid: u32, flags: u8) -> Header {
    let tier = if flags & header_flags::BEGUN != 0 { Tier::Kprobe } else { Tier::Tracepoint };
    Header { time_ns, flags, tier: tier as u8, task: Task { tid, ..Task::default() }, ..Header::default() }
}

fn exit(time_ns: u64) -> Vec<u8> {
    encode(header(time_ns, 1, 0), &Exit::default(), &[])
}

fn open(time_ns: u64, tid: u32, flags: u8, result: i32, inode: u64, kernel: &[u8], user: &[u8]) -> Vec<u8> {
    let mut tail = Tail::default();
    let path = |span: Span| Path { span, ..Path::default() };
    let file = Target { kernel: path(tail.push(kernel)), user: path(tail.push(user)), ..Target::default() };
    encode(header(time_ns, tid, flags), &Open { result, inode, file, ..Open::default() }, tail.bytes())
}

fn begun(time_ns: u64, tid: u32, inode: u64, kernel: &[u8]) -> Vec<u8> {
    open(time_ns, tid, header_flags::BEGUN, RESULT_UNKNOWN, inode, kernel, b"")
}

/// Time, result, kernel path, user path of the opens released; result 0 for other kinds.
type Seen = Vec<(u64, i32, Vec<u8>, Vec<u8>)>;

fn see(out: &mut Seen, record: Record<'_>) {
    let time = record.header().time_ns;
    match record {
        Record::Open(_, o, tail) => {
            let bytes = |p: Path| p.span.get(tail).unwrap().to_vec();
            out.push((time, o.result, bytes(o.file.kernel), bytes(o.file.user)));
        }
        _ => out.push((time, 0, Vec::new(), Vec::new())),
    }
}

fn release(c: &mut Collector, now_ns: u64) -> Seen {
    let mut out = Vec::new();
    c.release(now_ns, &mut |r| see(&mut out, r));
    out
}

fn times(seen: &Seen) -> Vec<u64> {
    seen.iter().map(|s| s.0).collect()
}

fn collector() -> Collector {
    Collector::new(Options { window_ns: 10, ..Options::default() })
}

#[test]
fn records_come_in_order_of_time_once_they_are_old_enough() {
    let mut c = collector();
    for t in [5, 3, 9, 3, 20] {
        c.push(&exit(t));
    }
    assert_eq!(times(&release(&mut c, 12)), Vec::<u64>::new());
    assert_eq!(times(&release(&mut c, 15)), [3, 3, 5]);
    c.push(&exit(7));
    assert_eq!(times(&release(&mut c, 30)), [7, 9, 20]);
    assert_eq!((c.stats().received, c.stats().released, c.stats().late), (6, 6, 0));
    assert_eq!(c.waiting(), (0, 0));
}

#[test]
fn records_of_one_time_stay_in_the_order_in_which_they_came() {
    let mut c = collector();
    for result in 1..=3 {
        c.push(&open(5, 1, 0, result, 0, b"", b""));
    }
    c.push(&exit(4));
    assert_eq!(release(&mut c, 100).iter().map(|s| s.1).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_late_record_is_counted_and_handed_on() {
    let mut c = collector();
    c.push(&exit(50));
    assert_eq!(times(&release(&mut c, 60)), [50]);
    c.push(&exit(40));
    c.push(&exit(50));
    assert_eq!(times(&release(&mut c, 60)), [40, 50]);
    assert_eq!(c.stats().late, 1);
}

#[test]
fn a_begun_record_gives_the_path_and_the_result_record_the_rest() {
    let mut c = collector();
    c.push(&begun(5, 7, 0, b"/etc/shadow"));
    c.push(&exit(6));
    c.push(&open(8, 7, 0, -13, 0, b"", b"../etc/shadow"));
    let seen = release(&mut c, 100);
    assert_eq!(times(&seen), [6, 8]);
    assert_eq!(seen[1], (8, -13, b"/etc/shadow".to_vec(), b"../etc/shadow".to_vec()));
    assert_eq!((c.stats().joined, c.stats().unjoined), (1, 0));
    assert_eq!(c.waiting(), (0, 0));
}

#[test]
fn the_joined_record_says_so_and_names_the_better_tier() {
    let mut c = collector();
    c.push(&begun(5, 7, 0, b"/a"));
    c.push(&open(8, 7, 0, 3, 0, b"", b""));
    let mut header = None;
    c.flush(&mut |r| header = Some(*r.header()));
    let header = header.unwrap();
    assert_eq!((header.flags, header.tier), (header_flags::JOINED, Tier::Kprobe as u8));
}

#[test]
fn another_thread_and_another_kind_do_not_join() {
    let mut c = collector();
    c.push(&begun(5, 7, 0, b"/a"));
    c.push(&open(6, 8, 0, 3, 0, b"", b"/b"));
    c.push(&encode(header(7, 7, 0), &Rename::default(), &[]));
    assert_eq!(times(&release(&mut c, 100)), [6, 7]);
    assert_eq!(times(&release(&mut c, 5 + 500 * MS)), [5]);
    assert_eq!((c.stats().joined, c.stats().unjoined, c.stats().late), (0, 1, 0));
}

#[test]
fn a_result_after_the_time_for_it_stands_alone() {
    let mut c = collector();
    c.push(&begun(5, 7, 0, b"/a"));
    c.push(&open(6 + 500 * MS, 7, 0, 3, 0, b"", b"/a"));
    let seen = release(&mut c, u64::MAX);
    assert_eq!(seen.iter().map(|s| (s.0, s.1)).collect::<Vec<_>>(), [(5, RESULT_UNKNOWN), (6 + 500 * MS, 3)]);
    assert_eq!((c.stats().joined, c.stats().unjoined), (0, 1));
}

#[test]
fn of_two_opens_in_one_call_the_one_of_the_same_file_is_joined() {
    let mut c = collector();
    c.push(&begun(5, 7, 11, b"/overlay/x"));
    c.push(&begun(6, 7, 22, b"/lower/x"));
    c.push(&open(8, 7, 0, 3, 11, b"", b"x"));
    let seen = release(&mut c, 100);
    assert_eq!(seen[0], (6, RESULT_UNKNOWN, b"/lower/x".to_vec(), Vec::new()));
    assert_eq!(seen[1], (8, 3, b"/overlay/x".to_vec(), b"x".to_vec()));
    assert_eq!((c.stats().joined, c.stats().unjoined), (1, 1));
}

#[test]
fn the_kernels_copy_of_a_socket_address_wins() {
    let addr = |port| Addr { ip: [10; 16], port, family: 2, pad: 0 };
    let connect = |time, flags, remote, user: &[u8]| {
        let mut tail = Tail::default();
        let sock = Sock { remote, user: tail.push(user), fd: 3, ..Sock::default() };
        encode(header(time, 7, flags), &Connect { result: -111, pad: 0, sock }, tail.bytes())
    };
    let mut c = collector();
    c.push(&connect(1, header_flags::BEGUN, addr(80), b"kernel"));
    c.push(&connect(2, 0, Addr::default(), b"forged"));
    let mut seen = None;
    c.flush(&mut |r| {
        let Record::Connect(_, p, tail) = r else { panic!("no connect") };
        seen = Some((p.result, p.sock.remote.port, p.sock.fd, p.sock.user.get(tail).unwrap().to_vec()));
    });
    assert_eq!(seen, Some((-111, 80, 3, b"kernel".to_vec())));
}

#[test]
fn damaged_bytes_are_counted_by_what_they_claim_to_be() {
    let mut c = collector();
    let whole = exit(1);
    for n in 0..whole.len() {
        c.push(&whole[..n]);
    }
    let mut unknown = whole.clone();
    unknown[0] = 0xee;
    c.push(&unknown);
    let mut short = encode(header(1, 1, 0), &Fork::default(), &[]);
    short.truncate(size_of::<Header>() + 3);
    short[4..8].copy_from_slice(&(size_of::<Header>() as u32 + 3).to_ne_bytes());
    c.push(&short);
    assert_eq!(times(&release(&mut c, 100)), Vec::<u64>::new());
    let n = whole.len() as u64;
    assert_eq!(c.stats().malformed, BTreeMap::from([(EventKind::Loss, 3), (EventKind::Exit, n - 2), (EventKind::Fork, 1)]));
    assert_eq!(c.waiting(), (0, 0));
}

#[test]
fn a_begun_record_with_a_damaged_span_loses_only_that_part() {
    let mut c = collector();
    let mut bad = Open { result: RESULT_UNKNOWN, inode: 9, ..Open::default() };
    bad.file.kernel.span = Span { off: 5, len: 500 };
    c.push(&encode(header(1, 7, header_flags::BEGUN), &bad, b"x"));
    c.push(&open(2, 7, 0, 3, 0, b"", b"/u"));
    assert_eq!(release(&mut c, 100), [(2, 3, Vec::new(), b"/u".to_vec())]);
}

#[test]
fn a_flood_of_begun_records_is_bounded_and_nothing_is_thrown_away() {
    let options = Options { window_ns: 10, max_begun: 1000, max_begun_per_thread: 4, max_bytes: 100_000, ..Options::default() };
    let mut c = Collector::new(options);
    let mut released = 0;
    let record_bytes = begun(0, 0, 0, b"/a").len();
    for n in 0..200_000_u64 {
        c.push(&begun(n, (n % 50_000) as u32, 0, b"/a"));
        if n % 100 == 99 {
            released += release(&mut c, n).len();
            let (count, bytes) = c.waiting();
            assert!(count <= 1000 + 100 && bytes <= 100_000 + 1000 * record_bytes, "{count} records, {bytes} bytes");
            assert!(c.begun_queue.len() <= 2001);
        }
    }
    c.flush(&mut |_| released += 1);
    assert_eq!((released, c.stats().unjoined, c.waiting()), (200_000, 200_000, (0, 0)));
    assert_eq!(c.stats().begun_evicted, 199_000);
}

#[test]
fn one_thread_that_never_ends_anything_holds_four_records() {
    let mut c = collector();
    for n in 0..1000 {
        c.push(&begun(n, 7, 0, b"/a"));
    }
    assert_eq!(c.begun_count, 4);
    assert_eq!(release(&mut c, 1000).len(), 991, "times 0 to 990; the last four, from 996 on, wait for a result");
}

#[test]
fn joins_do_not_let_the_queue_grow() {
    let mut c = Collector::new(Options { window_ns: 10, max_begun: 100, ..Options::default() });
    c.push(&begun(0, 1, 0, b"/long"));
    for n in 1..100_000 {
        c.push(&begun(n, 7, 0, b"/a"));
        c.push(&open(n, 7, 0, 3, 0, b"", b""));
        release(&mut c, n);
    }
    assert!(c.begun_queue.len() <= 201, "{}", c.begun_queue.len());
    assert_eq!((c.stats().joined, c.begun_count), (99_999, 1));
}

#[test]
fn too_many_bytes_are_released_before_their_time() {
    let size = exit(0).len();
    let mut c = Collector::new(Options { window_ns: 1000, max_bytes: 3 * size, ..Options::default() });
    for t in 0..10 {
        c.push(&exit(t));
    }
    assert_eq!(times(&release(&mut c, 10)), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!((c.stats().forced, c.waiting()), (7, (3, 3 * size)));
}

#[test]
fn what_a_burst_took_is_given_back() {
    let mut c = collector();
    let taken = |c: &Collector| c.blocks.capacity() + c.held.capacity() * size_of::<Held>();
    for t in 0..100_000 {
        c.push(&open(t, 1, 0, 0, 0, b"", b"/etc/passwd"));
    }
    let most = taken(&c);
    assert_eq!(release(&mut c, 200_000).len(), 100_000);
    (0..100).for_each(|_| drop(release(&mut c, 200_000)));
    assert!(most > 20 << 20 && taken(&c) < 512 << 10, "{most} bytes, then {}", taken(&c));
}

#[test]
fn records_that_never_come_due_do_not_pin_the_memory_of_those_between_them() {
    // Only a damaged or hostile recording has such times. Each of the late ones stands among 128 KiB of others.
    let mut c = Collector::new(Options { max_bytes: 1 << 20, ..Options::default() });
    let (name, mut most) = (vec![b'x'; 4000], 0);
    for n in 0..1000 {
        c.push(&open(u64::MAX, 1, 0, 0, n, b"", b"/late"));
        for _ in 0..32 {
            c.push(&open(1, 1, 0, 0, 0, b"", &name));
        }
        release(&mut c, 100_000_000);
        most = most.max(c.blocks.capacity());
    }
    assert!(most <= 4 << 20, "{most} bytes for {:?}", c.waiting());
    assert!(c.stats().forced > 0);
}
