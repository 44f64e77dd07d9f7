//! `fork`: processes, not threads.

use sensor::events::Body;
use sensor_common::EventKind;
use support::watch;

#[test]
fn a_new_process_is_told_by_its_parent() {
    let mut w = watch();
    let mut child = 0;
    let event = w.one(EventKind::Fork, || {
        // SAFETY: the child ends at once.
        unsafe {
            child = libc::fork();
            if child == 0 {
                libc::_exit(0);
            }
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
    });
    let Body::Fork { child: process } = &event.body else { unreachable!() };
    assert_eq!((event.process.id.tgid, i64::from(process.id.tgid)), (std::process::id(), i64::from(child)));
    assert_eq!(process.parent, event.process.id);
    assert!(process.id.start_ns > event.process.id.start_ns && process.id.start_ns <= event.time_ns);
    assert_eq!(process.tree, event.process.tree);
}

#[test]
fn a_new_thread_is_no_new_process() {
    let mut w = watch();
    let events = w.events(EventKind::Fork, || std::thread::spawn(|| ()).join().expect("an empty thread"));
    assert!(events.is_empty(), "{events:?}");
}
