//! Round trips, and what damage does.

use super::{format::Host, *};
use crate::{
    collect::{Losses, Progress, Source, encode},
    enrich::snapshot::Context,
};
use sensor_common::{Header, Tier, events::exit::Exit};
use std::io::{self, Write};

/// Memory that is full after so many bytes.
#[derive(Default)]
struct Disk {
    bytes: Vec<u8>,
    room: Option<usize>,
}

impl Write for &mut Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room.map_or(bytes.len(), |room| room - self.bytes.len()).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.bytes.extend_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for &mut Disk {
    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.bytes.truncate(len as usize);
        Ok(())
    }
}

fn host() -> Host {
    Host { kernel: "6.1".into(), byte_order: format::byte_order().into(), ..Host::default() }
}

fn record(n: u64) -> Vec<u8> {
    encode(Header { time_ns: n, tier: Tier::BtfTracepoint as u8, ..Header::default() }, &Exit { status: 0, pad: 0 }, &[])
}

fn context() -> Vec<Context> {
    vec![
        Context::Clock { offset_ns: -5 },
        Context::User { uid: 1000, name: b"ann\xff".to_vec() },
        Context::Cgroup { id: 7, path: b"/a".to_vec() },
        Context::Process { ns_init: true, record: record(0) },
    ]
}

fn write(disk: &mut Disk, records: u64) -> Result<(u64, u64), WriteError> {
    let mut writer = Writer::new(disk, &host(), &context())?;
    for n in 0..records {
        writer.record(&record(n))?;
        if n % 3 == 2 {
            writer.flush(n)?;
        }
        if n == 4 {
            writer.context(&[Context::Clock { offset_ns: 9 }])?;
        }
    }
    writer.finish()
}

fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<Context>, Result<(), String>) {
    let (mut records, mut context) = (Vec::new(), Vec::new());
    let mut reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(e) => return (records, context, Err(e.to_string())),
    };
    loop {
        context.extend(reader.context());
        match reader.drain(&mut |r| records.push(r.to_vec())) {
            Ok(Progress::Open) => {}
            Ok(Progress::End) => return (records, context, Ok(())),
            Err(e) => return (records, context, Err(e.to_string())),
        }
    }
}

#[test]
fn what_is_written_is_read() {
    let mut disk = Disk::default();
    let (count, bytes) = write(&mut disk, 8).unwrap();
    assert_eq!((count, bytes), (8, disk.bytes.len() as u64));
    let (records, read_context, end) = read(&disk.bytes);
    assert_eq!(end, Ok(()));
    assert_eq!(records, (0..8).map(record).collect::<Vec<_>>());
    assert_eq!(read_context, [context(), vec![Context::Clock { offset_ns: 9 }]].concat());
    assert_eq!(Reader::new(disk.bytes.as_slice()).unwrap().host(), &host());
}

#[test]
fn cut_off_at_any_byte_the_good_records_come_and_then_an_error() {
    let mut disk = Disk::default();
    write(&mut disk, 8).unwrap();
    let mut best = 0;
    for length in 0..disk.bytes.len() {
        let (records, _, end) = read(&disk.bytes[..length]);
        let error = end.expect_err("a part of a recording was taken for a whole one");
        assert!(records.iter().enumerate().all(|(n, r)| *r == record(n as u64)));
        assert!(length < 16 || error.contains(" at byte "), "{length}: {error}");
        assert!(records.is_empty() || error.contains(&format!("{} records", records.len())), "{length}: {error}");
        best = best.max(records.len());
    }
    assert_eq!(best, 8);
}

#[test]
fn one_look_at_the_rings_is_one_drain_however_many_frames_it_took() {
    let mut disk = Disk::default();
    let mut writer = Writer::new(&mut disk, &host(), &[]).unwrap();
    for n in 0..5000 {
        writer.record(&record(n)).unwrap();
    }
    writer.context(&[Context::Clock { offset_ns: 1 }]).unwrap();
    writer.flush(77).unwrap();
    writer.record(&record(5000)).unwrap();
    writer.flush(88).unwrap();
    writer.finish().unwrap();
    let mut reader = Reader::new(disk.bytes.as_slice()).unwrap();
    let mut drain = || {
        let mut n = 0;
        let progress = reader.drain(&mut |_| n += 1).unwrap();
        (n, progress, reader.drained_ns())
    };
    assert_eq!(drain(), (5000, Progress::Open, Some(77)));
    assert_eq!(drain(), (1, Progress::Open, Some(88)));
    assert_eq!(drain(), (0, Progress::End, Some(88)));
}

#[test]
fn any_flipped_bit_is_found() {
    let mut disk = Disk::default();
    write(&mut disk, 5).unwrap();
    for at in 0..disk.bytes.len() * 8 {
        let mut bytes = disk.bytes.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        let (records, _, end) = read(&bytes);
        assert!(end.is_err(), "bit {at}");
        assert!(records.iter().enumerate().all(|(n, r)| *r == record(n as u64)));
    }
}

#[test]
fn other_versions_and_other_files_are_named() {
    let mut disk = Disk::default();
    write(&mut disk, 1).unwrap();
    assert!(matches!(Reader::new(&b"#!/bin/sh\nexit 0\n\n\n"[..]), Err(RecordingError::NotARecording)));
    assert!(matches!(Reader::new(&b""[..]), Err(RecordingError::NotARecording)));
    disk.bytes[8] = 9;
    let error = Reader::new(disk.bytes.as_slice()).unwrap_err().to_string();
    assert_eq!(error, "the recording has format version 9, this sensor reads 1; replay it with the sensor that recorded it");
}

#[test]
fn something_behind_the_end_mark_is_damage() {
    let mut disk = Disk::default();
    write(&mut disk, 1).unwrap();
    disk.bytes.push(0);
    assert!(read(&disk.bytes).2.unwrap_err().contains("behind the end mark"));
}

#[test]
fn a_full_disk_leaves_whole_frames() {
    let mut whole = Disk::default();
    write(&mut whole, 8).unwrap();
    for room in 0..whole.bytes.len() {
        let mut disk = Disk { room: Some(room), ..Disk::default() };
        let Err(WriteError::Write { good_bytes, records, .. }) = write(&mut disk, 8) else { panic!("{room}: no error") };
        assert_eq!(good_bytes, disk.bytes.len() as u64, "{room}");
        if good_bytes > 16 {
            let (read, _, end) = read(&disk.bytes);
            assert_eq!(read.len() as u64, records);
            assert!(end.unwrap_err().contains("the end mark is missing"), "{room}");
        }
    }
}
