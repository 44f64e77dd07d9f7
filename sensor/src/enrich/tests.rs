//! The process table's scenarios, with records made by hand.

use super::*;
use crate::{
    collect::{encode, encode::Tail},
    text::Text,
};
use sensor_common::{
    EventKind, Path, Span, Target,
    events::{exec::Exec, exit::Exit, fork::Fork, loss::Loss, open::Open},
    span::RESULT_UNKNOWN,
    stats::Reason,
};

type Id = (u32, u64);

/// pid 1, its session leader and the parent in most tests.
const INIT: Id = (1, 10);
const SHELL: Id = (100, 1000);

fn id((tgid, start_ns): Id) -> ProcessId {
    ProcessId { tgid, start_ns }
}

fn task(own: Id, parent: Id) -> Task {
    let mut comm = [0; 16];
    comm[..4].copy_from_slice(b"comm");
    Task {
        tgid: own.0,
        tid: own.0,
        start_ns: own.1,
        parent_tgid: parent.0,
        parent_start_ns: parent.1,
        login_uid: u32::MAX,
        session_id: u32::MAX,
        comm,
        ..Task::default()
    }
}

fn header(task: Task) -> Header {
    Header { time_ns: 5_000_000, tier: Tier::BtfTracepoint as u8, task, ..Header::default() }
}

fn feed(e: &mut Enricher, bytes: &[u8]) -> Event {
    e.event(&decode(bytes).unwrap()).expect("an event")
}

fn fork(e: &mut Enricher, parent: Task, child: Id, ns_pid: u32) -> Event {
    let wire = Fork { child_start_ns: child.1, child_tgid: child.0, child_ns_pid: ns_pid };
    feed(e, &encode(header(parent), &wire, &[]))
}

fn exec_bytes(by: Task, result: i32, path: &str) -> Vec<u8> {
    let mut tail = Tail::default();
    let kernel = Path { span: tail.push(path.as_bytes()), ..Path::default() };
    let argv = tail.push(format!("{path}\0-x\0").as_bytes());
    let wire = Exec { result, file: Target { kernel, ..Target::default() }, argv, argv_total: argv.len.into(), ..Exec::default() };
    encode(header(by), &wire, tail.bytes())
}

fn exec(e: &mut Enricher, by: Task, path: &str) -> Event {
    feed(e, &exec_bytes(by, 0, path))
}

fn exit(e: &mut Enricher, by: Task) -> Event {
    feed(e, &encode(header(by), &Exit::default(), &[]))
}

fn open(e: &mut Enricher, by: Task) -> Event {
    feed(e, &encode(header(by), &Open::default(), &[]))
}

fn image_of(p: &Process) -> Option<String> {
    p.image.as_ref().and_then(|i| i.executable.as_ref()).map(Text::to_string)
}

/// An enricher that knows init and a shell that init has started.
fn known() -> Enricher {
    let mut e = Enricher::replay(Limits::default());
    fork(&mut e, task(INIT, (0, 0)), SHELL, 100);
    exec(&mut e, task(SHELL, INIT), "/bin/sh");
    e
}

#[test]
fn a_child_inherits_and_an_exec_changes_the_image() {
    let mut e = known();
    let child = (200, 2000);
    let forked = fork(&mut e, task(SHELL, INIT), child, 200);
    let Body::Fork { child: c } = &forked.body else { panic!("no fork") };
    assert_eq!((c.id, c.parent, c.tree, image_of(c)), (id(child), id(SHELL), id(SHELL), Some("/bin/sh".into())));
    assert!(Arc::ptr_eq(c.image.as_ref().unwrap(), forked.process.image.as_ref().unwrap()), "images are shared");
    let event = exec(&mut e, task(child, SHELL), "/bin/id");
    assert_eq!(image_of(&event.process), Some("/bin/id".into()));
    assert_eq!(image_of(event.parent.as_ref().unwrap()), Some("/bin/sh".into()));
    assert_eq!(e.ancestors(id(child)).iter().map(|p| p.id).collect::<Vec<_>>(), [id(SHELL), id(INIT)]);
    assert_eq!(e.stats().from_header, 1, "init only");
}

#[test]
fn an_exec_that_failed_or_was_not_seen_to_end_changes_nothing() {
    let mut e = known();
    for result in [-2, RESULT_UNKNOWN] {
        let event = feed(&mut e, &exec_bytes(task(SHELL, INIT), result, "/bin/evil"));
        let Body::Exec { image, .. } = &event.body else { panic!("no exec") };
        assert_eq!(image.executable, Some("/bin/evil".into()));
        assert_eq!(image_of(&event.process), Some("/bin/sh".into()));
    }
}

#[test]
fn an_exec_in_a_thread_is_its_process_s() {
    let mut e = known();
    let by = Task { tid: 101, ..task(SHELL, INIT) };
    let event = exec(&mut e, by, "/bin/new");
    assert_eq!((event.tid, event.process.id, image_of(&event.process)), (101, id(SHELL), Some("/bin/new".into())));
    assert_eq!(e.processes(), (2, 0));
}

#[test]
fn a_double_fork_keeps_its_forker_and_its_tree() {
    let mut e = known();
    let (middle, daemon) = ((200, 2000), (201, 2001));
    fork(&mut e, task(SHELL, INIT), middle, 200);
    fork(&mut e, task(middle, SHELL), daemon, 201);
    exit(&mut e, task(middle, SHELL));
    // Orphaned: the kernel says that init is the parent now.
    let event = open(&mut e, task(daemon, INIT));
    assert_eq!((event.process.parent, event.process.tree), (id(middle), id(SHELL)));
    assert_eq!(event.parent.as_ref().unwrap().id, id(middle), "the dead are known for a while");
    assert_eq!(e.ancestors(id(daemon)).iter().map(|p| p.id).collect::<Vec<_>>(), [id(middle), id(SHELL), id(INIT)]);
    assert_eq!(e.processes(), (3, 1));
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let mut e = known();
    let (first, second) = ((200, 2000), (200, 9_000_000_000));
    fork(&mut e, task(SHELL, INIT), first, 200);
    exec(&mut e, task(first, SHELL), "/bin/first");
    // Its exit was lost.
    fork(&mut e, task(SHELL, INIT), second, 200);
    assert_eq!(image_of(&open(&mut e, task(second, SHELL)).process), Some("/bin/sh".into()));
    assert_eq!(image_of(&e.process(id(first)).unwrap()), Some("/bin/first".into()));
    assert_eq!(e.processes(), (3, 1));
    // A straggler of the first one neither wakes it nor replaces the second.
    assert_eq!(image_of(&open(&mut e, task(first, SHELL)).process), Some("/bin/first".into()));
    let late = encode(header(task(first, SHELL)), &Exit::default(), &[]);
    assert!(e.event(&decode(&late).unwrap()).is_none(), "it was taken for ended when its pid was used again");
    assert_eq!(e.processes(), (3, 1));
}

#[test]
fn without_a_fork_the_header_makes_the_process() {
    let mut e = known();
    let event = open(&mut e, task((300, 3000), SHELL));
    assert_eq!((event.process.parent, event.process.tree, image_of(&event.process)), (id(SHELL), id(SHELL), None));
    // The fork comes late: the image is known now.
    fork(&mut e, task(SHELL, INIT), (300, 3000), 300);
    assert_eq!(image_of(&open(&mut e, task((300, 3000), SHELL)).process), Some("/bin/sh".into()));
    let stranger = open(&mut e, task((400, 4000), (399, 3999)));
    assert_eq!((stranger.process.tree, stranger.parent.is_none()), (id((400, 4000)), true));
    assert!(e.ancestors(id((400, 4000))).is_empty() && e.ancestors(id((5, 5))).is_empty());
}

#[test]
fn trees_begin_below_pid_1_at_a_login_and_at_a_container() {
    let mut e = known();
    let shell = task(SHELL, INIT);
    // pid 1 of a new namespace is in its parent's tree; its children are not.
    let (ns_init, ns_child) = ((200, 2000), (201, 2001));
    fork(&mut e, shell, ns_init, 1);
    fork(&mut e, task(ns_init, SHELL), ns_child, 2);
    assert_eq!(e.process(id(ns_init)).unwrap().tree, id(SHELL));
    assert_eq!(e.process(id(ns_child)).unwrap().tree, id(ns_child));
    // A login changes the session of a process that exists.
    let session = (300, 3000);
    fork(&mut e, shell, session, 300);
    assert_eq!(open(&mut e, task(session, SHELL)).process.tree, id(SHELL));
    let logged_in = Task { session_id: 7, login_uid: 1000, ..task(session, SHELL) };
    let event = open(&mut e, logged_in);
    assert_eq!((event.process.tree, event.process.credentials.login_uid), (id(session), Some(1000)));
    fork(&mut e, logged_in, (301, 3001), 301);
    assert_eq!(e.process(id((301, 3001))).unwrap().tree, id(session));
    // Another cgroup of the same container is no new tree; entering the container is.
    let cid = "a".repeat(64);
    for (cgroup, path) in [(7, "/system.slice".into()), (8, format!("/docker/{cid}")), (9, format!("/docker/{cid}/init.scope"))] {
        e.learn(Context::Cgroup { id: cgroup, path: String::into_bytes(path) });
    }
    let (runc, inside) = ((400, 4000), (401, 4001));
    let on_host = Task { cgroup_id: 7, ..shell };
    fork(&mut e, on_host, runc, 400);
    let entered = open(&mut e, Task { cgroup_id: 8, ..task(runc, SHELL) });
    assert_eq!((entered.process.tree, entered.process.container.as_ref().unwrap().runtime), (id(runc), "docker"));
    assert_eq!(entered.process.cgroup, Some(format!("/docker/{cid}").into()));
    fork(&mut e, Task { cgroup_id: 8, ..task(runc, SHELL) }, inside, 401);
    let event = open(&mut e, Task { cgroup_id: 9, ..task(inside, runc) });
    assert_eq!((event.process.tree, event.process.container.as_ref().unwrap().id.to_string()), (id(runc), cid));
}

#[test]
fn credentials_are_those_of_the_moment() {
    let mut e = known();
    e.learn(Context::User { uid: 1000, name: b"ann".to_vec() });
    let before = open(&mut e, task(SHELL, INIT));
    let after = open(&mut e, Task { uid: 1000, euid: 0, cap_effective: 5, ..task(SHELL, INIT) });
    assert_eq!((before.process.credentials.uid, after.process.credentials.uid), (0, 1000));
    assert_eq!((after.process.user_name.clone(), after.process.credentials.cap_effective), (Some("ann".into()), 5));
    let again = open(&mut e, Task { tid: 9, uid: 1000, euid: 0, cap_effective: 5, ..task(SHELL, INIT) });
    assert!(Arc::ptr_eq(&after.process, &again.process), "nothing changed: the same value");
}

#[test]
fn a_seeded_process_takes_the_kernels_exact_start_time() {
    let mut e = Enricher::replay(Limits::default());
    let tick = procfs::TICK_NS;
    let seed = |own: Id, parent: Id, path: &str| Context::Process { ns_init: own.0 == 1, record: exec_bytes(task(own, parent), 0, path) };
    e.learn(seed((1, 0), (0, 0), "/sbin/init"));
    e.learn(seed((100, 5 * tick), (1, 0), "/bin/sh"));
    e.learn(seed((200, 6 * tick), (100, 5 * tick), "/bin/cat"));
    let (shell, cat) = ((100, 5 * tick + 7), (200, 6 * tick + 9));
    let event = open(&mut e, task(cat, shell));
    assert!(event.process.image.as_ref().unwrap().seeded);
    assert_eq!((event.process.id, event.process.tree), (id(cat), id((100, 5 * tick))), "the parent's exact time is not known yet");
    // The parent acts: from now on everybody names it exactly.
    assert_eq!(open(&mut e, task(shell, (1, 3))).process.tree, id(shell));
    let event = open(&mut e, task(cat, shell));
    assert_eq!((event.process.parent, event.process.tree), (id(shell), id(shell)));
    assert_eq!(image_of(event.parent.as_ref().unwrap()), Some("/bin/sh".into()));
    assert_eq!(e.process(id((100, 5 * tick))).unwrap().id, id(shell), "also by its old name");
    assert_eq!((e.processes(), e.stats().from_header), ((3, 0), 0));
    // Another process with that pid is not mistaken for it.
    assert_eq!(image_of(&open(&mut e, task((200, 9 * tick), shell)).process), None);
}

#[test]
fn a_seed_does_not_undo_what_the_kernel_told() {
    let mut e = known();
    e.learn(Context::Process { ns_init: false, record: exec_bytes(task((100, 0), INIT), 0, "/bin/old") });
    assert_eq!(image_of(&open(&mut e, task(SHELL, INIT)).process), Some("/bin/sh".into()));
    assert_eq!(e.processes(), (2, 0));
    e.learn(Context::Process { ns_init: false, record: b"garbage".to_vec() });
    assert_eq!(e.stats().malformed, 1);
}

#[test]
fn a_fork_chain_of_a_hundred_thousand_is_walked_without_recursion_and_bounded() {
    let mut e = known();
    let mut parent = SHELL;
    for n in 0..100_000_u32 {
        let child = (1000 + n, 10_000 + u64::from(n));
        fork(&mut e, task(parent, INIT), child, 1000 + n);
        parent = child;
    }
    let ancestors = e.ancestors(id(parent));
    assert_eq!((ancestors.len(), ancestors[0].id.tgid), (MAX_ANCESTORS, parent.0 - 1));
    assert_eq!(e.process(id(parent)).unwrap().tree, id(SHELL), "the tree is inherited, not searched for");
    assert_eq!(e.processes().0, Limits::default().live);
    assert_eq!(e.stats().table.live_evicted, 100_002 - 65_536);
}

#[test]
fn a_million_processes_stay_within_the_limits() {
    let limits = Limits { live: 5000, dead: 500, image_bytes: 1 << 20 };
    let mut e = Enricher::replay(limits);
    for n in 0..1_000_000_u32 {
        let own = (n + 2, u64::from(n) + 10);
        open(&mut e, task(own, INIT));
        if n % 2 == 0 {
            exit(&mut e, task(own, INIT));
        }
        let (live, dead) = e.processes();
        assert!(live <= 5000 && dead <= 500);
    }
    assert_eq!(e.processes(), (5000, 500));
    assert_eq!((e.stats().table.live_evicted, e.stats().table.dead_evicted), (495_000, 499_500));
}

#[test]
fn images_do_not_outgrow_their_room() {
    let limits = Limits { live: 2000, dead: 500, image_bytes: 1 << 20 };
    let mut e = Enricher::replay(limits);
    let long = format!("/{}", "x".repeat(4000));
    for n in 0..3000_u32 {
        exec(&mut e, task((n + 2, 10), INIT), &format!("{long}{n}"));
        assert!(e.table.image_bytes() <= 3 << 20, "{}", e.table.image_bytes());
    }
    assert!(e.stats().table.images_trimmed > 1000);
    // Room comes back with the processes that go.
    for n in 0..3000_u32 {
        exit(&mut e, task((n + 2, 10), INIT));
    }
    for n in 0..600_u32 {
        open(&mut e, task((n + 10_000, 10), INIT));
        exit(&mut e, task((n + 10_000, 10), INIT));
    }
    assert_eq!(e.table.image_bytes(), 0);
}

#[test]
fn loss_reports_pass_and_damaged_records_are_counted() {
    let mut e = known();
    let event = feed(&mut e, &encode::loss(1, task(SHELL, INIT), EventKind::Open, Reason::RingFull, 12));
    assert!(matches!(event.body, Body::Loss { kind: EventKind::Open, reason: Reason::RingFull, count: 12 }));
    let mut bad = Open::default();
    bad.file.user.span = Span { off: 9, len: 9 };
    let bytes =
        [encode(header(task(SHELL, INIT)), &bad, &[]), encode(header(task(SHELL, INIT)), &Loss { kind: 999, ..Loss::default() }, &[])];
    for bytes in bytes {
        assert!(e.event(&decode(&bytes).unwrap()).is_none());
    }
    assert_eq!(e.stats().malformed, 2);
}

#[test]
fn a_live_one_knows_this_process_and_its_ancestors() {
    let mut e = Enricher::live(Limits::default());
    e.seed_from_proc();
    let own = own_task();
    let event = open(&mut e, own);
    assert_eq!(image_of(&event.process), Some(std::env::current_exe().unwrap().display().to_string()));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i128;
    assert!(i128::from(event.wall_ns) < now && e.offset_ns > 0);
    if own.parent_tgid != 0 {
        assert_eq!(e.ancestors(event.process.id)[0].id.tgid, own.parent_tgid);
    }
    assert_eq!(e.stats().from_header, 0);
}

#[test]
fn a_live_one_asks_proc_once_for_a_process_that_it_does_not_know() {
    let mut e = Enricher::live(Limits::default());
    let event = open(&mut e, own_task());
    assert_eq!(image_of(&event.process), Some(std::env::current_exe().unwrap().display().to_string()));
    assert!(e.stats().from_proc >= 1);
    let asked = e.stats().from_proc;
    open(&mut e, own_task());
    assert_eq!(e.stats().from_proc, asked);
}

#[test]
fn a_process_ends_once() {
    let mut e = known();
    exit(&mut e, task(SHELL, INIT));
    let again = encode(header(task(SHELL, INIT)), &Exit::default(), &[]);
    let record = decode(&again).expect("just encoded");
    assert!(e.event(&record).is_none());
    assert_eq!((e.stats().repeated_exits, e.stats().malformed), (1, 0));
}
