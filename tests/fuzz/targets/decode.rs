//! Any bytes through the decoder: it either refuses them or gives a record, and no slice of that record leaves its tail.
//!
//! What the sensor makes of a record is not looked at here.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sensor_common::{Path, Record, Span, Target, decode, span::Sock};

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    // Once more with a header that fits, so that the length does not have to be guessed for each payload.
    let mut bytes = bytes.to_vec();
    if let (Ok(len), Some(field)) = (u32::try_from(bytes.len()), bytes.get_mut(4..8)) {
        field.copy_from_slice(&len.to_le_bytes());
        check(&bytes);
    }
});

fn check(bytes: &[u8]) {
    let Ok(record) = decode(bytes) else { return };
    assert_eq!(usize::try_from(record.header().len), Ok(bytes.len()));
    match &record {
        Record::Exec(_, e, tail) => {
            target(&e.file, tail);
            path(&e.interpreter, tail);
            path(&e.cwd, tail);
            span(e.argv, tail);
        }
        Record::Connect(_, e, tail) => sock(&e.sock, tail),
        Record::Accept(_, e, tail) => sock(&e.sock, tail),
        Record::Bind(_, e, tail) => sock(&e.sock, tail),
        Record::Listen(_, e, tail) => sock(&e.sock, tail),
        Record::Open(_, e, tail) => target(&e.file, tail),
        Record::Unlink(_, e, tail) => target(&e.file, tail),
        Record::Chmod(_, e, tail) => target(&e.file, tail),
        Record::Chown(_, e, tail) => target(&e.file, tail),
        Record::Rename(_, e, tail) => {
            target(&e.old, tail);
            target(&e.new, tail);
        }
        Record::Link(_, e, tail) => {
            target(&e.old, tail);
            target(&e.new, tail);
        }
        Record::Symlink(_, e, tail) => {
            path(&e.text, tail);
            target(&e.link, tail);
        }
        Record::Cgroup(_, e, tail) => path(&e.path, tail),
        Record::Fork(..) | Record::Exit(..) | Record::Loss(..) => {}
    }
}

fn target(target: &Target, tail: &[u8]) {
    path(&target.kernel, tail);
    path(&target.user, tail);
    path(&target.base, tail);
}

fn sock(sock: &Sock, tail: &[u8]) {
    span(sock.user, tail);
}

fn path(path: &Path, tail: &[u8]) {
    span(path.span, tail);
}

fn span(span: Span, tail: &[u8]) {
    if let Some(slice) = span.get(tail) {
        assert_eq!(usize::try_from(span.len), Ok(slice.len()));
        assert!(tail.as_ptr_range().start <= slice.as_ptr() && slice.as_ptr_range().end <= tail.as_ptr_range().end);
    }
}
