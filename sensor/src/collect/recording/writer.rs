//! Writes a recording. A write that fails (a full disk) leaves the file ending with its last whole frame.

use super::format::{CONTEXT, END, FORMAT_VERSION, HOST, Host, MAGIC, MAX_BODY, PART, RECORDS, put_context};
use crate::enrich::snapshot::Context;
use sensor_common::WIRE_VERSION;
use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A frame is written when its body has grown to this.
const FLUSH_BYTES: usize = 256 << 10;

/// Where a recording goes: what a file can do.
pub trait Storage: Write {
    /// Cuts off everything from this byte on and goes on writing there.
    ///
    /// # Errors
    /// Those of the storage.
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

impl Storage for File {
    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)?;
        self.seek(SeekFrom::Start(len)).map(drop)
    }
}

/// A recording cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file cannot be made.
    #[error("cannot create the recording {path}: {source}")]
    Create {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The disk is full, say.
    #[error(
        "the recording stops at byte {good_bytes} with {records} records: {source}; the file is valid up to there; free space, or write it elsewhere"
    )]
    Write {
        /// Length of the file now.
        good_bytes: u64,
        /// Records in it.
        records: u64,
        /// Why.
        source: io::Error,
    },
}

/// A recording being written.
#[derive(Debug)]
pub struct Writer<S: Storage> {
    storage: S,
    /// Entries of the next records frame.
    body: Vec<u8>,
    /// A part was written, and the records frame that ends the look at the rings was not.
    open: bool,
    pending: u64,
    good_bytes: u64,
    records: u64,
}

impl Writer<File> {
    /// Makes the file, readable by its owner only (it holds command lines); one of that name is replaced.
    ///
    /// # Errors
    /// It cannot be made or written.
    pub fn create(path: &Path, host: &Host, context: &[Context]) -> Result<Self, WriteError> {
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = file.map_err(|source| WriteError::Create { path: path.display().to_string(), source })?;
        Self::new(file, host, context)
    }
}

impl<S: Storage> Writer<S> {
    /// Writes the beginning: host and what was known before.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(storage: S, host: &Host, context: &[Context]) -> Result<Self, WriteError> {
        let mut writer = Self { storage, body: Vec::new(), open: false, pending: 0, good_bytes: 0, records: 0 };
        let preamble = [&MAGIC[..], &FORMAT_VERSION.to_le_bytes(), &WIRE_VERSION.to_le_bytes()].concat();
        writer.write(&preamble)?;
        writer.frame(HOST, &serde_json::to_vec(host).unwrap_or_default())?;
        writer.context(context)?;
        Ok(writer)
    }

    /// Adds a record; it is on its way to the file at the next [`Self::flush`] at the latest.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn record(&mut self, raw: &[u8]) -> Result<(), WriteError> {
        self.body.extend_from_slice(&u32::try_from(raw.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.body.extend_from_slice(raw);
        self.pending += 1;
        if self.body.len() >= FLUSH_BYTES { self.part() } else { Ok(()) }
    }

    /// Adds what became known, before the records that follow.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn context(&mut self, context: &[Context]) -> Result<(), WriteError> {
        self.part()?;
        let mut body = Vec::new();
        for entry in context {
            put_context(entry, &mut body);
            if body.len() >= FLUSH_BYTES {
                self.frame(CONTEXT, &std::mem::take(&mut body))?;
            }
        }
        if body.is_empty() { Ok(()) } else { self.frame(CONTEXT, &body) }
    }

    /// Writes the records that wait: all that one look at the rings gave, which began at `drained_ns` (boot ns, 0 if not known).
    ///
    /// # Errors
    /// They cannot be written.
    pub fn flush(&mut self, drained_ns: u64) -> Result<(), WriteError> {
        if self.body.is_empty() && !self.open {
            return Ok(());
        }
        let body = std::mem::take(&mut self.body);
        self.records_frame(RECORDS, &[&drained_ns.to_le_bytes(), body.as_slice()].concat())
    }

    /// Writes the records that wait, with more of the same look to come.
    fn part(&mut self) -> Result<(), WriteError> {
        if self.body.is_empty() {
            return Ok(());
        }
        let body = std::mem::take(&mut self.body);
        self.records_frame(PART, &body)
    }

    fn records_frame(&mut self, kind: u32, body: &[u8]) -> Result<(), WriteError> {
        let pending = std::mem::take(&mut self.pending);
        self.frame(kind, body)?;
        self.records += pending;
        self.open = kind == PART;
        Ok(())
    }

    /// Writes the rest and the end mark. Returns the number of records and bytes.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn finish(mut self) -> Result<(u64, u64), WriteError> {
        self.flush(0)?;
        self.frame(END, &self.records.to_le_bytes())?;
        self.storage.flush().map_err(|source| self.error(source))?;
        Ok((self.records, self.good_bytes))
    }

    /// Records in whole frames so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    fn frame(&mut self, kind: u32, body: &[u8]) -> Result<(), WriteError> {
        if body.len() > MAX_BODY {
            return Err(self.error(io::Error::other(format!("a frame of {} bytes is too long", body.len()))));
        }
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(body.len() + super::format::FRAME_HEAD + super::format::FRAME_CHECK);
        for part in [&kind.to_le_bytes(), &length.to_le_bytes(), body] {
            bytes.extend_from_slice(part);
        }
        let check = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        match self.storage.write_all(bytes) {
            Ok(()) => {
                self.good_bytes += u64::try_from(bytes.len()).unwrap_or(0);
                Ok(())
            }
            Err(source) => {
                // A part of the frame may be there. If it cannot be cut off either, the reader will find it and say so.
                let _ = self.storage.cut(self.good_bytes);
                Err(self.error(source))
            }
        }
    }

    fn error(&self, source: io::Error) -> WriteError {
        WriteError::Write { good_bytes: self.good_bytes, records: self.records, source }
    }
}
