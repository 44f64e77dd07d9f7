//! Reads a recording, frame by frame. Every byte is doubted: a file that was cut off or changed gives an error that says where, after
//! all that is good has been handed over; never a panic, never an allocation that the file's numbers alone decide.

use super::format::{
    CONTEXT, END, FORMAT_VERSION, FRAME_CHECK, FRAME_HEAD, HOST, Host, MAGIC, MAX_BODY, PART, PREAMBLE, RECORDS, byte_order, take_bytes,
    take_context, take_u32,
};
use crate::{
    collect::{Losses, Progress, Source, SourceError},
    enrich::snapshot::Context,
};
use sensor_common::{EventKind, WIRE_VERSION, stats::Reason};
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// A recording cannot be read (on).
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be opened.
    #[error("cannot open the recording {path}: {source}")]
    Open {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It does not begin as recordings do.
    #[error("this is no recording: it does not begin with \"SENSREC\"")]
    NotARecording,
    /// Another version of the layout, the records or the byte order.
    #[error("the recording has {what} {found}, this sensor reads {expected}; replay it with the sensor that recorded it")]
    Version {
        /// Of what.
        what: &'static str,
        /// In the file.
        found: String,
        /// Here.
        expected: String,
    },
    /// Cut off or changed.
    #[error("the recording is damaged at byte {offset}: {what}; {records} records before that are good")]
    Damaged {
        /// Where the damaged frame begins.
        offset: u64,
        /// Records handed over before.
        records: u64,
        /// What is wrong.
        what: String,
    },
    /// The disk fails.
    #[error("the recording cannot be read at byte {offset}: {source}; {records} records before that are good")]
    Io {
        /// Where.
        offset: u64,
        /// Records handed over before.
        records: u64,
        /// Why.
        source: io::Error,
    },
}

/// A recording being read.
#[derive(Debug)]
pub struct Reader<R: Read> {
    input: R,
    host: Host,
    context: Vec<Context>,
    /// Where the next frame begins.
    offset: u64,
    records: u64,
    /// The first frame with records, read while looking for the end of the context.
    ahead: Option<(u32, Vec<u8>)>,
    ended: bool,
    /// When the look at the rings began that the last records came from.
    drained_ns: Option<u64>,
}

impl Reader<BufReader<File>> {
    /// Opens a file and reads what stands before its first records.
    ///
    /// # Errors
    /// It cannot be opened, or its beginning is not that of a recording.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let file = File::open(path).map_err(|source| RecordingError::Open { path: path.display().to_string(), source })?;
        Self::new(BufReader::with_capacity(256 << 10, file))
    }
}

impl<R: Read> Reader<R> {
    /// Reads what stands before the first records.
    ///
    /// # Errors
    /// It is not the beginning of a recording.
    pub fn new(input: R) -> Result<Self, RecordingError> {
        let mut reader =
            Self { input, host: Host::default(), context: Vec::new(), offset: 0, records: 0, ahead: None, ended: false, drained_ns: None };
        reader.preamble()?;
        match reader.frame()? {
            (HOST, body) => {
                let host: Host = serde_json::from_slice(&body).map_err(|e| reader.damaged(&format!("host: {e}")))?;
                if host.byte_order != byte_order() {
                    return Err(version("byte order", &host.byte_order, byte_order()));
                }
                reader.host = host;
            }
            (kind, _) => return Err(reader.damaged(&format!("frame of type {kind} where the host's was expected"))),
        }
        reader.read_ahead()?;
        Ok(reader)
    }

    /// The machine it comes from.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Records handed over so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Context frames up to the next other one. An error in that one is met again by `drain`, when all before has been used.
    fn read_ahead(&mut self) -> Result<(), RecordingError> {
        loop {
            match self.frame()? {
                (CONTEXT, body) => self.add_context(&body)?,
                other => {
                    self.ahead = Some(other);
                    return Ok(());
                }
            }
        }
    }

    fn add_context(&mut self, body: &[u8]) -> Result<(), RecordingError> {
        let mut rest = body;
        while !rest.is_empty() {
            let (context, behind) = take_context(rest).ok_or_else(|| self.damaged("an entry of the context is not whole"))?;
            self.context.extend(context);
            rest = behind;
        }
        Ok(())
    }

    fn preamble(&mut self) -> Result<(), RecordingError> {
        let bytes = self.read(PREAMBLE)?;
        if bytes.get(..MAGIC.len()).is_none_or(|m| m != MAGIC) {
            // A file that is cut off within the magic bytes is none either.
            return Err(RecordingError::NotARecording);
        }
        let versions = bytes.get(MAGIC.len()..).and_then(take_u32).and_then(|(format, rest)| Some((format, take_u32(rest)?.0)));
        let (format, wire) = versions.ok_or_else(|| self.damaged("the file ends here"))?;
        for (what, found, expected) in [("format version", format, FORMAT_VERSION), ("record version", wire, WIRE_VERSION)] {
            if found != expected {
                return Err(version(what, &found.to_string(), &expected.to_string()));
            }
        }
        self.offset += u64::try_from(PREAMBLE).unwrap_or(0);
        Ok(())
    }

    /// The next frame, checked.
    fn frame(&mut self) -> Result<(u32, Vec<u8>), RecordingError> {
        let head = self.read(FRAME_HEAD)?;
        if head.is_empty() {
            return Err(self.damaged("the end mark is missing: the recording was cut off"));
        }
        let numbers = take_u32(&head).and_then(|(kind, rest)| Some((kind, take_u32(rest)?.0)));
        let (kind, length) = numbers.ok_or_else(|| self.damaged("the file ends within the head of a frame"))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_BODY {
            return Err(self.damaged(&format!("a frame of {length} bytes")));
        }
        let mut body = self.read(length + FRAME_CHECK)?;
        if body.len() < length + FRAME_CHECK {
            let need = length + FRAME_CHECK;
            return Err(self.damaged(&format!("the file ends {} bytes before its frame does", need - body.len())));
        }
        let check = body.split_off(length);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&head);
        hasher.update(&body);
        if take_u32(&check).map(|(n, _)| n) != Some(hasher.finalize()) {
            return Err(self.damaged("the checksum of the frame does not match"));
        }
        self.offset += u64::try_from(FRAME_HEAD + length + FRAME_CHECK).unwrap_or(0);
        Ok((kind, body))
    }

    /// As many of `length` bytes as there are.
    fn read(&mut self, length: usize) -> Result<Vec<u8>, RecordingError> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        match self.input.by_ref().take(limit).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(source) => Err(RecordingError::Io { offset: self.offset, records: self.records, source }),
        }
    }

    fn damaged(&self, what: &str) -> RecordingError {
        RecordingError::Damaged { offset: self.offset, records: self.records, what: what.to_owned() }
    }

    fn hand_over(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Progress, RecordingError> {
        loop {
            let (kind, body) = match self.ahead.take() {
                Some(frame) => frame,
                None => self.frame()?,
            };
            match kind {
                RECORDS => {
                    let (time, entries) = body.split_first_chunk::<8>().ok_or_else(|| self.damaged("a records frame has no time"))?;
                    self.entries(entries, each)?;
                    self.drained_ns = Some(u64::from_le_bytes(*time)).filter(|t| *t != 0);
                    return Ok(Progress::Open);
                }
                PART => self.entries(&body, each)?,
                CONTEXT => self.add_context(&body)?,
                END => return self.end(&body).map(|()| Progress::End),
                // A later version may add frames; what they tell is not needed to understand the records.
                _ => {}
            }
        }
    }

    fn entries(&mut self, body: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), RecordingError> {
        let mut rest = body;
        while !rest.is_empty() {
            let (record, behind) = take_bytes(rest).ok_or_else(|| self.damaged("a record leaves its frame"))?;
            each(record);
            self.records += 1;
            rest = behind;
        }
        Ok(())
    }

    fn end(&mut self, body: &[u8]) -> Result<(), RecordingError> {
        self.ended = true;
        let told = <[u8; 8]>::try_from(body).map(u64::from_le_bytes).map_err(|_| self.damaged("the end mark has no count"))?;
        if told != self.records {
            return Err(self.damaged(&format!("the end mark tells of {told} records")));
        }
        match self.read(1)?.len() {
            0 => Ok(()),
            _ => Err(self.damaged("there is something behind the end mark")),
        }
    }
}

fn version(what: &'static str, found: &str, expected: &str) -> RecordingError {
    RecordingError::Version { what, found: found.to_owned(), expected: expected.to_owned() }
}

impl<R: Read> Source for Reader<R> {
    fn drain(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<Progress, SourceError> {
        if self.ended {
            return Ok(Progress::End);
        }
        self.hand_over(each).map_err(|e| SourceError(e.to_string()))
    }
}

/// Losses are records in a recording.
impl<R: Read> Losses for Reader<R> {
    fn losses(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }

    fn suppressed(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }

    fn drained_ns(&self) -> Option<u64> {
        self.drained_ns
    }

    fn context(&mut self) -> Vec<Context> {
        std::mem::take(&mut self.context)
    }
}
