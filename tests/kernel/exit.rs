//! `exit`: exit codes and signals, once per process.

use sensor::events::Body;
use sensor_common::EventKind;
use std::process::Command;
use support::watch;

fn end_of(action: impl FnOnce()) -> (Option<u8>, Option<u8>) {
    let event = watch().one(EventKind::Exit, action);
    let Body::Exit { code, signal } = &event.body else { unreachable!() };
    (*code, *signal)
}

#[test]
fn the_exit_code_is_told() {
    assert_eq!(end_of(|| assert!(!Command::new("/bin/sh").args(["-c", "exit 7"]).status().expect("a shell").success())), (Some(7), None));
}

#[test]
fn the_signal_that_ended_a_process_is_told() {
    assert_eq!(
        end_of(|| assert!(!Command::new("/bin/sh").args(["-c", "kill -9 $$"]).status().expect("a shell").success())),
        (None, Some(9))
    );
}

#[test]
fn a_process_with_threads_ends_once() {
    let mut w = watch();
    let events = w.events(EventKind::Exit, || {
        // SAFETY: the child makes threads by a raw clone of an idle loop only through std; it ends by exit_group with code 3.
        unsafe {
            let pid = libc::fork();
            if pid == 0 {
                let _a = std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(60)));
                libc::_exit(3);
            }
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
    });
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(matches!(events[0].body, Body::Exit { code: Some(3), signal: None }), "{events:?}");
}
